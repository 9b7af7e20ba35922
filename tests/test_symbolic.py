import itertools

import numpy as np
import pytest
import scipy.stats
import sympy as sp

from vaelib import symbolic
from vaelib.symbolic import Discrete, Normal, equal, normalize

m, z, a, b, c = sp.symbols("m z a b c", real=True)
s, t, k = sp.symbols("s t k", positive=True)
NUMBERS = {m: 0.7, s: 1.3, t: 0.4, a: -0.8, b: 0.3, c: 1.1, k: 0.9}


def number(expression):
    return float(sp.sympify(expression).subs(NUMBERS))


def gauss_hermite(f, mean, std, points=40):
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    return float(weights @ f(mean + std * nodes)) / np.sqrt(2 * np.pi)


def check_moments(module):
    """The rule against sympy's integral and against quadrature."""
    q = module.Normal(m, s)
    for n in range(6):
        by_sympy = sp.integrate(
            z**n * sp.exp(-((z - m) ** 2) / (2 * s**2)) / (sp.sqrt(2 * sp.pi) * s), (z, -sp.oo, sp.oo)
        )
        assert equal(q.expect(lambda v, n=n: v**n), by_sympy)
    polynomial = lambda v: a * v**4 - b * v**3 + c * v - 2  # noqa: E731
    by_quadrature = gauss_hermite(sp.lambdify(z, polynomial(z).subs(NUMBERS)), NUMBERS[m], NUMBERS[s])
    assert abs(number(q.expect(polynomial)) - by_quadrature) < 1e-9
    assert abs(number(q.expect(lambda v: sp.Integer(3))) - 3) < 1e-12


def check_log_prob(module):
    q = module.Normal(m, s)
    grid = np.linspace(-12, 14, 20_001)
    density = np.exp(sp.lambdify(z, q.log_prob(z).subs(NUMBERS))(grid))
    assert abs(np.trapezoid(density, grid) - 1) < 1e-9
    assert abs(np.trapezoid(density * grid, grid) - 0.7) < 1e-9
    assert abs(np.trapezoid(density * (grid - 0.7) ** 2, grid) - 1.69) < 1e-9
    assert np.allclose(sp.lambdify(z, q.prob(z).subs(NUMBERS))(grid), density, atol=1e-12)


def check_kl(module):
    q, p = module.Normal(m, s), module.Normal(b, t)
    nodes = lambda v: sp.lambdify(z, (q.log_prob(z) - p.log_prob(z)).subs(NUMBERS))(v)  # noqa: E731
    assert abs(number(q.kl(p)) - gauss_hermite(nodes, NUMBERS[m], NUMBERS[s])) < 1e-9
    probs, others = [0.2, 0.5, 0.3], [0.6, 0.1, 0.3]
    one, other = (module.Discrete(tuple(map(sp.Rational, map(str, v)))) for v in (probs, others))
    assert abs(float(one.kl(other)) - sum(v * np.log(v / w) for v, w in zip(probs, others, strict=True))) < 1e-12
    assert one.expect(lambda j: sp.Integer(j) ** 2) == sp.Rational("1.7")
    assert one.prob(1) == sp.Rational("0.5")


def check_normalize(module):
    log_f = lambda v: -k * v**2 + b * v + c  # noqa: E731
    log_integral, left = module.normalize(log_f)
    assert equal(log_integral, sp.log(sp.integrate(sp.exp(log_f(z)), (z, -sp.oo, sp.oo))))
    assert equal(left.log_prob(z), log_f(z) - log_integral)


CHECKS = (check_moments, check_log_prob, check_kl, check_normalize)


@pytest.mark.parametrize("check", CHECKS)
def test_against_integrals_and_quadrature(check):
    check(symbolic)


