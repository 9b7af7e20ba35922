"""The mutation run itself: which changes it makes, and that what it calls equivalent is still there."""

import ast

import mutants
import pytest


def changed(source):
    """Every changed form of a source."""
    found = set()
    for _, _, start, end, new in mutants.Changes(source.encode()).all():
        text = source.encode()[:start].decode() + new + source.encode()[end:].decode()
        if mutants.is_python(text.encode()):
            found.add(text)
    return found


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a + b", {"a - b"}),
        ("a * b", {"a / b", "(a)", "(b)"}),
        ("a / b", {"a * b", "(a)"}),
        ("a // b", {"a / b"}),
        ("a -= b", {"a += b", "pass"}),
        ("-a", {"a"}),
        ("a < b <= c", {"a <= b <= c", "a > b <= c", "a < b < c", "a < b > c"}),
        ("a is not None", {"a is None"}),
        ("a and b", {"a or b", "(a)", "(b)"}),
        ("not a", {"a"}),
        ("a = 3", {"a = 4", "a = 2", "a = 6", "a = 0"}),
        ("a = 0.5", {"a = 1.5", "a = 1.0", "a = 0.0"}),
        ("a = True", {"a = False"}),
        ("é + 1", {"é - 1", "é + 2", "é + 0"}),
        ("def f(a=1): return a", {"def f(a=2): return a", "def f(a=0): return a"}),
        ("b = f(a, b=c)", {"b = f(a, )"}),
        ("b = f(b=c, d=e)", {"b = f(d=e)", "b = f(b=c, )"}),
        ("b = a.detach()", {"b = a"}),
        ("b = a.clamp(min=c)", {"b = a", "b = a.clamp()"}),
        ("f(a)", {"pass"}),
        ("a.b = c", {"pass"}),
        ("a = b", set()),
        ("raise a", {"pass"}),
        ("def f(): return a, b, c", {"def f(): return (b, a, c)"}),
        ("b = f(a, c)", {"b = f(c, a)"}),
        ("b = a.transpose(1, 0)", {f"b = a.transpose({each})" for each in ("0, 1", "0, 0", "2, 0", "1, 1", "1, (-1)")}),
        ("b = f(generator)", {"b = f(None)"}),
        ("b = f(generator=generator)", {"b = f(generator=None)", "b = f()"}),
        ("if a: pass", {"if True: pass", "if False: pass"}),
        ("b = a if c else d", {"b = a if True else d", "b = a if False else d"}),
        ("while a: break", {"while False: break", "while a: continue"}),
        ("a[b:c]", {"a[:c]", "a[b:]"}),
        ("b = max(a)", {"b = min(a)"}),
        ("b = [a for a in c if d]", {"b = [a for a in c if True]"}),
        ("@a\ndef f(): pass", {"\ndef f(): pass"}),
        ('a: int = "b"', set()),
        ('"""1 + 1"""', set()),
        ('raise A(f"{1 + 1}")', {"pass"}),
    ],
)
def test_changes(source, wanted):
    assert changed(source) == wanted


def test_the_sample_stays_where_lines_stay(monkeypatch, tmp_path):
    file = tmp_path / "a.py"
    monkeypatch.setattr(mutants, "path_of", lambda module: file)
    lines = [f"a{k} = b{k} + c{k}  # {k}" for k in range(40)]
    file.write_text("\n".join(lines))
    first = {mutant.key for mutant in mutants.sample(["a"], 10, 0)}
    file.write_text("\n".join(["import d", *lines]))
    assert {mutant.key for mutant in mutants.sample(["a"], 10, 0)} == first
    assert {mutant.key for mutant in mutants.sample(["a"], 10, 1)} != first
    assert len(first) == 10


def test_every_module_has_tests_and_every_mutant_is_a_change():
    for module in mutants.modules():
        found = mutants.mutants(module)
        assert not found or mutants.tests_of(module)
        assert len({mutant.key for mutant in found}) == len(found)
        source = mutants.path_of(module).read_bytes()
        same = ast.dump(ast.parse(source))
        for mutant in found[:: max(1, len(found) // 2)]:
            text = mutants.changed(source, mutant)
            assert text != source
            assert not mutants.is_python(text) or ast.dump(ast.parse(text)) != same


def test_equivalents_are_mutants_and_have_reasons():
    there = {mutant.key for module in mutants.modules() for mutant in mutants.mutants(module)}
    for key, reason in mutants.equivalents().items():
        assert key in there, f"no longer a mutant: {key}"
        assert reason
