"""The committed notebooks: their form, their stored outputs, their exercises, and planted errors in their checks."""

import base64
import contextlib
import importlib.util
import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
LEDGER = {"01_ae_vs_vae": ["AE-1", "AE-2", "AE-3", "VAE-1", "VAE-2", "VAE-3", "VAE-4", "VAE-5", "VAE-6"]}
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def text(outputs):
    return "".join(o.text for o in outputs if o.output_type == "stream")


@each_notebook
def test_stored_whole_and_clean(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nbformat only warns of duplicate cell ids
        nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
    notebook, cells = read(path), code_cells(path)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert not any("widget" in mime for mime in output.get("data", {}))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    stored = path.read_text(encoding="utf-8")
    assert len(stored) < 700_000
    assert not re.search(r"/(root|home|tmp|Users|work)/", stored)


@each_notebook
def test_no_notebook_reaches_for_the_network_or_the_path(path):
    source = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"sys\.path|^\s*[!%]|pip install|download\(|urllib|requests|http", source, flags=re.M)


@each_notebook
def test_the_template(path):
    notebook, cells = read(path), code_cells(path)
    first = notebook.cells[0].source
    assert re.match(r"# \d\d · ", first)
    assert "After this you can" in first
    assert 3 <= len(re.findall(r"^- \*\*", first, flags=re.M)) <= 5
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert prose.count("**Predict.**") >= 4
    assert "**What you saw.**" in prose
    assert "## Recap" in prose
    assert "★ " in "".join(text(cell.outputs) for cell in cells)
    checked = sum("check(" in cell.source or "check_mean(" in cell.source for cell in cells)
    assert checked >= len(cells) / 4
    explorers = [k for k, cell in enumerate(cells) if "widgets.explorer(" in cell.source]
    assert explorers
    for k in explorers:  # a reopened notebook shows no sliders: the same picture stands above
        assert any("image/png" in o.get("data", {}) for o in cells[k - 1].outputs)
    for cell in cells:
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert text(cell.outputs).count("Figure: ") == len(pictures)


@each_notebook
def test_every_equation_has_its_check(path):
    notebook = read(path)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    checks = "\n".join(cell.source for cell in code_cells(path))
    for name in LEDGER.get(path.stem, []):
        assert f"({name})" in prose
        assert re.search(rf'check\(\s*f?"{name}: ', checks), name


# ---- exercises


def exercises(path):
    """(check's name, answer's name, solution's source), as the notebook itself shows them."""
    found, cells = [], read(path).cells
    for k, cell in enumerate(cells):
        if cell.cell_type == "code" and "NotImplementedError" in cell.source:
            check, answer = re.match(r"(\w+)\((\w+)\)$", cell.source.splitlines()[-1]).groups()
            solution = re.search(r"<details>.*?```python\n(.*?)```", cells[k + 1].source, flags=re.S)[1]
            found.append((check, answer, solution))
    return found


@each_notebook
def test_the_shown_solutions_are_accepted(path, capsys):
    assert exercises(path)
    for check, answer, solution in exercises(path):
        namespace = {}
        exec(
            f"import math, torch\nimport numpy as np\nfrom vaelib.exercises import {check}\n{solution}\n{check}({answer})",
            namespace,
        )
        assert capsys.readouterr().out.startswith("✓ exercise")


def run_nbval(path):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--nbval-lax",
            "--nbval-current-env",
            str(path),
        ],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )


@each_notebook
def test_unattempted_exercises_pass_nbval_and_a_wrong_answer_fails_it(path, tmp_path):
    """The notebook's imports and exercises alone, as files: first untouched, then with one answer that returns its first input."""
    notebook = read(path)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    kept = [cells[0]] + [c for c in cells if "NotImplementedError" in c.source]
    notebook.cells = kept
    nbformat.write(notebook, tmp_path / "unattempted.ipynb")
    done = run_nbval(tmp_path / "unattempted.ipynb")
    assert done.returncode == 0, done.stdout
    kept[-1].source = re.sub(r'raise NotImplementedError\("your turn"\)', "return 0.0", kept[-1].source)
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    done = run_nbval(tmp_path / "wrong.ipynb")
    assert done.returncode == 1
    assert "✗ exercise" in done.stdout


