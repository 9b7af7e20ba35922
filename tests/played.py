"""A notebook that is run once in a kernel, and whose cells can then be run again with other text: for planted errors.

nbval runs each committed notebook, and hands its kernel over when it is done: so a notebook runs once for both. Each
tests/test_NN_*.py holds one notebook's planted errors, in PLANTED, and names which of the tests below it takes. conftest.py keeps a
notebook and its planted errors together, and hands out the errors one by one.
"""

import ast
import functools
import re
import time
from pathlib import Path
from queue import Empty

import nbformat
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel

from vaelib.classroom.telling import kept_runs

FOLDER = Path(__file__).parent.parent / "notebooks"
KEPT = FOLDER.parent / "vaelib" / "classroom" / "planted.json"  # what the proofs tell of the planted errors
LEDGER = {
    "01_ae_vs_vae": ["AE-1", "AE-2", "AE-3", "VAE-1", "VAE-2", "VAE-3", "VAE-4", "VAE-5", "VAE-6"],
    "02_elbo": [f"ELBO-{k}" for k in range(1, 18)],
    "03_gradient_estimators": [f"G-{k}" for k in range(1, 12)],
    "04_training_a_vae": ["ELBO-16"],
    "05_vq_vae": [f"VQ-{k}" for k in range(1, 11)],
    "06_pixelcnn": [f"AR-{k}" for k in range(1, 7)],
    "07_latent_priors": ["AR-1", "AR-7", "VQ-10"],
}


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def claim_of(words):
    """The claim of the ledger that a check's words begin with, or the words: as in vaelib.classroom.checks."""
    return words.partition(":")[0].strip()


@functools.cache
def told_of(stem):
    """The claims of a notebook whose planted errors are counted: those of the ledger, and those that have a proof of their own."""
    source = "\n".join(cell.source for cell in code_cells(FOLDER / f"{stem}.ipynb"))
    return {*LEDGER.get(stem, ()), *map(claim_of, re.findall(r'\bproof\(\s*f?"([^"]+)"', source))}


HANDED_OVER: dict[str, RunningKernel] = {}  # notebook -> the kernel in which nbval has run it
INSIDE = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
SECONDS = 900  # for one thing asked of a kernel


class NothingPlanted(Exception):
    """A planted error was not planted, or nothing can be learnt from it. No AssertionError, which would count as caught."""


def replaced(source, old, new):
    """``source`` with ``new`` for ``old``, however that is formatted there: other spaces and line breaks, and before a closing bracket
    a comma or none. A formatter moves these, and a planted error is to stay planted.
    """
    bare = re.sub(r",(?=\s*[)\]}])", "", old)
    words = re.findall(r"\w+(?:\s+\w+)*|[^\w\s]", bare)  # words beside each other stay apart
    parts = [rf",?\s*\{word}" if word in ")]}" else r"\s+".join(map(re.escape, word.split())) for word in words]
    before, after = (rf"(?:{space})?" for space in (re.match(r"\s*", old)[0], re.search(r"\s*$", old)[0]))
    return re.sub(before + r"\s*".join(parts) + after, lambda _: new, source)


class Played:
    """A notebook that has been run in a kernel, from its first cell to its last."""

    def __init__(self, stem):
        self.cells = {cell.id: cell.source for cell in code_cells(FOLDER / f"{stem}.ipynb")}
        self.kernel = HANDED_OVER.pop(stem, None)
        self.unchanged = {}  # names of cells -> what came of running them again as they are
        if self.kernel is None:
            self.kernel = RunningKernel(CURRENT_ENV_KERNEL_NAME, cwd=str(FOLDER))
            for source in self.cells.values():
                self._run(source)
        self._run(
            f"import sys, types\nsys.modules['inside'] = types.ModuleType('inside')\nexec({INSIDE!r}, vars(sys.modules['inside']))"
        )

    def _run(self, source, **asked):
        """Run source in the kernel; returns what ``asked``, name -> expression, is then worth."""
        client = self.kernel.kc
        sent = client.execute(source, store_history=False, stop_on_error=False, user_expressions=asked)
        end = time.monotonic() + SECONDS
        while True:
            try:
                reply = client.get_shell_msg(timeout=1)
            except Empty:
                if not self.kernel.is_alive() or time.monotonic() > end:
                    raise NothingPlanted(
                        f"the kernel died, or did not answer for {SECONDS} s: {source[:200]}"
                    ) from None
                continue
            if reply["parent_header"].get("msg_id") == sent:
                break
        content = reply["content"]
        if content["status"] != "ok":
            raise NothingPlanted(f"{content['ename']}: {content['evalue']}")
        values = content["user_expressions"]
        if wrong := [f"{v['ename']}: {v['evalue']}" for v in values.values() if v["status"] != "ok"]:
            raise NothingPlanted("; ".join(wrong))
        return {name: ast.literal_eval(value["data"]["text/plain"]) for name, value in values.items()}

    def inside(self, call):
        """The value of a call of a function of inside.py."""
        return self._run("", it=f"__import__('inside').{call}")["it"]

    def attempt(self, *sources):
        """Run sources on a copy of what the notebook left: None, or [whether an assertion failed, words]."""
        return self.inside(f"attempt({list(sources)!r})")

    def again(self, old, new, *names):
        """The cells ``names`` once more, with ``new`` in place of ``old``. As they are, they pass, or nothing would be learnt."""
        changed = {name: replaced(self.cells[name], old, new) for name in names}
        if changed == {name: self.cells[name] for name in names}:
            raise NothingPlanted(f"{old!r} is not in {names}.")
        return self.changed(changed)

    def changed(self, cells):
        """Cells once more, name -> other text; as they are, they pass, or nothing would be learnt."""
        names = tuple(cells)
        if names not in self.unchanged:
            self.unchanged[names] = self.attempt(*(self.cells[name] for name in names))
        if self.unchanged[names] is not None:
            raise NothingPlanted(f"{names} fail as they are, run again after the notebook: {self.unchanged[names][1]}")
        return self.attempt(*cells.values())

    def stop(self):
        self.kernel.stop()


