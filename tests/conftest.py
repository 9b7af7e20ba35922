"""Every test, the notebooks included, runs on the built-in images, in a data folder of its own."""

import atexit
import contextlib
import inspect
import io
import os
import shutil
import tempfile
import types
from importlib import import_module

os.environ["VAELIB_DATA"] = tempfile.mkdtemp(prefix="vaelib-tests-")
os.environ["MPLBACKEND"] = "agg"
os.environ.pop("VAELIB_BUDGET", None)
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # tests side by side share the cores; kernels inherit this
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(workers)))
atexit.register(shutil.rmtree, os.environ["VAELIB_DATA"], ignore_errors=True)

import pytest  # noqa: E402
from played import Played  # noqa: E402

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
        assert source.count(old) >= 1, f"{name} has no {old!r} to plant an error in"
        mutant = types.ModuleType(name)
        exec(compile(source.replace(old, new), f"{name} with {new!r}", "exec"), mutant.__dict__)
        return mutant

    return run


@pytest.fixture(scope="module")
def played(request):
    """The notebook that the test module is about, run once."""
    return Played(request.module.STEM)


def pytest_generate_tests(metafunc):
    """A test that takes ``claim, old, new, names`` runs once for each planted error of its module."""
    if {"claim", "old", "new", "names"} <= set(metafunc.fixturenames):
        table = metafunc.module.PLANTED  # by claim, or a list
        errors = table.items() if isinstance(table, dict) else [(None, table)]
        each = [(claim, old, new, names) for claim, planted in errors for old, new, *names in planted]
        metafunc.parametrize(("claim", "old", "new", "names"), each)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = TALLY


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for key, count in getattr(node, "workeroutput", {}).get("tally", {}).items():
        TALLY[key] += count


def pytest_terminal_summary(terminalreporter):
    if TALLY["planted"]:
        terminalreporter.write_line(f"planted errors: {TALLY['planted']}, caught: {TALLY['caught']}")
