"""How alike are two sets of images? Energy distance, nearest neighbours, and whether a judge, a classifier, recognises them."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.nets import eval_mode
from vaelib.outside import given

_DISTANCES = 2**22  # between pairs, in memory at once: 32 MiB


class Estimate(NamedTuple):
    """A number and its standard error, in the same unit; a format, as in f"{estimate:.1f}", is that of both."""

    value: float
    error: float

    def __format__(self, form: str) -> str:
        form = form or ".3f"
        return f"{self.value:{form}} ± {self.error:{form}}"

    def __str__(self) -> str:
        return format(self)


def mean_of(values: torch.Tensor) -> Estimate:
    """The mean of N independent numbers, such as one for each image, and its standard error.

    The error is s / sqrt(N), with s^2 = sum (v - mean)^2 / (N - 1).

    Args:
        values: floats (N,), at least one, on any device; NaN gives NaN.

    Returns:
        both in double precision; the error of a single number is NaN.

    Raises:
        ValueError: values of another form, or none.
    """
    values = given.here("values", given.tensor("values", values, ("N",), least=1)).double()
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error)


def apart(a: Estimate, b: Estimate) -> float:
    """How far estimate ``a`` lies above ``b``, in standard errors of the difference: (a - b) / sqrt(error_a^2 + error_b^2).

    For independent estimates, since only then the variances add. Where there are two numbers for each image, take their differences
    and ``mean_of`` these: estimates from the same images rise and fall together, and are surer apart than this number says.

    Returns:
        the number, negative if a lies below b. Where both errors are 0: 0 if the values are equal, else plus or minus infinity.

    Raises:
        ValueError: a value that is not finite, or an error that is NaN (that of a single number), infinite or negative.
    """
    a, b = _estimate("a", a), _estimate("b", b)
    difference, error = a.value - b.value, math.hypot(a.error, b.error)
    return difference / error if error else math.copysign(math.inf, difference) if difference else 0.0


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
    given.images("x", x)
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


def shuffled_squares(x: torch.Tensor, generator: torch.Generator | None = None, side: int = 8) -> torch.Tensor:
    """Each image cut into squares, and put together in an order of its own: the right pieces in the wrong places.

    All orders are equally likely, so some squares may stay where they are.

    Args:
        x: float images (N, C, H, W), on any device.
        generator: on the device of ``x``.
        side: of a square, in pixels; it divides H and W, and leaves more than one square.

    Returns:
        images of the same shape, with the same pixels.

    Raises:
        ValueError: images of another form, a side that does not fit, or a generator of another device.
    """
    given.tensor("x", x, ("N", "C", "H", "W"), cure=given.AS_FLOAT)
    given.generator("generator", generator, x.device)
    height, width = x.shape[2:]
    if height % (side := given.whole("side", side, 1)) or width % side or height * width <= side**2:
        raise given.refuse("side", side, f"one that cuts {height}x{width} pixels into whole squares, more than one")
    squares = F.unfold(x, side, stride=side)  # (N, C side^2, H W / side^2)
    order = torch.rand(len(x), 1, squares.shape[2], generator=generator, device=x.device).argsort(2)
    return F.fold(squares.gather(2, order.expand_as(squares)), (height, width), side, stride=side)


def judge_loss(others: Callable[..., torch.Tensor], labels: int) -> Callable[..., torch.Tensor]:
    """The loss that makes a classifier a judge of generated images: beside its labels it learns one more, "none of these".

    A classifier of digits alone calls noise a digit, often with confidence. A judge has seen what is none, and can say so. In half of
    the steps all images are blurred, each pixel the mean of 3 x 3 (with 0 beyond the edge): decoders blur, so that blur must say
    nothing about the label. Blurring x alone would: then squares in a wrong order pass for a picture once they are blurred.

    Args:
        others: ``others(x, generator)`` -> as many images that are none of these, made from x, such as ``shuffled_squares``.
        labels: how many real ones there are; the label ``labels`` means none of them.

    Returns:
        ``loss(model, x, y, generator)`` for ``train.fit``: the mean cross-entropy, in nats, of a classifier with ``labels`` + 1 logits
        on images x (B, C, H, W) under their labels y (B,), and on ``others(x, generator)`` under the last one, x blurred or not.

    Raises:
        ValueError: no function, or fewer than 1 label; from the loss: images, labels, others or logits of another form.
    """
    given.function("others", others, "a function of (x, generator), such as shuffled_squares")
    labels = given.whole("labels", labels, 1)

    def loss(model: nn.Module, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        given.module("model", model)
        given.tensor("x", x, ("B", "C", "H", "W"), least=1, cure=given.AS_FLOAT)
        y = given.tensor("y", y, (len(x),), kind="integer", on=x.device, beside="x").long()
        given.within("y", y, 0, labels - 1, f"labels from 0 to {labels - 1}, of labels={labels}")
        given.generator("generator", generator, x.device)
        blurred = torch.rand((), generator=generator, device=x.device) < 0.5
        shown = torch.where(blurred, F.avg_pool2d(x, 3, stride=1, padding=1), x)
        none = given.tensor("others(x, generator)", others(shown, generator), x.shape, on=x.device, beside="x")
        images = torch.cat([shown, none])
        logits = given.tensor("model(x)", model(images), (len(images), labels + 1))
        return F.cross_entropy(logits, torch.cat([y, torch.full_like(y, labels)]))

    return loss


def _estimate(name: str, estimate: Estimate) -> Estimate:
    given.instance(name, estimate, Estimate)
    return Estimate(given.number(f"{name}.value", estimate.value), given.number(f"{name}.error", estimate.error, 0))


def _pair(name: str, a: torch.Tensor, other: str, b: torch.Tensor, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The two as vectors in float64, since distances nearly cancel, about a common centre, since far from 0 digits are lost."""
    given.finite(name, given.tensor(name, a, kind="real", least=least), everywhere=True)
    given.finite(other, given.tensor(other, b, kind="real", least=least, on=a.device, beside=name), everywhere=True)
    if a.shape[1:].numel() != b.shape[1:].numel():
        raise given.refuse(other, b, f"items of {a.shape[1:].numel()} numbers, as {name}'s are")
    if a.is_floating_point() != b.is_floating_point():
        kind = "floats" if a.is_floating_point() else "integers"
        raise ValueError(f"{given.refuse(other, b, f'{kind}, as {name} are')} {given.AS_FLOAT}")
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
