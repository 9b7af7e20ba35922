"""The marker of notebook 08: its ten cases, the solutions' checks against every one, and useless checks refused."""

import contextlib
import inspect
import itertools
import math
import random
import re

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from played import FOLDER, read
from traitlets.config import Config

from vaelib.classroom.checks import check
from vaelib.classroom.exercises import marking_checks
from vaelib.classroom.exercises import n08_spot_the_bug as bugs
from vaelib.classroom.exercises.marking import Wrong

STEM = "08_spot_the_bug"
CASES = {
    "kl": bugs.KL,
    "loss": bugs.LOSS,
    "elbo": bugs.ELBO,
    "vq_loss": bugs.VQ_LOSS,
    "quantize": bugs.QUANTIZE,
    "rows": bugs.TO_ROWS,
    "network": bugs.NETWORK,
    "sample": bugs.SAMPLE,
    "bound": bugs.BOUND,
    "entropy": bugs.ENTROPY,
}


PROSE = "\n".join(cell.source for cell in read(FOLDER / f"{STEM}.ipynb").cells if cell.cell_type == "markdown")
SOLUTIONS = "\n".join(re.findall(r"<details>.*?```python\n(.*?)```", PROSE, flags=re.S))


def shown_solutions():
    """The checks that the notebook shows as solutions: case -> function."""
    namespace = {"math": math, "np": np, "torch": torch}
    exec(SOLUTIONS, namespace)
    return {case: namespace[f"expose_{case}"] for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_the_shown_check_passes_right_code_and_fails_every_mistake(case):
    assert marking_checks.verdict(CASES[case], shown_solutions()[case]).full


# ---- what can be seen of a piece of code: values, gradients, modes, in the exercises' own terms


def seeded(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def gradients(result, *inputs):
    if not result.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(result, inputs, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def of_kl(code, dtype):
    mean, log_std = 1 + seeded(5, 3, dtype=dtype), seeded(5, 3, seed=1, dtype=dtype)
    return [code(mean, log_std)]


def of_loss(code, dtype):
    x = (seeded(4, 3, 5, 2, seed=1) < 0).to(dtype)
    return [code(seeded(4, 3, 5, 2, dtype=dtype), x, torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=dtype))]


def of_elbo(code, dtype):
    def log_joint(z):
        return -(z**2).sum(-1)

    return [
        code(
            log_joint, seeded(20, 3, dtype=dtype), seeded(20, 3, seed=1, dtype=dtype), torch.Generator().manual_seed(0)
        )
    ]


def of_vq_loss(code, dtype):
    z_e, e = seeded(6, 4, dtype=dtype).requires_grad_(), seeded(6, 4, seed=1, dtype=dtype).requires_grad_()
    loss = code(z_e, e, 2.0)
    return [loss.detach(), *gradients(loss.sum(), z_e, e)]


def of_quantize(code, dtype):
    z_e, codebook = seeded(8, 3, dtype=dtype).requires_grad_(), seeded(5, 3, seed=1, dtype=dtype).requires_grad_()
    z_q, loss = code(z_e, codebook)
    return [z_q.detach(), loss.detach(), *gradients(loss, z_e, codebook), *gradients(z_q.sum(), z_e, codebook)]


def of_rows(code, dtype):
    return [code(torch.arange(120, dtype=dtype).view(2, 3, 4, 5))]


def of_network(code, dtype):
    x = seeded(2, 1, 3, 4, dtype=dtype)
    jacobian = torch.autograd.functional.jacobian(code.to(dtype), x).reshape(2, 12, 2, 12)
    leaks = [jacobian[a, :, b].triu() if a == b else jacobian[a, :, b] for a in range(2) for b in range(2)]
    return [leak != 0 for leak in leaks]  # right code may see more or less of what came before


def of_sample(code, dtype):
    model = torch.nn.Module()
    model.latent, model.decoder = 2, torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Dropout(0.5))
    torch.nn.init.constant_(model.decoder[0].weight, 0.5)
    torch.nn.init.constant_(model.decoder[0].bias, 0.1)
    seen = []
    for training in (True, False):
        model.train(training)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            x = code(model, 4, torch.Generator().manual_seed(0))
        seen += [x.detach(), torch.tensor([x.requires_grad, model.training, model.decoder.training])]
    return seen


def of_bound(code, dtype):
    seen = []
    for K in (1, 100, 200):
        log_w, used = seeded(1000, 3, dtype=dtype) - 2000, [0]

        def draw(k, log_w=log_w, used=used):
            used[0] += k
            return log_w[used[0] - k : used[0]]

        seen += [code(draw, K), torch.tensor(used)]
    return seen


def of_entropy(code, dtype):
    return [code(torch.tensor([0.5, 1.0, 3.0], dtype=dtype)), torch.tensor(code(0.7))]


SEEN_OF = {name.removeprefix("of_"): f for name, f in list(globals().items()) if name.startswith("of_")}


def same(a, b):
    """Nearly the same numbers; what is not finite is the same only as what is not finite in the same way."""
    return all(
        x.shape == y.shape and torch.allclose(x.double(), y.double(), rtol=1e-4, atol=1e-4, equal_nan=True)
        for x, y in zip(a, b, strict=True)
    )


def lent_as(case, code):
    """What a check is given while the marker runs ``code``, for a test to call by itself."""
    marking_checks._now.update(code=code, strided=False)
    return CASES[case].lend()


def golden(case, dtype=torch.float64):
    """A right check of every exercise: all that right code gives on a few inputs, nearly."""
    wanted = SEEN_OF[case](lent_as(case, CASES[case].right[0]), dtype)

    def check(code):
        assert same(SEEN_OF[case](code, dtype), wanted)

    return check


def only_shown(case):
    """A check that knows the mistake that the notebook shows, and no other."""
    wrong = SEEN_OF[case](lent_as(case, CASES[case].found), torch.float64)

    def check(code):
        assert not same(SEEN_OF[case](code, torch.float64), wrong)

    return check


def grade(case, check, seed=0):
    """What the marker makes of a check: "all", "some", "only the shown one", or why it refuses it."""
    try:
        marks = marking_checks.verdict(CASES[case], check, seed)
    except Wrong as wrong:
        return str(wrong)
    found = len(CASES[case].others) - len(marks.wrong)
    assert marks.full == (not marks.wrong)
    return "all" if marks.full else "some" if found else "only the shown one"


each_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture
def no_extras(monkeypatch):
    """Right code is run as often as it must be, and no longer: what is tested then holds for slow checks, too."""
    monkeypatch.setattr(marking_checks, "SECONDS", 0)


# ---- bad checks, none of which may have full marks


def coin(case, seed, bias):
    toss = random.Random(seed)

    def check(code):
        assert toss.random() > bias

    return check


def global_coin(case, seed, bias):
    def check(code):
        assert torch.rand(()) > bias
        assert np.random.rand() > 0.01  # noqa: NPY002

    return check


def after(calls, first, then):
    """One check for some calls, and then another one."""
    count = itertools.count()
    return lambda code: (first if next(count) < calls else then)(code)


def reads_a_name(code):
    seen = f"{getattr(code, '__name__', '')} {getattr(code, '__qualname__', '')} {code!r} {getattr(code, '__module__', '')}"
    assert "found" not in seen


def reads_the_source(code):
    function = type(code).forward if isinstance(code, torch.nn.Module) else code
    assert "2 * log_std" in inspect.getsource(function) + str(function.__code__.co_consts)


def reads_the_closure(code):
    function = type(code).forward if isinstance(code, torch.nn.Module) else code
    assert function.__closure__ is None or "found" not in str([cell.cell_contents for cell in function.__closure__])


def reads_what_it_wraps(code):
    assert "found" not in str(getattr(code, "__wrapped__", "")) + str(vars(code))


def remembers_whom_it_met(case):
    met = set()

    def check(code):
        assert id(code) not in met
        met.add(id(code))

    return check


def believes_the_first(case):
    """What it sees first is right for it."""
    first = []

    def check(code):
        seen = SEEN_OF[case](code, torch.float64)
        first[:] = first or [seen]
        assert same(seen, first[0])

    return check


def changes_its_input(case):
    """Its inputs stay from run to run, and it works on them in place: in the end they say nothing."""
    scale = torch.ones(())
    right = golden(case)

    def check(code):
        scale.mul_(0.8)
        if scale > 0.1:
            right(code)

    return check


def believes_a_seed(case):
    """It expects the global generator to stand where it stood at its first run, and sets it anew itself."""
    stood = []

    def check(code):
        stood[:] = stood or [torch.initial_seed()]
        same_place = torch.initial_seed() == stood[0]
        torch.manual_seed(0)
        assert same_place

    return check


def tells_and_does_not_raise(case):
    right = golden(case)

    def check(code):
        try:
            right(code)
        except Exception:
            return False
        return True

    return check


def one_standard_error(case, errors=1.0):
    """As a Monte Carlo check without a seed: right, but for chance, which it allows one standard error."""
    right, noise = golden(case), random.Random(1)

    def check(code):
        right(code)
        assert abs(noise.gauss(0, 1)) < errors

    return check


def sees_by_chance(case):
    """It looks closely at random, and else knows the shown mistake only."""
    right, careless, toss = golden(case), only_shown(case), random.Random(2)
    return lambda code: (right if toss.random() < 0.5 else careless)(code)


def lies_in_memory(how):
    def of(case):
        def check(code):
            assert how(SEEN_OF[case](code, torch.float64)[0])

        return check

    return of


def nothing(code):
    pass


def everything(code):
    raise AssertionError


def stumbles(code):
    raise KeyError("w")


BAD = {
    "trivially true": lambda case: nothing,
    "always raises": lambda case: everything,
    "always stumbles": lambda case: stumbles,
    "returns False": tells_and_does_not_raise,
    "returns numbers": lambda case: lambda code: 0.0,
    **{
        f"passes {n} times, then raises": lambda case, n=n: after(n, nothing, everything)
        for n in (0, 1, 2, 3, 9, 25, 29, 40)
    },
    **{
        f"raises {n} times, then passes": lambda case, n=n: after(n, everything, nothing)
        for n in (1, 2, 3, 9, 25, 29, 40)
    },
    "right at first, then raises": lambda case: after(7, golden(case), everything),
    "right at first, then passes": lambda case: after(7, golden(case), nothing),
    "reads a name": lambda case: reads_a_name,
    "reads the source": lambda case: reads_the_source,
    "reads the closure": lambda case: reads_the_closure,
    "reads what is wrapped": lambda case: reads_what_it_wraps,
    "remembers whom it met": remembers_whom_it_met,
    "believes the first": believes_the_first,
    "changes its input": changes_its_input,
    "believes a seed": believes_a_seed,
    "contiguous": lies_in_memory(lambda x: x.is_contiguous()),
    "not contiguous": lies_in_memory(lambda x: not x.is_contiguous()),
    "unit stride": lies_in_memory(lambda x: x.dim() == 0 or x.stride(-1) == 1),
    "a view": lies_in_memory(lambda x: x._base is None),
    "memory of its own": lies_in_memory(lambda x: x.untyped_storage().nbytes() == x.numel() * x.element_size()),
    "one standard error": one_standard_error,
    "only the shown mistake": only_shown,
    "sees the others by chance": sees_by_chance,
}


@pytest.mark.parametrize("bad", BAD)
def test_no_bad_check_has_full_marks(bad, no_extras):
    assert [case for case in CASES if grade(case, BAD[bad](case)) == "all"] == []


@each_case
def test_whoever_knows_one_mistake_has_the_lowest_grade(case, no_extras):
    assert grade(case, only_shown(case)) == "only the shown one"


@each_case
def test_a_coin_is_not_believed(case, no_extras):
    """Not one of many coins, tossed by a generator of their own or by the global one; and the most that any coin can have."""
    for make in (coin, global_coin):
        for bias in (0.5, 0.4, 0.2):
            grades = {grade(case, make(case, seed, bias), seed)[:10] for seed in range(10 if case == "kl" else 2)}
            assert grades <= {"your check"}, grades
    runs = {}

    def count(code):
        runs[marking_checks._now["code"]] = runs.get(marking_checks._now["code"], 0) + 1
        golden_check(code)

    golden_check = golden(case)
    grade(case, count)
    right, found = sum(runs[each] for each in CASES[case].right), runs[CASES[case].found]
    p = found / (found + right)
    assert p**found * (1 - p) ** right < 2e-6  # to pass the mistake's runs and those of right code, whatever its bias
    assert min(runs.values()) >= 2


def test_monte_carlo_without_a_seed_is_believed_if_it_allows_for_chance(monkeypatch):
    """Two standard errors pass 12 runs of right code in 57 of 100 cases, and 200 in 1 of 10,000; six always do."""
    monkeypatch.setattr(marking_checks, "SECONDS", 60)  # so that all are made, however slow the machine
    monkeypatch.setattr(marking_checks, "MOST", 60)

    def monte_carlo(errors):
        def check(kl):
            mean, log_std = torch.full((1, 2), 1.5), torch.full((1, 2), -1.5)
            q = torch.distributions.Normal(mean, log_std.exp())
            assert kl(mean, log_std).shape == (1,)
            z = q.sample((500,))
            draws = (q.log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z)).sum(-1)
            assert abs(draws.mean() - kl(mean, log_std)) < errors * draws.std() / 500**0.5

        return check

    for errors in (1, 2):
        told = [grade("kl", monte_carlo(errors), seed) for seed in range(3)]
        assert all("does not always say the same: it fails right code" in words for words in told)
    assert grade("kl", monte_carlo(6)) == "all"
    rare = after(60, golden("kl"), everything)  # right code fails at last
    assert "does not always say the same: it fails right code in 1 of " in grade("kl", rare)


