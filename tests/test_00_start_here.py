"""Planted errors in the checks of notebook 00_start_here."""

from played import answers_are_marked, planted_errors_fail, sliders_move

STEM = "00_start_here"
PLANTED = [
    ("exact = a.cpu().double() @ a.cpu().double()", "exact = a.cpu().double() @ a.cpu().double().T", "device"),
    (
        "normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)",
        "normal = torch.exp(-(z**2)) / math.sqrt(2 * math.pi)",
        "check-normal",
    ),
    (
        "normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)",
        "normal = torch.exp(-((z - 1) ** 2) / 2) / math.sqrt(2 * math.pi)",
        "check-normal",
        "check-blind",
    ),
    (
        "normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)",
        "normal = torch.exp(-(z**2)) / math.sqrt(math.pi)",
        "check-normal",
        "check-blind",
    ),
    ("moved, z)", "normal, z)", "check-normal", "check-blind"),
    ("z**2, exact=1.0", "z.abs(), exact=1.0", "check-mean"),
    ("z**2, exact=1.0", "z, exact=1.0", "check-mean"),
    ("manual_seed(0))", "manual_seed(1))", "check-mean"),
    ("/ S**0.5", "/ S", "standard-error"),
    ("/ S**0.5", "* S**0.5", "standard-error"),
    ("train=False", "train=True", "test-set"),
    ("data.as_float(held_out.x[:300])", "data.as_float(grey.x[:300])", "test-set"),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = 1 - data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "binarize",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = data.binarize(x.expand(1000, -1, -1, -1) ** 2, generator)",
        "binarize",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = data.binarize(x, generator).expand(1000, -1, -1, -1)",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = x.expand(1000, -1, -1, -1)",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = 2 * x * torch.rand(1000, 1, 28, 28, generator=generator)",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = (torch.rand(1000, 1, 1, 1, generator=generator) < x).float()",
        "binarize",
        "binarize-all",
    ),
    (
        "draws = data.binarize(x.expand(1000, -1, -1, -1), generator)",
        "draws = data.binarize(torch.full((1000, 1, 28, 28), 0.4), generator)",
        "binarize",
        "binarize-all",
    ),
    ('"AE.encode"', '"AE.encoding"', "names"),
]


test_planted_errors = planted_errors_fail
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
