"""The autoencoder and the variational autoencoder, with the same body."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from vaelib.distributions import Bernoulli, DiagGaussian, Gaussian
from vaelib.nets import mlp

_OUTPUTS = {"bernoulli": 1, "gaussian": 2}  # decoder outputs per pixel


class AE(nn.Module):
    """Autoencoder: z = f(x), x_hat = g(z) (AE-1). Nothing says how z is distributed (AE-3).

    Args:
        shape: (C, H, W) of an image.
        latent: D, the number of latent dimensions, at least 1.
        hidden: widths of the encoder's hidden layers; the decoder mirrors them. () makes both linear.
        likelihood: ``"bernoulli"`` (black or white pixels) or ``"gaussian"`` (mean and log-std per pixel, both learned).
        encoder, decoder: modules of your own, (B, C, H, W) to (B, D), and (B, D) to C*H*W values for each
            parameter of a pixel (1 for bernoulli, 2 for gaussian), in any shape.

    Raises:
        ValueError: a size below 1, or an unknown likelihood.
    """

    def __init__(
        self,
        shape: tuple[int, int, int] = (1, 28, 28),
        latent: int = 20,
        hidden: Sequence[int] = (400, 400),
        likelihood: str = "bernoulli",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ):
        super().__init__()
        self.shape, self.latent, self.likelihood = tuple(shape), latent, likelihood
        self.encoder, self.decoder = _bodies(self.shape, latent, latent, hidden, likelihood, encoder, decoder)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """f(x): float images (B, C, H, W) to codes (B, D)."""
        _check_input(x, self.shape)
        return self.encoder(x)

    def decode(self, z: torch.Tensor) -> Bernoulli | Gaussian:
        """g(z): codes (..., D) to a likelihood over images (..., C, H, W); its ``mean`` is x_hat."""
        return _decode(self, z)


class VAE(nn.Module):
    """Variational autoencoder: prior N(0, I), encoder q(z|x), decoder p(x|z) (VAE-2; Kingma & Welling 2014).

    The arguments are those of ``AE``; an encoder of your own returns (B, 2 D): the mean, then the log-std.
    """

    def __init__(
        self,
        shape: tuple[int, int, int] = (1, 28, 28),
        latent: int = 20,
        hidden: Sequence[int] = (400, 400),
        likelihood: str = "bernoulli",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
    ):
        super().__init__()
        self.shape, self.latent, self.likelihood = tuple(shape), latent, likelihood
        self.encoder, self.decoder = _bodies(self.shape, latent, 2 * latent, hidden, likelihood, encoder, decoder)

    def encode(self, x: torch.Tensor) -> DiagGaussian:
        """q(z|x): float images (B, C, H, W) to a Gaussian with mean and log_std (B, D)."""
        _check_input(x, self.shape)
        return DiagGaussian(*self.encoder(x).chunk(2, dim=-1))

    def decode(self, z: torch.Tensor) -> Bernoulli | Gaussian:
        """p(x|z): latents (..., D) to a likelihood over images (..., C, H, W)."""
        return _decode(self, z)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None, pixels: bool = False) -> torch.Tensor:
        """Draw z ~ N(0, I) and decode it, in eval mode.

        Args:
            n: how many, at least 1.
            generator: on the model's device.
            pixels: also draw x ~ p(x|z); else return the mean of p(x|z), as published pictures do.

        Returns:
            images (n, C, H, W) on the model's device.

        Raises:
            ValueError: n < 1.
        """
        if n < 1:
            raise ValueError(f"{n} samples were asked for: at least 1 can be drawn.")
        was_training = self.training
        self.eval()
        try:
            weight = next(self.decoder.parameters())
            z = torch.randn(n, self.latent, generator=generator, device=weight.device, dtype=weight.dtype)
            p = self.decode(z)
            return p.sample(generator) if pixels else p.mean
        finally:
            self.train(was_training)


def _bodies(shape, latent, outputs, hidden, likelihood, encoder, decoder) -> tuple[nn.Module, nn.Module]:
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"shape={shape} was given: an image has shape (C, H, W), each at least 1.")
    if latent < 1:
        raise ValueError(f"latent={latent} was given: a model needs at least 1 latent dimension.")
    if likelihood not in _OUTPUTS:
        raise ValueError(f"likelihood={likelihood!r} was given: use {' or '.join(repr(k) for k in _OUTPUTS)}.")
    pixels = math.prod(shape)
    if encoder is None:
        encoder = nn.Sequential(nn.Flatten(), mlp([pixels, *hidden, outputs]))
    if decoder is None:
        decoder = mlp([latent, *reversed(hidden), pixels * _OUTPUTS[likelihood]])
    return encoder, decoder


def _check_input(x: torch.Tensor, shape: tuple[int, int, int]) -> None:
    if x.dim() != 4 or tuple(x.shape[1:]) != shape:
        raise ValueError(
            f"images of shape {tuple(x.shape)} were given to a model of (B, {', '.join(map(str, shape))})."
        )
    if not x.is_floating_point():
        raise ValueError(f"encode takes float images in [0, 1], and got {x.dtype}: use data.as_float first.")


def _decode(model: AE | VAE, z: torch.Tensor) -> Bernoulli | Gaussian:
    if z.shape[-1:] != (model.latent,):
        raise ValueError(f"latents of shape {tuple(z.shape)} were given to a model of (..., {model.latent}).")
    out = model.decoder(z.reshape(-1, model.latent))
    out = out.reshape(*z.shape[:-1], _OUTPUTS[model.likelihood], *model.shape)
    parameters = out.unbind(-4)
    return Bernoulli(*parameters) if model.likelihood == "bernoulli" else Gaussian(*parameters)
