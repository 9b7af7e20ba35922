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
LEDGER = {
    "01_ae_vs_vae": ["AE-1", "AE-2", "AE-3", "VAE-1", "VAE-2", "VAE-3", "VAE-4", "VAE-5", "VAE-6"],
    "02_elbo": [f"ELBO-{k}" for k in range(1, 18)],
    "03_gradient_estimators": [f"G-{k}" for k in range(1, 12)],
    "04_training_a_vae": ["ELBO-16"],
    "05_vq_vae": [f"VQ-{k}" for k in range(1, 11)],
    "06_pixelcnn": [f"AR-{k}" for k in range(1, 7)],
}
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
        assert re.search(rf'check(_mean)?\(\s*f?"{name}: ', checks), name


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
        try:
            for name in names:
                exec(compile(self.cells[name].replace(old, new), name, "exec"), namespace)
        finally:
            plt.close("all")


@pytest.fixture(scope="module")
def start_here():
    return Played("00_start_here")


@pytest.fixture(scope="module")
def ae_vs_vae():
    return Played("01_ae_vs_vae")


@pytest.fixture(scope="module")
def elbo():
    return Played("02_elbo")


@pytest.fixture(scope="module")
def gradient_estimators():
    return Played("03_gradient_estimators")


@pytest.fixture(scope="module")
def training_a_vae():
    return Played("04_training_a_vae")


@pytest.fixture(scope="module")
def vq_vae():
    return Played("05_vq_vae")


@pytest.fixture(scope="module")
def pixelcnn():
    return Played("06_pixelcnn")


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


# claim (its beginning) -> planted errors (old, new, cells to run again): the first check to fail is that claim's
GAUSSIAN, DISCRETE = ("nine-lines", "gaussian-lines"), ("nine-lines", "discrete-lines")
PLANTED_02 = {
    "E_q[z^": [
        ("z**n * q.prob(z)", "z**n * prior.prob(z)", "referee-moments"),
        ("z**n * q.prob(z)", "(z - mu) ** n * q.prob(z)", "referee-moments"),
        ("q.expect(lambda z, n=n: z**n)", "q.expect(lambda z, n=n: (-z) ** n)", "referee-moments"),
    ],
    "E_q[log p(x, z)]": [
        ("0.7 + 1.3 * nodes", "0.7 + 1.3**2 * nodes", "referee-quadrature"),
        ("math.sqrt(2 * math.pi)", "math.sqrt(math.pi)", "referee-quadrature"),
        ("hermite_e.hermegauss(20)", "hermite.hermgauss(20)", "referee-quadrature"),
    ],
    "normalize finds": [
        ("equal(log_integral, sp.log(integral))", "equal(log_integral, integral)", "referee-normalize"),
        ("-a * z**2 + h * z + c), (z", "-a * z**2 / 2 + h * z + c), (z", "referee-normalize"),
        ("-a * z**2 + h * z + c), (z", "-a * z**2 + h * z), (z", "referee-normalize"),
    ],
    "ELBO-1": [
        ("w**2 + sigma**2)).log_prob", "w**2 + sigma)).log_prob", "evidence"),
        ("w**2 + sigma**2)).log_prob", "2 * w**2 + sigma**2)).log_prob", "evidence"),
        ("Normal(b, sp.sqrt(w**2 + s", "Normal(-b, sp.sqrt(w**2 + s", "evidence"),
        ("Normal(b, sp.sqrt(w**2 + s", "Normal(w * b, sp.sqrt(w**2 + s", "evidence"),
    ],
    "ELBO-2": [
        ("log_px * integrate(", "log_px + integrate(", *GAUSSIAN),
        ("log_px * integrate(lambda z: q.prob(z))", "log_px * integrate(lambda z: q.prob(z) ** 2)", *GAUSSIAN),
        ("log_px * integrate(lambda z: q.prob(z))", "log_px * integrate(lambda z: q.prob(z) ** 2)", *DISCRETE),
        ("log_px * integrate(", "-log_px * integrate(", *DISCRETE),
    ],
    "ELBO-3": [
        ("q.prob(z) * log_px),", "q.prob(z) * log_px**2),", *GAUSSIAN),
        ("q.prob(z) * log_px),", "posterior.prob(z) * log_joint(z)),", *DISCRETE),
        ("q.prob(z) * log_px),", "q.prob(z) * log_joint(z)),", *DISCRETE),
    ],
    "ELBO-4": [
        ("q.expect(lambda z: log_px)", "q.expect(lambda z: log_joint(z))", *GAUSSIAN),
        ("q.expect(lambda z: log_px)", "q.expect(lambda z: log_px + q.log_prob(z))", *GAUSSIAN),
        ("q.expect(lambda z: log_px)", "q.expect(lambda z: q.prob(z) * log_px)", *DISCRETE),
    ],
    "ELBO-5": [
        ("log_joint(z) - posterior", "log_joint(z) + posterior", *GAUSSIAN),
        ("log_joint(z) - posterior", "log_px_z(z) - posterior", *GAUSSIAN),
        ("log_joint(z) - posterior.log_prob(z)),", "log_joint(z)),", *DISCRETE),
        ("log_joint(z) - posterior.log_prob(z)),", "log_joint(z) - q.log_prob(z)),", *DISCRETE),
    ],
    "ELBO-6": [
        ("(posterior.log_prob(z) + q.log_prob(z))", "(posterior.log_prob(z) - q.log_prob(z))", *GAUSSIAN),
        ("(log_joint(z) + q.log_prob(z))", "log_joint(z)", *GAUSSIAN),
        ("(log_joint(z) + q.log_prob(z))", "(log_joint(z) - q.log_prob(z))", *DISCRETE),
    ],
    "ELBO-7": [
        ("equal(line[5], sum(line[6]))", "equal(line[5], line[6][0] - line[6][1])", *GAUSSIAN),
        ("q.log_prob(z) - posterior.log_prob(z))),", "posterior.log_prob(z) - q.log_prob(z))),", *GAUSSIAN),
        ("log_joint(z) - q.log_prob(z)),", "log_joint(z)),", *DISCRETE),
        ("log_joint(z) - q.log_prob(z)),", "log_joint(z) + q.log_prob(z)),", *DISCRETE),
    ],
    "ELBO-8": [
        ("(elbo, kl),", "(kl, elbo),", *GAUSSIAN),
        ("(elbo, kl),", "(elbo, -kl),", *DISCRETE),
        ("sp.log(t / s)", "sp.log(s / t)", *GAUSSIAN),
        ("/ (2 * t**2)", "/ t**2", *GAUSSIAN),
        ("/ (2 * t**2)", "/ (2 * s**2)", *GAUSSIAN),
        ("sp.E * s**2) / 2", "sp.E * s**2)", *GAUSSIAN),
        ("sp.E * s**2) / 2", "sp.E * s) / 2", *GAUSSIAN),
        ("+ w**2 * s**2", "", *GAUSSIAN),
        ("u * sp.log(u / r)", "r * sp.log(r / u)", *DISCRETE),
        ("sp.log(p * given / u)", "sp.log(p * given)", *DISCRETE),
    ],
    "ELBO-9": [
        ("above.subs(r, ratio[k])", "above.subs(r, 1 / ratio[k])", "nonneg"),
        ("above.subs(r, ratio[k])", "ratio[k] * above.subs(r, ratio[k])", "nonneg"),
        ("[p / u for u, p", "[u / p for u, p", "nonneg"),
        ("log_r = log_post_at - log_q_at", "log_r = log_q_at - log_post_at", "nonneg"),
        ("np.exp(log_r) - 1 - log_r", "-log_r", "nonneg"),
        ("np.exp(log_r) - 1 - log_r", "1 - np.exp(log_r) - log_r", "nonneg"),
        ("np.exp(log_r) - 1 - log_r", "2 * (np.exp(log_r) - 1 - log_r)", "nonneg"),
    ],
    "ELBO-10": [
        ("log_px_z) - q.kl(prior)))\ncheck(", "log_px_z) + q.kl(prior)))\ncheck(", "two-forms"),
        ("log_px_z) - q.kl(prior)))\ncheck(", "log_px_z) - prior.kl(q)))\ncheck(", "two-forms"),
        ("log_px_z) - q.kl(prior)))\ncheck(", "log_joint) - q.kl(prior)))\ncheck(", "two-forms"),
        ("- q_d.kl(prior_d)", "- prior_d.kl(q_d)", "two-forms"),
        ("- q_d.kl(prior_d)", "- q_d.kl(prior_d) / 2", "two-forms"),
    ],
    "ELBO-11": [
        ("sp.diff(elbo, mu), sp.diff(elbo, s)", "sp.diff(elbo, mu), sp.diff(elbo + q.kl(prior), s)", "gap"),
        ("posterior.mean) and", "w * (x - b)) and", "gap"),
        ("gap.subs(best[0]), 0", "elbo.subs(best[0]), 0", "gap"),
        ("equal(gap, q.kl(posterior))", "equal(2 * gap, q.kl(posterior))", "gap"),
        ("equal(gap, q.kl(posterior))", "equal(gap, posterior.kl(q))", "gap"),
        ("equal(gap, q.kl(posterior))", "equal(gap, q.kl(prior))", "gap"),
        ("+ 0.5 * math.log(2 * math.pi * math.e)", "", "gap-numeric"),
        ("hessian = sp.hessian(elbo", "hessian = sp.hessian(-elbo", "gap"),
        ("+ log_std + 0.5", "- log_std + 0.5", "gap-numeric"),
        ("0.4 - 1.9 * at + 0.5", "0.4 - 1.9 * at - 0.5", "gap-numeric"),
        ("+ at**2\n", "\n", "gap-numeric"),
    ],
    "bend 0: ": [
        ("(log_q - log_posterior))", "(log_posterior - log_q))", "explorer-figure", "bent"),
        ("bend * z_grid**2, 0.7)", "bend * z_grid**2, 0.5)", "explorer-figure", "bent"),
        ("log_normal(1.5, z_grid", "log_normal(2.5, z_grid", "explorer-figure", "bent"),
        ("area(log_q.exp() * log_likelihood),", "-area(log_q.exp() * log_likelihood),", "explorer-figure", "bent"),
    ],
    "the bars end where": [
        ('"gap": (recon - kl, recon - kl + gap)', '"gap": (recon - kl, recon - kl - gap)', "explorer-figure", "bent"),
        ('"gap": (recon - kl, recon - kl + gap)', '"gap": (recon + kl, recon + kl + gap)', "explorer-figure", "bent"),
        ('"− KL to prior": (recon, recon - kl)', '"− KL to prior": (recon, recon + kl)', "explorer-figure", "bent"),
    ],
    "ELBO-12": [
        ("p * given / u for", "p * given * u for", "jensen"),
        ("sp.log(a) + (r - a) / a", "sp.log(a) + (r - a) ** 2 / a", "jensen"),
        ("np.exp(log_q_at) * np.exp(log_weight_at)", "np.exp(log_weight_at)", "jensen"),
        ("np.trapezoid(np.exp(log_q_at) * log_weight_at", "np.trapezoid(np.exp(log_post_at) * log_weight_at", "jensen"),
        ("log_joint(z) - q.log_prob(z)).subs", "log_joint(z)).subs", "jensen"),
    ],
    "ELBO-13": [
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "mu**2 + sp.exp(v) - v - 1", "kl"),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(v) + v - 1) / 2", "kl"),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(2 * v) - v - 1) / 2", "kl"),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(v) - v) / 2", "kl"),
        ("sp.exp(v / 2))\nkl", "sp.exp(v))\nkl", "kl"),
        ("encoder.kl(prior)", "prior.kl(encoder)", "kl"),
        ("(sp.exp(v) - 1) / 2))", "(sp.exp(v) - 1)))", "kl"),
        ("sp.log(other_std / s)", "sp.log(s / other_std)", "kl"),
        ("/ (2 * other_std**2)", "/ (2 * s**2)", "kl"),
        ("kl_formula.subs(v, 2 * sp.log(s)) +", "kl_formula.subs(v, 2 * sp.log(s)) -", "kl"),
        ("+ second.log_prob(z2)", "- second.log_prob(z2)", "kl"),
        ("return 0.5 * (mean**2", "return (mean**2", "kl-code"),
        ("torch.exp(2 * log_std) - 2 * log_std - 1)", "torch.exp(log_std) - log_std - 1)", "kl-code"),
        ("torch.exp(2 * log_std) - 2 * log_std - 1)", "torch.exp(2 * log_std) + 2 * log_std - 1)", "kl-code"),
        (
            "torch.exp(2 * log_std) - 2 * log_std - 1).sum(-1)",
            "torch.exp(2 * log_std) - 2 * log_std).sum(-1)",
            "kl-code",
        ),
        ("- 2 * log_std - 1).sum(-1)", "- 2 * log_std - 1).mean(-1)", "kl-code"),
        (
            "kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))",
            "kl_divergence(torch.distributions.Normal(0.0, 1.0), normal)",
            "kl-code",
        ),
        ("(torch.exp(2 * log_std) - 1) / 2], 1)", "torch.exp(2 * log_std) - 1], 1)", "kl-code"),
    ],
    "ELBO-14": [
        ("bce = -(ink", "bce = (ink", "likelihoods"),
        ("(1 - ink) * sp.log(1 - theta))", "ink * sp.log(1 - theta))", "likelihoods"),
        ("(1 - theta) ** (1 - ink)", "(1 - theta) ** ink", "likelihoods"),
        ('reduction="none").sum((1, 2, 3))', 'reduction="none").mean((1, 2, 3))', "likelihoods"),
        (
            "F.binary_cross_entropy(torch.sigmoid(logits), pixels",
            "F.binary_cross_entropy(torch.sigmoid(logits), 1 - pixels",
            "likelihoods",
        ),
        ("-squares / (2 * std**2)", "-squares / std**2", "likelihoods"),
        ("-squares / (2 * std**2)", "-squares / (2 * std)", "likelihoods"),
        ("- 8 * math.log(2 * math.pi * std**2)", "- 16 * math.log(2 * math.pi * std**2)", "likelihoods"),
        ("- 8 * math.log(2 * math.pi * std**2)", "", "likelihoods"),
        ("total_error / (2 * sigma**2)", "total_error / sigma**2", "hidden-numbers"),
        ('"mean over pixels", total_error / n)', '"mean over pixels", total_error / n**2)', "hidden-numbers"),
        ("+ q.kl().mean()", "+ q.kl().sum()", "reduction-gradient"),
        ("+ q.kl().mean()", "+ q.kl().mean() / 784", "reduction-gradient"),
        ("(beta * terms.kl - terms.log_px).mean()", "(beta * terms.kl + terms.log_px).mean()", "reduction-gradient"),
    ],
    "ELBO-15": [
        ("near_one = torch.tensor(1 - 1e-8)", "near_one = torch.tensor(1 - 1e-7)", "clamp"),
        ("torch.tensor(1.0), torch.tensor(0.0)", "torch.tensor(1.0), torch.tensor(2.0)", "clamp"),
        ("near_one = torch.tensor(1 - 1e-8)", "near_one = torch.tensor(1 - 1e-8, dtype=torch.float64)", "clamp"),
        ("clamp(1e-8, 1 - 1e-8)", "clamp(1e-8, 1 - 1e-6)", "clamp"),
        ("F.softplus(sure)", "F.softplus(-sure)", "clamp"),
        ("F.softplus(sure)", "torch.log(1 + torch.exp(3 * sure))", "clamp"),
        ("sp.log(1 + sp.exp(30))", "sp.log(1 + sp.exp(-30))", "clamp"),
    ],
    "ELBO-16": [
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws].sum(1))", "iw-exact"),
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws]).mean(1)", "iw-exact"),
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws].max(1))", "iw-exact"),
        ("np.log(weight[draws].mean(1))", "np.log(np.sqrt(weight[draws]).mean(1)) * 2", "iw-exact"),
        ("q_z[draws].prod(1)", "p_z[draws].prod(1)", "iw-exact"),
        ("p_z * p_x_given_z / q_z", "p_x_given_z / q_z", "iw-exact"),
        ("- q_z @ np.log(q_z / p_z)", "+ q_z @ np.log(q_z / p_z)", "iw-exact"),
        ("torch.logsumexp(log_w, -1) - math.log(2)", "torch.logsumexp(log_w, -1)", "iw-closed"),
        ("torch.logsumexp(log_w, -1) - math.log(2)", "log_w.mean(-1)", "iw-closed"),
        ("- q1.log_prob(pairs)", "", "iw-closed"),
        ("mu: 0.5 * v - 0.2", "mu: 0.5 * v + 0.2", "iw-closed"),
    ],
    "ELBO-17": [
        ("+ entropy_of(joint.sum(0)) - entropy_of(joint)", "- entropy_of(joint)", "mi"),
        ("+ entropy_of(joint.sum(0)) - entropy_of(joint)", "+ entropy_of(joint)", "mi"),
        ("aggregate * np.log(aggregate / p_z4)", "p_z4 * np.log(p_z4 / aggregate)", "mi"),
        ("aggregate = q_z_x.mean(0)", "aggregate = q_z_x.sum(0)", "mi"),
        ("math.log(q_z_x[i, k] / p_z4[k])", "math.log(p_z4[k] / q_z_x[i, k])", "mi"),
    ],
}

