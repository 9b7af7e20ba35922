"""How good are the samples? Two-sample distance, nearest neighbours, recognisability."""

import math
from typing import NamedTuple

import torch
from torch import nn


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


def _pair(a: torch.Tensor, b: torch.Tensor, least: int) -> tuple[torch.Tensor, torch.Tensor]:
    if min(len(a), len(b)) < least or a.shape[1:].numel() != b.shape[1:].numel():
        raise ValueError(
            f"samples of shapes {tuple(a.shape)} and {tuple(b.shape)} were given: items must be of one size, at least {least} in each."
        )
    # in float64, since the distances nearly cancel; MPS has none
    device = torch.device("cpu") if a.device.type == "mps" else a.device
    return a.flatten(1).to(device).double(), b.flatten(1).to(device).double()
