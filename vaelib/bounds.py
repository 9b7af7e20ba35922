"""Bounds on log p(x)."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vaelib.distributions import DiagGaussian


class ElboTerms(NamedTuple):
    """The two terms of the ELBO, per example, in nats.

    log_px: log p(x|z) at one draw z ~ q(z|x), (B,).  kl: KL(q(z|x) || p(z)) in closed form, (B,).
    """

    log_px: torch.Tensor
    kl: torch.Tensor

    @property
    def elbo(self) -> torch.Tensor:
        """ELBO = log_px - kl, (B,): an unbiased estimate of a lower bound on log p(x) (ELBO-10)."""
        return self.log_px - self.kl


def elbo(model: nn.Module, x: torch.Tensor, generator: torch.Generator | None = None) -> ElboTerms:
    """One-sample estimate of E_q[log p(x|z)] - KL(q(z|x) || N(0, I)) (ELBO-10; Kingma & Welling 2014, eq. 10).

    Args:
        model: anything with ``encode(x) -> DiagGaussian`` and ``decode(z) -> likelihood``.
        x: float images (B, C, H, W) in [0, 1].
        generator: on the device of ``x``.
    """
    q = model.encode(x)
    return ElboTerms(model.decode(q.rsample(generator)).log_prob(x), q.kl())


def log_weights(
    model: nn.Module,
    x: torch.Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    q: DiagGaussian | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """log w_k = log p(x|z_k) + log p(z_k) - log q(z_k|x) at ``samples`` draws z_k ~ q(z|x); E[w] = p(x) (ELBO-16).

    Args:
        model, x, generator: as for ``elbo``.
        samples: K, at least 1; all K draws of all B examples are decoded at once.
        q: ``model.encode(x)``, where the caller has it already.

    Returns:
        log w and its part log p(x|z_k), each (K, B) in nats.

    Raises:
        ValueError: K < 1.
    """
    if samples < 1:
        raise ValueError(f"samples={samples} was given: the bound averages over at least 1 draw.")
    q = model.encode(x) if q is None else q
    z = DiagGaussian(*(part.expand(samples, *part.shape) for part in q)).rsample(generator)
    prior = DiagGaussian(torch.zeros_like(q.mean), torch.zeros_like(q.mean))
    log_px = model.decode(z).log_prob(x)
    return log_px + prior.log_prob(z) - q.log_prob(z), log_px


def iw_bound(model: nn.Module, x: torch.Tensor, samples: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """One estimate of L_K = E[log 1/K sum_k p(x, z_k) / q(z_k|x)], z_k ~ q(z|x), (B,) in nats (ELBO-16; Burda et al. 2016, eq. 8).

    L_1 is the ELBO, L_K never falls as K grows, and it tends to log p(x).

    Args:
        model, x, generator: as for ``elbo``.
        samples: K, at least 1; all K draws of all B examples are decoded at once (``evaluate.nll`` goes piece by piece).

    Raises:
        ValueError: K < 1.
    """
    log_weight, _ = log_weights(model, x, samples, generator)
    return torch.logsumexp(log_weight, 0) - math.log(samples)