@each_case
def test_nothing_but_what_it_does_tells_right_from_wrong_code(case, no_extras):
    """Whatever can be read of what a check is given is the same for all code; memory is laid out in both ways for each."""
    read, lies = set(), {}

    def check(code):
        function = type(code).forward if isinstance(code, torch.nn.Module) else code
        whole = code.state_dict() if isinstance(code, torch.nn.Module) else {}
        names = (
            "__name__",
            "__qualname__",
            "__module__",
            "__doc__",
            "__code__",
            "__closure__",
            "__defaults__",
            "__dict__",
        )
        read.add(
            (
                type(code),
                *(str(getattr(function, name)) for name in names),
                inspect.getsource(function),
                str(inspect.signature(function)),
                str({name: value.tolist() for name, value in whole.items()}),
            )
        )
        with contextlib.suppress(Exception):
            x = SEEN_OF[case](code, torch.float64)[0]
            if x.dim():
                lies.setdefault(marking_checks._now["code"], set()).add((x.is_contiguous(), x._base is None))
        everything(code)

    grade(case, check)
    assert len(read) == 1
    if case in ("kl", "elbo", "rows", "bound", "entropy"):  # where the result itself was looked at, and has dimensions
        assert set(map(frozenset, lies.values())) == {frozenset({(True, True), (False, False)})}


