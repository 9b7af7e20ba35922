"""vaelib.pixelcnn and vaelib.causal: enumeration, Jacobians, masked convolutions, frequencies of samples; with planted errors."""

import itertools
import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vaelib import autoregressive, causal, pixelcnn, train
from vaelib.classroom import checks
from vaelib.distributions import Categorical

SMALL = {
    "PixelCNN": ("PixelCNN", {"layers": 3}),
    "gated": ("GatedPixelCNN", {"layers": 3}),
    "++": ("PixelCNNpp", {"layers": 1, "likelihood": "categorical"}),
    "++ logistic": ("PixelCNNpp", {"layers": 1}),
    "gated logistic": ("GatedPixelCNN", {"layers": 2, "likelihood": "logistic"}),
    "gated codes": ("GatedPixelCNN", {"layers": 2, "ordered": False}),
}


def made(kind, levels=3, channels=1, module=pixelcnn, **more):
    """A small model with random weights, in double precision and eval mode."""
    torch.manual_seed(0)
    name, settings = SMALL[kind]
    return getattr(module, name)(levels, channels, hidden=6, **{**settings, **more}).double().eval()


def images(*shape, levels=3, seed=1):
    return torch.randint(levels, shape, generator=torch.Generator().manual_seed(seed))


def every_image(levels, shape):
    numbers = torch.tensor(list(itertools.product(range(levels), repeat=torch.Size(shape).numel())))
    return numbers.view(-1, *shape)


# ---- AR-1: normalised


def normalised(module, kind):
    for levels, shape in ((2, (1, 3, 3)), (3, (2, 2, 2))):
        total = made(kind, levels, shape[0], module).log_prob(every_image(levels, shape)).exp().sum()
        checks.check(f"AR-1: {kind}, {levels} levels, {shape}", total - 1, 1e-6)


@pytest.mark.parametrize("kind", SMALL)
def test_the_probabilities_of_all_images_sum_to_1(kind):
    normalised(pixelcnn, kind)


# ---- AR-2: causal


def jacobian(model, shape, seed=2):
    """d (all parameters of pixel i's channel c, summed with random weights) / d (what is seen of pixel j's channel d): (n, n)."""
    x = images(1, *shape, levels=model.levels, seed=seed)
    e = model.embed(x).detach()
    generator = torch.Generator().manual_seed(3)

    def by_channel(e):
        found = model.head(model.features(e), e)
        if isinstance(found, Categorical):
            parts = found.logits[0]
        else:  # the mean that channel c's density has, given the image; weights and scales belong to all channels
            v = e.view(1, 1, shape[0], 2, *shape[1:])[:, :, :, 0]
            means = torch.stack([found._mean(c, v) for c in range(shape[0])], 2)
            shared = found.logit_weights[:, :, None] + found.log_scales
            parts = torch.cat((means, shared), 1)[0]
        weights = torch.randn(parts.shape, generator=generator.manual_seed(3), dtype=parts.dtype)
        return (parts * weights).sum(0).permute(1, 2, 0).flatten()  # in the order of drawing: pixels, then channels

    J = torch.autograd.functional.jacobian(by_channel, e)[:, 0]
    J = J.view(len(J), shape[0], -1, *shape[1:]).abs().sum(2)
    return J.permute(0, 2, 3, 1).flatten(1)


def causal_jacobian(module, kind):
    for shape in ((1, 4, 5), (3, 3, 4)):
        J = jacobian(made(kind, 3, shape[0], module), shape)
        checks.check("AR-2: nothing at or after the place itself", J.triu(), 0)
        checks.check("AR-2: and a neighbour to the left is seen", J[2 * shape[0], shape[0]], at_least=1e-9)


@pytest.mark.parametrize("kind", SMALL)
def test_the_jacobian_is_strictly_lower_triangular(kind):
    causal_jacobian(pixelcnn, kind)


