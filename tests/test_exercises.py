"""The exercises of notebooks 00 to 07 and their marking. (The solutions are run in test_notebooks.py, from the notebooks themselves.)"""

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vaelib.classroom.exercises import marking
from vaelib.classroom.exercises import n00_start_here as n00
from vaelib.classroom.exercises import n01_ae_vs_vae as n01
from vaelib.classroom.exercises import n02_elbo as n02
from vaelib.classroom.exercises import n03_gradient_estimators as n03
from vaelib.classroom.exercises import n04_training_a_vae as n04
from vaelib.classroom.exercises import n05_vq_vae as n05
from vaelib.classroom.exercises import n06_pixelcnn as n06
from vaelib.classroom.exercises import n07_latent_priors as n07
from vaelib.classroom.exercises.marking import UNATTEMPTED, Wrong

MODULES = (n00, n01, n02, n03, n04, n05, n06, n07)


def kl_of(m, v):
    return 0.5 * (m**2 + v.exp() - v - 1)


def bce_of(x, logits):
    return torch.nn.functional.softplus(logits) - x * logits


def loss_of(x, logits, m, s, pixels=lambda v: v.flatten(1).sum(1), dims=lambda v: v.sum(1), sign=1, batch=torch.mean):
    return batch(pixels(bce_of(x, logits)) + sign * dims(kl_of(m, 2 * s)))


def surrogate(log_q, f, count=lambda n: n - 1, others=lambda f: f.sum(0) - f, reduce=torch.mean, sign=-1):
    f = f.detach()
    return sign * reduce((f - others(f) / count(len(f))) * log_q)


def effective(error, K):
    return K / (1 + (K - 1) * error**2)


def widths(W, sigma, beta):
    return (beta / (beta + W.square().sum(0) / sigma**2)).sqrt()


def arc(a, b, t, angle=None):
    angle = torch.arccos(a @ b / (a.norm() * b.norm())) if angle is None else angle
    return (torch.sin((1 - t) * angle)[:, None] * a + torch.sin(t * angle)[:, None] * b) / torch.sin(angle)


def words(z, e, reshape=False, sign=1, square=1.0, cross=2.0):
    rows = z.reshape(2, 3, 5, 4) if reshape else z.permute(0, 2, 3, 1)
    return (sign * (square * e.square().sum(1) - cross * rows @ e.T)).argmin(-1)


def two_losses(z, e, beta, mean=torch.mean):
    return mean((z.detach() - e) ** 2), beta * mean((z - e.detach()) ** 2)


def averages(n, m, z, codes, decay, count=None, new=None, old=None):
    chosen = F.one_hot(codes, len(n)).to(z.dtype)
    old, new = decay if old is None else old, 1 - decay if new is None else new
    n = old * n + new * (chosen.sum(0) if count is None else count)
    m = old * m + new * chosen.T @ z
    return n, m, m / n[:, None]