# ---- right checks in other styles: full marks


def kl_by_quadrature(kl):
    for mean, log_std in ((0.5, 0.7), (-1.5, -0.5)):
        z = torch.linspace(-12, 12, 1001, dtype=torch.float64)
        log_q = torch.distributions.Normal(mean, math.exp(log_std)).log_prob(z)
        exact = torch.trapezoid(log_q.exp() * (log_q - torch.distributions.Normal(0.0, 1.0).log_prob(z)), z)
        rows = torch.full((2, 3), mean, dtype=torch.float64), torch.full((2, 3), log_std, dtype=torch.float64)
        torch.testing.assert_close(kl(*rows), 3 * exact.expand(2), rtol=0, atol=1e-5)


def kl_unseeded(kl):
    mean, log_std = torch.randn(4, 3), torch.randn(4, 3)
    value = kl(mean=mean, log_std=log_std)
    exact = ((mean**2 + torch.exp(2 * log_std)) / 2 - log_std - 0.5).sum(1)
    assert value.shape == (4,)
    assert torch.allclose(value, exact, atol=1e-4)
    return True


def kl_by_gradients(kl):
    torch.manual_seed(3)
    mean, log_std = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    by_mean, by_log_std = torch.autograd.grad(kl(mean, log_std).sum(), (mean, log_std))
    assert torch.allclose(by_mean, mean)
    assert torch.allclose(by_log_std, torch.exp(2 * log_std) - 1)
    assert kl(torch.zeros(1, 3), torch.zeros(1, 3)).abs() < 1e-6


def kl_by_monte_carlo(kl):
    mean, log_std = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, -1.0]])
    q = torch.distributions.Normal(mean, log_std.exp())
    z = mean + log_std.exp() * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    draws = (q.log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z)).sum(1)
    assert kl(mean, log_std).shape == (1,)
    check("KL", kl(mean, log_std) - draws.mean(), 4 * float(draws.std()) / 20_000**0.5)


