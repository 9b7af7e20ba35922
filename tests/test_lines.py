"""Lines that readers may change: read in a model's words, held to be right where they are, refuted where not, and never run."""

import itertools

import pytest
import sympy as sp

from vaelib.classroom import lines
from vaelib.outside import console
from vaelib.symbolic import Discrete, Normal, equal, normalize

x, w, b, mu, z = sp.symbols("x w b mu z", real=True)
sigma, s = sp.symbols("sigma s", positive=True)
p, u, l0, l1 = sp.symbols("p u l0 l1", positive=True)


def gaussian():
    """A straight decoder, any Gaussian q, and numbers for the symbols."""
    prior, q = Normal(0, 1), Normal(mu, s)
    log_joint = lambda z: Normal(w * z + b, sigma).log_prob(x) + prior.log_prob(z)  # noqa: E731
    _, posterior = normalize(log_joint)
    words = {
        "p(x)": Normal(b, sp.sqrt(w**2 + sigma**2)).prob(x),
        "p(x, z)": lambda z: sp.exp(log_joint(z)),
        "p(x|z)": lambda z: Normal(w * z + b, sigma).prob(x),
        "p(z)": prior,
        "p(z|x)": posterior,
        "q(z)": q,
        "E": q.expect,
        "integral": lambda f: sp.integrate(f(z), (z, -sp.oo, sp.oo)),
        "KL": lambda one, other: one.kl(other),
        "=": equal,
        "ELBO": q.expect(lambda z: log_joint(z) - q.log_prob(z)),
    }
    return words, {mu: 0.7, s: 1.3, x: 0.4, w: 1.9, b: -0.5, sigma: 0.6}


def two():
    """Two states, with free probabilities."""
    prior, q, likelihood = Discrete((p, 1 - p)), Discrete((u, 1 - u)), (l0, l1)
    joint = [prior.prob(k) * likelihood[k] for k in range(2)]
    words = {
        "p(x)": sum(joint),
        "p(x, z)": lambda k: joint[k],
        "p(x|z)": lambda k: likelihood[k],
        "p(z)": prior,
        "p(z|x)": Discrete([each / sum(joint) for each in joint]),
        "q(z)": q,
        "E": q.expect,
        "integral": lambda f: f(0) + f(1),
        "KL": lambda one, other: one.kl(other),
        "=": equal,
        "ELBO": q.expect(lambda k: sp.log(joint[k] / q.prob(k))),
    }
    return words, {p: 0.3, u: 0.6, l0: 0.9, l1: 0.2}


MODELS = {"Gaussian": gaussian(), "two states": two()}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
RIGHT = [
    "log(p(x))",
    "log(p(x)) * integral[q(z)]",
    "integral[q(z) * log(p(x))]",
    "E[log(p(x))]",
    "E[log(p(x, z) / p(z|x))]",
    "E[log(p(x, z) * q(z) / (p(z|x) * q(z)))]",
    "E[log(p(x, z) / q(z))] + E[log(q(z) / p(z|x))]",
    "ELBO + KL(q(z), p(z|x))",
    "E[log(p(x|z))] - KL(q(z), p(z)) + KL(q(z), p(z | x))",
]
WRONG = [
    "log(p(x)) + integral[q(z)]",
    "-log(p(x)) * integral[q(z)]",
    "log(p(x)) * integral[q(z)**2]",
    "integral[q(z) * log(p(x, z))]",
    "E[log(p(x, z))]",
    "E[log(p(x, z) * p(z|x))]",
    "E[log(p(x|z) / p(z|x))]",
    "E[log(p(x, z) / q(z))] - E[log(q(z) / p(z|x))]",
    "E[log(p(x, z) * q(z) / p(z|x))]",
    "ELBO - KL(q(z), p(z|x))",
    "ELBO + KL(p(z|x), q(z))",
    "ELBO + KL(q(z), p(z))",
    "ELBO",
    "p(x)",
    "2 * log(p(x)) / 3",
]


def said(capsys, line, model):
    lines.judge(line, *model)
    words = capsys.readouterr().out
    assert words.count("\n") == 1  # one sentence, or two on one line
    return words


@each_model
@pytest.mark.parametrize(("left", "right"), [*itertools.pairwise(RIGHT)])
def test_what_is_right_holds(capsys, model, left, right):
    assert said(capsys, f"{left} = {right}", model) == f"Holds, whatever the symbols are: {left} = {right}\n"


@each_model
@pytest.mark.parametrize("right", WRONG)
def test_what_is_wrong_is_refuted_with_numbers(capsys, model, right):
    words, at = model
    told = said(capsys, f"log(p(x)) = {right}", model)
    left, other = (float(lines.read(side, words).subs(at)) for side in ("log(p(x))", right))
    assert told.startswith(f"Refuted: log(p(x)) = {right}. At ")
    assert all(f"{symbol} = {number:g}" in told for symbol, number in at.items())
    assert f"left side is {left:.4f} and the right side {other:.4f}: they differ by {abs(left - other):.4g}." in told


