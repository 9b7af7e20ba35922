"""One valid, tiny call of every public function, class, method and property of vaelib, for tests that hold for all of them."""

import importlib
import inspect
import itertools
import math
import numbers
import pkgutil
import tempfile
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
import torch
from PIL import Image
from torch import nn

import vaelib
from vaelib import autoencoders, bounds, compare, data, distributions, nets, pixelcnn, quantize, symbolic, vqvae
from vaelib.classroom import checks, plots, widgets
from vaelib.outside import console

# Names that are public in Python's sense and get no call.
OUTSIDE = {
    "exercises": "mark what readers write, and are given wrong code on purpose: tests/test_exercises.py, test_marker.py",
    "autoregressive": "what the models of vaelib.pixelcnn share, whose calls are here",
    "sampling": "what vaelib.pixelcnn samples with; nobody else calls it",
    "given": "the guards themselves: tests/test_given.py",
    "*.main": "the command: its arguments come from a shell, and tests/test_download.py runs it",
    "checkpoints.*": "train.fit's own, which has looked at what it is given",
    "*.extra_repr": "no argument: what a module prints",
    "folders.*": "data.load's own, whose call with folder:PATH is here",
    "downloads.read": "another",
    "checkpoints": "train.fit's own, whose call is here",
    "files.*": "vaelib's own, whose callers look at what they are given: tests/test_files.py",
    "glyphs.is_drawn": "data.load's own",
    "causal.[!M]*": "layers and functions that are called for every pixel of a sample, on what vaelib.pixelcnn has made",
    "causal.Masked.forward": "one of those layers",
    "pixelcnn.*.embed": "one of those functions: forward and sample look at what they are given",
    "pixelcnn.*.features": "another",
    "telling.OverSeeds.*": "made by over_seeds, of what it has looked at: tests/test_telling.py",
    "nets.*.forward": "layers, as PyTorch's own are: what they are given comes from the layer before",
}
# A NamedTuple holds what it is given, and looks at it where it is used: in its methods and properties, which have calls.


class Arg(NamedTuple):
    """An argument, and of which values it is one, where its type does not say so."""

    value: Any
    kind: str
    bounds: tuple[float, float] | None = None


def natural(value):
    """A whole number from 0."""
    return Arg(value, "natural")


def positive(value):
    """A number above 0."""
    return Arg(value, "positive")


def level(value):
    """A number from 0."""
    return Arg(value, "from 0")


def share(value):
    """A number from 0 to 1."""
    return Arg(value, "share")


def word(value):
    """One of a few words."""
    return Arg(value, "word")


def ranged(value, least, most):
    """A tensor whose numbers lie in a range."""
    return Arg(value, "tensor", (least, most))


def any_tensor(value):
    """A tensor of any kind and any numbers."""
    return Arg(value, "any tensor")


def naturals(value):
    """Whole numbers from 0, or none."""
    return Arg(value, "naturals")


def any_function(value):
    """A function whose result is not looked at."""
    return Arg(value, "any function")


def anything(value):
    """Whatever is given is right, such as a title: it is written as str() has it."""
    return Arg(value, "anything")


PLACE = Path(tempfile.mkdtemp(prefix="vaelib-calls-"))
B = 3  # rows of every batch; no other size is 3
_count = itertools.count()


def fresh(suffix=""):
    """A path at which nothing is."""
    return PLACE / f"{next(_count)}{suffix}"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape):
    return torch.randn(shape, generator=seeded(sum(shape)))


def grey(*shape):
    return ranged(torch.rand(shape, generator=seeded(1)), 0, 1)


def binary(*shape):
    return ranged(torch.rand(shape, generator=seeded(1)).round(), 0, 1)


def uniform(*shape):
    return grey(*shape).value


def whole(most, *shape):
    """Integers from 0 to ``most`` - 1."""
    return ranged(torch.randint(most, shape, generator=seeded(2)), 0, most - 1)


def ae():
    return autoencoders.AE((1, 4, 4), 2, (5,))


def vae():
    return autoencoders.VAE((1, 4, 4), 2, (5,))


