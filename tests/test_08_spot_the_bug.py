"""Notebook 08: planted errors in its own checks, and its code with the mistakes before the shown checks."""

import re

import pytest
from played import FOLDER, answers_are_marked, code_cells, one_for_each_claim, planted_errors_fail, sliders_move
from test_marker import CASES, SOLUTIONS

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
    "the lowest point": [("(factor, m + 0 * s, s).argmin()]", "(factor, m + 0 * s, s).argmax()]", "both")],
    "logits of 0": [("math.log(2)", "1.0", "leak-truth"), ("/ len(x)", "", "leak-train", "leak-truth")],
}
test_planted_errors = planted_errors_fail
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked


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
