"""The cases of notebook 08: right code in several versions, the mistake that it shows, and other mistakes of the kind.

A function's docstring is what its reader is told: of a mistake, what is wrong. For notebooks and tests only.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.classroom.exercises.marking_checks import Case, lent, marking

# ---- 1: a log standard deviation read as a log-variance. kl(mean (B, D), log_std (B, D)) -> (B,)

KL = Case("08.1")


@KL.shown
def kl_found(mean, log_std):
    """A KL divergence to N(0, I), of rows (B, D), that takes the log standard deviation for a log-variance."""
    return 0.5 * (mean**2 + log_std.exp() - log_std - 1).sum(-1)


@KL.accepted
def kl_right(mean, log_std):
    """KL(N(mean, exp(log_std)^2) || N(0, I)) in nats, (B, D) -> (B,)."""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).sum(-1)


@KL.accepted
def kl_of_torch(mean, log_std):
    """The same, by torch.distributions."""
    q = torch.distributions.Normal(mean, log_std.exp())
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros_like(mean), 1.0)).sum(-1)


@KL.accepted
def kl_term_by_term(mean, log_std):
    """The same, each term summed by itself."""
    return 0.5 * (mean.square().sum(-1) + log_std.exp().square().sum(-1) - mean.shape[-1]) - log_std.sum(-1)


@KL.wrong
def kl_averaged(mean, log_std):
    """the mean over D, where the sum belongs"""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).mean(-1)


@KL.wrong
def kl_log_once(mean, log_std):
    """log σ once, where it belongs twice"""
    return 0.5 * (mean**2 + (2 * log_std).exp() - log_std - 1).sum(-1)


@KL.wrong
def kl_no_square(mean, log_std):
    """|μ| for μ²"""
    return 0.5 * (mean.abs() + (2 * log_std).exp() - 2 * log_std - 1).sum(-1)


@KL.wrong
def kl_exchanged(mean, log_std):
    """KL(N(0, 1) ‖ N(μ, σ²)): the two exchanged"""
    return 0.5 * ((1 + mean**2) / (2 * log_std).exp() + 2 * log_std - 1).sum(-1)


@KL.wrong
def kl_no_one(mean, log_std):
    """no −1"""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std).sum(-1)


@KL.wrong
def kl_of_the_batch(mean, log_std):
    """the mean over the batch: one number, not one for each example"""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).sum(-1).mean()


# ---- 2: means over different numbers of things. neg_elbo(logits, x (B, C, H, W), kl (B,)) -> scalar, nats for an image

LOSS = Case("08.2")


@LOSS.shown
def loss_found(logits, x, kl):
    """Reconstruction averaged over pixels, KL summed over dimensions; a hidden beta of the pixel count."""
    return F.binary_cross_entropy_with_logits(logits, x) + kl.mean()


@LOSS.accepted
def loss_right(logits, x, kl):
    """Minus the ELBO in nats for an image: both terms summed over one image, averaged over the batch."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x) + kl.mean()


@LOSS.accepted
def loss_by_log_px(logits, x, kl):
    """The same, by torch.distributions; a grey x is taken, too."""
    log_px = torch.distributions.Bernoulli(logits=logits, validate_args=False).log_prob(x)
    return (kl - log_px.flatten(1).sum(1)).mean()


@LOSS.accepted
def loss_by_softplus(logits, x, kl):
    """The same, written out."""
    return (F.softplus(logits) - x * logits).flatten(1).sum(1).mean() + kl.sum() / len(kl)


@LOSS.wrong
def loss_of_the_batch(logits, x, kl):
    """both terms summed over the batch, not averaged"""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl.sum()


@LOSS.wrong
def loss_kl_of_the_batch(logits, x, kl):
    """the KL summed over the batch, not averaged"""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x) + kl.sum()


@LOSS.wrong
def loss_of_a_channel(logits, x, kl):
    """the reconstruction divided by the number of channels C"""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / (len(x) * x.shape[1]) + kl.mean()


@LOSS.wrong
def loss_negative(logits, x, kl):
    """black and white exchanged: 1 - x for x"""
    return F.binary_cross_entropy_with_logits(logits, 1 - x, reduction="sum") / len(x) + kl.mean()


