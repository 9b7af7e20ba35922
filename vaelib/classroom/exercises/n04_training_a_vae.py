"""The exercises of notebook 04: what each answer is held against, and hints for the usual slips."""

import math
from collections.abc import Callable

import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def draws_of_error(answer: Callable) -> str:
    """04.1 (error (B,), nats; K) to the effective number of draws (B,)."""
    generator = torch.Generator().manual_seed(0)
    for K in (50, 400):
        spread = torch.tensor([0.3, 1.0, 2.0, 5.0], dtype=torch.float64)
        w = (torch.randn(K, 4, generator=generator, dtype=torch.float64) * spread).exp()
        e = w.std(0) / w.mean(0) / math.sqrt(K)
        right = w.sum(0).square() / w.square().sum(0)  # from the weights themselves
        got = finite_tensor(answer(e.clone(), K), (4,), "the effective number of draws")
        hints = {
            "that is as if the variance of w were the mean of w squared: subtract the squared mean.": 1 / e**2,
            "std divides by K - 1, not by K.": K / (1 + K * e**2),
            "the error has to be squared.": K / (1 + (K - 1) * e),
            "that is one over n.": (1 + (K - 1) * e**2) / K,
            "that is K / n.": 1 + (K - 1) * e**2,
            "that is n / K.": 1 / (1 + (K - 1) * e**2),
        }
        known_slips(got, right, hints, 1e-9)
        if not near(got, right, 1e-4):
            raise Wrong(f"for K={K} and an error of {e[1]:.4f} there are {right[1]:.4f} draws, and not {got[1]:.4f}.")
    return "from 1 nat, one draw that counts, to 0, all of them alike."


@exercise
def best_width(answer: Callable) -> str:
    """04.2 (W (16, 8), sigma, beta) to the encoder's standard deviations (8,)."""
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(16, 8, generator=generator, dtype=torch.float64) * torch.linspace(0, 1, 8, dtype=torch.float64)
    for sigma, beta in ((0.5, 1.0), (0.7, 4.0)):
        got = finite_tensor(answer(W.clone(), sigma, beta), (8,), "the widths")
        squares = W.square().sum(0) / sigma**2
        right = (1 + squares / beta).rsqrt()
        hints = {
            "that is the variance: take the square root.": right**2,
            "that is the precision, one over the variance.": right**-2,
            "w_j is a column of W: its length is a sum over the 16 pixels.": (
                1 + W.square().sum(1)[:8] / sigma**2 / beta
            ).rsqrt(),
            "the noise is squared: sigma**2.": (1 + squares * sigma / beta).rsqrt(),
            "beta weighs the rate, and not the distortion.": (1 + squares * beta).rsqrt(),
            "the rate has a term s_j^2 as well, which holds an idle unit at the prior.": (squares / beta).rsqrt(),
        }
        if beta != 1:
            hints["beta has an effect: it weighs the rate."] = (1 + squares).rsqrt()
        known_slips(got, right, {k: v for k, v in hints.items() if bool(torch.isfinite(v).all())}, 1e-9)
        if not near(got, right, 1e-6):
            raise Wrong(
                f"for sigma={sigma}, beta={beta} the last width should be {right[-1]:.4f}, and is {got[-1]:.4f}."
            )
        loss = _terms(W, got, sigma, beta)
        if any(_terms(W, got * factor, sigma, beta) < loss for factor in (0.99, 1.01)):
            raise Wrong("a little wider or narrower, and the loss is lower.")
    return "the loss is lowest there, and an idle unit has the prior's width."


def _terms(W: torch.Tensor, s: torch.Tensor, sigma: float, beta: float) -> float:
    """What of the loss has s in it."""
    return float((s**2 * W.square().sum(0) / (2 * sigma**2) + beta / 2 * (s**2 - 2 * s.log() - 1)).sum())


@exercise
def slerp(answer: Callable) -> str:
    """04.3 (a (D,), b (D,), t (T,)) to points on the arc from a to b, (T, D)."""
    generator = torch.Generator().manual_seed(0)
    praise = {}
    for kind in ("acute", "obtuse"):
        a, b = torch.randn(2, 20, generator=generator, dtype=torch.float64)
        b = b * torch.sign(a @ b) * (1 if kind == "acute" else -1)
        praise[kind] = _on_arc(answer, a, b)
    return praise["obtuse"]


def _on_arc(answer: Callable, a: torch.Tensor, b: torch.Tensor) -> str:
    """The praise for the points between a and b."""
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
        "the directions are right; the lengths should be those of the two equations, not 1.": unit,
    }
    if float(b @ e1) < 0:
        acute = math.pi - angle
        alpha, gamma = (torch.sin(share * acute)[:, None] / sine for share in (1 - t, t))
        hints["the angle between them is obtuse: keep the sign of its cosine."] = alpha * a + gamma * b
    if near(got, lengths[:, None] * unit, 1e-6):
        return "on the arc, with lengths in between."
    known_slips(got, shoemake, hints, 1e-6)
    if not near(got, shoemake, 1e-6):
        raise Wrong(f"at t = 0.25 the first entry should be {shoemake[1, 0]:.4f}, and is {got[1, 0]:.4f}.")
    return "on the arc from a to b."
