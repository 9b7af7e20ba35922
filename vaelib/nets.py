"""Encoder and decoder bodies: plain modules from tensor to tensor, with no probability in them."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them: (..., sizes[0]) to (..., sizes[-1]); images are to be flattened before.

    Raises:
        ValueError: fewer than two sizes, or one below 1.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"an MLP needs at least two layer sizes of at least 1, and got {tuple(sizes)}.")
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(sizes):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def conv_encoder(shape: tuple[int, int, int], outputs: int, width: int = 16) -> nn.Sequential:
    """Two strided convolutions and two linear layers: (B, C, H, W) to (B, outputs).

    Args:
        shape: (C, H, W), with H and W at least 8.
        outputs: for example the number of labels.
        width: channels after the first convolution; the second has twice as many.

    Raises:
        ValueError: a size is too small.
    """
    channels, height, w = shape
    if min(channels, outputs, width) < 1 or min(height, w) < 8:
        raise ValueError(
            f"conv_encoder needs images of at least 8x8 and sizes of at least 1: got {shape}, {outputs}, {width}."
        )
    rows, columns = (((side + 1) // 2 + 1) // 2 for side in (height, w))
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * rows * columns, 128),
        nn.ReLU(),
        nn.Linear(128, outputs),
    )
