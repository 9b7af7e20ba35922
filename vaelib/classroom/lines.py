"""Lines of a derivation as text that readers may change: read in a model's own words, and judged by sympy.

A line such as ``log(p(x)) = E[log(p(x, z) / q(z))] + KL(q(z), p(z|x))`` has Python's grammar, and no more of it is read than sums,
products, powers, ``log``, and what a *meaning* has: nothing is ever run. A meaning is a dict, from words to what they stand for:

- ``"p(x)"`` or ``"ELBO"``: an expression
- ``"q(z)"``, ``"p(x|z)"``: a distribution of ``vaelib.symbolic``, or another thing with ``prob(z)``, or a function of z
- ``"E"`` and ``"integral"``: a function that takes a function of z, as ``Normal.expect`` does; written with [ ]
- ``"KL"``: a function of two distributions
- ``"="``: a function of two expressions that says whether they always agree, as ``vaelib.symbolic.equal`` does
"""

import ast
import operator
from collections.abc import Mapping

import sympy as sp

from vaelib.outside import given
from vaelib.outside.console import show

_OVER_Z = ("E", "integral")
_SUMS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_LONGEST, _LARGEST, _HIGHEST = 200, 1_000_000, 9  # characters of a line, its numbers, its powers


def read(line: str, meaning: Mapping) -> sp.Expr:
    """The sympy expression of a line's one side, such as ``E[log(p(x, z) / q(z))]``.

    Args:
        line: at most 200 characters.
        meaning: what its words stand for, as above.

    Raises:
        ValueError: something in the line cannot be read, or has no finite value; the sentence says what.
    """
    line = given.words("line", line).strip()
    meaning = _words(meaning)
    value = sp.sympify(_value(_tree(line), meaning, None))
    if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"{line} has no finite value.")
    return value


def judge(line: str, meaning: Mapping, at: Mapping[sp.Symbol, float]) -> None:
    """Say whether a line ``left = right`` holds: for every value of the symbols, or not, with numbers at which its sides differ.

    What cannot be read is told as well, and nothing is raised for what a line says.

    Args:
        meaning: as for ``read``.
        at: a number for each symbol. Where the sides differ there, that refutes the line; where they agree, the meaning of = has
            to show that they always do.

    Raises:
        ValueError: no text, or no such mappings.
    """
    given.words("line", line)
    use = "a function of two expressions, such as vaelib.symbolic.equal"
    equal = given.function("meaning['=']", _words(meaning).get("="), use)
    at = given.mapping("at", at, "symbol -> number", sp.Symbol)
    at = {symbol: given.number(f"at[{symbol}]", number) for symbol, number in at.items()}
    try:
        sides = [side.strip() for side in line.split("=")]
        if len(sides) != 2 or not all(sides):
            raise ValueError("one = is needed, with something on both of its sides.")
        left, right = (read(side, meaning) for side in sides)
        values = [_number(value, at, side) for value, side in zip((left, right), sides, strict=True)]
    except ValueError as error:
        show(f"Not read. {error}", markdown=f"**Not read.** {_plain(str(error))}")
        return
    agree = abs(values[0] - values[1]) <= 1e-9 * max(1, *map(abs, values))
    if agree and equal(left, right):
        show(f"Holds, whatever the symbols are: {line}", markdown=f"**Holds**, whatever the symbols are: ${tex(line)}$")
        return
    apart = f"and the right side {values[1]:.4f}: they differ by {abs(values[0] - values[1]):.4g}."
    word, found = "Refuted", f"the left side is {values[0]:.4f} {apart}"
    if agree:
        word, found = "Open", f"both sides are {values[0]:.4f}, and sympy does not show that they always agree."
    in_text = ", ".join(f"{symbol} = {number:g}" for symbol, number in at.items())
    in_tex = ", ".join(f"${sp.latex(symbol)} = {number:g}$" for symbol, number in at.items())
    show(f"{word}: {line}. At {in_text} {found}", markdown=f"**{word}:** ${tex(line)}$. At {in_tex} {found}")


def tex(line: str) -> str:
    """A line, with or without an = in it, as TeX.

    Raises:
        ValueError: no text, or a grammar that is not Python's.
    """
    return " = ".join(_tex(_tree(side)) for side in given.words("line", line).split("="))


def _words(meaning: Mapping) -> dict:
    """A meaning, its words written as Python writes them."""
    meaning = given.mapping("meaning", meaning, "word of a line -> what it stands for")
    for word, stands_for in meaning.items():
        if not (isinstance(stands_for, sp.Expr) or hasattr(stands_for, "prob") or callable(stands_for)):
            raise given.refuse(f"meaning[{word!r}]", stands_for, "an expression, a distribution or a function of z")
    return {word if word == "=" else ast.unparse(_tree(word)): each for word, each in meaning.items()}


