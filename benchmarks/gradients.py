"""How fast are 10,000 gradient estimates in one pass? Medians over interleaved repeats of one run, and their ratios.

    python benchmarks/gradients.py           # with --keep into the tables: make bench

One pass of vaelib.gradients (torch.func) against the usual loop: draw, surrogate loss, autograd.grad, once for each estimate.
Both get the same noise, and their estimates are compared before anything is timed.

1. A Gaussian q in 10 dimensions, f a quadratic: 20 parameters.
2. The encoder of a small VAE over 14x14 images, one image: 6,832 parameters.
"""

from functools import partial

import results
import torch
from timing import medians
from torch.func import functional_call

from vaelib import gradients
from vaelib.autoencoders import VAE
from vaelib.distributions import DiagGaussian

ESTIMATES, REPEATS, CHUNK = 10_000, 3, 2_500


def gaussian(device):
    """(log_q, f, sample, params, eps)"""
    params = {"mean": torch.full((10,), 0.7, device=device), "log_std": torch.zeros(10, device=device)}

    def log_q(params, z):
        return DiagGaussian(params["mean"], params["log_std"]).log_prob(z)

    def sample(params, eps):
        return params["mean"] + params["log_std"].exp() * eps

    def f(params, z):
        return -(z - 1).square().sum(-1)

    generator = torch.Generator(device).manual_seed(0)
    return log_q, f, sample, params, torch.randn(ESTIMATES, 1, 10, generator=generator, device=device)


def encoder(device):
    torch.manual_seed(0)
    model = VAE((1, 14, 14), latent=8, hidden=(32,)).to(device).eval()
    generator = torch.Generator(device).manual_seed(0)
    x = torch.rand(1, 1, 14, 14, generator=generator, device=device).round()
    params = {name: value.detach() for name, value in model.encoder.named_parameters()}

    def q(params):
        return DiagGaussian(*functional_call(model.encoder, params, (x,)).chunk(2, -1))

    def log_q(params, z):
        return q(params).log_prob(z)

    def sample(params, eps):
        at = q(params)
        return at.mean + at.log_std.exp() * eps

    def f(params, z):
        prior = DiagGaussian(torch.zeros_like(z), torch.zeros_like(z))
        return model.decode(z).log_prob(x) + prior.log_prob(z) - log_q(params, z)

    return log_q, f, sample, params, torch.randn(ESTIMATES, 1, 1, 8, generator=generator, device=device)


def loop(name, log_q, f, sample, params, eps):
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    rows = []
    for noise in eps:
        if name == "score function":
            with torch.no_grad():
                z = sample(leaves, noise)
                value = f(leaves, z)
            surrogate = (value * log_q(leaves, z) + f(leaves, z)).mean()
        else:
            surrogate = f(leaves, sample(leaves, noise)).mean()
        given = torch.autograd.grad(surrogate, list(leaves.values()), allow_unused=True)
        rows.append([torch.zeros_like(p) if g is None else g for p, g in zip(leaves.values(), given, strict=True)])
    return {key: torch.stack(column) for key, column in zip(leaves, zip(*rows, strict=True), strict=True)}


def one_pass(name, *problem):
    estimator = {"score function": gradients.score_function, "pathwise": gradients.pathwise}[name]
    return estimator(*problem, chunk=CHUNK)


def estimates(device):
    rows = []
    for label, make in (("Gaussian, 20 numbers", gaussian), ("encoder, 6,832 weights", encoder)):
        problem = make(device)
        for name in ("score function", "pathwise"):
            few = (*problem[:-1], problem[-1][:50])
            for key, ours in one_pass(name, *few).items():
                torch.testing.assert_close(ours, loop(name, *few)[key], rtol=1e-3, atol=1e-3)
            arms = {"loop": partial(loop, name, *problem), "one pass": partial(one_pass, name, *problem)}
            rows.append({"parameters": label, "name": name, "ms": medians(arms, device, REPEATS, warm_up=0)})
    return rows


def by_estimator(rows):
    columns = f"{ESTIMATES:,} estimates of one draw; estimator; loop, s; one pass, s; loop / one pass; wanted"
    lines = []
    for row in rows:
        slow, fast = (row["ms"][arm] / 1e3 for arm in ("loop", "one pass"))
        cells = row["parameters"], row["name"], f"{slow:.2f}", f"{fast:.4f}", f"**{slow / fast:.0f}x**", "≥ 20"
        lines.append(results.line(*cells))
    return results.table(columns.split("; "), lines)


PARTS = {"estimates": (estimates, by_estimator)}
tables = partial(results.tables, PARTS)

if __name__ == "__main__":
    results.measure("gradients", __doc__, PARTS)