TABLE, WORDS = ("exact", "table", "table-check"), ("discrete", "discrete-table")
PLANTED_03 = {
    "G-1": [
        ("sp.diff(log_joint(z), w))\ncheck", "sp.diff(log_joint(z), b))\ncheck", "model"),
        ("sp.diff(log_joint(z), w))\ncheck", "log_joint(z))\ncheck", "model"),
        ("sp.diff(q.log_prob(z), w) == 0", "sp.diff(q.log_prob(z), mu) == 0", "model"),
        ("per_draw = draws * (2.2", "per_draw = (2.2", "theta"),
        ("/ 0.7**2  #", "/ 0.7  #", "theta"),
        ("per_draw = draws", "per_draw = -draws", "theta"),
    ],
    "G-2": [
        ("per_draw[:, :S].mean(1)", "per_draw[:, :S].sum(1)", "theta"),
        ("per_draw[:, :S].mean(1)", "per_draw[:, :S].median(1).values", "theta"),
        ("float(inside.subs(numbers))", "-float(inside.subs(numbers))", "theta"),
        ("float(estimates.var())", "float(estimates.std())", "theta"),
        ("spreads.append(float(estimates.var()))", "spreads.append(float(per_draw.var()))", "theta"),
        ("per_draw[:, :S].mean(1)", "per_draw[:, :1].mean(1)", "theta"),
    ],
    "G-2: and starts": [
        ("sp.diff(log_joint(z), w) ** 2", "sp.diff(log_joint(z), w)", "theta"),
        (".subs(numbers)) - exact_w**2", ".subs(numbers))", "theta"),
        ("first_columns, exact_v1", "first_columns, exact_v1 / 3", "theta"),
    ],
    "G-3": [
        ("outer - inner, missing", "outer + inner, missing", "hard"),
        ("outer - inner, missing", "outer - inner, -missing", "hard"),
        ("(f(z) * sp.diff(q.log_prob(z), phi))", "(sp.diff(q.log_prob(z), phi))", "hard"),
        ("(f(z) * sp.diff(q.log_prob(z), phi))", "(f(z) * q.log_prob(z))", "hard"),
    ],
    "G-4": [
        ("/ density, score))", ", score))", "score"),
        ("/ density, score))", "/ density, -score))", "score"),
        ("density = q.prob(z)", "density = q.log_prob(z)", "score"),
    ],
    "G-5": [
        ("score.subs(z, v)), 0", "(z * score).subs(z, v)), 0", "score"),
        ("score.subs(z, v)), 0", "(score + 1).subs(z, v)), 0", "score"),
        ("score.subs(z, v)), 0", "(score**2).subs(z, v)), 0", "score"),
        ("score * density, (z", "z * score * density, (z", "score"),
    ],
    "G-6": [
        ("(ratio_at + constant) * (at", "(ratio_at - constant) * (at", "one"),
        ("(best_c,) =", "best_c = sp.Rational(1, 2)  # (best_c,) =", "one"),
        ("dq * log_ratio + q1_density * score", "dq * log_ratio - q1_density * score", "kl"),
        ("dq * log_ratio + q1_density * score", "dq * log_ratio", "kl"),
        ("(dq * log_ratio + dq)", "(dq * log_ratio + q1_density)", "kl"),
        ("(log_ratio + 1) * dq", "(log_ratio - 1) * dq", "kl"),
        ("(log_ratio + 1) * score,", "(log_ratio + 2) * score,", "kl"),
        ("(log_ratio + 1) * score,", "(log_ratio + 1),", "kl"),
        ("/ (2 * s2**2)", "/ s2**2", "kl"),
        ("sp.log(s2 / s1)", "sp.log(s1 / s2)", "kl"),
        ("= q1.log_prob(z) - p.log_prob(z)", "= p.log_prob(z) - q1.log_prob(z)", "kl"),
        ("(ratio_at + constant) * (at", "(-ratio_at + constant) * (at", "one"),
        ("(at - 0.9) / 0.6**2", "(at - 0.9) / 0.6", "one"),
        ("(at - 0.9) / 0.6**2", "at / 0.6**2", "one"),
        ("(((log_ratio + c) * score) ** 2)", "((log_ratio * score + c) ** 2)", "one"),
    ],
    "G-7": [
        ("sp.diff(f(mu + s * eps), phi)\n", "sp.diff(f(mu + s + eps), phi)\n", "path"),
        ("sp.diff(f(mu + s * eps), phi)\n", "sp.diff(f(mu + s**2 * eps), phi)\n", "path"),
        ("sp.diff(f(mu + s * eps), phi)\n", "f(mu + s * eps)\n", "path"),
        ("sp.diff(f(mu + s * eps), phi)\n", "sp.diff(f(z), phi)\n", "path"),
    ],
    "G-8": [
        ('"G-8: with ∇", table["ELBO", "pathwise"][:, 0]', '"G-8: with ∇", no_gradient', "table-check"),
        (
            '"G-8: with ∇", table["ELBO", "pathwise"][:, 0]',
            '"G-8: with ∇", -table["ELBO", "pathwise"][:, 0]',
            "table-check",
        ),
        (
            '"G-8: with ∇", table["ELBO", "pathwise"][:, 0]',
            '"G-8: with ∇", table["ELBO", "pathwise"][:, 1]',
            "table-check",
        ),
    ],
    "G-9": [
        ('score_function, "pathwise": gradients.pathwise', 'pathwise, "pathwise": gradients.score_function', *TABLE),
        ("(f(z) * sp.diff(q.log_prob(z), phi) + sp.diff(f(z), phi))", "(f(z) * sp.diff(q.log_prob(z), phi))", *TABLE),
        ("per_draw = sp.diff(f(z).subs(z, moved), phi)", "per_draw = sp.diff(f(z), z).subs(z, moved)", *TABLE),
        ("(per_draw**k).subs(eps, v)", "per_draw.subs(eps, v) ** 2", *TABLE),
        ("sp.diff(q.expect(f), phi).subs", "-sp.diff(q.expect(f), phi).subs", *TABLE),
        ("    + 2 * rest_mean *", "    + rest_mean *", "dimension-exact", "dimension-check"),
        ("+ ((D - 1) * f_mean) ** 2", "+ (D - 1) * f_mean**2", "dimension-exact", "dimension-check"),
        ("- cross**2 - true_slope**2", "- true_slope**2", "dimension-exact", "dimension-check"),
        ("4 * (z - 1) ** 2", "2 * (z - 1) ** 2", "dimension-exact", "dimension-check"),
        ("raw_square - true_slope**2", "raw_square", "dimension-exact", "dimension-check"),
        (
            "(gradients.leave_one_out, 4_000, 4)",
            "(lambda *a, chunk: {k: 0.75 * v for k, v in gradients.leave_one_out(*a, chunk=chunk).items()}, 4_000, 4)",
            "vae-measure",
            "vae-check",
        ),
    ],
    "the mean of f is the ELBO": [
        ("at.log_std.exp() * eps", "(0.5 * at.log_std).exp() * eps", "vae-functions", "vae-f"),
        ("+ prior.log_prob(z) - vae_log_q", "- prior.log_prob(z) - vae_log_q", "vae-functions", "vae-f"),
        ("+ prior.log_prob(z) - vae_log_q", "+ prior.log_prob(z) + vae_log_q", "vae-functions", "vae-f"),
        ("- vae_log_q(weights, z)", "", "vae-functions", "vae-f"),
    ],
    "the dashed line is the mean": [
        ("return -2 * (mean - 1)", "return 2 * (mean - 1)", "explorer-figure", "offset"),
        ("return -2 * (mean - 1)", "return -(mean - 1)", "explorer-figure", "offset"),
        ("return offset - ((z - 1)", "return offset + ((z - 1)", "explorer-figure", "offset"),
    ],
    "G-10": [
        (
            "f(params, z) - f(params, z).mean(0)",
            "f(params, z) - f(params, z).sum(0) / 5",
            "variance-table",
            "variance-check",
        ),
        ("moments[1] ** 2 / moments[2]", "moments[1] / moments[2]", "variance-check"),
        (
            "baseline=constants)",
            "baseline={k: 0.7 * v for k, v in constants.items()})",
            "variance-table",
            "variance-check",
        ),
        ("(gradients.leave_one_out, four)", "(gradients.score_function, four)", "variance-table", "variance-check"),
        ("(gradients.path_derivative, many)", "(gradients.pathwise, many)", "variance-table", "variance-check"),
        ("mean_of(parabola(z) * score**2) / mean_of(score**2)", "mean_of(parabola(z) * score**2)", "baseline"),
        (
            "mean_of(parabola(z) * score**2) / mean_of(score**2)",
            "mean_of(parabola(z) * score) / mean_of(score**2)",
            "baseline",
        ),
        (
            "mean_of(parabola(z) * score**2) / mean_of(score**2)",
            "-mean_of(parabola(z) * score**2) / mean_of(score**2)",
            "baseline",
        ),
        (
            "second = mean_of((parabola(z) - constant) ** 2 * score**2)",
            "second = mean_of((parabola(z) - constant) ** 2)",
            "baseline",
        ),
        ("sigma / sp.sqrt(w**2 + sigma**2)", "sigma**2 / sp.sqrt(w**2 + sigma**2)", "landing"),
        ("w * (x - b) / (w**2 + sigma**2)", "w * (x + b) / (w**2 + sigma**2)", "landing"),
        (
            "gradients.path_derivative(log_q, f_elbo, sample, there",
            "gradients.pathwise(log_q, f_elbo, sample, there",
            "landing",
        ),
        ("(gradients.leave_one_out, four)", "(own_mean, four)", "variance-table", "variance-check"),
        (
            "baseline=constants)",
            "baseline={k: 3 * v for k, v in constants.items()})",
            "variance-table",
            "variance-check",
        ),
        (
            "(gradients.path_derivative, many)",
            "(lambda *a: {k: v / 2 for k, v in gradients.path_derivative(*a).items()}, many)",
            "variance-table",
            "variance-check",
        ),
    ],
    "G-11": [
        ("gradients.leave_one_out, draw", "gradients.score_function, draw", "discrete-table"),
        ("sum(sign * (F", "sum((F", "discrete"),
        ("/ 2e-6", "/ 1e-6", "discrete"),
        ("@ curved(None, words))", "@ linear(None, words))", "discrete"),
        ("return gradients.straight_through", "return gradients.categorical", *WORDS),
        (
            "(gradients.score_function, draw, gumbel_noise)",
            "(gradients.score_function, draw, gumbel_noise / 2)",
            "discrete-table",
        ),
        (
            "(gradients.leave_one_out, draw, gumbel_noise)",
            "(gradients.leave_one_out, draw, -gumbel_noise)",
            "discrete-table",
        ),
        (
            "(gradients.leave_one_out, draw, gumbel_noise)",
            "(lambda *a: {k: v / 2 for k, v in gradients.leave_one_out(*a).items()}, draw, gumbel_noise)",
            "discrete-table",
        ),
        ("word_log_q, linear, draw_through", "word_log_q, curved, draw_through", "discrete-table"),
        (
            "gradients.pathwise, draw_through, gumbel_noise",
            "gradients.leave_one_out, draw, gumbel_noise",
            "discrete-table",
        ),
        (
            'gumbel_softmax(params["logits"], eps, tau)',
            'gumbel_softmax(params["logits"], eps, 1 / tau)',
            "temperature",
            "temperature-check",
        ),
        (
            'gumbel_softmax(params["logits"], eps, tau)',
            'gumbel_softmax(params["logits"], eps, 1.0)',
            "temperature",
            "temperature-check",
        ),
        (
            'gumbel_softmax(params["logits"], eps, tau)',
            'gumbel_softmax(-params["logits"], eps, tau)',
            "temperature",
            "temperature-check",
        ),
    ],
}