# ---- planted errors: a cell's text is changed, and the cells from there to the check are run again


class Played:
    """A notebook run once in this process, whose cells can be run again with other text."""

    def __init__(self, stem):
        self.cells = {cell.id: cell.source for cell in code_cells(FOLDER / f"{stem}.ipynb")}
        self.namespace = {"__name__": "notebook"}
        with contextlib.redirect_stdout(io.StringIO()):
            for name, source in self.cells.items():
                exec(compile(source, name, "exec"), self.namespace)
        plt.close("all")

    def again(self, old, new, *names):
        assert any(old in self.cells[name] for name in names), f"{old!r} is not in {names}"
        namespace = dict(self.namespace)
        for name in names:
            exec(compile(self.cells[name].replace(old, new), name, "exec"), namespace)
        plt.close("all")


@pytest.fixture(scope="module")
def start_here():
    return Played("00_start_here")


@pytest.fixture(scope="module")
def ae_vs_vae():
    return Played("01_ae_vs_vae")


PLANTED_00 = [
    ("exact = a.cpu().double() @ a.cpu().double()", "exact = a.cpu().double() @ a.cpu().double().T", "device"),
    (
        "normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)",
        "normal = torch.exp(-(z**2)) / math.sqrt(2 * math.pi)",
        "check-normal",
    ),
    (
        "normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)",
        "normal = torch.exp(-((z - 1) ** 2) / 2) / math.sqrt(2 * math.pi)",
        "check-normal",
        "check-blind",
    ),
    (
        "normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)",
        "normal = torch.exp(-(z**2)) / math.sqrt(math.pi)",
        "check-normal",
        "check-blind",
    ),
    ("moved, z)", "normal, z)", "check-blind"),
    ("z**2, exact=1.0", "z.abs(), exact=1.0", "check-mean"),
    ("z**2, exact=1.0", "z, exact=1.0", "check-mean"),
    ("manual_seed(0))", "manual_seed(1))", "check-mean"),
    ("/ S**0.5", "/ S", "standard-error"),
    ("/ S**0.5", "* S**0.5", "standard-error"),
    ("train=False", "train=True", "test-set"),
    ("data.as_float(held_out.x[:300])", "data.as_float(grey.x[:300])", "test-set"),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = 1 - data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "binarize",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = data.binarize(x.expand(1000, -1, -1, -1) ** 2, generator)",
        "binarize",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = data.binarize(x, generator).expand(1000, -1, -1, -1)",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = x.expand(1000, -1, -1, -1)",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = 2 * x * torch.rand(1000, 1, 28, 28, generator=generator)",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = (torch.rand(1000, 1, 1, 1, generator=generator) < x).float()",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = data.binarize(torch.full((1000, 1, 28, 28), 0.4), generator)",
        "binarize",
        "binarize-all",
    ),
    ('"AE.encode"', '"AE.encoding"', "names"),
]