def q():
    return distributions.DiagGaussian(normal(B, 2), normal(B, 2) / 4)


def vq():
    return quantize.VectorQuantizer(4, 2, decay=0.5)


def fsq():
    return quantize.FiniteScalarQuantizer((2, 4))


def vqvae_():
    torch.manual_seed(0)  # of these weights the file of codes is
    return vqvae.VQVAE((1, 8, 8), vq(), 4, 2, 1)


class Judge(nn.Module):
    """A module that the user wrote."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 4)

    def forward(self, x):
        return self.linear(x.flatten(1))


class Student(nn.Module):
    """Another."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return self.linear(x)


def pictures_folder():
    place = PLACE / "pictures"
    if not place.exists():
        for k in range(20):
            file = place / "ab"[k % 2] / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), 12 * k, np.uint8)).save(file)
    return place


def codes_file():
    path = fresh(".pt")
    vqvae.save_codes(path, vqvae_(), whole(4, B, 2, 2).value)
    return path


def darker(x, generator):
    return x * torch.rand(x.shape, generator=generator)


def draw_one(a):
    return plots.maps({"a": torch.full((2, 2), a)})


def squared_error(model, x, generator):
    return (model(x) - x).square().mean()


def log_q(params, z):
    return -0.5 * (z - params["m"]).square().sum(-1)


def integrand(params, z):
    return (z * params["m"]).sum(-1)


def shifted(params, eps):
    return params["m"] + eps


def log_p(params, z):
    return params["l"].log_softmax(0)[z]


def state_value(params, z):
    return z * params["l"].sum()


def estimator(**more):
    return dict(
        log_q=log_q, f=integrand, sample=shifted, params={"m": torch.ones(2)}, eps=normal(B, 4, 2), chunk=2, **more
    )


x_, y_ = sp.symbols("x y", real=True)
s_ = sp.Symbol("s", positive=True)


def mixture():
    return dict(
        logit_weights=normal(B, 5, 4, 4),
        means=normal(B, 5, 2, 4, 4),
        log_scales=normal(B, 5, 2, 4, 4) / 4,
        coefficients=normal(B, 5, 1, 4, 4),
        levels=8,
    )


def line():
    return [0.0, 1.0, 2.0], [1.0, 0.5, 0.25]


def in_eval_mode(model):
    with nets.eval_mode(model) as same:
        return same.training


def counts(**settings):
    with console.bar(**settings) as bar:
        bar.update(1)
        return bar.n


# a property of Likelihood -> the field that it looks at
LIKELIHOOD = {
    "nll": lambda: dict(log_px=normal(B)),
    "draw_error": lambda: dict(error=normal(B)),
    "neg_elbo": lambda: dict(terms=bounds.ElboTerms(normal(B), normal(B))),
    "rate": lambda: dict(terms=bounds.ElboTerms(None, normal(B))),
    "distortion": lambda: dict(terms=bounds.ElboTerms(normal(B), None)),
}