def loss_grey(neg_elbo):
    x, logits = torch.rand(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    cost = -(x * torch.sigmoid(logits).log() + (1 - x) * torch.sigmoid(-logits).log())
    kl = torch.tensor([3.0, 5.0])
    assert abs(neg_elbo(logits, x, kl) - (cost.sum() / 2 + 4)) < 1e-3


def loss_by_loops(neg_elbo):
    rng = np.random.default_rng(0)
    logits, x, kl = rng.normal(size=(3, 2, 2, 3)), rng.integers(0, 2, size=(3, 2, 2, 3)), rng.random(3)
    total = 0.0
    for b in range(3):
        p = 1 / (1 + np.exp(-logits[b]))
        total += kl[b] - np.log(np.where(x[b] == 1, p, 1 - p)).sum()
    assert np.isclose(neg_elbo(*map(torch.tensor, (logits, x.astype(float), kl))).item(), total / 3)


def loss_by_gradients(neg_elbo):
    logits = seeded(2, 2, 3, 3, dtype=torch.float32).requires_grad_()
    x, kl = (seeded(2, 2, 3, 3, seed=1) > 0).float(), torch.tensor([1.0, 2.0], requires_grad=True)
    neg_elbo(logits=logits, x=x, kl=kl).backward()
    torch.testing.assert_close(logits.grad, (torch.sigmoid(logits) - x).detach() / 2)
    torch.testing.assert_close(kl.grad, torch.full((2,), 0.5))


def elbo_by_hand(elbo):
    mean, log_std = seeded(5, 3, dtype=torch.float32), seeded(5, 3, seed=1, dtype=torch.float32)
    eps = torch.randn(5, 3, generator=torch.Generator().manual_seed(7))
    z = mean + log_std.exp() * eps
    entropy = torch.distributions.Normal(mean, log_std.exp()).entropy().sum(1)
    value = elbo(lambda z: z.sin().sum(1), mean, log_std, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(value, z.sin().sum(1) + entropy)


def elbo_by_its_draws(elbo):
    seen = []

    def log_joint(z):
        seen.append(z)
        return torch.zeros(len(z), dtype=z.dtype)

    mean, log_std = torch.full((40_000, 2), 3.0), torch.full((40_000, 2), -1.0)
    for _ in range(2):
        value = elbo(log_joint, mean, log_std, torch.Generator().manual_seed(0))
        assert value.shape == (40_000,)
        assert torch.allclose(value, torch.full((40_000,), 2 * (-1 + 0.5 * math.log(2 * math.pi * math.e))), atol=1e-4)
    (z, again) = seen
    assert torch.equal(z, again)
    assert (z.mean(0) - 3).abs().max() < 5 * math.exp(-1) / 200
    assert (z.std(0) - math.exp(-1)).abs().max() < 0.01


def vq_by_backward(vq_loss):
    for beta in (0.25, torch.tensor(3.0)):
        z_e, e = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4, requires_grad=True)
        loss = vq_loss(z_e, e, beta=beta)
        loss.backward()
        assert torch.allclose(loss, (1 + beta) * (z_e - e).square().mean(), rtol=1e-4)
        expected = (z_e - e).detach() / 12
        assert torch.allclose(z_e.grad, beta * expected, atol=1e-6)
        assert torch.allclose(e.grad, -expected, atol=1e-6)


def vq_one_moves(vq_loss):
    """Only one of the two asks for a gradient."""
    z_e, e = seeded(5, 2), seeded(5, 2, seed=1)
    assert abs(vq_loss(z_e, e, 0.7) - 1.7 * ((z_e - e) ** 2).mean()) < 1e-9
    (by_e,) = torch.autograd.grad(vq_loss(z_e, e.requires_grad_(), 0.7), e)
    assert torch.allclose(by_e, 2 * (e - z_e).detach() / 10)
    e = e.detach()
    (by_z,) = torch.autograd.grad(vq_loss(z_e.requires_grad_(), e, 0.7), z_e)
    assert torch.allclose(by_z, 1.4 * (z_e - e).detach() / 10)


def quantize_by_backward(quantize):
    z_e, codebook = torch.randn(16, 4, requires_grad=True), torch.nn.Parameter(torch.randn(6, 4))
    z_q, loss = quantize(z_e, codebook)
    k = torch.cdist(z_e, codebook, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
    assert torch.allclose(z_q, codebook[k], atol=1e-6)
    weights = torch.randn(16, 4)
    (z_q * weights).sum().backward(retain_graph=True)
    assert torch.equal(z_e.grad, weights)
    assert codebook.grad is None or not codebook.grad.any()
    z_e.grad = codebook.grad = None
    loss.backward()
    assert z_e.grad is None or not z_e.grad.any()
    expected = torch.zeros(6, 4).index_add(0, k, (codebook[k] - z_e).detach() * 2 / 64)
    assert torch.allclose(codebook.grad, expected, atol=1e-6)
    assert torch.isclose(loss, ((codebook[k] - z_e) ** 2).mean())


def quantize_by_graph(quantize):
    """It also asks whether the loss hangs on the patched vectors."""
    z_e, codebook = seeded(8, 3).requires_grad_(), seeded(5, 3, seed=1).requires_grad_()
    z_q, loss = quantize(z_e, codebook)
    assert gradients(loss, z_q)[0].abs().max() == 0
    assert same(
        [z_q, loss], [codebook[[int(((z - codebook) ** 2).sum(1).argmin()) for z in z_e]], (z_q - z_e).square().mean()]
    )
    assert same(gradients(z_q.sum(), z_e, codebook), [torch.ones(8, 3), torch.zeros(5, 3)])
    assert gradients(loss, z_e)[0].abs().max() == 0


def rows_by_view(to_rows):
    z_e = torch.randint(1000, (2, 3, 4, 5))
    assert torch.equal(to_rows(z_e).view(2, 4, 5, 3).permute(0, 3, 1, 2), z_e)


def rows_by_gradient(to_rows):
    z_e = seeded(2, 3, 2, 4, dtype=torch.float32).requires_grad_()
    rows = to_rows(z_e=z_e)
    assert rows.shape == (16, 3)
    for b, i, j, d in itertools.product(range(2), range(2), range(4), range(3)):
        wanted = torch.zeros(2, 3, 2, 4)
        wanted[b, d, i, j] = 1
        assert torch.equal(torch.autograd.grad(rows[8 * b + 4 * i + j, d], z_e, retain_graph=True)[0], wanted)


def network_by_change(network):
    network.eval()
    assert all(p.dtype == torch.float64 for p in network.parameters())
    x = torch.randn(2, 1, 4, 3, dtype=torch.float64)
    with torch.no_grad():
        before = network(x).flatten(1)
        for b, t in itertools.product(range(2), range(12)):
            y = x.clone()
            y[b].view(-1)[t] += 1
            after = network(y).flatten(1)
            assert torch.allclose(before[b, : t + 1], after[b, : t + 1], rtol=0, atol=1e-10)
            assert torch.allclose(before[1 - b], after[1 - b], rtol=0, atol=1e-10)


def network_of_ones(network):
    """All weights 1, so that nothing cancels."""
    for p in network.parameters():
        torch.nn.init.ones_(p)
    x = torch.zeros(2, 1, 3, 5, dtype=torch.float64, requires_grad=True)
    for b, t in itertools.product(range(2), range(15)):
        (g,) = torch.autograd.grad(network(x)[b].flatten()[t], x)
        assert not g[b].flatten()[t:].any()
        assert not g[1 - b].any()


def network_in_float32(network):
    network = network.float().requires_grad_(False)
    x = torch.randn(2, 1, 3, 4).requires_grad_()
    for t, logit in enumerate(network(x).flatten()):
        (g,) = torch.autograd.grad(logit, x, retain_graph=True)
        assert not g.flatten()[t:].any()
        assert t < 12 or not g[0].any()


def known_draws(sample, model, decode, train):
    for training in (True, False):
        train(training)
        x = sample(model, 5, torch.Generator().manual_seed(3))
        z = torch.randn(5, model.latent, generator=torch.Generator().manual_seed(3))
        assert torch.allclose(x, decode(z), atol=1e-6)
        assert not x.requires_grad
        yield training


def sample_of_a_plain_class(sample):
    class Model:
        latent = 3
        decoder = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5))

    for training in known_draws(sample, Model(), Model.decoder[0], Model.decoder.train):
        assert Model.decoder.training == training
        assert Model.decoder[1].training == training


