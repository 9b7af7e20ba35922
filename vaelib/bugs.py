"""The cases of notebook 08: right code, code with a mistake, and the marking of the checks that a reader writes.

For notebooks and tests only. An answer here is a *check*: a function that is given a piece of code, runs it, and raises
AssertionError if the code is wrong. It is a good one if it passes right code, however written, and fails every mistake.
"""

import contextlib
import functools
import inspect
import io
import math
import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vaelib import given
from vaelib.console import say
from vaelib.exercises import UNATTEMPTED, Partly, Wrong, exercise, raised, readers_line, short

# ---- what a check is given

_now = {"code": None, "strided": False}  # what is run when a check calls the function that it was given


def lent(*inputs, **named):
    """The function that a check is given. It is the same one for right and for wrong code: only what it does tells them apart.

    A tensor comes back with the numbers and the gradient that the code gave it, in memory of its own, laid out in one of two ways.
    """
    result = _now["code"](*inputs, **named)
    if not isinstance(result, torch.Tensor):
        return result
    return torch.stack((result, result), -1)[..., 0] if _now["strided"] else result.clone().contiguous()


class Case:
    """The code of one exercise: functions of the same arguments, each of which takes all that the exercise allows.

    number: the exercise's.  found: the mistake that the notebook shows.  right: right code, in several versions.
    others: other mistakes of the kind, by what is wrong with them.  lend: what the check is given.
    """

    def __init__(self, number: str, lend: Callable[[], Callable] = lambda: lent):
        self.number, self.lend = number, lend
        self.found: Callable
        self.right: list[Callable] = []
        self.others: dict[str, Callable] = {}

    def shown(self, function: Callable) -> Callable:
        """Decorator: the mistake that the notebook shows."""
        self.found = function
        return function

    def accepted(self, function: Callable) -> Callable:
        """Decorator: a version of right code."""
        self.right.append(function)
        return function

    def wrong(self, function: Callable) -> Callable:
        """Decorator: another mistake; its docstring says which."""
        self.others[function.__doc__] = function
        return function


# ---- the marking


class Marks(NamedTuple):
    """What came of a check: what it got wrong, as (words, code), whether it found all mistakes, and else why it was refused."""

    check: Callable
    wrong: list[tuple[str, Callable]]
    full: bool
    refused: str = ""


class Run(NamedTuple):
    """A check run once: how the result lay in memory, and what was raised, returned."""

    strided: bool
    error: Exception | None
    returned: object = None


RIGHT, FOUND, OTHERS = 4, 8, 2  # so often, at least, is each version of right code run, the mistake, each other mistake
SECONDS, MOST = 0.5, 200  # right code is run on for so long, or so often
MARKED: dict[str, Marks] = {}  # exercise -> what came of the check that its marker was last given


def verdict(case: Case, check: Callable, seed: int | None = None) -> Marks:
    """Run a check many times on right and on wrong code; on wrong code any exception is a find: None has no gradient, for one.

    The order is drawn anew each time, with the mistake first and right code last, so that a check that counts its calls or keeps
    what it saw first is not believed. Each run has another state of the global random generators. Whoever tosses a coin, of
    whatever bias p, is believed with a probability of at most max p^8 (1 - p)^12 = 1.4e-6 (three versions of right code).
    Who fails right code by chance in 1 of 50 runs, and needs 2 ms, is refused in 98 of 100 cases.

    Args:
        seed: of the order; None for another one each time.

    Raises:
        Wrong: the check fails right code, passes the mistake, returns False, or does not always say the same.
        NotImplementedError: the check is an untouched stub.
    """
    runs = _runs(case, check, random.Random(seed))
    failed = [each for each in case.right if any(r.error for r in runs[each])]
    if failed:
        fickle = any(not r.error for each in failed for r in runs[each])
        which = f"version {case.right.index(failed[0]) + 1}" if len(failed) < len(case.right) else "all"
        which = f"right code ({which} of {len(case.right)})"
        words = _unsteady([r for each in case.right for r in runs[each]]) if fickle else ""
        MARKED[case.number] = Marks(check, [(which, failed[0])], False, words)
        if fickle:
            raise Wrong(words)
        raise Wrong(f'{_refused(which, runs[failed[0]][0].error)}. As code: show_missed("{case.number}").')
    passed = [r for r in runs[case.found] if not r.error]
    missed = [(name, each) for name, each in case.others.items() if not all(r.error for r in runs[each])]
    MARKED[case.number] = marks = Marks(check, [] if passed else missed, not (passed or missed))
    if 0 < len(passed) < len(runs[case.found]):
        words = _fickle("passes the mistake", len(passed), len(runs[case.found]))
        MARKED[case.number] = marks._replace(refused=words)
        raise Wrong(words)
    if passed:
        MARKED[case.number] = marks._replace(
            refused="your check passes the mistake that the notebook shows. Catch that one first."
        )
        mute = not any(r.error for tried in runs.values() for r in tried)
        told = short(repr(passed[0].returned), 40)
        but = f" (that it returned {told} counts for nothing: it must raise)" if told != "None" else ""
        raise Wrong(
            f"your check passes the mistake{but}: for which inputs, or which gradients, do right and wrong differ?"
            + " (It raised on nothing: `assert (…, …)`, with brackets round both, never does.)" * mute
        )
    return marks


