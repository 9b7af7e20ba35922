"""Encoder and decoder bodies: plain modules from tensor to tensor, with no probability in them; eval mode, and back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import nn

from vaelib.outside import given


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them: (..., sizes[0]) to (..., sizes[-1]); images are to be flattened before.

    Raises:
        ValueError: fewer than two sizes, or one below 1.
    """
    sizes = given.sizes("sizes", sizes)
    if len(sizes) < 2:
        raise given.refuse("sizes", sizes, "at least two whole numbers, inputs and outputs")
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(sizes):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class ResidualBlock(nn.Module):
    """x + f(x), f = normalise, linear, SiLU, dropout, linear: (..., width) to (..., width).

    The sum lets gradients pass a stack of blocks undiminished (He et al. 2016).

    Raises:
        ValueError: width below 1, or dropout not from 0 to below 1.
    """

    def __init__(self, width: int, dropout: float):
        super().__init__()
        width, dropout = given.whole("width", width, 1), given.number("dropout", dropout, 0, below=1)
        self.f = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., width) to the same shape."""
        return x + self.f(x)


def residual_mlp(inputs: int, outputs: int, width: int = 512, blocks: int = 2, dropout: float = 0.1) -> nn.Sequential:
    """Linear, ``blocks`` residual blocks of one width, linear: (..., inputs) to (..., outputs).

    Args:
        width: of the hidden layers, at least 1.
        blocks: how many residual blocks, each of two layers, at least 0.
        dropout: share of hidden units silenced in each block while training, from 0 to below 1.

    Raises:
        ValueError: an argument out of range.
    """
    inputs, outputs = given.whole("inputs", inputs, 1), given.whole("outputs", outputs, 1)
    width, blocks = given.whole("width", width, 1), given.whole("blocks", blocks, 0)
    dropout = given.number("dropout", dropout, 0, below=1)
    body = [ResidualBlock(width, dropout) for _ in range(blocks)]
    return nn.Sequential(nn.Linear(inputs, width), *body, nn.SiLU(), nn.Linear(width, outputs))


def conv_encoder(shape: tuple[int, int, int], outputs: int, width: int = 16) -> nn.Sequential:
    """Two strided convolutions and two linear layers: (B, C, H, W) to (B, outputs).

    Args:
        shape: (C, H, W), with H and W at least 8.
        outputs: for example the number of labels.
        width: channels after the first convolution; the second has twice as many.

    Raises:
        ValueError: a size is too small.
    """
    channels, *sides = given.sizes("shape", shape, 3, form="(C, H, W)")
    outputs, width = given.whole("outputs", outputs, 1), given.whole("width", width, 1)
    if min(sides) < 8:
        raise given.refuse("shape", shape, "images of at least 8x8")
    rows, columns = (((side + 1) // 2 + 1) // 2 for side in sides)
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


class ConvResidualBlock(nn.Module):
    """x + f(x), f = ReLU, 3x3 convolution, ReLU, 1x1 convolution: (B, width, H, W) to the same (van den Oord et al. 2017, section 4.1).

    Raises:
        ValueError: a size below 1.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        width, hidden = given.whole("width", width, 1), given.whole("hidden", hidden, 1)
        self.f = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, hidden, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, width, H, W) to the same shape."""
        return x + self.f(x)


def conv_down(channels: int, outputs: int, width: int = 128, residual: int = 32, blocks: int = 2) -> nn.Sequential:
    """Two strided convolutions, a third, residual blocks: (B, channels, H, W) to (B, outputs, H/4, W/4).

    Args:
        width: channels inside, even.
        residual: channels inside each residual block.

    Raises:
        ValueError: a size out of range.
    """
    sizes = {"channels": channels, "outputs": outputs, "width": width, "residual": residual, "blocks": blocks}
    channels, outputs, width, residual, blocks = _conv_sizes(sizes)
    return nn.Sequential(
        nn.Conv2d(channels, width // 2, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width // 2, width, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        *(ConvResidualBlock(width, residual) for _ in range(blocks)),
        nn.ReLU(),
        nn.Conv2d(width, outputs, 1),
    )


def conv_up(inputs: int, channels: int, width: int = 128, residual: int = 32, blocks: int = 2) -> nn.Sequential:
    """``conv_down`` turned round: (B, inputs, h, w) to (B, channels, 4 h, 4 w), with the same arguments and errors."""
    sizes = {"inputs": inputs, "channels": channels, "width": width, "residual": residual, "blocks": blocks}
    inputs, channels, width, residual, blocks = _conv_sizes(sizes)
    return nn.Sequential(
        nn.Conv2d(inputs, width, 3, padding=1),
        *(ConvResidualBlock(width, residual) for _ in range(blocks)),
        nn.ReLU(),
        nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(width // 2, channels, 4, stride=2, padding=1),
    )


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[nn.Module]:
    """``with eval_mode(model):`` every part of it in eval mode, and afterwards, whatever happens, in the mode that it was in.

    Raises:
        ValueError: no nn.Module was given.
    """
    modes = [(part, part.training) for part in given.module("model", model).modules()]
    model.eval()
    try:
        yield model
    finally:
        for part, mode in modes:
            part.training = mode


def _conv_sizes(sizes: dict[str, int]) -> list[int]:
    if given.whole("width", sizes["width"], 2) % 2:
        raise given.refuse("width", sizes["width"], "an even number")
    return [given.whole(name, size, 0 if name == "blocks" else 1) for name, size in sizes.items()]