PLANTED_01 = [
    # AE-1
    ("lambda x: g(f(x)))[2]", "lambda x: g(f(x)) + 1e-6 * x)[2]", "rank"),
    ("lambda x: g(f(x)))[1]", "lambda x: g(f(x) * torch.tensor([1.0, 0.0])))[1]", "rank"),
    ("library.encode(x) - f(x)", "library.encode(x) - f(1 - x)", "ae-equal"),
    ("return torch.sigmoid(decoder(z))", "return torch.sigmoid(-decoder(z))", "naive-ae", "ae-equal"),
    # AE-2
    ("Vh[:2].T  # (49, 2)", "Vh[1:3].T  # (49, 2)", "pca", "pca-check"),
    ("small - small.mean(0)", "small", "pca", "pca-check"),
    ("    optimizer.step(closure)", "    pass", "pca", "pca-check"),
    ("linear[1].weight.detach()", "linear[1].weight.detach()[:, :1]", "pca", "pca-check"),
    ("Vh[:2].T  # (49, 2)", "Vh[:3].T  # (49, 2)", "pca", "pca-check"),
    ("torch.linalg.inv(mix).T", "torch.linalg.inv(mix)", "pca-check"),
    ("columns @ mix", "columns", "pca-check"),
    # AE-3
    ('(("AE", aes), ("VAE", vaes))', '(("AE", vaes), ("VAE", aes))', "prior-match"),
    (
        '"VAE + prior": decode(vaes[D], normal)',
        '"VAE + prior": decode(aes[D], normal)',
        "four-ways",
        "table",
        "table-check",
    ),
    (
        '"AE + mixture": decode(aes[D], ae_mixture[shuffled])',
        '"AE + mixture": decode(aes[D], normal)',
        "four-ways",
        "table",
        "table-check",
    ),
    ("evaluate.recognisability(judge, images", "evaluate.recognisability(ten, images", "judge-tried", "judge-check"),
    (
        "evaluate.energy_distance(images, held_out)",
        "evaluate.energy_distance(images, 0.9 * held_out)",
        "judge-tried",
        "judge-check",
    ),
    ("2 * mean_distance(a, b) -", "mean_distance(a, b) -", "energy"),
    ("- mean_distance(b, b)", "+ mean_distance(b, b)", "energy"),
    ("for y in b if x is not y", "for y in b", "energy"),
    ("for y in b) for x in a", "for y in a) for x in b", "energy"),
    ("return (a.value - b.value)", "return (b.value - a.value)", "energy", "prior-match"),
    # VAE-1
    ("to_mean - 1", "to_mean - mean", "gradients"),
    ("to_log_std - torch.exp(values[1]) * eps", "to_log_std - eps", "gradients"),
    ("values[0] + torch.exp(values[1]) * eps", "values[0] + torch.exp(values[1]) + eps", "gradients"),
    ("values[0] + torch.exp(values[1]) * eps", "values[0] + torch.exp(0.5 * values[1]) * eps", "gradients"),
    ("log_std.exp()).sample()", "log_std.exp()).rsample()", "gradients"),
    (
        'μ and variance σ²", moments(mu + sigma * eps)',
        'μ and variance σ²", moments(mu + sigma**2 * eps)',
        "reparameterization",
    ),
    (
        'μ and variance σ²", moments(mu + sigma * eps)',
        'μ and variance σ²", moments(sigma + mu * eps)',
        "reparameterization",
    ),
    (
        "normal = sp.exp(-(eps**2) / 2) / sp.sqrt(2 * sp.pi)",
        "normal = sp.exp(-(eps**2)) / sp.sqrt(sp.pi)",
        "reparameterization",
    ),
    # VAE-2
    ("return -0.5 * (squares", "return -1.0 * (squares", "density"),
    ("+ 2 * log_std + math", "+ log_std + math", "density"),
    ("+ 2 * log_std + math", "- 2 * log_std + math", "density"),
    ("+ math.log(2 * math.pi)).sum(-1)", ").sum(-1)", "density"),
    ("torch.exp(log_std)) ** 2", "torch.exp(0.5 * log_std)) ** 2", "density"),
    ("p.log_prob(images) - oracle", "p.log_prob(1 - images) - oracle", "decoder-density"),
    ("p.log_prob(ink) - oracle", "p.log_prob(1 - ink) - oracle", "decoder-density"),
    ("(ink * p.logits - torch", "((1 - ink) * p.logits - torch", "decoder-density"),
    ("torch.exp(p.logits)))", "torch.exp(-p.logits)))", "decoder-density"),
    ("return log_px - kl", "return log_px + kl", "naive-vae"),
    ("return log_px - kl", "return log_px - 0.5 * kl", "naive-vae"),
    ("mean, log_std = vae.encoder", "log_std, mean = vae.encoder", "naive-vae"),
    ("z = mean + torch.exp(log_std) * eps", "z = mean + torch.exp(log_std) + eps", "naive-vae"),
    (
        "kl_divergence(q, torch.distributions.Normal(0.0, 1.0))",
        "kl_divergence(torch.distributions.Normal(0.0, 1.0), q)",
        "naive-vae",
    ),
    ("(1 - x) * torch.log(1 - ink_probability)", "0 * x", "naive-vae"),
    # VAE-3
    ("normal_pdf(xs, b, math.sqrt(w**2 + s**2))", "normal_pdf(xs, b, w + s)", "marginal"),
    ("normal_pdf(xs, b, math.sqrt(w**2 + s**2))", "normal_pdf(xs, b, math.sqrt(w**2 + s))", "marginal"),
    ("* normal_pdf(grid, 0.0, 1.0)", "", "marginal"),
    ("w * grid + b, s)", "w * grid - b, s)", "marginal"),
    # VAE-4
    ("sp.simplify(-a1 / (2 * a2))", "sp.simplify(a1 / (2 * a2))", "posterior"),
    ("sp.simplify(-1 / (2 * a2))", "sp.simplify(-1 / a2)", "posterior"),
    ("log_gauss(X, B, W**2 + S**2)", "log_gauss(X, B, (W + S) ** 2)", "posterior"),
    ("log_gauss(Z, 0, 1)\n", "log_gauss(Z, B, 1)\n", "posterior"),
    ("- sp.log(2 * sp.pi * variance) / 2", "+ sp.log(2 * sp.pi * variance) / 2", "posterior"),
    ("- sp.log(2 * sp.pi * variance) / 2", "- sp.log(variance) / 2", "posterior"),
    # VAE-5
    ("needed[D] = n**D", "needed[D] = n * D", "intractable"),
    ("needed[D] = n**D", "needed[D] = 8**D; n += 5", "intractable"),
    ("D * math.log(12 / (n - 1))", "math.log(12 / (n - 1))", "intractable"),
    ("weight @ weight.T + noise**2", "weight @ weight.T + noise", "intractable"),
    ("range(n, n + 6)", "range(n - 1, n + 6)", "intractable"),
    # the density of both models at D = 2
    ("- math.log(2 * math.pi)\n", "\n", "two-d", "two-d-check"),
    ("[-5, -5], [5, 5], unseen)", "[-1, -1], [1, 1], unseen)", "two-d", "two-d-check"),
    ("- F.softplus(logits).sum(1)", "- 1.2 * F.softplus(logits).sum(1)", "two-d", "two-d-check"),
    (
        "torch.logsumexp(log_px_z.cpu().double() + weight, 1)",
        "(log_px_z.cpu().double() + weight).amax(1)",
        "two-d",
        "two-d-check",
    ),
    ("- torch.logaddexp(log_q, prior.log_prob(z)) + math.log(2)", "- log_q", "two-d-check"),
    ("log_q = q.log_prob(z)", "log_q = 0.5 * q.log_prob(z)", "two-d-check"),
    ("log_prob(unseen) + prior.log_prob(z)", "log_prob(unseen)", "two-d-check"),
    ("- math.log(2 * draws)", "- math.log(draws)", "two-d-check"),
    ("images.flatten(1) @ logits.T", "1.02 * images.flatten(1) @ logits.T", "two-d", "two-d-check"),
    ("(vae_px - elbo)", "(elbo - vae_px)", "two-d-check"),
    # VAE-6
    ("(log_joint - log_q)", "log_joint", "encoder"),
    ("(log_joint - log_q)", "(log_joint - 2 * log_q)", "encoder"),
    ("- 0.5 * grid**2 - math.log(2 * math.pi)", "- math.log(2 * math.pi)", "encoder"),
    ("0.5 * math.log(variance)", "math.log(variance)", "encoder"),
    ("- math.log(s) - 0.5 * grid**2", "- 0.5 * grid**2", "encoder"),
]


