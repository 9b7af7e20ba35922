"""The house: who may import whom, what is installed, and that the documents say the same."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
MODULES = {path.stem: path for path in (ROOT / "vaelib").rglob("*.py") if path.stem != "__init__"}


# ---- who may import whom: pyproject.toml says it, and import-linter holds it


def contract(folder):
    """What import-linter says of the copy of vaelib in a folder: its exit code, and its words."""
    code = "import sys; from importlinter.cli import lint_imports_command as lint; sys.path.insert(0, ''); lint(['--no-cache'])"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_contract_holds_and_can_be_broken(tmp_path, caught):
    shutil.copytree(ROOT / "vaelib", tmp_path / "vaelib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    code, words = contract(tmp_path)
    assert code == 0, words

    def kept():
        code, words = contract(tmp_path)
        assert code == 0, words

    for place, line in (
        ("quantize.py", "from vaelib import evaluate"),  # the method's quantizer, and the judge of models
        ("nets.py", "from vaelib.classroom import checks"),  # the method, and the classroom
        ("outside/downloads.py", "from vaelib import data"),  # a circle
        ("classroom/widgets.py", "from vaelib import train"),  # figures, and models
        ("classroom/checks.py", "from vaelib.classroom import plots"),
    ):
        path = tmp_path / "vaelib" / place
        whole = path.read_text(encoding="utf-8")
        path.write_text(f"{whole}\n\ndef late():\n    {line}\n", encoding="utf-8")
        caught(f"{place}: {line}", kept)
        path.write_text(whole, encoding="utf-8")
    (tmp_path / "vaelib" / "newcomer.py").write_text('"""In no line of the contract."""\n', encoding="utf-8")
    caught("a module that the contract does not name", kept)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # whoever imports it gets ModuleNotFoundError
import sympy as sp
import vaelib.symbolic
from vaelib.classroom.checks import check, check_fails, check_mean
from vaelib.symbolic import Normal, equal
m, s = sp.Symbol("m", real=True), sp.Symbol("s", positive=True)
check("E[z^2]", equal(Normal(m, s).expect(lambda z: z**2), m**2 + s**2))
check("a number", 1e-9, 1e-6)
check_mean("a mean", [-1.0, 1.0] * 60, 0.0)
check_fails("a slip", lambda: check("a number", 1.0, 1e-6))
try:
    vaelib.pick_device
except ModuleNotFoundError:
    print("no torch")
"""


def test_a_derivation_is_checked_where_no_torch_is():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.count("✓") == 4
    assert done.stdout.endswith("no torch\n")


def test_no_two_modules_share_a_name():
    """Tests, the map and the mutants call them by the last part."""
    assert len(MODULES) == len([path for path in (ROOT / "vaelib").rglob("*.py") if path.stem != "__init__"])


def test_the_map_names_every_module():
    rows = re.findall(r"^\| `([a-z0-9_/]+)` \| [^|]+ \|$", MAP, flags=re.M)
    assert sorted(rows) == sorted(str(path.relative_to(ROOT / "vaelib").with_suffix("")) for path in MODULES.values())


