"""Small changes of a notebook's cells, made by tests/mutants.py, beside the errors that its tests plant by hand.

    python tests/generated.py 05_vq_vae            try those that are kept, and others; keep what came of it in generated.json
    python tests/generated.py 05_vq_vae --each 4   no more than 4 of each group of cells

People plant the errors that they think of, and checks are written by the same people. A generated error is one change at one place of the
cells that the errors planted by hand name: a sign, a factor, a dimension, a detach left out. A claim that is proved in these cells has to
fail. One that survives shows a check that is missing, or changes nothing; then generated.json says why.

Changes are made in a cell as Python itself writes it, without comments and on one line for each statement: so neither its formatting nor
another line decides which they are. Left alone are words and pictures, the bounds of checks, draws and seeds, how long is trained, and
what a cell that is run again finds done already.
"""

import argparse
import ast
import functools
import importlib
import json
import sys
import time
from pathlib import Path

import mutants
from played import FOLDER, NothingPlanted, Played, claim_of, claims_of, code_cells

KEPT = Path(__file__).with_name("generated.json")
EACH, SECONDS = 14, 20.0  # of a group of cells no more errors than that, and no more time
LONGEST = 60  # seconds for one error: some make an integral that sympy never finishes
SEED = 0


# ---- which changes

TOLD = ("print", "told", "show", "display", "headline", "over_seeds", "plots", "drawings", "widgets")
DRAWN = ("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "multinomial", "manual_seed", "Generator")
SPARED = {*TOLD, *DRAWN, "proof", "check_fails", "budget", "symbols", "Symbol"}  # calls
KEYWORDS = {"steps", "batch_size", "lr", "schedule", "seed", "random_state", "n_init", "generator"}  # and their values
KEYWORDS |= {"device", "strict", "dtype"}
LAYOUT = {
    "cpu",
    "numpy",
    "contiguous",
    "clone",
    "copy",
    "eval",
    "float",
    "double",
    "long",
}  # no error to leave these out


class Slips(mutants.Changes):
    """The changes of a cell that are errors: those that overlap with nothing that is spared."""

    def __init__(self, source, read=None):
        super().__init__(source.encode())
        self.tree = ast.parse(source)
        self.spared = [span for node in ast.walk(self.tree) for span in self.spares(node)]
        self.compared = [self.span(node.args[1]) for node in ast.walk(self.tree) if is_check(node)]
        for node in ast.walk(self.tree):  # what is only told or shown
            if (names := bound(node)) and read is not None and not {name.id for name in names} & read:
                self.spared.append(self.span(node))

    def spares(self, node):
        """Where a node may not be changed."""
        if isinstance(node, ast.Call):
            names = {each.id for each in ast.walk(node.func) if isinstance(each, ast.Name)}
            if named(node) in SPARED or names & SPARED:
                yield self.span(node)
            if is_check(node):
                (start, end), (first, last) = self.span(node), self.span(node.args[1])
                yield from ((start, first), (last, end))
                for each in ast.walk(node.args[1]):  # what is looked at, which nothing else would make good
                    if isinstance(each, ast.Subscript):
                        yield self.span(each.slice)
                    elif isinstance(each, ast.Call) and named(each) in ("min", "max"):
                        yield self.span(each.func)
                    elif isinstance(each, ast.Compare):  # a bound, too
                        yield from (self.span(side) for side in each.comparators if isinstance(side, ast.Constant))
        elif (isinstance(node, ast.keyword) and node.arg in KEYWORDS) or getattr(node, "name", "") in SPARED:
            yield self.span(node)
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.slice, ast.Constant)
        ):
            yield self.span(node.slice)  # what the notebook put there before is still there
        elif isinstance(node, ast.For) and (isinstance(node.iter, ast.Tuple) or ast.unparse(node.target) == "_"):
            yield self.span(node.iter)  # which examples, or how often

    def is_spared(self, start, end):
        return any(start < last and first < end for first, last in self.spared)

    def read(self):
        """The names that are read where something may be changed."""
        names = {node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        filled = {node for each in ast.walk(self.tree) for node in bound(each)}  # as a is in a[0] = b
        return {node.id for node in names - filled if not self.is_spared(*self.span(node))}

    def all(self):
        for node, kind, start, end, new in super().all():
            harmless = kind == "decorator" or (kind == "call left out" and named(node) in LAYOUT)  # torch.no_grad, say
            harmless |= (
                kind == "call left out" and isinstance(node, ast.Call) and of_a_module(node)
            )  # sp.exp(a) is not sp
            harmless |= kind == "and, or"  # whoever asks for less gets it
            harmless |= kind == "statement" and isinstance(node, ast.Assign)  # what it gave before is still there
            if not harmless and self.span(node) not in self.compared and not self.is_spared(start, end):
                yield node, kind, start, end, new


def bound(node):
    """The names to which an assignment gives something, whole or in part."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    names = set()
    for root in (part for each in targets for part in (each.elts if isinstance(each, ast.Tuple) else [each])):
        while isinstance(root, (ast.Subscript, ast.Attribute, ast.Starred)):
            root = root.value
        names |= {root} if isinstance(root, ast.Name) else set()
    return names


def named(call):
    """The last part of the name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def of_a_module(call):
    """Whether a function of a module is called, by the names that modules have in the notebooks."""
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in (
        "sp",
        "np",
        "torch",
        "math",
        "F",
    )


def is_check(node):
    return isinstance(node, ast.Call) and named(node) in ("check", "check_mean")


@functools.cache
def cells_of(stem):
    """The code cells, name -> text, as Python writes it."""
    return {cell.id: ast.unparse(ast.parse(cell.source)) for cell in code_cells(FOLDER / f"{stem}.ipynb")}


@functools.cache
def read_in(stem):
    """The names that some cell reads for more than to tell or show them, or what is only told or shown."""
    names, before = None, ()
    while names != before:
        names, before = set().union(*(Slips(text, names).read() for text in cells_of(stem).values())), names
    return names


@functools.cache
def errors_of(stem, cell):
    """All errors that can be generated in a cell, by key."""
    return {error.key: error for error in mutants.mutants_of(cell, Slips(cells_of(stem)[cell], read_in(stem)))}


def with_error(stem, cells, key):
    """The texts of cells, name -> text, with an error in one of them. KeyError if it cannot be generated there."""
    texts = {name: cells_of(stem)[name] for name in cells}
    cell = key.partition(" | ")[0]
    return texts | {cell: mutants.changed(texts[cell].encode(), errors_of(stem, cell)[key]).decode()}


def groups_of(stem):
    """The groups of cells that errors planted by hand name, and those that errors kept do."""
    table = importlib.import_module(f"test_{stem}").PLANTED.values()
    named = [tuple(names) for planted in table for _, _, *names in planted]
    return list(dict.fromkeys(named + [tuple(group["cells"]) for group in kept(stem)]))


# ---- what came of them


def kept(stem):
    """The groups of a notebook: their cells, the errors that are caught (key -> check), and those that are not (key -> why)."""
    return json.loads(KEPT.read_text(encoding="utf-8")).get(stem, []) if KEPT.exists() else []


def keep(stem, groups):
    everything = (json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}) | {stem: groups}
    KEPT.write_text(json.dumps(dict(sorted(everything.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def tried(played, stem, cells, key):
    """The check that caught an error; "" if none did, and None if something else went wrong."""
    found = played.changed(with_error(stem, cells, key))
    if found is None:
        return ""
    claims = {claim_of(words) for name in cells for words in claims_of(played.cells[name])}
    failed, words = found[0], found[1].removeprefix("✗ ")
    return words.rpartition(": ")[0] if failed and words.startswith(tuple(claims)) and words != found[1] else None


def chosen(played, stem, cells, count, end, elsewhere, before):
    """Errors of cells that no exception gives away: those that were kept ``before``, then the first others, until there are ``count``
    or it is ``end``. Returns those caught, key -> check, and the keys of the others.
    """
    pool = {key: error for cell in cells for key, error in errors_of(stem, cell).items()}
    caught, survived = {}, []
    first = [pool[key] for key in before if key in pool]
    for error in [*first, *mutants.one_a_place([*pool.values()], SEED)]:
        if error not in first and (len(caught) + len(survived) >= count or time.monotonic() > end):
            break
        if error.key in {*elsewhere, *caught, *survived} or not mutants.is_python(
            with_error(stem, cells, error.key)[error.module].encode()
        ):
            continue
        by = tried(played, stem, cells, error.key)
        if by:
            caught[error.key] = by
        elif by is not None:
            survived.append(error.key)
    return caught, survived


def renew(stem, each, seconds):
    """Try a notebook's errors, those kept and new ones, and keep them; returns those that survived for no reason that is known."""
    reasons = {key: why for group in kept(stem) for key, why in group["survived"].items() if why}
    before = {tuple(group["cells"]): [*group["caught"], *group["survived"]] for group in kept(stem)}
    played, groups, seen = Played(stem), [], set()
    try:
        played.inside(f"__dict__.update(SECONDS={LONGEST})")
        for cells in groups_of(stem):
            end = time.monotonic() + seconds
            caught, survived = chosen(played, stem, cells, each, end, seen, before.get(cells, ()))
            seen |= {*caught, *survived}
            why = {key: reasons.get(key, "") for key in sorted(survived)}
            print(f"{len(caught):3d} caught, {len(survived):2d} survived: {', '.join(cells)}", flush=True)
            for key in (key for key in why if not why[key]):
                print(f"    no check catches  {key}", flush=True)
            groups.append({"cells": cells, "caught": dict(sorted(caught.items())), "survived": why})
    finally:
        played.stop()
    keep(stem, groups)
    return [key for group in groups for key, why in group["survived"].items() if not why]


# ---- the tests of a notebook that has them


def each_caught(stem):
    """(cells, key, check) of each error that has to be caught."""
    return [(tuple(group["cells"]), key, by) for group in kept(stem) for key, by in group["caught"].items()]


def generated_errors_fail(played, caught, record_property, cells, key, by, request):
    """Cells with a generated error fail a claim that is proved in them; it counts for the one that caught it when it was chosen."""
    record_property("claim", claim_of(by))
    stem = request.module.STEM
    try:
        found = tried(played, stem, cells, key)
    except KeyError:
        raise NothingPlanted(f"{key!r} is no change of the cell any more: python tests/generated.py {stem}") from None
    if found is None:
        raise NothingPlanted(f"{key!r} is caught by no claim, but by an exception: python tests/generated.py {stem}")

    def attempt():
        assert not found

    caught(key, attempt)


def survivors_have_reasons(request):
    """Of each generated error that no check catches it is said why it is none; and it can still be generated."""
    stem = request.module.STEM
    survived = {key: why for group in kept(stem) for key, why in group["survived"].items()}
    gone = [key for key in survived if key not in errors_of(stem, key.partition(" | ")[0])]
    assert gone == [], f"no change of the cell any more: python tests/generated.py {stem}"
    assert [key for key, why in survived.items() if not why] == []


def main():
    import conftest  # noqa: F401  the surroundings of all tests

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", help="for example 05_vq_vae")
    parser.add_argument("--each", type=int, default=EACH, help=f"errors of a group of cells (default: {EACH})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for a group of cells (default: {SECONDS:.0f})")
    options = parser.parse_args()
    missing = renew(options.notebook, options.each, options.seconds)
    if missing:
        print(f"{len(missing)} survived: add a check, or say in {KEPT.name} why they change nothing.", file=sys.stderr)
    return int(missing != [])


if __name__ == "__main__":
    sys.exit(main())
