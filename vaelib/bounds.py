"""Bounds on log p(x)."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vaelib.distributions import DiagGaussian
from vaelib.outside import given


class ElboTerms(NamedTuple):
    """The two terms of the ELBO, per example, in nats.

    log_px: log p(x|z) at one draw z ~ q(z|x), (B,).  kl: KL(q(z|x) || p(z)) in closed form, (B,).
    """

    log_px: torch.Tensor
    kl: torch.Tensor

    @property
    def elbo(self) -> torch.Tensor:
        """ELBO = log_px - kl, (B,): an unbiased estimate of a lower bound on log p(x) (ELBO-10).

        Raises:
            ValueError: the two are no float tensors of one shape.
        """
        given.tensor("log_px", self.log_px)
        given.tensor("kl", self.kl, self.log_px.shape, on=self.log_px.device)
        return self.log_px - self.kl


def elbo(model: nn.Module, x: torch.Tensor, generator: torch.Generator | None = None) -> ElboTerms:
    """One-sample estimate of E_q[log p(x|z)] - KL(q(z|x) || N(0, I)) (ELBO-10; Kingma & Welling 2014, eq. 10).

    Args:
        model: anything with ``encode(x) -> DiagGaussian`` and ``decode(z) -> likelihood``.
        x: float images (B, C, H, W) in [0, 1]. NaN gives NaN, or is refused by the model.
        generator: on the device of ``x``.

    Raises:
        ValueError: an argument is something else, or the model does not give one KL and one log p(x|z) for each image.
    """
    q = _encoded(model, x)
    kl = given.tensor("model.encode(x).kl()", q.kl(), (len(x),))
    return ElboTerms(_log_px(model, q.rsample(generator), x), kl)


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
        ValueError: K < 1, or as for ``elbo``.
    """
    q = _encoded(model, x, q)
    z = _draws(q, samples, generator)
    log_q = given.tensor("q.log_prob(z)", q.log_prob(z), (len(z), len(x)))
    log_px = _log_px(model, z, x)
    return log_px + _prior(q).log_prob(z) - log_q, log_px


def iw_bound(model: nn.Module, x: torch.Tensor, samples: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """One estimate of L_K = E[log 1/K sum_k p(x, z_k) / q(z_k|x)], z_k ~ q(z|x), (B,) in nats (ELBO-16; Burda et al. 2016, eq. 8).

    L_1 is the ELBO, L_K never falls as K grows, and it tends to log p(x).

    Args:
        model, x, generator: as for ``elbo``.
        samples: K, at least 1; all K draws of all B examples are decoded at once (``evaluate.nll`` goes piece by piece).

    Raises:
        ValueError: K < 1, or as for ``elbo``.
    """
    log_weight, _ = log_weights(model, x, samples, generator)
    return torch.logsumexp(log_weight, 0) - math.log(samples)


def iw_surrogate(
    model: nn.Module, x: torch.Tensor, samples: int, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Something to maximise, (B,): its *gradient* estimates that of L_K without bias, its value is not L_K (Tucker et al. 2019).

    The doubly reparameterized gradient: the score of q is left out, and what reaches the encoder through z_k is weighted by
    (w_k / sum w)^2, which changes nothing in expectation. The encoder's gradient has less variance than that of ``iw_bound``
    and does not drown in noise as K grows. At K = 1 it is the path derivative of the ELBO (G-10).

    The arguments and errors are those of ``iw_bound``.
    """
    q = _encoded(model, x)
    z = _draws(q, samples, generator)
    held = DiagGaussian(q.mean.detach(), q.log_std.detach())
    log_q = given.tensor("q.log_prob(z)", held.log_prob(z), (samples, len(x)))
    log_weight = _log_px(model, z, x) + _prior(q).log_prob(z) - log_q
    share = torch.softmax(log_weight.detach(), 0)
    if z.requires_grad:
        z.register_hook(lambda gradient: (share[..., None] * gradient).to(gradient.dtype))
    return (share * log_weight).sum(0)


def _encoded(model: nn.Module, x: torch.Tensor, q: DiagGaussian | None = None) -> DiagGaussian:
    given.having("model", model, "encode", "decode")
    given.tensor("x", x, ("B", "C", "H", "W"), cure=given.AS_FLOAT)
    if q is not None:
        return given.instance("q", q, DiagGaussian)
    return given.instance("model.encode(x)", model.encode(x), DiagGaussian)


def _log_px(model: nn.Module, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """log p(x|z), once it is known to be one number for each z: others would broadcast to something else."""
    log_px = given.having("model.decode(z)", model.decode(z), "log_prob").log_prob(x)
    return given.tensor("model.decode(z).log_prob(x)", log_px, z.shape[:-1])


def _draws(q: DiagGaussian, samples: int, generator: torch.Generator | None) -> torch.Tensor:
    samples = given.whole("samples", samples, 1)
    return DiagGaussian(*(part.expand(samples, *part.shape) for part in q._parameters())).rsample(generator)


def _prior(q: DiagGaussian) -> DiagGaussian:
    return DiagGaussian(torch.zeros_like(q.mean), torch.zeros_like(q.mean))
