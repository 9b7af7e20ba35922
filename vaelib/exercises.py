"""The marking of exercises: one check for each, with hints for the usual slips. For notebooks and tests only.

An untouched stub is "not attempted yet"; a right answer is praised; a wrong one raises with a hint.
"""

import functools
import math
import sysconfig
import textwrap
import traceback
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from vaelib.console import say

UNATTEMPTED = "your turn"  # what a stub raises NotImplementedError with


class Wrong(AssertionError):
    """An exercise's answer is wrong; the message is a hint, in one line, and all of it that a notebook shows."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it: the marker's own frames would help nobody
        return [str(self)]


class Partly(Exception):
    """An exercise's answer is right as far as it goes; the message says what is missing."""


LIBRARIES = (sysconfig.get_path("stdlib"), str(Path(torch.__file__).parents[1]), str(Path(__file__).parent), "<frozen")


def readers_line(error: Exception) -> traceback.FrameSummary | None:
    """The innermost line of a reader's that led to an exception, if there is one: not Python's, not a library's, not ours."""
    lines = traceback.extract_tb(error.__traceback__)
    return next((line for line in reversed(lines) if not line.filename.startswith(LIBRARIES)), None)


def short(words: str, most: int) -> str:
    """Words on one line, with … for what is too much."""
    return textwrap.shorten(words, most, placeholder=" …") if len(words.split()) > 1 else words[:most]


def raised(error: Exception) -> str:
    """What was raised, in one line, and from which line of the reader's; a bare assert says nothing but that line."""
    line, said = readers_line(error), short(str(error), 160)
    where = f"line {line.lineno}" + (f", `{short(line.line, 100)}`" if line.line else "") if line else ""
    if isinstance(error, AssertionError) and not said:
        return f"the assert in {where}" if where else "an assert"
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return kind + said + (f" ({where})" if where else "")


def exercise(verify: Callable[[Callable], str]) -> Callable[[Callable], None]:
    """Turn ``verify(answer)``, which raises ``Wrong`` or ``Partly`` or returns praise, into an exercise's check.

    Its docstring's first word is the exercise's number. A stub that still raises NotImplementedError("your turn") is "not
    attempted yet"; any other exception of the answer counts as wrong.
    """
    number = verify.__doc__.split()[0]

    @functools.wraps(verify)
    def run(answer: Callable) -> None:
        try:
            praise = verify(answer)
        except Wrong as hint:
            raise Wrong(f"✗ exercise {number}: {hint}") from None
        except Partly as missing:
            say(f"◐ exercise {number}: {missing}")
            return
        except Exception as error:
            if isinstance(error, NotImplementedError) and str(error) == UNATTEMPTED:
                say(f"○ exercise {number}: not attempted yet")
                return
            raise Wrong(f"✗ exercise {number}: your function raised {raised(error)}") from error
        say(f"✓ exercise {number}: {praise}")

    return run


def _tensor(answer, shape: tuple[int, ...], what: str) -> torch.Tensor:
    """The answer, if it is a finite float tensor of ``shape``."""
    if not isinstance(answer, torch.Tensor):
        raise Wrong(f"{what} should be a tensor, and is {type(answer).__name__}.")
    if tuple(answer.shape) != shape:
        raise Wrong(f"{what} should have shape {shape}, and has {tuple(answer.shape)}.")
    if not answer.is_floating_point():
        raise Wrong(f"{what} should be floating point, and is {answer.dtype}.")
    if not bool(torch.isfinite(answer).all()):
        raise Wrong(f"{what} has entries that are not finite.")
    return answer


def _near(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    return a.shape == b.shape and float((a - b).detach().double().abs().max()) <= tolerance


def _known_slips(got: torch.Tensor, right: torch.Tensor, hints: dict[str, torch.Tensor], tolerance: float) -> None:
    """Raise the hint whose wrong result the answer gave, where that result differs from the right one."""
    for hint, wrong in hints.items():
        if not _near(right, wrong, tolerance) and _near(got, wrong, tolerance):
            raise Wrong(hint)


def _gradients(answer: Callable, wanted: dict[str, tuple[torch.Tensor, torch.Tensor]], tolerance: float) -> None:
    """Compare the gradients of the sum of ``answer(*inputs)``; ``wanted`` is name -> (input, its right gradient)."""
    inputs = [value.clone().requires_grad_() for value, _ in wanted.values()]
    total = answer(*inputs).sum()
    given = torch.autograd.grad(total, inputs, allow_unused=True) if total.requires_grad else [None] * len(inputs)
    for (name, (_, right)), gradient in zip(wanted.items(), given, strict=True):
        if gradient is None or not _near(gradient, right, tolerance):
            raise Wrong(f"the values are right, the gradient in {name} is not: stay in PyTorch, without detach.")


@exercise
def to_unit_range(answer: Callable) -> str:
    """00.1 uint8 images (N, C, H, W), 0 to 255, to float32 images in [0, 1]."""
    x = torch.arange(0, 240, 10, dtype=torch.uint8).reshape(2, 3, 2, 2)
    x[1, 2, 1, 1] = 255
    dim = (x // 2).contiguous()  # a batch without a 255
    for images in (x, dim):
        kept = images.clone()
        y = _tensor(answer(images), (2, 3, 2, 2), "the result").detach()
        if not torch.equal(images, kept):
            raise Wrong("your function changed its input: return a new tensor.")
        if y.dtype != torch.float32:
            raise Wrong(f"the result should be float32, and is {y.dtype}.")
        if _near(y, images / 256, 1e-6):
            raise Wrong("255 should become exactly 1, and yours becomes 255/256.")
        if images is dim and _near(y, images / int(images.max()), 1e-6):
            raise Wrong("divide by the largest value a uint8 can have, not by the largest one in this batch.")
        if float(y.min()) < 0:
            raise Wrong("0 should stay 0; [-1, 1] is another convention.")
        right = torch.from_numpy(images.numpy() / np.float64(255))
        if not _near(y, right, 1e-6):
            place = int((y.double() - right).abs().argmax())
            value, got, want = (t.flatten()[place].item() for t in (images, y, right))
            raise Wrong(f"{value} should become {want:.7f}, and becomes {got:.7f}.")
    return "0 to 255 became 0 to 1, in float32."


@exercise
def reparameterize(answer: Callable) -> str:
    """01.1 (mean (B, D), log_std (B, D), eps (B, D)) to z (B, D)."""
    mean = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], requires_grad=True)
    log_std = torch.tensor([[0.7, -1.2, 0.0], [0.3, 1.5, -0.4]], requires_grad=True)
    eps = torch.tensor([[-0.3, 1.1, 2.0], [0.9, -1.7, 0.2]])
    z = _tensor(answer(mean, log_std, eps), (2, 3), "z")
    std = torch.from_numpy(np.exp(log_std.detach().numpy()))
    hints = {
        "log_std is a logarithm: take its exponential first.": mean + log_std * eps,
        "noise is multiplied by the standard deviation, not added to it: yours has variance 1.": mean + std + eps,
        "log_std is the log of the standard deviation, not of the variance: no factor 1/2.": mean
        + torch.sqrt(std) * eps,
        "that is the variance times eps: use the standard deviation.": mean + std * std * eps,
        "z is centred on the mean: add it.": std * eps,
        "the noise comes in through eps.": mean,
        "mean - std * eps has the right distribution, but VAE-1 adds: use +.": mean - std * eps,
    }
    _known_slips(z, mean + std * eps, hints, 1e-5)
    if not _near(z, mean + std * eps, 1e-5):
        raise Wrong("z should have mean `mean` and standard deviation exp(log_std) when eps ~ N(0, I).")
    lost = "the values are right, but no gradient reaches {}: compute z from the tensors themselves, without detach or NumPy."
    if not z.requires_grad:
        raise Wrong(lost.format("mean or log_std"))
    to_mean, to_log_std = torch.autograd.grad(z.sum(), (mean, log_std), allow_unused=True)
    for name, gradient, right in (("mean", to_mean, torch.ones(2, 3)), ("log_std", to_log_std, std * eps)):
        if gradient is None or not _near(gradient, right, 1e-5):
            raise Wrong(lost.format(name))
    return "values and gradients are right."


