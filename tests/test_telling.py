"""What a run says of itself."""

import json
import math

import pytest

from vaelib.classroom import telling
from vaelib.classroom.telling import OverSeeds, compared, over_seeds, told
from vaelib.outside import console


def test_a_sentence_is_text_on_a_page_and_plain_elsewhere(monkeypatch, capsys):
    told("**{best}** is ahead by {gap:.2f} bits.", best="FSQ", gap=0.12345)
    assert capsys.readouterr().out == "FSQ is ahead by 0.12 bits.\n"
    shown = []
    monkeypatch.setattr(console, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data) if raw else None)
    told("**{best}** is ahead by {gap:.2f} bits.", best="FSQ", gap=0.12345)
    assert capsys.readouterr().out == ""
    assert shown == [{"text/markdown": "**FSQ** is ahead by 0.12 bits.", "text/plain": "FSQ is ahead by 0.12 bits."}]


@pytest.mark.parametrize(
    ("sentence", "values", "words"),
    [
        ("{a} of {b}", {"a": 1}, "the values given: a"),
        ("{a:.2f}", {"a": "much"}, "cannot be filled in"),
        ("{0}", {}, "the values given: none"),
        ("{a", {"a": 1}, "cannot be filled in"),
        ("", {}, "sentence"),
        (None, {}, "sentence"),
    ],
)
def test_a_sentence_that_cannot_be_filled_in_is_one(sentence, values, words):
    with pytest.raises(ValueError, match=words):
        told(sentence, **values)


@pytest.mark.parametrize(
    ("difference", "noise", "words"),
    [
        (0.24, 0.05, "ahead by 0.24 ± 0.05"),
        (-0.24, 0.05, "behind by 0.24 ± 0.05"),
        (0.1, 0.05, "level (0.10 ± 0.05)"),  # exactly twice the noise is not beyond it
        (-0.0999, 0.05, "level (-0.10 ± 0.05)"),
        (0.1001, 0.05, "ahead by 0.10 ± 0.05"),
        (0.0, 1e-9, "level (0.00 ± 0.00)"),
    ],
)
def test_a_difference_is_one_beyond_twice_its_noise(difference, noise, words):
    assert compared(difference, noise) == words


def test_a_difference_in_words_of_one_s_own():
    assert compared(-3, 1, "more", "fewer", "as many", form=".0f") == "fewer by 3 ± 1"
    for settings in (
        {"noise": 0}, {"noise": -1}, {"noise": math.nan}, {"difference": math.nan}, {"difference": "1"}, {"more": ""}, {"form": "q"}
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"was given: use "):
            compared(**({"difference": 1.0, "noise": 1.0} | settings))


RUNS = [
    {"notebook": "05", "seed": 1, "threads": 1, "machine": "m", "values": {"error": 0.125, "only 05": 7}, "failed": []},
    {"notebook": "05", "seed": 1, "threads": 2, "machine": "m", "values": {"error": 0.150}, "failed": []},
    {"notebook": "05", "seed": 2, "threads": 1, "machine": "m", "values": {"error": 0.215}, "failed": []},
    {"notebook": "07", "seed": 1, "threads": 1, "machine": "m", "values": {"bits": 4.1}, "failed": []},
]


@pytest.fixture
def runs(monkeypatch, tmp_path):
    (tmp_path / "seeds.json").write_text(json.dumps(RUNS))
    monkeypatch.setattr(telling, "files", lambda package: tmp_path)
    monkeypatch.setattr(telling, "_measured", {})
    telling.kept_runs.cache_clear()
    yield
    telling.kept_runs.cache_clear()


@pytest.mark.usefixtures("runs")
def test_a_figure_stands_beside_those_of_other_seeds():
    found = over_seeds("error", 0.17)
    assert found == (0.17, (0.125, 0.150, 0.215), 2)
    assert (found.low, found.high) == (0.125, 0.215)
    assert f"{found:.2f}" == "0.17 (2 other seeds: 0.12 … 0.21)"
    assert str(found) == "0.17 (2 other seeds: 0.125 … 0.215)"
    beyond = over_seeds("error", 0.3)
    assert (beyond.low, beyond.high) == (0.125, 0.3)
    alone = over_seeds("new", 2)
    assert f"{alone:.1f}" == "2.0 (nothing is kept of other seeds)"
    assert (alone.low, alone.high) == (2, 2)
    assert telling.measured() == {"error": 0.3, "new": 2}
    for name, here in (("", 1), (None, 1), ("a", math.nan), ("a", "1"), ("a", None)):
        with pytest.raises(ValueError, match="over_seeds"):
            over_seeds(name, here)


def test_an_order_is_one_where_every_run_has_it():
    words = "more", "less", "level"
    assert OverSeeds(0.2, (0.1, 0.3)).verdict(*words) == "more"
    assert OverSeeds(-0.2, (-0.1, -0.3)).verdict(*words) == "less"
    assert OverSeeds(0.2, (-0.1, 0.3)).verdict(*words) == "level"
    assert OverSeeds(-0.2, (0.1, 0.3)).verdict(*words) == "level"
    assert OverSeeds(0.2, ()).verdict(*words) == "level"  # one run settles no order
    assert OverSeeds(0.0, (0.1,)).verdict(*words) == "level"
    with pytest.raises(ValueError, match="level"):
        OverSeeds(0.2, (0.1,)).verdict("more", "less", "")


def test_what_is_kept_covers_seeds_and_both_numbers_of_threads():
    """Of each notebook that tells: five seeds, with one thread and with two, all with the same figures."""
    by_notebook = {}
    for run in telling.kept_runs():
        by_notebook.setdefault(run["notebook"], []).append(run)
    for notebook, kept in by_notebook.items():
        assert {(run["seed"], run["threads"]) for run in kept} == {(s, t) for s in range(1, 6) for t in (1, 2)}, (
            notebook
        )
        assert len({frozenset(run["values"]) for run in kept}) == 1, notebook
        assert all(math.isfinite(value) for run in kept for value in run["values"].values())
