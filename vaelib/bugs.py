"""The cases of notebook 08: code with a mistake, right code, and the marking of the checks that a reader writes.

For notebooks and tests only. An answer here is a *check*: a function that is given a piece of code, runs it, and raises
AssertionError if the code is wrong. It is a good one if it passes right code, however written, and fails the mistake.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

from vaelib.console import say
from vaelib.exercises import Wrong, exercise


class Case(NamedTuple):
    """found: the code with the mistake.  right: right code, in several ways.  others: other mistakes of the kind, by name."""

    found: Callable
    right: list[Callable]
    others: dict[str, Callable]


def verdict(case: Case, check: Callable) -> list[str]:
    """Run a check on right and on wrong code; the names of the other mistakes that it passes.

    On wrong code any exception is a find: None has no gradient to compare, for one.

    Raises:
        Wrong: the check fails right code, or passes the mistake.
    """
    for k, code in enumerate(case.right, 1):
        try:
            check(code)
        except AssertionError as error:
            which = f"version {k} of {len(case.right)}"
            raise Wrong(f"your check fails right code ({which}): {_words(error)}") from None
    if _passes(check, case.found):
        raise Wrong("your check passes the mistake: for which inputs, or which gradients, do right and wrong differ?")
    return [name for name, code in case.others.items() if _passes(check, code)]


def _passes(check: Callable, code: Callable) -> bool:
    try:
        check(code)
    except NotImplementedError:
        raise
    except Exception:
        return False
    return True


def _words(error: Exception) -> str:
    """What an exception says; a bare assert says nothing, so its line is named."""
    line = error.__traceback__
    while line.tb_next:
        line = line.tb_next
    return str(error) or f"the assert in line {line.tb_lineno} of its cell or file"


ACCEPTED: list[Callable] = []  # the checks that a marker has accepted: mended asks no others


def _marking(number: str, what: str, case: Case) -> Callable[[Callable], None]:
    def verify(check: Callable) -> str:
        missed, n = verdict(case, check), len(case.others)
        ACCEPTED.append(check)
        others = f"right code passes, the mistake fails; other mistakes of the kind: {n - len(missed)} of {n} caught"
        return others + (f". Missed: {'; '.join(missed)}." if missed else ".")

    verify.__doc__ = f"{number} a check of {what}."
    return exercise(verify)


# ---- 1: a log standard deviation read as a log-variance. kl(mean (B, D), log_std (B, D)) -> (B,)


def kl_found(mean, log_std):
    """The mistake: a KL divergence to N(0, I), of rows (B, D), that takes the log standard deviation for a log-variance."""
    return 0.5 * (mean**2 + log_std.exp() - log_std - 1).sum(-1)


def kl_right(mean, log_std):
    """KL(N(mean, exp(log_std)^2) || N(0, I)) in nats, (B, D) -> (B,)."""
    return 0.5 * (mean**2 + (2 * log_std).exp() - 2 * log_std - 1).sum(-1)


def _kl_of_torch(mean, log_std):
    of = torch.distributions
    return of.kl_divergence(
        of.Normal(mean, log_std.exp()), of.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    ).sum(-1)


KL = Case(
    kl_found,
    [kl_right, _kl_of_torch],
    {
        "averaged over dimensions": lambda m, s: kl_right(m, s) / m.shape[-1],
        "the log counted once": lambda m, s: 0.5 * (m**2 + (2 * s).exp() - s - 1).sum(-1),
        "the mean not squared": lambda m, s: 0.5 * (m.abs() + (2 * s).exp() - 2 * s - 1).sum(-1),
        "the other way round": lambda m, s: 0.5 * ((1 + m**2) / (2 * s).exp() + 2 * s - 1).sum(-1),
        "no minus one": lambda m, s: 0.5 * (m**2 + (2 * s).exp() - 2 * s).sum(-1),
    },
)

# ---- 2: means over different numbers of things. neg_elbo(logits, x (B, C, H, W), kl (B,)) -> scalar, nats for an image


def loss_found(logits, x, kl):
    """The mistake: reconstruction averaged over pixels, KL summed over dimensions; a hidden beta of the pixel count."""
    return F.binary_cross_entropy_with_logits(logits, x) + kl.mean()


def loss_right(logits, x, kl):
    """Minus the ELBO in nats for an image: both terms summed over one image, averaged over the batch."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x) + kl.mean()