@LOSS.wrong
def loss_no_logits(logits, x, kl):
    """the logits not used"""
    return F.binary_cross_entropy_with_logits(0 * logits, x, reduction="sum") / len(x) + kl.mean()


@LOSS.wrong
def loss_kl_subtracted(logits, x, kl):
    """the KL subtracted"""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x) - kl.mean()


@LOSS.wrong
def loss_of_each_image(logits, x, kl):
    """one number for each image, no mean over the batch"""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1) + kl


@LOSS.wrong
def loss_by_channels(logits, x, kl):
    """the reconstruction divided by C, where the number of images belongs"""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[1] + kl.mean()


# ---- 3: the ELBO at the mean. elbo(log_joint, mean (B, D), log_std (B, D), generator) -> (B,), one draw each

ELBO = Case("08.3")


@ELBO.shown
def elbo_found(log_joint, mean, log_std, generator):
    """The log joint at the mean of q, which is no draw from q."""
    return log_joint(mean) + (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


@ELBO.accepted
def elbo_right(log_joint, mean, log_std, generator):
    """One-draw ELBO, log p(x, z) + H(q), z ~ q; (B, D) -> (B,)."""
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    return log_joint(z) + (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


@ELBO.accepted
def elbo_of_torch(log_joint, mean, log_std, generator):
    """The same, with the entropy of torch.distributions."""
    z = torch.addcmul(mean, log_std.exp(), torch.randn(mean.shape, generator=generator, dtype=mean.dtype))
    return torch.distributions.Normal(mean, log_std.exp()).entropy().sum(-1) + log_joint(z)


@ELBO.accepted
def elbo_term_by_term(log_joint, mean, log_std, generator):
    """The same, the noise drawn in place and each term summed by itself."""
    eps = torch.empty_like(mean, memory_format=torch.contiguous_format, requires_grad=False).normal_(
        generator=generator
    )
    entropy = log_std.sum(-1) + mean.shape[-1] / 2 * (1 + math.log(2 * math.pi))
    return log_joint(eps * log_std.exp() + mean) + entropy


@ELBO.wrong
def elbo_no_entropy(log_joint, mean, log_std, generator):
    """no H(q)"""
    return log_joint(mean + log_std.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype))


@ELBO.wrong
def elbo_entropy_subtracted(log_joint, mean, log_std, generator):
    """H(q) subtracted"""
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    return log_joint(z) - (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


@ELBO.wrong
def elbo_global_noise(log_joint, mean, log_std, generator):
    """the draw does not come from `generator`"""
    z = mean + log_std.exp() * torch.randn(mean.shape, dtype=mean.dtype)
    return log_joint(z) + (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


@ELBO.wrong
def elbo_unscaled(log_joint, mean, log_std, generator):
    """the noise not multiplied by σ"""
    z = mean + torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    return log_joint(z) + (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


@ELBO.wrong
def elbo_one_noise(log_joint, mean, log_std, generator):
    """one ε for all rows"""
    z = mean + log_std.exp() * torch.randn(mean[:1].shape, generator=generator, dtype=mean.dtype)
    return log_joint(z) + (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


@ELBO.wrong
def elbo_of_the_batch(log_joint, mean, log_std, generator):
    """the mean over the batch: one number, not one for each row"""
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    return (log_joint(z) + (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)).mean()


# ---- 4: beta on the wrong term. vq_loss(z_e (N, D), e (N, D), beta) -> scalar

VQ_LOSS = Case("08.4")


@VQ_LOSS.shown
def vq_loss_found(z_e, e, beta):
    """Beta on the term that moves the codebook."""
    return beta * F.mse_loss(e, z_e.detach()) + F.mse_loss(z_e, e.detach())


@VQ_LOSS.accepted
def vq_loss_right(z_e, e, beta):
    """VQ-VAE (van den Oord et al. 2017, eq. 3): the codebook term, and beta times the commitment."""
    return F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach())


@VQ_LOSS.accepted
def vq_loss_written_out(z_e, e, beta):
    """The same, written out."""
    return (e - z_e.detach()).square().mean() + beta * (z_e - e.detach()).square().mean()


@VQ_LOSS.accepted
def vq_loss_by_sums(z_e, e, beta):
    """The same, by sums."""
    return (((z_e.detach() - e) ** 2).sum() + beta * ((z_e - e.detach()) ** 2).sum()) / z_e.numel()


@VQ_LOSS.wrong
def vq_loss_nothing_stopped(z_e, e, beta):
    """no sg: both terms move both"""
    return F.mse_loss(e, z_e) + beta * F.mse_loss(z_e, e)


@VQ_LOSS.wrong
def vq_loss_no_commitment(z_e, e, beta):
    """no second term"""
    return F.mse_loss(e, z_e.detach())


@VQ_LOSS.wrong
def vq_loss_fixed(z_e, e, beta):
    """0.25 for β, whatever β is"""
    return F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())


@VQ_LOSS.wrong
def vq_loss_half(z_e, e, beta):
    """half of the right value"""
    return 0.5 * (F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach()))


@VQ_LOSS.wrong
def vq_loss_beta_twice(z_e, e, beta):
    """β before both terms"""
    return beta * F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach())


@VQ_LOSS.wrong
def vq_loss_by_rows(z_e, e, beta):
    """D times too large: divided by N, where N D belongs"""
    return z_e.shape[1] * (F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach()))


