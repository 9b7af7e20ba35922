"""How good is a model? log p(x) by importance sampling, rate and distortion, bits per dimension, active units; and how good
are its samples? Two-sample distance, nearest neighbours, recognisability."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn

from vaelib import given
from vaelib.bounds import ElboTerms, log_weights
from vaelib.console import bar
from vaelib.data import binarize as draw_pixels
from vaelib.distributions import Bernoulli, DiagGaussian
from vaelib.nets import eval_mode

_CPU_LATENTS = 1024  # decoded at once on a CPU: measured, more does not help and less costs
_DRAWS = 64  # of one image, decoded at once
_DISTANCES = 2**22  # between pairs, in memory at once: 32 MiB
_CURE = "data.as_float makes floats of 0 to 255."


class Estimate(NamedTuple):
    """A number and its standard error, in the same unit."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


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
    _images(x, 1)
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


def _images(x: torch.Tensor, least: int) -> None:
    given.finite("x", given.tensor("x", x, ("N", "C", "H", "W"), least=least, cure=_CURE), everywhere=True)


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
    _images(x, 2)
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


def code_usage(codes: torch.Tensor, size: int) -> torch.Tensor:
    """Share of each of a codebook's ``size`` entries among integer codes of any shape: (size,), float64, sums to 1.

    Raises:
        ValueError: no code, another dtype than an integer one, or a code outside 0 to size - 1.
    """
    if given.tensor("codes", codes, kind="integer").numel() == 0:
        raise given.refuse("codes", codes, "at least one code")
    size = given.whole("size", size, 1, 2**63 - 1)
    given.within("codes", codes, 0, size - 1, f"codes from 0 to {size - 1}", everywhere=True)
    return torch.bincount(codes.flatten().cpu(), minlength=size).double() / codes.numel()


def energy_distance(a: torch.Tensor, b: torch.Tensor) -> Estimate:
    """Two-sample energy distance (Székely & Rizzo 2013), 0 if and only if both samples have one distribution.

    E = 2 E||A - B|| - E||A - A'|| - E||B - B'||, estimated without bias (a pair is never an item with itself), so that equal
    distributions scatter around 0, on both sides. The standard error is that of the first-order (Hoeffding) term.

    Memory does not grow with N M: at most 2^22 distances, 32 MiB, are held at once, beside float64 copies of a and b.

    Args:
        a, b: (N, ...) and (M, ...), at least 2 items each, flattened to vectors; both float, or both integer, on one device.

    Returns:
        the distance, in the unit of the vectors, and its standard error.

    Raises:
        ValueError: another number of dimensions, fewer than 2 items, NaN or infinity; or floats and integers, such as images in
            [0, 1] and from 0 to 255, whose distance would be one of scales.
    """
    a, b = _pair("a", a, "b", b, least=2)
    n, m = len(a), len(b)
    to_b, to_a = _mean_distances(a, b)
    within_a = _mean_distances(a, a)[0] * n / (n - 1)  # an item is at distance 0 from itself
    within_b = _mean_distances(b, b)[0] * m / (m - 1)
    value = 2 * to_b.mean() - within_a.mean() - within_b.mean()
    part_a = 2 * (to_b - within_a)
    part_b = 2 * (to_a - within_b)
    return Estimate(float(value), math.sqrt(float(part_a.var() / n + part_b.var() / m)))


def nearest_distance(a: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Euclidean distance from each item of ``a`` (N, ...) to the nearest of ``reference`` (M, ...): (N,), float64.

    Memory and errors are those of ``energy_distance``; one item each is enough.
    """
    a, reference = _pair("a", a, "reference", reference, least=1)
    nearest = torch.cat([distances.argmin(1) for distances in _in_pieces(a, reference)])
    return (a - reference[nearest]).norm(dim=1)  # once more, without the matrix product's rounding: a copy is at 0


@torch.no_grad()
def recognisability(classifier: nn.Module, x: torch.Tensor, labels: int, confidence: float = 0.5) -> Estimate:
    """Share of images to which ``classifier`` gives one of its first ``labels`` labels at least ``confidence``.

    A classifier that knows nothing but digits is often sure of noise. One with a further label for "none of these" can say
    no. Judge it beside the same number for real images and for noise.

    Args:
        classifier: images (B, C, H, W) to logits (B, K); put in eval mode here, and back.
        x: float images (N, C, H, W), on any device.
        labels: how many of the K count, from 1 to K.
        confidence: a probability, 0 to 1.

    Returns:
        the share and its binomial standard error.

    Raises:
        ValueError: ``confidence`` or ``labels`` out of range, no image, or weights, images or probabilities that are not finite.
    """
    given.finite_weights("the classifier", given.module("classifier", classifier))
    _images(x, 1)
    labels, confidence = given.whole("labels", labels, 1), given.number("confidence", confidence, 0, 1)
    like, sure = next(classifier.parameters(), x), []
    with eval_mode(classifier):
        for part in x.split(1000):
            logits = given.tensor("classifier(x)", classifier(part.to(like.device, like.dtype)), (len(part), "K"))
            if labels > logits.shape[1]:
                raise given.refuse("labels", labels, f"at most {logits.shape[1]}, as many as the classifier knows")
            p = given.finite("classifier(x).softmax(-1)", logits.float().softmax(-1), everywhere=True)
            sure.append(p[:, :labels].amax(-1) >= confidence)
    p = float(torch.cat(sure).float().mean())
    return Estimate(p, math.sqrt(p * (1 - p) / len(x)))


def _mean(name: str, values: torch.Tensor, sign: int = 1) -> Estimate:
    values = sign * given.tensor(name, values, ("N",), least=1)
    error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error)


def _pair(name: str, a: torch.Tensor, other: str, b: torch.Tensor, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The two as vectors in float64, since distances nearly cancel, about a common centre, since far from 0 digits are lost."""
    given.finite(name, given.tensor(name, a, kind="real", least=least), everywhere=True)
    given.finite(other, given.tensor(other, b, kind="real", least=least, on=a.device, beside=name), everywhere=True)
    if a.shape[1:].numel() != b.shape[1:].numel():
        raise given.refuse(other, b, f"items of {a.shape[1:].numel()} numbers, as {name}'s are")
    if a.is_floating_point() != b.is_floating_point():
        kind = "floats" if a.is_floating_point() else "integers"
        raise ValueError(f"{given.refuse(other, b, f'{kind}, as {name} are')} {_CURE}")
    device = torch.device("cpu") if a.device.type == "mps" else a.device  # MPS has no float64
    a, b = (value.reshape(len(value), -1).to(device).double() for value in (a, b))
    centre = b.mean(0)
    return a - centre, b - centre


def _in_pieces(a: torch.Tensor, b: torch.Tensor) -> Iterator[torch.Tensor]:
    """The distances between a's rows and b's, some rows at a time."""
    for part in a.split(max(1, _DISTANCES // len(b))):
        yield torch.cdist(part, b)


def _mean_distances(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """From each of a to all of b, and from each of b to all of a; between a set and itself an item's own is 0."""
    rows, columns, at = [], torch.zeros_like(b[:, 0]), 0
    for distances in _in_pieces(a, b):
        if a is b:
            distances[:, at : at + len(distances)].fill_diagonal_(0)
        rows.append(distances.mean(1))
        columns += distances.sum(0)
        at += len(distances)
    return torch.cat(rows), columns / len(a)
