"""How likely are images under a model? log p(x) by importance sampling, rate and distortion, bits per dimension, active units."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from vaelib.bounds import ElboTerms, log_weights
from vaelib.compare import Estimate, mean_of
from vaelib.data import binarize as draw_pixels
from vaelib.distributions import Bernoulli, DiagGaussian
from vaelib.nets import eval_mode
from vaelib.outside import given
from vaelib.outside.console import bar

_CPU_LATENTS = 1024  # decoded at once on a CPU: measured, more does not help and less costs
_DRAWS = 64  # of one image, decoded at once


class Likelihood(NamedTuple):
    """What ``nll`` found for N images, in nats; every field but ``terms`` is (N,). A mean of something else raises ValueError.

    log_px: L_K, the estimate of log p(x).
    error: its standard error over the draws (delta method); NaN at K = 1, too small where ``effective`` is a handful.
    effective: effective number of draws, (sum w)^2 / sum w^2, from 1 to K.
    terms: log p(x|z), averaged over the K draws, and the KL in closed form.
    """

    log_px: torch.Tensor
    error: torch.Tensor
    effective: torch.Tensor
    terms: ElboTerms

    @property
    def nll(self) -> Estimate:
        """-log p(x), averaged over images; the error is that of taking these N images for all images, draws included."""
        return _mean("log_px", self.log_px, -1)

    @property
    def neg_elbo(self) -> Estimate:
        """-ELBO, averaged over images: rate + distortion."""
        return _mean("elbo", given.instance("terms", self.terms, ElboTerms).elbo, -1)

    @property
    def rate(self) -> Estimate:
        """KL(q(z|x) || p(z)), averaged over images."""
        return _mean("kl", given.instance("terms", self.terms, ElboTerms).kl)

    @property
    def distortion(self) -> Estimate:
        """-E_q[log p(x|z)], averaged over images."""
        return _mean("log_px", given.instance("terms", self.terms, ElboTerms).log_px, -1)

    @property
    def draw_error(self) -> float:
        """Standard error of ``nll`` over the draws alone: for comparisons on the same images."""
        error = given.tensor("error", self.error, ("N",), least=1)
        return float(error.square().sum().sqrt()) / len(error)


@torch.no_grad()
def nll(
    model: nn.Module,
    x: torch.Tensor,
    samples: int,
    generator: torch.Generator | None = None,
    binarize: bool = False,
    progress: bool = False,
) -> Likelihood:
    """-log p(x) by importance sampling with K draws an image: log p(x) is at least L_K, and near it for large K (ELBO-16).

    Memory does not grow with K or N: latents are decoded a piece at a time, and only running sums are kept. A piece is 1,024
    latents on a CPU; on a GPU it is as many as would fill an eighth of its free memory with float32 images, since a decoder's
    layers and the likelihood need several such copies.

    Args:
        model: anything with ``encode(x) -> DiagGaussian`` and ``decode(z) -> likelihood``; put in eval mode here, and back.
        x: float images (N, C, H, W) in [0, 1], on any device.
        samples: K, at least 1.
        generator: on the model's device.
        binarize: draw each pixel as black or white first, with probability its grey value.
        progress: show a bar.

    Returns:
        one number for each image, on the CPU in float64, and means over the images.

    Raises:
        ValueError: an argument is something else; weights or images that are not finite; or grey pixels for a Bernoulli decoder,
            whose log p is that of black-or-white images.
        FloatingPointError: a log-weight is NaN all the same, or infinite for all draws of an image.
    """
    given.finite_weights("the model", given.module("model", model, "encode", "decode"))
    given.images("x", x)
    samples, binarize = given.whole("samples", samples, 1), given.flag("binarize", binarize)
    device = next(model.parameters(), x).device
    given.generator("generator", generator, device)
    with eval_mode(model), bar(len(x), unit="image", shown=given.flag("progress", progress)) as progress_bar:
        if binarize:
            given.within("x", x, 0, 1, "pixels in [0, 1]")
        else:
            _refuse_grey(model, x, device)
        at_once = _latents_at_once(device, math.prod(x.shape[1:]))
        draws = min(samples, _DRAWS, at_once)
        parts = []
        for images in x.split(max(1, at_once // draws)):
            images = images.to(device)
            images = draw_pixels(images, generator) if binarize else images
            parts.append(_streamed(model, images, samples, draws, generator))
            progress_bar.update(len(images))
    log_px, error, effective, log_px_z, kl = (torch.cat(field) for field in zip(*parts, strict=True))
    return Likelihood(log_px, error, effective, ElboTerms(log_px_z, kl))


def _encoded(model: nn.Module, x: torch.Tensor) -> DiagGaussian:
    return given.instance("model.encode(x)", model.encode(x), DiagGaussian)


def _refuse_grey(model: nn.Module, x: torch.Tensor, device: torch.device) -> None:
    grey = x[(x != 0) & (x != 1)]
    if len(grey) and isinstance(model.decode(_encoded(model, x[:1].to(device)).mean), Bernoulli):
        raise ValueError(
            f"images with grey pixels ({float(grey[0]):.3g}, for one) were given to a Bernoulli decoder, whose log p(x) is that of "
            "black-or-white images: use data.binarize first, or binarize=True."
        )


def _latents_at_once(device: torch.device, pixels: int) -> int:
    if device.type != "cuda":
        return _CPU_LATENTS
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, free // 8 // (4 * pixels))


def _streamed(model, x, samples, draws, generator) -> tuple[torch.Tensor, ...]:
    """log p(x), its error, the effective draws, the mean log p(x|z) and the KL of a block of images, each (B,) in float64."""
    q = _encoded(model, x)
    # sums of w and w^2, each as a logarithm, and of log p(x|z)
    first = torch.full((len(x),), -math.inf, dtype=torch.float64)
    second, total = first.clone(), torch.zeros_like(first)
    for start in range(0, samples, draws):
        log_w, log_px = (
            part.cpu().double() for part in log_weights(model, x, min(draws, samples - start), generator, q)
        )
        first = torch.logaddexp(first, log_w.logsumexp(0))
        second = torch.logaddexp(second, (2 * log_w).logsumexp(0))
        total += log_px.sum(0)
    if not torch.isfinite(first).all():
        bad = float(first[~torch.isfinite(first)][0])
        raise FloatingPointError(f"the model gives an image log p(x) = {bad}, with finite weights: look at x.")
    effective = torch.exp(2 * first - second)
    spread = (
        (1 / effective - 1 / samples).clamp(min=0) * samples / (samples - 1) if samples > 1 else effective * math.nan
    )
    return first - math.log(samples), spread.sqrt(), effective, total / samples, q.kl().cpu().double()


def bits_per_dim(nats: float | torch.Tensor, shape: Sequence[int], levels: int | None = None) -> float | torch.Tensor:
    """Nats for an image to bits for each of its numbers: nats / (C H W log 2), plus log2(levels) for a scaled density.

    Args:
        nats: -log p(x), not its negative: a number, or a tensor (...,) whose NaN gives NaN.
        shape: (C, H, W) of an image.
        levels: give 256 where p is a density of pixels that were 0 to 255, dequantized and divided by 256: the scale costs
            log2(256) = 8 bits a number. None where p is a probability.

    Raises:
        ValueError: a size below 1, fewer than 2 levels, or nats that are no numbers.
    """
    if not (shape := given.sizes("shape", shape)):
        raise given.refuse("shape", shape, "the sizes (C, H, W) of an image")
    nats = given.tensor("nats", nats) if isinstance(nats, torch.Tensor) else given.number("nats", nats)
    scale = 0 if levels is None else math.log2(given.whole("levels", levels, 2))
    return nats / (math.prod(shape) * math.log(2)) + scale


@torch.no_grad()
def unit_activity(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Variance over images of the encoder's mean, for each latent dimension: (D,) (Burda et al. 2016, section 5.2).

    A unit that ignores the image has variance 0. Above 0.01 it is called *active*; see ``active_units``.

    Args:
        model: with ``encode(x) -> DiagGaussian``; put in eval mode here, and back.
        x: float images (N, C, H, W), at least 2, on any device.

    Raises:
        ValueError: fewer than 2 images, another argument, or weights or images that are not finite.
    """
    given.finite_weights("the model", given.module("model", model, "encode"))
    given.images("x", x, least=2)
    device = next(model.parameters(), x).device
    with eval_mode(model):
        means = [_encoded(model, part.to(device)).mean.cpu().double() for part in x.split(2000)]
    return torch.cat(means).var(0)


def active_units(model: nn.Module, x: torch.Tensor, threshold: float = 0.01) -> int:
    """How many latent dimensions have a ``unit_activity`` above the threshold (Burda et al. 2016, section 5.2).

    The arguments and errors are those of ``unit_activity``; ``threshold`` is at least 0.
    """
    threshold = given.number("threshold", threshold, 0)
    return int((unit_activity(model, x) > threshold).sum())


def _mean(name: str, values: torch.Tensor, sign: int = 1) -> Estimate:
    return mean_of(sign * given.tensor(name, values, ("N",), least=1))
