"""Notebook 08: planted errors in its own checks, and its code with the mistakes before the shown checks."""

import re

import pytest
from played import (
    FOLDER,
    answers_are_marked,
    code_cells,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
)
from test_marker import CASES, SOLUTIONS

STEM = "08_spot_the_bug"
# the arms start from one seed each, so that one can be trained anew alone, where all are judged
JUDGED = "x = x_test[:1000].to(device)"
ONCE = ("three-mistakes", "loss-proof")
JUDGE = ("truth-parts", "truth", "truth-proof")
WORDS = ("words", "words-train", "words-proof")
NARROW = ("narrow-parts", "narrow", "narrow-proof")
HIDE = ("words-truth", "words-truth-proof")
LEAK = ("leak-truth", "leak-told", "leak-proof")
JACOBIAN = ("jacobian", "jacobian-proof")
PLANTED = {
    "ELBO-10: KL": [
        ("(2 * log_std).exp() - 2 * log_std", "(2 * log_std).exp() - log_std", *ONCE),
        ("(mean**2 + (2 * log_std)", "(-(mean**2) + (2 * log_std)", *ONCE),
        ("2 * log_std - 1)", "2 * log_std)", *ONCE),
    ],
    "ELBO-10: -ELBO": [
        ("/ len(x) + kl.mean()", "/ len(x) + 2 * kl.mean()", *ONCE),
        ("/ len(x) + kl.mean()", "/ len(x) + kl.mean() / 2", *ONCE),
        ("/ len(x) + kl.mean()", "/ x.numel() + kl.mean()", *ONCE),
        ("cost / len(x)", "cost", *ONCE),
    ],
    "four curves: all four": [("1 - max(falls.values())", "min(falls.values()) - 1", "train-check")],
    "four curves: D's": [("falls[arm] for arm in", "falls['D'] + 0 * falls[arm] for arm in", "train-check")],
    "the true -ELBO: ": [
        ("test.neg_elbo.value - truth", "test.distortion.value - truth", "truth", "truth-proof"),
        ('- truth["A"].neg_elbo.value for', '- truth["B"].neg_elbo.value for', "truth", "truth-proof"),
    ],
    "the true -ELBO: C's KL": [('truth["C"].rate', 'truth["A"].rate', "truth-proof")],
    "the true -ELBO: D's σ": [
        (".log_std.exp().mean()", ".log_std.mean()", *JUDGE),
        (".log_std.exp().mean()", ".log_std.mul(2).exp().sum()", *JUDGE),
    ],
    "the true -ELBO: 20 draws": [("samples=20", "samples=1", *JUDGE)],
    "narrower q: factor 1": [("factors = [1, 0.7", "factors = [0.9, 0.7", *NARROW)],
    "narrower q: the KL": [
        ("math.log(self.factor)", "self.factor", "narrow-parts", "narrow", "narrow-proof"),
        ("math.log(self.factor)", "2 * math.log(self.factor)", *NARROW),
        ("DiagGaussian(q.mean,", "DiagGaussian(0 * q.mean,", *NARROW),
    ],
    "narrower q: D's": [("d[0] - min(d)", "b[0] - min(b)", "narrow-proof")],
    "narrower q: B's": [("min(b[1:])", "min(d[1:])", "narrow-proof")],
    "the formulas of B and of A: the right one": [("kl_right(two, s)", "kl_found(two, s)", "both-proof")],
    "the formulas of B and of A: B's is that": [
        ("(mean**2 + scaled.exp()", "(mean**2 / 2 + scaled.exp()", "both", "both-proof"),
        ("scaled = factor * log_std", "scaled = 2 * log_std", "both", "both-proof"),
    ],
    "where the minimum lies: at": [("m + 0 * s, s).argmin()]", "m + 0 * s, s).argmax()]", "both-proof")],
    "where the minimum lies: the slope": [("c / 2 * (torch", "c * (torch", "both-proof")],
    "VQ-5: E's loss": [
        ('"E": {}', '"E": {"weights": (1, 1)}', *WORDS),
        ('"E": {}', '"E": {"reshaped": True}', *WORDS),
        ("/ x.var()", "", *WORDS),
        ("/ x.var()", "/ x.std()", *WORDS),
        ("self.decoder(z_q) + 0.5", "self.decoder(z_q)", *WORDS),
    ],
    "VQ-5: what E's codebook": [
        ('"E": {}', '"E": {"weights": (0.25, 1)}', *WORDS),
        ("F.mse_loss(e, z_e.detach())", "F.mse_loss(e.detach(), z_e.detach())", *WORDS),
        ("e = patched if late else e", "e = patched", *WORDS),
    ],
    "VQ-5: what E's vectors": [
        ("F.mse_loss(e, z_e.detach())", "F.mse_loss(e, z_e)", *WORDS),
    ],
    "four more curves: all": [("1 - max(ends.values())", "min(ends.values()) - 1", "words-proof")],
    "what the four hide: F's": [(JUDGED, f'worded["F"] = trained_words(weights=(1, 0.25)); {JUDGED}', *HIDE)],
    "what the four hide: G rebuilds": [('error["G"] - error["E"]', 'error["E"] - error["G"]', "words-truth-proof")],
    "what the four hide: H's": [('fit["H"] / fit["E"]', 'fit["E"] / fit["H"]', "words-truth-proof")],
    "what the four hide: E's": [('worded["E"][2]', 'worded["G"][2]', "words-truth-proof")],
    "what the four hide: G's": [(JUDGED, f'worded["G"] = trained_words(weights=(0.25, 1)); {JUDGED}', *HIDE)],
    "behind the patch alone": [
        ("steps=100, late=True", "steps=100, late=False", "words-alone", "words-alone-proof"),
    ],
    "AR-1: logits of 0": [
        ("math.log(2)", "1.0", *LEAK),
        ("/ len(x)", "", "leak-curves", *LEAK),
    ],
    "AR-1: I": [
        ("(t < t[:, None])", "(t <= t[:, None] - 2)", *LEAK),
        ("[t, t]", "[t, t - 1]", *LEAK),
        ("x.flatten(), reduction", "1 - x.flatten(), reduction", *LEAK),
    ],
    "AR-1: J: it pays": [("(t < t[:, None])", "(t <= t[:, None])", *LEAK)],
    "AR-2: I": [("J_of = {name: derivatives(net,", "J_of = {name: derivatives(pixels['J'][0],", *JACOBIAN)],
    "AR-2: J: something": [("derivatives(net, piece) for", "derivatives(net, piece).tril(-1) for", *JACOBIAN)],
    "AR-2: J: nothing": [(".abs().cpu()", ".abs().cpu().mT", *JACOBIAN)],
    "AR-2: J: logit 15": [(".abs().cpu()", ".abs().mul(2).cpu()", *JACOBIAN)],
    "AR-1: J: and reports": [
        ('reports["I"] - reports["J"]', 'reports["J"] - reports["I"]', "leak-proof"),
    ],
}
test_other_seeds_are_kept = other_seeds_are_kept
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
    """The prose says that D has the lowest curve, and a σ of 1, and C a KL of 0 (checked): the stored outputs say so, too."""
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
