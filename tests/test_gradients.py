"""Every estimator against exact gradients: closed forms for a Gaussian q, enumeration for a discrete one."""

import math

import numpy as np
import pytest
import torch

from vaelib import gradients
from vaelib.autoencoders import VAE
from vaelib.classroom.checks import check_mean
from vaelib.distributions import DiagGaussian

MEAN, STD = 0.6, math.exp(-0.4)
PARAMS = {"mean": torch.tensor([MEAN]).double(), "log_std": torch.tensor([-0.4]).double()}
N = 40_000


def log_q(params, z):
    return DiagGaussian(params["mean"], params["log_std"]).log_prob(z)


def sample(params, eps):
    return params["mean"] + params["log_std"].exp() * eps


def f_plain(params, z):
    """E[f] = 3 m^2 + 3 s^2 - 2 m + 10: slopes 6 m - 2 and 6 s^2 in (mean, log_std)."""
    return (3 * z**2 - 2 * z + 10).sum(-1)


def f_inside(params, z):
    """phi inside f too: E[m z] + log q's mean, -log s - const: slopes 2 m and -1."""
    return (params["mean"] * z).sum(-1) + log_q(params, z)


EXACT = {f_plain: (6 * MEAN - 2, 6 * STD**2), f_inside: (2 * MEAN, -1.0)}


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def check_estimates(estimates, f, N):
    for k, name in enumerate(PARAMS):
        assert estimates[name].shape == (N, 1)
        check_mean(name, estimates[name][:, 0], EXACT[f][k], slip=-EXACT[f][k])


def check_score_function(module):
    for f in EXACT:
        check_estimates(module.score_function(log_q, f, sample, PARAMS, noise(N, 1, 1)), f, N)
        check_estimates(module.score_function(log_q, f, sample, PARAMS, noise(N, 1, 1), baseline=9.0), f, N)


def check_optimal_baseline(module):
    """For f = z: b = E[z s^2] / E[s^2] is the mean for the score in the mean, and for the score in log_std too, by symmetry."""
    best = module.optimal_baseline(log_q, lambda p, z: z.sum(-1), sample, PARAMS, noise(10 * N, 1, 1, seed=1))
    for value in best.values():
        assert value.shape == (1,)
        assert abs(float(value) - MEAN) < 0.06
    # for f = z^2 and the score in log_std, s = e^2 - 1: b = E[z^2 s^2] / E[s^2] = m^2 + s^2 E[e^2 (e^2 - 1)^2] / 2 = m^2 + 5 s^2
    best = module.optimal_baseline(log_q, lambda p, z: (z**2).sum(-1), sample, PARAMS, noise(10 * N, 1, 1, seed=2))
    assert abs(float(best["log_std"]) - (MEAN**2 + 5 * STD**2)) < 0.1
    assert abs(float(best["mean"]) - (MEAN**2 + 3 * STD**2)) < 0.1
    at = noise(N, 1, 1, seed=3)
    variance = {
        b: module.score_function(log_q, f_plain, sample, PARAMS, at, baseline=v)["log_std"].var()
        for b, v in (
            ("best", module.optimal_baseline(log_q, f_plain, sample, PARAMS, noise(N, 1, 1, seed=4))),
            ("none", 0.0),
        )
    }
    assert variance["best"] < 0.7 * variance["none"]


def check_leave_one_out(module):
    for K in (2, 5):
        for f in EXACT:
            check_estimates(module.leave_one_out(log_q, f, sample, PARAMS, noise(N, K, 1, seed=K)), f, N)
    # a constant f has gradient 0, and leave-one-out knows it draw by draw
    flat = module.leave_one_out(log_q, lambda p, z: 0 * z.sum(-1) + 7, sample, PARAMS, noise(50, 3, 1))
    assert all(v.abs().max() < 1e-12 for v in flat.values())


def check_pathwise(module):
    for f in EXACT:
        check_estimates(module.pathwise(log_q, f, sample, PARAMS, noise(N, 1, 1)), f, N)
    moved = module.pathwise(log_q, lambda p, z: (2 * z).sum(-1), sample, PARAMS, noise(50, 3, 1))
    assert (moved["mean"] - 2).abs().max() < 1e-12


