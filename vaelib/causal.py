"""Convolutions that see earlier pixels only, and the same convolutions fed a row or a pixel at a time.

Pixels are ordered as one reads: row after row, each from left to right. A masked convolution is the sum of two that need no mask,
one over rows above and one over the row at hand, so no weight is ever multiplied by a zero of the mask. Split so, it can also be
computed as an image comes into being: the part above once a row, the part to the left once a pixel (AR-6).

``Masked`` looks at its arguments when it is made. Nothing else here does, nor in ``vaelib.sampling``: the rest is called for every
pixel of a sample, on what the models of ``vaelib.pixelcnn`` have made.
"""

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.outside import given


class Above(nn.Conv2d):
    """A convolution over the ``rows`` last rows, k columns wide: (B, inputs, H, W) to (B, outputs, H, W).

    ``shift`` 1 begins with the row strictly above, 0 with the row at hand. ``stride`` 2 keeps every other row and column.
    """

    def __init__(self, inputs: int, outputs: int, rows: int, k: int, shift: int, stride: int = 1):
        super().__init__(inputs, outputs, (rows, k), stride)
        self.shift = shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W), float; with a stride fewer rows and columns."""
        rows, k = self.kernel_size
        return super().forward(F.pad(x, (k // 2, k // 2, rows - 1 + self.shift, -self.shift)))


class Left(nn.Conv2d):
    """A convolution over the ``columns`` last pixels of the row, without a bias: (B, inputs, H, W) to (B, outputs, H, W).

    ``shift`` 1 begins with the pixel strictly to the left, 0 with the pixel at hand.
    """

    def __init__(self, inputs: int, outputs: int, columns: int, shift: int, stride: int = 1):
        super().__init__(inputs, outputs, (1, columns), stride, bias=False)
        self.shift = shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As ``Above``'s."""
        return super().forward(F.pad(x, (self.kernel_size[1] - 1 + self.shift, -self.shift, 0, 0)))


class Masked(nn.Module):
    """The masked k x k convolution: kind "A" hides the pixel itself, "B" shows it (AR-2; van den Oord et al. 2016a, figure 2).

    (B, inputs, H, W) to (B, outputs, H, W), float; ``stride`` 2 keeps every other row and column.

    Raises:
        ValueError: another kind, a size below 1, an even k or one below 3.
    """

    def __init__(self, kind: str, inputs: int, outputs: int, k: int, stride: int = 1):
        super().__init__()
        given.one_of("kind", kind, ["A", "B"])
        inputs, outputs = given.whole("inputs", inputs, 1), given.whole("outputs", outputs, 1)
        k, stride = odd("k", k), given.whole("stride", stride, 1)
        self.above = Above(inputs, outputs, k // 2, k, 1, stride)
        self.left = Left(inputs, outputs, k // 2 + (kind == "B"), int(kind == "A"), stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W), float."""
        return self.above(x) + self.left(x)


class Pointwise(nn.Conv2d):
    """A 1 x 1 convolution; also of a row or a pixel with the channels last, (..., inputs) to (..., outputs)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True):
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W), or (..., inputs), float; the same with ``outputs``."""
        return F.linear(x, self.weight.flatten(1), self.bias) if x.dim() < 4 else super().forward(x)


def gate(h: torch.Tensor, dim: int = 1) -> torch.Tensor:
    """tanh(a) * sigmoid(b) for the two halves a, b of the channels (AR-4)."""
    a, b = h.chunk(2, dim)
    return torch.tanh(a) * torch.sigmoid(b)


def elu_both(x: torch.Tensor, dim: int = 1) -> torch.Tensor:
    """elu of x and of -x, one behind the other: twice the channels."""
    return F.elu_(torch.cat((x, -x), dim))


def plus(h: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
    """h + condition, where there is one."""
    return h if condition is None else h + condition


def odd(name: str, value: int) -> int:
    """A kernel's size as an int: odd, so that it has a middle, and at least 3, so that there is something around it."""
    size = given.whole(name, value, 3)
    if size % 2 == 0:
        raise given.refuse(name, value, "an odd number, at least 3")
    return size
