"""Planting an error in the text of a cell."""

import pytest
from played import replaced


@pytest.mark.parametrize(
    ("source", "old", "new", "wanted"),
    [
        ("a = f(x, y)", "x, y", "y, x", "a = f(y, x)"),
        ("a = f(\n    x,\n    y,\n)", "f(x, y)", "g(x)", "a = g(x)"),
        ("a = f(\n    x,\n    y,\n)", "y)", "z)", "a = f(\n    x,\n    z)"),
        ("a = f(x, y)", "f(\n    x,\n    y,\n)", "g(x)", "a = g(x)"),
        ("a = (\n    x\n    - 2 * z @ e.T\n)", "x - 2 * z", "x - z", "a = (\n    x - z @ e.T\n)"),
        ("g((9,), 3)", "(9,), 3)", "(8,), 3)", "g((8,), 3)"),
        ("x[0] + x[\n    0\n]", "x[0]", "x[1]", "x[1] + x[1]"),
        ("if a:\n    b = 1\nc = 2", "    b = 1\nc = 2", "    b = 2\nc = 1", "if a:\n    b = 2\nc = 1"),
        ("f(a)\ng(b)", "(a)\n", "(a)\nh(a)\n", "f(a)\nh(a)\ng(b)"),
        ("is_not = a is not b", "is not", "is", "is_not = a is b"),
        ("isnot = a", "is not", "is", "isnot = a"),
        ("f(a, b)", "a b", "c", "f(a, b)"),
        ("f('\\\\d')", "'\\\\d'", "'\\\\1'", "f('\\\\1')"),
    ],
)
def test_an_error_is_planted_however_its_place_is_formatted(source, old, new, wanted):
    assert replaced(source, old, new) == wanted