def planted_errors_fail(played, caught, record_property, claim, old, new, names):
    """Cells with a planted error fail the check of the claim that it was planted in; another one's will not do."""
    record_property("claim", claim_of(claim or ""))
    found = played.again(old, new, *names)

    def attempt():
        if found is not None and not (found[0] and found[1].startswith(f"✗ {claim or ''}")):
            raise NothingPlanted(f"another thing failed: {found[1]}")
        assert found is None, found[1]

    caught(f"{claim}: {old} -> {new}", attempt)
    print(f"{old} -> {new}\n    {found[1]}")  # pytest -rP shows which check caught it


def three_for_each_id(request):
    """Every claim with an ID has three planted errors, generated ones among them, and every ID of the ledger is there."""
    from generated import each_caught  # which imports this module

    generated = [by for _, _, by in each_caught(request.module.STEM)]
    by_hand = {claim: {*rows} for claim, rows in request.module.PLANTED.items() if re.match(r"[A-Z]+-\d", claim)}
    counts = {claim: len(rows) + sum(by.startswith(claim) for by in generated) for claim, rows in by_hand.items()}
    for name in LEDGER[request.module.STEM]:
        rows = sum(len(rows) for claim, rows in by_hand.items() if claim_of(claim) == name)
        counts[name] = rows + sum(claim_of(by) == name for by in generated)
    assert {claim_of(claim) for claim in counts} == set(LEDGER[request.module.STEM])
    assert {claim: count for claim, count in counts.items() if count < 3} == {}


def claims_of(source):
    """The words of each check of a cell, with those of the proof around it; of an f-string, what stands before its first brace."""
    found = []

    def words(node):
        first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
        return first.value if isinstance(first, ast.Constant) else ""

    def look(node, within):
        if isinstance(node, ast.Lambda):  # the attempt of check_fails
            return
        if isinstance(node, ast.With):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "proof":
                    within = f"{words(call.args[0])}: "
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("check", "check_mean"):
            found.append(within + words(node.args[0]))
        for child in ast.iter_child_nodes(node):
            look(child, within)

    look(ast.parse(source), "")
    return found


def one_for_each_claim(request):
    """Every check has a planted error, by hand or generated; those of a loop, which stand there once, have one together."""
    from generated import each_caught  # which imports this module

    claims = [c for cell in code_cells(FOLDER / f"{request.module.STEM}.ipynb") for c in claims_of(cell.source)]
    known = [*request.module.PLANTED, *(by for _, _, by in each_caught(request.module.STEM))]
    assert [c for c in claims if not any(c.startswith(k) or k.startswith(c) for k in known)] == []


def other_seeds_are_kept(played, request):
    """Of each figure that the notebook tells through over_seeds, and of no other, the runs of other seeds are kept (make seeds)."""
    told = played._run("", it="sorted(__import__('vaelib.classroom.telling', fromlist=['_']).measured())")["it"]
    runs = [run for run in kept_runs() if run["notebook"] == request.module.STEM]
    assert runs
    assert all(sorted(run["values"]) == told for run in runs)


def sliders_move(played):
    """Every slider to both ends and to an odd value: another picture and its words each time; and no Output widget anywhere."""
    found = played.inside("explorers()")
    assert found
    wrong = {name: words for name, words in found.items() if words}
    assert not wrong, wrong


def answers_are_marked(played):
    """Every exercise: the untouched stub passes, and an answer that returns a number, whatever it is given, fails its cell."""
    stubs = {name: cell for name, cell in played.cells.items() if "NotImplementedError" in cell}
    assert stubs
    for name, stub in stubs.items():
        assert played.attempt(stub) is None, name
        failed, words = played.attempt(stub.replace('raise NotImplementedError("your turn")', "return 0.0"))
        assert failed, name
        assert words.startswith("✗ exercise"), name