PLANTED_04 = {
    "over black and white": [("/ (1 + sp.exp(logit))", "/ (2 + sp.exp(logit))", "grey-mass")],
    "the integral over grey": [
        ("(X, 0, 1)", "(X, 0, 2)", "grey-mass"),
        ("levels * v - F.soft", "-levels * v - F.soft", "grey-mass"),
    ],
    "it is tanh": [("torch.tanh(logits / 2) / logits", "torch.tanh(logits) / logits", "grey-mass")],
    "and never more": [("by_quadrature.max() - 0.5", "by_quadrature.max() + 0.5", "grey-mass")],
    "in_errors is": [
        ("lead.std() / len(lead) ** 0.5", "lead.std() / len(lead)", "three-readings"),
        ("lead.std() / len(lead) ** 0.5", "lead.var() / len(lead) ** 0.5", "three-readings"),
    ],
    "grey pixels give": [('"grey": grey_test', '"grey": drawn', "three-readings")],
    "rounded pixels give": [('"rounded": (grey_test > 0.5).float()', '"rounded": drawn', "three-readings")],
    "every pixel is drawn": [("grey_test[:1].expand(", "(grey_test[:1] ** 2).expand(", "linear-in-x")],
    "and those errors have": [
        ("(1 - pixel) / len(many)).sqrt()", "(1 - pixel)).sqrt()", "linear-in-x"),
        ("(pixel * (1 - pixel) / len", "(pixel / len", "linear-in-x"),
    ],
    "for a fixed z": [
        ("one.log_prob(grey_test[:1])[0]", "one.log_prob((grey_test[:1] > 0.5).float())[0]", "linear-in-x"),
        ("log_px, grey_log_px", "-log_px, grey_log_px", "linear-in-x"),
    ],
    "the entropy, by": [
        ("-(torch.xlogy(coins, coins) +", "(torch.xlogy(coins, coins) +", "floor"),
        ("+ torch.xlogy(1 - coins, 1 - coins))", ")", "floor"),
        ("-(torch.xlogy", "-2 * (torch.xlogy", "floor"),
    ],
    "the model is above": [('shown["drawn"] - entropy', 'entropy - shown["drawn"]', "floor")],
    "binarizing black": [("generator) - once", "generator) - held_out[:500]", "fixed")],
    "on test images": [('["drawn once"]["test images"] - ', '["drawn anew"]["test images"] - ', "fixed-check")],
    "on its own pixels": [
        ('["drawn anew"]["training images"] - ', '["drawn once"]["training images"] - ', "fixed-check")
    ],
    "training ends at": [("** 2 * np.eye(16)", "* np.eye(16)", "linear-model", "linear-figure")],
    "ELBO-16": [
        ("torch.exp(found.log_px - truth), 1.0", "torch.exp(found.terms.elbo - truth), 1.0", "linear-check"),
        ("torch.exp(found.log_px - truth), 1.0", "found.log_px - truth, 1.0", "linear-check"),
        ("** 2 * np.eye(16)", "* np.eye(16)", "linear-model", "linear-check"),
        ("W @ W.T +", "W @ W.T / 2 +", "linear-model", "linear-check"),
        ("multivariate_normal(b,", "multivariate_normal(-b,", "linear-model", "linear-check"),
        ("torch.exp(found.log_px - truth), 1.0", "torch.exp(found.log_px - truth + math.log(K)), 1.0", "linear-check"),
    ],
    "every image's": [
        ("(found.log_px - truth) / found.error, 5", "(found.log_px - truth) / found.error**2, 5", "linear-check")
    ],
    "and the standard errors": [("/ found.error).std() - 1", "/ (2 * found.error)).std() - 1", "linear-check")],
    "the two standard errors": [
        ("relative.std(0) / K**0.5", "relative.std(0)", "naive-nll", "linear-check"),
        ("relative.std(0) / K**0.5", "relative.std(0) / K", "naive-nll", "linear-check"),
        ("relative.std(0) / K**0.5", "log_w.std(0) / K", "naive-nll", "linear-check"),
    ],
    "vaelib agrees": [
        ("+ prior.log_prob(z) - q.log_prob(z))", "+ prior.log_prob(z))", "naive-nll", "linear-check"),
        ("+ prior.log_prob(z) - q.log_prob(z))", "- q.log_prob(z))", "naive-nll", "linear-check"),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "torch.logsumexp(log_w, 0)", "naive-nll", "linear-check"),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "log_w.mean(0)", "naive-nll", "linear-check"),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "log_w.amax(0)", "naive-nll", "linear-check"),
    ],
    "the shortcut is too high": [
        ("(s**2 * spoiled", "(s * spoiled", "at-mean"),
        ("/ (2 * sigma**2)", "/ sigma**2", "at-mean"),
        ("/ (2 * sigma**2)", "/ (2 * sigma)", "at-mean"),
        ("weight.square().sum(0)", "weight.sum(0).square()", "at-mean"),
        ("- q.kl()", "+ q.kl()", "at-mean"),
        ("model.decode(q.mean)", "model.decode(q.rsample())", "at-mean"),
    ],
    "on digits, too": [("gap = honest - quick", "gap = quick - honest", "at-mean-digits")],
    "a second run": [("evaluate.nll(vae, unseen, 1000", "evaluate.nll(vae, unseen, 10", "judge-check")],
    "L_10 > L_1": [
        (
            "by_draws[many_draws].log_px - by_draws[few_draws]",
            "by_draws[few_draws].log_px - by_draws[many_draws]",
            "judge-check",
        )
    ],
    "−ELBO = rate": [('sides["test"].rate.value +', 'sides["test"].rate.value -', "judge-more")],
    "bits a pixel": [
        ("bits * 784 * math.log(2)", "bits * 784", "judge-more"),
        ("bits * 784", "bits * 28", "judge-more"),
    ],
    "between β = 0.25": [
        ("(d1 - d0) / (r0 - r1)", "(d1 - d0) / (r1 - r0)", "beta-check"),
        ("(d1 - d0) / (r0 - r1)", "(r0 - r1) / (d1 - d0)", "beta-check"),
        ("(f.rate.value, f.distortion.value)", "(f.rate.value, f.neg_elbo.value)", "beta-points", "beta-check"),
        ("(f.rate.value, f.distortion.value)", "(f.rate.value, f.nll.value)", "beta-points", "beta-check"),
    ],
    "β = 1 has": [("beta: r + d", "beta: r + 2 * d", "beta-check"), ("beta: r + d", "beta: 2 * r + d", "beta-check")],
    "β = 1.0 brings": [
        ("distances[low].value - distances[high].value", "distances[high].value - distances[low].value", "beta-prior")
    ],
    "1 eigenvalues lie": [
        ("/ (2 * sigma**2)", "/ sigma**2", "collapse-linear", "collapse-linear-check"),
        ("(s**2 - 2 * log_s - 1)", "(s**2 - log_s - 1)", "collapse-linear", "collapse-linear-check"),
        ("(A @ covariance * A).sum() +", "", "collapse-linear", "collapse-linear-check"),
        ("(s**2 * W.square().sum(0)).sum()", "0", "collapse-linear", "collapse-linear-check"),
    ],
    "the variance of each": [
        ("1 - sigma**2 / eigenvalues[:8]", "1 - sigma / eigenvalues[:8]", "collapse-linear-check"),
        ("1 - sigma**2 / eigenvalues[:8]", "1 - sigma**2 / eigenvalues[:8] ** 2", "collapse-linear-check"),
    ],
    "the rate collapsed": [
        (
            'rate["(section 1\'s decoder)"] / rate["none"]',
            'rate["none"] / rate["(section 1\'s decoder)"]',
            "collapse-check",
        )
    ],
    "free bits holds": [('rate["free bits"].mean() - 20', 'rate["none"].mean() - 20', "collapse-check")],
    "and costs some": [('-in_errors(bound_of["free bits"]', 'in_errors(bound_of["free bits"]', "collapse-check")],
    "no pixel sees": [
        ("< 24)", "< 25)", "collapse-model", "collapse-causal"),
        ("self.weight * mask", "self.weight", "collapse-model", "collapse-causal"),
        ("< 24)", "> 24)", "collapse-model", "collapse-causal"),
    ],
    "and each sees": [("< 24)", "< 23)", "collapse-model", "collapse-causal")],
    "on digits, too, it lies": [("at_mean(vae, unseen).cpu().double() -", "-readings(vae, unseen) -", "judge-check")],
    "trained on L₁₀": [("by_iw.log_px - by_elbo.log_px,", "by_elbo.log_px - by_iw.log_px,", "iwae-check")],
    "and the ELBO is lower": [
        ("by_elbo.terms.elbo - by_iw.terms.elbo", "by_iw.terms.elbo - by_elbo.terms.elbo", "iwae-check")
    ],
    "so KL": [
        (
            "(by_iw.log_px - by_iw.terms.elbo) - (by_elbo.log_px - by_elbo.terms.elbo)",
            "(by_elbo.log_px - by_elbo.terms.elbo) - (by_iw.log_px - by_iw.terms.elbo)",
            "iwae-check",
        )
    ],
    "the gap grows": [
        (
            "(by_iw.log_px - by_iw.terms.elbo) - (by_elbo.log_px",
            "(by_iw.log_px - by_elbo.terms.elbo) - (by_elbo.log_px",
            "iwae-check",
        )
    ],
    "and q is wider": [('widths["L₁₀"] - widths["ELBO"]', 'widths["ELBO"] - widths["L₁₀"]', "iwae-check")],
    "a probe taught": [("fit(seen_part, shuffled)", "fit(seen_part, fit_y)", "probe")],
    "the latents know": [('accuracy["20 latents of the VAE"] / by', "by_chance / by", "probe")],
    "halfway on": [
        ("((z1 + z2) / 2)", "((z1 + z2) / 2**0.5)", "between"),
        ("((z1 + z2) / 2).square()", "((z1 + z2) / 2).abs()", "between"),
    ],
    "an arc between": [
        ("+ torch.sin(t * angle) * b) /", "+ torch.cos(t * angle) * b) /", "between"),
        ("return (torch.sin((1 - t) * angle) * a", "return (torch.sin(angle) * (1 - t) * a", "between"),
    ],
    "its angle to": [
        ("way, angle = arc(a, b, t)", "way, angle = arc(b, a, t)", "between"),
        ("arc(a, b, t),", "a.expand(9, -1),", "between"),
    ],
    "and that to": [("(1 - t[:, 0]) * angle", "t[:, 0] * angle", "between")],
}


