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


class Categorical(NamedTuple):
    """One of K unordered levels for each channel of each pixel: p(x = k) = softmax(logits)_k.

    logits: (B, K, C, H, W), or (B, K, C) for one pixel; K is the second dimension, where PyTorch's cross-entropy wants it.
    """

    logits: torch.Tensor

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """log p(x) = sum_i log softmax(logits_i)[x_i], nats, (B,).

        Args:
            x: integers from 0 to K - 1, (B, C, H, W).

        Raises:
            ValueError: wrong shape or dtype.
        """
        _check_levels(x, self.logits[:, 0])
        return -F.cross_entropy(self.logits, x.long(), reduction="none").flatten(1).sum(1)

    def sample(
        self, generator: torch.Generator | None = None, temperature: float = 1.0, eps: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Draw every pixel: int64 (B, C, H, W), by the Gumbel-max trick of notebook 03.

        Args:
            temperature: the noise is multiplied by it, which is as good as dividing the logits: below 1 favours likely levels.
            eps: standard Gumbel noise to use, K * C numbers for a pixel: (B, K * C, H, W).
        """
        if eps is None:
            eps = gumbel(self.logits.shape, generator, self.logits.device, self.logits.dtype)
        if temperature != 1:
            eps = temperature * eps
        return (self.logits + eps.view(self.logits.shape)).argmax(1)


class DiscretizedLogisticMixture(NamedTuple):
    """Ordered intensities: a mixture of M logistic densities, each cut into cells of one level (AR-5; Salimans et al. 2017, eq. 1-3).

    Levels 0 ... L - 1 stand at v = 2 x / (L - 1) - 1, from -1 to 1, and own the cell of width 2 / (L - 1) around it, the first and
    the last one all that lies beyond as well. With s the logistic function, P(x | mean, scale) = s((v + half - mean) / scale)
    - s((v - half - mean) / scale). A pixel's channels share the component; channel c's mean is
    mean_c + sum_{k < c} coefficient_ck v_k, which ties colours together.

    logit_weights: (B, M, H, W).  means, log_scales: (B, M, C, H, W), in units of v.  coefficients: (B, M, C (C - 1) / 2, H, W), in
    the order (1,0), (2,0), (2,1), ....  levels: L.  All without H, W for one pixel.
    """

    logit_weights: torch.Tensor
    means: torch.Tensor
    log_scales: torch.Tensor
    coefficients: torch.Tensor
    levels: int

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """log p(x) in nats, (B,), exact and finite however far x lies from every mean.

        s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)): three factors, of which each has a logarithm that neither cancels nor overflows.

        Args:
            x: integers from 0 to L - 1, (B, C, H, W).

        Raises:
            ValueError: wrong shape or dtype.
        """
        _check_levels(x, self.means[:, 0])
        x = x[:, None]
        v = 2 * x.to(self.means.dtype) / (self.levels - 1) - 1
        precision = torch.exp(-self.log_scales)
        means = torch.stack([self._mean(c, v) for c in range(self.means.shape[2])], 2)
        half = 1 / (self.levels - 1)
        upper, lower = (v + half - means) * precision, (v - half - means) * precision
        first, last = x == 0, x == self.levels - 1
        log_cell = F.logsigmoid(upper).masked_fill(last, 0) + F.logsigmoid(-lower).masked_fill(first, 0)
        log_cell = log_cell + torch.log(-torch.expm1(-2 * half * precision)).masked_fill(first | last, 0)
        log_mixture = torch.log_softmax(self.logit_weights, 1) + log_cell.sum(2)
        return torch.logsumexp(log_mixture, 1).flatten(1).sum(1)

    def sample(
        self, generator: torch.Generator | None = None, temperature: float = 1.0, eps: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Draw every pixel: int64 (B, C, H, W). A component, then channel after channel a logistic number, put into its cell.

        Args:
            temperature: the noise is multiplied by it, as if weights' logits were divided and scales multiplied: 1 is exact.
            eps: standard Gumbel noise to use, M + 2 C numbers for a pixel, (B, M + 2 C, H, W); two of them differ by a logistic one.
        """
        mixtures, channels = self.means.shape[1:3]
        if eps is None:
            shape = (len(self.means), mixtures + 2 * channels, *self.means.shape[3:])
            eps = gumbel(shape, generator, self.means.device, self.means.dtype)
        eps = eps * temperature
        chosen = (self.logit_weights + eps[:, :mixtures]).argmax(1, keepdim=True)[:, :, None]

        def of_chosen(t: torch.Tensor) -> torch.Tensor:
            return t.gather(1, chosen.expand(-1, -1, *t.shape[2:]))

        one = self._replace(means=of_chosen(self.means), coefficients=of_chosen(self.coefficients))
        noise = eps[:, mixtures : mixtures + channels] - eps[:, mixtures + channels :]
        noise = noise * of_chosen(self.log_scales)[:, 0].exp()
        v, levels = torch.zeros_like(one.means), []
        for c in range(channels):
            value = one._mean(c, v)[:, 0] + noise[:, c]
            levels.append(((value + 1) * (self.levels - 1) / 2).round().clamp(0, self.levels - 1))
            v[:, 0, c] = 2 * levels[-1] / (self.levels - 1) - 1
        return torch.stack(levels, 1).long()

    def _mean(self, c: int, v: torch.Tensor) -> torch.Tensor:
        """Channel c's means, given the channels before it: (B, M, H, W)."""
        mean = self.means[:, :, c]
        for k in range(c):
            mean = mean + self.coefficients[:, :, c * (c - 1) // 2 + k] * v[:, :, k]
        return mean


def gumbel(
    shape: tuple[int, ...],
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Standard Gumbel noise, -log(-log u) with u uniform: the largest of logits + noise is a draw from their softmax."""
    u = torch.rand(shape, generator=generator, device=device, dtype=dtype)
    return u.clamp_(min=torch.finfo(u.dtype).tiny).log_().neg_().log_().neg_()


def _check_levels(x: torch.Tensor, like: torch.Tensor) -> None:
    if x.shape != like.shape or x.is_floating_point() or x.dtype == torch.bool:
        raise ValueError(
            f"pixels {tuple(x.shape)} of {x.dtype} were given to a likelihood over integers of shape {tuple(like.shape)}: "
            "use levels from 0, such as 0 to 255."
        )


def _check_image(x: torch.Tensor, parameter: torch.Tensor) -> None:
    if x.dim() < 3 or x.shape[-3:] != parameter.shape[-3:]:
        raise ValueError(
            f"images of shape {tuple(x.shape)} were given to a likelihood over {tuple(parameter.shape)}: "
            "the last three dimensions (C, H, W) must agree."
        )
    if not x.is_floating_point():
        raise ValueError(f"a likelihood takes float images, and got {x.dtype}: use data.as_float first.")