LOSS = Case(
    loss_found,
    [
        loss_right,
        lambda lo, x, kl: -torch.distributions.Bernoulli(logits=lo).log_prob(x).flatten(1).sum(1).mean() + kl.mean(),
    ],
    {
        "summed over the batch": lambda lo, x, kl: len(x) * loss_right(lo, x, kl),
        "KL summed over the batch": lambda lo, x, kl: (
            F.binary_cross_entropy_with_logits(lo, x, reduction="sum") / len(x) + kl.sum()
        ),
        "pixels of a channel": lambda lo, x, kl: (
            F.binary_cross_entropy_with_logits(lo, x, reduction="sum") / len(x) / x.shape[1] + kl.mean()
        ),
        "targets turned round": lambda lo, x, kl: loss_right(lo, 1 - x, kl),
        "logits ignored": lambda lo, x, kl: loss_right(0 * lo, x, kl),
        "KL subtracted": lambda lo, x, kl: (
            F.binary_cross_entropy_with_logits(lo, x, reduction="sum") / len(x) - kl.mean()
        ),
    },
)

# ---- 3: the ELBO at the mean. elbo(log_joint, mean (B, D), log_std (B, D), generator) -> (B,), one draw each


def elbo_found(log_joint, mean, log_std, generator):
    """The mistake: the log joint at the mean of q, which is no draw from q."""
    return log_joint(mean) + _entropy(log_std)


def _entropy(log_std):
    return (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)


def _drawn(mean, log_std, generator):
    return mean + log_std.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)


def elbo_right(log_joint, mean, log_std, generator):
    """One-draw ELBO, log p(x, z) + H(q), z ~ q; (B, D) -> (B,)."""
    return log_joint(_drawn(mean, log_std, generator)) + _entropy(log_std)


def _elbo_by_log_q(log_joint, mean, log_std, generator):
    z = _drawn(mean, log_std, generator)
    return log_joint(z) - torch.distributions.Normal(mean, log_std.exp()).log_prob(z).sum(-1)


ELBO = Case(
    elbo_found,
    [elbo_right, _elbo_by_log_q],
    {
        "no entropy": lambda f, m, s, g: f(_drawn(m, s, g)),
        "entropy subtracted": lambda f, m, s, g: f(_drawn(m, s, g)) - _entropy(s),
        "noise from elsewhere": lambda f, m, s, g: elbo_right(f, m, s, None),
        "noise without its scale": lambda f, m, s, g: f(_drawn(m, 0 * s, g)) + _entropy(s),
    },
)

# ---- 4: beta on the wrong term. vq_loss(z_e (N, D), e (N, D), beta) -> scalar


def vq_loss_found(z_e, e, beta):
    """The mistake: beta on the term that moves the codebook."""
    return beta * F.mse_loss(e, z_e.detach()) + F.mse_loss(z_e, e.detach())


def vq_loss_right(z_e, e, beta):
    """VQ-VAE (van den Oord et al. 2017, eq. 3): the codebook term, and beta times the commitment."""
    return F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach())


VQ_LOSS = Case(
    vq_loss_found,
    [vq_loss_right, lambda z, e, b: (e - z.detach()).square().mean() + b * (z - e.detach()).square().mean()],
    {
        "nothing stopped": lambda z, e, b: (1 + b) * F.mse_loss(e, z),
        "no commitment": lambda z, e, b: F.mse_loss(e, z.detach()),
        "beta fixed": lambda z, e, b: vq_loss_right(z, e, 0.25),
        "half of it": lambda z, e, b: vq_loss_right(z, e, b) / 2,
        "beta on both": lambda z, e, b: b * (F.mse_loss(e, z.detach()) + F.mse_loss(z, e.detach())),
    },
)

# ---- 5: the loss taken behind the straight-through patch. quantize(z_e (N, D), codebook (K, D)) -> z_q, codebook loss


def quantize_found(z_e, codebook):
    """The mistake: the codebook loss of a vector that the straight-through patch has cut off from the codebook."""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    e = z_e + (e - z_e).detach()
    return e, F.mse_loss(e, z_e.detach())


def quantize_right(z_e, codebook):
    """Nearest words (N, D), straight-through, and the codebook loss of the words themselves."""
    e = codebook[torch.cdist(z_e, codebook).argmin(1)]
    loss = F.mse_loss(e, z_e.detach())
    return z_e + (e - z_e).detach(), loss


