"""How good is a model? log p(x) by importance sampling, rate and distortion, bits per dimension, active units; and how good
are its samples? Two-sample distance, nearest neighbours, recognisability."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from vaelib.bounds import ElboTerms, log_weights
from vaelib.console import bar
from vaelib.data import binarize as draw_pixels
from vaelib.distributions import Bernoulli

_CPU_LATENTS = 1024  # decoded at once on a CPU: measured, more does not help and less costs
_DRAWS = 64  # of one image, decoded at once


class Estimate(NamedTuple):
    """A number and its standard error, in the same unit."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


class Likelihood(NamedTuple):
    """What ``nll`` found for N images, in nats; every field but ``terms`` is (N,).

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
        return _mean(-self.log_px)

    @property
    def neg_elbo(self) -> Estimate:
        """-ELBO, averaged over images: rate + distortion."""
        return _mean(-self.terms.elbo)

    @property
    def rate(self) -> Estimate:
        """KL(q(z|x) || p(z)), averaged over images."""
        return _mean(self.terms.kl)

    @property
    def distortion(self) -> Estimate:
        """-E_q[log p(x|z)], averaged over images."""
        return _mean(-self.terms.log_px)

    @property
    def draw_error(self) -> float:
        """Standard error of ``nll`` over the draws alone: for comparisons on the same images."""
        return float(self.error.square().sum().sqrt()) / len(self.error)


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
        ValueError: K < 1; no image; or grey pixels for a Bernoulli decoder, whose log p is that of black-or-white images.
        FloatingPointError: a log-weight is NaN, or infinite for all draws of an image; the message says whether weights are the cause.
    """
    if samples < 1:
        raise ValueError(f"samples={samples} was given: the importance-sampled NLL averages over at least 1 draw.")
    if len(x) == 0:
        raise ValueError(f"images of shape {tuple(x.shape)} were given: give at least one.")
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        if not binarize:
            _refuse_grey(model, x, device)
        at_once = _latents_at_once(device, math.prod(x.shape[1:]))
        draws = min(samples, _DRAWS, at_once)
        parts = []
        with bar(len(x), unit="image", shown=progress) as progress_bar:
            for images in x.split(max(1, at_once // draws)):
                images = images.to(device)
                images = draw_pixels(images, generator) if binarize else images
                parts.append(_streamed(model, images, samples, draws, generator))
                progress_bar.update(len(images))
    finally:
        model.train(was_training)
    log_px, error, effective, log_px_z, kl = (torch.cat(field) for field in zip(*parts, strict=True))
    return Likelihood(log_px, error, effective, ElboTerms(log_px_z, kl))


def _refuse_grey(model: nn.Module, x: torch.Tensor, device: torch.device) -> None:
    grey = x[(x != 0) & (x != 1)]
    if len(grey) and isinstance(model.decode(model.encode(x[:1].to(device)).mean), Bernoulli):
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
    q = model.encode(x)
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
        bad = [name for name, value in model.named_parameters() if not torch.isfinite(value).all()]
        cause = f"the weights of {', '.join(bad)} are not finite" if bad else "the weights are finite, so look at x"
        raise FloatingPointError(
            f"the model gives an image log p(x) = {float(first[~torch.isfinite(first)][0])}: {cause}."
        )
    effective = torch.exp(2 * first - second)
    spread = (
        (1 / effective - 1 / samples).clamp(min=0) * samples / (samples - 1) if samples > 1 else effective * math.nan
    )
    return first - math.log(samples), spread.sqrt(), effective, total / samples, q.kl().cpu().double()


def bits_per_dim(nats: float | torch.Tensor, shape: Sequence[int], levels: int | None = None) -> float | torch.Tensor:
    """Nats for an image to bits for each of its numbers: nats / (C H W log 2), plus log2(levels) for a scaled density.

    Args:
        nats: -log p(x), not its negative; (...,).
        shape: (C, H, W) of an image.
        levels: give 256 where p is a density of pixels that were 0 to 255, dequantized and divided by 256: the scale costs
            log2(256) = 8 bits a number. None where p is a probability.

    Raises:
        ValueError: a size below 1, or fewer than 2 levels.
    """
    if len(shape) == 0 or min(shape) < 1 or (levels is not None and levels < 2):
        raise ValueError(f"shape={tuple(shape)} and levels={levels} were given: use sizes of at least 1 and 2 levels.")
    return nats / (math.prod(shape) * math.log(2)) + (math.log2(levels) if levels is not None else 0)


@torch.no_grad()
def unit_activity(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Variance over images of the encoder's mean, for each latent dimension: (D,) (Burda et al. 2016, section 5.2).

    A unit that ignores the image has variance 0. Above 0.01 it is called *active*; see ``active_units``.

    Args:
        model: with ``encode(x) -> DiagGaussian``; put in eval mode here, and back.
        x: float images (N, C, H, W), at least 2, on any device.

    Raises:
        ValueError: fewer than 2 images.
    """
    if len(x) < 2:
        raise ValueError(f"{len(x)} image was given: a variance needs at least 2.")
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    try:
        means = torch.cat([model.encode(part.to(device)).mean.cpu().double() for part in x.split(2000)])
    finally:
        model.train(was_training)
    return means.var(0)


def active_units(model: nn.Module, x: torch.Tensor, threshold: float = 0.01) -> int:
    """How many latent dimensions have a ``unit_activity`` above the threshold (Burda et al. 2016, section 5.2)."""
    return int((unit_activity(model, x) > threshold).sum())


def code_usage(codes: torch.Tensor, size: int) -> torch.Tensor:
    """Share of each of a codebook's ``size`` entries among integer codes of any shape: (size,), float64, sums to 1.

    Raises:
        ValueError: no code, another dtype than an integer one, or a code outside 0 to size - 1.
    """
    if codes.is_floating_point() or codes.dtype == torch.bool or codes.numel() == 0:
        raise ValueError(f"{codes.numel()} codes of {codes.dtype} were given: give at least one integer code.")
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= size:
        raise ValueError(
            f"codes from {low} to {high} were given for a codebook of {size}: they lie from 0 to {size - 1}."
        )
    return torch.bincount(codes.flatten().cpu(), minlength=size).double() / codes.numel()


def energy_distance(a: torch.Tensor, b: torch.Tensor) -> Estimate:
    """Two-sample energy distance (Székely & Rizzo 2013), 0 if and only if both samples have one distribution.

    E = 2 E||A - B|| - E||A - A'|| - E||B - B'||, estimated without bias (a pair is never an item with itself), so that equal
    distributions scatter around 0, on both sides. The standard error is that of the first-order (Hoeffding) term.

    Args:
        a, b: (N, ...) and (M, ...), at least 2 items each; flattened to vectors.

    Returns:
        the distance, in the unit of the vectors, and its standard error.

    Raises:
        ValueError: another number of dimensions, or fewer than 2 items.
    """
    a, b = _pair(a, b, least=2)
    n, m = len(a), len(b)
    between = torch.cdist(a, b)
    within_a = torch.cdist(a, a).fill_diagonal_(0).sum(1) / (n - 1)
    within_b = torch.cdist(b, b).fill_diagonal_(0).sum(1) / (m - 1)
    value = 2 * between.mean() - within_a.mean() - within_b.mean()
    part_a = 2 * (between.mean(1) - within_a)
    part_b = 2 * (between.mean(0) - within_b)
    return Estimate(float(value), math.sqrt(float(part_a.var() / n + part_b.var() / m)))


def nearest_distance(a: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Euclidean distance from each item of ``a`` (N, ...) to the nearest of ``reference`` (M, ...): (N,).

    Raises:
        ValueError: another number of dimensions, or an empty input.
    """
    a, reference = _pair(a, reference, least=1)
    return torch.cdist(a, reference).min(1).values


@torch.no_grad()
def recognisability(classifier: nn.Module, x: torch.Tensor, labels: int, confidence: float = 0.5) -> Estimate:
    """Share of images to which ``classifier`` gives one of its first ``labels`` labels at least ``confidence``.

    A classifier that knows nothing but digits is often sure of noise. One with a further label for "none of these" can say
    no. Judge it beside the same number for real images and for noise.

    Args:
        classifier: images (B, C, H, W) to logits (B, K); put in eval mode here, and back.
        x: float images (N, C, H, W) on the classifier's device.
        labels: how many of the K count, from 1 to K.
        confidence: a probability, 0 to 1.

    Returns:
        the share and its binomial standard error.

    Raises:
        ValueError: ``confidence`` or ``labels`` out of range, or no image.
    """
    if not 0 <= confidence <= 1 or labels < 1 or len(x) == 0:
        raise ValueError(
            f"confidence={confidence}, labels={labels} and {len(x)} images were given: use 0 to 1, 1 or more, and at least one."
        )
    was_training = classifier.training
    classifier.eval()
    try:
        sure = torch.cat([classifier(part).softmax(-1)[:, :labels].amax(-1) >= confidence for part in x.split(1000)])
    finally:
        classifier.train(was_training)
    p = float(sure.float().mean())
    return Estimate(p, math.sqrt(p * (1 - p) / len(x)))


def _mean(values: torch.Tensor) -> Estimate:
    error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error)


def _pair(a: torch.Tensor, b: torch.Tensor, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    if min(len(a), len(b)) < least or a.shape[1:].numel() != b.shape[1:].numel():
        raise ValueError(
            f"samples of shapes {tuple(a.shape)} and {tuple(b.shape)} were given: items must be of one size, at least {least} in each."
        )
    # in float64, since the distances nearly cancel; MPS has none
    device = torch.device("cpu") if a.device.type == "mps" else a.device
    return a.flatten(1).to(device).double(), b.flatten(1).to(device).double()