def sample_of_its_own_modes(sample):
    """A plain class with eval and train."""

    class Model:
        latent, training = 2, True
        decoder = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(0.5))

        def train(self, mode=True):
            self.training = mode
            self.decoder.train(mode)
            return self

        def eval(self):
            return self.train(False)

    model = Model()
    for training in known_draws(sample, model, model.decoder[0], model.train):
        assert model.training == model.decoder.training == training


def sample_of_a_batch_norm(sample):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.latent = 4
            self.decoder = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))

    model = Model()
    norm, linear = model.decoder
    norm.running_mean += 1
    kept = norm.running_mean.clone()
    for training in known_draws(sample, model, lambda z: linear((z - 1) / (1 + 1e-5) ** 0.5), model.train):
        assert torch.equal(norm.running_mean, kept)
        assert all(part.training == training for part in model.modules())


def sample_of_mixed_modes(sample):
    """More than the exercise asks for: each part is left as it was."""
    model = torch.nn.Module()
    model.latent, model.decoder = 2, torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(0.5))
    for training in known_draws(sample, model, model.decoder[0], model.decoder.train):
        assert (model.training, model.decoder.training) == (True, training)
        assert model.decoder[1].training == training


def bound_of_what_was_drawn(bound):
    for K in (1, 63, 64, 65, 130):
        drawn = []

        def draw(k, drawn=drawn):
            drawn.append(torch.randn(k, 2) * 3 - 2000)
            return drawn[-1]

        value = bound(draw, K=K)
        log_w = torch.cat(drawn)
        assert len(log_w) == K
        torch.testing.assert_close(value, torch.logsumexp(log_w.double(), 0).float() - math.log(K), rtol=0, atol=1e-2)


def bound_at_once(bound):
    """A draw from a seeded generator, and the same log-weights again, all at once."""
    stream, again = (np.random.default_rng(0) for _ in range(2))
    for K in (1, 150):
        asked = []
        value = bound(lambda k: asked.append(k) or torch.tensor(stream.normal(size=(k, 4)) - 1990), K)  # noqa: B023
        assert sum(asked) == K
        w = again.normal(size=(K, 4)) - 1990
        assert np.allclose(value.numpy(), np.log(np.exp(w - w.max(0)).mean(0)) + w.max(0), atol=1e-6)


def entropy_of_a_tensor(entropy):
    std = torch.tensor([[0.3, 1.0], [2.0, 7.0]])
    exact = torch.distributions.Normal(0.0, std).entropy()
    torch.testing.assert_close(entropy(std), exact)


def entropy_of_one_number(entropy):
    for std in (0.25, 1.0, 5.0):
        exact = math.log(std) + 0.5 * (1 + math.log(2 * math.pi))
        assert math.isclose(entropy(std), exact, abs_tol=1e-9)
        assert torch.allclose(entropy(torch.tensor([std])), torch.tensor([exact]))
        assert entropy(torch.tensor([[std]])).shape == (1, 1)


def entropy_by_monte_carlo(entropy):
    for std in (0.5, 1.0, 3.0):
        p = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), std)
        draws = -p.log_prob(std * seeded(50_000))
        assert abs(float(entropy(std=std)) - draws.mean()) < 4 * draws.std() / 50_000**0.5
    assert entropy(torch.ones(2, 3)).shape == (2, 3)


def entropy_by_gradient(entropy):
    std = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(entropy(std).sum(), std)
    assert torch.allclose(slope, 1 / std)
    assert np.isclose(entropy(1.0), 1.4189385332)


OTHER_STYLES = {
    "kl": [kl_by_quadrature, kl_unseeded, kl_by_gradients, kl_by_monte_carlo],
    "loss": [loss_grey, loss_by_loops],
    "elbo": [elbo_by_hand, elbo_by_its_draws],
    "vq_loss": [vq_by_backward, vq_one_moves],
    "quantize": [quantize_by_backward, quantize_by_graph],
    "rows": [rows_by_view, rows_by_gradient],
    "network": [network_by_change, network_of_ones, network_in_float32],
    "sample": [sample_of_a_plain_class, sample_of_its_own_modes, sample_of_a_batch_norm, sample_of_mixed_modes],
    "bound": [bound_of_what_was_drawn, bound_at_once],
    "entropy": [entropy_of_a_tensor, entropy_of_one_number, entropy_by_monte_carlo, entropy_by_gradient],
}