@exercise
def moment_matched(answer: Callable) -> str:
    """01.2 (codes (N, D), n, generator) to n draws (n, D) from the Gaussian with the codes' mean and full covariance."""
    generator = torch.Generator().manual_seed(7)
    mixing = torch.tensor([[2.0, 0.0, 0.0], [1.5, 0.6, 0.0], [-1.0, 0.4, 0.3]])
    codes = torch.randn(5000, 3, generator=generator) @ mixing.T + torch.tensor([4.0, -3.0, 1.0])
    n = 40_000
    again = torch.Generator().manual_seed(8)
    small, state = answer(codes.clone(), 5, again), again.get_state()
    if torch.equal(state, torch.Generator().manual_seed(8).get_state()):
        raise Wrong("the generator was not used: hand it to torch.randn, so that the draw can be repeated.")
    if not torch.equal(torch.as_tensor(small), torch.as_tensor(answer(codes.clone(), 5, again.manual_seed(8)))):
        raise Wrong("the same seed gave other draws: all randomness should come from the generator.")
    z = _tensor(answer(codes.clone(), n, generator), (n, 3), "the draw").double()
    if _near(z[:5000].float(), codes, 1e-6) or len(torch.unique(z.float(), dim=0)) < n // 2:
        raise Wrong("your draws repeat each other or the codes: each should be a new point.")
    mean, covariance = codes.double().mean(0), torch.cov(codes.double().T)
    error = torch.sqrt(torch.diag(covariance) / n)
    if float(((z.mean(0) - mean).abs() / error).max()) > 5:
        raise Wrong(
            f"the draws have mean {[round(v, 2) for v in z.mean(0).tolist()]}, the codes {[round(v, 2) for v in mean.tolist()]}."
        )
    got = torch.cov(z.T)
    scale = torch.sqrt(torch.outer(torch.diag(covariance), torch.diag(covariance)))
    off = (got - covariance).abs() / scale
    if float(torch.diag(off).max()) > 0.04:
        width = torch.sqrt(torch.diag(got) / torch.diag(covariance))
        if float(width.max() - width.min()) < 0.02:
            raise Wrong(f"your draws are {float(width.mean()):.2f} times as wide as the codes, in every direction.")
        raise Wrong(
            "the variances differ from the codes': with covariance C = L Lᵀ, a draw is mean + L eps. "
            "Mind which side L stands on."
        )
    if float(off.max()) > 0.04:
        raise Wrong(
            "the variances are right, the covariances are not: the codes' cloud is tilted, and yours is not tilted the same way."
        )
    if float(((z - mean) ** 4).mean(0).div(torch.diag(covariance) ** 2).sub(3).abs().max()) > 0.3:
        raise Wrong("mean and covariance are right, but the shape is not Gaussian.")
    return "mean and covariance are those of the codes."


