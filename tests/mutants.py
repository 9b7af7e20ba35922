"""Mutation testing of vaelib and of notebooks/build.py: is a small change of the code noticed by the unit tests?

    python tests/mutants.py --count 400            try a sample, and print the score of each module
    python tests/mutants.py --count 60 plots nets  of these modules alone
    python tests/mutants.py --report               print again what was found, survivors included

A mutant is the library with one change at one place: an operator, a number, a condition, an argument left out, a statement deleted.
For each one the tests that concern its module run until the first fails, the nearest first, in a copy of the project, in a process
forked from one that has loaded PyTorch and pytest. A mutant that no test fails on survives: a test is missing, or the change changes
nothing; those that do not are named, with the reason, in tests/equivalent.json.

The sample depends on the seed and on the changed lines alone: mutants of code that stays are the same ones the next time. Results are
kept in build/mutants.json, so that a run that was stopped goes on, and a mutant is tried again only where its module or a test has changed
since it survived.
"""

import argparse
import ast
import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS, EQUIVALENT = ROOT / "build" / "mutants.json", ROOT / "tests" / "equivalent.json"
COPIED = ("vaelib", "tests", "notebooks", "benchmarks", "docs", ".ci", "pyproject.toml", "constraints.txt", "Makefile")
COPIED += ("environment.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")
SLOWEST = 600  # seconds for a mutant, at most; usually ten times what the tests take on the unchanged code

# module -> the tests that know it best, where that is not tests/test_MODULE.py; then come those that import it, the shortest first
NEAREST = {
    "__main__": ["homework"],
    "autoregressive": ["pixelcnn"],
    "causal": ["pixelcnn"],
    "checkpoints": ["train"],
    "downloads": ["download", "data"],
    "files": ["files", "codes"],
    "glyphs": ["data"],
    "marking": ["exercises"],
    "marking_checks": ["marker"],
    "n08_spot_the_bug": ["marker"],
    "nets": ["autoencoders", "quantize"],
    "sampling": ["pixelcnn"],
    "vqvae": ["codes", "quantize"],
    "widgets": ["plots", "widgets"],
}
FAR = (
    "test_0*",
    "test_notebooks",
    "test_build",
    "test_benchmarks",
    "test_project",
    "test_bad_input",
    "test_generators",
)
EVERYWHERE = ["tests/test_bad_input.py", "tests/test_generators.py"]


class Mutant(NamedTuple):
    """One change: ``old``, the text from byte ``start`` to byte ``end`` of the module's file, becomes ``new``."""

    module: str
    line: str  # its text, without the spaces in front
    number: int
    kind: str
    start: int
    end: int
    old: str
    new: str
    nth: int = 1  # of those with the same line and the same change

    @property
    def change(self) -> str:
        return f"{_short(self.old)} → {_short(self.new) or 'nothing'}"

    @property
    def key(self) -> str:
        return f"{self.module} | {self.line} | {self.change}{f' ({self.nth})' if self.nth > 1 else ''}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"


# ---- the changes

BINARY = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "/", ast.Mod: "*", ast.Pow: "*"}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"}
COMPARED = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
# calls on a value that can be left out: x.detach() becomes x
LEFT_OUT = (
    *(
        "detach",
        "clamp",
        "clamp_",
        "clip",
        "float",
        "double",
        "long",
        "cpu",
        "numpy",
        "contiguous",
        "clone",
        "copy",
        "eval",
    ),
    *(
        "round",
        "exp",
        "log",
        "square",
        "sqrt",
        "abs",
        "softmax",
        "flatten",
        "unsqueeze",
        "squeeze",
        "permute",
        "movedim",
    ),
    *("strip", "lower", "expanduser", "resolve"),
)
TWINS = [
    "min max",
    "any all",
    "amin amax",
    "argmin argmax",
    "zeros ones",
    "zeros_like ones_like",
    "sin cos",
    "mean sum",
    "exp log",
]
TWINS += [
    "floor ceil",
    "rand randn",
    "sum mean",
    "logsumexp sum",
    "first last",
    "width height",
    "rows columns",
    "left right",
]
TWIN = {a: b for pair in TWINS for a, b in (pair.split(), pair.split()[::-1])}
DIMENSIONS = ("permute", "transpose", "movedim", "swapaxes")  # calls whose numbers are dimensions, in an order