@pytest.mark.parametrize(
    ("case", "check"), [(case, check) for case, checks in OTHER_STYLES.items() for check in checks]
)
def test_right_checks_in_other_styles_have_full_marks(case, check, no_extras):
    assert grade(case, check) == "all", [name for name, _ in marking_checks.MARKED[CASES[case].number].wrong]


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_right_code_agrees_and_each_mistake_shows(case, dtype, no_extras):
    assert grade(case, golden(case, dtype)) == "all"


# ---- what a marker says


def at_the_easy_point(kl):
    assert abs(float(kl(torch.zeros(1, 3), torch.zeros(1, 3)))) < 1e-6


def value_alone(vq_loss):
    z_e, e = torch.zeros(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    assert abs(float(vq_loss(z_e, e, 0.25).detach()) - 1.25) < 1e-6


def words_alone(quantize):
    z_e, codebook = torch.randn(8, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    assert torch.allclose(quantize(z_e, codebook)[0], codebook[torch.cdist(z_e, codebook).argmin(1)], atol=1e-5)


def shape_alone(to_rows):
    assert to_rows(torch.randn(2, 3, 4, 5)).shape == (40, 3)


def last_pixel_alone(network):
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    y = x.clone()
    y[..., 2, 2] = 1
    assert torch.equal(network(x).flatten()[:8], network(y).flatten()[:8])


def multiples_alone(bound):
    assert torch.allclose(bound(lambda k: torch.full((k, 3), -5.0), 128), torch.full((3,), -5.0), atol=1e-4)


def too_strict(kl):
    mean, log_std = seeded(7, 5, dtype=torch.float32), seeded(7, 5, seed=1, dtype=torch.float32)
    assert torch.equal(kl(mean, log_std), bugs.kl_right(mean, log_std))


def exactly_the_word(quantize):
    z_e, codebook = seeded(64, 3).requires_grad_(), seeded(5, 3, seed=1).requires_grad_()
    z_q, loss = quantize(z_e, codebook)
    assert torch.equal(z_q, codebook[((z_e[:, None] - codebook) ** 2).sum(-1).argmin(1)])
    assert loss.requires_grad


def none_for_the_codebook(quantize):
    z_e, codebook = seeded(8, 3).requires_grad_(), seeded(5, 3, seed=1).requires_grad_()
    z_q, loss = quantize(z_e, codebook)
    loss.backward(retain_graph=True, inputs=[codebook])
    codebook.grad = None
    z_q.sum().backward()
    assert codebook.grad is None


def whole_model_in_eval(sample):
    """Whether it draws well is asked; and that the model itself, not its decoder alone, is put into eval mode."""
    calls = []

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.latent, self.decoder = 2, torch.nn.Dropout(0.5)

        def train(self, mode=True):
            calls.append(mode)
            return super().train(mode)

    sample(Model(), 3, torch.Generator())
    assert calls[:1] == [False]


def in_brackets(kl):
    assert (kl(torch.ones(1, 2), torch.ones(1, 2)) < 0, "too small")[1]


USELESS = [
    *((case, nothing, r"passes the mistake: for which .*\? \(It raised on nothing") for case in CASES),
    *((case, everything, rf"fails right code \(all of {len(CASES[case].right)}\): ") for case in CASES),
    ("kl", in_brackets, r"passes the mistake: for which .* \(It raised on nothing"),
    ("kl", at_the_easy_point, r"passes the mistake: for which [^()]*\?$"),  # it raises on some other mistakes
    ("quantize", exactly_the_word, r"fails right code \(version 4 of 5\): "),
    ("quantize", none_for_the_codebook, r"fails right code \(version 5 of 5\): "),
    ("sample", whole_model_in_eval, r"fails right code \(version 4 of 4\): "),
    ("vq_loss", value_alone, "passes the mistake"),
    ("quantize", words_alone, "passes the mistake"),
    ("rows", shape_alone, "passes the mistake"),
    ("network", last_pixel_alone, "passes the mistake"),
    ("bound", multiples_alone, "passes the mistake"),
    ("kl", too_strict, r"fails right code \(version [23] of 3\): .*line \d+, `assert torch.equal"),
    ("kl", lambda code: 0.5, r"passes the mistake \(that it returned 0.5 counts for nothing: it must raise\)"),
    ("elbo", lambda code: True, r"passes the mistake \(that it returned True counts"),
    ("rows", lambda code: np.bool_(False), "returned False: it must raise, by `assert`"),
    ("rows", lambda code: torch.tensor(False), "returned False: it must raise, by `assert`"),
    (
        "rows",
        lies_in_memory(lambda x: x.is_contiguous())("rows"),
        "fails right code when the result lies otherwise in mem",
    ),
    ("sample", after(3, nothing, everything), r"does not always say the same: it fails right code in \d+ of 16 runs"),
    (
        "sample",
        after(1, nothing, golden("sample")),
        "does not always say the same: it passes the mistake in 1 of 8 runs",
    ),
]


@pytest.mark.parametrize(("case", "check", "hint"), USELESS)
def test_useless_checks_are_refused(case, check, hint, no_extras):
    mark = getattr(bugs, f"spot_{case}")
    with pytest.raises(Wrong, match=rf"^✗ exercise 08\.\d+: your check {hint}") as wrong:
        mark(check)
    assert "\n" not in str(wrong.value)
    assert len(str(wrong.value)) < 600


def no_such_key(kl):
    return kl({}["mean"], 0)


def a_wrong_shape(kl):
    assert kl(torch.zeros(2, 3), torch.zeros(2, 4)) is None


def stumbling_draw(bound):
    bound(lambda k: torch.zeros(k, 3) @ torch.zeros(4), 100)


def asserting_draw(bound):
    def draw(k):
        assert k == 10, "not at once"

    bound(draw, 100)


WHO = [
    (
        "kl",
        no_such_key,
        r"your check raised KeyError: 'mean' \(line \d+, `return kl\({}\[\"mean\"\], 0\)`\), on right code \(all",
    ),
    (
        "kl",
        a_wrong_shape,
        r"right code \(all of 3\) raised \w+Error: The .* \(line \d+, `assert kl\(torch.zeros.*\), on what your",
    ),
    (
        "bound",
        stumbling_draw,
        r"your check raised RuntimeError: size mismatch.* \(line \d+, `bound\(lambda k: .*\), on right code",
    ),
    ("bound", asserting_draw, r"your check fails right code \(all of 3\): .*not at once"),
    (
        "sample",
        lambda sample: sample(torch.nn.Linear(2, 2), 3),
        r"right code \(all of 4\) raised \w+Error: .*on what your check gave it",
    ),
    (
        "kl",
        lambda kl: torch.testing.assert_close(kl(torch.ones(1, 2), torch.ones(1, 2)), torch.ones(2)),
        "your check fails right",
    ),
]


@pytest.mark.parametrize(("case", "check", "words"), WHO)
def test_one_line_says_whose_code_raised_and_where(case, check, words, no_extras):
    with pytest.raises(Wrong, match=rf"^✗ exercise 08\.\d+: {words}") as wrong:
        getattr(bugs, f"spot_{case}")(check)
    assert "\n" not in str(wrong.value)
    assert len(str(wrong.value)) < 600
    assert "vaelib" not in str(wrong.value)


@pytest.mark.parametrize("given", [None, True, "expose_kl", torch.zeros(2)])
def test_a_check_is_handed_over_by_its_name(given):
    for call, words in (
        (
            lambda: bugs.spot_kl(given),
            "✗ exercise 08.1: check.* was given: use the name of your check, without brackets",
        ),
        (
            lambda: marking_checks.mended(given, bugs.kl_right),
            "check.* was given: use the name of your check, without brackets",
        ),
        (
            lambda: marking_checks.mended(nothing, given),
            "code.* was given: use the name of your mended code, without brackets",
        ),
        (lambda: marking_checks.show_missed(given), "number.* was given: use '08.1' or '08.2'"),
    ):
        with pytest.raises(Wrong, match=f"^{words}"):
            call()


def test_slips_of_a_call_end_in_a_sentence(no_extras):
    with pytest.raises(Wrong, match=r"^✗ exercise 08.1: check.* was given: use the name of your check"):
        bugs.spot_kl()
    with pytest.raises(Wrong, match=r"^number=8\.1 was given: use '08.1' or"):
        marking_checks.show_missed(8.1)
    bugs.spot_kl(mine := golden("kl"))
    with pytest.raises(Wrong, match=r"^your check stands where the mended code belongs: the check comes first"):
        marking_checks.mended(bugs.kl_right, mine)


def test_a_notebook_shows_that_line_and_nothing_else(capsys):
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell(config=config)
    shell.run_cell("from vaelib.classroom.exercises import marking_checks, n08_spot_the_bug as bugs")
    shell.run_cell("marking_checks.SECONDS = 0\ndef expose_kl(kl):\n    assert kl is None\n")
    shell.run_cell("bugs.spot_kl(expose_kl)")
    said = capsys.readouterr()
    wanted = "✗ exercise 08.1: your check fails right code (all of 3): the assert in line 3, `assert kl is None`."
    assert (said.out + said.err).strip() == f'{wanted} As code: show_missed("08.1").'


def test_what_is_still_to_be_done_is_said_and_stops_nothing(capsys, monkeypatch, no_extras):
    monkeypatch.setattr(marking_checks, "MARKED", {})

    def stub(code):
        raise NotImplementedError("your turn")

    def careless(mean, log_std=None):
        raise NotImplementedError("not for complex numbers")

    marking_checks.show_missed("08.1")
    bugs.spot_kl(stub)
    marking_checks.mended(stub, bugs.kl_found)
    solution = shown_solutions()["kl"]
    marking_checks.mended(solution, bugs.kl_right)  # no marker has seen it yet
    marking_checks.mended(lambda code: None, bugs.kl_found)
    bugs.spot_kl(solution)
    marking_checks.show_missed("08.1")
    marking_checks.mended(solution, bugs.kl_found)
    marking_checks.mended(solution, bugs.kl_right)
    marking_checks.mended(solution, lambda mean: mean)
    marking_checks.mended(solution, careless)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "○ nothing to show yet: first give a check to the marker of 08.1"
    assert lines[1] == "○ exercise 08.1: not attempted yet"
    assert lines[2] == "○ write the check first"
    assert lines[3:5] == ["○ first a check that its marker accepts"] * 2
    assert (
        lines[5]
        == "✓ exercise 08.1: full marks: right code passes; the mistake fails, and so do all 6 others of its kind."
    )
    assert lines[6] == "exercise 08.1: your check found every mistake."
    assert lines[7].startswith("○ not mended yet: your check says: the assert in line")
    assert lines[8] == "✓ mended: it passes your check"
    assert lines[9].startswith("○ not mended yet: your check raised TypeError")  # the code takes one, and was given two
    assert lines[10].startswith("○ not mended yet: your code raised NotImplementedError: not for complex numbers (line")
    with pytest.raises(Wrong, match="all of 3"):
        bugs.spot_kl(careless)


def test_only_a_check_with_full_marks_is_believed_by_mended(capsys, no_extras):
    """One that asks whether a gradient is there at all finds the shown mistake, and would believe -7 times the loss."""

    def is_there_a_gradient(quantize):
        z_e, c = torch.randn(8, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
        quantize(z_e, c)[1].backward()
        assert c.grad is not None

    def mended_wrongly(z_e, codebook):
        e = codebook[torch.cdist(z_e, codebook).argmin(1)]
        return z_e + (e - z_e).detach(), -7 * (e - z_e.detach()).square().mean()

    bugs.spot_quantize(is_there_a_gradient)
    marking_checks.mended(is_there_a_gradient, mended_wrongly)
    bugs.spot_quantize(golden("quantize"))
    marking_checks.mended(is_there_a_gradient, mended_wrongly)  # another check than its marker's last one
    bugs.spot_quantize(better := golden("quantize", torch.float32))
    marking_checks.mended(better, mended_wrongly)
    marking_checks.mended(better, bugs.quantize_right)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "◐ exercise 08.5: right code passes; the mistake fails, but none of 8 others of its kind. Missed:"
    )
    assert lines[1] == "○ first a check that finds every mistake: this one would believe wrong code, too"
    assert lines[2].startswith("✓ exercise 08.5: full marks")
    assert lines[3] == "○ first a check that its marker accepts"
    assert lines[5].startswith("○ not mended yet: your check says")
    assert lines[6] == "✓ mended: it passes your check"


def test_a_check_may_stumble_over_wrong_code_and_sees_what_it_misses(capsys, no_extras):
    def by_backward(vq_loss):  # .grad stays None where no gradient comes
        z_e, e = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4, requires_grad=True)
        vq_loss(z_e, e, 0.25).backward()
        expected = (z_e - e).detach() / 12
        assert torch.allclose(z_e.grad, 0.25 * expected, atol=1e-6)
        assert torch.allclose(e.grad, -expected, atol=1e-6)

    bugs.spot_vq_loss(by_backward)
    marking_checks.show_missed("08.4")
    line, *code = capsys.readouterr().out.splitlines()
    assert line == (
        "◐ exercise 08.4: right code passes; the mistake fails, and 6 of 8 others of its kind. "
        'Missed: 0.25 for β, whatever β is; a constant added. As code: show_missed("08.4").'
    )
    assert code == [
        "# 0.25 for β, whatever β is",
        "def vq_loss_fixed(z_e, e, beta):",
        "    return F.mse_loss(e, z_e.detach()) + 0.25 * F.mse_loss(z_e, e.detach())",
        "",
        "# a constant added",
        "def vq_loss_shifted(z_e, e, beta):",
        "    return F.mse_loss(e, z_e.detach()) + beta * F.mse_loss(z_e, e.detach()) + 1",
        "",
    ]


@each_case
def test_what_was_missed_is_shown_as_the_code_that_was_run(case, capsys, no_extras):
    """The printed code, run by itself with the notebook's imports, does what the marker's does."""
    number = CASES[case].number
    with contextlib.suppress(Wrong):
        marking_checks.verdict(CASES[case], only_shown(case))
    marking_checks.show_missed(number)
    printed = capsys.readouterr().out
    namespace = {"math": math, "torch": torch, "F": torch.nn.functional, "MASK_A": bugs.MASK_A, "MASK_B": bugs.MASK_B}
    exec(printed, namespace)
    assert len(CASES[case].others) >= 3
    for words, code in CASES[case].others.items():
        assert f"# {words}\n" in printed
        assert printed.count(words) == 1
        theirs, ours = (SEEN_OF[case](lent_as(case, f), torch.float64) for f in (namespace[code.__name__], code))
        assert same(theirs, ours) or case == "elbo"  # whose mistake may be to draw from elsewhere
    with pytest.raises(Wrong, match=re.escape(f'As code: show_missed("{number}").')):
        marking_checks.verdict(CASES[case], everything)
    marking_checks.show_missed(number)
    assert capsys.readouterr().out.startswith(f"# right code (all of {len(CASES[case].right)})\n")
    with pytest.raises(Wrong):
        marking_checks.verdict(CASES[case], nothing)
    marking_checks.show_missed(number)
    assert "passes the mistake that the notebook shows" in capsys.readouterr().out


FICKLE = {
    "noise": (one_standard_error("kl"), r"it fails right code in \d+ of 12 runs", "# right code"),
    "memory": (lies_in_memory(lambda x: x.is_contiguous())("kl"), "lies otherwise in memory", "# right code"),
    "luck": (after(1, nothing, golden("kl")), "it passes the mistake in 1 of 8 runs", ""),
}


@pytest.mark.parametrize("kind", FICKLE)
def test_what_is_shown_of_a_fickle_check_is_why_it_was_refused(kind, capsys, no_extras):
    check, words, code = FICKLE[kind]
    with pytest.raises(Wrong, match=words) as wrong:
        bugs.spot_kl(check)
    marking_checks.show_missed("08.1")
    said = capsys.readouterr().out
    assert said.splitlines()[0] == str(wrong.value).removeprefix("✗ ")
    assert said.splitlines()[1:2] == ([] if not code else [line for line in said.splitlines() if line.startswith(code)])
    assert "that the notebook shows" not in said


def test_the_runs_are_in_disorder_and_leave_the_reader_as_he_was(capsys, no_extras):
    """The mistake first and right code last, another order each time; generators, settings and the page as they were."""

    def states():
        settings = torch.get_default_dtype(), torch.is_grad_enabled()
        return str((torch.get_rng_state().tolist(), np.random.get_state(), random.getstate(), settings))  # noqa: NPY002

    before, orders, drawn = states(), [], []

    def meddles(code):
        orders[-1].append(marking_checks._now["code"])
        drawn.append((torch.rand(()).item(), np.random.rand(), random.random()))  # noqa: NPY002
        print("to be seen by nobody")
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        everything(code)

    for _ in range(2):
        orders.append([])
        with pytest.raises(Wrong):
            bugs.spot_kl(meddles)
    assert states() == before
    assert capsys.readouterr().out == ""
    assert all(len(set(column)) == len(drawn) for column in zip(*drawn, strict=True))
    assert orders[0] != orders[1]
    for order in orders:
        assert order[0] is bugs.KL.found
        assert order[1:4] == order[-3:] == bugs.KL.right
        assert {order.count(each) for each in bugs.KL.others.values()} == {marking_checks.OTHERS}
        wrong = [k for k, each in enumerate(order) if each not in bugs.KL.right]
        assert wrong != list(range(wrong[0], wrong[0] + len(wrong)))


def test_no_mistake_is_lost():
    """The sets that a check must catch, by number: one left out would pass unseen."""
    others = dict(kl=6, loss=8, elbo=6, vq_loss=8, quantize=8, rows=3, network=7, sample=6, bound=6, entropy=5)
    assert {case: len(each.others) for case, each in CASES.items()} == others