@VQ_LOSS.wrong
def vq_loss_shifted(z_e, e, beta):
    """a constant added"""
    return F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach()) + 1


@VQ_LOSS.wrong
def vq_loss_of_each_number(z_e, e, beta):
    """no mean: (N, D) numbers"""
    return (e - z_e.detach()) ** 2 + beta * (z_e - e.detach()) ** 2


# ---- 5: the loss taken behind the straight-through patch. quantize(z_e (N, D), codebook (K, D)) -> z_q, codebook loss

QUANTIZE = Case("08.5")


@QUANTIZE.shown
def quantize_found(z_e, codebook):
    """The codebook loss of a vector that the straight-through patch has cut off from the codebook."""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    e = e.detach() + (z_e - z_e.detach())
    return e, F.mse_loss(e, z_e.detach())


@QUANTIZE.accepted
def quantize_right(z_e, codebook):
    """Nearest words (N, D), straight-through, and the codebook loss of the words themselves."""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(e, z_e.detach())
    return e.detach() + (z_e - z_e.detach()), loss


@QUANTIZE.accepted
def quantize_by_one_hot(z_e, codebook):
    """The same, each word picked by a one-hot product."""
    nearest = ((z_e[:, None] - codebook) ** 2).sum(-1).argmin(1)
    e = F.one_hot(nearest, len(codebook)).to(z_e.dtype) @ codebook
    return (z_e - z_e.detach()) + e.detach(), (e - z_e.detach()).square().mean()


@QUANTIZE.accepted
def quantize_row_by_row(z_e, codebook):
    """The same, a row at a time."""
    nearest = torch.stack([torch.linalg.vector_norm(codebook - z, dim=1).argmin() for z in z_e.detach()])
    e = codebook.index_select(0, nearest)
    return e.detach() + (z_e - z_e.detach()), ((z_e.detach() - e) ** 2).sum() / z_e.numel()


@QUANTIZE.accepted
def quantize_by_05(z_e, codebook):
    """The same, patched as in notebook 05: e up to rounding."""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return z_e + (e - z_e).detach(), F.mse_loss(e, z_e.detach())


@QUANTIZE.accepted
def quantize_with_zeros(z_e, codebook):
    """The same, with gradients of zeros where others have none."""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e.detach() + (z_e - z_e.detach()) + 0 * e, F.mse_loss(e, z_e.detach()) + 0 * z_e.sum()


@QUANTIZE.wrong
def quantize_farthest(z_e, codebook):
    """the farthest word"""
    e = codebook[torch.cdist(z_e, codebook).argmax(1)]
    return e.detach() + (z_e - z_e.detach()), F.mse_loss(e, z_e.detach())


