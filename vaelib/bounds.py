"""Bounds on log p(x)."""

from typing import NamedTuple

import torch
from torch import nn


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