@pytest.mark.parametrize(("old", "new", "names"), [(old, new, names) for old, new, *names in PLANTED_00])
def test_planted_errors_in_00(start_here, caught, old, new, names):
    caught(f"{old} -> {new}", lambda: start_here.again(old, new, *names))


@pytest.mark.parametrize(("old", "new", "names"), [(old, new, names) for old, new, *names in PLANTED_01])
def test_planted_errors_in_01(ae_vs_vae, caught, old, new, names):
    caught(f"{old} -> {new}", lambda: ae_vs_vae.again(old, new, *names))


@pytest.mark.parametrize("stem", ["start_here", "ae_vs_vae"])
def test_every_slider_to_both_ends(stem, request, capsys):
    import inspect
    import time

    played = request.getfixturevalue(stem)
    show, box = played.namespace["show"], played.namespace["box"]
    names = list(inspect.signature(show).parameters)
    sliders = box.children[0].children
    assert len(sliders) == len(names)
    for name, slider in zip(names, sliders, strict=True):
        start = {n: s.value for n, s in zip(names, sliders, strict=True)}
        for value in (slider.min, slider.max, slider.min + 0.37 * (slider.max - slider.min)):
            began = time.perf_counter()
            show(**(start | {name: value}))  # not through the widget, which would swallow an error
            assert time.perf_counter() - began < 5
            assert "Figure: " in capsys.readouterr().out
    plt.close("all")