def _runs(case: Case, check: Callable, drawn: random.Random) -> dict[Callable, list[Run]]:
    """code -> what came of the check's runs on it."""
    runs: dict[Callable, list[Run]] = {each: [] for each in (*case.right, case.found, *case.others.values())}

    def run(each):
        runs[each].append(_run(case, check, each, len(runs[each]) % 2 == 1, drawn.getrandbits(32)))

    trials = case.right * (RIGHT - 2) + [case.found] * (FOUND - 1) + list(case.others.values()) * OTHERS
    drawn.shuffle(trials)
    end = time.monotonic() + SECONDS
    for each in (case.found, *case.right, *trials, *case.right):
        run(each)
    for k in range(MOST - RIGHT * len(case.right)):  # whoever fails right code by chance shows it in the end
        if time.monotonic() > end or any(r.error for each in case.right for r in runs[each]):
            break
        run(case.right[k % len(case.right)])
    return runs


def _run(case: Case, check: Callable, each: Callable, strided: bool, seed: int) -> Run:
    _now.update(code=each, strided=strided)
    try:
        with _elsewhere(seed), contextlib.redirect_stdout(io.StringIO()):
            returned = check(case.lend())
    except NotImplementedError as error:
        if str(error) == UNATTEMPTED:
            raise
        return Run(strided, error)
    except Exception as error:
        return Run(strided, error)
    finally:
        _now.update(code=None)
    if _is_false(returned):
        raise Wrong(
            "your check returned False: it must raise, by `assert`, where the code is wrong. What it returns is not read."
        )
    return Run(strided, None, returned)


def _is_false(returned) -> bool:
    single = isinstance(returned, (bool, np.bool_)) or (isinstance(returned, torch.Tensor) and returned.numel() == 1)
    return single and not returned


@contextlib.contextmanager
def _elsewhere(seed: int) -> Iterator[None]:
    """Another state of the global generators; afterwards those of the reader again, and PyTorch's other settings."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed a GPU, too
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)


def _refused(which: str, error: Exception) -> str:
    """Why a check that fails a version of right code every time is refused."""
    if isinstance(error, AssertionError):
        return f"your check fails {which}: {raised(error)}"
    if _by_the_code(error, lent):
        return f"{which} raised {raised(error)}, on what your check gave it: the exercise says what it takes"
    return f"your check raised {raised(error)}, on {which}"


def _unsteady(runs: list[Run]) -> str:
    """Why a check that fails right code at some times and passes it at others is refused."""
    failed = [r for r in runs if r.error]
    words = raised(failed[0].error)
    if all(bool(r.error) == (r.strided == failed[0].strided) for r in runs):
        return (
            f"your check fails right code when the result lies otherwise in memory: {words}. Look at its numbers only."
        )
    return f"{_fickle('fails right code', len(failed), len(runs))} It says: {words}."


def _fickle(what: str, n: int, of: int) -> str:
    return (
        f"your check does not always say the same: it {what} in {n} of {of} runs. "
        "Does it draw without a seed and allow too little for chance, or keep something from run to run?"
    )


def _by_the_code(error: Exception, function: Callable) -> bool:
    """Whether an exception came out of this function, and not out of what a check handed to it."""
    target = getattr(inspect.unwrap(function), "__code__", None)
    line, inside, trace = readers_line(error), False, error.__traceback__
    while trace:
        if trace.tb_frame.f_code is target:
            inside = True
        elif line and trace.tb_frame.f_code.co_filename == line.filename and trace.tb_lineno == line.lineno:
            inside = False
        trace = trace.tb_next
    return inside


_NAME = "the name of your {}, without brackets behind it"


def _guard(guard: Callable, *inputs: object) -> None:
    """A guard whose refusal a notebook shows as one line, as it shows a marker's."""
    try:
        guard(*inputs)
    except ValueError as error:
        raise Wrong(str(error)) from None


