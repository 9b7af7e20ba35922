"""Sampling a pixel at a time, without doing anything twice (AR-6).

Each class here computes the ``features`` of a model in ``vaelib.pixelcnn`` as an image comes into being. What looks at rows above is
computed once for a row, what looks at the row itself once for a pixel; of the past, each layer keeps as many rows as its kernel spans.

In use: ``start(i)`` at the beginning of row i, then for each column j ``pixel(i, j)`` -> features (n, hidden), to draw a pixel from, and
``put(j, e)`` with what was drawn, embedded; ``end(i)`` at the end of the row. Rows are (width, n, channels), pixels (n, channels).

Only ``sample`` and ``forward`` of a model use these classes, a call for each pixel: they look at what is given, nothing here does.
"""

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.causal import Above, Left, Pointwise, elu_both, gate, plus


class Rows:
    """An ``Above`` that is given its input a row at a time, and keeps only the rows that its kernel spans.

    A row is (width, n, channels), so that each pixel's block lies in one piece.
    """

    def __init__(self, conv: Above, n: int, width: int):
        rows, self.k = conv.kernel_size
        self.stride, self.bias = conv.stride[1], conv.bias
        self.rows = conv.weight.new_zeros(rows, width + 2 * (self.k // 2), n, conv.in_channels)
        self.weight = conv.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()

    def push(self, row: torch.Tensor) -> None:
        """Take a row, (width, n, inputs); the oldest is forgotten."""
        padded = F.pad(row, (0, 0, 0, 0, self.k // 2, self.k // 2))
        self.rows = torch.cat((self.rows[1:], padded[None]))

    def now(self) -> torch.Tensor:
        """The output for the rows taken so far, (width / stride, n, outputs)."""
        taps = self.rows.unfold(1, self.k, self.stride).permute(1, 2, 0, 4, 3)
        return torch.addmm(self.bias, taps.reshape(-1, len(self.weight)), self.weight).unflatten(0, taps.shape[:2])


class Pixels:
    """A ``Left`` that is given its input a pixel at a time: one matrix product for each pixel.

    Of the row at hand, the pixels' vectors lie one behind the other, (n, (pad + width) inputs): the vectors that the kernel
    spans are then neighbours, and need not be gathered. ``slots[j]``, (n, inputs), is where the input of column j is to be written.
    """

    def __init__(self, conv: Left, n: int, width: int):
        self.inputs, columns, self.n = conv.in_channels, conv.kernel_size[1], n
        self.pad = columns - 1 + conv.shift
        self.row = conv.weight.new_zeros(n, (self.pad + width) * self.inputs)
        self.weight = conv.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1).contiguous()
        at = [self.inputs * j for j in range(self.pad + width + 1)]
        # views are made once: making one takes as long as its use
        self.slots = [self.row[:, at[self.pad + j] : at[self.pad + j + 1]] for j in range(width)]
        self.taps = [self.row[:, at[j] : at[j + columns]] for j in range(width)]

    def at(self, j: int, above: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """The output of column j, with what comes from ``above`` added: (n, outputs)."""
        return torch.addmm(above, self.taps[j], self.weight, out=out)

    def whole(self) -> torch.Tensor:
        """The finished row, for the layers below it: (width, n, inputs)."""
        return self.row[:, self.pad * self.inputs :].view(self.n, -1, self.inputs).transpose(0, 1)


class CachedPixelCNN:
    """PixelCNN: residual blocks of masked convolutions."""

    def __init__(self, model: nn.Module, n: int, width: int, labels: torch.Tensor | None):
        convs = [model.first, *model.convs]
        self.rows = [Rows(conv.above, n, width) for conv in convs]
        self.pixels = [Pixels(conv.left, n, width) for conv in convs]
        self.outs = [_matrix(out) for out in model.outs]
        self.conditions = _flat(model._conditions(labels))

    def start(self, i: int) -> None:
        self.above = [plus(r.now(), c).unbind() for r, c in zip(self.rows, self.conditions, strict=True)]

    def pixel(self, i: int, j: int) -> torch.Tensor:
        h = self.pixels[0].at(j, self.above[0][j])
        for pixels, above, out in zip(self.pixels[1:], self.above[1:], self.outs, strict=True):
            torch.clamp_min(h, 0, out=pixels.slots[j])
            h = torch.addmm(h, pixels.at(j, above[j]).relu_(), out)
        return h

    def put(self, j: int, e: torch.Tensor) -> None:
        self.pixels[0].slots[j].copy_(e)

    def end(self, i: int) -> None:
        for rows, pixels in zip(self.rows, self.pixels, strict=True):
            rows.push(pixels.whole())


class CachedGated:
    """Gated PixelCNN: the vertical stack moves on a row at a time, the horizontal one a pixel at a time."""

    def __init__(self, model: nn.Module, n: int, width: int, labels: torch.Tensor | None):
        self.rows = [Rows(conv, n, width) for conv in model.above]
        self.pixels = [Pixels(conv, n, width) for conv in model.left]
        self.across = model.across
        self.residual = [_matrix(r) for r in model.residual]
        self.skip, self.bias = _matrix(model.skip), model.skip.bias
        self.conditions = _flat(model._conditions(labels))
        hidden = len(self.bias)
        self.gates = self.skip.new_empty(n, len(self.skip))
        following = [*self.pixels[1:], None]  # which hears this layer through its residual
        self.layers = list(
            zip(self.pixels, self.gates.split(hidden, 1), following, [*self.residual, None], strict=True)
        )
        self.z = self.skip.new_empty(n, 2 * hidden)
        self.halves = self.z.chunk(2, 1)
        self.zero = self.skip.new_zeros(())

    def start(self, i: int) -> None:
        self.above = []
        for k, (rows, condition) in enumerate(zip(self.rows, self.conditions, strict=True)):
            if k > 0:
                rows.push(gate(a, -1))  # noqa: F821 -- the layer before made it
            a = plus(rows.now(), condition)
            self.above.append(self.across[k](a).unbind())

    def pixel(self, i: int, j: int) -> torch.Tensor:
        h, (a, b) = self.zero, self.halves
        for (pixels, gated, following, residual), above in zip(self.layers, self.above, strict=True):
            pixels.at(j, above[j], out=self.z)
            torch.mul(a.tanh_(), b.sigmoid_(), out=gated)
            if following is not None:
                h = torch.addmm(h, gated, residual, out=following.slots[j])
        return torch.addmm(self.bias, self.gates, self.skip)

    def put(self, j: int, e: torch.Tensor) -> None:
        self.pixels[0].slots[j].copy_(e)

    def end(self, i: int) -> None:
        self.rows[0].push(self.pixels[0].whole())


class CachedPixelCNNpp:
    """PixelCNN++: a U of pairs of blocks."""

    def __init__(self, model: nn.Module, n: int, width: int, labels: torch.Tensor | None):
        self.rows = [Rows(conv, n, width) for conv in (model.first_above, model.first.above)]
        self.pixels = Pixels(model.first.left, n, width)
        self.conditions = _flat(model._conditions(labels))
        self.level = _CachedLevel(model.level, n, width)

    def start(self, i: int) -> None:
        u, above = (plus(rows.now(), c) for rows, c in zip(self.rows, self.conditions, strict=True))
        self.above = above.unbind()
        self.level.start(i, u)

    def pixel(self, i: int, j: int) -> torch.Tensor:
        return self.level.pixel(i, j, self.pixels.at(j, self.above[j]))

    def put(self, j: int, e: torch.Tensor) -> None:
        self.pixels.slots[j].copy_(e)

    def end(self, i: int) -> None:
        for rows in self.rows:
            rows.push(self.pixels.whole())
        self.level.end(i)


class _CachedPair:
    def __init__(self, pair: nn.Module, n: int, width: int):
        self.pair, u, ul = pair, pair.u, pair.ul
        self.u = [Rows(u.first, n, width), Rows(u.second, n, width)]
        self.rows = [Rows(ul.first.above, n, width), Rows(ul.second.above, n, width)]
        self.pixels = [Pixels(ul.first.left, n, width), Pixels(ul.second.left, n, width)]
        self.hear = [_matrix(hear) for hear in ul.hear[1:]]

    def start(self, u: torch.Tensor, *mirror: torch.Tensor) -> torch.Tensor:
        self.u[0].push(elu_both(u, -1))
        h = self.u[0].now()
        for hear, other in zip(self.pair.u.hear, mirror, strict=True):
            h = h + hear(elu_both(other, -1))
        self.u[1].push(elu_both(h, -1))
        u = u + F.glu(self.u[1].now(), -1)
        first = self.rows[0].now() + self.pair.ul.hear[0](elu_both(u, -1))
        self.above = [first.unbind(), self.rows[1].now().unbind()]
        return u

    def pixel(self, j: int, ul: torch.Tensor, *mirror: torch.Tensor) -> torch.Tensor:
        first, second = self.pixels
        F.elu_(torch.cat((ul, -ul), 1, out=first.slots[j]))
        h = first.at(j, self.above[0][j])
        for hear, other in zip(self.hear, mirror, strict=True):
            h = torch.addmm(h, elu_both(other), hear)
        F.elu_(torch.cat((h, -h), 1, out=second.slots[j]))
        return ul + F.glu(second.at(j, self.above[1][j]), 1)

    def end(self) -> None:
        for rows, pixels in zip(self.rows, self.pixels, strict=True):
            rows.push(pixels.whole())


class _CachedLevel:
    """A coarser level moves on at even rows and columns only; what it says is kept until the next one."""

    def __init__(self, level: nn.Module, n: int, width: int):
        self.level = level
        self.down = [_CachedPair(pair, n, width) for pair in level.down]
        if level.inner is not None:
            self.up = [_CachedPair(pair, n, width) for pair in level.up]
            self.inner = _CachedLevel(level.inner, n, (width + 1) // 2)
            self.shrink_u, self.shrink_ul = Rows(level.shrink_u, n, width), Rows(level.shrink_ul.above, n, width)
            self.pixels = Pixels(level.shrink_ul.left, n, width)
            self.grown_ul = self.pixels.row.new_empty(2, width + width % 2, n, self.pixels.inputs)

    def start(self, i: int, u: torch.Tensor) -> torch.Tensor:
        mirror = []
        for pair in self.down:
            u = pair.start(u)
            mirror.append(u)
        if self.level.inner is None:
            return u
        self.shrink_u.push(u)
        if i % 2 == 0:
            self.above = self.shrink_ul.now().unbind()
            coarse = self.inner.start(i // 2, self.shrink_u.now())
            self.grown_u = _grow(self.level.grow_u, coarse).permute(3, 0, 4, 1, 2).flatten(1, 2)
        u = self.grown_u[i % 2, : len(u)]
        for pair in self.up:
            u = pair.start(u, mirror.pop())
        return u

    def pixel(self, i: int, j: int, ul: torch.Tensor) -> torch.Tensor:
        mirror = []
        for pair in self.down:
            ul = pair.pixel(j, ul)
            mirror.append(ul)
        if self.level.inner is None:
            return ul
        self.pixels.slots[j].copy_(ul)
        if i % 2 == j % 2 == 0:
            coarse = self.inner.pixel(i // 2, j // 2, self.pixels.at(j, self.above[j // 2]))
            self.grown_ul[:, j : j + 2] = _grow(self.level.grow_ul, coarse).permute(2, 3, 0, 1)
        ul = self.grown_ul[i % 2, j]
        for pair in self.up:
            ul = pair.pixel(j, ul, mirror.pop())
        return ul

    def end(self, i: int) -> None:
        for pair in self.down:
            pair.end()
        if self.level.inner is not None:
            self.shrink_ul.push(self.pixels.whole())
            if i % 2 == 0:
                self.inner.end(i // 2)
            for pair in self.up:
                pair.end()


def _grow(conv: nn.ConvTranspose2d, x: torch.Tensor) -> torch.Tensor:
    """Pixels (..., C) of a coarse image to 2 x 2 pixels each, (..., C, 2, 2)."""
    return F.linear(x, conv.weight.flatten(1).t(), conv.bias.repeat_interleave(4)).unflatten(-1, (-1, 2, 2))


def _flat(conditions: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
    return [None if c is None else c.flatten(1) for c in conditions]


def _matrix(conv: Pointwise) -> torch.Tensor:
    return conv.weight.flatten(1).t().contiguous()