def masked(k, kind, C, above=True, diagonal=None, turned=False, below=False):
    m = torch.zeros(C, C, k, k)
    m[:, :, : k // 2] = 1
    if not above:
        m[:, :, : k // 2, k // 2 + 1 :] = 0
    m[:, :, k // 2, : k // 2] = 1
    if below:
        m[:, :, k // 2 + 1 :, : k // 2] = 1
    m[:, :, k // 2, k // 2] = torch.ones(C, C).tril((0 if kind == "B" else -1) if diagonal is None else diagonal(kind))
    return m.transpose(0, 1) if turned else m


def level_log_p(x, mean, log_scale, levels, half=None, edges=True, sign=1, stable=True):
    half = 1 / (levels - 1) if half is None else half
    scale, v = (sign * log_scale).exp(), 2 * x.double() / (levels - 1) - 1
    a, b = (v + half - mean) / scale, (v - half - mean) / scale
    if edges:
        a, b = a.masked_fill(x == levels - 1, math.inf), b.masked_fill(x == 0, -math.inf)
    if not stable:
        return torch.log(torch.sigmoid(a) - torch.sigmoid(b))
    return F.logsigmoid(a) + F.logsigmoid(-b) + torch.log(-torch.expm1(b - a))


def in_order(logit, u, temperature, columns=False, once=False, over=False, power=-1):
    x = torch.zeros_like(u)
    places = [(i, j) for i in range(u.shape[2]) for j in range(u.shape[3])]
    for i, j in sorted(places, key=lambda p: p[::-1]) if columns else places:
        white = torch.sigmoid(logit(torch.zeros_like(x) if once else x)[:, :, i, j] * temperature**power)
        x[:, :, i, j] = ((u[:, :, i, j] > white) if over else (u[:, :, i, j] < white)).to(x.dtype)
    return x


def whole(p, x, prior=1, nats=False, dims=None):
    total = prior * p + x.flatten(1).sum(1)
    return -total / (dims or x[0].numel()) / (1 if nats else math.log(2))


def attention(q, k, v, scale=True, hide=lambda s: s.masked_fill(torch.ones_like(s).triu(1).bool(), -math.inf)):
    return hide(q @ k.T / (q.shape[1] ** 0.5 if scale else 1)).softmax(-1) @ v


def slack(p, x, k):
    return torch.logsumexp(p + x, 1) - (p + x).gather(1, k[:, None])[:, 0]


RIGHT = {
    n00.to_unit_range: [
        lambda x: x / 255,
        lambda x: x.float().mul(1 / 255),
        lambda x: torch.from_numpy(x.numpy() / np.float32(255)),
    ],
    n01.reparameterize: [lambda m, s, e: torch.addcmul(m, s.exp(), e), lambda m, s, e: m + math.e**s * e],
    n01.moment_matched: [
        lambda c, n, g: (
            c.mean(0)
            + torch.randn(n, c.shape[1], generator=g)
            @ (lambda v, w: (w * v.clamp(0).sqrt()) @ w.T)(*torch.linalg.eigh(torch.cov(c.T)))
        ),
        lambda c, n, g: torch.randn(n, len(c), generator=g) @ (c - c.mean(0)) / len(c) ** 0.5 + c.mean(0),
    ],
    n02.gaussian_kl: [
        lambda m, v: -0.5 * torch.sum(1 + v - m.pow(2) - v.exp(), dim=-1),
        lambda m, v: torch.distributions.kl_divergence(
            torch.distributions.Normal(m, torch.exp(v / 2)), torch.distributions.Normal(0.0, 1.0)
        ).sum(1),
    ],
    n02.loss_from_logits: [
        loss_of,
        lambda x, logits, m, s: (
            torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
            + kl_of(m, 2 * s).sum() / len(x)
        ),
        lambda x, logits, m, s: (
            -(torch.distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3)) - kl_of(m, 2 * s).sum(-1)).mean()
        ),
    ],
    n02.weights_to_bound: [
        lambda p, q: torch.log_softmax(torch.zeros(len(p), 1, dtype=p.dtype), 0)[0] + torch.logsumexp(p - q, 0),
        lambda p, q: (p - q).amax(0) + torch.exp(p - q - (p - q).amax(0)).mean(0).log(),
    ],
    n03.leave_one_out_loss: [
        surrogate,
        lambda log_q, f: -((f - f.mean(0)).detach() * log_q).mean() * len(f) / (len(f) - 1),
        lambda log_q, f: (
            sum(-(f[k] - torch.cat([f[:k], f[k + 1 :]]).mean(0)).detach() @ log_q[k] for k in range(len(f))) / f.numel()
        ),
    ],
    n03.enumerated_gradient: [
        lambda v, f: torch.softmax(v, 0) * f - torch.softmax(v, 0) * (torch.softmax(v, 0) @ f),
        lambda v, f: (torch.diag(torch.softmax(v, 0)) - torch.outer(torch.softmax(v, 0), torch.softmax(v, 0))) @ f,
    ],
    n03.one_hot_with_gradient: [
        lambda h, p: h + (p - p.detach()),
        lambda h, p: (p - p.detach()) + h,
        lambda h, p: torch.where(h > 0, torch.ones_like(p), torch.zeros_like(p)) - (p.detach() - p),
    ],
    n04.draws_of_error: [
        effective,
        lambda e, K: 1 / (1 / K + e**2 * (1 - 1 / K)),
        lambda e, K: effective(e, K).float().double(),
    ],
    n04.best_width: [
        widths,
        lambda W, s, b: torch.exp(-0.5 * torch.log1p((W.T @ W).diagonal() / (b * s**2))),
        lambda W, s, b: b**0.5 / torch.sqrt(b + (W.norm(dim=0) / s) ** 2),
    ],
    n04.slerp: [arc, lambda a, b, t: arc(b, a, 1 - t)],
    n05.nearest_words: [
        words,
        lambda z, e: torch.cdist(z.movedim(1, -1).reshape(-1, 4), e).argmin(1).view(2, 3, 5),
        lambda z, e: (torch.einsum("bdhw,kd->bhwk", z, e) - e.square().sum(1) / 2).argmax(-1),
    ],
    n05.vq_losses: [
        two_losses,
        lambda z, e, b: (F.mse_loss(e, z.detach()), b * F.mse_loss(z, e.detach())),
        lambda z, e, b: [(z.detach() - e).pow(2).sum() / e.numel(), (b**0.5 * (z - e.detach())).pow(2).mean()],
    ],
    n05.ema_step: [
        averages,
        lambda n, m, z, codes, g: averages(n, m, z, codes, g, count=codes.bincount(minlength=len(n))),
    ],
    n06.colour_mask: [masked, lambda *a: masked(*a).bool().long()],
    n06.log_level: [level_log_p, lambda x, m, s, L: level_log_p(x.int(), m, s, L).float()],
    n06.draw_in_order: [in_order, lambda f, u, T: in_order(lambda x: f(x.long()), u, T).long()],
    n07.whole_bits: [whole, lambda p, x: whole(p.float(), x.float())],
    n07.attend_back: [
        attention,
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        lambda q, k, v: torch.stack([attention(q[: t + 1], k[: t + 1], v[: t + 1])[t] for t in range(len(q))]),
    ],
    n07.slack_of_page: [slack, lambda p, x, k: -torch.log_softmax(p + x, 1)[torch.arange(len(k)), k]],
    n01.grid_posterior: [
        lambda f, g: list(on_grid(f, g)),
        lambda f, g: torch.stack(on_grid(f, g)),
        lambda f, g: np.array([float(v) for v in on_grid(f, g)]),
    ],
}


def means_averaged(n, m, z, codes, decay):
    new_n, _, _ = averages(n, m, z, codes, decay)
    chosen = F.one_hot(codes, len(n)).to(z.dtype)
    new_m = decay * m + (1 - decay) * chosen.T @ z / chosen.sum(0).clamp(min=1)[:, None]
    return new_n, new_m, new_m / new_n[:, None]


def gaussian_like(mean=lambda c: c.mean(0), mix=lambda c: torch.linalg.cholesky(torch.cov(c.T)).T, noise=torch.randn):
    return lambda c, n, g: mean(c) + noise(n, c.shape[1], generator=g) @ mix(c)


def on_grid(log_joint, grid, spacing=True, normalise=True, variance=False, stable=True, centre=True):
    values = log_joint(grid)
    total = torch.logsumexp(values, 0) if stable else torch.log(torch.exp(values).sum())
    p = torch.exp(values - total) if normalise else torch.exp(values)
    mean = (p * grid).sum()
    spread = (p * (grid - (mean if centre else 0)) ** 2).sum()
    return total + (torch.log(grid[1] - grid[0]) if spacing else 0), mean, spread if variance else spread.sqrt()


def unsupported(x):
    """As PyTorch says it of a type that an operation does not know: with other words than a stub's."""
    raise NotImplementedError("this operation is not implemented for 'Byte'")


WRONG = {
    n00.to_unit_range: {
        "divided by 256": (lambda x: x / 256, "255/256"),
        "divided by the batch's largest": (lambda x: x / x.max(), "largest one in this batch"),
        "min-max": (lambda x: (x - x.min()) / (x.max() - x.min()), "largest one in this batch"),
        "integer division": (lambda x: (x // 255).float(), "220 should become 0.8627451, and becomes 0.0"),
        "left as integers": (lambda x: x, "should be floating point, and is torch.uint8"),
        "from -1 to 1": (lambda x: x / 127.5 - 1, "another convention"),
        "float64": (lambda x: x.double() / 255, "float32, and is torch.float64"),
        "float16": (lambda x: x.half() / 255, "float32, and is torch.float16"),
        "flattened": (lambda x: x.flatten(1) / 255, "should have shape"),
        "one image only": (lambda x: x[:1] / 255, "should have shape"),
        "batch flipped": (lambda x: x.flip(0) / 255, "110 should become 0.4313725, and becomes 1.0"),
        "channels flipped": (lambda x: x.flip(1) / 255, "150 should become 0.5882353, and becomes 1.0"),
        "white lost": (lambda x: x.clamp(max=254) / 255, "255 should become 1.0000000, and becomes 0.996"),
        "a constant": (lambda x: torch.full(x.shape, 0.5), "0 should become 0.0000000, and becomes 0.5"),
        "numpy": (lambda x: x.numpy() / 255, "should be a tensor, and is ndarray"),
        "nothing": (lambda x: None, "should be a tensor, and is NoneType"),
        "an error": (lambda x: x.nonsense, "raised AttributeError"),
        "an unsupported operation": (unsupported, "raised NotImplementedError"),
    },
    n01.reparameterize: {
        "log_std as std": (lambda m, s, e: m + s * e, "exponential first"),
        "plus, not times": (lambda m, s, e: m + s.exp() + e, "multiplied"),
        "log-variance": (lambda m, s, e: m + (0.5 * s).exp() * e, "not of the variance"),
        "variance times eps": (lambda m, s, e: m + (2 * s).exp() * e, "use the standard deviation"),
        "no mean": (lambda m, s, e: s.exp() * e, "add it"),
        "no noise": (lambda m, s, e: m, "comes in through eps"),
        "fresh noise": (lambda m, s, e: m + s.exp() * torch.randn_like(e), "z should have mean `mean`"),
        "minus": (lambda m, s, e: m - s.exp() * e, "VAE-1 adds"),
        "detached std": (lambda m, s, e: m + s.exp().detach() * e, "no gradient reaches log_std"),
        "detached mean": (lambda m, s, e: m.detach() + s.exp() * e, "no gradient reaches mean:"),
        "through NumPy": (
            lambda m, s, e: torch.from_numpy(m.detach().numpy() + np.exp(s.detach().numpy()) * e.numpy()),
            "no gradient reaches mean or log_std",
        ),
        "transposed": (lambda m, s, e: (m + s.exp() * e).T, "should have shape"),
        "summed": (lambda m, s, e: (m + s.exp() * e).sum(), "should have shape"),
    },
    n01.moment_matched: {
        "diagonal": (gaussian_like(mix=lambda c: torch.diag(c.std(0))), "covariances are not"),
        "standard normal": (gaussian_like(lambda c: 0, lambda c: torch.eye(3)), "have mean"),
        "no mean": (gaussian_like(lambda c: 0), "have mean"),
        "covariance for its root": (gaussian_like(mix=lambda c: torch.cov(c.T)), "variances differ"),
        "wrong side": (gaussian_like(mix=lambda c: torch.linalg.cholesky(torch.cov(c.T))), "variances differ"),
        "correlation": (gaussian_like(mix=lambda c: torch.linalg.cholesky(torch.corrcoef(c.T)).T), "variances differ"),
        "uniform noise": (
            gaussian_like(noise=lambda *s, generator: (torch.rand(*s, generator=generator) - 0.5) * 12**0.5),
            "not Gaussian",
        ),
        "the codes again": (lambda c, n, g: c[torch.randint(len(c), (n,), generator=g)], "repeat each other"),
        "too wide": (lambda c, n, g: 1.1 * (gaussian_like()(c, n, g) - c.mean(0)) + c.mean(0), "1.10 times as wide"),
        "the global generator": (
            lambda c, n, g: torch.distributions.MultivariateNormal(c.mean(0), torch.cov(c.T)).sample((n,)),
            "not used",
        ),
        "a seed of its own": (lambda c, n, g: gaussian_like()(c, n, torch.Generator().manual_seed(1)), "not used"),
        "half of it elsewhere": (
            lambda c, n, g: gaussian_like()(c, n, g) + 0 * torch.randn(1, generator=g) + 1e-3 * torch.randn(1),
            "other draws",
        ),
        "signs": (
            gaussian_like(noise=lambda *s, generator: torch.randn(*s, generator=generator).sign()),
            "repeat each other",
        ),
        "the mean, n times": (
            lambda c, n, g: c.mean(0).expand(n, 3) + 0 * torch.randn(1, generator=g),
            "repeat each other",
        ),
        "transposed": (lambda c, n, g: gaussian_like()(c, n, g).T, "should have shape"),
        "one draw": (lambda c, n, g: gaussian_like()(c, 1, g), "should have shape"),
    },
    n02.gaussian_kl: {
        "read as log-std": (lambda m, v: kl_of(m, 2 * v).sum(-1), "reads it as log σ"),
        "mean over dimensions": (lambda m, v: kl_of(m, v).mean(-1), "do not average: each dimension"),
        "no half": (lambda m, v: 2 * kl_of(m, v).sum(-1), "½ missing"),
        "two halves": (lambda m, v: 0.5 * kl_of(m, v).sum(-1), "½ too many"),
        "no -1": (lambda m, v: (kl_of(m, v) + 0.5).sum(-1), "subtract 1 in each dimension: N(0, I)"),
        "-1 once": (lambda m, v: (kl_of(m, v) + 0.5).sum(-1) - 0.5, "not once"),
        "negative": (lambda m, v: -kl_of(m, v).sum(-1), "never negative: mind the sign"),
        "plus the log": (lambda m, v: (kl_of(m, v) + v).sum(-1), "narrow cloud"),
        "swapped": (lambda m, v: 0.5 * ((1 + m**2) / v.exp() + v - 1).sum(-1), "swapped"),
        "over the batch too": (lambda m, v: kl_of(m, v).sum(), "do not average or sum over the batch"),
        "each dimension": (kl_of, "wanted, (B,): sum over the dimensions"),
        "clamped": (
            lambda m, v: kl_of(m, v.clamp(-10, 10)).sum(-1),
            "log_var [12.0, 1.994, -1.362, 0.177] the KL is 81378.20615, and yours 11015.",
        ),
        "mean not squared": (lambda m, v: 0.5 * (m.abs() + v.exp() - v - 1).sum(-1), "81378.20615, and yours 81376."),
        "detached": (lambda m, v: kl_of(m.detach(), v).sum(-1), "gradient in mean"),
        "all detached": (lambda m, v: kl_of(m, v).sum(-1).detach(), "gradient in mean"),
        "a constant": (lambda m, v: torch.ones(len(m), dtype=m.dtype), "81378.20615, and yours 1.0"),
        "nothing": (lambda m, v: None, "should be a tensor"),
        "infinite": (lambda m, v: kl_of(m, v).sum(-1) / 0, "entries that are not finite"),
    },
    n02.loss_from_logits: {
        "mean over pixels": (lambda *a: loss_of(*a, pixels=lambda v: v.flatten(1).mean(1)), "hides a β of 24"),
        "mean over dimensions": (lambda *a: loss_of(*a, dims=lambda v: v.mean(1)), "dimensions of z too"),
        "mean over both": (
            lambda *a: loss_of(*a, pixels=lambda v: v.flatten(1).mean(1), dims=lambda v: v.mean(1)),
            "pixels and over dimensions",
        ),
        "sum over the batch": (lambda *a: loss_of(*a, batch=torch.sum), "that is the sum over the batch"),
        "minus the KL": (lambda *a: loss_of(*a, sign=-1), "is added to the loss"),
        "the ELBO": (lambda *a: -loss_of(*a), "that is the ELBO;"),
        "log-variance": (lambda x, logits, m, s: loss_of(x, logits, m, s / 2), "not of the variance"),
        "no half": (lambda *a: loss_of(*a, sign=2), "½ missing"),
        "no KL": (lambda *a: loss_of(*a, sign=0), "KL is missing"),
        "no -1": (lambda x, logits, m, s: loss_of(x, logits, m, s) + m.shape[1] / 2, "subtract 1"),
        "KL over the batch": (
            lambda x, logits, m, s: bce_of(x, logits).flatten(1).sum(1).mean() + kl_of(m, 2 * s).sum(),
            "summed over the batch",
        ),
        "only the KL": (lambda *a: loss_of(*a, pixels=lambda v: 0), "reconstruction term is missing"),
        "ink for paper": (lambda x, logits, m, s: loss_of(1 - x, logits, m, s), "ink and paper"),
        "squared error": (
            lambda x, logits, m, s: (
                ((x - torch.sigmoid(logits)) ** 2).flatten(1).sum(1).mean() + kl_of(m, 2 * s).sum(1).mean()
            ),
            "52.28565 in all, and yours is 24.",
        ),
        "a number each": (lambda *a: loss_of(*a, batch=lambda v: v), "once, at the end"),
        "clamped": (
            lambda x, logits, m, s: (
                torch.nn.functional.binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").flatten(1).sum(1)
                + kl_of(m, 2 * s).sum(1)
            ).mean(),
            "without sigmoid",
        ),
        "detached": (lambda x, logits, m, s: loss_of(x, logits, m.detach(), s), "gradient in mean"),
        "a constant": (lambda *a: torch.tensor(3.0), "52.28565 in all, and yours is 3.0"),
    },
    n02.weights_to_bound: {
        "mean of logs": (lambda p, q: (p - q).mean(0), "mean of the logs"),
        "no log K": (lambda p, q: torch.logsumexp(p - q, 0), "subtract log K"),
        "plus log K": (lambda p, q: torch.logsumexp(p - q, 0) + math.log(len(p)), "not added"),
        "plus log q": (lambda p, q: torch.logsumexp(p + q, 0) - math.log(len(p)), "subtract log q"),
        "no q": (lambda p, q: torch.logsumexp(p, 0) - math.log(len(p)), "log q is missing"),
        "largest": (lambda p, q: (p - q).amax(0), "largest weight"),
        "wrong axis": (lambda p, q: torch.logsumexp(p - q, 1) - math.log(3), "should have shape"),
        "underflow": (lambda p, q: torch.exp(p - q).mean(0).log(), "use logsumexp"),
        "log K of the batch": (lambda p, q: torch.logsumexp(p - q, 0) - math.log(p.shape[1]), "log of B"),
        "turned round": (lambda p, q: torch.logsumexp(q - p, 0) - math.log(len(p)), "turned round"),
        "log_q detached": (lambda p, q: torch.logsumexp(p - q.detach(), 0) - math.log(len(p)), "gradient in log_q"),
        "in place": (lambda p, q: torch.logsumexp(p.sub_(q), 0) - math.log(len(p)), "changed its input"),
        "averaged over the batch": (
            lambda p, q: (torch.logsumexp(p - q, 0) - math.log(len(p))).mean(),
            "should have shape",
        ),
    },
    n03.leave_one_out_loss: {
        "wrong sign": (lambda log_q, f: surrogate(log_q, f, sign=1), "mind the sign"),
        "own draw": (lambda log_q, f: surrogate(log_q, f, others=lambda v: v.sum(0), count=lambda n: n), "own f"),
        "no baseline": (lambda log_q, f: surrogate(log_q, f, others=lambda v: 0), "no baseline"),
        "sum over draws": (lambda log_q, f: surrogate(log_q, f, reduce=lambda v: v.sum(0).mean()), "K draws, not"),
        "sum over examples": (
            lambda log_q, f: surrogate(log_q, f, reduce=lambda v: v.mean(0).sum()),
            "B examples, not",
        ),
        "sum": (lambda log_q, f: surrogate(log_q, f, reduce=torch.sum), "not the sum"),
        "divided by K": (lambda log_q, f: surrogate(log_q, f, count=lambda n: n), "K - 1"),
        "over everything": (
            lambda log_q, f: surrogate(log_q, f, others=lambda v: v.sum() - v, count=lambda n: 3 * n - 1),
            "same example",
        ),
        "over examples": (
            lambda log_q, f: surrogate(log_q, f, others=lambda v: v.sum(1, keepdim=True) - v, count=lambda n: 2),
            "lie along dimension 0",
        ),
        "f not detached": (
            lambda log_q, f: -((f - (f.sum(0) - f) / (len(f) - 1)) * log_q).mean(),
            "flows through f",
        ),
        "log_q detached": (lambda log_q, f: surrogate(log_q.detach(), f), "no gradient reaches log_q"),
        "only f": (lambda log_q, f: -f.mean(), "no gradient reaches log_q"),
        "a number a draw": (lambda log_q, f: surrogate(log_q, f, reduce=lambda v: v.mean(1)), "should have shape"),
        "squared": (lambda log_q, f: surrogate(log_q, f**2), "should start with"),
    },
    n04.draws_of_error: {
        "one over the square": (lambda e, K: 1 / e**2, "subtract the squared mean"),
        "by K": (lambda e, K: K / (1 + K * e**2), "not by K"),
        "not squared": (lambda e, K: K / (1 + (K - 1) * e), "has to be squared"),
        "turned round": (lambda e, K: 1 / effective(e, K), "one over n"),
        "K over n": (lambda e, K: K / effective(e, K), "K / n"),
        "share": (lambda e, K: effective(e, K) / K, "n / K"),
        "K known": (lambda e, K: effective(e, 50), "draws, and not"),
        "a sum": (lambda e, K: effective(e, K).sum(), "should have shape"),
        "sign": (lambda e, K: K / (1 - (K - 1) * e**2), "draws, and not"),
        "constant": (lambda e, K: torch.ones_like(e), "draws, and not"),
    },
    n04.best_width: {
        "variance": (lambda W, s, b: widths(W, s, b) ** 2, "the square root"),
        "precision": (lambda W, s, b: widths(W, s, b) ** -2, "the precision"),
        "rows": (lambda W, s, b: (b / (b + W.square().sum(1)[:8] / s**2)).sqrt(), "a column of W"),
        "all rows": (lambda W, s, b: (b / (b + W.square().sum(1) / s**2)).sqrt(), "should have shape"),
        "noise": (lambda W, s, b: (b / (b + W.square().sum(0) / s)).sqrt(), "squared"),
        "beta forgotten": (lambda W, s, b: widths(W, s, 1.0), "has an effect"),
        "beta on the other side": (lambda W, s, b: widths(W, s, 1 / b), "not the distortion"),
        "no prior": (lambda W, s, b: (b * s**2 / (1e-3 + W.square().sum(0))).sqrt(), "the last width"),
        "constant": (lambda W, s, b: torch.ones(8, dtype=W.dtype), "the last width"),
    },
    n05.nearest_words: {
        "reshape": (lambda z, e: words(z, e, reshape=True), "bare reshape"),
        "farthest": (lambda z, e: words(z, e, sign=-1), "farthest"),
        "product": (lambda z, e: words(z, e, square=0), "equally long"),
        "half the product": (lambda z, e: words(z, e, cross=1), "counts twice"),
        "float": (lambda z, e: words(z, e).double(), "integers"),
        "flat": (lambda z, e: words(z, e).flatten(), "should have shape"),
        "constant": (lambda z, e: torch.zeros(2, 3, 5, dtype=torch.long), "21 of 30 positions have another word"),
        "transposed": (lambda z, e: words(z, e).flip(1), "10 of 30 positions have another word"),
    },
    n05.vq_losses: {
        "one": (lambda z, e, b: sum(two_losses(z, e, b)), "two scalars"),
        "beta on the codebook": (lambda z, e, b: (b * two_losses(z, e, 1)[0], two_losses(z, e, 1)[1]), "beta weighs"),
        "no beta": (lambda z, e, b: two_losses(z, e, 1), "beta weighs"),
        "sum": (lambda z, e, b: two_losses(z, e, b, mean=torch.sum), "do not add"),
        "sum over D": (lambda z, e, b: two_losses(z, e, b, mean=lambda v: v.sum(1).mean()), "of a vector"),
        "beta squared": (lambda z, e, b: (two_losses(z, e, b)[0], two_losses(z, e, b**2)[1]), "is a factor"),
        "nothing detached": (lambda z, e, b: ((z - e).pow(2).mean(), b * (z - e).pow(2).mean()), "z_e hears it"),
        "wrong side": (
            lambda z, e, b: ((z - e.detach()).pow(2).mean(), b * (z.detach() - e).pow(2).mean()),
            "z_e hears it",
        ),
        "all detached": (lambda z, e, b: [t.detach() for t in two_losses(z, e, b)], "wrong gradient"),
        "doubled": (lambda z, e, b: [2 * t for t in two_losses(z, e, b)], "the codebook loss should be"),
        "commitment not detached": (
            lambda z, e, b: (two_losses(z, e, b)[0], b * (z - e).pow(2).mean()),
            "but e hears it",
        ),
    },
    n05.ema_step: {
        "two": (lambda *a: averages(*a)[:2], "three tensors"),
        "shares": (
            lambda n, m, z, c, g: averages(n, m, z, c, g, count=c.bincount(minlength=4) / 9),
            "do not divide by N",
        ),
        "other way round": (lambda n, m, z, c, g: averages(n, m, z, c, 1 - g), "wrong way round"),
        "new not weighed": (lambda n, m, z, c, g: averages(n, m, z, c, g, new=1), "weigh the new counts"),
        "means": (lambda n, m, z, c, g: means_averaged(n, m, z, c, g), "sums of vectors"),
        "divided by N": (lambda *a: (*averages(*a)[:2], averages(*a)[1] / 9), "by its own count"),
        "decay fixed": (lambda n, m, z, c, g: averages(n, m, z, c, 0.9), "not for decay = 0.5"),
        "in place": (lambda n, m, z, c, g: averages(n.mul_(1.5), m, z, c, g), "has changed"),
        "nothing new": (lambda n, m, z, c, g: (n, m, m / n[:, None]), "n should be"),
        "m left as it was": (lambda n, m, z, c, g: (averages(n, m, z, c, g)[0], m, m), "the first row of m should be"),
        "m not weighed": (
            lambda n, m, z, c, g: (averages(n, m, z, c, g)[0], averages(n, m, z, c, g, new=1)[1], m),
            "weigh the new sums",
        ),
    },
    n06.colour_mask: {
        "exchanged": (lambda k, kind, C: masked(k, "AB"[kind == "A"], C), "A and B are exchanged"),
        "turned": (lambda *a: masked(*a, turned=True), "first index is the output"),
        "colours free": (
            lambda k, kind, C: masked(k, kind, C, diagonal=lambda kind: C if kind == "B" else -C),
            "green may see red",
        ),
        "half of the rows": (lambda *a: masked(*a, above=False), "also to the right"),
        "rows below": (lambda *a: masked(*a, below=True), "should be 0"),
        "shape": (lambda k, kind, C: masked(k, kind, C)[0], "should have shape"),
        "nothing": (lambda k, kind, C: torch.zeros(C, C, k, k), "should be 1"),
    },
    n06.log_level: {
        "no edges": (lambda *a: level_log_p(*a, edges=False), "all that lies beyond"),
        "half": (lambda *a: level_log_p(*a, half=1 / 16), "2 / (L − 1) apart"),
        "whole cell": (lambda *a: level_log_p(*a, half=2 / 15), "whole cell on each side"),
        "sign": (lambda *a: level_log_p(*a, sign=-1), "divide by it"),
        "naive": (lambda *a: level_log_p(*a, stable=False), "product of three factors"),
        "no log": (lambda *a: level_log_p(*a).exp(), "return its logarithm"),
        "clamped": (lambda *a: level_log_p(*a).clamp(min=-50), "it should be"),
        "sum": (lambda *a: level_log_p(*a).sum(), "should have shape"),
    },
    n06.draw_in_order: {
        "at once": (lambda *a: in_order(*a, once=True), "asked again"),
        "columns": (lambda *a: in_order(*a, columns=True), "column by column"),
        "over": (lambda *a: in_order(*a, over=True), "where u is below it"),
        "no temperature": (lambda *a: in_order(*a, power=0), "use the temperature"),
        "multiplied": (lambda *a: in_order(*a, power=1), "do not multiply"),
        "most likely": (lambda f, u, T: in_order(f, torch.full_like(u, 0.5), T), "images differ"),
        "shape": (lambda *a: in_order(*a)[:, 0], "should have shape"),
    },
    n04.slerp: {
        "line": (lambda a, b, t: (1 - t)[:, None] * a + t[:, None] * b, "straight line"),
        "backwards": (lambda a, b, t: arc(b, a, t), "runs backwards"),
        "unit": (lambda a, b, t: arc(a / a.norm(), b / b.norm(), t), "lengths should be"),
        "cosine as angle": (lambda a, b, t: arc(a, b, t, angle=a @ b / (a.norm() * b.norm())), "first entry"),
        "transposed": (lambda a, b, t: arc(a, b, t).T, "should have shape"),
        "acute": (lambda a, b, t: arc(a, b, t, angle=torch.arccos(abs(a @ b) / (a.norm() * b.norm()))), "is obtuse"),
    },
    n03.enumerated_gradient: {
        "no baseline": (lambda v, f: torch.softmax(v, 0) * f, "subtract the mean"),
        "the mean": (lambda v, f: (torch.softmax(v, 0) @ f) * torch.ones_like(f), "minus its mean"),
        "not weighed": (lambda v, f: f - torch.softmax(v, 0) @ f, "weigh by the probability"),
        "plain mean": (lambda v, f: torch.softmax(v, 0) * (f - f.mean()), "under p"),
        "sign": (lambda v, f: -torch.softmax(v, 0) * (f - torch.softmax(v, 0) @ f), "turned round"),
        "by the probabilities": (lambda v, f: f, "chain rule"),
        "own probability": (lambda v, f: torch.softmax(v, 0) * (1 - torch.softmax(v, 0)) * f, "move as well"),
        "overflow": (
            lambda v, f: (lambda p: p * (f - p @ f))(v.exp() / v.exp().sum()),
            "torch.softmax",
        ),
        "a scalar": (lambda v, f: (torch.softmax(v, 0) * f).sum(), "should have shape"),
        "autograd": (
            lambda v, f: torch.autograd.grad((torch.softmax(v.requires_grad_(), 0) * f).sum(), v)[0],
            "no autograd here",
        ),
        "a constant": (lambda v, f: torch.zeros_like(f), "and yours"),
    },
    n03.one_hot_with_gradient: {
        "probs": (lambda h, p: p, "swap the roles"),
        "swapped": (lambda h, p: p + (h - h.detach()), "swap the roles"),
        "no gradient": (lambda h, p: h, "no gradient flows"),
        "added": (lambda h, p: h + p, "has to be 0"),
        "times": (lambda h, p: h * p / p.detach(), "that of probs, whichever word"),
        "minus": (lambda h, p: h - (p - p.detach()), "that of probs, whichever word"),
        "twice": (lambda h, p: h + 2 * (p - p.detach()), "that of probs, whichever word"),
        "rounding": (lambda h, p: h + p - p.detach(), "rounding"),
        "argmax": (lambda h, p: torch.eye(6)[p.argmax(1)], "has to be 0"),
    },
    n01.grid_posterior: {
        "no spacing": (lambda f, g: on_grid(f, g, spacing=False), "multiply the sum by the grid's spacing"),
        "not normalised": (lambda f, g: on_grid(f, g, normalise=False), "divide p(x, z) by p(x) first"),
        "variance": (lambda f, g: on_grid(f, g, variance=True), "that is the variance"),
        "around zero": (lambda f, g: on_grid(f, g, centre=False), "posterior's mean"),
        "underflow": (lambda f, g: on_grid(f, g, stable=False), "underflows"),
        "the most probable z": (
            lambda f, g: (on_grid(f, g)[0], g[f(g).argmax()], on_grid(f, g)[2]),
            "most probable z, not its mean",
        ),
        "p, not log p": (lambda f, g: (on_grid(f, g)[0].exp(), *on_grid(f, g)[1:]), "take its logarithm"),
        "another order": (lambda f, g: on_grid(f, g)[::-1], "add up exp(log_joint) over the grid"),
        "two numbers": (lambda f, g: on_grid(f, g)[:2], "three numbers"),
    },
    n07.whole_bits: {
        "no page": (lambda p, x: whole(p, x, 0), "has to be sent"),
        "nats": (lambda p, x: whole(p, x, nats=True), "divide by log 2"),
        "negative": (lambda p, x: -whole(p, x), "a cost is positive"),
        "pixels, not numbers": (lambda p, x: whole(p, x, dims=x[0, 0].numel()), "all numbers"),
        "the page for every number": (lambda p, x: whole(p, x, x[0].numel()), "sent once"),
        "the page subtracted": (lambda p, x: whole(p, x, -1), "signs are equal"),
        "averaged": (lambda p, x: whole(p, x).mean(), "do not average"),
        "base 10": (lambda p, x: whole(p, x) * math.log10(2), "image 0 costs 4.16330 bits a dimension, and yours 1.25"),
        "a constant": (lambda p, x: torch.ones(len(p)), "image 0 costs 4.16330 bits a dimension, and yours 1.00"),
        "each pixel": (lambda p, x: -x / math.log(2), "should have shape"),
    },
    n07.attend_back: {
        "no mask": (lambda q, k, v: attention(q, k, v, hide=lambda s: s), "must not attend to later"),
        "mask afterwards": (
            lambda q, k, v: (q @ k.T / q.shape[1] ** 0.5).softmax(-1).tril() @ v,
            "before the softmax",
        ),
        "scores times the mask": (lambda q, k, v: attention(q, k, v, hide=torch.tril), "row 2 should begin with"),
        "turned": (
            lambda q, k, v: attention(
                q, k, v, hide=lambda s: s.masked_fill(torch.ones_like(s).tril(-1).bool(), -math.inf)
            ),
            "looks forward",
        ),
        "itself hidden": (
            lambda q, k, v: attention(
                q, k, v, hide=lambda s: s.masked_fill(torch.ones_like(s).triu().bool(), -math.inf)
            ),
            "the first position attends to itself",
        ),
        "itself hidden, but for the first": (
            lambda q, k, v: attention(
                q,
                k,
                v,
                hide=lambda s: s.masked_fill(
                    torch.ones_like(s).triu().index_fill(1, torch.tensor(0), 0).bool(), -math.inf
                ),
            ),
            "as well",
        ),
        "no scale": (lambda q, k, v: attention(q, k, v, scale=False), "divide the scores by the root of D"),
        "scaled by D": (lambda q, k, v: attention(q / q.shape[1] ** 0.5, k, v), "not by D"),
        "keys and queries swapped": (lambda q, k, v: attention(k, q, v), "row 4 should begin with"),
        "softmax over queries": (
            lambda q, k, v: (
                (q @ k.T / q.shape[1] ** 0.5)
                .masked_fill(torch.ones(len(q), len(q)).triu(1).bool(), -math.inf)
                .softmax(0)
                @ v
            ),
            "row 1 should begin with",
        ),
        "values left out": (lambda q, k, v: attention(q, k, k), "row 0 should begin with"),
        "weights only": (lambda q, k, v: attention(q, k, torch.eye(len(q), dtype=q.dtype)), "should have shape"),
    },
    n07.slack_of_page: {
        "no prior": (lambda p, x, k: slack(0 * p, x, k), "add log_prior"),
        "best page": (lambda p, x, k: torch.logsumexp(p + x, 1) - (p + x).amax(1), "written, not the most likely"),
        "negative": (lambda p, x, k: -slack(p, x, k), "not the reverse"),
        "bits": (lambda p, x, k: slack(p, x, k) / math.log(2), "in nats"),
        "the posterior itself": (lambda p, x, k: torch.exp(-slack(p, x, k)), "minus its logarithm"),
        "out of logarithms": (
            lambda p, x, k: -((p + x).exp().gather(1, k[:, None])[:, 0] / (p + x).exp().sum(1)).log(),
            "logsumexp",
        ),
        "likelihood of the page only": (lambda p, x, k: -x.gather(1, k[:, None])[:, 0], "image 2's slack should be"),
        "mean over pages": (lambda p, x, k: slack(p, x, k) - math.log(len(p)), "image 1's slack should be"),
        "averaged": (lambda p, x, k: slack(p, x, k).mean(), "should have shape"),
    },
}


def test_every_exercise_has_right_answers_and_wrong_ones():
    """The right ones are the control of the wrong ones: a marker that refuses everything would catch every error."""
    known = {value for module in MODULES for value in vars(module).values() if hasattr(value, "__wrapped__")}
    assert set(RIGHT) == set(WRONG) == known


@pytest.mark.parametrize(("exercise", "answer"), [(e, a) for e, answers in RIGHT.items() for a in answers])
def test_right_answers_in_another_style_are_accepted(exercise, answer, capsys):
    exercise(answer)
    assert capsys.readouterr().out.startswith("✓ exercise")


@pytest.mark.parametrize(("exercise", "what"), [(e, w) for e, answers in WRONG.items() for w in answers])
def test_wrong_answers_get_a_hint(exercise, what, caught):
    answer, hint = WRONG[exercise][what]
    said = []

    def attempt():
        try:
            exercise(answer)
        except Wrong as wrong:
            said.append(str(wrong))
            raise

    caught(what, attempt)
    # what was said is looked at out here: in attempt, a missing hint would pass for the error that was planted
    assert said, "another assertion than the marker's failed"
    assert said[0].startswith(f"✗ exercise {exercise.__doc__.split()[0]}: ")
    assert hint in said[0]
    assert not re.match(r"[A-Z][a-z]", said[0].partition(": ")[2])  # after a colon
    assert said[0].endswith((".", "?", ")"))  # ) after the reader's line
    others = {other for _, other in WRONG[exercise].values()} - {hint}
    assert [other for other in others if other in said[0]] == []  # or the table could not tell two hints apart


@pytest.mark.parametrize("exercise", WRONG)
def test_an_unattempted_exercise_is_neither_right_nor_wrong(exercise, capsys):
    def stub(*arguments):
        raise NotImplementedError(UNATTEMPTED)

    exercise(stub)
    out = capsys.readouterr().out
    assert out.startswith("○ exercise")
    assert "not attempted yet" in out

    def unsupported(*arguments):  # torch raises the same exception for an operation that it does not have
        raise NotImplementedError('"exp" not implemented for Long')

    with pytest.raises(Wrong, match="raised NotImplementedError"):
        exercise(unsupported)


def test_an_answer_that_raises_is_told_in_one_line():
    """Its last line, not a library's; a notebook shows the hint and no frames; what cannot be cut at a space is cut."""

    def deep(x):
        return torch.cat([x.flatten(), torch.zeros(2, 3)])

    words = (
        r"^✗ exercise 00.1: your function raised RuntimeError: Tensors must .* \(line \d+, `return torch.cat\(.*\)`\)$"
    )
    with pytest.raises(Wrong, match=words) as wrong:
        n00.to_unit_range(deep)
    assert wrong.value._render_traceback_() == [str(wrong.value)]

    def long(x):
        raise KeyError("\n".join(["many words"] * 99) if x.max() > 239 else "w" * 999)

    with pytest.raises(Wrong) as wrong:
        n00.to_unit_range(long)
    assert "\n" not in str(wrong.value)
    assert len(str(wrong.value)) < 400
    assert marking.short("w" * 999, 160) == "w" * 160
    assert marking.short("many  words\nin lines", 12) == "many words …"


def test_the_changed_input_is_noticed():
    def in_place(x):
        y = x.float() / 255
        x.zero_()
        return y

    with pytest.raises(Wrong, match="changed its input"):
        n00.to_unit_range(in_place)


def test_the_reference_of_the_grid_exercise_is_the_closed_form(capsys):
    """z ~ N(0, 1), x|z ~ N(2 z + 0.5, 0.8^2), x = 1.3, worked out by hand."""
    w, b, s, x = 2.0, 0.5, 0.8, 1.3
    log_px = -0.5 * (x - b) ** 2 / (w**2 + s**2) - 0.5 * math.log(2 * math.pi * (w**2 + s**2))
    exact = (log_px, w * (x - b) / (w**2 + s**2), s / math.sqrt(w**2 + s**2))
    seen = []

    def answer(log_joint, grid):
        result = on_grid(log_joint, grid)
        seen.append(exact if not seen else result)  # the first case answered by the closed form, not by a grid
        return seen[-1]

    n01.grid_posterior(answer)
    assert "✓" in capsys.readouterr().out