PLANTED_05 = {
    "VQ-1": [
        ("embedding(page).detach()", "embedding(page).detach() + page[..., None]", "codebook"),
        ("codebook[int(k)] for", "codebook[int(k) - 1] for", "codebook"),
        ("embedding(page).detach()", "embedding(page.flip(0)).detach()", "codebook"),
    ],
    "VQ-2: the entries": [
        ("tagged.permute(0, 2, 3, 1).reshape(-1, D)", "tagged.reshape(-1, D)", "flatten"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(1, 0, 2, 3)", "flatten"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 1, 2)", "flatten"),
    ],
    "VQ-2: they are": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).flip(-1)", "flatten"),
        ("flat // 100 % 10", "flat // 10 % 10", "flatten"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).roll(1, -1)", "flatten"),
    ],
    "VQ-2: and back": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 2, 1)", "flatten"),
        ("reshape(B, H, W, D).permute(0, 3, 1, 2)", "reshape(B, D, H, W)", "flatten"),
        ("flat.reshape(B,", "flat.flip(0).reshape(B,", "flatten"),
    ],
    "VQ-3: the expansion": [
        ("- 2 * z @ e.T", "- z @ e.T", "distance"),
        ("- 2 * z @ e.T", "+ 2 * z @ e.T", "distance"),
        ("* z @ e.T + e.square().sum(1)", "* z @ e.T", "distance"),
        ("e.square().sum(1)", "e.norm(dim=1)", "distance"),
    ],
    "VQ-3: and with": [
        ("p**2 - 2 * p * q", "p**2 - p * q", "distance"),
        ("p**2 - 2 * p * q", "p - 2 * p * q", "distance"),
        ("2 * p * q + q**2", "2 * p * q", "distance"),
    ],
    "VQ-3: the nearest": [
        ("squared_distances(z, codebook).argmin(1)", "squared_distances(z, codebook).argmax(1)", "distance"),
        ("squared_distances(z, codebook).argmin(1)", "(-z @ codebook.T).argmin(1)", "distance"),
        ("squared_distances(z, codebook).argmin(1)", "squared_distances(z, codebook.abs()).argmin(1)", "distance"),
    ],
    "far from 0": [("(z + shift).float(), (codebook + shift).float()", "z + shift, codebook + shift", "precision")],
    "where plain": [("far[:, None] - words", "far[:, None] + words", "precision")],
    "in 16 bits": [("z.bfloat16(), codebook.bfloat16()", "z, codebook", "precision")],
    "VQ-4: one-hot": [
        ("- codebook[nearest_k], 0", "- codebook[nearest_k - 1], 0", "lookup"),
        ("one_hot @ codebook -", "one_hot @ codebook.flip(0) -", "lookup"),
        ("F.one_hot(nearest_k, K)", "F.one_hot(nearest_k.flip(0), K)", "lookup"),
    ],
    "VQ-4: with the same": [
        ("F.embedding(nearest_k, by_lookup) * weights", "F.embedding(nearest_k, by_lookup)", "lookup"),
        ("one_hot @ by_product * weights", "one_hot @ by_product / K * weights", "lookup"),
        ("F.embedding(nearest_k, by", "F.embedding(nearest_k.flip(0), by", "lookup"),
    ],
    "VQ-4: for each": [
        ("weights[nearest_k == k].sum(0)", "weights[nearest_k == k].mean(0)", "lookup"),
        ("weights[nearest_k == k]", "weights[nearest_k != k]", "lookup"),
        ("by_lookup.grad - summed", "by_lookup.grad - summed.flip(0)", "lookup"),
    ],
    "VQ-5: value of the reconstruction": [
        ("(x - decoder(z_q))", "(x + decoder(z_q))", "loss", "loss-check"),
        ("(z_e, codebook).argmin(1)", "(z_e, codebook).argmax(1)", "loss", "loss-check"),
        ("(x - decoder(z_q)).square()", "(x - decoder(z_q)).abs()", "loss", "loss-check"),
    ],
    "VQ-5: value of the codebook": [
        (
            "(z_e.detach() - e).square().mean(), beta",
            "3 * (z_e.detach() - e).square().mean(), beta",
            "loss",
            "loss-check",
        ),
        ("(z_e.detach() - e).square().mean(), beta", "(z_e.detach() + e).square().mean(), beta", "loss", "loss-check"),
        ("(z_e.detach() - e).square().mean(), beta", "(z_e.detach() - e).square().sum(), beta", "loss", "loss-check"),
        (
            "(z_e.detach() - e).square().mean(), beta *",
            "beta * (z_e.detach() - e).square().mean(), 1 *",
            "loss",
            "loss-check",
        ),
    ],
    "VQ-5: value of the commitment": [
        ("(z_e - e.detach()).square()", "(z_e - e.detach()).abs()", "loss", "loss-check"),
        ("(z_e - e.detach()).square()", "-(z_e + e.detach()).square()", "loss", "loss-check"),
        (
            "(z_e.detach() - e).square().mean(), beta * (z_e",
            "(z_e.detach() - e).square().mean(), (z_e",
            "loss",
            "loss-check",
        ),
    ],
    "VQ-5: the reconstruction": [
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e", "loss", "loss-check"),
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e.detach()", "loss", "loss-check"),
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e + (z_e - z_e.detach())", "loss", "loss-check"),
    ],
    "VQ-5: the codebook": [
        ("(z_e.detach() - e).square().mean(), beta", "(z_e - e).square().mean(), beta", "loss", "loss-check"),
        ("(z_e.detach() - e).square().mean(), beta", "(z_e - e.detach()).square().mean(), beta", "loss", "loss-check"),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e.detach() - e + (z_e - z_e.detach())).square().mean(), beta",
            "loss",
            "loss-check",
        ),
    ],
    "VQ-5: the commitment": [
        ("beta * (z_e - e.detach())", "beta * (z_e - e)", "loss", "loss-check"),
        ("beta * (z_e - e.detach())", "beta * (z_e.detach() - e)", "loss", "loss-check"),
        ("beta * (z_e - e.detach())", "beta * (z_e - e.detach() + (e - e.detach()))", "loss", "loss-check"),
    ],
    "VQ-5: β moves": [
        ("beta * (z_e -", "0.25 * (z_e -", "loss", "loss-check"),
        ("beta * (z_e -", "4 * beta**2 * (z_e -", "loss", "loss-check"),
        ("beta * (z_e -", "0.5 * beta**0.5 * (z_e -", "loss", "loss-check"),
    ],
    "VQ-5: and not": [
        ("reconstruction, (z_e.detach()", "reconstruction, 4 * beta * (z_e.detach()", "loss", "loss-check"),
        ("reconstruction, (z_e.detach()", "reconstruction, (0.75 + beta) * (z_e.detach()", "loss", "loss-check"),
        ("reconstruction, (z_e.detach()", "reconstruction, 16 * beta**2 * (z_e.detach()", "loss", "loss-check"),
    ],
    "vaelib chooses": [("(rows, words).argmin(1)", "(rows, words).argmax(1)", "equal-to-vaelib")],
    "with the same vectors": [("(e.detach() + (rows - rows.detach()))", "(e.detach() + rows)", "equal-to-vaelib")],
    "and losses": [("0.25 * (rows", "0.5 * (rows", "equal-to-vaelib")],
    "the gradient for the latents": [("(rows.detach() - e)", "(rows - e)", "equal-to-vaelib")],
    "the gradient for the codebook": [("0.25 * (rows - e.detach())", "0.25 * (rows - e)", "equal-to-vaelib")],
    "VQ-6: the gradient": [
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((2 * quantizer",
            "straight",
        ),
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((-quantizer",
            "straight",
        ),
        ("z_q = ours.z_q.detach()", "z_q = maps.detach()", "straight"),
    ],
    "VQ-6: forward": [
        ("quantizer.lookup(ours.codes)", "maps.detach()", "straight"),
        ("quantizer.lookup(ours.codes)", "quantizer.lookup(ours.codes.flip(0))", "straight"),
        ("quantizer.lookup(ours.codes)", "quantizer.lookup(ours.codes) * (1 + 1e-9)", "straight"),
    ],
    "VQ-6: the true": [
        ("nudge = 1e-6 *", "nudge = 1.0 *", "straight"),
        ("moved = (quantizer(maps + nudge).z_q", "moved = ((maps + nudge)", "straight"),
        ("- (quantizer(maps).z_q", "- (quantizer(maps).z_q.relu()", "straight"),
    ],
    "VQ-6: straight-through predicts": [
        ("((to_encoder * nudge).sum() - moved", "((-to_encoder * nudge).sum() - moved", "straight"),
        ("((to_encoder * nudge).sum() - moved", "((to_encoder.flip(1) * nudge).sum() - moved", "straight"),
        ("(z_q + nudge).sin() - z_q.sin()", "(z_q + 2 * nudge).sin() - z_q.sin()", "straight"),
    ],
    "VQ-6: which is": [
        ("moved_directly.abs() / 1e-6", "moved.abs() / 1e-6", "straight"),
        ("moved_directly.abs() / 1e-6", "moved_directly.abs() / 1e-3", "straight"),
        ("moved_directly.abs() / 1e-6", "(to_encoder * nudge).sum() - moved_directly", "straight"),
    ],
    "VQ-6: q(k|z)": [
        ("/ (2 * tau**2)", "/ tau**2", "bias"),
        ("/ (2 * tau**2)", "/ (2 * tau)", "bias"),
        ("(z[:, None] - line) ** 2", "(z[:, None] - line).abs()", "bias"),
    ],
    "VQ-6: exact": [
        (".sum(-1) / 2e-5", ".sum(-1) / 1e-5", "bias"),
        (
            "torch.autograd.grad((chances(at, tau) * f(line))",
            "torch.autograd.grad((chances(at, tau) * f(-line))",
            "bias",
        ),
        (
            "torch.autograd.grad((chances(at, tau) * f(line)).sum(), at)",
            "[(chances(at, tau) * slope(line)).sum(-1)]",
            "bias",
        ),
    ],
    "VQ-6: with noise": [
        ("lambda e: 2 * (e - 0.3), tau)", "lambda e: e - 0.3, tau)", "bias"),
        ("(straight - exact).abs().max())\n", "(straight + exact).abs().max())\n", "bias"),
        ("lambda e: 2 * (e - 0.3), tau)", "lambda e: 2 * (e + 0.3), tau)", "bias"),
    ],
    "VQ-6: with little": [
        ("bias[tau] = float((straight - exact)", "bias[tau] = float((exact - exact)", "bias"),
        (
            "bias[tau] = float((straight - exact).abs().max())",
            "bias[tau] = float((straight - exact).abs().min())",
            "bias",
        ),
        ("bias[0.2], at_least", "bias[1.0], at_least", "bias"),
    ],
    "VQ-6: for f": [
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", straight -', "bias"),
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", -exact -', "bias"),
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", 2 * exact -', "bias"),
    ],
    "VQ-6: a function": [
        (
            "torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)",
            "torch.cos(e / 2), lambda e: -torch.sin(e / 2) / 2",
            "bias",
        ),
        ("torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)", "e, lambda e: torch.ones_like(e)", "bias"),
        ("-6 * torch.sin(6 * e), 1.0)", "-6 * torch.sin(6 * e), 1.0)\nstraight = exact", "bias"),
    ],
    "VQ-8: with γ = 0,": [
        ("memoryless.codebook.copy_(start)", "memoryless.codebook.copy_(start + 1)", "ema"),
        ("max_iter=1, tol=0).fit(points", "max_iter=2, tol=0).fit(points", "ema"),
        ("memoryless(points)", "memoryless(points[:500])", "ema"),
        ("decay=0.0", "decay=0.01", "ema"),
    ],
    "VQ-8: with γ = 0.9": [
        ("m = 0.9 * m + 0.1", "m = 0.1 * m + 0.9", "ema"),
        ("chosen.T @ batch", "chosen.T @ batch / 100", "ema"),
        ("chosen.sum(0)", "chosen.mean(0)", "ema"),
    ],
    "VQ-8: and n": [
        ("100 * averaging.size - n", "100 * averaging.size.sqrt() - n", "ema"),
        ("100 * averaging.size - n", "averaging.size - n", "ema"),
        ("100 * averaging.size - n", "100 * averaging.size - n.flip(0)", "ema"),
    ],
    "VQ-8: the codebook": [
        ("pull - 2 * counts", "pull - counts", "ema"),
        ("pull - 2 * counts", "pull + 2 * counts", "ema"),
        ("(points - moving[", "(2 * points - moving[", "ema"),
    ],
    "VQ-7: one": [
        ("torch.full((9,), 3), 64) - 1", "torch.arange(9), 64) - 1", "perplexity"),
        ("torch.full((9,), 3), 64) - 1", "torch.full((9,), 3), 64)", "perplexity"),
        ("perplexity(torch.full((9,), 3), 64) - 1", "math.log(perplexity(torch.full((9,), 3), 64)) - 1", "perplexity"),
    ],
    "VQ-7: all": [
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 32, 64) - 64", "perplexity"),
        ("% 64, 64) - 64", "% 64, 64) - math.log(64)", "perplexity"),
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 65 % 64, 64) - 64", "perplexity"),
    ],
    "VQ-7: by SciPy": [
        ("scipy.stats.entropy(shares.numpy())", "scipy.stats.entropy(shares.numpy(), base=2)", "perplexity"),
        ("shares = torch.bincount", "shares = 1 + torch.bincount", "perplexity"),
        ("math.exp(scipy", "(scipy", "perplexity"),
    ],
    "VQ-7: 2 raised": [
        ("0.5 * (1 + math.log2(32))", "0.5 * math.log2(32)", "perplexity"),
        ("2 ** (0.5", "math.e ** (0.5", "perplexity"),
        ("math.log2(32)", "math.log2(64)", "perplexity"),
    ],
    "random starts": [('"random start": watched()', '"random start": watched(below=0.5)', "cells")],
    "both cures": [("watched(from_data=True)", "watched()", "cells")],
    "no codebook": [("inertia_ / len(ring)", "inertia_ / 1000", "cells")],
    "and revival": [
        ("watched(below=0.5)", "watched(from_data=True)", "cells"),
        (".square().sum(1).mean()) for way", ".square().sum(1).mean()) * 4 for way", "cells"),
    ],
    "with revival": [("values[short // 2 :]", "values", "health-figure")],
    "without any": [('late["by gradient"]', 'late["+ revival"]', "health-figure")],
    "vaelib's words": [("L ** torch.arange(z.shape[1])", "L ** torch.arange(z.shape[1]).flip(0)", "fsq")],
    "and values": [("/ (L - 1) - 1, (whole", "/ L - 1, (whole", "fsq")],
    "and gradients": [("(r - r.detach())", "0 * r", "fsq")],
    "every z_q": [
        ("levels_hit = 1.5 * (", "levels_hit = 2 * (", "fsq"),
        ("levels_hit = 1.5 * (", "levels_hit = 3 * (", "fsq"),
    ],
    "lookup finds": [("scalar.lookup(rounded.codes)", "scalar.lookup(63 - rounded.codes)", "fsq")],
    "the VAE's rate": [("float(q.kl().mean()) / math.log(2)", "float(q.kl().mean())", "compare")],
    "VQ-VAE: bits": [
        ("64 * math.log2(perplexity(codes, 64))", "64 * math.log(perplexity(codes, 64))", "compare"),
        ("64 * math.log2(perplexity(codes, 64))", "BITS", "compare"),
    ],
    "VQ-VAE: error": [("(x_hat - held_out).square()", "(x_hat + held_out).square()", "compare")],
    "VQ-VAE: sharpness": [
        ("energy(images) / energy(originals)", "energy(originals) / energy(images)", "compare"),
        ("x.diff(dim=-2)", "x.diff(dim=1)", "compare"),
        ("x.diff(dim=-1).square()", "x.diff(dim=-1).abs()", "compare"),
    ],
    "few words": [(".view(-1, 64)", ".view(-1, 6400)", "batch-or-set")],
    "and an image": [
        ("[torch.randperm(codes.numel(), generator=torch.Generator().manual_seed(0))]", "", "batch-or-set")
    ],
    "VQ-9: one-hot": [
        ("by_torch - math.log(size)", "by_torch - math.log2(size)", "constant-kl"),
        ("kl_divergence(certain, uniform)", "kl_divergence(certain, certain)", "constant-kl"),
        ("F.one_hot(torch.tensor(1), size)", "(0.1 + F.one_hot(torch.tensor(1), size))", "constant-kl"),
    ],
    "VQ-9: against": [
        ("math.log(whole)", "whole", "constant-kl"),
        ("-probabilities.log()", "-probabilities.log2()", "constant-kl"),
        ("-probabilities.log()", "-(1 - probabilities).log()", "constant-kl"),
    ],
    "VQ-9: which is": [
        ("against_unigram = -(", "against_unigram = (", "constant-kl"),
        ("against_unigram = -(", "against_unigram = -5 * (", "constant-kl"),
        ("mean_cost - against_unigram", "mean_cost - against_unigram / math.log(2)", "constant-kl"),
    ],
    "apart: 1": [
        ("/ math.hypot(a.error, b.error)", "/ (a.error + b.error)", "generate"),
        ("/ math.hypot(a.error, b.error)", "/ (a.error**2 + b.error**2)", "generate"),
    ],
    "VQ-10: uniform": [
        ("torch.randint(64, (1000, 8, 8), generator=dice)", 'pages["VQ-VAE"]', "generate"),
        (
            'apart(distances["uniform"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["uniform"])',
            "generate",
        ),
        ("energy_distance(images, others)", 'energy_distance(pictures["real"], others)', "generate"),
    ],
    "VQ-10: and": [
        (
            "replacement=True, generator=dice).view(1000, 8, 8)",
            'replacement=True, generator=dice).view(1000, 8, 8) * 0 + pages["VQ-VAE"]',
            "generate",
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["unigram"])',
            "generate",
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["unigram"], distances["uniform"])',
            "generate",
        ),
    ],
    "VQ-10: the judge": [
        ("recognisability(judge, images, labels=10)", "recognisability(judge, held_out, labels=10)", "generate"),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["uniform"], recognised["rebuilt"])',
            "generate",
        ),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["rebuilt"], recognised["real"])',
            "generate",
        ),
    ],
}


