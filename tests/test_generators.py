"""Every public function that takes a ``generator`` or a ``seed`` draws from it and from nothing else."""

import inspect
import itertools
import random

import numpy as np
import pytest
import torch
from calls import CALLS, arguments, binary, equal, normal, plain, public_names, run, state_of

import vaelib


def global_states():
    """Of PyTorch's, Python's and NumPy's global generators."""
    return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())  # noqa: NPY002


def noisy(model, x, generator):
    return (model(x) - torch.randn(x.shape, generator=generator)).square().mean()


def drawn(name, more, seed, global_seed):
    """The result, the models afterwards, and whether the global generators were left alone and the given one was used."""
    given = plain(arguments(name) | more)
    generator = None
    if "generator" in given:
        generator = given["generator"] = torch.Generator().manual_seed(seed)
        before = generator.get_state()
    else:
        given["seed"] = seed
    for each in (random.seed, np.random.seed, torch.manual_seed):
        each(global_seed)
    kept = global_states()
    result = run(name, given)
    assert global_states() == kept, "a global generator was used"
    if generator is not None:
        assert not torch.equal(generator.get_state(), before), "the generator was not used"
    return result, state_of(given)


# "device.seed_everything" seeds the global generators: that is what it is for
DRAWS = [name for name in CALLS if {"generator", "seed"} & {*arguments(name)} and name != "device.seed_everything"]
# further calls, where an argument chooses where the numbers come from
OTHERS = {
    **{name: [dict(cached=False), dict(given=None, mask=None)] for name in DRAWS if "cached" in arguments(name)},
    "autoencoders.VAE.sample": [dict(pixels=False)],
    "evaluate.nll": [dict(binarize=False, x=binary(3, 1, 4, 4))],
    "glyphs.draw": [dict(rgb=False)],
    "train.fit": [dict(loss=noisy, batch_size=7)],  # the noise alone differs
    "quantize.VectorQuantizer.revive": [dict(z_e=normal(1, 2, 2))],  # fewer vectors than words
}
CASES = [(name, more) for name in DRAWS for more in ({}, *OTHERS.get(name, ()))]


@pytest.mark.parametrize(("name", "more"), CASES)
def test_what_is_drawn_depends_on_the_given_generator_or_seed_alone(name, more):
    first = drawn(name, more, seed=1, global_seed=1)
    assert equal(drawn(name, more, seed=1, global_seed=2), first)
    assert not equal(drawn(name, more, seed=2, global_seed=1), first)


def test_every_function_with_a_generator_or_a_seed_is_here():
    takes = {
        name
        for name, (_, value, _) in public_names().items()
        if not isinstance(value, property) and {"generator", "seed"} & {*inspect.signature(value).parameters}
    }
    takes = {name for name in takes if name != "device.seed_everything" and not name.startswith("checkpoints.")}
    assert takes <= {name.partition(" · ")[0] for name in DRAWS}
    assert {*OTHERS} <= {*DRAWS}


def test_seed_everything_seeds_all_three_global_generators():
    def three(seed):
        vaelib.seed_everything(seed)
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    first = three(1)
    assert three(1) == first
    assert all(a != b for a, b in zip(three(2), first, strict=True))


@pytest.mark.parametrize("name", ["data.minibatches", "glyphs.draw", "train.fit"])
def test_seeds_of_any_size_are_seeds_of_their_own(name):
    more = {"data.minibatches": dict(x=torch.arange(40), y=torch.arange(40), batch_size=30)}.get(name, {})
    more |= {"train.fit": dict(loss=noisy)}.get(name, {})
    seeds = (
        1,
        2**31 + 2,
        2**32 + 3,
        2**63 + 4,
        2**64 - 1,
    )  # PyTorch's CPU generator counts with the last 32 bits alone
    results = [drawn(name, more, seed=seed, global_seed=0) for seed in seeds]
    assert not any(equal(a, b) for a, b in itertools.combinations(results, 2))


@pytest.mark.parametrize(
    ("module", "old", "new", "name"),
    [
        ("vaelib.bounds", "q.rsample(generator)", "q.rsample(None)", "elbo"),
        ("vaelib.bounds", ".rsample(generator)", ".rsample(torch.Generator())", "iw_bound"),
        ("vaelib.evaluate", "draw_pixels(images, generator)", "draw_pixels(images)", "nll"),
        ("vaelib.evaluate", "samples - start), generator, q", "samples - start), None, q", "nll"),
        ("vaelib.glyphs", "manual_seed(given.seed(seed))", "manual_seed(0)", "draw"),
        ("vaelib.distributions", "u = torch.rand(shape, generator=generator", "u = torch.rand(shape", "gumbel"),
    ],
)
def test_planted_errors(module, old, new, name, plant, monkeypatch):
    wrong = plant(module, old, new)
    full = f"{module.removeprefix('vaelib.')}.{name}"
    monkeypatch.setitem(public_names(), full, public_names()[full]._replace(value=getattr(wrong, name)))
    with pytest.raises(AssertionError):
        test_what_is_drawn_depends_on_the_given_generator_or_seed_alone(full, {})
