"""Estimators of the gradient of an expectation, d/d phi E_q[f(z)] with z ~ q(z; phi), and samplers of discrete latents.

Every estimator is called as ``estimator(log_q, f, sample, params, eps)``:

    log_q(params, z): log q(z; phi).            f(params, z): the integrand, which may depend on phi too.
    sample(params, eps): noise to z ~ q.        params: dict of tensors, the phi to differentiate by.
    eps: noise (N, K, ...), for N independent estimates of K draws each.

The three functions take K draws at once, along the first dimension, and log_q and f return one value a draw, (K,), or (K, B) for
B examples with a z each. An estimate is the gradient of the mean over draws and examples. The result is a dict like ``params``
with N estimates along the first dimension of each tensor. All N come from one pass of torch.func; ``chunk`` bounds its memory.

Each estimator raises ValueError when eps has no N or no K.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.func import grad, vmap

from vaelib.distributions import gumbel as gumbel  # the eps of the three samplers of discrete latents below

Params = dict[str, torch.Tensor]
Density = Callable[[Params, torch.Tensor], torch.Tensor]


def score_function(
    log_q: Density,
    f: Density,
    sample: Density,
    params: Params,
    eps: torch.Tensor,
    baseline: float | Params = 0.0,
    chunk: int | None = None,
) -> Params:
    """(f(z) - b) grad log q(z) + grad f(z): the log-derivative trick (G-4, G-6), also called REINFORCE (Williams 1992).

    Unbiased for every constant b, since E[grad log q] = 0 (G-5). It needs no gradient through z, so z may be discrete.

    Args:
        baseline: b, one number, or a dict like ``params`` with a number for each parameter. It must not depend on ``eps``.
    """

    def weighted(phi: Params, eps: torch.Tensor) -> torch.Tensor:
        z = sample(params, eps)  # params, not phi: no gradient goes through the draw
        return (_matched(f(params, z), log_q(phi, z)) * log_q(phi, z) + f(phi, z)).mean()

    constant = baseline if isinstance(baseline, dict) else dict.fromkeys(params, baseline)
    estimates = _estimates(weighted, params, eps, chunk)
    if all(isinstance(b, (int, float)) and b == 0 for b in constant.values()):
        return estimates
    score = scores(log_q, f, sample, params, eps, chunk)
    return {name: estimates[name] - constant[name] * score[name] for name in params}


def scores(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """grad log q(z) alone, whose mean is 0 (G-5): what a baseline multiplies."""
    return _estimates(lambda phi, eps: log_q(phi, sample(params, eps)).mean(), params, eps, chunk)


def optimal_baseline(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """For each parameter the b with the least variance, Cov(f s, s) / Var(s), s = grad log q (G-10; Greensmith et al. 2004).

    For one example this is E[f s^2] / E[s^2]. A parameter whose score is always 0 gets 0.

    Args:
        eps: pilot draws (N, K, ...), N at least 2. Use others for the estimates: a baseline that has seen its own draws biases them.

    Returns:
        a dict like ``params``, of the same shapes.
    """
    if len(eps) < 2:
        raise ValueError(
            f"eps of shape {tuple(eps.shape)} was given: a baseline is fitted to at least 2 pilot estimates."
        )
    weighted = score_function(log_q, f, sample, params, eps, chunk=chunk)
    score = scores(log_q, f, sample, params, eps, chunk)
    best = {}
    for name, s in score.items():
        centred = s - s.mean(0)
        variance = centred.square().mean(0)
        slope = (centred * weighted[name]).mean(0) / variance
        best[name] = torch.where(variance > 0, slope, torch.zeros_like(slope))
    return best


def leave_one_out(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """The score function with the mean f of the other K - 1 draws as each draw's baseline (G-10; Kool et al. 2019, "RLOO").

    Raises:
        ValueError: K < 2.
    """
    draws = _draws(eps)
    if draws < 2:
        raise ValueError(
            "leave_one_out was given K = 1 draw for an estimate: it compares each with the others, so use K ≥ 2."
        )

    def surrogate(phi: Params, eps: torch.Tensor) -> torch.Tensor:
        z = sample(params, eps)
        values = _matched(f(params, z), log_q(params, z))
        others = (values.sum(0) - values) / (draws - 1)
        return ((values - others) * log_q(phi, z) + f(phi, z)).mean()

    return _estimates(surrogate, params, eps, chunk)


def pathwise(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """grad f(g(eps, phi)): differentiate through the draw z = g(eps, phi) (G-7; Kingma & Welling 2014, section 2.4).

    ``sample`` must be differentiable. With a relaxed sampler it is the gradient of the relaxation, and biased for f (G-11).
    """
    return _estimates(lambda phi, eps: f(phi, sample(phi, eps)).mean(), params, eps, chunk)


def path_derivative(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """pathwise without the part of grad f that does not go through z (G-10; Roeder et al. 2017, "sticking the landing").

    Unbiased when phi enters f only as - log q(z; phi), since E[grad log q] = 0; it is then 0, draw by draw, where q is the posterior.
    """
    return _estimates(lambda phi, eps: f(params, sample(phi, eps)).mean(), params, eps, chunk)


def exact(log_q: Density, f: Density, params: Params, states: torch.Tensor) -> Params:
    """grad sum_z q(z) f(z), by enumeration of a discrete z (G-11): the gradient itself, shaped like ``params``.

    Args:
        states: every value of z, along the first dimension.

    Raises:
        ValueError: the probabilities of ``states`` do not add up to 1.
    """
    total = log_q(params, states).exp().sum(0)
    if not bool(((total - 1).abs() < 1e-4).all()):
        raise ValueError(
            f"the probabilities of the {len(states)} states add up to {float(total.flatten()[0]):.6g}, not 1: give each value of z once."
        )
    return grad(lambda phi: (log_q(phi, states).exp() * f(phi, states)).sum(0).mean())(params)


def categorical(logits: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """A draw from softmax(logits) as a one-hot vector: the largest of logits + Gumbel noise (Gumbel 1954). No gradient.

    Args:
        logits: (..., C).  eps: Gumbel noise (..., C).
    """
    best = (logits + eps).argmax(-1, keepdim=True)
    return (torch.arange(logits.shape[-1], device=logits.device) == best).to(logits.dtype)


def straight_through(logits: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """``categorical`` forward, the gradient of softmax(logits) backward (G-11; Bengio et al. 2013): biased."""
    probs = F.softmax(logits, -1)
    return categorical(logits, eps) + probs - probs.detach()


def gumbel_softmax(logits: torch.Tensor, eps: torch.Tensor, temperature: float) -> torch.Tensor:
    """softmax((logits + eps) / temperature): a draw softened to a point of the simplex (G-11; Jang et al. 2017, eq. 2).

    A low temperature comes near ``categorical``, with little bias and much variance; a high one the other way round.

    Raises:
        ValueError: temperature not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature={temperature} was given: it is above 0 (0.1 to 2 are usual).")
    return F.softmax((logits + eps) / temperature, -1)


def _draws(eps: torch.Tensor) -> int:
    """K, once eps is known to have N and K."""
    if eps.dim() < 2 or 0 in eps.shape[:2]:
        raise ValueError(
            f"eps of shape {tuple(eps.shape)} was given: noise is (N, K, ...), N ≥ 1 estimates of K ≥ 1 draws."
        )
    return eps.shape[1]


def _matched(values: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """values, once they are known to be one for each z: (K,) against (K, B) would broadcast to something else."""
    if values.shape != log_q.shape:
        raise ValueError(
            f"f gave shape {tuple(values.shape)} and log_q {tuple(log_q.shape)}: both give one value for each z."
        )
    return values


def _estimates(surrogate: Callable, params: Params, eps: torch.Tensor, chunk: int | None) -> Params:
    _draws(eps)
    return vmap(grad(surrogate), in_dims=(None, 0), chunk_size=chunk)(params, eps)