# name -> a function that makes the arguments; "name · words" is a further call of the same function
CALLS: dict[str, Callable[[], dict[str, Any]]] = {
    "autoencoders.AE": lambda: dict(
        shape=(1, 4, 4),
        latent=2,
        hidden=Arg((5,), "sizes or none"),
        likelihood=word("bernoulli"),
        encoder=nn.Sequential(nn.Flatten(), nn.Linear(16, 2)),
        decoder=nn.Linear(2, 16),
    ),
    "autoencoders.AE.encode": lambda: dict(self=ae(), x=uniform(B, 1, 4, 4)),
    "autoencoders.AE.forward": lambda: dict(self=ae(), x=uniform(B, 1, 4, 4)),
    "autoencoders.AE.decode": lambda: dict(self=ae(), z=normal(B, 2)),
    "autoencoders.VAE": lambda: dict(
        shape=(1, 4, 4),
        latent=2,
        hidden=Arg((5,), "sizes or none"),
        likelihood=word("gaussian"),
        encoder=nn.Sequential(nn.Flatten(), nn.Linear(16, 4)),
        decoder=nn.Linear(2, 32),
    ),
    "autoencoders.VAE.encode": lambda: dict(self=vae(), x=uniform(B, 1, 4, 4)),
    "autoencoders.VAE.forward": lambda: dict(self=vae(), x=uniform(B, 1, 4, 4), generator=seeded()),
    "autoencoders.VAE.decode": lambda: dict(self=vae(), z=normal(B, 2)),
    "autoencoders.VAE.sample": lambda: dict(self=vae(), n=2, generator=seeded(), pixels=True),
    "bounds.ElboTerms.elbo": lambda: dict(log_px=normal(B), kl=normal(B)),
    "bounds.elbo": lambda: dict(model=vae(), x=grey(B, 1, 4, 4), generator=seeded()),
    "bounds.log_weights": lambda: dict(model=vae(), x=grey(B, 1, 4, 4), samples=2, generator=seeded(), q=q()),
    "bounds.iw_bound": lambda: dict(model=vae(), x=grey(B, 1, 4, 4), samples=2, generator=seeded()),
    "bounds.iw_surrogate": lambda: dict(model=vae(), x=grey(B, 1, 4, 4), samples=2, generator=seeded()),
    "causal.Masked": lambda: dict(kind=word("A"), inputs=1, outputs=2, k=5, stride=2),
    "checks.check": lambda: dict(claim=anything("a"), value=0.5, tolerance=level(1.0)),
    "checks.check · at least": lambda: dict(claim=anything("a"), value=torch.ones(2), at_least=1.0),
    "checks.check_mean": lambda: dict(
        claim=anything("a"), samples=normal(400), exact=0.0, slip=9.0, exact_error=level(0.5)
    ),
    "checks.check_fails": lambda: dict(slip=anything("a"), attempt=any_function(_fails)),
    "checks.headline": lambda: dict(text=anything("a")),
    "checks.proof": lambda: dict(claim=word("VQ-5")),
    "checks.planted_errors": dict,
    "drawings.vq_vae": dict,
    "drawings.two_stages": dict,
    "drawings.rate_and_distortion": dict,
    "drawings.bound_and_gap": dict,
    "lines.read": lambda: dict(line=word("a + 1"), meaning={"a": x_}),
    "lines.judge": lambda: dict(line=word("a = a"), meaning={"a": x_, "=": any_function(symbolic.equal)}, at={x_: 2.0}),
    "lines.tex": lambda: dict(line=word("a + 1")),
    "drawings.recipes": dict,
    "drawings.two_gradients": dict,
    "drawings.course_map": dict,
    "drawings.masks": dict,
    "drawings.blind_spot": dict,
    "drawings.anatomy_of_a_check": dict,
    "telling.told": lambda: dict(sentence=word("{best} is ahead"), best=anything("FSQ")),
    "telling.compared": lambda: dict(
        difference=0.5,
        noise=positive(0.1),
        more=word("ahead"),
        less=word("behind"),
        level=word("level"),
        form=word(".2f"),
    ),
    "telling.over_seeds": lambda: dict(name=word("a number"), here=0.5),
    "telling.measured": dict,
    "telling.kept_runs": dict,
    "console.show": lambda: dict(text=word("a text"), html=word("<b>a text</b>")),
    "console.say": lambda: dict(text=anything("a"), file=None, flush=anything(False)),
    "console.in_notebook": dict,
    "console.bar": lambda: dict(total=natural(2), done=natural(1), unit=anything("step"), shown=False),
    "downloads.folder": lambda: dict(root=PLACE),
    "data.load": lambda: dict(name=f"folder:{pictures_folder()}", train=True, size=8),
    "data.load · built in": lambda: dict(name=word("glyphs"), train=False, root=PLACE / "data"),
    "data.at_hand": lambda: dict(name=word("mnist"), otherwise=word("glyphs")),
    "downloads.download": lambda: dict(name=word("mnist"), root=PLACE / "data"),
    "data.as_float": lambda: dict(x=any_tensor(torch.tensor([0, 255], dtype=torch.uint8))),
    "data.binarize": lambda: dict(x=grey(B, 1, 4, 4), generator=seeded()),
    "data.batchable": lambda: dict(x=any_tensor(normal(B, 2)), y=any_tensor(torch.arange(B))),
    "data.minibatches": lambda: dict(
        x=any_tensor(normal(B, 2)), y=any_tensor(torch.arange(B)), batch_size=2, seed=natural(1), start=natural(1)
    ),
    "device.pick_device": lambda: dict(name=word("cpu")),
    "device.share_cores": dict,
    "device.describe_device": lambda: dict(device=torch.device("cpu")),
    "device.seed_everything": lambda: dict(seed=natural(1)),
    "device.budget": lambda: dict(lesson=anything(1), full=anything(2)),
    "distributions.DiagGaussian.rsample": lambda: dict(mean=normal(B, 2), log_std=normal(B, 2) / 4, generator=seeded()),
    "distributions.DiagGaussian.log_prob": lambda: dict(mean=normal(B, 2), log_std=normal(B, 2) / 4, z=normal(B, 2)),
    "distributions.DiagGaussian.kl": lambda: dict(mean=normal(B, 2), log_std=normal(B, 2) / 4, other=q()),
    "distributions.Bernoulli.mean": lambda: dict(logits=normal(B, 1, 4, 4)),
    "distributions.Bernoulli.sample": lambda: dict(logits=normal(B, 1, 4, 4), generator=seeded()),
    "distributions.Bernoulli.log_prob": lambda: dict(logits=normal(B, 1, 4, 4), x=grey(B, 1, 4, 4)),
    "distributions.Gaussian.sample": lambda: dict(
        mean=normal(B, 1, 4, 4), log_std=normal(B, 1, 4, 4) / 4, generator=seeded()
    ),
    "distributions.Gaussian.log_prob": lambda: dict(
        mean=normal(B, 1, 4, 4), log_std=normal(B, 1, 4, 4) / 4, x=normal(B, 1, 4, 4)
    ),
    "distributions.Categorical.log_prob": lambda: dict(logits=normal(B, 5, 1, 4, 4), x=whole(5, B, 1, 4, 4)),
    "distributions.Categorical.sample": lambda: dict(
        logits=normal(B, 5, 1, 4, 4), generator=seeded(), temperature=positive(0.5)
    ),
    "distributions.Categorical.sample · noise": lambda: dict(logits=normal(B, 5, 1, 4, 4), eps=normal(B, 5, 4, 4)),
    "distributions.DiscretizedLogisticMixture.log_prob": lambda: dict(**mixture(), x=whole(8, B, 2, 4, 4)),
    "distributions.DiscretizedLogisticMixture.sample": lambda: dict(
        **mixture(), generator=seeded(), temperature=positive(0.5)
    ),
    "distributions.DiscretizedLogisticMixture.sample · noise": lambda: dict(**mixture(), eps=normal(B, 9, 4, 4)),
    "distributions.gumbel": lambda: dict(
        shape=naturals((B, 2)), generator=seeded(), device=torch.device("cpu"), dtype=torch.float32
    ),
    **{
        f"evaluate.Likelihood.{name}": lambda used=used: (
            {field: anything(None) for field in ("log_px", "error", "effective", "terms")} | used()
        )
        for name, used in LIKELIHOOD.items()
    },
    "evaluate.nll": lambda: dict(
        model=vae(), x=grey(B, 1, 4, 4), samples=2, generator=seeded(), binarize=True, progress=False
    ),
    "evaluate.bits_per_dim": lambda: dict(nats=2.0, shape=(1, 4, 4), levels=256),
    "evaluate.bits_per_dim · of each": lambda: dict(nats=normal(B), shape=(1, 4, 4)),
    "evaluate.unit_activity": lambda: dict(model=vae(), x=uniform(B, 1, 4, 4)),
    "evaluate.active_units": lambda: dict(model=vae(), x=uniform(B, 1, 4, 4), threshold=level(0.5)),
    "quantize.code_usage": lambda: dict(codes=whole(4, B, 2), size=4),
    "compare.mean_of": lambda: dict(values=normal(B)),
    "compare.apart": lambda: dict(a=compare.Estimate(1.0, 0.25), b=compare.Estimate(0.5, 0.75)),
    "compare.energy_distance": lambda: dict(a=normal(B, 2), b=normal(4, 2)),
    "compare.nearest_distance": lambda: dict(a=normal(B, 2), reference=normal(4, 2)),
    "compare.recognisability": lambda: dict(classifier=Judge(), x=uniform(B, 1, 4, 4), labels=2, confidence=share(0.5)),
    "compare.shuffled_squares": lambda: dict(x=uniform(B, 2, 8, 4), generator=seeded(), side=2),
    "compare.judge_loss": lambda: dict(
        others=darker, labels=3, model=Judge(), x=uniform(B, 1, 4, 4), y=whole(3, B), generator=seeded()
    ),
    "glyphs.draw": lambda: dict(count=2, seed=natural(1), rgb=True),
    "gradients.score_function": lambda: estimator(baseline=0.5),
    "gradients.score_function · baselines": lambda: estimator(baseline={"m": torch.ones(2)}),
    **{
        f"gradients.{name}": estimator
        for name in ("scores", "optimal_baseline", "leave_one_out", "pathwise", "path_derivative")
    },
    "gradients.exact": lambda: dict(log_q=log_p, f=state_value, params={"l": torch.ones(4)}, states=torch.arange(4)),
    "gradients.categorical": lambda: dict(logits=normal(B, 2), eps=normal(B, 2) / 4),
    "gradients.straight_through": lambda: dict(logits=normal(B, 2), eps=normal(B, 2) / 4),
    "gradients.gumbel_softmax": lambda: dict(logits=normal(B, 2), eps=normal(B, 2) / 4, temperature=positive(0.5)),
    "nets.eval_mode": lambda: dict(model=Judge()),
    "nets.mlp": lambda: dict(sizes=(2, 4)),
    "nets.ResidualBlock": lambda: dict(width=2, dropout=share(0.5)),
    "nets.residual_mlp": lambda: dict(inputs=2, outputs=2, width=4, blocks=natural(1), dropout=share(0.5)),
    "nets.conv_encoder": lambda: dict(shape=(1, 8, 8), outputs=2, width=2),
    "nets.ConvResidualBlock": lambda: dict(width=2, hidden=4),
    "nets.conv_down": lambda: dict(channels=1, outputs=2, width=4, residual=2, blocks=natural(1)),
    "nets.conv_up": lambda: dict(inputs=2, channels=1, width=4, residual=2, blocks=natural(1)),
    "plots.kept": dict,
    "plots.image_rows": lambda: dict(rows={"a": grey(B, 1, 4, 4)}, title=anything("t"), columns=2),
    "plots.filmstrip": lambda: dict(snapshots={1: grey(B, 1, 4, 4)}, title=anything("t"), columns=2),
    "plots.animation": lambda: dict(
        path=fresh(".gif"),
        frames=[grey(B, 1, 4, 4)],
        columns=2,
        milliseconds=100,
        zoom=1,
        plays=3,
        titles=["a"],
        rows=["b", "c"],
    ),
    "plots.scatter": lambda: dict(
        panels={"p": {"a": normal(B, 2)}}, title=anything("t"), labels={"p": whole(10, B)}, same_axes=False
    ),
    "plots.curves": lambda: dict(
        lines={"a": line()},
        xlabel=anything("x"),
        ylabel=anything("y"),
        title=anything("t"),
        log=Arg("y", "word or none"),
        points={"a": line()},
        labels={"a": ["p", "q", "r"]},
        ylim=(0.1, 5.0),
    ),
    "plots.manifolds": lambda: dict(
        pictures={"a": grey(4, 1, 4, 4)}, columns=2, title=anything("t"), axis=anything("std")
    ),
    "plots.latent_points": lambda: dict(
        codes={"a": normal(B, 2)}, points={"a": normal(2)}, images={"a": grey(1, 4, 4)}
    ),
    "plots.bound": lambda: dict(
        z=normal(B).sort().values, densities={"p": normal(B).abs()}, spans={"kl": (-2.0, -1.0)}, lowest=-8.0
    ),
    "plots.ranges": lambda: dict(rows={"a": (0.5, [0.4, 0.6])}, xlabel=anything("x"), title=anything("t")),
    "plots.histograms": lambda: dict(
        panels={"p": {"a": normal(20)}}, exact=0.0, xlabel=anything("x"), bins=4, known=word("reference")
    ),
    "plots.cells": lambda: dict(points=normal(B, 2), codebooks={"a": normal(4, 2)}, title=anything("t")),
    "plots.maps": lambda: dict(
        panels={"a": normal(2, 4).abs()},
        title=anything("t"),
        xlabel=anything("x"),
        ylabel=anything("y"),
        scale=anything("s"),
    ),
    "quantize.VectorQuantizer": lambda: dict(codes=4, dim=2, decay=share(0.5), commitment=level(0.25)),
    "quantize.VectorQuantizer.forward": lambda: dict(self=vq(), z_e=normal(B, 2, 4)),
    "quantize.VectorQuantizer.lookup": lambda: dict(self=vq(), codes=whole(4, B, 2)),
    "quantize.VectorQuantizer.revive": lambda: dict(
        self=vq(), z_e=normal(B, 2, 4), below=share(0.5), generator=seeded()
    ),
    "quantize.FiniteScalarQuantizer": lambda: dict(levels=(2, 4)),
    "quantize.FiniteScalarQuantizer.forward": lambda: dict(self=fsq(), z_e=normal(B, 2, 4)),
    "quantize.FiniteScalarQuantizer.lookup": lambda: dict(self=fsq(), codes=whole(8, B, 2)),
    "quantize.perplexity": lambda: dict(codes=whole(4, B, 2), K=4),
    "symbolic.Normal": lambda: dict(mean=x_, std=s_),
    "symbolic.Normal.log_prob": lambda: dict(mean=x_, std=s_, z=y_),
    "symbolic.Normal.prob": lambda: dict(mean=x_, std=s_, z=y_),
    "symbolic.Normal.expect": lambda: dict(mean=x_, std=s_, f=lambda z: z**2),
    "symbolic.Normal.kl": lambda: dict(mean=x_, std=s_, other=symbolic.Normal(y_, s_)),
    "symbolic.Discrete": lambda: dict(probs=(sp.Rational(1, 4), sp.Rational(3, 4))),
    **{
        f"symbolic.Discrete.{name}": lambda: dict(probs=(sp.Rational(1, 4), sp.Rational(3, 4)), z=natural(1))
        for name in ("log_prob", "prob")
    },
    "symbolic.Discrete.expect": lambda: dict(probs=(sp.Rational(1, 4), sp.Rational(3, 4)), f=lambda z: sp.Integer(z)),
    "symbolic.Discrete.kl": lambda: dict(
        probs=(sp.Rational(1, 4), sp.Rational(3, 4)), other=symbolic.Discrete((sp.Rational(1, 2), sp.Rational(1, 2)))
    ),
    "symbolic.normalize": lambda: dict(log_f=lambda z: -(z**2)),
    "symbolic.equal": lambda: dict(left=x_ + 1, right=1 + x_),
    "train.fit": lambda: dict(
        model=Student(),
        loss=squared_error,
        x=normal(7, 2),
        steps=2,
        batch_size=2,
        lr=level(0.5),
        seed=natural(1),
        device=torch.device("cpu"),
        bf16=False,
        schedule=lambda t: {"lr": 0.5},
        log_every=1,
        snapshot=any_function(lambda model, step: torch.ones(1)),
        snapshot_at=naturals((1,)),
        checkpoint=fresh(".pt"),
        checkpoint_seconds=level(9.0),
        progress=False,
    ),
    "train.fit · optimizer": lambda: dict(
        model=Student(),
        loss=squared_error,
        x=normal(7, 2),
        steps=2,
        batch_size=2,
        optimizer=torch.optim.Adam,
        device=torch.device("cpu"),
        progress=False,
    ),
    "vqvae.VQVAE": lambda: dict(shape=(1, 8, 8), quantizer=vq(), width=4, residual=2, blocks=natural(1)),
    "vqvae.VQVAE.forward": lambda: dict(self=vqvae_(), x=uniform(B, 1, 8, 8)),
    "vqvae.VQVAE.latents": lambda: dict(self=vqvae_(), x=uniform(B, 1, 8, 8)),
    "vqvae.VQVAE.encode": lambda: dict(self=vqvae_(), x=uniform(B, 1, 8, 8)),
    "vqvae.VQVAE.decode": lambda: dict(self=vqvae_(), z=whole(4, B, 2, 2)),
    "vqvae.VQVAE.decode · vectors": lambda: dict(self=vqvae_(), z=normal(B, 2, 2, 2)),
    "vqvae.VQVAE.sample": lambda: dict(
        self=vqvae_(), n=2, prior=pixelcnn.PixelCNN(4, 1, 4, 2, 3, 3), generator=seeded()
    ),
    "vqvae.save_codes": lambda: dict(path=fresh(".pt"), model=vqvae_(), codes=whole(4, B, 2, 2)),
    "vqvae.load_codes": lambda: dict(path=codes_file(), model=vqvae_()),
    "widgets.explorer": lambda: dict(draw=draw_one, a=(0.0, 1.0, 0.5)),
}
for _name, _sizes in (
    ("PixelCNN", dict(layers=2, kernel=3, first_kernel=3)),
    ("GatedPixelCNN", dict(layers=2, kernel=3, first_kernel=3)),
    ("PixelCNNpp", dict(layers=1, scales=2, dropout=share(0.0))),
):
    _sizes = dict(levels=4, channels=1, hidden=4, **_sizes)
    _class = getattr(pixelcnn, _name)

    def _model(make=_class, sizes=_sizes):
        return make(**plain(sizes), labels=2)

    _options = dict(ordered=True, likelihood=word("logistic"), mixtures=2, labels=natural(2))
    _images = dict(x=whole(4, B, 1, 4, 4), labels=whole(2, B))
    CALLS |= {
        f"pixelcnn.{_name}": lambda a=_sizes | _options: a,
        f"pixelcnn.{_name}.forward": lambda m=_model, a=_images: dict(self=m(), **a, cached=False),
        f"pixelcnn.{_name}.log_prob": lambda m=_model, a=_images: dict(self=m(), **a),
        f"pixelcnn.{_name}.sample": lambda m=_model: dict(
            self=m(),
            n=B,
            shape=(2, 4),
            cached=True,
            generator=seeded(),
            temperature=positive(0.5),
            given=whole(4, B, 1, 2, 4),
            mask=torch.eye(2, 4) > 0,
            labels=whole(2, B),
        ),
    }