PLANTED_06 = {
    "AR-1: each pixel": [
        (".tril(-1)", ".tril()", "chain"),
        (".tril(-1)", ".tril(1)", "chain"),
        ("torch.where(x == 1, ink, 1 - ink)", "ink", "chain"),
        ("torch.where(x == 1, ink, 1 - ink)", "torch.where(x == 1, ink, ink - 1)", "chain"),
        ("prod(1)", "mean(1)", "chain"),
    ],
    "AR-1: so they": [
        ("turn[:, None] > turn[None]", "turn[:, None] >= turn[None]", "chain"),
        ("turn[:, None] > turn[None]", "turn[:, None] != turn[None]", "chain"),
        ("turn[:, None] > turn[None]", "(turn[:, None] - turn[None]) % 9 > 4", "chain"),
    ],
    "AR-1: p(x": [
        (
            "every[:, None, :i] == every[None, :, :i]",
            "every[:, None, : i + 1] == every[None, :, : i + 1]",
            "chain-back",
        ),
        ("(weights * earlier)[i]", "(weights * earlier)[:, i]", "chain-back"),
        ("with_ink / before", "before / with_ink", "chain-back"),
        ("+ bias[i]", "", "chain-back"),
    ],
    "AR-2: the Jacobian": [
        ("/ 2e-6", "/ 1e-6", "masks-check"),
        ('stack(image + e, "ABB")', 'stack(image + e, "BBB")', "masks-check"),
        ("for e in nudge[:, None]], 1", "for e in nudge[:, None]], 0", "masks-check"),
    ],
    "AR-2: it is": [
        ('J["ABB"].triu()', 'J["ABB"].tril()', "masks-check"),
        ("m[: k // 2] = 1", "m[: k // 2 + 1] = 1", "masks", "masks-check"),
        ("m[: k // 2] = 1", "m[:] = 1", "masks", "masks-check"),
        ("m[: k // 2] = 1", "m[:, : k // 2] = 1", "masks", "masks-check"),
    ],
    "AR-2: and the": [
        ('m[k // 2, : k // 2 + (kind == "B")] = 1', "", "masks", "masks-check"),
        ('(kind == "B")', "0", "masks", "masks-check"),
        ('(kind == "B")', '(kind == "A")', "masks", "masks-check"),
        ("found[i, i - 1]", "found[i - 1, i]", "masks-check"),
    ],
    "AR-2: as is": [
        ("m[: k // 2] = 1", "m[: k // 2, : k // 2 + 1] = 1", "masks", "masks-check"),
        ('J["ABB"][i, i - 4]', 'J["ABB"][i - 4, i]', "masks-check"),
        ("if i % 5 < 4", "", "masks-check"),
    ],
    "AR-2: A, A, A": [
        ('J["AAA"].triu()', 'J["BBB"].triu()', "masks-check"),
        ('J["AAA"].triu()', 'J["AAA"].tril()', "masks-check"),
        ('J["AAA"].triu()', 'J["AAA"].flip(1).triu()', "masks-check"),
    ],
    "AR-2: but it": [
        ('left["AAA"], 0', 'left["ABB"], 0', "masks-check"),
        ('left["AAA"], 0', 'left["BBB"], 0', "masks-check"),
        ('left["AAA"], 0', 'J["AAA"].tril(), 0', "masks-check"),
    ],
    "AR-2: in three": [
        ("found.triu()", "found.tril()", "family"),
        ("permute(0, 1, 2, 4, 5, 3)", "permute(0, 1, 2, 3, 4, 5)", "family"),
        ("model.features(e), e)", "model.features(e), e.roll(2, 1))", "family"),
        ("model.features(e), e)", "model.features(e) + e[:, :1], e)", "family"),
    ],
    "AR-2: all 48": [
        ("48 * 47 // 2", "48 * 49 // 2", "family"),
        ("model.features(e), e)", "model.features(e), 0 * e)", "family"),
        ("dict(layers=3)", "dict(layers=1, first_kernel=3)", "family"),
    ],
    "AR-2: blue": [
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t + 1, 3 * t : 3 * t + 2]", "family"),
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t, 3 * t : 3 * t + 2]", "family"),
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t + 2, 3 * t + 1 : 3 * t + 3]", "family"),
    ],
    "AR-1: 512": [
        ("small(cls, 2, 1)", "small(cls, 3, 1)", "family-sums"),
        ("every.long()", "every[:256].long()", "family-sums"),
        ("log_prob(images).exp().sum()", "log_prob(images).exp().mean()", "family-sums"),
        ("every.long()", "(every * 0).long()", "family-sums"),
    ],
    "AR-1: 6,561": [
        ("small(cls, 3, 2)", "small(cls, 4, 2)", "family-sums"),
        ("range(3), repeat=8", "range(2), repeat=8", "family-sums"),
        ("sum_of_3 - 1", "sum_of_3 - 3", "family-sums"),
    ],
    "mask ": [
        ("whole[:, :, : k // 2] = masked.above", "whole[:, :, k // 2 + 1 :] = masked.above", "two-parts"),
        ("masked.left.weight.detach()[:, :, 0]", "masked.left.weight.detach()[:, :, 0].flip(-1)", "two-parts"),
        ("masked.above.bias,", "2 * masked.above.bias,", "two-parts"),
        ("mask(k, kind),", 'mask(k, "A"),', "two-parts"),
    ],
    "the two parts": [
        ("mask(k, kind).sum()", "k * k", "two-parts"),
        ("+ masked.left.weight.numel()", "", "two-parts"),
    ],
    "AR-3: the blind": [
        ("layers * (layers - 1) // 2", "layers * (layers + 1) // 2", "blind"),
        ("gated & ~plain", "gated ^ ~plain", "blind"),
        ("(PixelCNN, GatedPixelCNN))", "(GatedPixelCNN, PixelCNN))", "blind"),
        ("(PixelCNN, GatedPixelCNN))", "(GatedPixelCNN, GatedPixelCNN))", "blind"),
    ],
    "AR-3: the gated": [
        ("first_kernel=3", "first_kernel=5", "blind"),
        ("layers * (2 * layers + 1) - layers", "layers * (2 * layers + 1)", "blind"),
        ("layers * (2 * layers + 1) - layers", "(2 * layers + 1) ** 2 - layers", "blind"),
        ("int(gated.sum())", "int(plain.sum())", "blind"),
    ],
    "AR-3: counting": [
        ("(0, -1)]", "(0, -1), (0, 1)]", "blind-paths"),
        ("[(0, 0)] * (layer > 0)", "[(0, 0)]", "blind-paths"),
        ("(1, 1), ", "", "blind-paths"),
        ("deep(PixelCNN, layers)", "deep(GatedPixelCNN, layers)", "blind-paths"),
    ],
    "AR-4: vaelib's": [
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.tanh(b) / (1 + sp.exp(-a))", "gates"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.tanh(a) / (1 + sp.exp(b))", "gates"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "1 / (1 + sp.exp(-a)) / (1 + sp.exp(-b))", "gates"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.Max(a, 0) / (1 + sp.exp(-b))", "gates"),
    ],
    "AR-4: and both": [
        ("sp.diff(y, a), sp.diff(y, b)", "sp.diff(y, b), sp.diff(y, a)", "gates"),
        ("slopes - exact[1:]", "slopes + exact[1:]", "gates"),
        ("sp.diff(y, b)]", "y * (1 - y)]", "gates"),
    ],
    "AR-4: without": [
        (
            "deep(GatedPixelCNN, 2)(torch.randint(2, (10, 1, 4, 4), generator=generator))",
            "labelled(torch.randint(2, (10, 1, 4, 4), generator=generator), torch.arange(10))",
            "gates",
        ),
        ("logits[:, 1, 0, 0, 0]\ncheck", "logits[:, 1, 0, 0, 1]\ncheck", "gates"),
        ("logits[:, 1, 0, 0, 0]\ncheck", "logits[:, 1, 0, 1, 0]\ncheck", "gates"),
    ],
    "AR-4: with labels": [
        ("torch.arange(10)).logits", "torch.zeros(10, dtype=torch.int64)).logits", "gates"),
        ("torch.arange(10)).logits", "torch.arange(10) // 2).logits", "gates"),
        ("by_label.sort()", "(0 * by_label).sort()", "gates"),
    ],
    "AR-5: the cells": [
        ("half=1 / 255", "half=1 / 256", "cells"),
        ("half=1 / 255", "half=2 / 255", "cells"),
        ("above[255], below[0] = 1, 0", "above[0], below[255] = 1, 0", "cells"),
        ("+ half - means) / scales", "+ half + means) / scales", "cells"),
        ("- half - means) / scales", "- half - means) * scales", "cells"),
        ("edges=True", "edges=False", "cells"),
    ],
    "AR-5: the 256": [
        ("P.sum() - 1", "P[1:].sum() - 1", "cells"),
        ("P.sum() - 1", "P.mean() - 1", "cells"),
        ("P.sum() - 1", "P.log().sum() - 1", "cells"),
    ],
    "AR-5: vaelib's": [
        ("scales.log()[None", "scales[None", "cells"),
        ("mixture_weights.log()[None", "mixture_weights[None", "cells"),
        ("    256,\n)", "    255,\n)", "cells"),
    ],
    "AR-5: the distribution": [
        ("1 / (1 + sp.exp(-u))", "1 / (1 + sp.exp(u))", "cell-sympy"),
        ("(1 + sp.exp(-t)) ** 2", "(1 + sp.exp(-t))", "cell-sympy"),
        ("sp.diff(sigma(t), t)", "sigma(t)", "cell-sympy"),
    ],
    "AR-5: and it": [
        ("== (0, 1)", "== (1, 0)", "cell-sympy"),
        ("t, -sp.oo)", "t, 0)", "cell-sympy"),
        ("t, sp.oo)) ==", "t, 0)) ==", "cell-sympy"),
    ],
    "AR-5: the identity": [
        ("(1 - sp.exp(b - a))", "(1 - sp.exp(a - b))", "cell-sympy"),
        ("sigma(a) * sigma(-b)", "sigma(a) * sigma(b)", "cell-sympy"),
        ("(1 - sp.exp(b - a))", "(1 + sp.exp(b - a))", "cell-sympy"),
        ("sigma(a) * sigma(-b) * (1", "sigma(-b) * (1", "cell-sympy"),
    ],
    "AR-5: far": [
        ("math.log(1e-3)", "math.log(2e-3)", "cell-sympy"),
        ("v[200] - 1 / 255", "v[200] + 1 / 255", "cell-sympy"),
        ("logistic.logsf", "logistic.logcdf", "cell-sympy"),
        ("- math.log(-math.expm1(-2 / 255 / 1e-3))", "", "cell-sympy"),
    ],
    "KLs by SciPy": [
        ("truth * (truth.log() - log_p)", "log_p.exp() * (log_p - truth.log())", "ordered"),
        ("/ (N + 128)", "/ N", "ordered"),
    ],
    "AR-5: smooth": [
        ("counts + 0.5", "truth * (N + 128)", "ordered"),
        ('"mixture": fitted(counts)', '"mixture": fitted(0 * counts + 1)', "ordered"),
        ("torch.full((1, 5, 1, 1, 1), -2.0)", "torch.full((1, 5, 1, 1, 1), -9.0)", "ordered"),
        ('kl["smooth", 10 * N]["softmax"]', 'kl["smooth", 100 * N if N == 100 else 10 * N]["softmax"]', "ordered"),
    ],
    "AR-5: combed": [
        ("1 - 0.75 *", "1 - 0 *", "ordered"),
        ("counts + 0.5", "0 * counts + 0.5 + N / 256", "ordered"),
        ('kl["combed", 10_000]["mixture"] -', 'kl["smooth", 10_000]["mixture"] -', "ordered"),
    ],
    "AR-5: P(red)": [
        ("alpha * r, 0.08", "-alpha * r, 0.08", "colours"),
        ("red[:, None] * green", "red[None] * green", "colours"),
        ("torch.tensor([wide, tight]", "torch.tensor([tight, wide]", "colours"),
        (
            "cartesian_prod(torch.arange(levels), torch.arange(levels))",
            "cartesian_prod(torch.arange(levels), torch.arange(levels)).flip(1)",
            "colours",
        ),
    ],
    "AR-5: all 64": [
        ("table.sum() - 1", "table.diag().sum() - 1", "colours"),
        ("table.sum() - 1", "table.sum() - 8", "colours"),
        ("table.sum() - 1", "(table * 1.001).sum() - 1", "colours"),
    ],
    "on greys": [
        ("nats[first] - nats[second]", "nats[second] - nats[first]", "gaps"),
        ("gap.mean() / (gap", "gap.mean() / (100 * gap", "gaps"),
    ],
    "nats of": [
        ("logits[:, 1] - logits[:, 0]", "logits[:, 1]", "judge-check"),
        ("logits[:, 1] - logits[:, 0]", "logits[:, 0] - logits[:, 1]", "judge-check"),
        ("held_out[:50]) - by_torch", "held_out[50:100]) - by_torch", "judge-check"),
    ],
    "bits a pixel": [
        ("-784 * bits * math.log(2)", "-784 * bits", "judge-check"),
        ("(1, 28, 28))\ncheck", "(1, 14, 14))\ncheck", "judge-check"),
    ],
    "all 256": [
        ("(255 * x).round()", "(256 * x).floor()", "train-levels", "judge-check"),
        ("(255 * x).round()", "(254 * x).round()", "train-levels", "judge-check"),
    ],
    "AR-6: features": [
        ("features[1][:, : t + 1] - features[0][:, : t + 1]", "features[1] - features[0]", "final"),
        (
            "features[1][:, : t + 1] - features[0][:, : t + 1]",
            "features[1][:, : t + 2] - features[0][:, : t + 2]",
            "final",
        ),
        ("features[1][:, : t + 1] - features[0][:, : t + 1]", "features[1][:, t:] - features[0][:, t:]", "final"),
        ("begun.flatten()[t:] = 1 -", "begun.flatten()[: len(begun.flatten()[t:])] = 1 -", "final"),
        ("model.features(model.embed(x))", "model.features(model.embed(x.flip(-1)))", "final"),
    ],
    "AR-6: pixel t": [
        ("flatten()[: t + 1], 1e-5", "flatten()[: t + 2], 1e-5", "final"),
        (
            "next_one.flatten()[t + 1 :] = begun.flatten()[t + 1 :]",
            "next_one.flatten()[t - 1 :] = begun.flatten()[t - 1 :]; next_one.flatten()[t - 1] = 1 - next_one.flatten()[t - 1]",
            "final",
        ),
        ("flatten()[: t + 1], 1e-5", "flatten(), 1e-5", "final"),
    ],
    "AR-6: but": [
        ("features[2] - features[1]", "features[1] - features[1]", "final"),
        (
            "next_one.flatten()[t + 1 :] = begun.flatten()[t + 1 :]",
            "next_one.flatten()[t:] = begun.flatten()[t:]",
            "final",
        ),
        ("moved[arm].max(), at_least", "moved[arm].flatten()[:t].max(), at_least", "final"),
    ],
    "AR-6: pixel by": [
        ("i : i + 3, j : j + 3", "j : j + 3, i : i + 3", "cache"),
        ("torch.tanh(out)", "out", "cache"),
        ("i + 1, j + 1] = x[0, 0, i, j]", "i + 1, j + 1] = x[0, 0, j, i]", "cache"),
        ("mask(3, kind) * patch", "patch.flip(-1)", "cache"),
        ('kinds="ABB"', 'kinds="AAB"', "cache"),
        ("        planes[0][:, i + 1, j + 1] = x[0, 0, i, j]\n", "", "cache"),
    ],
    "AR-6: each layer": [
        ("products += 1", "products += 2", "cache"),
        ("products += 1", "products += 25", "cache"),
        ("products += 1", "products += k + 1", "cache"),
    ],
    "AR-6: every": [
        ("zip(model(x), model(x, cached=True)", "zip(model(x), model(x.flip(-1), cached=True)", "cached"),
        ("zip(model(x), model(x, cached=True)", "zip(model(x), model(x.clamp(max=0), cached=True)", "cached"),
        (".cpu().double() for", ".cpu().float() for", "cached"),
    ],
    "AR-6: the same": [
        ("manual_seed(5))", "manual_seed(5 + cached))", "cached"),
        ("(9, 9), cached,", "(9, 9), cached, temperature=1.5 + cached, generator=", "cached"),
        ("drawn[0] == drawn[1]", "drawn[0] == drawn[1].flip(-1)", "cached"),
    ],
    "what was": [("mask=upper)", "mask=~upper)", "play")],
    "and two": [("for seed in (0, 1)", "for seed in (0, 0)", "play")],
    "colder": [("temperature=T)", "temperature=1 / T)", "play")],
    "and emptier": [("float(x.double().mean())", "float((1 - x).double().mean())", "play")],
    "a model": [
        ("log_p.argmax(1)", "log_p.argmin(1)", "labels-check"),
        ("log_p.argmax(1)", "log_p.argmax(1).flip(0)", "labels-check"),
    ],
}