@QUANTIZE.wrong
def quantize_no_patch(z_e, codebook):
    """no straight-through: z_q hands its gradient to the codebook"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e, F.mse_loss(e, z_e.detach())


@QUANTIZE.wrong
def quantize_negative(z_e, codebook):
    """a minus before the loss"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e.detach() + (z_e - z_e.detach()), -F.mse_loss(e, z_e.detach())


@QUANTIZE.wrong
def quantize_sum(z_e, codebook):
    """a sum, where the mean belongs"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e.detach() + (z_e - z_e.detach()), F.mse_loss(e, z_e.detach(), reduction="sum")


@QUANTIZE.wrong
def quantize_not_stopped(z_e, codebook):
    """no sg: the loss moves z_e, too"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e.detach() + (z_e - z_e.detach()), F.mse_loss(e, z_e)


@QUANTIZE.wrong
def quantize_to_both(z_e, codebook):
    """z_q hands its gradient to z_e, and to the codebook, too"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e + (z_e - z_e.detach()), F.mse_loss(e, z_e.detach())


@QUANTIZE.wrong
def quantize_to_none(z_e, codebook):
    """z_q hands its gradient to nobody"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e.detach(), F.mse_loss(e, z_e.detach())


@QUANTIZE.wrong
def quantize_by_rows(z_e, codebook):
    """the loss D times too large: divided by N, where N D belongs"""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    return e.detach() + (z_e - z_e.detach()), z_e.shape[1] * F.mse_loss(e, z_e.detach())


# ---- 6: a bare reshape. to_rows(z_e (B, D, H, W)) -> (B H W, D)

TO_ROWS = Case("08.6")


@TO_ROWS.shown
def to_rows_found(z_e):
    """A reshape that mixes channels with places."""
    return z_e.reshape(-1, z_e.shape[1])


@TO_ROWS.accepted
def to_rows_right(z_e):
    """One row for each position, in reading order, image after image: (B, D, H, W) -> (B H W, D)."""
    return z_e.permute(0, 2, 3, 1).reshape(-1, z_e.shape[1])


@TO_ROWS.accepted
def to_rows_flat(z_e):
    """The same: the positions of an image made one axis first."""
    return z_e.flatten(2).mT.flatten(0, 1)


@TO_ROWS.accepted
def to_rows_one_by_one(z_e):
    """The same, column of the result by column."""
    return torch.stack([z_e[:, d].flatten() for d in range(z_e.shape[1])], 1)


@TO_ROWS.wrong
def to_rows_by_columns(z_e):
    """each image read down its columns"""
    return z_e.permute(0, 3, 2, 1).reshape(-1, z_e.shape[1])


@TO_ROWS.wrong
def to_rows_position_first(z_e):
    """position after position, and the images of the batch within each"""
    return z_e.permute(2, 3, 0, 1).reshape(-1, z_e.shape[1])


@TO_ROWS.wrong
def to_rows_channels_reversed(z_e):
    """the channels in reverse"""
    return z_e.flip(1).permute(0, 2, 3, 1).reshape(-1, z_e.shape[1])


# ---- 7: a mask that leaks. network(x (B, 1, H, W)) -> logits (B, 1, H, W), float64

MASK_A = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]])
MASK_B = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 0, 0]])


