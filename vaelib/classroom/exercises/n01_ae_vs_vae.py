"""The exercises of notebook 01: what each answer is held against, and hints for the usual slips."""

import math
from collections.abc import Callable

import numpy as np
import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def reparameterize(answer: Callable) -> str:
    """01.1 (mean (B, D), log_std (B, D), eps (B, D)) to z (B, D)."""
    mean = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], requires_grad=True)
    log_std = torch.tensor([[0.7, -1.2, 0.0], [0.3, 1.5, -0.4]], requires_grad=True)
    eps = torch.tensor([[-0.3, 1.1, 2.0], [0.9, -1.7, 0.2]])
    z = finite_tensor(answer(mean, log_std, eps), (2, 3), "z")
    std = torch.from_numpy(np.exp(log_std.detach().numpy()))
    hints = {
        "log_std is a logarithm: take its exponential first.": mean + log_std * eps,
        "noise is multiplied by the standard deviation, not added to it: yours has variance 1.": mean + std + eps,
        "log_std is the log of the standard deviation, not of the variance: no factor 1/2.": mean
        + torch.sqrt(std) * eps,
        "that is the variance times eps: use the standard deviation.": mean + std * std * eps,
        "z is centred on the mean: add it.": std * eps,
        "the noise comes in through eps.": mean,
        "mean - std * eps has the right distribution, but VAE-1 adds: use +.": mean - std * eps,
    }
    known_slips(z, mean + std * eps, hints, 1e-5)
    if not near(z, mean + std * eps, 1e-5):
        raise Wrong("z should have mean `mean` and standard deviation exp(log_std) when eps ~ N(0, I).")
    lost = "the values are right, but no gradient reaches {}: compute z from the tensors themselves, without detach or NumPy."
    if not z.requires_grad:
        raise Wrong(lost.format("mean or log_std"))
    to_mean, to_log_std = torch.autograd.grad(z.sum(), (mean, log_std), allow_unused=True)
    for name, gradient, right in (("mean", to_mean, torch.ones(2, 3)), ("log_std", to_log_std, std * eps)):
        if gradient is None or not near(gradient, right, 1e-5):
            raise Wrong(lost.format(name))
    return "values and gradients are right."


@exercise
def moment_matched(answer: Callable) -> str:
    """01.2 (codes (N, D), n, generator) to n draws (n, D) from the Gaussian with the codes' mean and full covariance."""
    generator = torch.Generator().manual_seed(7)
    mixing = torch.tensor([[2.0, 0.0, 0.0], [1.5, 0.6, 0.0], [-1.0, 0.4, 0.3]])
    codes = torch.randn(5000, 3, generator=generator) @ mixing.T + torch.tensor([4.0, -3.0, 1.0])
    n = 40_000
    again = torch.Generator().manual_seed(8)
    small, state = answer(codes.clone(), 5, again), again.get_state()
    if torch.equal(state, torch.Generator().manual_seed(8).get_state()):
        raise Wrong("the generator was not used: hand it to torch.randn, so that the draw can be repeated.")
    if not torch.equal(torch.as_tensor(small), torch.as_tensor(answer(codes.clone(), 5, again.manual_seed(8)))):
        raise Wrong("the same seed gave other draws: all randomness should come from the generator.")
    z = finite_tensor(answer(codes.clone(), n, generator), (n, 3), "the draw").double()
    if near(z[:5000].float(), codes, 1e-6) or len(torch.unique(z.float(), dim=0)) < n // 2:
        raise Wrong("your draws repeat each other or the codes: each should be a new point.")
    mean, covariance = codes.double().mean(0), torch.cov(codes.double().T)
    error = torch.sqrt(torch.diag(covariance) / n)
    if float(((z.mean(0) - mean).abs() / error).max()) > 5:
        raise Wrong(
            f"the draws have mean {[round(v, 2) for v in z.mean(0).tolist()]}, the codes {[round(v, 2) for v in mean.tolist()]}."
        )
    got = torch.cov(z.T)
    scale = torch.sqrt(torch.outer(torch.diag(covariance), torch.diag(covariance)))
    off = (got - covariance).abs() / scale
    if float(torch.diag(off).max()) > 0.04:
        width = torch.sqrt(torch.diag(got) / torch.diag(covariance))
        if float(width.max() - width.min()) < 0.02:
            raise Wrong(f"your draws are {float(width.mean()):.2f} times as wide as the codes, in every direction.")
        raise Wrong(
            "the variances differ from the codes': with covariance C = L Lᵀ, a draw is mean + L eps. "
            "Mind which side L stands on."
        )
    if float(off.max()) > 0.04:
        raise Wrong(
            "the variances are right, the covariances are not: the codes' cloud is tilted, and yours is not tilted the same way."
        )
    if float(((z - mean) ** 4).mean(0).div(torch.diag(covariance) ** 2).sub(3).abs().max()) > 0.3:
        raise Wrong("mean and covariance are right, but the shape is not Gaussian.")
    return "mean and covariance are those of the codes."