@pytest.mark.parametrize("kind", SMALL)
def test_a_changed_pixel_changes_nothing_before_it(kind):
    """By exchange of values instead of gradients: exact, and it sees a leak that has gradient 0."""
    shape = (2, 4, 4)
    model, x = made(kind, 3, 2), images(1, *shape)

    def terms(x):
        """log p of each number, in the order of drawing."""
        found = model(x)
        if isinstance(found, Categorical):
            return torch.log_softmax(found.logits, 1).gather(1, x[:, None])[0, 0].permute(1, 2, 0).flatten()
        pixels = []
        for i, j in itertools.product(range(4), range(4)):
            cut = found._replace(
                **{k: v[..., i : i + 1, j : j + 1] for k, v in found._asdict().items() if k != "levels"}
            )
            pixels.append(cut.log_prob(x[..., i : i + 1, j : j + 1]))
        return torch.cat(pixels)

    before = terms(x)
    for place in range(16):
        i, j = divmod(place, 4)
        other = x.clone()
        other[0, :, i, j] = (other[0, :, i, j] + 1) % 3
        after = terms(other)
        per_pixel = len(before) // 16
        assert torch.equal(before[: place * per_pixel], after[: place * per_pixel])


LEAKS = {  # what is wrong: (old, new, the models that then see what they must not)
    "mask A shows the pixel itself": ('int(kind == "A")', "0", ["PixelCNN", "++"]),
    # in PixelCNN++ every way out leads through masks B, which then hide the pixel: no leak, only a weaker network
    "masks A and B exchanged": ('(kind == "B"), int(kind == "A")', '(kind == "A"), int(kind == "B")', ["PixelCNN"]),
    "the rows above are not shifted": (
        "rows - 1 + self.shift, -self.shift",
        "rows - 1, 0",
        ["PixelCNN", "gated", "++"],
    ),
    "the row to the left is not shifted": (
        "1 + self.shift, -self.shift, 0, 0",
        "1, 0, 0, 0",
        ["PixelCNN", "gated", "++"],
    ),
}


TAKEN = {  # what vaelib.pixelcnn, or what its models share, takes from the modules in which errors are planted
    name: [part for part, value in vars(pixelcnn).items() if getattr(value, "__module__", None) == name]
    for name in ("vaelib.autoregressive", "vaelib.causal", "vaelib.sampling")
} | {"vaelib.distributions": ["DiscretizedLogisticMixture"]}


def grafted(plant, name, old="import torch\n", new="import torch\n"):
    """vaelib.pixelcnn with the classes of another module, in which an error is planted; or none, for a control."""
    donor, shared = plant(name, old, new), plant("vaelib.autoregressive", "import torch\n", "import torch\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, shared.__name__, donor if donor.__name__ == shared.__name__ else shared)
        module = plant("vaelib.pixelcnn", "import torch\n", "import torch\n")
    for part in TAKEN[name]:
        place = shared if name == "vaelib.distributions" else module
        assert hasattr(place, part)
        setattr(place, part, getattr(donor, part))
    return module


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("name", TAKEN)
def test_the_grafting_alone_breaks_nothing(name, kind, plant):
    module = grafted(plant, name)
    causal_jacobian(module, kind)
    normalised(module, kind)
    cache_agrees(module, kind)


@pytest.mark.parametrize(("leak", "kind"), [(leak, kind) for leak, (_, _, kinds) in LEAKS.items() for kind in kinds])
def test_leaks_are_caught(kind, leak, plant, caught):
    old, new, _ = LEAKS[leak]
    mutant = grafted(plant, "vaelib.causal", old, new)
    caught(f"{kind}: {leak}, by the Jacobian", lambda: causal_jacobian(mutant, kind))
    caught(f"{kind}: {leak}, by enumeration", lambda: normalised(mutant, kind))


@pytest.mark.parametrize("kind", SMALL)
def test_a_channel_order_slip_is_caught(kind, plant, caught):
    if isinstance(made(kind).head, autoregressive._LogisticHead):  # its colours are tied in vaelib.distributions
        mutant = grafted(plant, "vaelib.distributions", "* v[:, :, k]", "* v[:, :, -1 - k]")
        caught("colours tied in the wrong order, by enumeration", lambda: normalised(mutant, kind))
        return
    mutant = grafted(plant, "vaelib.autoregressive", "see(e[:, : c * self.inputs])", "see(e[:, -c * self.inputs :])")
    caught(f"{kind}: a channel sees the later ones, by the Jacobian", lambda: causal_jacobian(mutant, kind))
    caught(f"{kind}: the same, by enumeration", lambda: normalised(mutant, kind))


def test_batch_normalisation_in_training_mode_is_caught(caught):
    """It mixes all pixels of a batch: the likelihood is none, though each mask is right."""
    model = made("PixelCNN", 2)
    model.outs[0] = torch.nn.Sequential(model.outs[0], torch.nn.BatchNorm2d(6)).double()

    def check():
        checks.check("AR-2", jacobian(model, (1, 3, 3)).triu(), 0)

    model.train()
    caught("batch normalisation in training mode", check)
    model.eval()
    check()


# ---- AR-3, AR-4: what a pixel sees, and gates


def seen(model, size=15, at=(9, 7)):
    """Which pixels the features of one pixel depend on: (size, size) of bool."""
    e = model.embed(images(1, 1, size, size)).requires_grad_()
    features = model.features(e)[0, :, at[0], at[1]]
    # at random, as in jacobian: what a normalisation puts out sums to 0, whatever was seen
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(3), dtype=features.dtype)
    (grad,) = torch.autograd.grad((features * weights).sum(), e)
    return grad[0].abs().sum(0) > 0