def lines_of_code(path):
    """Without blank ones, comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(bool(re.match(r"\s*[^\s#]", line)) and k not in docstrings for k, line in enumerate(lines, 1))


def test_the_method_can_be_read_in_an_evening():
    """Models, bounds, estimators, training, judging; and apart from it what meets callers and machines, which few will read."""
    folders = {"vaelib": 0, "outside": 0}
    for path in MODULES.values():
        if path.parent.name in folders:
            folders[path.parent.name] += lines_of_code(path)
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name
    assert folders["vaelib"] <= 2_150, folders
    assert folders["outside"] <= 1_150, folders


def test_names_that_others_rely_on():
    import vaelib
    from vaelib import bounds, data, distributions, quantize

    assert vaelib.pick_device
    assert vaelib.seed_everything
    assert data.Images._fields == ("x", "y", "name")
    assert distributions.DiagGaussian._fields == ("mean", "log_std")
    assert bounds.ElboTerms._fields == ("log_px", "kl")
    assert quantize.Quantized._fields == ("z_q", "codes", "codebook_loss", "commitment_loss")


# ---- dependencies

DIRECT = [*PROJECT["dependencies"], *(spec for extra in PROJECT["optional-dependencies"].values() for spec in extra)]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "jupyter-client": "jupyter_client"}


def specs_of(specs):
    """name -> all that is asked of its version."""
    return dict(re.fullmatch(r"([\w-]+)\s*(>=\s*[\d.]+(?:,<[\d.]+)?)", spec).groups() for spec in specs)


def bounds_of(specs):
    """name -> lowest version."""
    return {name: re.search(r"[\d.]+", asked)[0] for name, asked in specs_of(specs).items()}


def test_environment_yml_says_what_pyproject_says():
    compared = PROJECT["optional-dependencies"]["compare"]  # not on conda-forge; the tests skip without it
    ours = specs_of(spec for spec in DIRECT if spec not in compared)
    expected = {CONDA_NAMES.get(name, name): bound for name, bound in ours.items()}
    expected["python"] = PROJECT["requires-python"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    specs = [spec for spec in environment["dependencies"] if isinstance(spec, str) and spec != "pip"]
    assert specs_of(specs) == expected
    pip = next(spec["pip"] for spec in environment["dependencies"] if isinstance(spec, dict))
    assert pip == ["-e ."]  # this project alone: what it needs, torch above all, comes from conda-forge


def test_every_conda_spec_parses():
    rattler = pytest.importorskip("rattler")
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    for spec in environment["dependencies"]:
        if isinstance(spec, str):
            name, _, bound = spec.partition(">=")
            parsed = rattler.MatchSpec(spec)
            assert str(getattr(parsed.name, "normalized", parsed.name)) == name
            if bound:
                assert str(parsed.version) == f">={bound}"
    for wrong in ("pytorch>=>2", "numpy==", "pil low"):
        with pytest.raises(Exception):  # noqa: B017, PT011 -- the parser does parse
            rattler.MatchSpec(wrong, strict=True)


def test_constraints_pin_each_direct_dependency():
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), flags=re.M))
    ours = bounds_of(DIRECT)
    assert set(pins) == set(ours)
    numbers = lambda version: tuple(int(part) for part in re.findall(r"\d+", version))  # noqa: E731
    assert all(numbers(pins[name]) >= numbers(bound) for name, bound in ours.items())
    assert numbers(pins["torch"])[:2] != (2, 13)


# ---- commands


def test_make_lists_its_targets():
    listing = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in (
        "course",
        "test",
        "lab",
        "data",
        "notebooks",
        "lint",
        "bench",
        "bench-mnist",
        "bench-cifar10",
        "bench-pixels",
        "bench-pictures",
        "tables",
        "mutants",
        "constraints",
    ):
        assert f"make {target} " in listing


def test_make_says_what_python_it_needs(tmp_path):
    old = tmp_path / "python3.8"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.0 && exit 0\nexit 1\n')
    old.chmod(0o755)
    for python, sentence in (
        (str(old), "needs Python 3.11 or later"),
        ("python-that-is-not", "There is no python-that-is-not"),
    ):
        done = subprocess.run(
            ["make", "-s", "course", f"PYTHON={python}", f"VENV={tmp_path}/venv"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert sentence in done.stdout


def test_ci_runs_the_two_commands():
    script = (ROOT / ".ci" / "run").read_text()
    assert "make lint" in script
    assert "make test" in script


def test_readme_names_every_notebook_and_no_other():
    linked = set(re.findall(r"\(notebooks/(\w+)\.ipynb\)", README))
    assert linked == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).exists()


def test_the_glossary_holds():
    """Each name is there, and the notebook that is said to bring it up does."""
    section = README.partition("## Symbols and names")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .* \| ([^|]*`[^|]*) \| (\d\d) \|$", section, flags=re.M)
    assert len(rows) == section.count("\n| ") - 1  # all but the heading
    for names, notebook in rows:
        (path,) = (ROOT / "notebooks").glob(f"{notebook}_*.ipynb")
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"`([\w.]+)`", names):
            module, *attributes = name.split(".")
            found = importlib.import_module(".".join(MODULES[module].relative_to(ROOT).with_suffix("").parts))
            for attribute in attributes:
                found = getattr(found, attribute)
            assert attributes[-1] in text, f"{notebook} does not speak of {name}"