class _Network(nn.Module):
    """What a check of a network is given: its two kernels are the same for right and for wrong code."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = (
            nn.Parameter(torch.randn(1, 1, 3, 3, generator=generator, dtype=torch.float64)) for _ in range(2)
        )

    def forward(self, x):
        return lent(x, self.first, self.second)


NETWORK = Case("08.7", lend=_Network)


@NETWORK.shown
def network_found(x, first, second):
    """Mask B twice: a pixel sees itself."""
    return F.conv2d(torch.tanh(F.conv2d(x, first * MASK_B, padding=1)), second * MASK_B, padding=1)


@NETWORK.accepted
def network_right(x, first, second):
    """Two convolutions, masks A and B: the logit of a pixel depends on pixels before it."""
    return F.conv2d(torch.tanh(F.conv2d(x, first * MASK_A, padding=1)), second * MASK_B, padding=1)


@NETWORK.accepted
def network_b_first(x, first, second):
    """Masks B and A: what no layer sees of a pixel, its logit does not see either."""
    return F.conv2d(torch.tanh(F.conv2d(x, first * MASK_B, padding=1)), second * MASK_A, padding=1)


@NETWORK.accepted
def network_a_twice(x, first, second):
    """Mask A twice, and another bend: it sees less than it might."""
    return F.conv2d(F.elu(F.conv2d(x, first * MASK_A, padding=1)), second * MASK_A, padding=1)


@NETWORK.wrong
def network_to_the_right(x, first, second):
    """a pixel sees the one to its right"""
    right = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    return F.conv2d(torch.tanh(F.conv2d(x, first * MASK_A, padding=1)), second * (MASK_B + right), padding=1)


@NETWORK.wrong
def network_below(x, first, second):
    """a pixel sees the row below it"""
    below = torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    return F.conv2d(torch.tanh(F.conv2d(x, first * MASK_A, padding=1)), second * (MASK_B + below), padding=1)


@NETWORK.wrong
def network_unmasked(x, first, second):
    """no mask"""
    return F.conv2d(torch.tanh(F.conv2d(x, first, padding=1)), second, padding=1)


@NETWORK.wrong
def network_mirrored(x, first, second):
    """each row in order from right to left"""
    first, second = first * MASK_A.flip(1), second * MASK_B.flip(1)
    return F.conv2d(torch.tanh(F.conv2d(x, first, padding=1)), second, padding=1)


@NETWORK.wrong
def network_across_images(x, first, second):
    """an image sees the other images of its batch"""
    logits = F.conv2d(torch.tanh(F.conv2d(x, first * MASK_A, padding=1)), second * MASK_B, padding=1)
    return logits + x.sum(0, keepdim=True) - x


@NETWORK.wrong
def network_sees_images_before(x, first, second):
    """an image sees those before it in its batch"""
    logits = F.conv2d(torch.tanh(F.conv2d(x, first * MASK_A, padding=1)), second * MASK_B, padding=1)
    return logits + x.cumsum(0) - x


@NETWORK.wrong
def network_sees_images_after(x, first, second):
    """an image sees those after it in its batch"""
    logits = F.conv2d(torch.tanh(F.conv2d(x, first * MASK_A, padding=1)), second * MASK_B, padding=1)
    return logits + x.flip(0).cumsum(0).flip(0) - x


# ---- 8: sampling in training mode. sample(model, n, generator) -> images; model has .latent and .decoder


class _Whole(nn.Module):
    """A model of a plain class, for code that calls eval() and train(): they reach its decoder, and itself if it has a mode."""

    def __init__(self, model):
        super().__init__()
        self.latent, self.decoder, self.plain = model.latent, model.decoder, model
        self.training = getattr(model, "training", getattr(model.decoder, "training", True))

    def train(self, mode=True):
        super().train(mode)
        if callable(getattr(self.plain, "train", None)):
            self.plain.train(mode)
        elif hasattr(self.plain, "training"):
            self.plain.training = mode
        return self


def _sampler(model, *inputs, **named):
    return lent(model if isinstance(model, nn.Module) else _Whole(model), *inputs, **named)


SAMPLE = Case("08.8", lend=lambda: _sampler)


@SAMPLE.shown
@torch.no_grad()
def sample_found(model, n, generator):
    """Draws in the mode that the model happens to be in."""
    return model.decoder(torch.randn(n, model.latent, generator=generator))


@SAMPLE.accepted
def sample_right(model, n, generator):
    """n draws in evaluation mode, the mode of the model and of each part restored."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model.decoder(torch.randn(n, model.latent, generator=generator))
    finally:
        for part, mode in modes:  # from the whole to its parts
            part.train(mode)


@SAMPLE.accepted
@torch.inference_mode()
def sample_in_inference_mode(model, n, generator):
    """The same, by inference_mode."""
    modes = {part: part.training for part in model.modules()}
    model.train(False)
    x = model.decoder(torch.empty(n, model.latent).normal_(generator=generator))
    for part, mode in modes.items():
        part.train(mode)
    return x


