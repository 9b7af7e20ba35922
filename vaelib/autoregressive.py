"""Models of images one pixel after the other (AR-1): what all of them share, from levels to log p(x) and samples.

A model adds ``features``, for whole images as in training, and ``_cache``, its twin in ``vaelib.sampling`` that computes the same numbers
pixel by pixel, as in sampling (AR-6).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.causal import Pointwise
from vaelib.distributions import Categorical, DiscretizedLogisticMixture, gumbel
from vaelib.nets import eval_mode
from vaelib.outside import given as wall  # sample has an argument of that name


class PixelModel(nn.Module):
    """What all models share: levels in, likelihood out, log p(x), sampling. Each adds ``features`` and ``_cache``."""

    def __init__(
        self,
        levels: int,
        channels: int,
        hidden: int,
        widths: Sequence[int],
        *,
        ordered: bool = True,
        likelihood: str = "categorical",
        mixtures: int = 10,
        labels: int = 0,
    ):
        super().__init__()
        self.levels = levels = wall.whole("levels", levels, 2)
        self.channels = channels = wall.whole("channels", channels, 1)
        self.labels = labels = wall.whole("labels", labels, 0)
        mixtures = wall.whole("mixtures", mixtures, 1)
        if wall.one_of("likelihood", likelihood, ["categorical", "logistic"]) == "logistic" and not ordered:
            raise wall.refuse("ordered", ordered, "likelihood='categorical' where levels have no order")
        if wall.flag("ordered", ordered):  # an intensity, and a 1 that tells a pixel from the padding
            values = torch.linspace(-1, 1, levels)
            self.register_buffer("table", torch.stack((values, torch.ones(levels)), 1))
        else:
            self.table = nn.Parameter(torch.randn(levels, hidden) / hidden**0.5)
        self.inputs = channels * self.table.shape[1]
        if likelihood == "categorical":
            self.head = _CategoricalHead(hidden, levels, channels, self.table.shape[1])
        else:
            self.head = _LogisticHead(hidden, levels, channels, mixtures)
        self.widths = list(widths)
        self.condition = nn.Embedding(labels, sum(widths)) if labels else None

    def forward(
        self, x: torch.Tensor, labels: torch.Tensor | None = None, cached: bool = False
    ) -> Categorical | DiscretizedLogisticMixture:
        """The conditionals p(x_i | x_<i) of all pixels at once, each given the true pixels before it.

        Args:
            x: integers of any type, from 0 to levels - 1, (B, C, H, W).
            labels: integers (B,) from 0 to labels - 1, if the model was made with labels.
            cached: compute the features pixel by pixel as ``sample`` does, without a graph: the same numbers, for checks.

        Raises:
            ValueError: another shape or device, no integers, out of range (looked at on the CPU only), or labels missing or not wanted.
        """
        wall.tensor("x", x, ("B", self.channels, "H", "W"), "integer", least=1, on=self.table.device)
        x = wall.within("x", x.long(), 0, self.levels - 1, self._range)
        labels = self._check_labels(labels, len(x))
        e = self.embed(x)
        if not wall.flag("cached", cached):
            return self.head(self.features(e, labels), e)
        with torch.no_grad():
            cache = self._cache(len(x), x.shape[-1], labels)
            h = e.new_empty(len(x), self.head.hidden, *x.shape[-2:])
            for i in range(x.shape[-2]):
                cache.start(i)
                for j in range(x.shape[-1]):
                    h[:, :, i, j] = cache.pixel(i, j)
                    cache.put(j, e[:, :, i, j])
                cache.end(i)
            return self.head(h, e)

    def log_prob(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """log p(x) = sum_i log p(x_i | x_<i), nats, (B,) (AR-1). Arguments and errors as in ``forward``."""
        return self(x, labels).log_prob(x.long())

    def sample(
        self,
        n: int,
        shape: tuple[int, int],
        cached: bool = True,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        given: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Draw images pixel by pixel, int64 (n, C, H, W), in eval mode and without a graph.

        Args:
            shape: (H, W); the models take any size.
            cached: keep what does not change from pixel to pixel (AR-6). False runs the whole network for every pixel, hundreds of
                times slower; the same noise gives the same images.
            generator: on the model's device.
            temperature: below 1 favours likely levels; 1 draws from the model.
            given: images (n, C, H, W) to complete, as ``x`` of ``forward``. The rest is drawn from its distribution given the known
                pixels *before* it, which is exact completion where all known ones come first in reading order.
            mask: bool, True where ``given`` is kept: (H, W), or (n, 1, H, W).
            labels: integers (n,) if the model was made with labels.

        ``given``, ``mask`` and ``labels`` may lie on the CPU, where the model does not.

        Raises:
            ValueError: an argument of another type or shape, or out of range; ``given`` without ``mask`` or the other way round; weights
                that are not finite.
        """
        n, (height, width) = wall.whole("n", n, 1), wall.sizes("shape", shape, 2, form="(H, W)")
        temperature = wall.number("temperature", temperature, above=0)
        wall.flag("cached", cached)
        wall.generator("generator", generator, self.table.device)
        labels = self._check_labels(labels, n)
        known = self._check_given(given, mask, (n, self.channels, height, width))
        wall.finite_weights(f"the {type(self).__name__}", self)
        with eval_mode(self), torch.inference_mode():
            x = torch.zeros(n, self.channels, height, width, dtype=torch.int64, device=self.table.device)
            cache = self._cache(n, width, labels) if cached else None
            for i in range(height):
                noise = temperature * gumbel((width, n, self.head.noise), generator, x.device, self.table.dtype)
                if cached:
                    cache.start(i)
                for j in range(width):
                    h = cache.pixel(i, j) if cached else self.features(self.embed(x), labels)[:, :, i, j]
                    pixel = self._draw(h, noise[j])
                    if known is not None:
                        pixel = torch.where(known[1][:, :, i, j], known[0][:, :, i, j], pixel)
                    x[:, :, i, j] = pixel
                    if cached:
                        cache.put(j, self.embed(pixel))
                if cached:
                    cache.end(i)
        return x.clone()  # an ordinary tensor again

    def _draw(self, h: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """A pixel's channels (n, C) from its features (n, hidden). Each pass makes one more channel right, with the same noise."""
        pixel = torch.zeros(len(h), self.channels, dtype=torch.int64, device=h.device) if self.channels > 1 else None
        for _ in range(self.head.passes):
            e = h if pixel is None else self.embed(pixel)  # a single channel has no other to look at
            pixel = self.head(h, e)._draw(noise)
        return pixel

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Levels (B, C, ...) to what the network sees, (B, inputs, ...): one vector for each channel, one behind the other.

        For every pixel of a sample: nothing is looked at here, ``forward`` and ``sample`` do.
        """
        e = F.embedding(x.long().movedim(1, -1), self.table).flatten(-2)
        return e.movedim(-1, 1)  # channels last in memory, which convolutions like

    def _conditions(self, labels: torch.Tensor | None) -> list[torch.Tensor | None]:
        """What the labels add to each layer, (B, width, 1, 1)."""
        if self.condition is None:
            return [None] * len(self.widths)
        return list(self.condition(labels)[:, :, None, None].split(self.widths, 1))

    @property
    def _range(self) -> str:
        return f"levels from 0 to {self.levels - 1}"

    def _check_labels(self, labels: torch.Tensor | None, n: int) -> torch.Tensor | None:
        if (labels is None) != (self.condition is None):
            raise ValueError(
                f"labels were {'not ' if labels is None else ''}given to a model made with labels={self.labels}: "
                "they are needed if that is above 0, and only then."
            )
        if labels is None:
            return None
        labels = wall.tensor("labels", labels, (n,), "integer").long()
        wall.within("labels", labels, 0, self.labels - 1, f"labels from 0 to {self.labels - 1}")
        return self._here("labels", labels)

    def _here(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """An argument that may lie on the CPU, where the model does not."""
        device = self.table.device
        return wall.tensor(name, value.to(device) if value.device.type == "cpu" else value, kind="any", on=device)

    def _check_given(self, x, mask, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor] | None:
        if x is None and mask is None:
            return None
        if x is None or mask is None:
            raise ValueError("one of given and mask was given: to complete images, give both.")
        x = self._here("given", wall.tensor("given", x, shape, "integer")).long()
        wall.within("given", x, 0, self.levels - 1, self._range, everywhere=True)
        n, _, height, width = shape
        if getattr(mask, "ndim", 4) == 2:
            wall.tensor("mask", mask, (height, width), "bool")
        else:
            wall.tensor("mask", mask, (n, 1, height, width), "bool")
        return x, self._here("mask", mask).expand(n, 1, height, width)


class _CategoricalHead(nn.Module):
    """Features to a softmax over the levels of each channel, given the channels before it.

    van den Oord et al. (2016a) split every layer's features by colour to the same end; here only the head knows of colours.
    """

    def __init__(self, hidden: int, levels: int, channels: int, inputs: int):
        super().__init__()
        self.hidden, self.inputs, self.noise, self.passes = hidden, inputs, levels * channels, channels
        self.first = Pointwise(hidden, hidden)
        self.see = nn.ModuleList(Pointwise(c * inputs, hidden, bias=False) for c in range(1, channels))
        self.out = nn.ModuleList(Pointwise(hidden, levels) for _ in range(channels))

    def forward(self, h: torch.Tensor, e: torch.Tensor) -> Categorical:
        z = self.first(F.relu(h))
        logits = [self.out[0](F.relu(z))]
        for c, (see, out) in enumerate(zip(self.see, self.out[1:], strict=True), 1):
            logits.append(out(F.relu(z + see(e[:, : c * self.inputs]))))
        return Categorical(_full_precision(torch.stack(logits, 2)))


class _LogisticHead(nn.Module):
    """Features to a mixture of discretized logistics; channels are tied by the mixture itself, so one pass gives a pixel."""

    def __init__(self, hidden: int, levels: int, channels: int, mixtures: int):
        super().__init__()
        self.hidden, self.levels, self.noise, self.passes = hidden, levels, mixtures + 2 * channels, 1
        self.mixtures = mixtures
        self.sizes = [1, channels, channels, channels * (channels - 1) // 2]
        self.first = Pointwise(hidden, hidden)
        self.out = Pointwise(hidden, mixtures * sum(self.sizes))
        with torch.no_grad():  # components that begin in one place take long to part
            self.out.bias.view(mixtures, -1)[:, 1 : 1 + channels] += torch.linspace(-1, 1, mixtures)[:, None]

    def forward(self, h: torch.Tensor, e: torch.Tensor) -> DiscretizedLogisticMixture:
        out = _full_precision(self.out(F.relu(self.first(F.relu(h))))).unflatten(1, (self.mixtures, -1))
        weights, means, log_scales, coefficients = out.split(self.sizes, 2)
        # the bound is the paper's code's: a scale far below a cell's width changes nothing but the gradients, which explode
        return DiscretizedLogisticMixture(
            weights[:, :, 0], means, log_scales.clamp(min=-7), torch.tanh(coefficients), self.levels
        )


def _full_precision(t: torch.Tensor) -> torch.Tensor:
    """Out of bfloat16, where autocast left it there: probabilities of 256 levels need the digits."""
    return t.float() if t.dtype in (torch.bfloat16, torch.float16) else t
