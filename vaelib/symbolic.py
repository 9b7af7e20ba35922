"""Exact expectations with free symbols, for checking derivations: one Gaussian or one discrete variable, in sympy.

An expression is sympy's, or a number of Python's or NumPy's; infinity and NaN are none. ValueError says what is something else.
"""

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy as sp

from vaelib.outside import given


@dataclass(frozen=True)
class Normal:
    """N(z; mean, std^2) over one real z; the parameters are sympy expressions, with symbols left free.

    Raises:
        ValueError: std is not known to be positive, or a parameter is no expression.
    """

    mean: sp.Expr
    std: sp.Expr

    def __post_init__(self):
        _keep(self, mean=_expression("mean", self.mean), std=_expression("std", self.std))
        if not self.std.is_positive:
            raise ValueError(
                f"std = {self.std} is not known to be positive: declare its symbols with sympy.symbols(..., positive=True)."
            )

    def log_prob(self, z: sp.Expr) -> sp.Expr:
        """log N(z) = -1/2 ((z - mean)/std)^2 - log std - 1/2 log 2 pi, in nats (VAE-2)."""
        z = _expression("z", z)
        return -(((z - self.mean) / self.std) ** 2) / 2 - sp.log(self.std) - sp.log(2 * sp.pi) / 2

    def prob(self, z: sp.Expr) -> sp.Expr:
        """N(z) = exp(-1/2 ((z - mean)/std)^2) / (std sqrt(2 pi)): the density, in a form that sympy integrates quickly."""
        z = _expression("z", z)
        return sp.exp(-(((z - self.mean) / self.std) ** 2) / 2) / (sp.sqrt(2 * sp.pi) * self.std)

    def expect(self, f: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
        """E[f(z)] for f a polynomial in z: put z = mean + std eps, and E[eps^n] = (n - 1)!! for even n, 0 for odd n.

        Raises:
            ValueError: f(z) is no polynomial in z, or no expression.
        """
        eps = sp.Dummy("eps", real=True)
        integrand = sp.expand(_value(f, self.mean + self.std * eps))
        try:
            terms = sp.Poly(integrand, eps).terms()
        except sp.PolynomialError as error:
            z = sp.Symbol("z", real=True)
            raise ValueError(
                f"the rule takes polynomials in z, and f(z) = {f(z)} was given: use sympy.integrate or quadrature."
            ) from error
        return sp.Add(*(factor * sp.factorial2(n - 1) for (n,), factor in terms if n % 2 == 0))

    def kl(self, other: "Normal") -> sp.Expr:
        """KL(self || other) = E_self[log self - log other], in nats (ELBO-13)."""
        given.instance("other", other, Normal)
        return self.expect(lambda z: self.log_prob(z) - other.log_prob(z))


@dataclass(frozen=True)
class Discrete:
    """A variable z in 0, 1, ..., K - 1 with P(z = k) = probs[k]; the probabilities are sympy expressions.

    Raises:
        ValueError: the probabilities do not add up to 1 (floats: to 1e-12), or one is known to be negative.
    """

    probs: Sequence[sp.Expr]

    def __post_init__(self):
        if isinstance(self.probs, str) or not isinstance(self.probs, Sequence):
            raise given.refuse("probs", self.probs, "a tuple of expressions")
        _keep(self, probs=tuple(_expression(f"probs[{k}]", p) for k, p in enumerate(self.probs)))
        total = sp.simplify(sum(self.probs, sp.Integer(0)))
        whole = abs(total - 1) < 1e-12 if total.is_Float else total == 1
        if not whole or any(p.is_negative for p in self.probs):
            raise ValueError(
                f"probabilities {self.probs} were given, with sum {total}: none is negative, and the sum is 1."
            )

    def log_prob(self, z: int) -> sp.Expr:
        """log P(z), in nats: minus infinity where P(z) is 0.

        Raises:
            ValueError: z is no whole number from 0 to K - 1.
        """
        p = self.prob(z)
        return -sp.oo if p.is_zero else sp.log(p)

    def prob(self, z: int) -> sp.Expr:
        """P(z); the errors are those of ``log_prob``."""
        return self.probs[given.whole("z", z, 0, len(self.probs) - 1)]

    def expect(self, f: Callable[[int], sp.Expr]) -> sp.Expr:
        """E[f(z)] = sum_k P(k) f(k), over the k that are possible; f(k) may be infinite.

        Raises:
            ValueError: f is no function, or f(k) no expression.
        """
        return sp.Add(*(p * _value(f, k, infinite=True) for k, p in enumerate(self.probs) if not p.is_zero))

    def kl(self, other: "Discrete") -> sp.Expr:
        """KL(self || other) = E_self[log self - log other], in nats.

        Raises:
            ValueError: other is no Discrete, or one with another number of states.
        """
        if len(given.instance("other", other, Discrete).probs) != len(self.probs):
            raise ValueError(f"other has {len(other.probs)} states, and this variable {len(self.probs)}: use as many.")
        return self.expect(lambda z: self.log_prob(z) - other.log_prob(z))


def normalize(log_f: Callable[[sp.Expr], sp.Expr]) -> tuple[sp.Expr, Normal]:
    """(log of the integral of exp log_f over z, the Normal proportional to exp log_f), by completing the square (VAE-4).

    With log_f(z) = log p(x, z) these are log p(x) and p(z|x).

    Raises:
        ValueError: log_f is not quadratic in z, or its integral is not known to be finite.
    """
    z = sp.Dummy("z", real=True)
    log_density = sp.expand(_value(log_f, z))
    if not log_density.is_polynomial(z) or sp.degree(log_density, z) > 2:
        raise ValueError(
            f"log f(z) = {log_f(sp.Symbol('z'))} was given: only a quadratic in z is the log of a Gaussian."
        )
    a2, a1, a0 = (log_density.coeff(z, n) for n in (2, 1, 0))
    if not (-a2).is_positive:
        raise ValueError(f"exp(log f(z)) does not normalise: its z^2 has the factor {a2}, not known to be negative.")
    mean, variance = sp.factor(-a1 / (2 * a2)), sp.factor(-1 / (2 * a2))
    return a0 - a1**2 / (4 * a2) + sp.log(-sp.pi / a2) / 2, Normal(mean, sp.sqrt(variance))


def equal(left: sp.Expr, right: sp.Expr) -> bool:
    """Whether sympy reduces left - right to exactly 0; what stands in a logarithm is taken to be positive."""
    difference = _expression("left", left, infinite=True) - _expression("right", right, infinite=True)
    if _not_zero_at_a_point(difference):  # seconds where simplify would take minutes to find nothing
        return False
    return sp.simplify(sp.expand(difference.replace(sp.log, _log))).is_zero is True


def _keep(variable: Normal | Discrete, **fields) -> None:
    """Set fields of a frozen dataclass, as it comes into being."""
    for name, value in fields.items():
        object.__setattr__(variable, name, value)


def _expression(name: str, value: sp.Expr, infinite: bool = False) -> sp.Expr:
    if not isinstance(value, (sp.Expr, numbers.Number)) or isinstance(value, bool):
        raise given.refuse(name, value, "a sympy expression or a number")
    expression = sp.sympify(value)
    if not infinite and expression.has(sp.nan, sp.oo, -sp.oo, sp.zoo):
        raise ValueError(f"{name} = {expression} was given: use an expression without infinity and NaN.")
    return expression


def _value(f: Callable, z: sp.Expr | int, infinite: bool = False) -> sp.Expr:
    return _expression("f(z)", given.function("f", f, "a function of z")(z), infinite)


def _not_zero_at_a_point(expression: sp.Expr) -> bool:
    """Whether one choice of numbers for the symbols shows that it is not 0 everywhere."""
    symbols = sorted(expression.free_symbols, key=str)
    value = expression.subs({symbol: sp.Rational(1, 5 + 2 * k) for k, symbol in enumerate(symbols)}).evalf(30)
    return value.is_real is True and abs(value) > 1e-12


def _log(argument: sp.Expr) -> sp.Expr:
    """log |argument| as a sum over its factors, each with the sign that sympy prefers: equal logarithms then look equal."""
    whole = sp.factor(argument)
    if isinstance(whole, sp.exp):
        return whole.args[0]
    if whole.is_Pow:
        return whole.exp * _log(whole.base)
    if whole.is_Mul:
        return sp.Add(*map(_log, whole.args))
    if whole.is_Rational and whole not in (0, 1, -1):
        return sp.Add(*(power * sp.log(prime) for prime, power in sp.factorrat(abs(whole)).items()))
    return sp.log(-whole if whole.could_extract_minus_sign() else whole)
