"""The autoencoder and the variational autoencoder, with the same body."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from vaelib.distributions import Bernoulli, DiagGaussian, Gaussian
from vaelib.nets import eval_mode, mlp
from vaelib.outside import given

_OUTPUTS = {"bernoulli": 1, "gaussian": 2}  # decoder outputs per pixel


class Output(NamedTuple):
    """What ``VAE.forward`` gives. p: the likelihood p(x|z) at one draw z ~ q(z|x).  q: the encoder's q(z|x)."""

    p: Bernoulli | Gaussian
    q: DiagGaussian


class _Autoencoder(nn.Module):
    """What the two models share: their bodies, what comes into the encoder, and the decoder."""

    per_latent = 1  # encoder outputs per latent dimension

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
        self.shape, self.latent = given.sizes("shape", shape, 3, form="(C, H, W)"), given.whole("latent", latent, 1)
        self.likelihood, hidden = given.one_of("likelihood", likelihood, _OUTPUTS), given.sizes("hidden", hidden)
        pixels = math.prod(self.shape)
        if encoder is None:
            encoder = nn.Sequential(nn.Flatten(), mlp([pixels, *hidden, self.per_latent * self.latent]))
        if decoder is None:
            decoder = mlp([self.latent, *reversed(hidden), pixels * _OUTPUTS[likelihood]])
        self.encoder, self.decoder = given.module("encoder", encoder), given.module("decoder", decoder)

    def _encoded(self, x: torch.Tensor) -> torch.Tensor:
        weight = next(self.encoder.parameters(), x)  # a replica of nn.DataParallel has none
        given.tensor("x", x, ("B", *self.shape), on=getattr(weight, "device", None), cure=given.AS_FLOAT)
        out = self.encoder(x.to(weight.dtype))
        given.tensor("the encoder's output", out, (len(x), self.per_latent * self.latent))
        return out if out.dtype == torch.float64 else out.float()

    def decode(self, z: torch.Tensor) -> Bernoulli | Gaussian:
        """p(x|z), of an AE the likelihood around g(z): its ``mean`` is x_hat.

        Args:
            z: float latents (..., D), on the model's device.

        Returns:
            a likelihood over images (..., C, H, W), in float32 at least.

        Raises:
            ValueError: another shape, dtype or device; or a decoder of your own gives another number of values.
        """
        weight = next(self.decoder.parameters(), z)
        given.tensor("z", z, (..., self.latent), on=getattr(weight, "device", None))
        out = self.decoder(z.reshape(-1, self.latent).to(weight.dtype))
        shape = (*z.shape[:-1], _OUTPUTS[self.likelihood], *self.shape)
        if given.tensor("the decoder's output", out).numel() != math.prod(shape):
            raise given.refuse("the decoder's output", out, f"{math.prod(shape)} values, for {shape}")
        parameters = (out if out.dtype == torch.float64 else out.float()).reshape(shape).unbind(-4)
        return Bernoulli(*parameters) if self.likelihood == "bernoulli" else Gaussian(*parameters)


class AE(_Autoencoder):
    """Autoencoder: z = f(x), x_hat = g(z) (AE-1). Nothing says how z is distributed (AE-3).

    ``model(x)`` is ``model.decode(model.encode(x))``: to minimise, ``-model(x).log_prob(x).mean()``.

    Args:
        shape: (C, H, W) of an image.
        latent: D, the number of latent dimensions, at least 1.
        hidden: widths of the encoder's hidden layers; the decoder mirrors them. () makes both linear.
        likelihood: ``"bernoulli"`` (black or white pixels) or ``"gaussian"`` (mean and log-std per pixel, both learned).
        encoder, decoder: modules of your own, (B, C, H, W) to (B, D), and (B, D) to C*H*W values for each
            parameter of a pixel (1 for bernoulli, 2 for gaussian), in any shape.

    Raises:
        ValueError: a size below 1, an unknown likelihood, or no module.
    """

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """f(x): codes (B, D), in float32 at least.

        Args:
            x: float images (B, C, H, W), on the model's device; NaN gives NaN.

        Raises:
            ValueError: another shape, dtype or device; or an encoder of your own does not give (B, D).
        """
        return self._encoded(x)

    def forward(self, x: torch.Tensor) -> Bernoulli | Gaussian:
        """The likelihood around x_hat = g(f(x)); arguments and errors are those of ``encode``."""
        return self.decode(self.encode(x))


class VAE(_Autoencoder):
    """Variational autoencoder: prior N(0, I), encoder q(z|x), decoder p(x|z) (VAE-2; Kingma & Welling 2014).

    With ``p, q = model(x)``, ``-(p.log_prob(x) - q.kl()).mean()`` is to be minimised: what ``bounds.elbo`` does without
    ``forward``, which is there for those who wrap the model, as nn.DataParallel and DistributedDataParallel do.

    The arguments and errors are those of ``AE``; an encoder of your own returns (B, 2 D): the mean, then the log-std.
    """

    per_latent = 2

    def encode(self, x: torch.Tensor) -> DiagGaussian:
        """q(z|x): a Gaussian with mean and log_std (B, D), in float32 at least, also under bfloat16.

        Args:
            x: float images (B, C, H, W), on the model's device; NaN gives NaN.

        Raises:
            ValueError: another shape, dtype or device; or an encoder of your own does not give (B, 2 D).
        """
        return DiagGaussian(*self._encoded(x).chunk(2, dim=-1))

    def forward(self, x: torch.Tensor, generator: torch.Generator | None = None) -> Output:
        """p(x|z) at one draw z ~ q(z|x), in eval mode too, and q(z|x).

        Args:
            x: as for ``encode``.
            generator: on the model's device; None where nn.DataParallel spreads the model over several.
        """
        q = self.encode(x)
        return Output(self.decode(q.rsample(generator)), q)

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
            ValueError: an argument out of range, or weights that are NaN or infinite.
        """
        n, pixels = given.whole("n", n, 1), given.flag("pixels", pixels)
        like = next(given.finite_weights("the model", self).decoder.parameters(), torch.empty(0))
        zero = torch.zeros(n, self.latent, device=like.device, dtype=like.dtype)
        with eval_mode(self):
            p = self.decode(DiagGaussian(zero, zero).rsample(generator))
            return p.sample(generator) if pixels else p.mean