@pytest.mark.parametrize(("old", "new", "names"), [(old, new, names) for old, new, *names in PLANTED_00])
def test_planted_errors_in_00(start_here, caught, old, new, names):
    caught(f"{old} -> {new}", lambda: start_here.again(old, new, *names))


@pytest.mark.parametrize(("old", "new", "names"), [(old, new, names) for old, new, *names in PLANTED_01])
def test_planted_errors_in_01(ae_vs_vae, caught, old, new, names):
    caught(f"{old} -> {new}", lambda: ae_vs_vae.again(old, new, *names))


@pytest.mark.parametrize(
    ("stem", "claim", "old", "new", "names"),
    [
        (stem, claim, old, new, names)
        for stem, planted in (
            ("elbo", PLANTED_02),
            ("gradient_estimators", PLANTED_03),
            ("training_a_vae", PLANTED_04),
            ("vq_vae", PLANTED_05),
            ("pixelcnn", PLANTED_06),
        )
        for claim, errors in planted.items()
        for old, new, *names in errors
    ],
)
def test_planted_errors_fail_the_check_of_their_claim(stem, claim, old, new, names, request, caught):
    played = request.getfixturevalue(stem)

    def attempt():
        with pytest.raises(AssertionError) as failure:
            played.again(old, new, *names)
        if not str(failure.value).startswith(f"✗ {claim}"):
            pytest.fail(f"another check failed: {failure.value}")
        raise failure.value

    caught(f"{claim}: {old} -> {new}", attempt)


