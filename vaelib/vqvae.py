"""The VQ-VAE: an autoencoder whose code is a small picture of words; its words on disk, and images from a prior over them."""

from os import PathLike
from typing import NamedTuple

import torch
from torch import nn

from vaelib.nets import conv_down, conv_up, eval_mode
from vaelib.outside import given
from vaelib.outside.files import checksum, read_whole, written_whole
from vaelib.quantize import FiniteScalarQuantizer, Quantized, VectorQuantizer


class Reconstruction(NamedTuple):
    """x_hat: the rebuilt images (B, C, H, W).  quantized: the words they were rebuilt from, with their losses."""

    x_hat: torch.Tensor
    quantized: Quantized


class VQVAE(nn.Module):
    """Encoder, quantizer, decoder (VQ-5; van den Oord et al. 2017). An image of H x W becomes H/4 x W/4 words.

    The default is the network of the paper's CIFAR-10 experiment in its published code: 128 channels, two residual blocks
    of 32, 512 codes of dimension 64; 32x32 images become 8x8 codes. For lessons, ``VQVAE(width=32, residual=16)`` with a
    smaller quantizer trains in seconds.

    To minimise, with ``x_hat, q = model(x)``: squared error + ``q.codebook_loss`` + ``q.commitment_loss``, the error in units of
    the data's variance. Up to a scale and a constant, squared error is -log p(x|z_q) of a Gaussian of fixed spread.

    Args:
        shape: (C, H, W) of an image; H and W divisible by 4.
        quantizer: a ``VectorQuantizer`` (default: 512 codes of dimension 64, moving average 0.99) or ``FiniteScalarQuantizer``.
        width: channels, even.
        residual: channels inside the residual blocks.
        blocks: residual blocks in each body.

    Raises:
        ValueError: a size out of range, or an image that does not divide.
    """

    def __init__(
        self,
        shape: tuple[int, int, int] = (3, 32, 32),
        quantizer: VectorQuantizer | FiniteScalarQuantizer | None = None,
        width: int = 128,
        residual: int = 32,
        blocks: int = 2,
    ):
        super().__init__()
        self.shape = shape = given.sizes("shape", shape, 3, form="(C, H, W)")
        if shape[1] % 4 or shape[2] % 4:
            raise given.refuse("shape", shape, "(C, H, W) with H and W divisible by 4")
        if quantizer is None:
            quantizer = VectorQuantizer(512, 64, decay=0.99)
        self.quantizer = given.finite_weights("quantizer", given.module("quantizer", quantizer, "lookup"))
        self.encoder = conv_down(shape[0], self.quantizer.dim, width, residual, blocks)
        self.decoder = conv_up(self.quantizer.dim, shape[0], width, residual, blocks)

    def forward(self, x: torch.Tensor) -> Reconstruction:
        """Images through encoder, quantizer and decoder, for training. Arguments and errors as in ``encode``."""
        quantized = self.encode(x)
        return Reconstruction(self.decode(quantized.z_q), quantized)

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        """z_e: float images (B, C, H, W) in [0, 1] to the encoder's output (B, D, H/4, W/4).

        Raises:
            ValueError: images of another shape, not float, on another device, or outside [0, 1] (looked at on the CPU only).
        """
        given.tensor("x", x, ("B", *self.shape), least=1, on=self._weight.device, cure=given.AS_FLOAT)
        given.within("x", x, 0, 1, "images from 0 to 1, as data.as_float makes them")
        return self.encoder((x - 0.5).to(self._weight.dtype))

    def encode(self, x: torch.Tensor) -> Quantized:
        """Images to words: ``encode(x).codes`` is int64 (B, H/4, W/4).

        In training mode the quantizer counts what it is asked, and a codebook of moving averages moves, also under
        ``torch.no_grad()``: call ``eval()`` before to look only. ``decode`` and ``sample`` never move it.

        Raises:
            ValueError: as in ``latents``.
            FloatingPointError: the encoder's output is NaN or infinite (not looked at while a GPU trains).
        """
        return self.quantizer(self.latents(x))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Words to images (B, C, H, W), nearly in [0, 1].

        Args:
            z: codes (B, H/4, W/4) of any integer type, or their vectors z_q, float (B, D, H/4, W/4).

        Raises:
            ValueError: another shape or device, no image, codes out of range, or vectors that are not finite (seen on the CPU only).
        """
        if isinstance(z, torch.Tensor) and z.is_floating_point():
            given.tensor("z", z, ("B", self.quantizer.dim, *self._page), least=1, on=self._weight.device)
            given.finite("z", z)
        else:
            given.tensor("z", z, ("B", *self._page), "integer", least=1, on=self._weight.device)
            z = self.quantizer.lookup(z)
        return self.decoder(z.to(self._weight.dtype)) + 0.5

    @torch.no_grad()
    def sample(self, n: int, prior: nn.Module, **options) -> torch.Tensor:
        """Generate in two stages: words k ~ p(k) from a prior, then the images that they decode to (VQ-10).

        Args:
            n: how many images.
            prior: a model of ``vaelib.pixelcnn`` with ``levels=K``, or anything with ``sample(n, (H/4, W/4), **options)`` that
                returns integers (n, 1, H/4, W/4).
            options: for ``prior.sample``: ``generator``, ``temperature``, ``labels``; ``given`` and ``mask`` to complete pages.

        Returns:
            float images (n, C, H, W), nearly in [0, 1]: the decoder's output, without noise.

        Raises:
            ValueError: the prior has another number of words, or gives pages of another shape; weights that are not finite.
        """
        n, words = given.whole("n", n, 1), self.quantizer.codes
        given.having("prior", prior, "sample")
        if getattr(prior, "levels", words) != words:
            raise ValueError(
                f"a prior over {prior.levels} words was given to a model with {words}: train one with levels={words} on this model's codes."
            )
        given.finite_weights("the VQVAE", self)
        codes = prior.sample(n, self._page, **options)
        given.tensor("what the prior drew", codes, (n, 1, *self._page), "integer")
        with eval_mode(self):
            return self.decode(codes[:, 0].to(self._weight.device))

    @property
    def _page(self) -> tuple[int, int]:
        return self.shape[1] // 4, self.shape[2] // 4

    @property
    def _weight(self) -> torch.Tensor:
        return self.decoder[0].weight


def save_codes(path: str | PathLike, model: VQVAE, codes: torch.Tensor) -> None:
    """Write integer codes (N, H/4, W/4) to a file, whole or not at all, with the marks of the model that they belong to.

    Raises:
        ValueError: codes of another shape, not integers, or outside 0 to K - 1; or no VQVAE.
        WriteError: the file cannot be written (an OSError).
    """
    state = _marks(model) | {"codes": _pages(model, codes)}
    with written_whole(path) as file:
        torch.save(state, file)


def load_codes(path: str | PathLike, model: VQVAE) -> torch.Tensor:
    """Codes that ``save_codes`` wrote: int64 (N, H/4, W/4), on the CPU.

    They are of this model if its encoder and the vectors of its words have not changed by a bit; a pass that only counts usage
    changes neither. But a pass in training mode moves a codebook with ``decay``, and then the words mean something else.

    Raises:
        ValueError: no file, a folder, a damaged file, one of something else; or the codes are of another model.
    """
    state = read_whole(path, "file of save_codes", {"codes": torch.Tensor}, "encode the images again")
    here = _marks(model)
    theirs = {part: state.get(part) for part in here}
    if not all(isinstance(mark, str) for mark in theirs.values()):
        raise ValueError(
            f"{path} does not say of which model its codes are (an earlier vaelib's): encode the images again."
        )
    if theirs["encoder"] != here["encoder"]:
        raise ValueError(
            f"the codes in {path} are of another model, and its words mean something else here: encode the images again."
        )
    if theirs["words"] != here["words"]:
        raise ValueError(
            f"the codebook has moved since the codes in {path} were saved, as one with decay does in a pass in training mode: "
            "encode the images again, in eval mode."
        )
    return _pages(model, state["codes"])


def _pages(model: VQVAE, codes: torch.Tensor) -> torch.Tensor:
    codes = given.tensor("codes", codes, ("N", *model._page), "integer").cpu().long()
    return given.within("codes", codes, 0, model.quantizer.codes - 1, f"words from 0 to {model.quantizer.codes - 1}")


@torch.no_grad()
def _marks(model: VQVAE) -> dict[str, str]:
    """Checksums of what gives words their meaning: the encoder, and the vector of each word. Training moves both."""
    given.module("model", model, "encoder", "quantizer")
    encoder = tuple(model.encoder.state_dict().values())
    every_word = torch.arange(model.quantizer.codes, device=encoder[0].device)
    return {"encoder": checksum(*encoder), "words": checksum(model.quantizer.lookup(every_word))}