PLANTED = [
    (check_moments, "sp.factorial2(n - 1)", "sp.factorial(max(n - 1, 0))"),
    (check_moments, "if n % 2 == 0", ""),
    (check_moments, "self.mean + self.std * eps", "self.mean + self.std**2 * eps"),
    (check_moments, "self.mean + self.std * eps", "self.std * eps"),
    (check_log_prob, "** 2) / 2 - sp.log(self.std)", "** 2) - sp.log(self.std)"),
    (check_log_prob, "- sp.log(self.std) - sp", "+ sp.log(self.std) - sp"),
    (check_log_prob, "- sp.log(self.std) - sp", "- sp"),
    (check_log_prob, "/ (sp.sqrt(2 * sp.pi) * self.std)", "/ sp.sqrt(2 * sp.pi)"),
    (check_log_prob, "- sp.log(2 * sp.pi) / 2", "- sp.log(sp.pi) / 2"),
    (check_kl, "self.log_prob(z) - other.log_prob(z)", "other.log_prob(z) - self.log_prob(z)"),
    (check_kl, "return self.expect(lambda z: self", "return other.expect(lambda z: self"),
    (check_kl, "sp.Add(*(p * _value(f, k", "sp.Add(*(_value(f, k"),
    (check_kl, "return self.probs[given.whole", "return self.probs[0 * given.whole"),
    (check_normalize, "a0 - a1**2 / (4 * a2)", "a0 + a1**2 / (4 * a2)"),
    (check_normalize, "sp.log(-sp.pi / a2) / 2", "sp.log(-sp.pi / a2)"),
    (check_normalize, "sp.factor(-1 / (2 * a2))", "sp.factor(-1 / a2)"),
    (check_normalize, "sp.factor(-a1 / (2 * a2))", "sp.factor(a1 / (2 * a2))"),
]


@pytest.mark.parametrize(("check", "old", "new"), PLANTED)
def test_planted_errors_fail(check, old, new, plant, caught):
    caught(f"{check.__name__}: {old} -> {new}", lambda: check(plant("vaelib.symbolic", old, new)))


def test_equal_reduces_logarithms_and_tells_slips_apart():
    p, u, v = sp.symbols("p u v", positive=True)
    same = [
        (sp.log(p * u / v), sp.log(p) + sp.log(u) - sp.log(v)),
        (sp.log((1 - p - u) / (p + u - 1) ** 2), -sp.log(1 - p - u)),
        (sp.log(sp.sqrt(a**2 + s**2)), sp.log(1 + a**2 / s**2) / 2 + sp.log(s)),
        (sp.log(8 * sp.pi * sp.exp(a)), 3 * sp.log(2) + sp.log(sp.pi) + a),
        (sp.log(sp.Rational(2, 9)), sp.log(2) - 2 * sp.log(3)),
        ((a + b) ** 2, a**2 + 2 * a * b + b**2),
        (2, 2.0),
    ]
    for left, right in same:
        assert equal(left, right)
    different = [
        (sp.log(p * u / v), sp.log(p) - sp.log(u) - sp.log(v)),
        (sp.log(a**2 + s**2), sp.log(a**2) + sp.log(s**2)),
        (sp.log(2), sp.log(3)),
        (sp.log(p), p),
        (a, b),
        (sp.log(p) / 2, sp.log(p)),
        (1e-30, 0),
        (a, sp.Rational(1, 5)),  # equal where one number is tried
    ]
    for left, right in different:
        assert not equal(left, right)


def test_equal_agrees_with_numbers():
    """Random sums of logarithms: equal says yes exactly when random values do."""
    rng = np.random.default_rng(0)
    symbols = sp.symbols("x0 x1 x2", positive=True)
    values = dict(zip(symbols, (0.37, 1.9, 2.3), strict=True))
    products = [x * y for x, y in itertools.product(symbols, symbols)] + [1 / x for x in symbols]
    expanded = {e: sum(n * sp.log(x) for x, n in e.as_powers_dict().items()) for e in products}
    verdicts = set()
    for _ in range(30):
        picks = rng.choice(len(products), 2, replace=False)
        left = sp.log(products[picks[0]]) + sp.log(products[picks[1]])
        chosen = picks if rng.random() < 0.5 else rng.choice(len(products), 2, replace=False)
        right = sum(expanded[products[j]] for j in chosen)
        agree = abs(float((left - right).subs(values))) < 1e-12
        assert equal(left, right) == agree
        verdicts.add(agree)
    assert verdicts == {True, False}


@pytest.mark.parametrize("std", [-1, 0, sp.Symbol("t"), sp.Symbol("t", real=True), sp.Symbol("t", nonnegative=True)])
def test_a_scale_that_may_not_be_positive_is_refused(std):
    with pytest.raises(ValueError, match="is not known to be positive: declare its symbols"):
        Normal(0, std)


@pytest.mark.parametrize("f", [sp.exp, sp.log, lambda v: 1 / v, sp.Abs, lambda v: sp.sqrt(1 + v**2), lambda v: v**k])
def test_an_integrand_that_the_rule_cannot_take_is_refused(f):
    with pytest.raises(ValueError, match=r"the rule takes polynomials in z, and f\(z\) = .* was given"):
        Normal(m, s).expect(f)


@pytest.mark.parametrize("log_f", [lambda v: v**2, lambda v: b * v, lambda v: -a * v**2, lambda v: 0 * v])
def test_a_density_that_does_not_normalize_is_refused(log_f):
    with pytest.raises(ValueError, match="does not normalise"):
        normalize(log_f)