def check_path_derivative(module):
    """At the posterior N(m, s^2) of log p = log q + const every draw gives 0, and elsewhere the mean is right."""
    target = DiagGaussian(PARAMS["mean"], PARAMS["log_std"])
    f = lambda p, z: target.log_prob(z) - log_q(p, z)  # noqa: E731
    there = module.path_derivative(log_q, f, sample, PARAMS, noise(100, 2, 1))
    assert all(v.abs().max() < 1e-12 for v in there.values())
    away = {"mean": PARAMS["mean"] + 0.8, "log_std": PARAMS["log_std"] - 0.3}
    given = module.path_derivative(log_q, f, sample, away, noise(N, 1, 1))
    # minus the gradient of KL(N(m + d, t^2) || N(m, s^2)): -d / s^2 and 1 - t^2 / s^2
    check_mean("mean", given["mean"][:, 0], -0.8 / STD**2, slip=0.8 / STD**2)
    exact = 1 - math.exp(-0.6)
    check_mean("log_std", given["log_std"][:, 0], exact, slip=-exact)


LOGITS = {
    "logits": torch.tensor([[0.4, -0.9, 0.1], [1.2, 0.3, -0.5]], dtype=torch.float64)
}  # two variables of three words
WORTH = torch.tensor([[2.0, -1.0, 0.5], [0.3, 0.9, -2.0]], dtype=torch.float64)


def words_log_q(params, z):  # (K, 2, 3) -> (K, 2)
    return (z * torch.log_softmax(params["logits"], -1)).sum(-1)


def words_f(params, z):
    return ((z * WORTH).sum(-1) - 0.4) ** 2


def by_hand():
    """p (f - E f) / 2: the mean over the two variables of the gradient of sum_k p_k f_k by the logits."""
    p, values = torch.softmax(LOGITS["logits"], -1), (WORTH - 0.4) ** 2
    return p * (values - (p * values).sum(-1, keepdim=True)) / 2


def check_discrete(module):
    states = torch.eye(3, dtype=torch.float64)[:, None].expand(3, 2, 3)
    exact = module.exact(words_log_q, words_f, LOGITS, states)["logits"]
    assert (exact - by_hand()).abs().max() < 1e-12
    eps = module.gumbel((N, 2, 2, 3), torch.Generator().manual_seed(5), dtype=torch.float64)
    draw = lambda p, e: module.categorical(p["logits"], e)  # noqa: E731
    shares = draw(LOGITS, eps[:, 0]).mean(0)
    p = torch.softmax(LOGITS["logits"], -1)
    assert ((shares - p).abs() / torch.sqrt(p * (1 - p) / N)).max() < 4
    for estimator in (module.score_function, module.leave_one_out):
        given = estimator(words_log_q, words_f, draw, LOGITS, eps)["logits"]
        for i in range(2):
            for k in range(3):
                check_mean(f"{i}, {k}", given[:, i, k], float(exact[i, k]), slip=-float(exact[i, k]))


