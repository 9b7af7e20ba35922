"""The exercises of notebook 02: what each answer is held against, and hints for the usual slips."""

import math
from collections.abc import Callable

import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near, same_gradients


@exercise
def gaussian_kl(answer: Callable) -> str:
    """02.1 (mean (B, D), log_var (B, D)) to KL(N(mean, exp(log_var)) || N(0, I)) in nats, (B,)."""
    generator = torch.Generator().manual_seed(9)
    mean, log_var = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    log_var[4:, 0] = torch.tensor([12.0, -12.0])  # nothing is to be clamped
    for m, v in ((mean, log_var), (torch.zeros(1, 3), torch.zeros(1, 3)), (mean[:, :1], log_var[:, :1])):
        normal = torch.distributions.Normal(m, torch.exp(v / 2))
        right = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(-1)
        if isinstance(got := answer(m.clone(), v.clone()), torch.Tensor) and got.shape != right.shape:
            if got.dim() == 0:
                raise Wrong("one number for each example is wanted, (B,): do not average or sum over the batch.")
            if got.shape == m.shape:
                raise Wrong("one number for each example is wanted, (B,): sum over the dimensions.")
        kl = finite_tensor(got, tuple(right.shape), "the KL")
        d = m.shape[1]
        hints = {
            "log_var is the log of the variance, and yours reads it as log σ: no factor 2 in the exponent.": 0.5
            * (m**2 + torch.exp(2 * v) - 2 * v - 1).sum(-1),
            "sum over the dimensions, do not average: each dimension has its own price.": right / d,
            "there is a factor ½ missing.": 2 * right,
            "there is a factor ½ too many.": right / 2,
            "subtract 1 in each dimension: N(0, I) itself has KL 0.": right + d / 2,
            "subtract 1 in each dimension, not once.": right + (d - 1) / 2,
            "the KL is never negative: mind the sign of the whole.": -right,
            "the log-variance is subtracted: a narrow cloud is dear.": right + v.sum(-1),
            "the arguments are swapped: this is KL(N(0, I) || q).": 0.5 * ((1 + m**2) * torch.exp(-v) + v - 1).sum(-1),
        }
        known_slips(kl, right, hints, 1e-5)
        if not near(kl, right, 1e-5):
            k = int((kl - right).abs().argmax())
            place = ", ".join(
                f"{name} {[round(u, 3) for u in row.tolist()]}" for name, row in (("mean", m[k]), ("log_var", v[k]))
            )
            raise Wrong(f"for {place} the KL is {right[k]:.5f}, and yours {kl[k]:.5f}.")
    wanted = {"mean": (mean, mean), "log_var": (log_var, (torch.exp(log_var) - 1) / 2)}
    same_gradients(answer, wanted, 1e-5)
    return "values and gradients are right."


