"""Every test, the notebooks included, runs on the built-in images, in a data folder of its own."""

import atexit
import contextlib
import inspect
import io
import json
import os
import shutil
import signal
import tempfile
import types
from importlib import import_module
from pathlib import Path

os.environ["VAELIB_DATA"] = tempfile.mkdtemp(prefix="vaelib-tests-")
os.environ["MPLBACKEND"] = "agg"
os.environ.pop("VAELIB_BUDGET", None)
# on CI pytest writes whole diffs of what a failed assertion compares; of two lists of hundreds this can take an hour
os.environ.pop("CI", None)
os.environ.pop("BUILD_NUMBER", None)
# tests side by side share the cores, and a process with a pool of threads cannot be forked
os.environ["OMP_NUM_THREADS"] = "1"
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in what a shell starts with &
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests press Ctrl-C
atexit.register(shutil.rmtree, os.environ["VAELIB_DATA"], ignore_errors=True)

import pytest  # noqa: E402
from generated import each_caught  # noqa: E402
from nbval.plugin import IPyNbFile  # noqa: E402
from played import FOLDER, HANDED_OVER, KEPT, NothingPlanted, Played, told_of  # noqa: E402

TALLY = {"planted": 0, "caught": 0}


@pytest.fixture
def caught():
    """``caught(what, attempt)``: ``attempt`` runs a check on a planted error, and the check must fail."""

    def run(what, attempt):
        TALLY["planted"] += 1
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                attempt()
        except AssertionError:
            TALLY["caught"] += 1
            return
        pytest.fail(f"a planted error passed its check: {what}")

    return run


@pytest.fixture
def plant():
    """``plant(module, old, new)``: the module with ``old`` in its source replaced, beside the real one."""

    def run(name, old, new):
        source = inspect.getsource(import_module(name))
        if old not in source:
            raise NothingPlanted(f"{name} has no {old!r} to plant an error in.")
        mutant = types.ModuleType(name)
        exec(compile(source.replace(old, new), f"{name} with {new!r}", "exec"), mutant.__dict__)
        return mutant

    return run


@pytest.fixture
def shared():
    """A folder in which everybody may write; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.fixture(scope="module")
def played(request):
    """The notebook that the test module is about, run once."""
    notebook = Played(request.module.STEM)
    yield notebook
    notebook.stop()


def hand_over(notebook):
    """In place of stopping the kernel in which nbval has run a committed notebook: its planted errors come next."""
    if notebook.kernel is not None and notebook.kernel.is_alive():
        if notebook.path.parent == FOLDER and notebook.path.stem in PLANTED_IN:
            HANDED_OVER[notebook.path.stem] = notebook.kernel
        else:
            notebook.kernel.stop()


def begin(notebook, start=IPyNbFile.setup):
    """Start nbval's kernel; once more if it dies before its first word: of many that begin at once two can choose one port."""
    try:
        start(notebook)
    except RuntimeError:
        start(notebook)


IPyNbFile.setup = begin
IPyNbFile.teardown = hand_over
PLANTED_IN: set[str] = set()  # notebooks whose test module is run, too


def part_of(nodeid):
    """The notebook, or the module, that a test is about: a notebook's cells and its planted errors are one part."""
    return Path(nodeid.partition("::")[0]).stem.removeprefix("test_")


LONG = ("build", "notebooks", "benchmarks", "download")  # the longest parts but for the notebooks


def pytest_collection_modifyitems(items):
    """A notebook's cells, then its planted errors; what takes long first, so that no core waits at the end."""
    stems = {part_of(item.nodeid) for item in items if item.path.suffix == ".ipynb"}
    PLANTED_IN.update(part_of(item.nodeid) for item in items if item.path.suffix == ".py")
    places = {part: k for k, part in enumerate((*sorted(stems, reverse=True), *LONG))}
    items.sort(key=lambda item: places.get(part_of(item.nodeid), len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A part stays on one worker. (xdist's own way, --dist loadgroup, does nothing under pytest 9.2.)"""
    from xdist.scheduler import LoadScopeScheduling

    class ByPart(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return part_of(nodeid)

    return ByPart(config, log)


def pytest_generate_tests(metafunc):
    """A test that takes ``claim, old, new, names`` runs once for each planted error of its module; one that takes ``cells, key, by``
    for each generated one.
    """
    if {"claim", "old", "new", "names"} <= set(metafunc.fixturenames):
        table = metafunc.module.PLANTED  # by claim, or a list
        errors = table.items() if isinstance(table, dict) else [(None, table)]
        each = [(claim, old, new, names) for claim, planted in errors for old, new, *names in planted]
        metafunc.parametrize(("claim", "old", "new", "names"), each)
    if {"cells", "key", "by"} <= set(metafunc.fixturenames):
        each = each_caught(metafunc.module.STEM)
        metafunc.parametrize(("cells", "key", "by"), each, ids=[key for _, key, _ in each])


def pytest_addoption(parser):
    parser.addoption(
        "--renew-planted",
        action="store_true",
        help="keep how many planted errors each claim caught, for the notebooks' proofs to tell",
    )


BY_CLAIM: dict[str, dict[str, list[int]]] = {}  # notebook -> claim -> planted, caught; here, where reports arrive


SECONDS: dict[tuple[str, str], float] = {}  # (part, kind) -> of all its tests; here, where reports arrive


def pytest_runtest_logreport(report):
    planted = "_errors[" in report.nodeid
    key = part_of(report.nodeid), "cells" if ".ipynb::" in report.nodeid else "planted" if planted else "other tests"
    SECONDS[key] = SECONDS.get(key, 0.0) + report.duration
    claim = dict(report.user_properties).get("claim", "")
    if claim and report.when == "call" and claim in told_of(key[0]):
        counts = BY_CLAIM.setdefault(key[0], {}).setdefault(claim, [0, 0])
        counts[0] += 1
        counts[1] += report.passed


def pytest_sessionfinish(session):
    for kernel in HANDED_OVER.values():
        kernel.stop()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = TALLY
    elif session.config.getoption("renew_planted") and session.exitstatus == pytest.ExitCode.OK:
        kept = json.loads(KEPT.read_text(encoding="utf-8")) | BY_CLAIM
        KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")
    if session.exitstatus == pytest.ExitCode.INTERRUPTED:
        session.exitstatus = 130  # as a shell has it
        if not hasattr(session.config, "workeroutput"):
            print("\nStopped; no kernel runs on. The next run begins anew.")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for key, count in getattr(node, "workeroutput", {}).get("tally", {}).items():
        TALLY[key] += count


def pytest_terminal_summary(terminalreporter):
    """How many errors were planted and caught; and where the time went, in seconds of the one process that ran the test."""
    write = terminalreporter.write_line
    if TALLY["planted"]:
        write(f"planted errors: {TALLY['planted']}, caught: {TALLY['caught']}")
    kinds = ("cells", "planted", "other tests")
    parts = sorted({part for part, _ in SECONDS}, key=lambda part: -sum(SECONDS.get((part, kind), 0) for kind in kinds))
    if sum(SECONDS.values()) < 60:
        return
    write(f"{'seconds':24s}" + "".join(f"{kind:>14s}" for kind in kinds))
    few = [part for part in parts if sum(SECONDS.get((part, kind), 0) for kind in kinds) < 5]
    for name, these in [*((part, [part]) for part in parts if part not in few), ("the others", few), ("all", parts)]:
        write(f"{name:24s}" + "".join(f"{sum(SECONDS.get((p, kind), 0) for p in these):14.0f}" for kind in kinds))