def _fails():
    checks.check("a", 2.0, 1.0)


def proves(claim):
    with checks.proof(claim):
        checks.check("a", 1.0, 1.0)


# where calling is not all that there is to it
USES: dict[str, Callable] = {
    "compare.judge_loss": lambda others, labels, **batch: compare.judge_loss(others, labels)(**batch),
    "checks.proof": proves,
    "console.bar": counts,
    "data.batchable": lambda x, y: data.batchable(x, y),
    "data.minibatches": lambda x, y, **settings: next(data.minibatches(x, y, **settings)),
    "nets.eval_mode": in_eval_mode,
    "widgets.explorer": lambda draw, **ranges: widgets.explorer(draw, **ranges),
    "train.fit": lambda model, loss, x, **settings: vaelib.train.fit(model, loss, x, **settings),
}


# the last part of a module's name, which no two share -> the whole of it
MODULES = {place.name.rpartition(".")[2]: place.name for place in pkgutil.walk_packages(vaelib.__path__, "vaelib.")}


class Public(NamedTuple):
    """A public name of vaelib: "module.function", "module.Class" or "module.Class.method"."""

    name: str
    value: Any  # the function, the class, or what the class's namespace holds
    owner: type | None  # the class


def public() -> dict[str, Public]:
    """Every public function, class, method and property that vaelib's modules define, but for those in OUTSIDE and what only holds."""
    found = {}

    def add(name, value, owner=None):
        if not any(fnmatch(name, out) for out in OUTSIDE):
            found[name] = Public(name, value, owner)

    for short, place in MODULES.items():
        if OUTSIDE.keys() & set(place.split(".")):
            continue
        module = importlib.import_module(place)
        for name, value in vars(module).items():
            if name.startswith("_") or not callable(value) or getattr(value, "__module__", None) != place:
                continue
            if not inspect.isclass(value):
                add(f"{short}.{name}", value)
                continue
            if not issubclass(value, (tuple, Exception)):
                add(f"{short}.{name}", value)
            for base in reversed(value.__mro__):
                if base.__module__.startswith("vaelib."):
                    for key, each in vars(base).items():
                        if not key.startswith("_") and (inspect.isfunction(each) or isinstance(each, property)):
                            add(f"{short}.{name}.{key}", each, value)
    return found