@exercise
def loss_from_logits(answer: Callable) -> str:
    """02.2 (x (B, C, H, W), logits, mean (B, D), log_std (B, D)) to minus the mean ELBO over the batch, a scalar in nats."""
    generator = torch.Generator().manual_seed(10)
    logits = 3 * torch.randn(5, 2, 3, 4, generator=generator, dtype=torch.float64)
    x = (torch.rand(5, 2, 3, 4, generator=generator) < 0.4).double()
    mean, log_std = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    pixels = -torch.distributions.Bernoulli(logits=logits).log_prob(x).flatten(1)
    normal = torch.distributions.Normal(mean, log_std.exp())
    dims = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    bce, kl = pixels.sum(1), dims.sum(1)
    right = (bce + kl).mean()
    got = answer(x.clone(), logits.clone(), mean.clone(), log_std.clone())
    if isinstance(got, torch.Tensor) and tuple(got.shape) == (5,):
        raise Wrong("that is one number for each example: take the mean over the batch, once, at the end.")
    loss = finite_tensor(got, (), "the loss")
    log_var_kl = 0.5 * (mean**2 + log_std.exp() - log_std - 1).sum(1)
    hints = {
        "sum over the pixels, then take the mean over the batch: the mean over everything hides a β of 24 here.": pixels.mean()
        + kl.mean(),
        "sum over the dimensions of z too, before the mean over the batch.": bce.mean() + dims.mean(),
        "sum over pixels and over dimensions before the mean over the batch.": pixels.mean() + dims.mean(),
        "that is the sum over the batch: take its mean.": (bce + kl).sum(),
        "the KL is added to the loss: it is subtracted in the ELBO, and the loss is minus the ELBO.": (bce - kl).mean(),
        "that is the ELBO; the loss to minimise is minus the ELBO.": -right,
        "log_std is the log of the standard deviation, not of the variance.": (bce + log_var_kl).mean(),
        "there is a factor ½ missing in the KL.": (bce + 2 * kl).mean(),
        "subtract 1 in each dimension of the KL: N(0, I) itself has KL 0.": (bce + kl + 3.5).mean(),
        "the KL is summed over the batch: take its mean, as for the reconstruction.": bce.mean() + kl.sum(),
        "the KL is missing.": bce.mean(),
        "the reconstruction term is missing.": kl.mean(),
        "x and logits are swapped, or ink and paper are.": (
            bce + (x * logits).flatten(1).sum(1) - ((1 - x) * logits).flatten(1).sum(1) + kl
        ).mean(),
    }
    known_slips(loss, right, hints, 1e-6)
    if not near(loss, right, 1e-6):
        raise Wrong(
            f"the reconstruction term is {bce.mean():.5f} and the KL {kl.mean():.5f}: {right:.5f} in all, and yours is {loss:.5f}."
        )
    sure = answer(torch.zeros(1, 1, 1, 2), torch.full((1, 1, 1, 2), 200.0), torch.zeros(1, 3), torch.zeros(1, 3))
    if not abs(float(sure) - 400) < 1e-3:
        raise Wrong(
            f"two pixels with logit 200 that are paper cost 400 nats, and yours {float(sure):g}: work from the logits, without sigmoid."
        )
    wanted = {
        "logits": (logits, (torch.sigmoid(logits) - x) / 5),
        "mean": (mean, mean / 5),
        "log_std": (log_std, (torch.exp(2 * log_std) - 1) / 5),
    }
    same_gradients(lambda *inputs: answer(x, *inputs), wanted, 1e-6)
    return "the value, its gradients and an extreme logit are right."


@exercise
def weights_to_bound(answer: Callable) -> str:
    """02.3 (log p(x, z_k) (K, B), log q(z_k) (K, B)) to the estimate of L_K, (B,)."""
    generator = torch.Generator().manual_seed(11)
    log_joint, log_q = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    low = log_joint - torch.tensor([0.0, 1500.0, 2000.0], dtype=torch.float64)
    for k, joint in ((5, log_joint), (1, log_joint[:1]), (5, low)):
        weight = joint - log_q[:k]
        shift = weight.max(0).values
        right = shift + torch.log(torch.exp(weight - shift).mean(0))
        given = joint.clone(), log_q[:k].clone()
        got = _tensor_or_underflow(answer(*given), (3,))
        if not (torch.equal(given[0], joint) and torch.equal(given[1], log_q[:k])):
            raise Wrong("your function changed its input: compute new tensors.")
        hints = {
            "that is the mean of the logs, which is the ELBO whatever K is: average the weights, then take the log.": weight.mean(
                0
            ),
            "subtract log K: the bound averages the weights, it does not add them up.": right + math.log(k),
            "log K is subtracted, not added.": right + 2 * math.log(k),
            "a weight is p(x, z)/q(z): yours is turned round.": torch.logsumexp(-weight, 0) - math.log(k),
            "average over the K draws, dimension 0: you subtract the log of B.": right + math.log(k) - math.log(3),
            "a weight is p(x, z)/q(z): subtract log q.": torch.logsumexp(joint + log_q[:k], 0) - math.log(k),
            "log q is missing: draws from q are to be weighted by 1/q.": torch.logsumexp(joint, 0) - math.log(k),
            "that is the largest weight; average over all of them.": shift,
        }
        known_slips(got, right, hints, 1e-6)
        if not near(got, right, 1e-6):
            raise Wrong(
                f"with K = {k} the bound is {[round(v, 5) for v in right.tolist()]}, and yours {[round(v, 5) for v in got.tolist()]}."
            )
    share = torch.softmax(log_joint - log_q, 0)  # the gradient of a logsumexp
    same_gradients(answer, {"log_joint": (log_joint, share), "log_q": (log_q, -share)}, 1e-6)
    return "right for K = 1 and 5, with its gradients, and for weights as small as exp(-2000)."


def _tensor_or_underflow(answer, shape: tuple[int, ...]) -> torch.Tensor:
    if isinstance(answer, torch.Tensor) and answer.is_floating_point() and bool(torch.isinf(answer).any()):
        raise Wrong(
            "exp of a log-weight of -2000 is 0, and its log is -inf: use logsumexp, or subtract the largest first."
        )
    return finite_tensor(answer, shape, "the bound")