def _quantize_by_one_hot(z_e, codebook):
    nearest = ((z_e[:, None] - codebook) ** 2).sum(-1).argmin(1)
    e = F.one_hot(nearest, len(codebook)).to(z_e.dtype) @ codebook
    return e.detach() + z_e - z_e.detach(), (e - z_e.detach()).square().mean()


QUANTIZE = Case(
    quantize_found,
    [quantize_right, _quantize_by_one_hot],
    {
        "farthest word": lambda z, c: (
            z + (c[torch.cdist(z, c).argmax(1)] - z).detach(),
            F.mse_loss(c[torch.cdist(z, c).argmax(1)], z.detach()),
        ),
        "no straight-through": lambda z, c: (
            c[torch.cdist(z, c).argmin(1)],
            F.mse_loss(c[torch.cdist(z, c).argmin(1)], z.detach()),
        ),
        "the sign of the loss": lambda z, c: (quantize_right(z, c)[0], -quantize_right(z, c)[1]),
        "a sum for a mean": lambda z, c: (quantize_right(z, c)[0], z.numel() * quantize_right(z, c)[1]),
        "loss not stopped": lambda z, c: (quantize_right(z, c)[0], F.mse_loss(c[torch.cdist(z, c).argmin(1)], z)),
    },
)

# ---- 6: a bare reshape. to_rows(z_e (B, D, H, W)) -> (B H W, D)


def to_rows_found(z_e):
    """The mistake: a reshape that mixes channels with places."""
    return z_e.reshape(-1, z_e.shape[1])


TO_ROWS = Case(
    to_rows_found,
    [lambda z: z.permute(0, 2, 3, 1).reshape(-1, z.shape[1]), lambda z: z.flatten(2).mT.flatten(0, 1)],
    {
        "column by column": lambda z: z.permute(0, 3, 2, 1).reshape(-1, z.shape[1]),
        "images last": lambda z: z.permute(2, 3, 0, 1).reshape(-1, z.shape[1]),
    },
)

# ---- 7: a mask that leaks. network(x (B, 1, H, W)) -> logits (B, 1, H, W), float64


def causal_network(mask):
    """A network of two convolutions whose kernels (3, 3) are multiplied by mask(0) and mask(1)."""
    generator = torch.Generator().manual_seed(0)
    kernels = [torch.randn(1, 1, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2)]

    def network(x):
        for k, kernel in enumerate(kernels):
            x = F.conv2d(torch.tanh(x) if k else x, kernel * mask(k), padding=1)
        return x

    return network


def _mask(centre, below=False, right=False):
    m = torch.ones(3, 3, dtype=torch.float64)
    m[1, 1] = centre
    m[1, 2] = right
    m[2] = below
    return m


NETWORK = Case(
    causal_network(lambda k: _mask(1)),
    [causal_network(lambda k: _mask(k)), causal_network(lambda k: _mask(0))],
    {
        "to the right of the centre": causal_network(lambda k: _mask(k, right=k == 1)),
        "row below": causal_network(lambda k: _mask(k, below=k == 1)),
        "no mask": causal_network(lambda k: torch.ones(3, 3, dtype=torch.float64)),
        "from right to left": causal_network(lambda k: _mask(k).flip(1)),
        "from image to image": lambda x: causal_network(_mask)(x) + x.sum(0, keepdim=True) - x,
    },
)

# ---- 8: sampling in training mode. sample(model, n, generator) -> images; model has .latent and .decoder


@torch.no_grad()
def sample_found(model, n, generator):
    """The mistake: draws in the mode that the model happens to be in."""
    return model.decoder(torch.randn(n, model.latent, generator=generator))


