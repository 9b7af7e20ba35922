"""Quantization: latents become words of a finite vocabulary. Vector quantization with a codebook; finite scalar quantization."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.outside import given

_USAGE_DECAY = 0.9  # about 10 batches: averaged over 100, revival came too late for a moving encoder
_CPU_DISTANCES, _GPU_DISTANCES = 2**19, 2**26  # distances held at once: a CPU's cache, 256 MiB of a GPU


class Quantized(NamedTuple):
    """Latents and the words that stand for them.

    z_q: the chosen codebook vectors, (B, D, ...), as the input. Their gradient goes straight through to z_e (VQ-6).
    codes: which ones, int64 (B, ...), from 0 to K - 1.
    codebook_loss: mean of (sg[z_e] - e)^2 over the numbers of an image, (B,); 0 where nothing of a codebook is learned by gradient.
    commitment_loss: beta times the mean of (z_e - sg[e])^2, (B,): the caller adds it as it is (VQ-5).
    """

    z_q: torch.Tensor
    codes: torch.Tensor
    codebook_loss: torch.Tensor
    commitment_loss: torch.Tensor


class VectorQuantizer(nn.Module):
    """Replace each latent vector by the nearest one of K codebook vectors (VQ-1 to VQ-8; van den Oord et al. 2017).

    k = argmin_j ||z_e - e_j||^2, z_q = e_k (eqs. 1 and 2). Backward, the gradient of z_q is copied to z_e. The codebook learns in
    one of two ways: by gradient, from ``codebook_loss``; or, with ``decay``, as a moving average of the vectors that chose it
    (appendix A.1), after each ``forward`` in training mode, under ``torch.no_grad()`` too: ``eval()`` before one only looks.

    ``codebook`` is (K, D): a parameter, or a buffer with ``decay``. ``usage`` is a moving average of how large a share of the
    vectors chose each code, (K,), kept in training mode.

    Distances are computed in float32 from a centre amid the words in use: two words are told apart if their squared distances
    differ by more than about 1e-6 of the square of how far latents and words lie from there, wherever that is.

    Args:
        codes: K, at least 2.
        dim: D, at least 1.
        decay: None, or the gamma of the moving average, from 0 (the batch at hand alone: one step of k-means) to below 1.
        commitment: beta in eq. 3, at least 0. It weighs the term that moves the *encoder*.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, codes: int, dim: int, decay: float | None = None, commitment: float = 0.25):
        super().__init__()
        self.codes = codes = given.whole("codes", codes, 2)
        self.dim = dim = given.whole("dim", dim, 1)
        self.decay = None if decay is None else given.number("decay", decay, 0, below=1)
        self.commitment = given.number("commitment", commitment, 0)
        start = torch.randn(codes, dim)
        if decay is None:
            self.codebook = nn.Parameter(start)
        else:
            self.register_buffer("codebook", start)
            self.register_buffer("size", torch.zeros(codes))  # codebook = total / size
            self.register_buffer("total", torch.zeros(codes, dim))
        self.register_buffer("usage", torch.zeros(codes))

    def forward(self, z_e: torch.Tensor) -> Quantized:
        """Latents (B, D, ...), float, any number of positions, to ``Quantized``. Computed in float32, also under autocast.

        In training mode ``usage`` follows, and with ``decay`` the codebook, once the words are found.

        Raises:
            ValueError: no float tensor, another number of channels than D, no vector, or another device.
            FloatingPointError: a latent or a word is NaN or infinite. While a GPU trains nobody looks, since that would make it wait:
                the loss is NaN then, and the codebook learns nothing from such a vector.
        """
        given.tensor("z_e", z_e, ("B", self.dim, ...), least=1, on=self.codebook.device)
        with torch.autocast(z_e.device.type, enabled=False):
            z = z_e.to(self.codebook.dtype).movedim(1, -1)  # (B, ..., D): channels last *before* flattening (VQ-2)
            flat = z.detach().reshape(-1, self.dim)
            nearest, finite = self._search(flat)
            _look(finite, self.training)
            e = F.embedding(nearest, self.codebook).view(z.shape)  # a lookup: one-hot times codebook (VQ-4)
            codebook_loss = _mean_square(e, z.detach()) if self.decay is None else z.new_zeros(len(z))
            e = e.detach()
            commitment_loss = self.commitment * _mean_square(z, e)
            z_q = (e + (z - z.detach())).movedim(-1, 1)  # the bracket is exactly 0 and has gradient 1 (VQ-6)
            if self.training:
                self._learn(flat, nearest, finite)
        return Quantized(z_q, nearest.view(z.shape[:-1]), codebook_loss, commitment_loss)

    def extra_repr(self) -> str:
        """What it prints, by which a checkpoint knows it."""
        return f"{self.codes}, {self.dim}, decay={self.decay}, commitment={self.commitment}"

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (B, ...), of any integer type, to their vectors (B, D, ...).

        Raises:
            ValueError: no integers, none at all, a code outside 0 to K - 1, or another device.
        """
        return F.embedding(_codes(codes, self.codes, self.codebook.device), self.codebook).movedim(-1, 1)

    @torch.no_grad()
    def revive(self, z_e: torch.Tensor, below: float = 0.1, generator: torch.Generator | None = None) -> torch.Tensor:
        """Move dead codes onto vectors of this batch, drawn at random.

        A new quantizer, whose codes have no usage yet, thus starts from data. Call it in each training step: it reads nothing back from
        the device.

        Args:
            z_e: latents (B, D, ...), as for ``forward``.
            below: a code is dead when its ``usage`` is below this fraction of the fair share 1/K, from 0 to 1.
            generator: on the device of ``z_e``.

        Returns:
            how many were moved: an integer tensor, on the device.

        Raises:
            ValueError: latents of another shape, type or device; ``below`` out of range; a generator of another device.
            FloatingPointError: a latent is NaN or infinite, seen as by ``forward``: while a GPU trains, no code moves to such a one.
        """
        given.tensor("z_e", z_e, ("B", self.dim, ...), least=1, on=self.codebook.device)
        given.number("below", below, 0, 1)
        given.generator("generator", generator, z_e.device)
        flat = z_e.detach().to(self.codebook.dtype).movedim(1, -1).reshape(-1, self.dim)
        dead = self.usage < below / self.codes
        if len(flat) >= self.codes:  # without replacement: two codes in one place would never part
            chosen = torch.randperm(len(flat), generator=generator, device=flat.device)[: self.codes]
        else:
            chosen = torch.randint(len(flat), (self.codes,), generator=generator, device=flat.device)
        finite = flat.sum(1).isfinite()
        _look(finite, self.training)
        dead &= finite[chosen]
        self.codebook.copy_(torch.where(dead[:, None], flat[chosen], self.codebook))
        self.usage.masked_fill_(dead, 1 / self.codes)
        if self.decay is not None:
            self.size.masked_fill_(dead, 1 / self.codes)
            self.total.copy_(torch.where(dead[:, None], self.codebook / self.codes, self.total))
        return dead.sum()

    @torch.no_grad()
    def _search(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest code of each vector, (N,), a piece of the (N, K) products at a time; and whether the vector is finite, (N,)."""
        held = _GPU_DISTANCES if flat.device.type == "cuda" else _CPU_DISTANCES
        # Distances do not depend on the origin, their rounding does. Words in use lie where latents do; a dead one far off
        # must not draw the centre away. Of a codebook not used yet, all count alike.
        precision = torch.promote_types(flat.dtype, torch.float32)
        flat, words, share = flat.to(precision), self.codebook.to(precision), self.usage.to(precision) + 1e-9
        centre = share @ words / share.sum()
        words = words - centre
        half_squares, down = -0.5 * words.square().sum(1), words.t()
        # ||z - e||^2 = ||z||^2 - 2 (z.e - ||e||^2 / 2): the nearest code has the largest bracket (VQ-3)
        parts = flat.split(max(1, held // self.codes))
        best = [torch.addmm(half_squares, part - centre, down).max(1) for part in parts]
        return torch.cat([found.indices for found in best]), torch.cat([found.values for found in best]).isfinite()

    @torch.no_grad()
    def _learn(self, flat: torch.Tensor, nearest: torch.Tensor, finite: torch.Tensor) -> None:
        share = torch.zeros_like(self.usage).index_add_(0, nearest, finite.to(flat.dtype) / len(flat))
        self.usage.lerp_(share, 1 - _USAGE_DECAY)
        if self.decay is not None:
            flat = flat.where(finite[:, None], 0)
            total = torch.zeros_like(self.total).index_add_(0, nearest, flat, alpha=1 / len(flat))
            self.size.lerp_(share, 1 - self.decay)
            self.total.lerp_(total, 1 - self.decay)
            # a code that nobody has chosen for long stays where it is
            mean = self.total / self.size.clamp(min=1e-9)[:, None]
            self.codebook.copy_(torch.where(self.size[:, None] > 1e-9, mean, self.codebook))


class FiniteScalarQuantizer(nn.Module):
    """Round each of a few numbers to one of a few levels: a fixed grid, nothing learned, no loss (Mentzer et al. 2023, section 3).

    With L levels for a number, r = round((L - 1) (tanh(z) + 1) / 2) and z_q = 2 r / (L - 1) - 1, from -1 to 1; backward, the
    rounding counts as the identity. (The paper centres an even number of levels otherwise.) The word is r_1 + L_1 r_2 + L_1 L_2 r_3 + ...

    Args:
        levels: for each number, at least 2. D = len(levels), K = their product, below 2^63.

    Raises:
        ValueError: no whole numbers, fewer than 2 levels, or too many words.
    """

    def __init__(self, levels: Sequence[int]):
        super().__init__()
        levels = given.sizes("levels", levels, least=2)
        if not levels or math.prod(levels) >= 2**63:
            raise given.refuse("levels", levels, "one whole number or more, each at least 2, with a product below 2^63")
        self.codes, self.dim = math.prod(levels), len(levels)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        steps = [math.prod(levels[:k]) for k in range(len(levels))]
        self.register_buffer("steps", torch.tensor(steps), persistent=False)

    def forward(self, z_e: torch.Tensor) -> Quantized:
        """Latents (B, D, ...), float, to ``Quantized`` with losses of 0.

        Raises:
            ValueError: no float tensor, another number of channels than D, no vector, or another device.
            FloatingPointError: a latent is NaN or infinite, seen as by ``VectorQuantizer``.
        """
        given.tensor("z_e", z_e, ("B", self.dim, ...), least=1, on=self.levels.device)
        _look(z_e.detach().sum().isfinite(), self.training)
        top = self.levels - 1
        bounded = (torch.tanh(z_e.float().movedim(1, -1)) + 1) / 2 * top
        r = bounded.detach().round()
        z_q = 2 * (r + (bounded - bounded.detach())) / top - 1
        nothing = z_q.new_zeros(len(z_q))
        return Quantized(z_q.movedim(-1, 1), (r.long() * self.steps).sum(-1), nothing, nothing)

    def extra_repr(self) -> str:
        """What it prints, by which a checkpoint knows it."""
        return f"{self.levels.tolist()}"

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (B, ...), of any integer type, to their vectors (B, D, ...).

        Raises:
            ValueError: no integers, none at all, a code outside 0 to K - 1, or another device.
        """
        r = _codes(codes, self.codes, self.levels.device)[..., None] // self.steps % self.levels
        return (2 * r / (self.levels - 1) - 1).movedim(-1, 1)


def perplexity(codes: torch.Tensor, K: int) -> float:
    """exp(-sum_k p_k log p_k), with p_k the share of code k: from 1 (one code alone) to K (all equally often) (VQ-7).

    Of a batch it is smaller than of the whole set: few vectors cannot use many codes.

    Args:
        codes: integers from 0 to K - 1, any shape.

    Raises:
        ValueError: no code, not integers, or out of range.
    """
    share = code_usage(codes, K)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


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


def _mean_square(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(a, b, reduction="none").flatten(1).mean(1)


def _look(finite: torch.Tensor, training: bool) -> None:
    """An error, unless all are finite. While a GPU trains nobody looks, since that would make it wait."""
    if not (training and finite.device.type == "cuda") and not finite.all():
        raise FloatingPointError(
            "a latent, or a word of the codebook, is NaN or infinite: look at the encoder, and at its images."
        )


def _codes(codes: torch.Tensor, size: int, device: torch.device) -> torch.Tensor:
    given.tensor("codes", codes, ("B", ...), "integer", least=1, on=device)
    return given.within("codes", codes.long(), 0, size - 1, f"codes from 0 to {size - 1}", everywhere=True)
