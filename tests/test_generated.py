"""Which errors are generated in the cells of a notebook, and that those kept are sorted out."""

import ast

import generated
import mutants
import pytest


def changes(source, read=()):
    """The changes of a cell, in words."""
    return {error.change for error in mutants.mutants_of("cell", generated.Slips(source, {*read}))}


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("check('the words', f(a - b), 1e-9)", {"- → +"}),  # neither its words nor its bound
        ("check('the words', f(a - b), at_least=3)", {"- → +"}),
        ("check('the words', a - b, 0)", set()),  # nor what it compares
        ("check('the words', a == b)", set()),
        ("check_fails('a slip', lambda: check('the words', f(a - b), 0))", set()),
        ("print(a - b)", set()),
        ("_ = plots.curves({'a': b - c}, xlabel='x')", set()),
        ("told('{more}', more=a - b)", set()),
        ("a = torch.randn(3, generator=generator)", set()),
        ("torch.manual_seed(0)", set()),
        ("a = f(b, steps=3)", set()),
        ("for _ in range(80):\n    f(a)", {"f(a) → pass"}),
        ("for tau in (0.2, 0.35):\n    f(a)", {"f(a) → pass"}),
        ("def show(step=80.0):\n    f(step - 1)", set()),
        ("a = b.detach().cpu()", {"b.detach() → b"}),
        ("c = a - b", set()),  # nobody reads it
        ("a.d[3] = f(a - b)", {"- → +"}),  # it stands there already
        ("a = sp.exp(b)", {"exp → log"}),
        ("a = b.exp()", {"b.exp() → b", "exp → log"}),
        ("a[b] = f(b) and f(a - b)", {"- → +"}),
        ("a = sp.symbols('a', real=True)", set()),
        ("check('the words', f(a[0] <= 3))", {"<= → <", "<= → >"}),
        ("check('the words', f(max(a)), 2)", set()),
    ],
)
def test_words_bounds_pictures_and_draws_are_spared(source, left):
    assert changes(source, read={"a", "b"}) == left


def test_what_is_generated_depends_on_no_formatting(monkeypatch):
    def found(*sources):
        cells = {f"cell-{k}": ast.unparse(ast.parse(source)) for k, source in enumerate(sources)}
        monkeypatch.setattr(generated, "cells_of", lambda stem: cells)
        generated.errors_of.cache_clear()
        generated.read_in.cache_clear()
        pool = [error for cell in cells for error in generated.errors_of("", cell).values()]
        return [error.key for error in mutants.one_a_place(pool, 0)]

    first = found("a = f(b - 2 * c)\nd = a + 1", "check('w', g(a - d), 1)")
    assert found("a = f(\n    b - 2 * c,  # twice\n)\n\nd = (a + 1)", "check('w', g(a - d), 1)") == first
    more = found("a = f(b - 2 * c)\ne = a - 3\nd = a + 1", "check('w', g(a - d), 1)", "check('w', g(e), 1)")
    assert [key for key in more if key in first] == first
    generated.errors_of.cache_clear()
    generated.read_in.cache_clear()


def test_an_error_is_in_one_cell_alone():
    (cells, key, _), *_ = generated.each_caught("05_vq_vae")
    before = {name: generated.cells_of("05_vq_vae")[name] for name in cells}
    after = generated.with_error("05_vq_vae", cells, key)
    assert [name for name in cells if after[name] != before[name]] == [key.partition(" | ")[0]]
    with pytest.raises(KeyError):
        generated.with_error("05_vq_vae", cells, f"{cells[0]} | no such line | 1 → 2")