def sample_right(model, n, generator):
    """n draws in evaluation mode, the mode of the model restored."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model.decoder(torch.randn(n, model.latent, generator=generator))
    finally:
        model.train(was_training)


@torch.no_grad()
def _sample_by_modules(model, n, generator):
    training = [m for m in model.modules() if m.training]
    for m in training:
        m.training = False
    x = model.decoder(torch.randn(n, model.latent, generator=generator))
    for m in training:
        m.training = True
    return x


@torch.no_grad()
def _left_in_eval(model, n, generator):
    model.eval()
    return model.decoder(torch.randn(n, model.latent, generator=generator))


@torch.no_grad()
def _always_training_afterwards(model, n, generator):
    x = _left_in_eval(model, n, generator)
    model.train()
    return x


@torch.no_grad()
def _uniform_latents(model, n, generator):
    was_training = model.training
    x = model.eval().decoder(torch.rand(n, model.latent, generator=generator))
    model.train(was_training)
    return x


def _graph_kept(model, n, generator):
    was_training = model.training
    x = model.eval().decoder(torch.randn(n, model.latent, generator=generator))
    model.train(was_training)
    return x


SAMPLE = Case(
    sample_found,
    [sample_right, _sample_by_modules],
    {
        "left in eval mode": _left_in_eval,
        "always in training mode afterwards": _always_training_afterwards,
        "uniform latents": _uniform_latents,
        "the graph kept": _graph_kept,
    },
)

# ---- 9: another sample count than it says. bound(draw, K) -> (B,), where draw(k) gives k log-weights (k, B)


def bound_found(draw, K):
    """The mistake: whole chunks of 64 draws, divided by the K that was asked for."""
    parts = [draw(64) for _ in range(max(1, K // 64))]
    return torch.cat(parts).logsumexp(0) - math.log(K)


def bound_right(draw, K):
    """log of the mean of K weights (Burda et al. 2016, eq. 8); draw(K) -> log-weights (K, B)."""
    return draw(K).logsumexp(0) - math.log(K)


def _bound_in_parts(draw, K):
    parts = [draw(min(64, K - start)).logsumexp(0) for start in range(0, K, 64)]
    return torch.stack(parts).logsumexp(0) - math.log(K)


BOUND = Case(
    bound_found,
    [bound_right, _bound_in_parts],
    {
        "mean of the logs": lambda draw, K: draw(K).mean(0),
        "one too few": lambda draw, K: draw(K)[1:].logsumexp(0) - math.log(K),
        "half of the draws": lambda draw, K: bound_right(draw, max(1, K // 2)),
        "twice the draws": lambda draw, K: bound_right(draw, 2 * K),
        "exp before the mean": lambda draw, K: draw(K).exp().mean(0).log(),
        "no log K": lambda draw, K: draw(K).logsumexp(0),
    },
)

# ---- 10: a true value that is not true. entropy(std) -> nats, of N(0, std^2)


def entropy_found(std):
    """The mistake: the entropy of N(0, std^2) without its half nat."""
    return 0.5 * math.log(2 * math.pi * std**2)


ENTROPY = Case(
    entropy_found,
    [
        lambda s: 0.5 * math.log(2 * math.pi * math.e * s**2),
        lambda s: float(torch.distributions.Normal(torch.zeros((), dtype=torch.float64), s).entropy()),
    ],
    {
        "in bits": lambda s: 0.5 * math.log2(2 * math.pi * math.e * s**2),
        "variance for deviation": lambda s: 0.5 * math.log(2 * math.pi * math.e * s),
        "negative": lambda s: -0.5 * math.log(2 * math.pi * math.e * s**2),
    },
)

spot_kl = _marking("08.1", "a KL divergence", KL)
spot_loss = _marking("08.2", "a negative ELBO", LOSS)
spot_elbo = _marking("08.3", "an ELBO of one draw", ELBO)
spot_vq_loss = _marking("08.4", "the losses of a codebook", VQ_LOSS)
spot_quantize = _marking("08.5", "a quantizer", QUANTIZE)
spot_rows = _marking("08.6", "the rows of a feature map", TO_ROWS)
spot_network = _marking("08.7", "a causal network", NETWORK)
spot_sample = _marking("08.8", "a sampler", SAMPLE)
spot_bound = _marking("08.9", "an importance-weighted bound", BOUND)
spot_entropy = _marking("08.10", "a true value", ENTROPY)


def mended(check: Callable, code: Callable) -> None:
    """Run a reader's check on the reader's code, and say how it went; nothing is raised for what is still to be done.

    A check that its marker has not accepted is not asked.
    """
    try:
        check(code)
        words = None
    except NotImplementedError:
        say("○ write the check first")
        return
    except Exception as error:
        words = f"{type(error).__name__}: {_words(error)}"
    if not any(check is accepted for accepted in ACCEPTED):
        say("○ first a check that its marker accepts")
    elif words:
        say(f"○ not mended yet: {words}")
    else:
        say("✓ mended: it passes your check")