def test_numbers_that_agree_by_chance_prove_nothing(capsys):
    words = {"a": sp.Symbol("a"), "b": sp.Symbol("b"), "=": equal}
    told = said(capsys, "a * b = a + b", (words, {words["a"]: 2, words["b"]: 2}))
    assert (
        told
        == "Open: a * b = a + b. At a = 2, b = 2 both sides are 4.0000, and sympy does not show that they always agree.\n"
    )
    assert said(capsys, "a = b", (words, {words["a"]: 2, words["b"]: 2.5})).startswith("Refuted: a = b.")


UNREAD = {
    "log p(x) = ELBO": "log p(x) is not written as",
    "log(p(x) = ELBO": "is not written as",
    "log(p(x))": "one = is needed",
    "ELBO == log(p(x))": "one = is needed",
    "ELBO = q(z)": "q(z) depends on z, and no E[…] or integral[…] around it",
    "ELBO = q": "q is not known here. What is: p(x), p(x, z), p(x|z), p(z)",
    "ELBO = KL": "KL is not known here",
    "ELBO = KL(q(z))": "KL(q(z)) is not known here",
    "ELBO = KL(p(x), q(z))": "KL(p(x), q(z)) is no KL of two distributions over z",
    "ELBO = KL(p(x, z), q(z))": "is no KL of two distributions",
    "ELBO = 1 / 0": "1 / 0 has no finite value",
    "ELBO = log(0)": "log(0) has no finite value",
    "ELBO = log(-1)": "log(-1) has no real value",
    "ELBO = 9**9**9": "9 ** 9 is no power that is read",
    "ELBO = 2**p(x)": "p(x) is no power that is read",
    "ELBO = 12345678": "12345678 is not known here",
    "ELBO = True": "True is not known here",
    "ELBO = 'p(x)'": "is not known here",
    "ELBO = __import__('os').getcwd()": "__import__('os').getcwd() is not known here",
    "ELBO = (lambda: 1)()": "is not known here",
    "ELBO = log(p(x), 2)": "is not known here",
    "ELBO = E[log(p(x)), 1]": "(log(p(x)), 1) is not known here",
    "ELBO = " + "(" * 300 + "1" + ")" * 300: "at most 200 characters",
    "ELBO = " + "(" * 99 + "1": "is not written as",
    "ELBO = ": "something on both of its sides",
}


@each_model
@pytest.mark.parametrize(("line", "why"), UNREAD.items(), ids=[str(k) for k in range(len(UNREAD))])
def test_what_cannot_be_read_is_one_sentence(capsys, model, line, why):
    told = said(capsys, line, model)
    assert told.startswith("Not read. ")
    assert why in told


def test_only_polynomials_have_a_mean_over_a_gaussian(capsys):
    assert "takes polynomials in z" in said(capsys, "p(x) = E[p(x, z) / q(z)]", MODELS["Gaussian"])
    assert said(capsys, "p(x) = E[p(x, z) / q(z)]", MODELS["two states"]).startswith("Holds")


@each_model
@pytest.mark.parametrize("signs", ["-" * 180 + "1", "+".join("1" * 90), "--ELBO", "1.5 * ELBO"])
def test_long_lines_and_signs(capsys, model, signs):
    lines.judge(f"{signs} = {signs}", *model)
    assert capsys.readouterr().out.startswith("Holds")


def test_nothing_is_run(monkeypatch):
    ran = []
    monkeypatch.setattr("builtins.eval", lambda *_: ran.append("eval"))
    monkeypatch.setattr("builtins.__import__", lambda name, *_: ran.append(name))
    with pytest.raises(ValueError, match="not known"):
        lines.read("__import__('os')", {"a": sp.Integer(1)})
    monkeypatch.undo()
    assert ran == []


TEX = {
    "log(p(x))": r"\log p(x)",
    "E[log(p(x, z) / p(z|x))]": r"\mathbb E_q\left[\log \frac{p(x, z)}{p(z \mid x)}\right]",
    "ELBO + KL(q(z), p(z|x))": r"\text{ELBO} + \text{KL}\left(q(z) \,\|\, p(z \mid x)\right)",
    "integral[q(z) * (p(x) + 1)]": r"\int q(z) \, \left(p(x) + 1\right) \, dz",
    "log(p(x) * 2) - (1 - 2)": r"\log \left(p(x) \, 2\right) - \left(1 - 2\right)",
    "-(1 + 2)": r"-\left(1 + 2\right)",
    "(1 + 2)**2 = q(z)": r"\left(1 + 2\right)^{2} = q(z)",
}


@pytest.mark.parametrize(("line", "tex"), TEX.items())
def test_a_line_as_tex(line, tex):
    assert lines.tex(line) == tex


def test_in_a_notebook_it_is_markdown(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(console, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data["text/markdown"]))
    for line in ("ELBO = ELBO", "ELBO = log(p(x))", "ELBO = q*"):
        lines.judge(line, *MODELS["Gaussian"])
    assert shown[0] == r"**Holds**, whatever the symbols are: $\text{ELBO} = \text{ELBO}$"
    assert shown[1].startswith(r"**Refuted:** $\text{ELBO} = \log p(x)$. At $\mu = 0.7$, $s = 1.3$, ")
    assert shown[2].startswith(r"**Not read.** q\* is not written as log(p(x)) = E\[log(p(x, z)")
