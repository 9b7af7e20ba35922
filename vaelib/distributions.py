"""Gaussians over latents and likelihoods over images, written out.

Every log-probability and KL is per example and in nats: the event dimensions are summed, the batch is left to the caller.

All is computed in float32 at least, also of bfloat16 and float16, as autocast leaves them: with three digits a KL near the prior
comes out negative, a rare level is never drawn. Parameters and x lie on one device. NaN gives NaN; where a draw would hide it, it
is refused (seen on the CPU only: looking would stall a GPU).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from vaelib.outside import given

LOG_2PI = math.log(2 * math.pi)
_LARGEST = torch.finfo(torch.float64).max


class DiagGaussian(NamedTuple):
    """N(z; mean, diag exp(2 log_std)), the encoder's q(z|x) (VAE-2; Kingma & Welling 2014, section 3).

    mean, log_std: float, (..., D) or shapes that broadcast to it; log_std is the natural log of the standard deviation (not of the
    variance). Every method raises ValueError if they are something else.
    """

    mean: torch.Tensor
    log_std: torch.Tensor

    def rsample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """z = mean + std * eps with eps ~ N(0, I) (VAE-1): a draw (..., D) that gradients flow through.

        Args:
            generator: on the device of the parameters.
        """
        return _normal(*self._parameters(), generator)

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        """log N(z) = -1/2 sum_d [((z - mean)/std)^2 + 2 log_std + log 2 pi], nats (VAE-2).

        Args:
            z: float (..., D); leading dimensions broadcast against the parameters'.

        Raises:
            ValueError: the last dimension is not D, or the leading ones do not broadcast.
        """
        mean, log_std = self._parameters()
        _matching("z", z, "mean", mean, 1)
        squares = ((z - mean) * torch.exp(-log_std)).square()
        return -0.5 * (squares + 2 * log_std + LOG_2PI).sum(-1)

    def kl(self, other: "DiagGaussian | None" = None) -> torch.Tensor:
        """KL(self || other) in nats, (...,); ``other`` None is the prior N(0, I) (ELBO-13; Kingma & Welling 2014, appendix B).

        KL = 1/2 sum_d [((m - m_o) / s_o)^2 + (s / s_o)^2 - 1 - 2 log(s / s_o)], with m, s of self and m_o, s_o of other.

        Raises:
            ValueError: the two have another number of dimensions, or leading ones that do not broadcast.
        """
        mean, log_std = self._parameters()
        if other is not None:
            if not isinstance(other, DiagGaussian):
                raise given.refuse("other", other, "a DiagGaussian, or None for the prior N(0, I)")
            other_mean, other_log_std = other._parameters()
            _matching("other.mean", other_mean, "mean", mean, 1)
            mean, log_std = (mean - other_mean) * torch.exp(-other_log_std), log_std - other_log_std
        # expm1, since exp(2 log_std) - 1 has few digits left near the prior, and then the KL can be negative
        return 0.5 * (mean.square() + torch.expm1(2 * log_std) - 2 * log_std).sum(-1)

    def _parameters(self) -> tuple[torch.Tensor, torch.Tensor]:
        return _location_and_scale(self.mean, self.log_std, (..., "D"))


class Bernoulli(NamedTuple):
    """Independent black-or-white pixels: p(x_i = 1) = sigmoid(logits_i).

    logits: float (..., C, H, W). The methods and ``mean`` raise ValueError if they are something else.
    """

    logits: torch.Tensor

    @property
    def mean(self) -> torch.Tensor:
        """Probability of white per pixel, (..., C, H, W) in [0, 1]."""
        return torch.sigmoid(self._logits())

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw every pixel: float zeros and ones, (..., C, H, W).

        Args:
            generator: on the device of the logits.
        """
        mean = self.mean
        given.within("logits", mean, 0, 1, "numbers without NaN")
        generator = given.generator("generator", generator, mean.device)
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
        logits = self._logits()
        _images(x, "logits", logits)
        given.within("x", x, 0, 1, "pixels in [0, 1], as data.as_float makes of 0 to 255")
        return (x * logits - F.softplus(logits)).sum((-3, -2, -1))

    def _logits(self) -> torch.Tensor:
        return _full(given.tensor("logits", self.logits, (..., "C", "H", "W")))