def mutants(module: str) -> list[Mutant]:
    """All mutants of a module; the text of some is no Python."""
    return mutants_of(module, Changes(path_of(module).read_bytes()))


def mutants_of(module: str, changes: "Changes") -> list[Mutant]:
    """The changes as mutants of what is called ``module``, each with a key of its own."""
    source = changes.source
    lines = source.decode().splitlines()
    found: dict[str, Mutant] = {}
    for node, kind, start, end, new in changes.all():
        line, old = lines[node.lineno - 1].strip(), source[start:end].decode()
        mutant = Mutant(module, line, node.lineno, kind, start, end, old, new)
        while mutant.key in found and found[mutant.key][4:] != mutant[4:]:
            mutant = mutant._replace(nth=mutant.nth + 1)
        if old != new:
            found.setdefault(mutant.key, mutant)
    return list(found.values())


def is_python(source: bytes) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def changed(source: bytes, mutant: Mutant) -> bytes:
    return source[: mutant.start] + mutant.new.encode() + source[mutant.end :]


class Changes:
    """(node, kind, start, end, new text) of everything that could be changed in a source."""

    def __init__(self, source: bytes):
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def all(self) -> Iterator[tuple[ast.AST, str, int, int, str]]:
        for node in self.nodes(ast.parse(self.source)):
            for kind, where, new in self.of(node):
                start, end = where if isinstance(where, tuple) else self.span(where)
                yield (node, kind, start, end, new)

    def nodes(self, node: ast.AST) -> Iterator[ast.AST]:
        """All nodes but docstrings, annotations, and texts: a message may have other words."""
        for name, field in ast.iter_fields(node):
            for child in field if isinstance(field, list) else [field]:
                text = isinstance(child, ast.JoinedStr) or (
                    isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
                )
                if isinstance(child, ast.AST) and name not in ("annotation", "returns") and not text:
                    if hasattr(child, "lineno"):
                        yield child
                    yield from self.nodes(child)

    def between(self, left: ast.AST, right: ast.AST, sign: str) -> tuple[int, int]:
        """Where an operator stands."""
        start, end = self.span(left)[1], self.span(right)[0]
        at = self.source[start:end].find(sign.encode())
        return start + at, start + at + len(sign)

    def of(self, node: ast.AST) -> Iterator[tuple[str, ast.AST | tuple[int, int], str]]:
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            yield "arithmetic", self.between(node.left, node.right, SIGNS[type(node.op)]), BINARY[type(node.op)]
            if isinstance(node.op, (ast.Mult, ast.Div)):
                yield "factor left out", node, f"({self.text(node.left)})"
            if isinstance(node.op, ast.Mult):
                yield "factor left out", node, f"({self.text(node.right)})"
        elif isinstance(node, ast.AugAssign) and type(node.op) in BINARY:
            sign = f"{SIGNS[type(node.op)]}="
            yield "arithmetic", self.between(node.target, node.value, sign), f"{BINARY[type(node.op)]}="
            yield "statement", node, "pass"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            yield "not" if isinstance(node.op, ast.Not) else "arithmetic", node, self.text(node.operand)
        elif isinstance(node, ast.Compare):
            terms = [node.left, *node.comparators]
            for left, op, right in zip(terms, node.ops, terms[1:], strict=False):
                sign, others = COMPARED[type(op)]
                for other in others:
                    yield "comparison", self.between(left, right, sign), other
        elif isinstance(node, ast.BoolOp):
            sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for k, value in enumerate(node.values):
                yield (
                    "and, or",
                    node,
                    f"({f' {sign} '.join(self.text(v) for j, v in enumerate(node.values) if j != k)})",
                )
                if k:
                    yield "and, or", self.between(node.values[k - 1], value, sign), other
        elif isinstance(node, ast.Constant):
            yield from self.of_a_constant(node)
        elif isinstance(node, ast.Call):
            yield from self.of_a_call(node)
        elif isinstance(node, (ast.If, ast.IfExp)):
            for new in ("True", "False"):
                yield "condition", node.test, new
        elif isinstance(node, ast.While):
            yield "condition", node.test, "False"
        elif isinstance(node, (ast.Break, ast.Continue)):
            yield "break, continue", node, "continue" if isinstance(node, ast.Break) else "break"
        elif isinstance(node, ast.Slice):
            for part in (node.lower, node.upper, node.step):
                if part is not None:
                    yield "slice", part, ""
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
            first, second, *rest = (self.text(each) for each in node.value.elts)
            yield "order", node.value, f"({', '.join([second, first, *rest])})"
        elif deletable(node):
            yield "statement", node, "pass"
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for each in node.decorator_list:
                start, end = self.span(each)
                yield "decorator", (start - 1, end), ""
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            for each in (test for generator in node.generators for test in generator.ifs):
                yield "condition", each, "True"

    def of_a_constant(self, node: ast.Constant) -> Iterator[tuple[str, ast.AST, str]]:
        value = node.value
        if isinstance(value, bool):
            yield "true, false", node, str(not value)
        elif isinstance(value, int):
            for new in sorted({value + 1, value - 1, 2 * value, 0} - {value}):
                yield "number", node, str(new) if new >= 0 else f"({new})"
        elif isinstance(value, float):
            for new in {value + 1, 2 * value, 0.0} - {value}:
                yield "number", node, repr(new)

    def of_a_call(self, node: ast.Call) -> Iterator[tuple[str, ast.AST | tuple[int, int], str]]:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in LEFT_OUT:
            yield "call left out", node, self.text(called.value)
        if isinstance(called, ast.Name) and called.id == "sorted":
            yield "call left out", node, f"list({self.text(node.args[0])})"
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
        if name in TWIN:
            end = self.span(called)[1]
            yield "twin", (end - len(name.encode()), end), TWIN[name]
        arguments = [*node.args, *node.keywords]
        for each in arguments:
            if isinstance(each, ast.keyword) and each.arg is not None:
                start, end = self.span(each)
                after = self.source[end : end + 2]
                yield "argument left out", (start, end + (2 if after == b", " else 1 if after[:1] == b"," else 0)), ""
            value = each.value if isinstance(each, ast.keyword) else each
            if isinstance(value, ast.Name) and value.id == "generator":
                yield "generator", value, "None"
        for left, right in zip(node.args, node.args[1:], strict=False):
            fixed = [isinstance(each, (ast.Constant, ast.Starred)) for each in (left, right)]
            if not any(fixed) or (all(fixed) and name in DIMENSIONS):
                where = self.span(left)[0], self.span(right)[1]
                yield "order", where, f"{self.text(right)}, {self.text(left)}"


