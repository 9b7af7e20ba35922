"""What notebooks and others rely on without writing it: the default of every argument of every public name."""

import inspect

from calls import public_names

MODEL = dict(shape=(1, 28, 28), latent=20, hidden=(400, 400), likelihood="bernoulli")
CONVOLUTIONS = dict(width=128, residual=32, blocks=2)  # of the VQ-VAE's published code for CIFAR-10
STACK = dict(channels=1, hidden=64, layers=7, kernel=3, first_kernel=7)
DRAWN = dict(cached=True, temperature=1.0)
# None, which stands for nothing given, and "", for no words, are left out
DEFAULTS = {
    "autoencoders.AE": MODEL,
    "autoencoders.VAE": MODEL,
    "autoencoders.VAE.sample": dict(pixels=False),
    "causal.Masked": dict(stride=1),
    "checks.check_mean": dict(exact_error=0.0),
    "console.say": dict(flush=False),
    "console.bar": dict(done=0, unit="step", shown=True),
    "data.load": dict(train=True),
    "data.minibatches": dict(seed=0, start=0),
    "device.seed_everything": dict(seed=0),
    "distributions.Categorical.sample": dict(temperature=1.0),
    "distributions.DiscretizedLogisticMixture.sample": dict(temperature=1.0),
    "evaluate.nll": dict(binarize=False, progress=False),
    "evaluate.active_units": dict(threshold=0.01),  # Burda et al. 2016
    "compare.recognisability": dict(confidence=0.5),
    "compare.shuffled_squares": dict(side=8),
    "glyphs.draw": dict(rgb=False),
    "gradients.score_function": dict(baseline=0.0),
    "nets.residual_mlp": dict(width=512, blocks=2, dropout=0.1),
    "nets.conv_encoder": dict(width=16),
    "nets.conv_down": CONVOLUTIONS,
    "nets.conv_up": CONVOLUTIONS,
    "pixelcnn.PixelCNN": STACK,
    "pixelcnn.PixelCNN.forward": dict(cached=False),
    "pixelcnn.PixelCNN.sample": DRAWN,
    "pixelcnn.GatedPixelCNN": STACK,
    "pixelcnn.GatedPixelCNN.forward": dict(cached=False),
    "pixelcnn.GatedPixelCNN.sample": DRAWN,
    "pixelcnn.PixelCNNpp": dict(channels=1, hidden=64, layers=2, scales=3, dropout=0.0),
    "pixelcnn.PixelCNNpp.forward": dict(cached=False),
    "pixelcnn.PixelCNNpp.sample": DRAWN,
    "plots.image_rows": dict(columns=12),
    "plots.filmstrip": dict(columns=8),
    "plots.animation": dict(columns=8, milliseconds=400, zoom=2),
    "plots.bound": dict(lowest=-8.0),
    "plots.histograms": dict(bins=60, known="exact"),
    "plots.scatter": dict(same_axes=False),
    "plots.maps": dict(xlabel="column", ylabel="row"),
    "quantize.VectorQuantizer": dict(commitment=0.25),  # van den Oord et al. 2017
    "quantize.VectorQuantizer.revive": dict(below=0.1),
    "telling.compared": dict(more="ahead", less="behind", level="level", form=".2f"),
    "train.fit": dict(
        batch_size=128,
        lr=1e-3,
        seed=0,
        bf16=False,
        log_every=50,
        snapshot_at=(),
        checkpoint_seconds=30,
        progress=True,
    ),
    "vqvae.VQVAE": dict(shape=(3, 32, 32), **CONVOLUTIONS),
}


def test_defaults():
    found = {}
    for name, (_, value, _) in public_names().items():
        if not isinstance(value, property):
            defaults = {key: p.default for key, p in inspect.signature(value).parameters.items()}
            given = {k: v for k, v in defaults.items() if v is not inspect.Parameter.empty and v not in (None, "")}
            if given:
                found[name] = given
    assert found == DEFAULTS
    assert {n: {k: type(v) for k, v in d.items()} for n, d in found.items()} == {
        n: {k: type(v) for k, v in d.items()} for n, d in DEFAULTS.items()
    }