class Gaussian(NamedTuple):
    """Independent real-valued pixels, N(x_i; mean_i, exp(2 log_std_i)) (VAE-2).

    mean, log_std: float, (..., C, H, W) or shapes that broadcast to it, such as () for one log-std of all pixels. Every method
    raises ValueError if they are something else.
    """

    mean: torch.Tensor
    log_std: torch.Tensor

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw every pixel: float (..., C, H, W).

        Args:
            generator: on the device of the parameters.
        """
        return _normal(*self._parameters(), generator)

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """log p(x) in nats, (...,): minus the summed squared error / (2 std^2), minus log std and log(2 pi)/2 a pixel (ELBO-14).

        Args:
            x: float (..., C, H, W); leading dimensions broadcast.

        Raises:
            ValueError: wrong shape or dtype.
        """
        mean, log_std = self._parameters()
        _images(x, "mean", mean)
        return DiagGaussian(mean.flatten(-3), log_std.flatten(-3)).log_prob(x.flatten(-3))

    def _parameters(self) -> tuple[torch.Tensor, torch.Tensor]:
        return _location_and_scale(self.mean, self.log_std, (..., "C", "H", "W"))


class Categorical(NamedTuple):
    """One of K unordered levels for each channel of each pixel: p(x = k) = softmax(logits)_k.

    logits: float (B, K, C, H, W), or (B, K, C) for one pixel; K is the second dimension, where PyTorch's cross-entropy wants it.
    Both methods raise ValueError if they are something else.
    """

    logits: torch.Tensor

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """log p(x) = sum_i log softmax(logits_i)[x_i], nats, (B,).

        Args:
            x: integers from 0 to K - 1, (B, C, H, W).

        Raises:
            ValueError: wrong shape or dtype, or (seen on the CPU only) a level out of range.
        """
        logits = self._logits()
        _levels(x, "logits", logits[:, 0], logits.shape[1])
        # by default a level of -100 would count for nothing; no level is this number
        nothing = torch.iinfo(torch.int64).min
        return -F.cross_entropy(logits, x.long(), ignore_index=nothing, reduction="none").flatten(1).sum(1)

    def sample(
        self, generator: torch.Generator | None = None, temperature: float = 1.0, eps: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Draw every pixel: int64 (B, C, H, W), by the Gumbel-max trick of notebook 03.

        Args:
            generator: on the device of the logits.
            temperature: the noise is multiplied by it, which is as good as dividing the logits: below 1 favours likely levels; above 0.
            eps: standard Gumbel noise to use, K * C numbers for a pixel: (B, K * C, H, W).
        """
        logits = self._logits()
        B, K, C, *at = logits.shape
        given.within("logits", logits, -math.inf, _LARGEST, "numbers, or minus infinity for a level that cannot be")
        eps = _noise((B, K * C, *at), "logits", logits, generator, temperature, eps)
        return Categorical(logits)._draw(eps)

    def _draw(self, eps: torch.Tensor) -> torch.Tensor:
        """``sample`` without a look at what it is given, for a loop over pixels."""
        return (self.logits + eps.view(self.logits.shape)).argmax(1)

    def _logits(self) -> torch.Tensor:
        return _pixels("logits", self.logits, "K")