@SAMPLE.accepted
def sample_and_detach(model, n, generator):
    """The same: the graph is built, and cut off."""
    modes = [(part, part.training) for part in model.modules()]
    z = torch.randn((n, model.latent), generator=generator)
    x = model.eval().decoder(z).detach()
    for part, mode in modes:
        part.train(mode)
    return x


@SAMPLE.accepted
@torch.no_grad()
def sample_by_the_decoder(model, n, generator):
    """The same: nothing but the decoder is put into evaluation mode."""
    modes = [(part, part.training) for part in model.decoder.modules()]
    x = model.decoder.eval()(torch.randn(n, model.latent, generator=generator))
    for part, mode in modes:
        part.train(mode)
    return x


@SAMPLE.wrong
@torch.no_grad()
def sample_left_in_eval(model, n, generator):
    """left in eval mode afterwards"""
    model.eval()
    return model.decoder(torch.randn(n, model.latent, generator=generator))


@SAMPLE.wrong
@torch.no_grad()
def sample_then_train(model, n, generator):
    """in training mode afterwards, whatever it was before"""
    model.eval()
    x = model.decoder(torch.randn(n, model.latent, generator=generator))
    model.train()
    return x


@SAMPLE.wrong
@torch.no_grad()
def sample_uniform(model, n, generator):
    """uniform latents, where Gaussian ones belong"""
    was_training = model.training
    model.eval()
    x = model.decoder(torch.rand(n, model.latent, generator=generator))
    model.train(was_training)
    return x


@SAMPLE.wrong
@torch.no_grad()
def sample_global_noise(model, n, generator):
    """the draw does not come from `generator`"""
    was_training = model.training
    model.eval()
    x = model.decoder(torch.randn(n, model.latent))
    model.train(was_training)
    return x


@SAMPLE.wrong
def sample_with_graph(model, n, generator):
    """the graph is kept: no torch.no_grad"""
    was_training = model.training
    model.eval()
    x = model.decoder(torch.randn(n, model.latent, generator=generator))
    model.train(was_training)
    return x


@SAMPLE.wrong
@torch.no_grad()
def sample_decoder_left_in_eval(model, n, generator):
    """the decoder left in eval mode: nothing but the model's own flag is set back"""
    was_training = model.training
    model.eval()
    x = model.decoder(torch.randn(n, model.latent, generator=generator))
    model.training = was_training
    return x


# ---- 9: another sample count than it says. bound(draw, K) -> (B,), where draw(k) gives k log-weights (k, B)

BOUND = Case("08.9")