@exercise
def grid_posterior(answer: Callable) -> str:
    """01.3 (log_joint, grid (G,)) to (log p(x), mean, std) of p(z|x), where log_joint(z) = log p(x|z) + log p(z)."""
    grid = torch.linspace(-8, 8, 2001, dtype=torch.float64)

    def log_normal(v, mean, std):
        return -0.5 * ((v - mean) / std) ** 2 - math.log(std) - 0.5 * math.log(2 * math.pi)

    cases = {
        "a straight decoder": lambda z: log_normal(1.3, 2.0 * z + 0.5, 0.8) + log_normal(z, 0, 1),
        "a bent decoder": lambda z: log_normal(0.4, torch.sin(2 * z), 0.3) + log_normal(z, 0, 1),
        "a surprising x": lambda z: log_normal(100.0, z, 1.0) + log_normal(z, 0, 1),
    }
    for case, log_joint in cases.items():
        density = torch.special.logsumexp(log_joint(grid), 0)
        weight = torch.exp(log_joint(grid) - density).numpy()
        if case == "a surprising x":  # the closed form: x ~ N(0, 2), z|x ~ N(x/2, 1/2); the mean lies off the grid
            fine = torch.linspace(30, 70, 20_001, dtype=torch.float64)
            right = (float(log_normal(100.0, 0.0, math.sqrt(2.0))), 50.0, math.sqrt(0.5))
            result = answer(log_joint, fine)
        else:
            mean = float((weight * grid.numpy()).sum())
            std = math.sqrt(float((weight * (grid.numpy() - mean) ** 2).sum()))
            right = (float(density) + math.log(float(grid[1] - grid[0])), mean, std)
            result = answer(log_joint, grid)
        if not isinstance(result, (tuple, list, torch.Tensor, np.ndarray)) or len(result) != 3:
            raise Wrong("return three numbers: log p(x), mean, std.")
        log_px, got_mean, got_std = (float(v) for v in result)
        if case == "a surprising x" and not math.isfinite(log_px + got_mean + got_std):
            raise Wrong(
                "exp(log_joint) underflows to 0 when x is surprising: subtract the largest value first, or use logsumexp."
            )
        if not abs(log_px - right[0]) < 1e-6:
            spacing = float((fine if case == "a surprising x" else grid).diff()[0])
            if abs(log_px - right[0] + math.log(spacing)) < 1e-6:
                hint = "did you multiply the sum by the grid's spacing?"
            elif abs(log_px - math.exp(right[0])) < 1e-6:
                hint = "take its logarithm."
            else:
                hint = "add up exp(log_joint) over the grid, times the spacing, and take the logarithm."
            raise Wrong(f"with {case}, log p(x) is {right[0]:.7f}, and yours {log_px:.7f}: {hint}")
        if not abs(got_mean - right[1]) < 1e-6:
            points = fine if case == "a surprising x" else grid
            hint = (
                "that is the most probable z, not its mean."
                if abs(got_mean - float(points[log_joint(points).argmax()])) < 1e-6
                else "divide p(x, z) by p(x) first."
            )
            raise Wrong(f"with {case}, the mean is {right[1]:.5f}, and yours {got_mean:.5f}: {hint}")
        if not abs(got_std - right[2]) < 1e-6:
            hint = (
                "that is the variance."
                if abs(got_std - right[2] ** 2) < 1e-6
                else "measure the spread around the posterior's mean."
            )
            raise Wrong(f"with {case}, the std is {right[2]:.5f}, and yours {got_std:.5f}: {hint}")
    return "log p(x), mean and std are right, also for an x that is hard to explain."