def _tree(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ValueError(f"a line has at most {_LONGEST} characters, and this one {len(text)}.")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        sample = "log(p(x)) = E[log(p(x, z) / q(z))] + KL(q(z), p(z|x))"
        raise ValueError(f"{text.strip()} is not written as {sample} is: look at brackets and signs.") from None


def _value(node: ast.expr, meaning: dict, z: sp.Expr | int | None) -> sp.Expr:
    """The value of a part of a line; ``z`` is that of the innermost E or integral around it."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool) and abs(number) <= _LARGEST:
            return sp.Rational(str(number))
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, meaning, z)
        case ast.BinOp(op=ast.Pow(), right=right):
            power = _value(right, meaning, z)
            if not (power.is_Rational and abs(power) <= _HIGHEST):
                raise ValueError(f"{ast.unparse(right)} is no power that is read: numbers up to {_HIGHEST} are.")
            return _value(node.left, meaning, z) ** power
        case ast.BinOp(op=op) if type(op) in _SUMS:
            # sympy's division: by 0 it is no error, and no finite value
            return _SUMS[type(op)](*(sp.sympify(_value(side, meaning, z)) for side in (node.left, node.right)))
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _OVER_Z and name in meaning:
            return meaning[name](lambda z: _value(inner, meaning, z))
        case ast.Call(func=ast.Name(id="log"), args=[inner], keywords=[]):
            return sp.expand_log(sp.log(_value(inner, meaning, z)), force=True)
        case ast.Call(func=ast.Name(id="KL"), args=[_, _], keywords=[]) if "KL" in meaning:
            pair = [meaning.get(ast.unparse(each)) for each in node.args]
            if not all(hasattr(each, "prob") for each in pair):
                raise ValueError(f"{ast.unparse(node)} is no KL of two distributions over z, as KL(q(z), p(z|x)) is.")
            return meaning["KL"](*pair)
    word = ast.unparse(node)
    stands_for = None if word in (*_OVER_Z, "KL") else meaning.get(word)
    if stands_for is None:
        marked = {"E": "E[…]", "integral": "integral[…]", "KL": "KL(…, …)"}
        known = ", ".join(marked.get(name, name).replace(" | ", "|") for name in meaning if name != "=")
        raise ValueError(f"{word} is not known here. What is: {known}, log(…), numbers, + - * / **.")
    if isinstance(stands_for, sp.Expr):
        return stands_for
    if z is None:
        raise ValueError(f"{word} depends on z, and no E[…] or integral[…] around it says which z is meant.")
    return getattr(stands_for, "prob", stands_for)(z)


def _number(side: sp.Expr, at: Mapping[sp.Symbol, float], text: str) -> float:
    value = side.subs({symbol: sp.Rational(str(number)) for symbol, number in at.items()}).evalf(20)
    if not (value.is_real and value.is_finite):
        raise ValueError(f"{text} has no real value at these numbers.")
    return float(value)


def _plain(sentence: str) -> str:
    """A sentence in which Markdown finds no marks."""
    return "".join(f"\\{each}" if each in "\\*_`$[]<|" else each for each in sentence)


def _tex(node: ast.expr) -> str:
    def within(inner: ast.expr, *loose: type) -> str:
        """In parentheses, where a sum (or a product) would be misread."""
        alone = isinstance(inner, ast.BinOp) and isinstance(inner.op, loose)
        return rf"\left({_tex(inner)}\right)" if alone else _tex(inner)

    match node:
        case ast.UnaryOp(op=ast.USub()):
            return f"-{within(node.operand, ast.Add, ast.Sub)}"
        case ast.BinOp(op=ast.Add()):
            return f"{_tex(node.left)} + {_tex(node.right)}"
        case ast.BinOp(op=ast.Sub()):
            return f"{_tex(node.left)} - {within(node.right, ast.Add, ast.Sub)}"
        case ast.BinOp(op=ast.Mult()):
            return rf"{within(node.left, ast.Add, ast.Sub)} \, {within(node.right, ast.Add, ast.Sub)}"
        case ast.BinOp(op=ast.Div()):
            return rf"\frac{{{_tex(node.left)}}}{{{_tex(node.right)}}}"
        case ast.BinOp(op=ast.Pow()):
            return f"{within(node.left, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)}^{{{_tex(node.right)}}}"
        case ast.BinOp(op=ast.BitOr()):
            return rf"{_tex(node.left)} \mid {_tex(node.right)}"
        case ast.Subscript(value=ast.Name(id="E")):
            return rf"\mathbb E_q\left[{_tex(node.slice)}\right]"
        case ast.Subscript(value=ast.Name(id="integral")):
            return rf"\int {within(node.slice, ast.Add, ast.Sub)} \, dz"
        case ast.Call(func=ast.Name(id="log"), args=[inner]):
            return rf"\log {within(inner, ast.Add, ast.Sub, ast.Mult)}"
        case ast.Call(func=ast.Name(id="KL"), args=[one, other]):
            return rf"\text{{KL}}\left({_tex(one)} \,\|\, {_tex(other)}\right)"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{name}({', '.join(map(_tex, args))})"
        case ast.Name(id=name) if len(name) > 1:
            return rf"\text{{{name}}}"
    return ast.unparse(node)
