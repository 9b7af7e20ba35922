"""The house: who may import whom, what is installed, and that the documents say the same."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = {path.stem: path for path in (ROOT / "vaelib").glob("*.py") if path.stem != "__init__"}


def house():
    """README's table: module -> modules it may import."""
    rows = re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| ([^|]+) \|$", README, flags=re.M)
    return {module: set(re.findall(r"`(\w+)`", allowed)) for module, allowed in rows}


def imports(path):
    """Modules of vaelib that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            assert all(alias.name != "*" for alias in node.names)
            if node.module == "vaelib":
                found |= {alias.name for alias in node.names}
            elif node.module and node.module.startswith("vaelib."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("vaelib.")}
    return found


def test_the_import_table_holds():
    table = house()
    assert set(table) == set(MODULES)
    for module, path in MODULES.items():
        assert imports(path) == table[module], module
    outside = {"checks", "exercises", "bugs"}  # for notebooks and tests only
    assert not outside & set().union(*(allowed for module, allowed in table.items() if module not in outside))


def test_the_imports_make_no_circle():
    table, order = house(), []
    while len(order) < len(table):
        free = [m for m in table if m not in order and table[m] <= set(order)]
        assert free, f"a circle among {set(table) - set(order)}"
        order += free


CLASSROOM = {"checks", "plots", "widgets", "exercises", "bugs"}  # what only a course needs
AROUND = {"given", "console", "device", "files", "folders", "data", "checkpoints"}  # for machines, files and mistakes


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
    """Models, bounds, estimators, training, judging; and apart from it what serves machines and files, which few will read."""
    method = sum(lines_of_code(path) for module, path in MODULES.items() if module not in CLASSROOM | AROUND)
    assert method <= 1_900, method
    around = sum(lines_of_code(MODULES[module]) for module in AROUND)
    assert around <= 1_250, around


def test_public_things_are_documented():
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), module
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{module}.{node.name}"


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


def test_everything_imported_is_declared():
    third_party = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml", "rattler": "py-rattler"}
    third_party["IPython"] = "ipywidgets"  # which is nothing without it
    declared = set(bounds_of(PROJECT["dependencies"]))
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in (n.split(".")[0] for n in names):
                if name not in sys.stdlib_module_names and name != "vaelib":
                    assert third_party.get(name, name) in declared, f"{module} imports {name}"


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
            found = importlib.import_module(f"vaelib.{module}")
            for attribute in attributes:
                found = getattr(found, attribute)
            assert attributes[-1] in text, f"{notebook} does not speak of {name}"