@exercise
def grid_posterior(answer: Callable) -> str:
    """01.3 (log_joint, grid (G,)) to (log p(x), mean, std) of p(z|x), where log_joint(z) = log p(x|z) + log p(z)."""
    grid = torch.linspace(-8, 8, 2001, dtype=torch.float64)

    def log_normal(v, mean, std):
        return -0.5 * ((v - mean) / std) ** 2 - math.log(std) - 0.5 * math.log(2 * math.pi)

    cases = {
        "a straight decoder": lambda z: log_normal(1.3, 2.0 * z + 0.5, 0.8) + log_normal(z, 0, 1),
        "a bent decoder": lambda z: log_normal(0.4, torch.sin(2 * z), 0.3) + log_normal(z, 0, 1),
        "a surprising x": lambda z: log_normal(100.0, z, 1.0) + log_normal(z, 0, 1),
    }
    for case, log_joint in cases.items():
        density = torch.special.logsumexp(log_joint(grid), 0)
        weight = torch.exp(log_joint(grid) - density).numpy()
        if case == "a surprising x":  # the closed form: x ~ N(0, 2), z|x ~ N(x/2, 1/2); the mean lies off the grid
            fine = torch.linspace(30, 70, 20_001, dtype=torch.float64)
            right = (float(log_normal(100.0, 0.0, math.sqrt(2.0))), 50.0, math.sqrt(0.5))
            result = answer(log_joint, fine)
        else:
            mean = float((weight * grid.numpy()).sum())
            std = math.sqrt(float((weight * (grid.numpy() - mean) ** 2).sum()))
            right = (float(density) + math.log(float(grid[1] - grid[0])), mean, std)
            result = answer(log_joint, grid)
        if not isinstance(result, (tuple, list, torch.Tensor, np.ndarray)) or len(result) != 3:
            raise Wrong("return three numbers: log p(x), mean, std.")
        log_px, got_mean, got_std = (float(v) for v in result)
        if case == "a surprising x" and not math.isfinite(log_px + got_mean + got_std):
            raise Wrong(
                "exp(log_joint) underflows to 0 when x is surprising: subtract the largest value first, or use logsumexp."
            )
        if not abs(log_px - right[0]) < 1e-6:
            spacing = float((fine if case == "a surprising x" else grid).diff()[0])
            if abs(log_px - right[0] + math.log(spacing)) < 1e-6:
                hint = "did you multiply the sum by the grid's spacing?"
            elif abs(log_px - math.exp(right[0])) < 1e-6:
                hint = "take its logarithm."
            else:
                hint = "add up exp(log_joint) over the grid, times the spacing, and take the logarithm."
            raise Wrong(f"with {case}, log p(x) is {right[0]:.7f}, and yours {log_px:.7f}: {hint}")
        if not abs(got_mean - right[1]) < 1e-6:
            points = fine if case == "a surprising x" else grid
            hint = (
                "that is the most probable z, not its mean."
                if abs(got_mean - float(points[log_joint(points).argmax()])) < 1e-6
                else "divide p(x, z) by p(x) first."
            )
            raise Wrong(f"with {case}, the mean is {right[1]:.5f}, and yours {got_mean:.5f}: {hint}")
        if not abs(got_std - right[2]) < 1e-6:
            hint = (
                "that is the variance."
                if abs(got_std - right[2] ** 2) < 1e-6
                else "measure the spread around the posterior's mean."
            )
            raise Wrong(f"with {case}, the std is {right[2]:.5f}, and yours {got_std:.5f}: {hint}")
    return "log p(x), mean and std are right, also for an x that is hard to explain."


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
        kl = _tensor(got, tuple(right.shape), "the KL")
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
        _known_slips(kl, right, hints, 1e-5)
        if not _near(kl, right, 1e-5):
            k = int((kl - right).abs().argmax())
            place = ", ".join(
                f"{name} {[round(u, 3) for u in row.tolist()]}" for name, row in (("mean", m[k]), ("log_var", v[k]))
            )
            raise Wrong(f"for {place} the KL is {right[k]:.5f}, and yours {kl[k]:.5f}.")
    wanted = {"mean": (mean, mean), "log_var": (log_var, (torch.exp(log_var) - 1) / 2)}
    _gradients(answer, wanted, 1e-5)
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
    loss = _tensor(got, (), "the loss")
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
    _known_slips(loss, right, hints, 1e-6)
    if not _near(loss, right, 1e-6):
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
    _gradients(lambda *inputs: answer(x, *inputs), wanted, 1e-6)
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
        _known_slips(got, right, hints, 1e-6)
        if not _near(got, right, 1e-6):
            raise Wrong(
                f"with K = {k} the bound is {[round(v, 5) for v in right.tolist()]}, and yours {[round(v, 5) for v in got.tolist()]}."
            )
    share = torch.softmax(log_joint - log_q, 0)  # the gradient of a logsumexp
    _gradients(answer, {"log_joint": (log_joint, share), "log_q": (log_q, -share)}, 1e-6)
    return "right for K = 1 and 5, with its gradients, and for weights as small as exp(-2000)."


def _tensor_or_underflow(answer, shape: tuple[int, ...]) -> torch.Tensor:
    if isinstance(answer, torch.Tensor) and answer.is_floating_point() and bool(torch.isinf(answer).any()):
        raise Wrong(
            "exp of a log-weight of -2000 is 0, and its log is -inf: use logsumexp, or subtract the largest first."
        )
    return _tensor(answer, shape, "the bound")


@exercise
def leave_one_out_loss(answer: Callable) -> str:
    """03.1 (log q(z_k) (K, B) with a graph, f (K, B)) to a scalar whose gradient is minus the leave-one-out estimate of grad E[f]."""
    generator = torch.Generator().manual_seed(12)
    for draws in (4, 2):
        log_q, values = torch.randn(2, draws, 3, generator=generator, dtype=torch.float64)
        values = values + torch.tensor([-80.0, 5.0, 30.0], dtype=torch.float64)  # images differ in how hard they are
        centred = torch.stack([values[k] - values[[j for j in range(draws) if j != k]].mean(0) for k in range(draws)])
        right = -centred / (3 * draws)  # d loss / d log_q
        graph, f = log_q.clone().requires_grad_(), values.clone().requires_grad_()
        loss = _tensor(answer(graph, f), (), "the loss")
        if not loss.requires_grad:
            raise Wrong("no gradient reaches log_q: build the loss from log_q itself, without detach.")
        to_log_q, to_f = torch.autograd.grad(loss, (graph, f), allow_unused=True)
        if to_log_q is None:
            raise Wrong("no gradient reaches log_q: build the loss from log_q itself, without detach.")
        hints = {
            "that is gradient descent on E[f]: the loss is to be minimised so that E[f] grows, so mind the sign.": -right,
            "the baseline contains the draw's own f: leave it out.": right * (draws - 1) / draws,
            "there is no baseline: subtract the mean f of the other draws.": -values / (3 * draws),
            "take the mean over the K draws, not their sum.": right * draws,
            "take the mean over the B examples, not their sum.": right * 3,
            "take the mean over draws and examples, not the sum.": right * 3 * draws,
            "divide the sum of the others by K - 1: there are K - 1 of them.": -(
                values - (values.sum(0) - values) / draws
            )
            / (3 * draws),
            "the other draws are those of the same example: average along dimension 0.": -(
                values - (values.sum() - values) / (3 * draws - 1)
            )
            / (3 * draws),
            "the other draws lie along dimension 0, (K, B): yours averages over examples.": -(
                values - (values.sum(1, keepdim=True) - values) / 2
            )
            / (3 * draws),
        }
        _known_slips(to_log_q, right, hints, 1e-9)
        if not _near(to_log_q, right, 1e-9):
            raise Wrong(
                f"with K = {draws} the gradient in log_q should start with {right[0, 0]:.5f}, and starts with {to_log_q[0, 0]:.5f}."
            )
        if to_f is not None and float(to_f.abs().max()) > 0:
            raise Wrong("the gradient in log_q is right, but one flows through f too: detach f.")
    return "its gradient is the leave-one-out estimate, for K = 2 and 4."