def _marking(what: str, case: Case) -> Callable[..., None]:
    def verify(check: Callable) -> str:
        _guard(given.function, "check", check, _NAME.format("check"))
        MARKED.pop(case.number, None)
        marks, n = verdict(case, check), len(case.others)
        if marks.full:
            return f"full marks: right code passes; the mistake fails, and so do all {n} others of its kind."
        names = "; ".join(name for name, _ in marks.wrong)
        found = n - len(marks.wrong)
        others = f"and {found} of {n} others of its kind" if found else f"but none of {n} others of its kind"
        raise Partly(
            f'right code passes; the mistake fails, {others}. Missed: {names}. As code: show_missed("{case.number}").'
        )

    verify.__doc__ = f"{case.number} a check of {what}."
    mark = exercise(verify)
    return functools.wraps(mark)(lambda check=None: mark(check))  # without a check, too, one line says what is wanted


def show_missed(number: str) -> None:
    """Print, as code, what a reader's check got wrong when its marker last ran: mistakes that it missed, right code that it failed.

    Args:
        number: the exercise's, such as "08.1".

    Raises:
        Wrong: there is no such number.
    """
    _guard(given.one_of, "number", number, [f"08.{k}" for k in range(1, 11)])
    if number not in MARKED:
        say(f"○ nothing to show yet: first give a check to the marker of {number}")
        return
    if MARKED[number].full:
        say(f"exercise {number}: your check found every mistake.")
    if MARKED[number].refused:
        say(f"exercise {number}: {MARKED[number].refused}")
    for words, each in MARKED[number].wrong:
        lines = inspect.getsource(each).splitlines()[1:]  # without the line that puts it into its case
        say("\n".join((f"# {words}", *(line for line in lines if words not in line), "")))


def mended(check: Callable, code: Callable) -> None:
    """Run a reader's check on the reader's code, and say how it went; nothing is raised for what is still to be done.

    A check is asked only if its marker has given it full marks.

    Raises:
        Wrong: one of the two is no function, or the check does not come first.
    """
    _guard(given.function, "check", check, _NAME.format("check"))
    _guard(given.function, "code", code, _NAME.format("mended code"))
    if any(marks.check is code for marks in MARKED.values()):
        raise Wrong(
            "your check stands where the mended code belongs: the check comes first, as in mended(expose_kl, kl)."
        )
    words = None
    try:
        if _is_false(check(code)):
            words = "your check returned False"
    except Exception as error:
        if isinstance(error, NotImplementedError) and str(error) == UNATTEMPTED:
            say("○ write the check first")
            return
        if isinstance(error, AssertionError):
            words = f"your check says: {raised(error)}"
        else:
            words = f"your {'code' if _by_the_code(error, code) else 'check'} raised {raised(error)}"
    marks = [marks for marks in MARKED.values() if marks.check is check]
    if not marks:
        say("○ first a check that its marker accepts")
    elif not marks[-1].full:
        say("○ first a check that finds every mistake: this one would believe wrong code, too")
    elif words:
        say(f"○ not mended yet: {words}")
    else:
        say("✓ mended: it passes your check")


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


spot_kl = _marking("a KL divergence", KL)
spot_loss = _marking("a negative ELBO", LOSS)
spot_elbo = _marking("an ELBO of one draw", ELBO)
spot_vq_loss = _marking("the losses of a codebook", VQ_LOSS)
spot_quantize = _marking("a quantizer", QUANTIZE)
spot_rows = _marking("the rows of a feature map", TO_ROWS)
spot_network = _marking("a causal network", NETWORK)
spot_sample = _marking("a sampler", SAMPLE)
spot_bound = _marking("an importance-weighted bound", BOUND)
spot_entropy = _marking("a true value", ENTROPY)