def deletable(node: ast.AST) -> bool:
    """Whether it is a statement without which the code would still run."""
    if isinstance(node, ast.Assign):  # but for a name, which is used later
        return isinstance(node.targets[0], (ast.Subscript, ast.Attribute))
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))


# ---- which, and with which tests


def modules() -> list[str]:
    """vaelib's modules, by the last part of their names, which no two share; and "build"."""
    return [*sorted(path.stem for path in (ROOT / "vaelib").rglob("*.py") if path.stem != "__init__"), "build"]


def path_of(module: str, root: Path = ROOT) -> Path:
    (path,) = [root / "notebooks/build.py"] if module == "build" else (root / "vaelib").rglob(f"{module}.py")
    return path


def tests_of(module: str) -> list[str]:
    names = NEAREST.get(module) or (["exercises"] if re.match(r"n0\d", module) else [module])
    near = [path for name in names if (path := ROOT / f"tests/test_{name}.py").exists()]
    others = [path for path in (ROOT / "tests").glob("test_*.py") if not any(path.match(f"{far}.py") for far in FAR)]
    if module != "build":
        near += sorted((p for p in others if p not in near and module in imported(p)), key=lambda p: p.stat().st_size)
    return [path.relative_to(ROOT).as_posix() for path in near]


@functools.cache
def imported(path: Path) -> set[str]:
    """The modules of vaelib that a file imports, by the last part of their names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vaelib":
            found |= {node.module.rpartition(".")[2]} | {each.name for each in node.names}
    return found


def runs_of(module: str) -> list[list[str]]:
    """pytest's arguments, for one run after the other; the last one has the module's calls alone."""
    near = [[path] for path in tests_of(module)]
    return near if module == "build" else [*near, [*EVERYWHERE, "-k", f"{module}."]]


def one_a_place(found: list[Mutant], seed: int) -> list[Mutant]:
    """One mutant for each place, in an order that the seed and the lines give."""
    found = sorted(found, key=lambda mutant: hashlib.sha256(f"{seed} {mutant.key} {mutant.kind}".encode()).digest())
    return list({(mutant.module, mutant.start, mutant.end): mutant for mutant in found[::-1]}.values())[::-1]


def sample(names: list[str], count: int, seed: int) -> list[Mutant]:
    """``count`` mutants, one for each place: of each module a share by the square root of its number of places, in an order that the
    seed and the lines give.
    """
    pools = {}
    for name in names:
        pools[name] = one_a_place(mutants(name), seed)
    roots = {name: len(pool) ** 0.5 for name, pool in pools.items()}
    chosen = []
    for name, pool in pools.items():
        source, some = path_of(name).read_bytes(), round(count * roots[name] / (sum(roots.values()) or 1))
        chosen += itertools.islice((mutant for mutant in pool if is_python(changed(source, mutant))), some)
    return chosen


# ---- a run


class Copy:
    """A copy of the project in which a module can be another, and a forked process that runs its tests."""

    def __init__(self, place: Path):
        self.place = place / "project"
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.gif")
                shutil.copytree(source, self.place / name, ignore=ignore)
            elif source.exists():
                shutil.copy(source, self.place / name)
        self.scratch = place / "tmp"

    def run(self, module: str, text: bytes, limit: float) -> tuple[str, str, float]:
        """Killed, survived or slow; by which test; in how many seconds."""
        path, start = path_of(module, self.place), time.monotonic()
        before = path.read_bytes()
        path.write_bytes(text)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        try:
            ours, theirs = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(ours)
                self._in_the_child(module, theirs)
            os.close(theirs)
            said = self._wait(child, ours, start + limit)
        finally:
            path.write_bytes(before)
        status, _, by = said.partition(" ")
        return status or "slow", by, time.monotonic() - start

    def _in_the_child(self, module: str, pipe: int) -> None:
        status = "died"
        try:
            os.setsid()  # what the tests start ends with it
            os.chdir(self.place)
            os.environ.update(PYTHONPATH=str(self.place), TMPDIR=str(self.scratch), PYTHONDONTWRITEBYTECODE="1")
            os.environ.update(OMP_NUM_THREADS="1", MPLBACKEND="agg")
            tempfile.tempdir, sys.dont_write_bytecode = None, True
            sys.path[:0] = [str(self.place)]
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            status = _tested(module)
        finally:
            os.write(pipe, status.encode()[:4000])
            os._exit(0)  # without what this process was to do at its end: its folders are the parent's

    @staticmethod
    def _wait(child: int, pipe: int, deadline: float) -> str:
        import select

        said = b""
        with os.fdopen(pipe, "rb", buffering=0) as file:
            while (left := deadline - time.monotonic()) > 0 and select.select([file], [], [], left)[0]:
                piece = file.read(4096)
                if not piece:
                    break
                said += piece
                deadline = min(deadline, time.monotonic() + 10)  # what is left is tidying up
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return said.decode()


def _tested(module: str) -> str:
    """In the child: run the tests; "survived", or "killed" and the test that failed."""
    import pytest

    class Watch:
        failed = ""

        def pytest_runtest_logreport(self, report):
            if report.failed and not self.failed:
                self.failed = report.nodeid

        def pytest_collectreport(self, report):
            if report.failed and not self.failed:
                self.failed = f"{report.nodeid} cannot be loaded"

    for arguments in runs_of(module):
        watch = Watch()
        quick = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
        code = pytest.main([*quick, *arguments], plugins=[watch])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return f"killed {watch.failed or code}"
    return "survived"


def load() -> None:
    """What the tests load, so that forked processes have it: everything but vaelib and the tests."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.setdefault("MPLBACKEND", "agg")
    names = (
        "numpy torch torch.func torchvision matplotlib.figure matplotlib.style sympy scipy.stats scipy.integrate sklearn.decomposition "
        "PIL.Image ipywidgets IPython nbclient nbformat nbconvert pytest nbval.plugin tqdm filelock platformdirs multiprocessing.forkserver"
    )
    for name in names.split():
        with contextlib.suppress(ImportError):
            __import__(name)
    import torch

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # loads more