class DiscretizedLogisticMixture(NamedTuple):
    """Ordered intensities: a mixture of M logistic densities, each cut into cells of one level (AR-5; Salimans et al. 2017, eq. 1-3).

    Levels 0 ... L - 1 stand at v = 2 x / (L - 1) - 1, from -1 to 1, and own the cell of width 2 / (L - 1) around it, the first and
    the last one all that lies beyond as well. With s the logistic function, P(x | mean, scale) = s((v + half - mean) / scale)
    - s((v - half - mean) / scale). A pixel's channels share the component; channel c's mean is
    mean_c + sum_{k < c} coefficient_ck v_k, which ties colours together.

    logit_weights: float (B, M, H, W).  means, log_scales: (B, M, C, H, W), in units of v.  coefficients: (B, M, C (C - 1) / 2, H, W)
    or more of them, in the order (1,0), (2,0), (2,1), ....  levels: L, 2 to 2^24.  All without H, W for one pixel. Both methods
    raise ValueError if they are something else. In log p a component with an infinite number has no part.
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
            ValueError: wrong shape or dtype, or (seen on the CPU only) a level out of range.
        """
        self = self._checked()
        _levels(x, "means", self.means[:, 0], self.levels)
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
            generator: on the device of the parameters.
            temperature: the noise is multiplied by it, as if weights' logits were divided and scales multiplied: 1 is exact; above 0.
            eps: standard Gumbel noise to use, M + 2 C numbers for a pixel, (B, M + 2 C, H, W); two of them differ by a logistic one.
        """
        self = self._checked()
        B, M, C, *at = self.means.shape
        shape = (B, M + 2 * C, *at)
        for name, part in zip(self._fields[:4], self[:4], strict=True):
            given.finite(name, part)
        return self._draw(_noise(shape, "means", self.means, generator, temperature, eps))

    def _draw(self, eps: torch.Tensor) -> torch.Tensor:
        """``sample`` without a look at what it is given, for a loop over pixels."""
        mixtures, channels = self.means.shape[1:3]
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

    def _checked(self) -> "DiscretizedLogisticMixture":
        """The same in float32 at least, once its parts are known to fit: many that do not would broadcast."""
        means = _pixels("means", self.means, "M")
        (B, M, C, *at), pairs = means.shape, means.shape[2] * (means.shape[2] - 1) // 2
        given.tensor("logit_weights", self.logit_weights, (B, M, *at), on=means.device, beside="means")
        given.tensor("log_scales", self.log_scales, (B, M, C, *at), on=means.device, beside="means")
        shape = (B, M, "C (C - 1) / 2", *at)
        if given.tensor("coefficients", self.coefficients, shape, on=means.device, beside="means").shape[2] < pairs:
            raise given.refuse("coefficients", self.coefficients, f"C (C - 1) / 2 = {pairs} of them for a pixel")
        parts = (_full(part) for part in (self.logit_weights, means, self.log_scales, self.coefficients))
        return DiscretizedLogisticMixture(*parts, given.whole("levels", self.levels, 2, 2**24))

    def _mean(self, c: int, v: torch.Tensor) -> torch.Tensor:
        """Channel c's means, given the channels before it: (B, M, H, W)."""
        mean = self.means[:, :, c]
        for k in range(c):
            mean = mean + self.coefficients[:, :, c * (c - 1) // 2 + k] * v[:, :, k]
        return mean


def gumbel(
    shape: Sequence[int],
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Standard Gumbel noise, -log(-log u) with u uniform: the largest of logits + noise is a draw from their softmax.

    Args:
        shape: whole numbers.
        generator: on ``device``.
        device, dtype: as in ``torch.rand``; a float type.

    Raises:
        ValueError: an argument is something else.
    """
    shape = given.sizes("shape", shape, least=0)
    try:
        where = torch.empty(0, device=device).device
    except (RuntimeError, TypeError, AssertionError):
        raise given.refuse("device", device, "a torch.device that is here, or None for the default one") from None
    if not (dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point)):
        raise given.refuse("dtype", dtype, "a float type, such as torch.float32")
    dtype = torch.get_default_dtype() if dtype is None else dtype
    given.generator("generator", generator, where)
    u = torch.rand(shape, generator=generator, device=where, dtype=torch.promote_types(dtype, torch.float32))
    return u.clamp_(min=torch.finfo(u.dtype).tiny).log_().neg_().log_().neg_().to(dtype)


def _full(t: torch.Tensor) -> torch.Tensor:
    """In float32 at least."""
    return t if t.dtype in (torch.float32, torch.float64) else t.float()


def _location_and_scale(mean: torch.Tensor, log_std: torch.Tensor, shape: tuple) -> tuple[torch.Tensor, torch.Tensor]:
    """The two, looked at, in one shape and in float32 at least."""
    given.tensor("mean", mean)
    given.tensor("log_std", log_std, on=mean.device, beside="mean, given with it,")
    if mean.shape != log_std.shape:
        shape_of_both = given.broadcast("mean", mean, "log_std", log_std)
        mean, log_std = mean.expand(shape_of_both), log_std.expand(shape_of_both)
    if mean.dim() < len(shape) - 1:
        raise given.refuse("mean", mean, f"a float tensor with the dimensions {', '.join(shape[1:])}")
    return _full(mean), _full(log_std)


def _pixels(name: str, t: torch.Tensor, second: str) -> torch.Tensor:
    """Parameters (B, second, C, H, W), or (B, second, C) for one pixel, looked at, in float32 at least."""
    shape = ("B", second, "C") if getattr(t, "ndim", 5) == 3 else ("B", second, "C", "H", "W")
    if given.tensor(name, t, shape).shape[1] == 0:
        raise given.refuse(name, t, f"{second} of at least 1 in (B, {second}, C, H, W)")
    return _full(t)


def _matching(name: str, value: torch.Tensor, beside: str, like: torch.Tensor, event: int, cure: str = "") -> None:
    """The last ``event`` dimensions of value are those of like; the others broadcast."""
    given.tensor(name, value, (..., *like.shape[-event:]), on=like.device, beside=beside, cure=cure)
    given.broadcast(name, value, beside, like)


def _images(x: torch.Tensor, beside: str, like: torch.Tensor) -> None:
    _matching("x", x, beside, like, 3, given.AS_FLOAT)


def _levels(x: torch.Tensor, beside: str, like: torch.Tensor, levels: int) -> None:
    given.tensor("x", x, like.shape, "integer", on=like.device, beside=beside)
    given.within("x", x, 0, levels - 1, f"levels from 0 to {levels - 1}")


def _normal(mean: torch.Tensor, log_std: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    given.generator("generator", generator, mean.device)
    eps = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + log_std.exp() * eps


def _noise(shape: tuple, beside: str, like: torch.Tensor, generator, temperature, eps) -> torch.Tensor:
    """Gumbel noise times temperature, drawn if none is given."""
    temperature = given.number("temperature", temperature, above=0)
    given.generator("generator", generator, like.device)
    if eps is None:
        eps = gumbel(shape, generator, like.device, like.dtype)
    else:
        eps = given.finite("eps", _full(given.tensor("eps", eps, shape, on=like.device, beside=beside)))
    return eps if temperature == 1 else temperature * eps