def test_every_claim_with_an_id_has_three_planted_errors():
    for stem, planted in (
        ("02_elbo", PLANTED_02),
        ("03_gradient_estimators", PLANTED_03),
        ("04_training_a_vae", PLANTED_04),
        ("05_vq_vae", PLANTED_05),
        ("06_pixelcnn", PLANTED_06),
    ):
        assert {claim.partition(":")[0] for claim in planted if re.match(r"[A-Z]+-\d", claim)} == set(LEDGER[stem])
        assert all(len(set(errors)) >= 3 for claim, errors in planted.items() if re.match(r"[A-Z]+-\d", claim))


@pytest.mark.parametrize(
    ("stem", "planted"), [("04_training_a_vae", PLANTED_04), ("05_vq_vae", PLANTED_05), ("06_pixelcnn", PLANTED_06)]
)
def test_every_claim_has_a_planted_error(stem, planted):
    """Every check of the later notebooks, but for those of a loop, which stand there once."""
    source = "\n".join(cell.source for cell in code_cells(FOLDER / f"{stem}.ipynb"))
    claims = re.findall(r'(?<!: )check(?:_mean)?\(\s*f?"([^"{]*)', source)
    without = [c for c in claims if not any(c.startswith(known) or known.startswith(c) for known in planted)]
    assert without == []


@pytest.mark.parametrize(
    "stem", ["start_here", "ae_vs_vae", "elbo", "gradient_estimators", "training_a_vae", "vq_vae", "pixelcnn"]
)
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
    assert not re.search(r"<m[io]>(&|&amp;|&#x0*26;|\\\\)</m[io]>", page)  # rows and columns too
    rows = sum(cell.source.count(r"\\") for cell in read(path).cells if cell.cell_type == "markdown")
    assert page.count("<mtr") >= rows
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