def test_the_blind_spot():
    """Where stacked 3 x 3 masks cannot look: each layer goes up a row with one column to the right, and never back."""
    layers, (i, j) = 4, (9, 7)
    plain = seen(made("PixelCNN", layers=layers, first_kernel=3))
    gated = seen(made("gated", layers=layers, first_kernel=3))
    reachable = torch.zeros(15, 15, dtype=torch.bool)
    blind = torch.zeros(15, 15, dtype=torch.bool)
    reachable[i - layers : i, j - layers : j + layers + 1] = True
    reachable[i, j - layers : j] = True
    for up in range(1, layers + 1):
        blind[i - up, j + up + 1 : j + layers + 1] = True
    assert torch.equal(gated, reachable)
    assert torch.equal(plain, reachable & ~blind)
    assert int(blind.sum()) == layers * (layers - 1) // 2


def test_plus_plus_sees_all_pixels_before():
    found = seen(made("++"), size=16, at=(9, 7))
    before = (torch.arange(256) < 9 * 16 + 7).view(16, 16)
    assert not (found & ~before).any()
    assert int(found.sum()) > 0.9 * int(before.sum())


@pytest.mark.parametrize(("kind", "k"), [("A", 3), ("B", 3), ("A", 7), ("B", 5)])
def test_two_convolutions_are_one_masked_convolution(kind, k):
    conv = causal.Masked(kind, 3, 4, k).double()
    x = torch.randn(2, 3, 6, 9, dtype=torch.float64)
    whole = torch.zeros(4, 3, k, k, dtype=torch.float64)
    whole[:, :, : k // 2] = conv.above.weight.detach()
    whole[:, :, k // 2, : k // 2 + (kind == "B")] = conv.left.weight.detach()[:, :, 0]
    torch.testing.assert_close(conv(x), F.conv2d(x, whole, conv.above.bias, padding=k // 2))
    assert int((whole == 0).sum()) == 12 * (
        k * k - (k * (k // 2) + k // 2 + (kind == "B"))
    )  # no weight is spent on a zero


def test_the_gate():
    h = torch.randn(2, 6, 3, 3, dtype=torch.float64)
    by_exponentials = (1 - torch.exp(-2 * h[:, :3])) / (1 + torch.exp(-2 * h[:, :3])) / (1 + torch.exp(-h[:, 3:]))
    torch.testing.assert_close(causal.gate(h), by_exponentials)


# ---- AR-6: a pixel at a time


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize(
    ("channels", "size", "labels"), [(1, (5, 7), 0), (1, (8, 8), 0), (2, (6, 3), 4), (1, (1, 1), 0)]
)
def test_cached_is_full(kind, channels, size, labels):
    model = made(kind, 4, channels, labels=labels)
    x, y = images(3, channels, *size, levels=4), torch.tensor([0, 3, 1]) if labels else None
    for full, cached in zip(model(x, y), model(x, y, cached=True), strict=True):
        if isinstance(full, torch.Tensor) and full.numel():
            torch.testing.assert_close(cached, full.detach(), atol=1e-10, rtol=0)
    drawn = [model.sample(3, size, cached, torch.Generator().manual_seed(5), labels=y) for cached in (True, False)]
    assert torch.equal(*drawn)
    assert drawn[0].shape == (3, channels, *size)
    assert drawn[0].dtype == torch.int64
    assert int(drawn[0].min()) >= 0
    assert int(drawn[0].max()) < 4


CACHES = {  # what is wrong: (the model that it is wrong for, old, new)
    "the rows above are pushed too late": ("gated", "self.rows[1:], padded[None]", "padded[None], self.rows[1:]"),
    "the taps begin one column early": ("gated", "self.pad = columns - 1 + conv.shift", "self.pad = columns"),
    "the last row is not kept": ("gated", "        self.rows[0].push(self.pixels[0].whole())", "        pass"),
    "a coarse pixel stands in the wrong row": ("++", "self.grown_ul[i % 2, j]", "self.grown_ul[0, j]"),
    "a skip connection is forgotten": (
        "++",
        "ul = pair.pixel(j, ul, mirror.pop())",
        "ul = pair.pixel(j, ul, 0 * mirror.pop())",
    ),
}


def cache_agrees(module, kind):
    model, x = made(kind, module=module), images(2, 1, 6, 6)
    for cached, full in zip(model(x, cached=True), model(x), strict=True):
        if isinstance(full, torch.Tensor) and full.numel():
            checks.check("AR-6", cached - full, 1e-5)


@pytest.mark.parametrize("slip", CACHES)
def test_slips_of_the_cache_are_caught(slip, plant, caught):
    kind, old, new = CACHES[slip]
    mutant = grafted(plant, "vaelib.sampling", old, new)
    caught(slip, lambda: cache_agrees(mutant, kind))


@pytest.mark.parametrize("kind", SMALL)
def test_samples_have_the_probabilities_of_the_model(kind):
    model = made(kind, 2, 2)
    n, generator = 40_000, torch.Generator().manual_seed(7)
    drawn = model.sample(n, (2, 1), generator=generator).flatten(1)
    place = (drawn * torch.tensor([8, 4, 2, 1])).sum(1)
    counts = torch.bincount(place, minlength=16).double()
    # every_image counts channels first, too
    p = model.log_prob(every_image(2, (2, 2, 1))).exp().detach()
    chi_square = float(((counts - n * p) ** 2 / (n * p)).sum())
    assert chi_square < 50  # 15 degrees of freedom: 1 in 100,000 exceeds it


@pytest.mark.parametrize("kind", SMALL)
def test_samples_are_drawn_with_their_generator(kind):
    model = made(kind, 4)
    for cached in (True, False):
        draws = [model.sample(2, (3, 4), cached, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
        assert torch.equal(*draws[:2])
        assert not torch.equal(*draws[1:])


def test_rare_levels_are_drawn_by_a_model_in_bfloat16_too():
    """Probability 1 in 1,000 against 999: noise drawn with bfloat16's 8 digits does not know such numbers."""
    model = pixelcnn.PixelCNN(2, hidden=2, layers=1).bfloat16()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        model.head.out[0].bias[0] = 7
    n, p = 200_000, 1 / (1 + math.exp(7))
    drawn = int(model.sample(n, (1, 1), generator=torch.Generator().manual_seed(0)).sum())
    assert abs(drawn - n * p) < 5 * (n * p) ** 0.5


@pytest.mark.parametrize("kind", ["gated", "++ logistic"])
def test_temperature(kind):
    """Near 0 nothing is left to chance; for a softmax each level is the likeliest one, given those before."""
    model = made(kind, 5)
    cold, usual = (
        model.sample(200, (3, 3), generator=torch.Generator().manual_seed(1), temperature=t) for t in (1e-9, 1.0)
    )
    assert (cold == cold[:1]).all()
    assert not (usual == usual[:1]).all()
    if kind == "gated":
        assert torch.equal(model(cold).logits.argmax(1), cold)


def test_completion_keeps_what_is_given():
    model, x = made("gated", 4, 2), images(3, 2, 5, 6, levels=4)
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[:2] = True
    done = [model.sample(3, (5, 6), c, torch.Generator().manual_seed(2), given=x, mask=mask) for c in (True, False)]
    assert torch.equal(*done)
    assert torch.equal(done[0][:, :, :2], x[:, :, :2])
    assert not torch.equal(done[0][:, :, 2:], x[:, :, 2:])
    each = torch.stack([mask, ~mask, torch.ones_like(mask)])[:, None]
    done = model.sample(3, (5, 6), given=x, mask=each)
    kept = each.expand_as(x)
    assert torch.equal(done[kept], x[kept])
    assert torch.equal(done[2], x[2])


def test_completion_has_the_conditional_probabilities():
    """The first row given: samples of the second must follow p(second | first), which enumeration knows."""
    model, n = made("gated", 2), 40_000
    given = torch.zeros(n, 1, 2, 2, dtype=torch.int64)
    given[:, :, 0] = torch.tensor([1, 0])
    mask = torch.tensor([[True, True], [False, False]])
    drawn = model.sample(n, (2, 2), generator=torch.Generator().manual_seed(3), given=given, mask=mask)
    counts = torch.bincount(2 * drawn[:, 0, 1, 0] + drawn[:, 0, 1, 1], minlength=4).double()
    all_four = torch.tensor([[[[1, 0], [a, b]]] for a in (0, 1) for b in (0, 1)])
    p = torch.softmax(model.log_prob(all_four).detach(), 0)
    assert float(((counts - n * p) ** 2 / (n * p)).sum()) < 26  # 3 degrees of freedom


def test_labels_matter_and_reach_the_first_pixel():
    for kind in SMALL:
        model, x = made(kind, 3, labels=5), images(2, 1, 4, 4)
        one, other = (model(x, torch.full((2,), y))[0].detach()[..., 0, 0] for y in (0, 4))
        assert not torch.allclose(one, other)


def test_sampling_leaves_the_model_as_it_was(monkeypatch):
    model = made("++", dropout=0.5).train()
    drawn = model.sample(2, (4, 4))
    assert model.training
    assert not drawn.is_inference()
    before = [p.clone() for p in model.parameters()]
    again = [model.sample(2, (4, 4), generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*again)  # no dropout
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())
    model.head.eval()  # frozen, while the rest trains
    model.sample(1, (1, 1))
    assert not model.head.training
    assert model.level.training
    monkeypatch.setattr(model, "_draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.sample(2, (4, 4))
    assert model.training


def without_dropout(module):
    """Two ways to the same samples, which are those of eval mode, cached or not; nothing of the mode is left changed."""
    model = made("++", 8, module=module, dropout=0.5).train()
    with torch.no_grad():
        for p in (*model.level.parameters(), *model.head.parameters()):
            p *= 0 if p.dim() == 1 else 3  # what the blocks say, matters
    drawn = [model.sample(4, (4, 4), cached, torch.Generator().manual_seed(1)) for cached in (True, False)]
    assert all(part.training for part in model.modules())
    usual = model.eval().sample(4, (4, 4), True, torch.Generator().manual_seed(1))
    assert torch.equal(drawn[0], usual)
    assert torch.equal(drawn[1], usual)


def test_there_is_no_dropout_in_samples_without_the_cache(caught, plant):
    without_dropout(pixelcnn)
    for old, new in [
        ("with eval_mode(self), torch", "with torch"),
        ("with eval_mode(self), torch", "self.eval()\n        with torch"),
    ]:
        caught(new, lambda old=old, new=new: without_dropout(grafted(plant, "vaelib.autoregressive", old, new)))


@pytest.mark.parametrize("kind", SMALL)
def test_weights_that_are_not_finite_give_no_samples(kind):
    model = made(kind)
    name, weight = list(model.named_parameters())[-1]
    with torch.no_grad():
        weight.view(-1)[0] = math.nan
    says = rf"^the {type(model).__name__} has weights that are NaN or infinite, in {name}: train it again\.$"
    with pytest.raises(ValueError, match=says):
        model.sample(2, (4, 4))


# what the published tables would count: weights of each convolution, k_h * k_w * inputs * outputs, and biases
def count_of(model):
    return sum(p.numel() for p in model.parameters())


def test_defaults():
    h = 64
    head = h * h + h + 2 * h + 2
    first, masked = 2 * h * (3 * 7 + 3) + h, h * h * (3 + 2) + h
    assert count_of(pixelcnn.PixelCNN(2)) == first + 6 * (masked + h * h) + head
    first = 2 * 2 * h * (3 * 7 + 3) + 2 * h
    layer = 2 * h * h * (2 * 3 + 2) + 2 * h
    across, residual, skip = 2 * h * 2 * h + 2 * h, h * h, 7 * h * h + h
    assert count_of(pixelcnn.GatedPixelCNN(2)) == first + 6 * layer + 7 * across + 6 * residual + skip + head
    mixture = h * h + h + 10 * 3 * (h + 1)  # ten weights, means and scales
    above, masked = (lambda i, o: i * o * 6 + o), (lambda i, o: i * o * 5 + o)
    pair = above(2 * h, h) + above(2 * h, 2 * h) + masked(2 * h, h) + masked(2 * h, 2 * h) + 2 * h * h
    mirrored = pair + 2 * 2 * h * h
    between = above(h, h) + masked(h, h) + 2 * (4 * h * h + h)
    model = pixelcnn.PixelCNNpp(256)
    first = above(2, h) + 2 * h * 4 + h
    assert count_of(model) == first + 3 * 2 * pair + 2 * 2 * mirrored + 2 * between + mixture
    assert {part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)} == {0.0}
    assert isinstance(model.head, autoregressive._LogisticHead)
    assert isinstance(pixelcnn.PixelCNNpp(8, hidden=4, ordered=False).head, autoregressive._CategoricalHead)
    assert (model.channels, model.labels) == (1, 0)


@pytest.mark.parametrize("kind", SMALL)
def test_numpy_s_numbers_are_numbers(kind):
    model = made(kind, np.int64(3), np.int32(1), layers=np.int64(1))
    assert type(model.levels) is type(model.channels) is int
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    drawn = model.sample(np.int64(2), np.array([2, 3]), generator=generators[0], temperature=np.float32(0.5))
    assert torch.equal(drawn, model.sample(2, (2, 3), generator=generators[1], temperature=0.5))


def test_what_the_cache_keeps_does_not_grow_with_the_image():
    """One row, or as many as a kernel spans, for each layer: twice the height costs nothing."""

    def kept(layers, width):
        cache = made("gated", layers=layers)._cache(4, width, None)
        return sum(rows.rows.numel() for rows in cache.rows) + sum(pixels.row.numel() for pixels in cache.pixels)

    assert kept(5, 30) < 2.2 * kept(5, 14)
    assert kept(9, 14) - kept(5, 14) == 2 * (kept(7, 14) - kept(5, 14))  # one state a layer


# ---- training


@pytest.mark.parametrize("kind", SMALL)
def test_training_lowers_the_loss_and_every_weight_takes_part(kind):
    model = made(kind, 4, labels=3).float()
    x = (torch.arange(8)[:, None] // 2 % 4).repeat(40, 1, 8)[:, None]  # (40, 1, 8, 8): the row says the level
    y = torch.arange(len(x)) % 3
    before = -float(model.log_prob(x, y).mean().detach())
    train.fit(
        model,
        lambda m, x, y, g: -m.log_prob(x, y).mean(),
        x.view(-1, 1, 8, 8),
        y,
        steps=30,
        batch_size=20,
        lr=1e-2,
        progress=False,
        device="cpu",
    )
    assert -float(model.log_prob(x, y).mean().detach()) < 0.8 * before
    model.zero_grad()
    model.log_prob(x, y).mean().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())


def test_bfloat16_changes_log_prob_little():
    model, x = made("gated", 256).float(), images(8, 1, 12, 12, levels=256)
    with torch.no_grad():
        exact = model.log_prob(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model.log_prob(x)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=2e-2, atol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32], ids=str)
@pytest.mark.parametrize("kind", SMALL)
def test_integers_of_any_type_are_taken(kind, dtype):
    levels = min(256, torch.iinfo(dtype).max + 1)
    model, x, y = made(kind, levels, layers=1, labels=3), images(2, 1, 4, 4, levels=levels), torch.tensor([2, 0])
    assert torch.equal(model.log_prob(x.to(dtype), y.to(dtype)), model.log_prob(x, y))
    mask = torch.arange(16).view(4, 4) < 7
    completed = [
        model.sample(2, (4, 4), generator=torch.Generator().manual_seed(1), given=x.to(t), mask=mask, labels=y.to(t))
        for t in (dtype, torch.int64)
    ]
    assert torch.equal(*completed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@pytest.mark.parametrize("kind", SMALL)
def test_on_cuda(kind):
    model, x = made(kind), images(2, 1, 6, 6)
    on_cpu = model.log_prob(x)
    model.cuda()
    torch.testing.assert_close(model.log_prob(x.cuda()).cpu(), on_cpu)
    generator = torch.Generator("cuda").manual_seed(0)
    mask = torch.ones(6, 6, dtype=torch.bool)  # what is given may lie on the CPU
    drawn = model.sample(2, (6, 6), generator=generator, given=x, mask=mask)
    assert drawn.device.type == "cuda"
    assert torch.equal(drawn.cpu(), x)
    with pytest.raises(ValueError, match="given has values from 1 to"):  # and is looked at wherever it lies
        model.sample(2, (6, 6), given=x.cuda() + 1, mask=mask)
    with pytest.raises(ValueError, match="generator, an object of type Generator, was given"):
        model.sample(2, (6, 6), generator=torch.Generator())
    with pytest.raises(ValueError, match="x lies on cpu, and what it meets on cuda"):
        model(x)


# ---- bad input


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (
            lambda m: m(images(2, 1, 4, 4).float()),
            r"a float32 tensor \(2, 1, 4, 4\), was given: use an integer tensor \(B, 1, H, W\)",
        ),
        (lambda m: m(images(2, 1, 4, 4) + 1), "x has values from 1 to 3: use levels from 0 to 2"),
        (lambda m: m(images(2, 1, 4, 4) - 1), "values from -1"),
        (lambda m: m(images(2, 3, 4, 4)), r"\(2, 3, 4, 4\), was given: .* \(B, 1, H, W\)"),
        (lambda m: m(images(4, 4)), r"\(4, 4\), was given: .* \(B, 1, H, W\)"),
        (lambda m: m(images(0, 1, 4, 4)), r"\(0, 1, 4, 4\), was given: .* not empty"),
        (lambda m: m(images(2, 1, 4, 4), torch.tensor([0, 1])), "labels were given to a model made with labels=0"),
        (lambda m: m.sample(0, (4, 4)), "n=0"),
        (lambda m: m.sample(2, (4, 0)), r"shape=\(4, 0\)"),
        (lambda m: m.sample(2, (4,)), r"shape=\(4,\)"),
        (lambda m: m.sample(2, (4, 4), temperature=0), "temperature=0 "),
        (lambda m: m.sample(2, (4, 4), temperature=float("nan")), "temperature=nan"),
        (lambda m: m.sample(2, (4, 4), given=images(2, 1, 4, 4)), "give both"),
        (lambda m: m.sample(2, (4, 4), given=images(2, 1, 3, 4), mask=torch.ones(4, 4) > 0), r"\(2, 1, 3, 4\)"),
        (
            lambda m: m.sample(2, (4, 4), given=images(2, 1, 4, 4), mask=torch.ones(4, 4)),
            r"mask, a float32 .* use a bool tensor \(4, 4\)",
        ),
        (lambda m: m.sample(2, (4, 4), given=images(2, 1, 4, 4) + 1, mask=torch.ones(4, 4) > 0), "from 1 to 3"),
        (lambda m: m.sample(2, (4, 4), given=images(2, 1, 4, 4) * 1.0, mask=torch.ones(4, 4) > 0), "given, a float32"),
        (lambda m: m(None), "x=None was given"),
        (lambda m: m.log_prob(np.zeros((2, 1, 4, 4), int)), r"x, an? int64 NumPy array"),
        (lambda m: m.log_prob([[[[0, 1]]]]), "x=.* was given: use an integer tensor"),
        (lambda m: m(images(2, 1, 4, 4).to("meta")), "x lies on meta, and what it meets on cpu"),
        (lambda m: m(images(2, 1, 4, 4).to(torch.int8) - 2), "values from -2"),
        (lambda m: m(images(2, 1, 4, 4), cached="yes"), "cached='yes' was given: use True or False"),
        (lambda m: m.sample("two", (4, 4)), "n='two'"),
        (lambda m: m.sample(2, 4), "shape=4 was given: use 2 whole numbers"),
        (lambda m: m.sample(2, (4, 4), generator=7), "generator=7 was given: use torch.Generator"),
        (lambda m: m.sample(2, (4, 4), temperature="cold"), "temperature='cold'"),
        (lambda m: m.sample(2, (4, 4), given="x", mask=torch.ones(4, 4) > 0), "given='x' was given"),
        (
            lambda m: m.sample(2, (4, 4), given=images(2, 1, 4, 4), mask=[[True]]),
            "mask=.* was given: use a bool tensor",
        ),
        (lambda m: m.sample(2, (4, 4), given=images(2, 1, 4, 4), mask=torch.ones(3, 1, 4, 4) > 0), r"\(2, 1, 4, 4\)"),
        (
            lambda m: m.sample(1, (4, 4), given=images(1, 1, 4, 4).to("meta"), mask=torch.ones(4, 4) > 0),
            "given lies on",
        ),
        (
            lambda m: m.sample(1, (4, 4), given=images(1, 1, 4, 4), mask=(torch.ones(4, 4) > 0).to("meta")),
            "mask lies on",
        ),
    ],
)
def test_bad_input_gets_one_sentence(attempt, says):
    with pytest.raises(ValueError, match=says) as error:
        attempt(made("gated"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: pixelcnn.PixelCNN(1), "levels=1"),
        (lambda: pixelcnn.PixelCNN(2, channels=0), "channels=0"),
        (lambda: pixelcnn.GatedPixelCNN(2, layers=0), "layers=0"),
        (lambda: pixelcnn.GatedPixelCNN(2, kernel=4), "kernel=4"),
        (lambda: pixelcnn.PixelCNN(2, kernel=1), "kernel=1"),
        (lambda: pixelcnn.PixelCNNpp(2, scales=0), "scales=0"),
        (lambda: pixelcnn.PixelCNNpp(2, dropout=1.0), "dropout=1.0"),
        (lambda: pixelcnn.PixelCNN(2, likelihood="softmax"), "likelihood='softmax'"),
        (lambda: pixelcnn.PixelCNN(2, likelihood="logistic", ordered=False), "ordered=False"),
        (lambda: causal.Masked("C", 1, 1, 3), "kind='C' was given: use 'A' or 'B'"),
        (lambda: made("gated", labels=3)(images(2, 1, 4, 4)), "labels were not given"),
        (lambda: made("gated", labels=3)(images(2, 1, 4, 4), torch.tensor([0, 3])), "labels has values from 0 to 3"),
        (
            lambda: made("gated", labels=3)(images(2, 1, 4, 4), torch.tensor([0])),
            r"labels, an? int64 tensor \(1,\), .* \(2,\)",
        ),
        (lambda: made("gated", labels=3).sample(2, (4, 4)), "labels were not given"),
        (
            lambda: made("gated", labels=3).sample(2, (4, 4), labels=[0, 1]),
            r"labels=\[0, 1\] was given: use an integer tensor",
        ),
        (lambda: made("gated", labels=3).sample(1, (4, 4), labels=torch.tensor([0]).to("meta")), "labels lies on meta"),
        (lambda: pixelcnn.PixelCNN("two"), "levels='two'"),
        (lambda: pixelcnn.PixelCNN(2, hidden=1.5), "hidden=1.5"),
        (lambda: pixelcnn.PixelCNN(2, mixtures=0), "mixtures=0"),
        (lambda: pixelcnn.PixelCNN(2, labels=-1), "labels=-1"),
        (lambda: pixelcnn.PixelCNN(2, ordered="no"), "ordered='no' was given: use True or False"),
        (lambda: pixelcnn.PixelCNN(2, layers=1, kernel=2), "kernel=2 was given: use a whole number, at least 3"),
        (lambda: pixelcnn.GatedPixelCNN(2, first_kernel=None), "first_kernel=None"),
        (lambda: pixelcnn.PixelCNNpp(2, scales=1.0), "scales=1.0"),
        (lambda: pixelcnn.PixelCNNpp(2, layers=None), "layers=None"),
        (lambda: causal.Masked("A", 0, 1, 3), "inputs=0"),
        (lambda: causal.Masked("A", 1, 1, 4), "k=4 was given: use an odd number"),
    ],
)
def test_bad_arguments_get_one_sentence(attempt, says):
    with pytest.raises(ValueError, match=says) as error:
        attempt()
    assert "\n" not in str(error.value)
