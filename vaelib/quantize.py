"""Quantization: latents become words of a finite vocabulary. Vector quantization with a codebook; finite scalar quantization."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.evaluate import code_usage

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
    (appendix A.1), in training mode, after each lookup.

    ``codebook`` is (K, D): a parameter, or a buffer with ``decay``. ``usage`` is a moving average of how large a share of the
    vectors chose each code, (K,), kept in training mode.

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
        if codes < 2 or dim < 1:
            raise ValueError(
                f"codes={codes} and dim={dim} were given: a codebook has at least 2 vectors of dimension 1."
            )
        if (decay is not None and not 0 <= decay < 1) or not commitment >= 0:
            raise ValueError(
                f"decay={decay} and commitment={commitment} were given: decay is None or from 0 to below 1, commitment at least 0."
            )
        self.codes, self.dim, self.decay, self.commitment = codes, dim, decay, commitment
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

        Raises:
            ValueError: another number of channels than D, or no vector.
            FloatingPointError: a latent is NaN or infinite. While a GPU trains nobody looks, since that would make it wait:
                the loss is NaN then.
        """
        if z_e.dim() < 2 or z_e.shape[1] != self.dim or z_e.numel() == 0 or not z_e.is_floating_point():
            raise ValueError(
                f"latents {tuple(z_e.shape)} of {z_e.dtype} were given to a codebook of dimension {self.dim}: "
                f"use float (B, {self.dim}, ...) with at least one vector."
            )
        with torch.autocast(z_e.device.type, enabled=False):
            z = z_e.to(self.codebook.dtype).movedim(1, -1)  # (B, ..., D): channels last *before* flattening (VQ-2)
            flat = z.detach().reshape(-1, self.dim)
            nearest, total = self._search(flat)
            if not (self.training and z.device.type == "cuda") and not torch.isfinite(total):
                raise FloatingPointError("a latent given to the quantizer is NaN or infinite: look at the encoder.")
            e = F.embedding(nearest, self.codebook).view(z.shape)  # a lookup: one-hot times codebook (VQ-4)
            codebook_loss = _mean_square(e, z.detach()) if self.decay is None else z.new_zeros(len(z))
            e = e.detach()
            commitment_loss = self.commitment * _mean_square(z, e)
            z_q = (e + (z - z.detach())).movedim(-1, 1)  # the bracket is exactly 0 and has gradient 1 (VQ-6)
            if self.training:
                self._learn(flat, nearest)
        return Quantized(z_q, nearest.view(z.shape[:-1]), codebook_loss, commitment_loss)

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """Integer codes (B, ...) to their vectors (B, D, ...).

        Raises:
            ValueError: not integers, or a code outside 0 to K - 1.
        """
        _check_codes(codes, self.codes)
        return F.embedding(codes, self.codebook).movedim(-1, 1)

    @torch.no_grad()
    def revive(self, z_e: torch.Tensor, below: float = 0.1, generator: torch.Generator | None = None) -> torch.Tensor:
        """Move dead codes onto vectors of this batch, drawn at random; a new quantizer, whose codes have no usage yet, thus starts
        from data. Call it in each training step: it reads nothing back from the device.

        Args:
            z_e: latents (B, D, ...), as for ``forward``.
            below: a code is dead when its ``usage`` is below this fraction of the fair share 1/K, from 0 to 1.
            generator: on the device of ``z_e``.

        Returns:
            how many were dead: an integer tensor, on the device.

        Raises:
            ValueError: ``below`` out of range.
        """
        if not 0 <= below <= 1:
            raise ValueError(f"below={below} was given: it is a fraction of the fair share, from 0 to 1.")
        flat = z_e.detach().to(self.codebook.dtype).movedim(1, -1).reshape(-1, self.dim)
        dead = self.usage < below / self.codes
        if len(flat) >= self.codes:  # without replacement: two codes in one place would never part
            chosen = torch.randperm(len(flat), generator=generator, device=flat.device)[: self.codes]
        else:
            chosen = torch.randint(len(flat), (self.codes,), generator=generator, device=flat.device)
        self.codebook.copy_(torch.where(dead[:, None], flat[chosen], self.codebook))
        self.usage.masked_fill_(dead, 1 / self.codes)
        if self.decay is not None:
            self.size.masked_fill_(dead, 1 / self.codes)
            self.total.copy_(torch.where(dead[:, None], self.codebook / self.codes, self.total))
        return dead.sum()

    @torch.no_grad()
    def _search(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The nearest code of each vector, (N,), a piece of the (N, K) products at a time; and a sum that is finite if all vectors are."""
        held = _GPU_DISTANCES if flat.device.type == "cuda" else _CPU_DISTANCES
        half_squares, down = -0.5 * self.codebook.square().sum(1), self.codebook.t()
        # ||z - e||^2 = ||z||^2 - 2 (z.e - ||e||^2 / 2): the nearest code has the largest bracket (VQ-3)
        best = [torch.addmm(half_squares, part, down).max(1) for part in flat.split(max(1, held // self.codes))]
        nearest = torch.cat([found.indices for found in best])
        return nearest, torch.stack([found.values.sum() for found in best]).sum()

    @torch.no_grad()
    def _learn(self, flat: torch.Tensor, nearest: torch.Tensor) -> None:
        share = torch.zeros_like(self.usage).index_add_(0, nearest, torch.full_like(flat[:, 0], 1 / len(flat)))
        self.usage.lerp_(share, 1 - _USAGE_DECAY)
        if self.decay is not None:
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
        levels: for each number, at least 2. D = len(levels), K = their product.

    Raises:
        ValueError: no level, or fewer than 2.
    """

    def __init__(self, levels: Sequence[int]):
        super().__init__()
        if len(levels) == 0 or min(levels) < 2:
            raise ValueError(f"levels={tuple(levels)} were given: each number needs at least 2.")
        self.codes, self.dim = math.prod(levels), len(levels)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        steps = [math.prod(levels[:k]) for k in range(len(levels))]
        self.register_buffer("steps", torch.tensor(steps), persistent=False)

    def forward(self, z_e: torch.Tensor) -> Quantized:
        """Latents (B, D, ...), float, to ``Quantized`` with losses of 0.

        Raises:
            ValueError: another number of channels than D.
            FloatingPointError: a latent is NaN, seen as by ``VectorQuantizer``.
        """
        if z_e.dim() < 2 or z_e.shape[1] != self.dim or not z_e.is_floating_point():
            raise ValueError(f"latents {tuple(z_e.shape)} of {z_e.dtype} were given: use float (B, {self.dim}, ...).")
        top = self.levels - 1
        bounded = (torch.tanh(z_e.float().movedim(1, -1)) + 1) / 2 * top
        r = bounded.detach().round()
        if not (self.training and z_e.device.type == "cuda") and not torch.isfinite(r.sum()):
            raise FloatingPointError("a latent given to the quantizer is NaN: look at the encoder.")
        z_q = 2 * (r + (bounded - bounded.detach())) / top - 1
        nothing = z_q.new_zeros(len(z_q))
        return Quantized(z_q.movedim(-1, 1), (r.long() * self.steps).sum(-1), nothing, nothing)

    def lookup(self, codes: torch.Tensor) -> torch.Tensor:
        """Integer codes (B, ...) to their vectors (B, D, ...).

        Raises:
            ValueError: not integers, or a code outside 0 to K - 1.
        """
        _check_codes(codes, self.codes)
        r = codes[..., None] // self.steps % self.levels
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


def _mean_square(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(a, b, reduction="none").flatten(1).mean(1)


def _check_codes(codes: torch.Tensor, size: int) -> None:
    if codes.is_floating_point() or codes.dtype == torch.bool or codes.dim() < 1:
        raise ValueError(f"codes of {codes.dtype}, shape {tuple(codes.shape)}, were given: use integers (B, ...).")
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < size:
        raise ValueError(
            f"codes from {int(codes.min())} to {int(codes.max())} were given for a codebook of {size}: they lie from 0 to {size - 1}."
        )
