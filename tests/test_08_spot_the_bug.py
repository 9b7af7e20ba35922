"""Notebook 08: planted errors in its own checks; its ten cases, the solutions' checks against every one, and useless checks refused."""

import math
import re

import numpy as np
import pytest
import torch
from played import FOLDER, answers_are_marked, code_cells, one_for_each_claim, planted_errors_fail, read, sliders_move

from vaelib import bugs
from vaelib.exercises import Wrong

STEM = "08_spot_the_bug"
# the arms start from one seed each, so that one can be trained anew alone, where all are judged
JUDGED = "x = x_test[:1000].to(device)"
PLANTED = {
    "all four": [('run.history[0]["loss"] for arm', 'run.history[-1]["loss"] for arm', "train-check")],
    "B is worse": [('truth[arm] - truth["A"]', 'truth["A"] - truth[arm]', "truth")],
    "four more": [("1 - max(drops)", "min(drops) - 1", "words-truth")],
    "F's loss": [(JUDGED, f'worded["F"] = trained_words(weights=(1, 0.25)); {JUDGED}', "words-truth")],
    "G rebuilds": [('error["G"] - error["E"]', 'error["E"] - error["G"]', "words-truth")],
    "H's words": [('fit_of_words["H"] / fit_of_words["E"]', 'fit_of_words["E"] / fit_of_words["H"]', "words-truth")],
    "E's codebook": [('worded["E"][2]', 'worded["G"][2]', "words-truth")],
    "G's codebook": [(JUDGED, f'worded["G"] = trained_words(weights=(0.25, 1)); {JUDGED}', "words-truth")],
    "it grows": [("steps=100, late=True", "steps=100, late=False", "words-alone")],
    "masks A": [
        ("(t < t[:, None])", "(t <= t[:, None] - 2)", "leak-truth"),
        ("[t, t]", "[t, t - 1]", "leak-truth"),
    ],
    "masks B": [("(t < t[:, None])", "(t <= t[:, None])", "leak-truth")],
    "the right one is": [
        ("(2 * log_std).exp() - 2 * log_std", "(2 * log_std).exp() - log_std", "three-mistakes", "both"),
        ("(mean**2 + (2 * log_std)", "(-(mean**2) + (2 * log_std)", "three-mistakes", "both"),
        ("2 * log_std - 1)", "2 * log_std)", "three-mistakes", "both"),
    ],
    "B's is that": [("(factor * log_std).exp()", "(2 * log_std).exp()", "both")],
    "the lowest point": [("s[f(m + 0 * s, s).argmin()]", "s[f(m + 0 * s, s).argmax()]", "both")],
    "logits of 0": [("math.log(2)", "1.0", "leak-truth"), ("/ len(x)", "", "leak-train", "leak-truth")],
}
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


test_planted_errors = planted_errors_fail
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked


@pytest.mark.parametrize("case", CASES)
def test_the_shown_check_passes_right_code_and_fails_every_mistake(case):
    assert bugs.verdict(CASES[case], shown_solutions()[case]) == []


NAMES = {"loss": "neg_elbo", "rows": "to_rows"}


@pytest.mark.parametrize("case", CASES)
def test_the_code_in_the_notebook_has_the_mistake(played, case, caught):
    """The marker runs its own copy of the mistake: the one that the reader sees fails the same check."""
    found = played.attempt(
        "import math, torch\nimport numpy as np", SOLUTIONS, f"expose_{case}({NAMES.get(case, case)})"
    )

    def attempt():
        assert found is None or not found[0], found

    caught(case, attempt)


def nothing(code):
    pass


def everything(code):
    raise AssertionError


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
    assert torch.equal(
        kl(torch.ones(1, 1) / 3, torch.ones(1, 1) / 3), bugs.kl_right(torch.ones(1, 1) / 3, torch.ones(1, 1) / 3) + 0
    )
    assert kl.__name__ == "kl_right"


USELESS = [
    *((case, nothing, "passes the mistake") for case in CASES),
    *((case, everything, "fails right code") for case in CASES),
    ("kl", at_the_easy_point, "passes the mistake"),
    ("vq_loss", value_alone, "passes the mistake"),
    ("quantize", words_alone, "passes the mistake"),
    ("rows", shape_alone, "passes the mistake"),
    ("network", last_pixel_alone, "passes the mistake"),
    ("bound", multiples_alone, "passes the mistake"),
    ("kl", too_strict, r"fails right code \(version 2 of 2\)"),
]


@pytest.mark.parametrize(("case", "check", "hint"), USELESS)
def test_useless_checks_are_refused(case, check, hint):
    mark = getattr(bugs, f"spot_{case}")
    with pytest.raises(Wrong, match=rf"^✗ exercise 08\.\d+: your check {hint}"):
        mark(check)


def test_what_is_still_to_be_done_is_said_and_stops_nothing(capsys):
    def stub(code):
        raise NotImplementedError("your turn")

    bugs.spot_kl(stub)
    bugs.mended(stub, bugs.kl_found)
    solution = shown_solutions()["kl"]
    bugs.mended(solution, bugs.kl_right)  # no marker has seen it yet
    bugs.mended(lambda code: None, bugs.kl_found)
    bugs.spot_kl(solution)
    bugs.mended(solution, bugs.kl_found)
    bugs.mended(solution, bugs.kl_right)
    bugs.mended(solution, lambda mean: mean)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "○ exercise 08.1: not attempted yet"
    assert lines[1] == "○ write the check first"
    assert lines[2:4] == ["○ first a check that its marker accepts"] * 2
    assert lines[4].endswith("other mistakes of the kind: 5 of 5 caught.")
    assert lines[5].startswith("○ not mended yet: AssertionError: the assert in line")
    assert lines[6] == "✓ mended: it passes your check"
    assert lines[7].startswith("○ not mended yet: TypeError")


def test_a_check_may_stumble_over_wrong_code_and_hears_what_it_misses(capsys):
    def by_backward(vq_loss):  # .grad stays None where no gradient comes
        z_e, e = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4, requires_grad=True)
        vq_loss(z_e, e, 0.25).backward()
        expected = (z_e - e).detach() / 12
        assert torch.allclose(z_e.grad, 0.25 * expected, atol=1e-6)
        assert torch.allclose(e.grad, -expected, atol=1e-6)

    bugs.spot_vq_loss(by_backward)
    assert "4 of 5 caught. Missed: beta fixed." in capsys.readouterr().out


def test_the_story_of_the_four_curves_is_in_the_outputs():
    """The prose says that D has the lowest curve, and a σ of 1, and C a KL of 0: the stored outputs say so, too."""
    text = "".join(
        output.text
        for cell in code_cells(FOLDER / f"{STEM}.ipynb")
        for output in cell.outputs
        if output.output_type == "stream"
    )
    summary = text.partition("last values:")[2].partition("\n")[0]
    last = {arm: float(value) for arm, value in re.findall(r"\b([ABCD]) (0\.\d+)", summary)}
    assert min(last, key=last.get) == "D"
    assert re.search(r"^C: .*of which KL +0\.0;", text, flags=re.M)
    assert re.search(r"^D: .*mean σ of q 1\.0", text, flags=re.M)
    assert set(last) == set("ABCD")