@exercise
def enumerated_gradient(answer: Callable) -> str:
    """03.2 (logits (C,), values (C,)) to the gradient of sum_k softmax(logits)_k values_k by the logits, (C,)."""
    generator = torch.Generator().manual_seed(13)
    cases = [torch.randn(2, size, generator=generator, dtype=torch.float64) for size in (5, 2)]
    cases.append(torch.tensor([[800.0, 799.0, 0.0], [1.0, 3.0, -2.0]], dtype=torch.float64))  # exp(800) is infinite
    for logits, values in cases:
        leaf = logits.clone().requires_grad_()
        right = torch.autograd.grad((torch.softmax(leaf, -1) * values).sum(), leaf)[0]
        try:
            with torch.no_grad():
                got = answer(logits.clone(), values.clone())
        except RuntimeError as error:
            if "grad" not in str(error):
                raise
            raise Wrong(
                "no autograd here: derive the formula, with the softmax's own derivative, and write that."
            ) from None
        if logits[0] == 800 and isinstance(got, torch.Tensor) and bool(torch.isnan(got).any()):
            raise Wrong("exp(800) is infinite: take torch.softmax, which subtracts the largest logit first.")
        got = _tensor(got, tuple(values.shape), "the gradient")
        p = torch.softmax(logits, -1)
        hints = {
            "the probabilities move too when a logit does, all of them: subtract the mean of f.": p * values,
            "that is the mean of f for each word; weigh f minus its mean by p.": (p * values).sum()
            * torch.ones_like(p),
            "weigh by the probability: words that are never drawn do not matter.": values - (p * values).sum(),
            "the baseline is the mean of f under p, not the plain mean.": p * (values - values.mean()),
            "the sign is turned round: a word with a large f should get a larger logit.": -right,
            "that is the gradient by the probabilities; go on to the logits by the chain rule.": values,
            "that keeps only the word's own probability: the other probabilities move as well.": p * (1 - p) * values,
        }
        _known_slips(got, right, hints, 1e-9)
        if not _near(got, right, 1e-9):
            raise Wrong(
                f"for p = {[round(v, 4) for v in p.tolist()]} and f = {[round(v, 4) for v in values.tolist()]} the gradient is "
                f"{[round(v, 4) for v in right.tolist()]}, and yours {[round(v, 4) for v in got.tolist()]}."
            )
    return "it is autograd's, also for logits of 800."


@exercise
def one_hot_with_gradient(answer: Callable) -> str:
    """03.3 (one_hot (N, C), probs (N, C) with a graph) to (N, C) with the value of one_hot and the gradient of probs."""
    generator = torch.Generator().manual_seed(14)
    logits = torch.randn(50, 6, generator=generator, requires_grad=True)
    probs = torch.softmax(logits, -1)
    one_hot = torch.eye(6)[torch.randint(6, (50,), generator=generator)]
    z = _tensor(answer(one_hot.clone(), probs), (50, 6), "z")
    if _near(z, probs, 1e-6):
        raise Wrong("the value should be one_hot, and is probs: swap the roles.")
    if not _near(z, one_hot, 1e-6):
        raise Wrong("the value should be one_hot: what you add to it has to be 0.")
    if not z.requires_grad:
        raise Wrong(
            "the value is right, no gradient flows to probs: add something that is 0 in value and probs in gradient."
        )
    weights = torch.randn(50, 6, generator=generator)
    (got,) = torch.autograd.grad((z * weights).sum(), logits, retain_graph=True, allow_unused=True)
    (right,) = torch.autograd.grad((probs * weights).sum(), logits)
    if got is None or not _near(got, right, 1e-6):
        raise Wrong("the value is right, the gradient should be that of probs, whichever word was drawn.")
    if not torch.equal(z.detach(), one_hot):
        raise Wrong(
            "the value is one_hot up to rounding only: put brackets around probs - probs.detach(), which is exactly 0."
        )
    return "value exact, gradient straight through."


@exercise
def log_mean_weight(answer: Callable) -> str:
    """04.1 log_w (K, B), nats, to L_K (B,) and its standard error (B,)."""
    generator = torch.Generator().manual_seed(0)
    log_w = torch.randn(50, 4, generator=generator, dtype=torch.float64) * 1.5 - torch.tensor([0.0, 90.0, 2000.0, 3.0])
    w = np.exp((log_w - log_w.amax(0)).numpy())
    right = torch.from_numpy(np.log(w.mean(0))) + log_w.amax(0)
    error = torch.from_numpy(w.std(0, ddof=1) / w.mean(0)) / math.sqrt(50)
    result = answer(log_w.clone())
    if not isinstance(result, (tuple, list, torch.Tensor)) or len(result) != 2:
        raise Wrong("return two tensors: L_K and its standard error.")
    if isinstance(result[0], torch.Tensor) and not bool(torch.isfinite(result[0]).all()):
        raise Wrong("exp(log_w) underflows to 0 for images with log p(x) near -2000: use torch.logsumexp.")
    got = _tensor(result[0], (4,), "L_K")
    hints = {
        "that is the log of the sum of the weights: divide by K.": right + math.log(50),
        "that is the mean of the log-weights, the ELBO: take the log of the mean weight.": log_w.mean(0),
        "the average runs over all draws, the largest alone is not enough.": log_w.amax(0),
    }
    _known_slips(got, right, hints, 1e-6)
    if not _near(got, right, 1e-8):
        raise Wrong(f"L_K of the first image should be {right[0]:.4f}, and is {got[0]:.4f}.")
    if isinstance(result[1], torch.Tensor) and not bool(torch.isfinite(result[1]).all()):
        raise Wrong(
            "the weights underflow in your standard error: divide each by their mean before you leave logarithms."
        )
    got = _tensor(result[1], (4,), "the standard error")
    hints = {
        "that is the spread of one weight: divide by the square root of K.": error * math.sqrt(50),
        "that is the standard error of the mean of log w; here the mean is taken before the logarithm.": log_w.std(0)
        / math.sqrt(50),
        "divide by the square root of K, not by K.": error / math.sqrt(50),
    }
    _known_slips(got, error, hints, 1e-6)
    if not _near(got, error, 1e-3):
        raise Wrong(f"the standard error of the first image should be {error[0]:.4f}, and is {got[0]:.4f}.")
    return "the right estimate and error, also where exp(log_w) is 0."


