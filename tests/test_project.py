"""The house: who may import whom, what is installed, and that the documents say the same."""

import ast
import importlib
import json
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
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
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


# ---- the front door, and the pages that it leads to

PAGES = sorted(
    path for pattern in ("*.md", "docs/*.md", "benchmarks/*.md") for path in ROOT.glob(pattern) if path.is_file()
)


def links(text):
    """Where its links and pictures lead: those that stand in the project."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"https?://", link)]


def headings(text):
    """As the web view names them in addresses."""
    found = re.findall(r"^#+ (.*)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in links(page.read_text(encoding="utf-8")):
        place, _, heading = link.partition("#")
        target = page.parent / place if place else page
        assert target.exists(), link
        assert not heading or heading in headings(target.read_text(encoding="utf-8")), link


def test_readme_is_short_and_in_order():
    lines = README.splitlines()
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 160
    assert sum(line.startswith("|") for line in lines) <= 25
    order = ["```python", "](notebooks/samples.png)", "make course", "## Ways in", "## The course", "<!-- course -->"]
    order += ["<!-- /course -->", "## What was measured", "## Data", "## Teaching", "## Contributing", "MIT licence"]
    assert [README.index(part) for part in order] == sorted(README.index(part) for part in order)


def test_readme_leads_to_each_page_once():
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ("CONTRIBUTING.md", "CITATION.cff"))]:
        assert links(README).count(page.relative_to(ROOT).as_posix()) == 1, page.name


def test_readme_names_every_notebook_and_no_other():
    linked = re.findall(r"\(notebooks/(\w+)\.ipynb\)", README)
    assert linked == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_what_readme_s_first_cell_prints_stands_below_it(capsys, caught):
    code, said = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", README, flags=re.S).groups()
    exec(code, {})
    assert capsys.readouterr().out == said
    for right, wrong in (("2 * log_std", "log_std"), ("0.5 *", ""), ("- 1)", ")"), ("q.log_prob(z) - prior", "prior")):
        assert right in code
        slip = code.replace(right, wrong, 1)
        caught(f"README: {right} -> {wrong}", lambda slip=slip: exec(slip, {}))


@pytest.mark.parametrize(
    ("row", "file", "arm"),
    [
        ("VAE 784-200-200-50, ELBO", "mnist", "small-elbo"),
        ("VAE, residual 512, ELBO, then IWAE", "mnist", "large"),
        ("Gated PixelCNN, 190,722 parameters", "pixels", "binary-gated"),
    ],
)
def test_readme_says_what_was_measured(row, file, arm):
    (path,) = (ROOT / "benchmarks").rglob(f"{file}.json")
    found = max(json.loads(path.read_text(encoding="utf-8"))[arm], key=lambda moment: moment["minutes"])
    assert found["images"] == 10_000
    (line,) = (line for line in README.splitlines() if line.startswith(f"| {row} |"))
    _, _, here, published, differs, _ = (cell.strip() for cell in line.split("|"))
    threads = int(re.search(r"(\d+) threads?", found["machine"])[1])
    cores = "1 core" if threads == 1 else f"{threads} cores"
    assert here == f"{found['nll'][0]:.2f}, {found['minutes']:.0f} minutes, {cores}"
    for number, what in re.findall(r"([\d,]+) (epochs|parameters)\b", row + differs):
        assert number == f"{found[what]:,.0f}"
    scripts = [script.read_text(encoding="utf-8") for script in (ROOT / "benchmarks").glob("*.py")]
    assert any(published.split()[0] in text for text in scripts)  # where it is quoted with its source


GLOSSARY, _, TURNS = (ROOT / "docs" / "symbols.md").read_text(encoding="utf-8").partition("\n## Letters that turn\n")


def prose_of(notebook):
    """The words of a notebook, but for its first cell, which looks ahead, and for the table of symbols in 00."""
    (path,) = (ROOT / "notebooks").glob(f"{notebook}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    kept = [c for c in cells if c["cell_type"] == "markdown" and c["id"] not in ("title", "names-idea")]
    return "\n\n".join("".join(cell["source"]) for cell in kept)


def code_of(notebook):
    (path,) = (ROOT / "notebooks").glob(f"{notebook}_*.ipynb")
    return "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])


# how each row of the glossary begins -> what the notebook says that explains it, and none before
BORN = {
    "$x$": r"An image is a tensor",
    "$b$": r"\$\$b = 1 ",
    "$z$": r"\*latent\* or \*code\* \$z\$",
    "$f$, $g$": r"encoder \$f\$, the baker the decoder \$g\$",
    r"$\mu$": r"\\log ?\\sigma\b",
    r"$\varepsilon$": r"\\varepsilon",
    r"$q_\phi": r"q_\\phi\(z \\mid x\)",
    r"$p_\theta": r"p(_\\theta)?\(x \\mid z\)",
    r"$\text{KL}": r"Kullback",
    "ELBO": r"\*evidence lower bound\*",
    "$L_K$": r"L_K",
    r"$\nabla_\phi \log q": r"\*score-function estimator\*",
    r"$\nabla_\phi f": r"\(g\(\\varepsilon, \\phi\)\)",
    r"$\tau$": r"\*temperature\* \$\\tau\$",
    "rate": r"\\text\{rate\}",
    r"$\beta$ of a VAE": r"\\beta\\, \\text\{KL\}",
    "NLL": r"\bNLL\b",
    "bits/dim": r"bits/dim|bits per dimension",
    "$C$, $e_k$": r"\*\*codebook\*\*",
    "$z_e$": r"\bz_e\b",
    r"$\beta$ of a VQ": r"\\text\{commitment\}",
    "perplexity": r"[Pp]erplexity",
    "masks": r"\*\*mask A\*\*",
    r"$\tanh": r"\\tanh\(?.*\\odot",
    "$p(x_i": r"chain rule of probability",
    r"$\pi, ": r"[Ll]ogistic mixture|mixture of (discretized )?logistics|discretized logistic",
    "$k(x)$": r"\bk\(x\)",
    r"$k \sim": r"k \\sim p\(k\)",
}


def test_the_glossary_holds():
    """Each name is there, and the notebook that is said to bring it up does so: it explains the symbol, and none before it does."""
    rows = re.findall(r"^\| (.*?) \| [^\n]* \| ([^|]*) \| (\d\d) \|$", GLOSSARY, flags=re.M)
    assert len(rows) == GLOSSARY.count("\n| ") - 1  # all but the heading
    words = {notebook: prose_of(notebook) for notebook in NUMBERS}
    for symbol, names, notebook in rows:
        text = code_of(notebook)
        for name in re.findall(r"`([\w.]+)`", names):
            module, *attributes = name.split(".")
            found = importlib.import_module(".".join(MODULES[module].relative_to(ROOT).with_suffix("").parts))
            for attribute in attributes:
                found = getattr(found, attribute)
            assert attributes[-1] in text, f"{notebook} does not speak of {name}"
        (pattern,) = (pattern for start, pattern in BORN.items() if symbol.startswith(start))
        assert next((n for n in NUMBERS if re.search(pattern, words[n])), None) == notebook, symbol
    assert len(rows) == len(BORN)


NUMBERS = sorted(path.name[:2] for path in (ROOT / "notebooks").glob("*.ipynb"))


def letters_of(notebook):
    """The letters that stand alone in a notebook's formulas: no words, no functions, no part of a longer name."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", " ", prose_of(notebook), flags=re.S)
    formulas = " ; ".join(a or b for a, b in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", prose, flags=re.S))
    formulas = re.sub(r"\\(?:text|mathcal|mathbb|mathbf|operatorname|mathrm)\s*(?:\{[^}]*\}|\w)", " ", formulas)
    return {*re.findall(r"\\beta(?![a-z])", formulas)} | {
        *re.findall(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", re.sub(r"\\[a-zA-Z]+", " ", formulas))
    }


def test_the_letters_that_turn_are_listed():
    """For each letter every notebook whose formulas use it, and no other; and it has two meanings at least."""
    listed, letter = {}, ""
    for named, where in re.findall(r"^\| *(?:\$(\S+)\$ )?\| [^\n]* \| ([(\d][^|]*) \|$", TURNS, flags=re.M):
        letter = named or letter
        listed.setdefault(letter, []).append(re.findall(r"\d\d", where))
    assert sum(map(len, listed.values())) == TURNS.count("\n| ") - 1
    used = {notebook: letters_of(notebook) for notebook in NUMBERS}
    for letter, rows in listed.items():
        assert len(rows) >= 2, letter
        assert {n for row in rows for n in row} == {n for n in NUMBERS if letter in used[n]}, letter


def test_each_real_set_is_named_wherever_they_are_listed(caught):
    from vaelib import data

    notebook = json.loads((ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8"))
    places = {
        "README, Data": README.partition("\n## Data\n")[2].partition("\n## ")[0],
        "docs/data.md": (ROOT / "docs" / "data.md").read_text(encoding="utf-8"),
        "make data": re.search(r"^data:.*\n\t.*$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)[0],
        "vaelib.data": data.__doc__,
        "data.load": data.load.__doc__,
        "notebook 00, images": "".join(next(c["source"] for c in notebook["cells"] if c["id"] == "images")),
    }

    def named(name, place):
        words = re.findall(r"\w+", places[place].lower().replace("-", ""))  # CIFAR-10 for cifar10
        assert name.replace("-", "") in words, f"{place} does not name {name}"

    for place in places:
        for name in data.REAL:
            named(name, place)
        caught(f"a set that {place} has not heard of", lambda place=place: named("emnist", place))


def test_the_recipes_name_what_is_there():
    """Files, commands, and names of the code."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("vaelib", "tests", "notebooks", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z0-9-]+)[`, ]|`(bench-\w+)`", CONTRIBUTING):
        assert re.search(rf"^{''.join(target)}:", makefile, flags=re.M), target
    words = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", CONTRIBUTING, flags=re.S))
    for place in re.findall(r"\b(?:vaelib|tests|notebooks|benchmarks|docs)/[\w/]+\.\w+", " ".join(words)):
        place = place.replace("NN_topic", "00_start_here")
        assert (ROOT / place).exists(), place
    names = [word for word in words if re.fullmatch(r"[A-Za-z_][\w.]+", word) and not word.endswith((".py", ".toml"))]
    assert len(names) > 40
    for name in names:
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", code + makefile), name


def test_the_citation_says_what_pyproject_says():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # which the format asks for
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["authors"]
    assert all(set(author) == {"name"} for author in citation["authors"])
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Homepage"]
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_failed_comparison_of_long_sides_is_told_in_short():
    """On CI pytest would write their whole diff, line by line, which can take longer than all tests."""
    left, right = [list(range(900))], [list(range(900, 0, -1))]
    with pytest.raises(AssertionError) as long:
        assert left == right
    assert len(str(long.value)) < 1_000