@BOUND.shown
def bound_found(draw, K):
    """Whole pieces of 64 draws, divided by the K that was asked for."""
    parts = [draw(64) for _ in range(max(1, K // 64))]
    return torch.cat(parts).logsumexp(0) - math.log(K)


@BOUND.accepted
def bound_right(draw, K):
    """log of the mean of K weights (Burda et al. 2016, eq. 8); draw(K) -> log-weights (K, B)."""
    return draw(K).logsumexp(0) - math.log(K)


@BOUND.accepted
def bound_in_parts(draw, K):
    """The same, in pieces of at most 64 draws."""
    parts = [draw(min(64, K - start)).logsumexp(0) for start in range(0, K, 64)]
    return torch.stack(parts).logsumexp(0) - math.log(K)


@BOUND.accepted
def bound_by_the_largest(draw, K):
    """The same, with the largest weight taken out."""
    log_w = draw(K)
    largest = log_w.amax(0)
    return largest + (log_w - largest).exp().mean(0).log()


@BOUND.wrong
def bound_mean_of_logs(draw, K):
    """the mean of the log-weights"""
    return draw(K).mean(0)


@BOUND.wrong
def bound_one_too_few(draw, K):
    """the first draw left out"""
    return draw(K)[1:].logsumexp(0) - math.log(K)


@BOUND.wrong
def bound_half(draw, K):
    """half as many draws as asked for"""
    half = max(1, K // 2)
    return draw(half).logsumexp(0) - math.log(half)


@BOUND.wrong
def bound_twice(draw, K):
    """twice as many draws as asked for"""
    return draw(2 * K).logsumexp(0) - math.log(2 * K)


@BOUND.wrong
def bound_underflow(draw, K):
    """exp of the log-weights themselves: near -2000 that is 0"""
    return draw(K).exp().mean(0).log()


@BOUND.wrong
def bound_no_log_K(draw, K):
    """no log K"""
    return draw(K).logsumexp(0)


# ---- 10: a true value that is not true. entropy(std) -> nats, of N(0, std^2); std and the result: a float, or a tensor

ENTROPY = Case("08.10")


@ENTROPY.shown
def entropy_found(std):
    """The entropy of N(0, std^2) without its half nat."""
    log = torch.log if isinstance(std, torch.Tensor) else math.log
    return 0.5 * log(2 * math.pi * std**2)


@ENTROPY.accepted
def entropy_right(std):
    """The entropy of N(0, std^2), in nats."""
    log = torch.log if isinstance(std, torch.Tensor) else math.log
    return 0.5 * log(2 * math.pi * math.e * std**2)


@ENTROPY.accepted
def entropy_of_torch(std):
    """The same, by torch.distributions."""
    sigma = std if isinstance(std, torch.Tensor) else torch.tensor(std, dtype=torch.float64)
    entropy = torch.distributions.Normal(torch.zeros_like(sigma), sigma).entropy()
    return entropy if isinstance(std, torch.Tensor) else entropy.item()


@ENTROPY.accepted
def entropy_in_two_terms(std):
    """The same, in two terms."""
    log = torch.log if isinstance(std, torch.Tensor) else math.log
    return log(std) + (1 + math.log(2 * math.pi)) / 2


@ENTROPY.wrong
def entropy_in_bits(std):
    """in bits"""
    log2 = torch.log2 if isinstance(std, torch.Tensor) else math.log2
    return 0.5 * log2(2 * math.pi * math.e * std**2)


@ENTROPY.wrong
def entropy_of_variance(std):
    """σ, where σ² belongs"""
    log = torch.log if isinstance(std, torch.Tensor) else math.log
    return 0.5 * log(2 * math.pi * math.e * std)


@ENTROPY.wrong
def entropy_negative(std):
    """a minus before it"""
    log = torch.log if isinstance(std, torch.Tensor) else math.log
    return -0.5 * log(2 * math.pi * math.e * std**2)


@ENTROPY.wrong
def entropy_of_one(std):
    """right at σ = 1 only: σ not used"""
    return 0 * std + 0.5 * math.log(2 * math.pi * math.e)


@ENTROPY.wrong
def entropy_averaged(std):
    """one number for a tensor: the mean over its entries"""
    log = torch.log if isinstance(std, torch.Tensor) else math.log
    entropy = 0.5 * log(2 * math.pi * math.e * std**2)
    return entropy.mean() if isinstance(std, torch.Tensor) else entropy


spot_kl = marking("a KL divergence", KL)
spot_loss = marking("a negative ELBO", LOSS)
spot_elbo = marking("an ELBO of one draw", ELBO)
spot_vq_loss = marking("the losses of a codebook", VQ_LOSS)
spot_quantize = marking("a quantizer", QUANTIZE)
spot_rows = marking("the rows of a feature map", TO_ROWS)
spot_network = marking("a causal network", NETWORK)
spot_sample = marking("a sampler", SAMPLE)
spot_bound = marking("an importance-weighted bound", BOUND)
spot_entropy = marking("a true value", ENTROPY)

CHECKS = {  # what a reader's check is called -> the exercise's number, and its marker
    "expose_kl": (KL.number, spot_kl),
    "expose_loss": (LOSS.number, spot_loss),
    "expose_elbo": (ELBO.number, spot_elbo),
    "expose_vq_loss": (VQ_LOSS.number, spot_vq_loss),
    "expose_quantize": (QUANTIZE.number, spot_quantize),
    "expose_rows": (TO_ROWS.number, spot_rows),
    "expose_network": (NETWORK.number, spot_network),
    "expose_sample": (SAMPLE.number, spot_sample),
    "expose_bound": (BOUND.number, spot_bound),
    "expose_entropy": (ENTROPY.number, spot_entropy),
}