# ---- what was found


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(path: Path, new: dict) -> dict:
    """Add to what is kept; another run may write to the same file."""
    from filelock import FileLock

    with FileLock(f"{path}.lock"):
        found = read(path) | new
        whole = path.with_suffix(".part")
        whole.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(whole, path)
    return found


def equivalents() -> dict[str, str]:
    """Mutants that change nothing: key -> why."""
    return {f"{each['module']} | {each['line']} | {each['change']}": each["reason"] for each in read(EQUIVALENT) or []}


def report(found: dict[str, dict], names: list[str]) -> int:
    """The table, and the survivors; how many there are."""
    same = equivalents()
    count: dict[str, Counter[str]] = {}
    alive = []
    for key, each in found.items():
        status = "equivalent" if key in same else each["status"]
        if each["module"] in names:
            count.setdefault(each["module"], Counter())[status] += 1
            if status not in ("killed", "slow", "equivalent"):
                alive.append(each)
    print(f"{'module':22s}{'tried':>7s}{'killed':>8s}{'slow':>6s}{'equivalent':>12s}{'survived':>10s}{'score':>9s}")
    for name, counts in [*sorted(count.items()), ("all", sum(count.values(), Counter()))]:
        tried = counts.total()
        lived = tried - counts["killed"] - counts["slow"] - counts["equivalent"]
        there = tried - counts["equivalent"]
        score = f"{100 * (there - lived) / there:.1f} %" if there else "–"
        print(
            f"{name:22s}{tried:7d}{counts['killed']:8d}{counts['slow']:6d}{counts['equivalent']:12d}{lived:10d}{score:>9s}"
        )
    kinds = Counter(each["kind"] for each in alive), Counter(each["kind"] for each in found.values())
    print(
        "survived, by kind:", ", ".join(f"{kind} {n}/{kinds[1][kind]}" for kind, n in kinds[0].most_common()) or "none"
    )
    for each in sorted(alive, key=lambda each: (each["module"], each["number"])):
        print(f"{each['status']:9s}{each['module']}:{each['number']}  {each['change']}   in: {each['line']}")
    return len(alive)


