"""Gaussians over latents and likelihoods over images, written out.

Every log-probability and KL is per example and in nats: the event dimensions are summed, the batch is left to the caller.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

LOG_2PI = math.log(2 * math.pi)


class DiagGaussian(NamedTuple):
    """N(z; mean, diag exp(2 log_std)), the encoder's q(z|x) (VAE-2; Kingma & Welling 2014, section 3).

    mean: (..., D).  log_std: (..., D), the natural log of the standard deviation (not of the variance).
    """

    mean: torch.Tensor
    log_std: torch.Tensor

    def rsample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """z = mean + std * eps with eps ~ N(0, I) (VAE-1): a draw (..., D) that gradients flow through."""
        eps = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.log_std.exp() * eps

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        """log N(z) = -1/2 sum_d [((z - mean)/std)^2 + 2 log_std + log 2 pi], nats (VAE-2).

        Args:
            z: (..., D); leading dimensions broadcast against the parameters'.

        Raises:
            ValueError: the last dimension is not D.
        """
        self._check(z.shape, "z")
        squares = ((z - self.mean) * torch.exp(-self.log_std)).square()
        return -0.5 * (squares + 2 * self.log_std + LOG_2PI).sum(-1)

    def kl(self, other: "DiagGaussian | None" = None) -> torch.Tensor:
        """KL(self || other) in nats, (...,); ``other`` None is the prior N(0, I) (ELBO-13; Kingma & Welling 2014, appendix B).

        KL = sum_d [log s_o - log s + (s^2 + (m - m_o)^2) / (2 s_o^2) - 1/2], with m, s of self and m_o, s_o of other.

        Raises:
            ValueError: the two have another number of dimensions.
        """
        if other is None:
            return 0.5 * (self.mean.square() + torch.exp(2 * self.log_std) - 2 * self.log_std - 1).sum(-1)
        self._check(other.mean.shape, "the other Gaussian")
        spread = torch.exp(2 * self.log_std) + (self.mean - other.mean).square()
        return (other.log_std - self.log_std + 0.5 * spread * torch.exp(-2 * other.log_std) - 0.5).sum(-1)

    def _check(self, shape: torch.Size, what: str) -> None:
        if shape[-1:] != self.mean.shape[-1:]:
            raise ValueError(
                f"{what} has shape {tuple(shape)} and the Gaussian {tuple(self.mean.shape)}: the last dimensions must agree."
            )


class Bernoulli(NamedTuple):
    """Independent black-or-white pixels: p(x_i = 1) = sigmoid(logits_i).  logits: (..., C, H, W)."""

    logits: torch.Tensor

    @property
    def mean(self) -> torch.Tensor:
        """Probability of white per pixel, (..., C, H, W) in [0, 1]."""
        return torch.sigmoid(self.logits)

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw every pixel: float zeros and ones, (..., C, H, W)."""
        mean = self.mean
        return (torch.rand(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype) < mean).to(mean.dtype)

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """log p(x) = sum_i [x_i l_i - log(1 + exp l_i)] with logits l, nats, (...,): minus the summed BCE (ELBO-14).

        Written in logits, it needs no clamp (ELBO-15). For pixels between 0 and 1 it is the expected log-probability of
        their binarization, not the log-probability of the grey image.

        Args:
            x: float (..., C, H, W) in [0, 1]; leading dimensions broadcast.

        Raises:
            ValueError: wrong shape or dtype, or (seen on the CPU only: looking would stall a GPU) values outside [0, 1].
        """
        _check_image(x, self.logits)
        if x.device.type == "cpu" and x.numel():
            low, high = (float(v) for v in torch.aminmax(x))
            if not 0 <= low <= high <= 1:
                raise ValueError(
                    f"a Bernoulli likelihood takes pixels in [0, 1], and got {low:g} to {high:g}: use data.as_float on 0 to 255."
                )
        return (x * self.logits - F.softplus(self.logits)).sum((-3, -2, -1))


class Gaussian(NamedTuple):
    """Independent real-valued pixels, N(x_i; mean_i, exp(2 log_std_i)) (VAE-2).

    mean: (..., C, H, W).  log_std: the same shape, or one that broadcasts to it.
    """

    mean: torch.Tensor
    log_std: torch.Tensor

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw every pixel: float (..., C, H, W)."""
        eps = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + self.log_std.exp() * eps

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """log p(x) in nats, (...,): minus the summed squared error / (2 std^2), minus log std and log(2 pi)/2 a pixel (ELBO-14).

        Args:
            x: float (..., C, H, W); leading dimensions broadcast.

        Raises:
            ValueError: wrong shape or dtype.
        """
        _check_image(x, self.mean)
        log_std = self.log_std.expand_as(self.mean)
        return DiagGaussian(self.mean.flatten(-3), log_std.flatten(-3)).log_prob(x.flatten(-3))


def _check_image(x: torch.Tensor, parameter: torch.Tensor) -> None:
    if x.dim() < 3 or x.shape[-3:] != parameter.shape[-3:]:
        raise ValueError(
            f"images of shape {tuple(x.shape)} were given to a likelihood over {tuple(parameter.shape)}: "
            "the last three dimensions (C, H, W) must agree."
        )
    if not x.is_floating_point():
        raise ValueError(f"a likelihood takes float images, and got {x.dtype}: use data.as_float first.")