@exercise
def floored_rate(answer: Callable) -> str:
    """04.2 (mean (B, D), log_std (B, D), floor in nats) to the rate with free bits, a scalar."""
    mean = torch.tensor([[0.1, 2.0, -1.2], [-0.2, -1.0, 0.1], [0.2, 1.4, 0.0]], dtype=torch.float64)
    log_std = torch.tensor([[0.0, -1.0, 0.2], [0.1, -0.5, 0.0], [0.0, -0.2, 0.1]], dtype=torch.float64)
    m, s = mean.numpy(), np.exp(log_std.numpy())
    kl = torch.from_numpy(0.5 * (m**2 + s**2 - np.log(s**2) - 1))  # (3, 3)
    for floor in (0.25, 0.0):
        per_unit = kl.mean(0)
        right = per_unit.clamp(min=floor).sum()
        got = _tensor(answer(mean.clone(), log_std.clone(), floor), (), "the rate")
        as_log_var = 0.5 * (mean**2 + log_std.exp() - log_std - 1)
        hints = {
            "that is the rate with no floor, or with one on the sum: apply it to each dimension.": per_unit.sum().clamp(
                min=floor
            ),
            "average over the batch before you apply the floor.": kl.clamp(min=floor).sum(1).mean(),
            "the floor holds from below: use the larger of the two.": per_unit.clamp(max=floor).sum(),
            "add the dimensions up, do not average them.": per_unit.clamp(min=floor).mean(),
            "log_std is not a log-variance: the variance is exp(2 log_std).": as_log_var.mean(0).clamp(min=floor).sum(),
            "average over the batch.": kl.sum(0).clamp(min=floor).sum(),
            "do not subtract the floor: use the larger of the two.": (per_unit - floor).clamp(min=0).sum(),
        }
        _known_slips(got, right, hints, 1e-6)
        if not _near(got, right, 1e-6):
            raise Wrong(f"for floor={floor} the rate should be {right:.4f}, and is {got:.4f}.")
    mean, log_std = mean.requires_grad_(), log_std.requires_grad_()
    total = answer(mean, log_std, 0.25)
    gradient = torch.autograd.grad(total, mean, allow_unused=True)[0] if total.requires_grad else None
    expected = torch.where(kl.mean(0) > 0.25, mean.detach() / 3, 0.0)
    if gradient is None or not _near(gradient, expected, 1e-8):
        raise Wrong("the values are right, the gradient is not: it is 0 below the floor and that of the KL above it.")
    return "a dimension below its floor costs nothing to use."


