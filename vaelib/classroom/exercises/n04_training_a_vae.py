"""The exercises of notebook 04: what each answer is held against, and hints for the usual slips."""

import math
from collections.abc import Callable

import numpy as np
import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def log_mean_weight(answer: Callable) -> str:
    """04.1 log_w (K, B), nats, to L_K (B,) and its standard error (B,)."""
    generator = torch.Generator().manual_seed(0)
    log_w = torch.randn(50, 4, generator=generator, dtype=torch.float64) * 1.5 - torch.tensor([0.0, 90.0, 2000.0, 3.0])
    w = np.exp((log_w - log_w.amax(0)).numpy())
    right = torch.from_numpy(np.log(w.mean(0))) + log_w.amax(0)
    error = torch.from_numpy(w.std(0, ddof=1) / w.mean(0)) / math.sqrt(50)
    result = answer(log_w.clone())
    if not isinstance(result, (tuple, list, torch.Tensor)) or len(result) != 2:
        raise Wrong("return two tensors: L_K and its standard error.")
    if isinstance(result[0], torch.Tensor) and not bool(torch.isfinite(result[0]).all()):
        raise Wrong("exp(log_w) underflows to 0 for images with log p(x) near -2000: use torch.logsumexp.")
    got = finite_tensor(result[0], (4,), "L_K")
    hints = {
        "that is the log of the sum of the weights: divide by K.": right + math.log(50),
        "that is the mean of the log-weights, the ELBO: take the log of the mean weight.": log_w.mean(0),
        "the average runs over all draws, the largest alone is not enough.": log_w.amax(0),
    }
    known_slips(got, right, hints, 1e-6)
    if not near(got, right, 1e-8):
        raise Wrong(f"L_K of the first image should be {right[0]:.4f}, and is {got[0]:.4f}.")
    if isinstance(result[1], torch.Tensor) and not bool(torch.isfinite(result[1]).all()):
        raise Wrong(
            "the weights underflow in your standard error: divide each by their mean before you leave logarithms."
        )
    got = finite_tensor(result[1], (4,), "the standard error")
    hints = {
        "that is the spread of one weight: divide by the square root of K.": error * math.sqrt(50),
        "that is the standard error of the mean of log w; here the mean is taken before the logarithm.": log_w.std(0)
        / math.sqrt(50),
        "divide by the square root of K, not by K.": error / math.sqrt(50),
    }
    known_slips(got, error, hints, 1e-6)
    if not near(got, error, 1e-3):
        raise Wrong(f"the standard error of the first image should be {error[0]:.4f}, and is {got[0]:.4f}.")
    return "the right estimate and error, also where exp(log_w) is 0."


@exercise
def floored_rate(answer: Callable) -> str:
    """04.2 (mean (B, D), log_std (B, D), floor in nats) to the rate with free bits, a scalar."""
    mean = torch.tensor([[0.1, 2.0, -1.2], [-0.2, -1.0, 0.1], [0.2, 1.4, 0.0]], dtype=torch.float64)
    log_std = torch.tensor([[0.0, -1.0, 0.2], [0.1, -0.5, 0.0], [0.0, -0.2, 0.1]], dtype=torch.float64)
    m, s = mean.numpy(), np.exp(log_std.numpy())
    kl = torch.from_numpy(0.5 * (m**2 + s**2 - np.log(s**2) - 1))  # (3, 3)
    for floor in (0.25, 0.0):
        per_unit = kl.mean(0)
        right = per_unit.clamp(min=floor).sum()
        got = finite_tensor(answer(mean.clone(), log_std.clone(), floor), (), "the rate")
        as_log_var = 0.5 * (mean**2 + log_std.exp() - log_std - 1)
        hints = {
            "that is the rate with no floor, or with one on the sum: apply it to each dimension.": per_unit.sum().clamp(
                min=floor
            ),
            "average over the batch before you apply the floor.": kl.clamp(min=floor).sum(1).mean(),
            "the floor holds from below: use the larger of the two.": per_unit.clamp(max=floor).sum(),
            "add the dimensions up, do not average them.": per_unit.clamp(min=floor).mean(),
            "log_std is not a log-variance: the variance is exp(2 log_std).": as_log_var.mean(0).clamp(min=floor).sum(),
            "average over the batch.": kl.sum(0).clamp(min=floor).sum(),
            "do not subtract the floor: use the larger of the two.": (per_unit - floor).clamp(min=0).sum(),
        }
        known_slips(got, right, hints, 1e-6)
        if not near(got, right, 1e-6):
            raise Wrong(f"for floor={floor} the rate should be {right:.4f}, and is {got:.4f}.")
    mean, log_std = mean.requires_grad_(), log_std.requires_grad_()
    total = answer(mean, log_std, 0.25)
    gradient = torch.autograd.grad(total, mean, allow_unused=True)[0] if total.requires_grad else None
    expected = torch.where(kl.mean(0) > 0.25, mean.detach() / 3, 0.0)
    if gradient is None or not near(gradient, expected, 1e-8):
        raise Wrong("the values are right, the gradient is not: it is 0 below the floor and that of the KL above it.")
    return "a dimension below its floor costs nothing to use."


@exercise
def slerp(answer: Callable) -> str:
    """04.3 (a (D,), b (D,), t (T,)) to points on the arc from a to b, (T, D)."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 20, generator=generator, dtype=torch.float64)
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    got = finite_tensor(answer(a.clone(), b.clone(), t.clone()), (5, 20), "the result")
    straight = (1 - t)[:, None] * a + t[:, None] * b
    # by another road: turn a's direction towards b in their plane
    e1 = a / a.norm()
    e2 = b - (b @ e1) * e1
    angle = torch.atan2(e2.norm(), b @ e1)
    e2 = e2 / e2.norm()
    unit = torch.cos(t * angle)[:, None] * e1 + torch.sin(t * angle)[:, None] * e2
    lengths = a.norm() ** (1 - t) * b.norm() ** t
    sine = torch.sin(angle)
    shoemake = (torch.sin((1 - t) * angle) / sine)[:, None] * a + (torch.sin(t * angle) / sine)[:, None] * b
    hints = {
        "that is the straight line: its middle is shorter than both ends.": straight,
        "t = 0 is a and t = 1 is b: yours runs backwards.": shoemake.flip(0),
        "the directions are right; the lengths should be those of the formula, not 1.": unit,
    }
    if near(got, lengths[:, None] * unit, 1e-6):
        return "on the arc, with lengths in between."
    known_slips(got, shoemake, hints, 1e-6)
    if not near(got, shoemake, 1e-6):
        raise Wrong(f"at t = 0.25 the first entry should be {shoemake[1, 0]:.4f}, and is {got[1, 0]:.4f}.")
    return "on the arc from a to b."
