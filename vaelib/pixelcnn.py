"""PixelCNN, Gated PixelCNN and PixelCNN++: exact likelihoods of images, one pixel after the other (AR-1).

``features`` of each model is for whole images, as in training; its twin in ``vaelib.sampling`` computes the same numbers pixel by
pixel, as in sampling (AR-6).
"""

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.autoregressive import PixelModel
from vaelib.causal import Above, Left, Masked, Pointwise, elu_both, gate, odd, plus
from vaelib.outside import given
from vaelib.sampling import CachedGated, CachedPixelCNN, CachedPixelCNNpp


class PixelCNN(PixelModel):
    """Stacked masked convolutions (AR-2; van den Oord et al. 2016a): a mask A, then residual blocks with masks B.

    log p(x) = sum_i log p(x_i | x_<i), pixels in reading order, a pixel's channels one after the other. The stack has a blind spot to
    the right above each pixel (AR-3), which the two later models do not have.

    Args:
        levels: K, values of a channel: 2 for black and white, 256 for 8 bits, the number of codes for a VQ-VAE's latents.
        channels: C.
        hidden: feature maps in each layer.
        layers: masked convolutions in all, at least 1.
        kernel, first_kernel: their sizes, odd, from 3.
        options: four that all models have. ``ordered``: True (the default), levels are intensities and seen as numbers; False, for
            codes, each level is seen as a learned vector. ``likelihood``: "categorical" (the default), a softmax, or "logistic", a
            mixture of discretized logistics (AR-5), for ordered levels. ``mixtures``: its components (10). ``labels``: number of
            classes to condition on (0: none).

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self,
        levels: int,
        channels: int = 1,
        hidden: int = 64,
        layers: int = 7,
        kernel: int = 3,
        first_kernel: int = 7,
        **options,
    ):
        hidden, layers = given.whole("hidden", hidden, 1), given.whole("layers", layers, 1)
        kernel, first_kernel = odd("kernel", kernel), odd("first_kernel", first_kernel)
        super().__init__(levels, channels, hidden, [hidden] * layers, **options)
        self.first = Masked("A", self.inputs, hidden, first_kernel)
        self.convs = nn.ModuleList(Masked("B", hidden, hidden, kernel) for _ in range(layers - 1))
        self.outs = nn.ModuleList(Pointwise(hidden, hidden, bias=False) for _ in range(layers - 1))

    def features(self, e: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Embedded images (B, inputs, H, W) to features (B, hidden, H, W) that have seen earlier pixels only."""
        first, *others = self._conditions(labels)
        h = plus(self.first(e), first)
        for conv, out, condition in zip(self.convs, self.outs, others, strict=True):
            h = h + out(F.relu(plus(conv(F.relu(h)), condition)))
        return h

    def _cache(self, n: int, width: int, labels: torch.Tensor | None) -> CachedPixelCNN:
        return CachedPixelCNN(self, n, width, labels)