@exercise
def slerp(answer: Callable) -> str:
    """04.3 (a (D,), b (D,), t (T,)) to points on the arc from a to b, (T, D)."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 20, generator=generator, dtype=torch.float64)
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    got = _tensor(answer(a.clone(), b.clone(), t.clone()), (5, 20), "the result")
    straight = (1 - t)[:, None] * a + t[:, None] * b
    # by another road: turn a's direction towards b in their plane
    e1 = a / a.norm()
    e2 = b - (b @ e1) * e1
    angle = torch.atan2(e2.norm(), b @ e1)
    e2 = e2 / e2.norm()
    unit = torch.cos(t * angle)[:, None] * e1 + torch.sin(t * angle)[:, None] * e2
    lengths = a.norm() ** (1 - t) * b.norm() ** t
    sine = torch.sin(angle)
    shoemake = (torch.sin((1 - t) * angle) / sine)[:, None] * a + (torch.sin(t * angle) / sine)[:, None] * b
    hints = {
        "that is the straight line: its middle is shorter than both ends.": straight,
        "t = 0 is a and t = 1 is b: yours runs backwards.": shoemake.flip(0),
        "the directions are right; the lengths should be those of the formula, not 1.": unit,
    }
    if _near(got, lengths[:, None] * unit, 1e-6):
        return "on the arc, with lengths in between."
    _known_slips(got, shoemake, hints, 1e-6)
    if not _near(got, shoemake, 1e-6):
        raise Wrong(f"at t = 0.25 the first entry should be {shoemake[1, 0]:.4f}, and is {got[1, 0]:.4f}.")
    return "on the arc from a to b."


@exercise
def nearest_words(answer: Callable) -> str:
    """05.1 (z_e (B, D, H, W), codebook (K, D)) to the nearest word of each position, int64 (B, H, W)."""
    generator = torch.Generator().manual_seed(0)
    z_e = torch.randn(2, 4, 3, 5, generator=generator, dtype=torch.float64)
    codebook = torch.randn(9, 4, generator=generator, dtype=torch.float64) * torch.linspace(0.3, 2, 9)[:, None]
    rows = [z_e[b, :, i, j] for b in range(2) for i in range(3) for j in range(5)]

    def pick(score, vectors):
        return (
            torch.stack([torch.stack([score(z, e) for e in codebook]).argmin() for z in vectors]).view(2, 3, 5).double()
        )

    right = pick(lambda z, e: (z - e).norm(), rows)
    got = answer(z_e.clone(), codebook.clone())
    if isinstance(got, torch.Tensor) and (got.is_floating_point() or got.dtype == torch.bool):
        raise Wrong(f"words are integers, and yours are {got.dtype}: argmin gives them.")
    got = _tensor(got.double() if isinstance(got, torch.Tensor) else got, (2, 3, 5), "the words")
    hints = {
        "a bare reshape mixes positions: move the channels to the end first, with permute(0, 2, 3, 1).": pick(
            lambda z, e: (z - e).norm(), z_e.reshape(-1, 4)
        ),
        "that is the farthest word: take the smallest distance.": pick(lambda z, e: -(z - e).norm(), rows),
        "the largest product z.e is not the nearest word, unless all words are equally long: subtract ||e||^2 / 2.": pick(
            lambda z, e: -(z @ e), rows
        ),
        "the product counts twice: ||z||^2 - 2 z.e + ||e||^2.": pick(lambda z, e: e @ e - z @ e, rows),
    }
    for hint, slip in hints.items():
        if torch.equal(got, slip):
            raise Wrong(hint)
    if not torch.equal(got, right):
        raise Wrong(f"{int((got != right).sum())} of {right.numel()} positions have another word than the nearest.")
    return "the nearest word at every position."


@exercise
def vq_losses(answer: Callable) -> str:
    """05.2 (z_e (N, D), e (N, D), beta) to the codebook loss and the commitment loss, two scalars."""
    generator = torch.Generator().manual_seed(1)
    z_e, e = (torch.randn(6, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    result = answer(z_e, e, 0.3)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong("return two scalars: the codebook loss and the commitment loss.")
    value = torch.tensor(np.mean((z_e.detach().numpy() - e.detach().numpy()) ** 2))
    slope = 2 * (z_e - e).detach() / 18
    wanted = {"the codebook loss": (1.0, {"z_e": 0.0, "e": -1.0}), "the commitment loss": (0.3, {"z_e": 0.3, "e": 0.0})}
    for loss, (name, (factor, slopes)) in zip(result, wanted.items(), strict=True):
        got = _tensor(loss, (), name)
        hints = {
            "beta weighs the commitment loss, not the codebook loss.": value * (0.3 if factor == 1 else 1),
            "average over all numbers, do not add them up.": factor * value * 18,
            "average over the D numbers of a vector as well.": factor * value * 3,
            "beta is a factor, not a power or a square.": factor**2 * value,
        }
        _known_slips(got, factor * value, hints, 1e-9)
        if not _near(got, factor * value, 1e-9):
            raise Wrong(f"{name} should be {float(factor * value):.4f}, and is {float(got.detach()):.4f}.")
        inputs = {"z_e": z_e, "e": e}
        found = (
            torch.autograd.grad(loss, list(inputs.values()), allow_unused=True) if loss.requires_grad else (None, None)
        )
        for (part, sign), gradient in zip(slopes.items(), found, strict=True):
            gradient = torch.zeros_like(z_e) if gradient is None else gradient
            if not _near(gradient, sign * slope, 1e-9):
                heard = (
                    "hears it and should not: detach it" if sign == 0 else "gets the wrong gradient: is it detached?"
                )
                raise Wrong(f"{name} has the right value, but {part} {heard}")
    return "two values, and each heard by the right one alone."


@exercise
def ema_step(answer: Callable) -> str:
    """05.3 (n (K,), m (K, D), z (N, D), codes (N,), decay) to the new n, m and codebook."""
    generator = torch.Generator().manual_seed(2)
    n = torch.tensor([3.0, 1.0, 0.5, 2.0], dtype=torch.float64)
    m = torch.randn(4, 2, generator=generator, dtype=torch.float64)
    z = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    codes = torch.tensor([0, 1, 1, 3, 3, 3, 3, 0, 1])  # nobody chose word 2
    counts, sums = np.bincount(codes.numpy(), minlength=4), np.zeros((4, 2))
    np.add.at(sums, codes.numpy(), z.numpy())
    counts, sums = torch.from_numpy(counts).double(), torch.from_numpy(sums)
    given = [t.clone() for t in (n, m, z, codes)]
    result = answer(*given, 0.9)
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        raise Wrong("return three tensors: n, m and the codebook.")
    if any(not torch.equal(a, b) for a, b in zip(given, (n, m, z, codes), strict=True)):
        raise Wrong("one of the inputs has changed: return new tensors.")
    got = [_tensor(t, s, w) for t, s, w in zip(result, ((4,), (4, 2), (4, 2)), ("n", "m", "the codebook"), strict=True)]
    right = 0.9 * n + 0.1 * counts
    _known_slips(
        got[0],
        right,
        {
            "the weights are the wrong way round: the old value keeps the share decay.": 0.1 * n + 0.9 * counts,
            "n counts vectors, it is not a share of them: do not divide by N.": 0.9 * n + 0.1 * counts / 9,
            "weigh the new counts by 1 - decay.": 0.9 * n + counts,
        },
        1e-6,
    )
    if not _near(got[0], right, 1e-6):
        raise Wrong(
            f"n should be {[round(v, 3) for v in right.tolist()]}, and is {[round(v, 3) for v in got[0].tolist()]}."
        )
    right_m = 0.9 * m + 0.1 * sums
    means = sums / counts.clamp(min=1)[:, None]
    _known_slips(
        got[1],
        right_m,
        {
            "m averages sums of vectors, not means: the division comes last.": 0.9 * m + 0.1 * means,
            "the weights are the wrong way round: the old value keeps the share decay.": 0.1 * m + 0.9 * sums,
            "weigh the new sums by 1 - decay.": 0.9 * m + sums,
        },
        1e-6,
    )
    if not _near(got[1], right_m, 1e-6):
        raise Wrong(f"the first row of m should be {right_m[0].tolist()}, and is {got[1][0].tolist()}.")
    again = answer(n.clone(), m.clone(), z.clone(), codes.clone(), 0.5)
    if not _near(_tensor(again[0], (4,), "n"), 0.5 * n + 0.5 * counts, 1e-6):
        raise Wrong("right for decay = 0.9, and not for decay = 0.5: use the argument.")
    if not _near(got[2], right_m / right[:, None], 1e-6):
        raise Wrong("n and m are right; the codebook is m / n, each row by its own count.")
    return "the new averages, also for a word that nobody chose."


@exercise
def colour_mask(answer: Callable) -> str:
    """06.1 (k, kind, channels) to the mask of a k x k kernel between features of C colours, (C, C, k, k) of zeros and ones."""
    for k, kind, C in ((3, "A", 3), (5, "B", 3), (3, "B", 1), (5, "A", 2)):

        def by_order(slip: str = "", k=k, kind=kind, C=C) -> torch.Tensor:
            mask = np.zeros((C, C, k, k))
            for out, seen, i, j in np.ndindex(mask.shape):
                here, there = (k // 2) * k + k // 2, i * k + j
                a, b = (seen, out) if slip != "turned" else (out, seen)
                at_centre = a <= b if (kind == "B") != (slip == "exchanged") else a < b
                if slip == "grey":
                    at_centre = kind == "B"
                mask[out, seen, i, j] = there < here or (there == here and at_centre)
                if slip == "square" and (i > k // 2 or j > k // 2):
                    mask[out, seen, i, j] = 0
            return torch.from_numpy(mask)

        right = by_order()
        got = answer(k, kind, C)
        got = _tensor(
            got.double() if isinstance(got, torch.Tensor) else got, (C, C, k, k), f"the mask for {k, kind, C}"
        )
        _known_slips(
            got,
            right,
            {
                "A and B are exchanged: A hides a colour from itself, B shows it.": by_order("exchanged"),
                "the first index is the output: output c sees input d at the centre if d comes before c.": by_order(
                    "turned"
                ),
                "at the centre, colours count too: green may see red.": by_order("grey"),
                "rows above are seen whole, also to the right of the centre.": by_order("square"),
            },
            1e-9,
        )
        if not _near(got, right, 1e-9):
            c, d, i, j = (int(v) for v in (got != right).nonzero()[0])
            raise Wrong(f"for {k, kind, C}: entry [{c}, {d}, {i}, {j}] should be {right[c, d, i, j]:.0f}.")
    return "nothing later is seen, and everything earlier."


@exercise
def log_level(answer: Callable) -> str:
    """06.2 (x (N,) int64, mean (N,), log_scale (N,), levels) to log P(x) of a discretized logistic, (N,)."""
    generator = torch.Generator().manual_seed(3)
    levels = 16
    x = torch.cat([torch.randint(16, (12,), generator=generator), torch.tensor([0, 15, 0, 15, 9])])
    mean = torch.cat(
        [torch.rand(15, generator=generator, dtype=torch.float64) * 2 - 1, torch.tensor([0.8, -0.9]).double()]
    )
    log_scale = torch.cat(
        [torch.rand(16, generator=generator, dtype=torch.float64) * 2 - 2, torch.tensor([-5.0]).double()]
    )

    def exactly(half: Fraction = Fraction(1, 15), edges: bool = True, sign: int = 1) -> torch.Tensor:
        """The difference of two distribution functions itself, with digits enough for it."""
        found = []
        with localcontext(prec=150):

            def below(t: Decimal) -> Decimal:
                return 1 / (1 + (-t).exp())

            for k, m, s in zip(x.tolist(), mean.tolist(), log_scale.tolist(), strict=True):
                scale, centre = Decimal(sign * s).exp(), Fraction(2 * k, 15) - 1 - Fraction(m)
                up, low = (Decimal(v.numerator) / v.denominator / scale for v in (centre + half, centre - half))
                high = 1 if edges and k == 15 else below(up)
                found.append(float((high - (0 if edges and k == 0 else below(low))).ln()))
        return torch.tensor(found, dtype=torch.float64)

    right = exactly()
    got = answer(x.clone(), mean.clone(), log_scale.clone(), levels)
    if isinstance(got, torch.Tensor) and got.shape == (17,) and not bool(torch.isfinite(got).all()):
        raise Wrong(
            "far from the mean, a difference of two sigmoids is 0 and its log −inf: use the product of three factors."
        )
    got = _tensor(got, (17,), "the result").double()
    _known_slips(
        got,
        right,
        {
            "the first and the last level own all that lies beyond them.": exactly(edges=False),
            "levels are 2 / (L − 1) apart: half a cell is 1 / (L − 1).": exactly(half=Fraction(1, 16)),
            "that is a whole cell on each side: half a cell is 1 / (L − 1).": exactly(half=Fraction(2, 15)),
            "the scale is exp(log_scale): divide by it.": exactly(sign=-1),
            "that is P(x): return its logarithm.": right.exp(),
        },
        1e-4,
    )
    if not torch.allclose(got, right, rtol=1e-4, atol=1e-4):  # answers in float32 are right, too
        k = int(((got - right) / (1 + right.abs())).abs().argmax())
        where = f"x = {int(x[k])}, mean {mean[k]:.2f}, log_scale {log_scale[k]:.2f}"
        raise Wrong(f"for {where} it should be {right[k]:.4f}, and is {got[k]:.4f}.")
    return "right at the edges and far out, where the probability is below 1e-60."


@exercise
def draw_in_order(answer: Callable) -> str:
    """06.3 (logit, u (B, 1, H, W), temperature) to images (B, 1, H, W) of zeros and ones, drawn pixel by pixel."""
    generator = torch.Generator().manual_seed(4)
    H, W = 3, 4
    weights = 2 * torch.randn(H * W, H * W, generator=generator, dtype=torch.float64).tril(-1)
    bias = torch.randn(H * W, generator=generator, dtype=torch.float64)
    u = torch.rand(40, 1, H, W, generator=generator, dtype=torch.float64)

    def logit(x: torch.Tensor) -> torch.Tensor:
        return (x.double().flatten(1) @ weights.T + bias).view(-1, 1, H, W)

    def drawn(T: float, order=range(H * W), once: bool = False, over: bool = False) -> torch.Tensor:
        W_, b_, u_ = weights.numpy(), bias.numpy(), u.flatten(1).numpy()
        x = np.zeros((len(u), H * W))
        for i in order:
            see = np.zeros_like(x) if once else x
            p = 1 / (1 + np.exp(-(see @ W_[i] + b_[i]) / T))
            x[:, i] = (u_[:, i] > p) if over else (u_[:, i] < p)
        return torch.from_numpy(x).view(u.shape)

    columns = [i * W + j for j in range(W) for i in range(H)]
    for T in (1.0, 0.4):
        got = answer(logit, u.clone(), T)
        got = _tensor(got.double() if isinstance(got, torch.Tensor) else got, (40, 1, H, W), "the images")
        _known_slips(
            got,
            drawn(T),
            {
                "all pixels at once: each must be drawn after those before it, and the network asked again.": drawn(
                    T, once=True
                ),
                "that goes column by column: the order is row by row.": drawn(T, columns),
                "a pixel has ink with probability sigmoid(logit): 1 where u is below it.": drawn(T, over=True),
                "use the temperature: divide the logits by it.": drawn(1.0),
                "divide the logits by the temperature, do not multiply.": drawn(1 / T),
            },
            1e-9,
        )
        if not _near(got, drawn(T), 1e-9):
            raise Wrong(
                f"{int((got != drawn(T)).flatten(1).any(1).sum())} of 40 images differ from those of the same noise u."
            )
    return "every pixel drawn after those before it."


@exercise
def whole_bits(answer: Callable) -> str:
    """07.1 (log_prior (B,), log_pixels (B, C, H, W)), nats, to bits per dimension of the two-part code, (B,)."""
    generator = torch.Generator().manual_seed(5)
    for B, C, H, W in ((4, 3, 2, 5), (3, 1, 4, 4)):
        log_prior = -20 * torch.rand(B, generator=generator, dtype=torch.float64) - 1
        log_pixels = -5 * torch.rand(B, C, H, W, generator=generator, dtype=torch.float64)

        def by_hand(prior=1.0, base=2.0, sign=-1, colours=True, p=log_prior, x=log_pixels, size=(C, H, W)):
            count = math.prod(size if colours else size[1:])
            cost = [prior * float(a) + math.fsum(b.flatten().tolist()) for a, b in zip(p, x, strict=True)]
            return torch.tensor([sign * value / count / math.log(base) for value in cost], dtype=torch.float64)

        right = by_hand()
        got = answer(log_prior.clone(), log_pixels.clone())
        if isinstance(got, torch.Tensor) and got.dim() == 0:
            raise Wrong("one number for each image: do not average over the batch.")
        _known_slips(
            _tensor(got, (B,), "the result").double(),
            right,
            {
                "the page has to be sent as well: add log_prior.": by_hand(prior=0.0),
                "that is in nats: divide by log 2.": by_hand(base=math.e),
                "a cost is positive: minus the logarithm of a probability.": by_hand(sign=1),
                "dimensions are all numbers of the image: C H W of them.": by_hand(colours=False),
                "the page is sent once for the image, not once for each number.": by_hand(prior=float(C * H * W)),
                "the two parts cost bits both: the signs are equal.": by_hand(prior=-1.0),
            },
            1e-6,
        )
        if not _near(got.double(), right, 1e-6):
            b = int((got - right).abs().argmax())
            raise Wrong(f"image {b} costs {right[b]:.5f} bits a dimension, and yours {got[b]:.5f}.")
    return "page and pixels, in bits for each number."


@exercise
def attend_back(answer: Callable) -> str:
    """07.2 (q, k, v), each (T, D), to causal attention's output (T, D)."""
    generator = torch.Generator().manual_seed(6)
    for T, D in ((5, 3), (4, 8)):
        q, k, v = (2 * torch.randn(T, D, generator=generator, dtype=torch.float64) for _ in range(3))

        def one_by_one(slip="", q=q, k=k, v=v, T=T, D=D):
            scores = (q.numpy() @ k.numpy().T) / (1 if slip == "scale" else D if slip == "dimension" else D**0.5)
            out = np.zeros((T, D))
            for t in range(T):
                seen = range(T) if slip in ("all", "late") else range(t, T) if slip == "turned" else range(t + 1)
                if slip == "strict" and t > 0:
                    seen = range(t)
                weights = {s: math.exp(scores[t, s] - scores[t].max()) for s in seen}
                total = sum(weights.values())
                for s in seen:
                    if slip != "late" or s <= t:
                        out[t] += weights[s] / total * v.numpy()[s]
            return torch.from_numpy(out)

        right = one_by_one()
        got = answer(q.clone(), k.clone(), v.clone())
        if isinstance(got, torch.Tensor) and got.shape == (T, D) and bool(got[0].isnan().any()):
            raise Wrong("the first position attends to itself: nothing hidden on the diagonal.")
        got = _tensor(got, (T, D), "the output").double()
        _known_slips(
            got,
            right,
            {
                "a position must not attend to later ones: their scores are −inf.": one_by_one("all"),
                "hide later positions before the softmax, or the weights do not sum to 1.": one_by_one("late"),
                "that looks forward: row t sees columns 0 to t.": one_by_one("turned"),
                "a position attends to itself as well.": one_by_one("strict"),
                "divide the scores by the root of D.": one_by_one("scale"),
                "divide by the root of D, not by D.": one_by_one("dimension"),
            },
            1e-6,
        )
        if not _near(got, right, 1e-6):
            t = int((got - right).abs().amax(1).argmax())
            raise Wrong(f"row {t} should begin with {right[t, 0]:.4f}, and begins with {got[t, 0]:.4f}.")
    return "each position looks at itself and back, never forward."