# ---- the build tool


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_notebook
def test_pages_stand_alone(build, path):
    page = build.page(read(path), path.stem)
    assert not re.search(r"<(script|link|img)\b[^>]*\b(src|href)=[\"']?https?:", page)
    assert not re.search(r"import .*https?:|@import", page)
    assert page.count("<math") > 10
    assert "\\mathcal" not in page  # every formula was converted
    for output in (o for cell in code_cells(path) for o in cell.outputs if "image/png" in o.get("data", {})):
        assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")


def small_course(folder, *sources):
    for k, source in enumerate(sources):
        cells = [nbformat.v4.new_code_cell(s) for s in source]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{k:02d}_small.ipynb")
    return sorted(folder.glob("*.ipynb"))


def test_the_course_is_run_and_told(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    imports = "from vaelib.checks import check, headline"
    good = [imports, "check('a', 0.0, 1.0)\ncheck('b', True)", "headline('all < well')"]
    paths = small_course(tmp_path, good)
    assert build.course(paths) == 0
    out = capsys.readouterr().out
    assert "2 checks passed" in out
    assert "all < well" in out
    assert "make lab" in out
    assert "all &lt; well" in (tmp_path / "build" / "index.html").read_text()
    paths = small_course(tmp_path, [imports, "check('a', 2.0, 1.0)", "check('b', True)"], good)
    assert build.course(paths) == 1
    out = capsys.readouterr().out
    assert "FAILED: AssertionError: ✗ a: 2 is not ≤ 1" in out
    assert "A check failed, or a cell did, in: 00_small." in out
    assert "all < well" in out  # the others are run all the same
    assert (tmp_path / "build" / "00_small.html").exists()


def test_a_failing_notebook_is_not_renewed(build, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("VAELIB_DEVICE", raising=False)
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path / "data"))
    for source in ("1 / 0", "import sys; print('noise', file=sys.stderr)"):
        (path,) = small_course(tmp_path, [source])
        before = path.read_bytes()
        assert build.renew([path]) == 1
        assert path.read_bytes() == before
        assert "is left as it was" in capsys.readouterr().out
    (path,) = small_course(tmp_path, ["print(1)"])
    assert build.renew([path]) == 0
    assert read(path).cells[0].outputs[0].text == "1\n"
