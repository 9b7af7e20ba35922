"""How alike are two sets of images? Energy distance, nearest neighbours, and whether a classifier recognises them."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn

from vaelib.nets import eval_mode
from vaelib.outside import given

_DISTANCES = 2**22  # between pairs, in memory at once: 32 MiB


class Estimate(NamedTuple):
    """A number and its standard error, in the same unit."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


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
