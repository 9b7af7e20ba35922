"""Planted errors in the checks of notebook 00_start_here."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move

STEM = "00_start_here"
FLIPS = "flips = data.binarize(x.expand(1000, -1, -1, -1), coin_rng)"
COINS = ("binarize", "binarize-proof")
BLIND = ("check-normal", "check-blind", "check-blind-proof")
MASS = ("check-normal", "check-normal-proof")
ERRORS = ("standard-error", "standard-error-proof")
SEEDS = ("seeds-parts", "seeds", "seeds-proof")
PLANTED = {
    "this device: it multiplies": [
        ("a.cpu().double() @ a.cpu().double()", "a.cpu().double() @ a.cpu().double().T", "device-proof")
    ],
    "total mass: the standard normal": [
        ('"normal": bell / math.sqrt(2 * math.pi)', '"normal": bell / math.sqrt(math.pi)', *MASS),
        ("bell = torch.exp(-(z**2) / 2)", "bell = torch.exp(-(z**2))", *MASS),
        ("z = torch.linspace(-10, 10, 2001", "z = torch.linspace(0, 10, 2001", *MASS),
    ],
    "total mass: the slip": [("bell / (2 * math.pi)", "bell / math.sqrt(2 * math.pi)", *MASS)],
    "mean and variance: the moved density": [("((z - 1) ** 2) / 2)", "((z - 1) ** 2))", *BLIND)],
    "mean and variance: the standard normal": [
        ("bell = torch.exp(-(z**2) / 2)", "bell = torch.exp(-((z - 1) ** 2) / 2)", *BLIND)
    ],
    "mean and variance: and variance": [
        ('"normal": bell / math.sqrt(2 * math.pi)', '"normal": bell**2 / math.sqrt(math.pi)', *BLIND),
        ('moment("normal", 2)', 'moment("moved by 1", 2)', *BLIND),
    ],
    "mean and variance: the slip": [('moment("moved by 1", 1)', 'moment("normal", 1)', *BLIND)],
    "standard error: the mean of z²": [
        ("draws**2, exact=1.0", "draws.abs(), exact=1.0", *ERRORS),
        ("draws**2, exact=1.0", "draws, exact=1.0", *ERRORS),
    ],
    "standard error: the same seed": [("manual_seed(0))", "manual_seed(1))", "standard-error-proof")],
    "standard error: averages spread": [
        ("/ S**0.5", "/ S", *ERRORS),
        ("/ S**0.5", "* S**0.5", *ERRORS),
        ("(draws**2).std()", "draws.std()", *ERRORS),
    ],
    "± images: the error of a share": [
        ("here * (1 - here) / (n - 1)", "here * (1 - here) / n", *SEEDS[1:]),
        ("compare.mean_of(wrong[0].double()).error", "float(wrong[0].double().std())", *SEEDS[1:]),
        ("compare.mean_of(wrong[0].double()).error", "compare.mean_of(wrong[1].double()).error", *SEEDS[1:]),
    ],
    "a seed: the same seed": [("torch.manual_seed(seed)", "torch.seed()", *SEEDS)],
    "a seed: another seed": [
        ("misread(seed) for seed", "misread(0) for seed", *SEEDS[1:]),
        ("torch.manual_seed(seed)", "torch.manual_seed(0)", *SEEDS),
    ],
    "image sets: every label": [("images.y.tolist()", "images.y[:8].tolist()", "test-set-proof")],
    "image sets: no test image": [("train=False", "train=True", "test-set-proof")],
    "image sets: nor nearly one": [("unseen.x[:300]", "grey.x[:300]", "test-set-proof")],
    "coins: E[b] = x for that pixel": [
        (FLIPS, FLIPS.replace("= data", "= 1 - data"), *COINS),
        (FLIPS, FLIPS.replace("-1), ", "-1) ** 2, "), *COINS),
        (FLIPS, "flips = data.binarize(x, coin_rng).expand(1000, -1, -1, -1)", *COINS),
        (FLIPS, "flips = x.expand(1000, -1, -1, -1)", *COINS),
    ],
    "coins: every b": [(FLIPS, "flips = 2 * x * torch.rand(1000, 1, 28, 28, generator=coin_rng)", *COINS)],
    "coins: E[b] = x for every grey pixel": [
        (FLIPS, "flips = data.binarize(torch.full((1000, 1, 28, 28), 0.4), coin_rng)", *COINS)
    ],
    "coins: each pixel": [(FLIPS, "flips = (torch.rand(1000, 1, 1, 1, generator=coin_rng) < x).float()", *COINS)],
    "names: the table's names": [('"AE.encode"', '"AE.encoding"', "names-proof")],
}


test_planted_errors = planted_errors_fail
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