class GatedPixelCNN(PixelModel):
    """Two stacks without a blind spot, and gates (AR-3, AR-4; van den Oord et al. 2016b, figure 2).

    The vertical stack sees all rows above, the horizontal one the row to the left, and hears the vertical one. Each layer's
    activation is tanh(a) * sigmoid(b). The horizontal stack's gates of all layers, skipping the rest, make the features.

    Arguments and errors as in ``PixelCNN``.
    """

    def __init__(
        self,
        levels: int,
        channels: int = 1,
        hidden: int = 64,
        layers: int = 7,
        kernel: int = 3,
        first_kernel: int = 7,
        **options,
    ):
        hidden, layers = given.whole("hidden", hidden, 1), given.whole("layers", layers, 1)
        kernel, first_kernel = odd("kernel", kernel), odd("first_kernel", first_kernel)
        super().__init__(levels, channels, hidden, [2 * hidden] * layers, **options)
        side, first = kernel // 2, first_kernel // 2
        rest = range(layers - 1)
        self.above = nn.ModuleList([Above(self.inputs, 2 * hidden, first, first_kernel, 1)])
        self.above.extend(Above(hidden, 2 * hidden, side + 1, kernel, 0) for _ in rest)
        self.left = nn.ModuleList([Left(self.inputs, 2 * hidden, first, 1)])
        self.left.extend(Left(hidden, 2 * hidden, side + 1, 0) for _ in rest)
        self.across = nn.ModuleList(Pointwise(2 * hidden, 2 * hidden) for _ in range(layers))
        self.residual = nn.ModuleList(Pointwise(hidden, hidden, bias=False) for _ in rest)
        self.skip = Pointwise(layers * hidden, hidden)

    def features(self, e: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Embedded images (B, inputs, H, W) to features (B, hidden, H, W) that have seen earlier pixels only."""
        v = h = e
        gates: list[torch.Tensor] = []
        for k, condition in enumerate(self._conditions(labels)):
            if k > 0:
                v = gate(a)  # noqa: F821 -- the layer before made it
                r = self.residual[k - 1](gates[-1])
                h = r if k == 1 else h + r
            a = plus(self.above[k](v), condition)
            gates.append(gate(self.left[k](h) + self.across[k](a)))
        return self.skip(torch.cat(gates, 1))

    def _cache(self, n: int, width: int, labels: torch.Tensor | None) -> CachedGated:
        return CachedGated(self, n, width, labels)


class PixelCNNpp(PixelModel):
    """PixelCNN++ (Salimans et al. 2017): two streams of gated residual blocks at several resolutions, with skip connections.

    One stream sees the rows above, the other also the row to the left and the first stream. Half of the blocks lie before, half behind
    the coarser resolutions, and hear their mirror image. Here the second stream's kernels are masks B of 3 x 3, five weights, where
    the paper's have four; the coarsest level has one set of blocks; plain convolutions stand for weight-normalised ones.

    Args:
        layers: residual blocks before and behind each resolution but the coarsest, which has that many once.
        scales: resolutions, each half as fine; 1 for none but the image's own. The paper has 3.
        dropout: in each block while training, 0 to below 1. The paper has 0.5 for CIFAR-10.
        options: as in ``PixelCNN``, but ``likelihood`` is "logistic" by default where levels are ordered.

    The other arguments, and errors, are those of ``PixelCNN``.
    """

    def __init__(
        self,
        levels: int,
        channels: int = 1,
        hidden: int = 64,
        layers: int = 2,
        scales: int = 3,
        dropout: float = 0.0,
        **options,
    ):
        hidden, layers = given.whole("hidden", hidden, 1), given.whole("layers", layers, 1)
        scales, dropout = given.whole("scales", scales, 1), given.number("dropout", dropout, 0, below=1)
        options.setdefault("likelihood", "logistic" if options.get("ordered", True) else "categorical")
        super().__init__(levels, channels, hidden, [hidden, hidden], **options)
        self.first_above = Above(self.inputs, hidden, 2, 3, 1)
        self.first = Masked("A", self.inputs, hidden, 3)
        self.level = _Level(hidden, layers, scales - 1, dropout)

    def features(self, e: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Embedded images (B, inputs, H, W) to features (B, hidden, H, W) that have seen earlier pixels only."""
        above, left = self._conditions(labels)
        return self.level(plus(self.first_above(e), above), plus(self.first(e), left))[1]

    def _cache(self, n: int, width: int, labels: torch.Tensor | None) -> CachedPixelCNNpp:
        return CachedPixelCNNpp(self, n, width, labels)


class _GatedResidual(nn.Module):
    """x + a * sigmoid(b), with a, b from two causal convolutions of x and, added after the first, what other streams say."""

    def __init__(self, first: nn.Module, second: nn.Module, hidden: int, others: int, dropout: float):
        super().__init__()
        self.first, self.second, self.dropout = first, second, nn.Dropout(dropout)
        self.hear = nn.ModuleList(Pointwise(2 * hidden, hidden, bias=False) for _ in range(others))

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        h = self.first(elu_both(x))
        for hear, other in zip(self.hear, others, strict=True):
            h = h + hear(elu_both(other))
        return x + F.glu(self.second(self.dropout(elu_both(h))), 1)


class _Pair(nn.Module):
    """A block of each stream; ``u`` sees rows above, ``ul`` hears it. Behind the coarser levels both hear their mirror image."""

    def __init__(self, hidden: int, mirror: bool, dropout: float):
        super().__init__()
        h = hidden
        self.u = _GatedResidual(Above(2 * h, h, 2, 3, 0), Above(2 * h, 2 * h, 2, 3, 0), h, int(mirror), dropout)
        self.ul = _GatedResidual(Masked("B", 2 * h, h, 3), Masked("B", 2 * h, 2 * h, 3), h, 1 + mirror, dropout)

    def forward(self, u: torch.Tensor, ul: torch.Tensor, *mirror: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        u = self.u(u, *mirror[:1])
        return u, self.ul(ul, u, *mirror[1:])


class _Level(nn.Module):
    """Blocks at one resolution; below it, if ``depth`` > 0, the next one of half the size and a second set of blocks."""

    def __init__(self, hidden: int, layers: int, depth: int, dropout: float):
        super().__init__()
        self.down = nn.ModuleList(_Pair(hidden, False, dropout) for _ in range(layers))
        self.inner = _Level(hidden, layers, depth - 1, dropout) if depth else None
        if depth:
            self.shrink_u, self.shrink_ul = Above(hidden, hidden, 2, 3, 0, 2), Masked("B", hidden, hidden, 3, 2)
            self.grow_u, self.grow_ul = (nn.ConvTranspose2d(hidden, hidden, 2, 2) for _ in range(2))
            self.up = nn.ModuleList(_Pair(hidden, True, dropout) for _ in range(layers))

    def forward(self, u: torch.Tensor, ul: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mirror = []
        for pair in self.down:
            u, ul = pair(u, ul)
            mirror.append((u, ul))
        if self.inner is None:
            return u, ul
        height, width = u.shape[-2:]
        u, ul = self.inner(self.shrink_u(u), self.shrink_ul(ul))
        u, ul = self.grow_u(u)[:, :, :height, :width], self.grow_ul(ul)[:, :, :height, :width]
        for pair in self.up:
            u, ul = pair(u, ul, *mirror.pop())
        return u, ul