def run(name: str, arguments: dict[str, Any]) -> Any:
    """Call a public name with these arguments; an object that holds fields is first made of those among them."""
    name = name.partition(" · ")[0]
    _, value, owner = public_names()[name]
    if name in USES:
        return USES[name](**arguments)
    if owner is None:
        return value(**arguments)
    arguments = dict(arguments)
    if "self" in arguments:
        this = arguments.pop("self")
    else:
        fields = getattr(owner, "_fields", None) or list(owner.__dataclass_fields__)
        this = owner(**{field: arguments.pop(field) for field in fields})
    if isinstance(value, property):
        return getattr(this, name.rpartition(".")[2])
    return getattr(this, name.rpartition(".")[2])(**arguments)


_found: dict[str, Public] = {}


def public_names() -> dict[str, Public]:
    if not _found:
        _found.update(public())
    return _found


def plain(value: Any) -> Any:
    """Arguments without the marks of their kinds."""
    if isinstance(value, Arg):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if type(value) is list else value


def arguments(name: str) -> dict[str, Any]:
    """The valid call's arguments, made anew: marked with their kinds."""
    torch.manual_seed(0)
    return CALLS[name]()


def parts(value: Any) -> list[Any] | None:
    """What a dict, a list, a tuple or a module consists of; None for what has no parts."""
    if isinstance(value, nn.Module):
        return list(value.state_dict().values())
    return (
        list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, (list, tuple)) else None
    )