def check_straight_through(module):
    eps = module.gumbel((200, 2, 3), torch.Generator().manual_seed(6), dtype=torch.float64)
    logits = LOGITS["logits"].clone().requires_grad_()
    z = module.straight_through(logits, eps)
    assert (z - module.categorical(logits, eps)).abs().max() < 1e-12
    assert set(z.detach().round().unique().tolist()) == {0.0, 1.0}
    weight = torch.randn(200, 2, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    (given,) = torch.autograd.grad((z * weight).sum(), logits)
    (right,) = torch.autograd.grad((torch.softmax(logits, -1) * weight).sum(), logits)
    assert (given - right).abs().max() < 1e-10


def check_gumbel_softmax(module):
    eps = module.gumbel((5000, 2, 3), torch.Generator().manual_seed(8), dtype=torch.float64)
    hard = module.categorical(LOGITS["logits"], eps)
    oracle = torch.distributions.RelaxedOneHotCategorical(torch.tensor(0.7).double(), logits=LOGITS["logits"])
    soft = module.gumbel_softmax(LOGITS["logits"], eps, 0.7)
    drawn = torch.stack([oracle.rsample() for _ in range(5000)])
    for k in range(3):  # the same distribution: mean and second moment of each entry
        for power in (1, 2):
            ours, theirs = soft[:, 0, k] ** power, drawn[:, 0, k] ** power
            error = math.hypot(float(ours.std()), float(theirs.std())) / 5000**0.5
            assert abs(float(ours.mean() - theirs.mean())) < 4.5 * error
    assert (soft.sum(-1) - 1).abs().max() < 1e-12
    assert torch.equal((soft == soft.amax(-1, keepdim=True)).double(), hard)  # the same word is in front
    cold = module.gumbel_softmax(LOGITS["logits"], eps, 1e-3)
    assert float((cold - hard).abs().mean()) < 1e-2
    warm = module.gumbel_softmax(LOGITS["logits"], eps, 1e3)
    assert float((warm - 1 / 3).abs().max()) < 1e-2


CHECKS = (
    check_score_function,
    check_optimal_baseline,
    check_leave_one_out,
    check_pathwise,
    check_path_derivative,
    check_discrete,
    check_straight_through,
    check_gumbel_softmax,
)


@pytest.mark.parametrize("check", CHECKS)
def test_against_exact_gradients(check):
    torch.manual_seed(0)
    check(gradients)


PLANTED = [
    (check_score_function, "* log_q(phi, z) + f(phi, z)).mean()", "* log_q(phi, z) - f(phi, z)).mean()"),
    (check_score_function, "* log_q(phi, z) + f(phi, z)).mean()", "* log_q(phi, z)).mean()"),
    (check_score_function, "* log_q(phi, z) + f(phi, z)).mean()", "* log_q(params, z) + f(phi, z)).mean()"),
    (check_score_function, "(f(params, z) * log_q(phi, z) +", "(-f(params, z) * log_q(phi, z) +"),
    (check_score_function, "- constant[name] * score[name]", "- constant[name]"),
    (check_score_function, "z = sample(params, eps)  #", "z = sample(params, 2 * eps)  #"),
    (check_optimal_baseline, "(centred * weighted[name]).mean(0) / variance", "(centred * weighted[name]).mean(0)"),
    (check_optimal_baseline, "slope, torch.zeros_like(slope)", "-slope, torch.zeros_like(slope)"),
    (check_optimal_baseline, "(centred * weighted[name]).mean(0)", "weighted[name].mean(0)"),
    (check_optimal_baseline, "variance = centred.square().mean(0)", "variance = centred.abs().mean(0)"),
    (check_leave_one_out, "/ (len(values) - 1)", "/ len(values)"),
    (check_leave_one_out, "(values.sum(0) - values) / (len(values) - 1)", "values.mean(0)"),
    (check_leave_one_out, "values - others", "values + others"),
    (check_leave_one_out, "values.sum(0) - values", "values.sum(0) - 2 * values"),
    (check_pathwise, "f(phi, sample(phi, eps)).mean()", "f(params, sample(phi, eps)).mean()"),
    (check_pathwise, "f(phi, sample(phi, eps)).mean()", "f(phi, sample(params, eps)).mean()"),
    (check_pathwise, "f(phi, sample(phi, eps)).mean()", "f(phi, sample(phi, eps)).sum()"),
    (check_path_derivative, "f(params, sample(phi, eps)).mean()", "f(phi, sample(phi, eps)).mean()"),
    (check_path_derivative, "f(params, sample(phi, eps)).mean()", "f(phi, sample(params, eps)).mean()"),
    (check_path_derivative, "f(params, sample(phi, eps)).mean()", "-f(params, sample(phi, eps)).mean()"),
    (check_discrete, "(log_q(phi, states).exp() * f(phi, states))", "(log_q(phi, states) * f(phi, states))"),
    (check_discrete, "f(phi, states)).sum(0).mean()", "f(phi, states)).mean()"),
    (check_discrete, "(log_q(phi, states).exp() * f", "(log_q(params, states).exp() * f"),
    (check_discrete, "import gumbel as gumbel", "import gumbel as right\n\ngumbel = lambda *a, **k: -right(*a, **k)"),
    (check_discrete, "noisy = logits + eps", "noisy = logits - eps"),
    (check_discrete, "noisy = logits + eps", "noisy = logits.exp() + eps"),
    (check_straight_through, "+ probs - probs.detach()", "+ probs"),
    (check_straight_through, "+ probs - probs.detach()", "+ logits - logits.detach()"),
    (check_straight_through, "+ probs - probs.detach()", "+ probs.detach() - probs"),
    (check_gumbel_softmax, "(logits + eps) / temperature", "(logits + eps) * temperature"),
    (check_gumbel_softmax, "(logits + eps) / temperature", "logits + eps / temperature"),
    (check_gumbel_softmax, "(logits + eps) / temperature", "(logits - eps) / temperature"),
]


@pytest.mark.parametrize(("check", "old", "new"), PLANTED)
def test_planted_errors_fail(check, old, new, plant, caught):
    torch.manual_seed(0)
    caught(f"{check.__name__}: {old} -> {new}", lambda: check(plant("vaelib.gradients", old, new)))


def test_a_batch_of_examples_is_averaged_and_chunks_change_nothing():
    """On a VAE: log_q and f of shape (K, B), and gradients like those of autograd."""
    torch.manual_seed(0)
    model = VAE((1, 4, 4), latent=2, hidden=(5,)).double()
    x = torch.rand(3, 1, 4, 4, dtype=torch.float64).round()
    weights = {name: value.detach() for name, value in model.encoder.named_parameters()}

    def q(params):
        return DiagGaussian(*torch.func.functional_call(model.encoder, params, (x,)).chunk(2, -1))

    def f(params, z):
        prior = DiagGaussian(torch.zeros_like(z), torch.zeros_like(z))
        return model.decode(z).log_prob(x) + prior.log_prob(z) - q(params).log_prob(z)

    eps = noise(6, 4, 3, 2)
    problem = (lambda p, z: q(p).log_prob(z), f, lambda p, e: q(p).mean + q(p).log_std.exp() * e, weights, eps)
    given = gradients.pathwise(*problem)
    for k in range(6):
        at = model.encode(x)
        z = at.mean + at.log_std.exp() * eps[k]
        prior = DiagGaussian(torch.zeros_like(z), torch.zeros_like(z))
        value = (model.decode(z).log_prob(x) + prior.log_prob(z) - at.log_prob(z)).mean()
        right = torch.autograd.grad(value, list(model.encoder.parameters()))
        for ours, theirs in zip(given.values(), right, strict=True):
            torch.testing.assert_close(ours[k], theirs)
    for estimator in (gradients.score_function, gradients.leave_one_out, gradients.pathwise, gradients.path_derivative):
        whole, parts = estimator(*problem), estimator(*problem, chunk=2)
        for name in weights:
            torch.testing.assert_close(whole[name], parts[name])
    dead = {name: torch.zeros_like(value) for name, value in weights.items()}
    best = gradients.optimal_baseline(*problem[:3], dead, eps)
    assert all(bool(torch.isfinite(v).all()) for v in best.values())  # weights whose score is always 0


ESTIMATORS = (
    gradients.score_function,
    gradients.scores,
    gradients.optimal_baseline,
    gradients.leave_one_out,
    gradients.pathwise,
    gradients.path_derivative,
)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_bad_input_is_one_sentence(estimator):
    right = dict(log_q=log_q, f=f_plain, sample=sample, params=PARAMS, eps=noise(5, 3, 1))
    for wrong, sentence in [
        (dict(eps=noise(5, 0, 1)), r"eps, a float64 tensor \(5, 0, 1\), was given: use noise \(N, K, \.\.\.\)"),
        (dict(eps=noise(0, 2, 1)), r"noise \(N, K, \.\.\.\), N ≥ . estimates of K ≥ . draws"),
        (dict(eps=noise(5)), r"eps, a float64 tensor \(5,\)"),
        (dict(eps=None), "eps=None"),
        (dict(params=[1.0]), r"params=\[1.0\] was given: use a dict of float tensors"),
        (dict(params={}), r"params=\{\} was given"),
        (dict(params={"mean": 1.0}), r"params\['mean'\]=1.0 was given: use a float tensor"),
        (dict(log_q=None), r"log_q=None was given: use a function of \(params, z\)"),
        (dict(f=3), "f=3 was given"),
        (dict(sample="x"), "sample='x' was given"),
        (dict(chunk=0), "chunk=0 was given: use a whole number from 1"),
        (dict(f=lambda p, z: z**2), r"f\(params, z\), a float64 tensor \(3, 1\), was given: use a float tensor \(3,\)"),
        (dict(f=lambda p, z: z.sum()), r"f\(params, z\), a float64 tensor \(\)"),
        (dict(f=lambda p, z: 7.0), r"f\(params, z\)=7.0"),
        (dict(f=lambda p, z: (z > 0).sum(-1)), r"f\(params, z\), an int64 tensor"),
        (dict(log_q=lambda p, z: z[:, None] ** 2), r"log_q\(params, z\), .* use a float tensor \(3, B\)"),
        (dict(log_q=lambda p, z: log_q(p, z).mean()), r"log_q\(params, z\), a float64 tensor \(\)"),
        (dict(log_q=lambda p, z: log_q(p, z)[:2]), r"log_q\(params, z\), .* use a float tensor \(3,\)"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            estimator(**{**right, **wrong})
    assert set(estimator(**right, chunk=np.int64(2))) == set(PARAMS)


def test_estimates_need_draws_and_states():
    with pytest.raises(ValueError, match="N ≥ 1 estimates of K ≥ 2 draws"):
        gradients.leave_one_out(log_q, f_plain, sample, PARAMS, noise(5, 1, 1))
    with pytest.raises(ValueError, match="N ≥ 2 estimates of K ≥ 1 draws"):
        gradients.optimal_baseline(log_q, f_plain, sample, PARAMS, noise(1, 1, 1))
    states = torch.eye(3, dtype=torch.float64)[:, None].expand(3, 2, 3)
    for attempt, sentence in [
        (
            lambda: gradients.exact(words_log_q, words_f, LOGITS, states[:2]),
            "the 2 states add up to .*, not 1: give each",
        ),
        (lambda: gradients.exact(words_log_q, words_f, LOGITS, states[:0]), "use a tensor that is not empty"),
        (lambda: gradients.exact(words_log_q, words_f, LOGITS, None), "states=None"),
        (lambda: gradients.exact(words_log_q, lambda p, z: z @ z.mT, LOGITS, states), r"f\(params, z\), .* \(3, 2\)\."),
        (
            lambda: gradients.exact(words_log_q, lambda p, z: words_f(p, z).sum(1), LOGITS, states),
            r"f\(params, z\), .* \(3,\)",
        ),
        (lambda: gradients.exact(lambda p, z: (z * 0).sum((1, 2)) - 1, words_f, LOGITS, states), r"f\(params, z\)"),
        (lambda: gradients.exact(words_log_q, words_f, None, states), "params=None"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()


def test_a_number_as_baseline_is_that_number_for_every_parameter():
    problem = (log_q, f_plain, sample, PARAMS, noise(50, 2, 1))
    plain, score = gradients.score_function(*problem), gradients.scores(*problem)
    shapes = {name: torch.full_like(value, 9.0) for name, value in PARAMS.items()}
    for baseline in (
        9,
        np.float64(9),
        torch.tensor(9.0),
        dict.fromkeys(PARAMS, 9),
        dict.fromkeys(PARAMS, torch.tensor(9.0)),
        shapes,
    ):
        given = gradients.score_function(*problem, baseline=baseline)
        for name in PARAMS:
            torch.testing.assert_close(given[name], plain[name] - 9 * score[name])
    one = gradients.score_function(*problem, baseline={"mean": 9.0, "log_std": 0})
    assert not torch.allclose(one["mean"], plain["mean"])
    torch.testing.assert_close(one["log_std"], plain["log_std"])
    for wrong in (
        "9",
        math.nan,
        {"mean": 9.0},
        {"mean": 9.0, "log_std": None},
        torch.ones(2),
        shapes | {"mean": torch.ones(2)},
    ):
        with pytest.raises(ValueError, match="baseline"):
            gradients.score_function(*problem, baseline=wrong)


def test_samplers_of_words_refuse_what_is_none():
    logits, eps = torch.zeros(4, 3), torch.zeros(4, 3)
    for draw in (gradients.categorical, gradients.straight_through, lambda *a: gradients.gumbel_softmax(*a, 1.0)):
        for wrong, sentence in [
            ((None, eps), "logits=None"),
            ((logits, [0.0]), r"eps=\[0.0\] was given: use a float tensor \(\.\.\., 3\)"),
            ((logits, eps[:, :2]), r"eps, a float32 tensor \(4, 2\)"),
            ((logits, torch.zeros(5, 3)), r"logits \(4, 3\) and eps \(5, 3\) were given: use shapes that broadcast"),
            ((logits.long(), eps), "logits, an int64 tensor"),
            ((logits, eps.to("meta")), "eps lies on meta"),
        ]:
            with pytest.raises(ValueError, match=sentence):
                draw(*wrong)
        assert bool(draw(logits * math.nan, eps).isnan().all())  # no word, and not the first one
    for wrong in (math.nan, math.inf):  # in one row of four: that row is no word, and the others are what they were
        for at, given in (
            (0, (logits.index_put((torch.tensor(1), torch.tensor(2)), torch.tensor(wrong)), eps)),
            (1, (logits, eps.index_put((torch.tensor(1), torch.tensor(2)), torch.tensor(wrong)))),
        ):
            word = gradients.categorical(*given)
            assert word.isnan().all(1).tolist() == [False, True, False, False], at
            assert torch.equal(word[[0, 2, 3]], gradients.categorical(logits, eps)[[0, 2, 3]])
    never = gradients.categorical(logits.index_fill(1, torch.tensor(0), -math.inf), eps)
    assert never.tolist() == [[0, 1, 0]] * 4  # what cannot be is not drawn
    with pytest.raises(ValueError, match="at least one class"):
        gradients.categorical(logits[:, :0], eps[:, :0])


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), None, "1"])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match=r"temperature=.* was given: use a finite number above 0"):
        gradients.gumbel_softmax(torch.zeros(3), torch.zeros(3), temperature)