def stamp(module: str) -> str:
    """Of the tests that concern a module: a survivor is tried again when they have changed."""
    files = sorted({argument for run in runs_of(module) for argument in run if argument.endswith(".py")})
    return hashlib.sha256(b"".join((ROOT / file).read_bytes() for file in [*files, "tests/calls.py"])).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="default: all")
    parser.add_argument("--count", type=int, default=400, help="mutants to try in all (default: 400)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another sample")
    parser.add_argument("--report", action="store_true", help="print what was found, and try nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that keeps what was found")
    options = parser.parse_args()
    names = options.modules or [name for name in modules() if mutants(name)]
    if unknown := set(names) - set(modules()):
        parser.error(f"no such module: {', '.join(sorted(unknown))}; there are {', '.join(modules())}")
    found = read(options.results)
    if options.report:
        return int(report(found, names) > 0)
    chosen = sample(names, options.count, options.seed)
    stamps = {name: stamp(name) for name in names}

    def known(mutant: Mutant) -> bool:
        each = found.get(mutant.key, {"status": ""})
        return each["status"] == "killed" or (each["status"] != "" and each["tests"] == stamps[mutant.module])

    left = [mutant for mutant in chosen if not known(mutant)]
    print(f"{len(chosen)} mutants, {len(chosen) - len(left)} of them tried before", flush=True)
    load()
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vaelib-mutants-") as place:
        os.chmod(place, 0o755)  # some tests act as another user, who has to get there
        copy, limits = Copy(Path(place)), {}
        for mutant in left:
            module, source = mutant.module, path_of(mutant.module).read_bytes()
            if module not in limits:
                status, by, seconds = copy.run(module, source, SLOWEST)
                print(f"{module}: the unchanged code {status} in {seconds:.0f} s {by}", flush=True)
                limits[module] = min(SLOWEST, 10 * seconds + 10) if status == "survived" else None
            if limits[module] is None:
                continue
            status, by, seconds = copy.run(module, changed(source, mutant), limits[module])
            kept = mutant._asdict() | {
                "change": mutant.change,
                "status": status,
                "by": by,
                "seconds": round(seconds, 1),
            }
            found = keep(options.results, {mutant.key: kept | {"tests": stamps[module]}})
            print(f"{status:9s}{seconds:5.1f} s  {module}:{mutant.number}  {mutant.change}  {by}", flush=True)
    if broken := [module for module, limit in limits.items() if limit is None]:
        print(f"Not tried, since their tests fail without a change: {', '.join(broken)}", file=sys.stderr)
    tried = {mutant.key for mutant in chosen}
    return int(report({key: each for key, each in found.items() if key in tried}, names) > 0)


if __name__ == "__main__":
    sys.exit(main())