def equal(result: Any, expected: Any) -> bool:
    if isinstance(expected, torch.Tensor):
        return isinstance(result, torch.Tensor) and result.dtype == expected.dtype and torch.equal(result, expected)
    if isinstance(expected, np.ndarray):
        return isinstance(result, np.ndarray) and np.array_equal(result, expected)
    if isinstance(expected, nn.Module) and repr(result) != repr(expected):
        return False
    if isinstance(expected, dict):
        result, expected = ({k: v for k, v in each.items() if k != "seconds"} for each in (result, expected))
    if parts(expected) is not None:
        return (
            type(result) is type(expected)
            and len(parts(result)) == len(parts(expected))
            and all(map(equal, parts(result), parts(expected)))
        )
    if isinstance(expected, float):
        return math.isclose(float(result), expected, rel_tol=1e-6)
    if isinstance(expected, (numbers.Number, str, bytes, sp.Basic, type(None), torch.device, Path)):
        return result == expected and type(result) is type(expected)
    return type(result) is type(expected)  # figures and widgets


def state_of(given: dict[str, Any]) -> list[Any]:
    """Weights and modes of all models among arguments."""
    modules = [value for value in given.values() if isinstance(value, nn.Module)]
    return [
        [[part.training for part in m.modules()], [v.nan_to_num().clone() for v in m.state_dict().values()]]
        for m in modules
    ]