@exercise
def slack_of_page(answer: Callable) -> str:
    """07.3 (log_prior (K,), log_likelihood (B, K), written (B,) int64) to the two-part code's slack in nats, (B,)."""
    generator = torch.Generator().manual_seed(7)
    B, K = 6, 4
    log_prior = torch.rand(K, generator=generator, dtype=torch.float64).add(0.1)
    log_prior = (log_prior / log_prior.sum()).log()
    likely = 3 * torch.randn(B, K, generator=generator, dtype=torch.float64)
    written = torch.randint(K, (B,), generator=generator)

    for offset in (0.0, -2000.0):  # log p(x|k) of an image of many pixels

        def exactly(slip="", offset=offset):
            found = []
            with localcontext(prec=60):
                for row, chosen in zip((likely + offset).tolist(), written.tolist(), strict=True):
                    p = [0.0 if slip == "no prior" else a for a in log_prior.tolist()]
                    joint = [(Decimal(a) + Decimal(b)).exp() for a, b in zip(p, row, strict=True)]
                    top = joint.index(max(joint)) if slip == "best" else chosen
                    found.append(float((sum(joint) / joint[top]).ln()))
            return torch.tensor(found, dtype=torch.float64)

        right = exactly()
        got = answer(log_prior.clone(), likely + offset, written.clone())
        if isinstance(got, torch.Tensor) and not bool(torch.isfinite(got).all()):
            raise Wrong("exp(−2000) is 0: stay in logarithms, with logsumexp.")
        got = _tensor(got, (B,), "the slack").double()
        _known_slips(
            got,
            right,
            {
                "p(x) weighs each page by the prior: add log_prior.": exactly("no prior"),
                "the code uses the page that was written, not the most likely one.": exactly("best"),
                "a bound lies below: log p(x) minus the code's log-probability, not the reverse.": -right,
                "in nats, please.": right / math.log(2),
                "that is p(k(x)|x): take minus its logarithm.": (-right).exp(),
            },
            1e-6,
        )
        if not _near(got, right, 1e-6):
            b = int((got - right).abs().argmax())
            raise Wrong(f"image {b}'s slack should be {right[b]:.5f} nats, and is {got[b]:.5f}.")
    return "log p(x) minus what the code says: −log p(k(x)|x)."