@pytest.mark.parametrize("log_f", [lambda v: -(v**4), sp.cos, lambda v: -(v**2) + sp.log(1 + v**2)])
def test_a_density_that_is_no_gaussian_is_refused(log_f):
    with pytest.raises(ValueError, match="only a quadratic in z"):
        normalize(log_f)


@pytest.mark.parametrize("probs", [(s, t), (sp.Rational(1, 2), sp.Rational(1, 3)), (2, -1), ()])
def test_probabilities_that_do_not_add_up_are_refused(probs):
    with pytest.raises(ValueError, match="none is negative, and the sum is 1"):
        Discrete(probs)


def test_a_state_that_cannot_be_adds_nothing():
    """0 log 0 = 0, and what is possible here and impossible there is infinitely far: SciPy's convention, too."""
    half = sp.Rational(1, 2)
    never, either = Discrete((0, 1)), Discrete((half, half))
    assert never.kl(either) == sp.log(2)
    assert either.kl(never) == sp.oo
    assert never.kl(never) == 0
    assert scipy.stats.entropy([0, 1], [0.5, 0.5]) == pytest.approx(float(never.kl(either)))
    assert np.isinf(scipy.stats.entropy([0.5, 0.5], [0, 1]))
    assert never.log_prob(0) == -sp.oo
    assert never.expect(lambda k: sp.log(k)) == 0  # log 0 is not asked for


def test_numbers_of_python_and_numpy_are_expressions():
    assert Discrete([0.1, 0.2, 0.7]).probs == tuple(map(sp.Float, (0.1, 0.2, 0.7)))
    assert Discrete((np.float64(0.25), sp.Rational(3, 4))).prob(np.int64(1)) == sp.Rational(3, 4)
    q = Normal(np.float64(0.5), np.int64(2))
    assert equal(q.expect(lambda v: v**2), 4.25)
    assert float(q.log_prob(np.float64(0.5))) == pytest.approx(-np.log(2) - np.log(2 * np.pi) / 2)
    assert equal(np.float64(2), 2)
    assert not equal(sp.nan, sp.nan)
    assert not equal(sp.zoo, 1)


def test_bad_input_is_one_sentence():
    q, d = Normal(m, s), Discrete((sp.Rational(1, 2), sp.Rational(1, 2)))
    three = Discrete((sp.Rational(1, 3),) * 3)
    for attempt, sentence in [
        (lambda: Normal(None, 1), "mean=None was given: use a sympy expression or a number"),
        (lambda: Normal("m", 1), "mean='m'"),
        (lambda: Normal([m], 1), "mean=.m. was given"),
        (lambda: Normal(0, True), "std=True"),
        (lambda: Normal(np.nan, 1), "mean = nan was given: use an expression without infinity and NaN"),
        (lambda: Normal(0, sp.oo), "std = oo"),
        (lambda: q.log_prob(None), "z=None"),
        (lambda: q.prob(np.zeros(2)), "z, a float64 NumPy array"),
        (lambda: q.expect(3), "f=3 was given: use a function of z"),
        (lambda: q.expect(lambda v: None), r"f\(z\)=None"),
        (lambda: q.expect(lambda v: v > 0), r"f\(z\), an object of type"),
        (lambda: q.kl(d), "other, an object of type Discrete, was given: use a Normal"),
        (lambda: q.kl(None), "other=None"),
        (lambda: d.kl(three), "other has 3 states, and this variable 2: use as many"),
        (lambda: three.kl(d), "other has 2 states, and this variable 3"),
        (lambda: d.kl(q), "use a Discrete"),
        (lambda: d.prob(2), "z=2 was given: use a whole number from 0 to 1"),
        (lambda: d.log_prob(-1), "z=-1"),
        (lambda: d.prob(z), "z, an object of type Symbol"),
        (lambda: d.expect(None), "f=None"),
        (lambda: d.expect(lambda k: [k]), r"f\(z\)=.0."),
        (lambda: Discrete(1), "probs=1 was given: use a tuple of expressions"),
        (lambda: Discrete("ab"), "probs='ab'"),
        (lambda: Discrete((1, None)), r"probs\[1\]=None"),
        (lambda: Discrete((0.5, 0.4999)), "sum 0.9999"),
        (lambda: Discrete((1.5, -0.5)), "none is negative"),
        (lambda: normalize(None), "f=None"),
        (lambda: normalize(lambda v: "x"), r"f\(z\)='x'"),
        (lambda: equal(None, 1), "left=None"),
        (lambda: equal(1, "1"), "right='1'"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
