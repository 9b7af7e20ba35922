import inspect
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import scatter_gather

from vaelib import autoencoders, bounds, nets
from vaelib.autoencoders import AE, VAE
from vaelib.classroom import checks


def test_shapes_and_likelihoods():
    x = torch.rand(5, 3, 8, 6)
    for likelihood in ("bernoulli", "gaussian"):
        ae, vae = (cls((3, 8, 6), latent=4, hidden=(16, 12), likelihood=likelihood) for cls in (AE, VAE))
        assert ae.encode(x).shape == (5, 4)
        q = vae.encode(x)
        assert q.mean.shape == q.log_std.shape == (5, 4)
        for model in (ae, vae):
            p = model.decode(torch.randn(7, 5, 4))
            assert p.mean.shape == (7, 5, 3, 8, 6)
            assert p.log_prob(x).shape == (7, 5)
            assert type(p).__name__.lower() == likelihood


def many_draws_agree(module, seed=0):
    torch.manual_seed(seed)
    model = module.VAE((1, 4, 4), latent=2, hidden=(8,), likelihood="gaussian")
    z = torch.randn(3, 5, 2)
    p = model.decode(z)
    # the same sums of 9 numbers, each about 1 at most, but in an order that depends on the number of rows: in float32 they may
    # differ by 9 roundings of 2^-24 on either side, 1.1e-6
    for k, b in itertools.product(range(3), range(5)):
        one, (mean, log_std) = model.decode(z[k, b]), model.decoder(z[k, b]).view(2, 1, 4, 4)
        checks.check("means", torch.stack((one.mean, p.mean[k, b])) - mean, 1.1e-6)
        checks.check("log-stds", torch.stack((one.log_std, p.log_std[k, b])) - log_std, 1.1e-6)


def test_decoding_many_draws_is_decoding_each(caught, plant):
    many_draws_agree(autoencoders)
    for old, new in [
        ("z.reshape(-1, self.latent)", "z.reshape(self.latent, -1).T"),
        (".unbind(-4)", ".unbind(-4)[::-1]"),
        ("(z.reshape(-1, self.latent).to(weight.dtype))", "(z.reshape(-1, self.latent).to(weight.dtype)).flip(0)"),
    ]:
        caught(new, lambda old=old, new=new: many_draws_agree(plant("vaelib.autoencoders", old, new)))


def test_the_two_models_share_a_body_and_its_initialisation():
    torch.manual_seed(0)
    ae = AE(latent=3)
    torch.manual_seed(0)
    vae = VAE(latent=3)
    assert torch.equal(next(ae.encoder.parameters()), next(vae.encoder.parameters()))
    assert [p.shape for p in ae.decoder.parameters()] == [p.shape for p in vae.decoder.parameters()]
    assert list(inspect.signature(AE).parameters) == list(inspect.signature(VAE).parameters)


def test_own_encoder_and_decoder():
    encoder, decoder = (
        nn.Sequential(nn.Flatten(), nn.Linear(16, 6)),
        nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4))),
    )
    model = VAE((1, 4, 4), latent=3, encoder=encoder, decoder=decoder)
    assert bounds.elbo(model, torch.rand(2, 1, 4, 4)).elbo.shape == (2,)


def elbo_agrees(module):
    """Monte Carlo over many z against the exact expectation of a linear decoder, by quadrature over z (D = 1)."""
    torch.manual_seed(0)
    model = VAE((1, 2, 2), latent=1, hidden=(5,)).double()
    x = torch.tensor([[[[1.0, 0.0], [1.0, 1.0]]]], dtype=torch.float64)
    with torch.no_grad():
        q = model.encode(x)
        std = q.log_std.exp()
        grid = torch.linspace(-9, 9, 4001, dtype=torch.float64)
        weight = torch.exp(-0.5 * grid**2) / torch.exp(-0.5 * grid**2).sum()
        probability = torch.sigmoid(model.decoder(q.mean + std * grid.unsqueeze(1))).reshape(-1, 1, 2, 2)
        log_px = torch.where(x > 0.5, probability, 1 - probability).log().sum((1, 2, 3))
        exact = float((weight * log_px).sum())
        kl = float(
            torch.distributions.kl_divergence(
                torch.distributions.Normal(q.mean, std), torch.distributions.Normal(0.0, 1.0)
            ).sum()
        )
        terms = module.elbo(model, x.expand(20_000, 1, 2, 2), torch.Generator().manual_seed(0))
    checks.check_mean("ELBO-10", terms.elbo, exact - kl, slip=exact + kl)
    checks.check("KL", terms.kl - kl, 1e-12)


def test_elbo(caught, plant):
    elbo_agrees(bounds)
    for old, new in [
        ("self.log_px - self.kl", "self.log_px + self.kl"),
        ("self.log_px - self.kl", "self.log_px"),
        ("q.kl(), (len(x),))", "0.5 * q.kl(), (len(x),))"),
        ("q.rsample(generator)", "q.mean"),
    ]:
        caught(f"{old} -> {new}", lambda old=old, new=new: elbo_agrees(plant("vaelib.bounds", old, new)))


def test_samples():
    model = VAE((1, 4, 4), latent=2, hidden=(8,))
    model.train()
    a, b = (model.sample(6, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == (6, 1, 4, 4)
    assert not a.requires_grad
    assert model.training
    drawn = model.sample(6, torch.Generator().manual_seed(1), pixels=True)
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    model.decoder = nn.Linear(3, 16)  # breaks inside; the mode must come back all the same
    with pytest.raises(RuntimeError):
        model.sample(2)
    assert model.training
    again = VAE((1, 4, 4), latent=2, hidden=(8,))
    again.encoder = nn.Sequential(nn.Dropout(0.9), again.encoder)
    again.decoder = nn.Sequential(again.decoder, nn.Dropout(0.9)).train()
    drawn = again.sample(50, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, again.eval().sample(50, torch.Generator().manual_seed(1)))  # in eval mode


def forward_agrees(module):
    """``model(x)`` against encode, the same noise, decode; as a loss it has the value and the gradients of ``bounds.elbo``."""
    torch.manual_seed(0)
    ae, vae = module.AE((1, 4, 4), latent=2, hidden=(8,)), module.VAE((1, 4, 4), latent=2, hidden=(8,))
    x = torch.rand(5, 1, 4, 4).round()
    checks.check("AE", ae(x).logits - ae.decoder(ae.encoder(x)).view(5, 1, 4, 4), 1e-6)
    p, q = vae(x, torch.Generator().manual_seed(1))
    mean, log_std = vae.encoder(x).chunk(2, 1)
    z = mean + log_std.exp() * torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    checks.check("VAE", p.logits - vae.decoder(z).view(5, 1, 4, 4), 1e-5)
    checks.check("q", torch.stack((q.mean - mean, q.log_std - log_std)), 1e-6)
    elbo = bounds.elbo(vae, x, torch.Generator().manual_seed(1)).elbo
    checks.check("minus the loss is the ELBO", p.log_prob(x) - q.kl() - elbo, 1e-5)
    ours, theirs = (torch.autograd.grad(v.mean(), list(vae.parameters())) for v in (p.log_prob(x) - q.kl(), elbo))
    for a, b in zip(ours, theirs, strict=True):
        checks.check("gradients", a - b, 1e-5)
    vae.eval()
    assert not torch.equal(vae(x).p.logits, vae(x).p.logits)  # a draw in eval mode, too


def test_a_model_can_be_called(caught, plant):
    forward_agrees(autoencoders)
    for old, new in [
        ("return self.decode(self.encode(x))", "return self.decode(self.encode(x) * 2)"),
        ("Output(self.decode(q.rsample(generator)), q)", "Output(self.decode(q.mean), q)"),
        ("Output(self.decode(q.rsample(generator)), q)", "Output(self.decode(q.rsample(generator).detach()), q)"),
        ("Output(self.decode(q.rsample(generator)), q)", "Output(self.decode(q.rsample()), q)"),
        ("self._encoded(x).chunk(2, dim=-1)", "self._encoded(x).chunk(2, dim=-1)[::-1]"),
    ]:
        caught(new, lambda old=old, new=new: forward_agrees(plant("vaelib.autoencoders", old, new)))


class Replica(nn.Module):
    """One model twice, as nn.DataParallel runs it: parameters that are plain attributes, and results put together on one device."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        replicas = []
        for part in x.chunk(2):
            copies = {m: m._replicate_for_data_parallel() for m in self.model.modules()}
            for m, copy in copies.items():
                for name, child in m.named_children():
                    setattr(copy, name, copies[child])
                for name, weight in m._parameters.items():
                    setattr(copy, name, weight * 1)
            assert not list(copies[self.model].parameters())
            replicas.append(copies[self.model](part))
        return scatter_gather.gather(replicas, torch.device("cpu"))


def test_models_can_be_wrapped(monkeypatch):
    class Gather:  # PyTorch's own takes tensors on GPUs only
        @staticmethod
        def apply(device, dim, *parts):
            return torch.cat(parts, dim)

    monkeypatch.setattr(scatter_gather, "Gather", Gather)
    x = torch.rand(6, 1, 4, 4).round()
    for likelihood in ("bernoulli", "gaussian"):
        for cls in (AE, VAE):
            model = cls((1, 4, 4), latent=2, hidden=(8,), likelihood=likelihood)
            for wrapped in (nn.DataParallel(model), Replica(model)):
                here = x.to(next(model.parameters()).device)  # DataParallel takes a model to a GPU
                given = wrapped(here)
                p = given.p if cls is VAE else given
                assert type(p).__name__.lower() == likelihood
                assert p.log_prob(here).shape == (6,)
                if cls is VAE:
                    assert type(given) is autoencoders.Output
                    torch.testing.assert_close(given.q.kl(), model.encode(here).kl())


@pytest.mark.parametrize("cls", [AE, VAE])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_few_digits_in_the_weights_are_float32_from_encode_on(cls, likelihood):
    """Under autocast, and in a model of bfloat16: codes, KL and likelihood are float32, and near those of the float32 model."""
    torch.manual_seed(0)
    model = cls((1, 4, 4), latent=3, hidden=(16,), likelihood=likelihood)
    x = torch.rand(50, 1, 4, 4).round()

    def numbers(x):
        code = model.encode(x)
        p = model.decode(code.mean if cls is VAE else code)
        return [*(code if cls is VAE else [code]), *p, p.mean, p.log_prob(x), *([code.kl()] if cls is VAE else [])]

    with torch.no_grad():
        right = numbers(x)
        with torch.autocast("cpu", torch.bfloat16):
            cast = numbers(x)
        model = model.bfloat16()
        few = [*numbers(x), *numbers(x.bfloat16())]
        if cls is VAE:
            assert model.sample(3).dtype == torch.float32
            assert bounds.elbo(model, x).elbo.dtype == torch.float32
        model = model.double()
        assert all(value.dtype == torch.float64 for value in numbers(x)[:1])
    for ours, theirs in zip([*cast, *few], [*right, *right, *right], strict=True):
        assert ours.dtype == torch.float32
        assert float((ours - theirs).abs().max()) < 0.03 * (1 + float(theirs.abs().max()))


def test_a_model_whose_weights_are_not_finite_draws_nothing():
    for bad in (math.nan, math.inf):
        model = VAE((1, 4, 4), latent=2, hidden=(8,)).train()
        with torch.no_grad():
            model.decoder[2].bias[3] = bad
        with pytest.raises(ValueError, match=r"the model has weights that are NaN or infinite, in decoder\.2\.bias"):
            model.sample(4)
        assert model.training


def test_eval_mode_gives_back_what_was():
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3)))
    model[1][0].eval()  # frozen

    def fails(model):
        with nets.eval_mode(model) as inside:
            assert inside is model
            assert not any(part.training for part in model.modules())
            raise KeyError

    for modes in ([True, True, True, False, True], [False] * 5):
        with pytest.raises(KeyError):
            fails(model)
        assert [part.training for part in model.modules()] == modes
        model.eval()
    with pytest.raises(ValueError, match=r"model=None was given: use a torch\.nn\.Module"):
        fails(None)


@pytest.mark.parametrize("cls", [AE, VAE])
def test_bad_input_is_one_sentence(cls):
    model = cls((1, 4, 4), latent=2, hidden=(8,))
    x, z = torch.zeros(5, 1, 4, 4), torch.zeros(5, 2)
    for attempt, sentence in [
        (lambda: cls(latent=0), "latent=0 was given: use a whole number, at least 1"),
        (lambda: cls(latent=2.0), "latent=2.0"),
        (lambda: cls(likelihood="poisson"), "likelihood='poisson' was given: use 'bernoulli' or 'gaussian'"),
        (lambda: cls((28, 28)), r"shape=\(28, 28\) was given: use 3 whole numbers \(C, H, W\), each at least 1"),
        (lambda: cls(None), "shape=None"),
        (lambda: cls(hidden=(10, 0)), r"hidden=\(10, 0\) was given: use whole numbers, each at least 1"),
        (lambda: cls(encoder=print), "encoder, an object of type builtin.*use a torch.nn.Module"),
        (
            lambda: model.encode(torch.zeros(5, 16)),
            r"x, a float32 tensor \(5, 16\), .* use a float tensor \(B, 1, 4, 4\)\.$",
        ),
        (lambda: model.encode(x.to(torch.uint8)), r"uint8 .* data.as_float makes floats of 0 to 255"),
        (lambda: model(x.numpy()), "x, a float32 NumPy array"),
        (lambda: model.encode(x.to("meta")), "x lies on meta, and what it meets on cpu"),
        (
            lambda: model.decode(torch.zeros(5, 3)),
            r"z, a float32 tensor \(5, 3\), was given: use a float tensor \(\.\.\., 2\)",
        ),
        (lambda: model.decode(None), "z=None"),
        (lambda: model.decode(z.long()), "z, an int64 tensor"),
        (lambda: cls((1, 4, 4), 2, decoder=nn.Linear(2, 9)).decode(z), "the decoder's output, .* use 80 values"),
        (
            lambda: cls((1, 4, 4), 2, encoder=nn.Sequential(nn.Flatten(), nn.Linear(16, 9))).encode(x),
            "the encoder's output, a float32 tensor",
        ),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
    assert (
        cls(tuple(np.array([1, 4, 4])), np.int64(2), np.array([8])).encode(x).__class__
    )  # NumPy's numbers are numbers
    assert model.decode(z.double()).mean.dtype == torch.float32  # in the weights' type
    assert model(x[:0]).__class__
    if cls is VAE:
        for attempt, sentence in [
            (lambda: model.sample(0), "n=0 was given: use a whole number, at least 1"),
            (lambda: model.sample(2, pixels="yes"), "pixels='yes' was given: use True or False"),
            (lambda: model.sample(2, 5), r"generator=5 was given: use torch.Generator\('cpu'\)"),
            (lambda: model(x, 5), "generator=5"),
        ]:
            with pytest.raises(ValueError, match=sentence):
                attempt()


def test_nets():
    assert nets.mlp([4, 3, 2])(torch.zeros(5, 4)).shape == (5, 2)
    for shape in ((1, 28, 28), (3, 32, 32), (1, 9, 11)):
        assert nets.conv_encoder(shape, 10)(torch.zeros(2, *shape)).shape == (2, 10)
    for attempt, sentence in [
        (lambda: nets.conv_encoder((1, 4, 4), 10), r"shape=\(1, 4, 4\) was given: use images of at least 8x8"),
        (lambda: nets.conv_encoder((1, 8, 8), 0), "outputs=0"),
        (lambda: nets.mlp([4]), r"sizes=\(4,\) was given: use at least two whole numbers"),
        (lambda: nets.mlp(4), "sizes=4"),
        (lambda: nets.residual_mlp(6, 3, width=0), "width=0 was given: use a whole number, at least 1"),
        (lambda: nets.residual_mlp(6, 3, blocks=-1), "blocks=-1 was given: use a whole number, at least 0"),
        (lambda: nets.residual_mlp(6, 3, dropout=1.0), "dropout=1.0 was given: use a finite number from 0 to below 1"),
        (lambda: nets.conv_down(0, 4), "channels=0 was given: use a whole number, at least 1"),
        (lambda: nets.conv_down(1, 4, width=7), "width=7 was given: use an even number"),
        (lambda: nets.conv_up(4, None), "channels=None"),
        (lambda: nets.conv_up(4, 1, blocks=-1), "blocks=-1"),
        (lambda: nets.ResidualBlock(4, 1), "dropout=1 was given"),
        (lambda: nets.ConvResidualBlock(4, 0), "hidden=0 was given"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()


def layers(body):
    return [str(part).partition("(")[0] + str(tuple(getattr(part, "weight", torch.zeros(())).shape)) for part in body]


def test_the_bodies_are_those_that_their_docstrings_name():
    """Layer by layer, in order, by the widths of their defaults; and each computes what its layers say, from functions."""
    block, up = "ConvResidualBlock()", "ConvTranspose2d"
    assert layers(nets.mlp([784, 400, 20])) == ["Linear(400, 784)", "ReLU()", "Linear(20, 400)"]
    assert layers(nets.residual_mlp(784, 50)) == [
        "Linear(512, 784)", "ResidualBlock()", "ResidualBlock()", "SiLU()", "Linear(50, 512)"
    ]  # fmt: skip
    assert nets.residual_mlp(784, 50)[1].f[3].p == 0.1
    assert layers(nets.conv_encoder((3, 32, 32), 10)) == [
        "Conv2d(16, 3, 5, 5)", "ReLU()", "Conv2d(32, 16, 3, 3)", "ReLU()", "Flatten()", "Linear(128, 2048)", "ReLU()", "Linear(10, 128)"
    ]  # fmt: skip
    assert layers(nets.conv_down(3, 64)) == [
        "Conv2d(64, 3, 4, 4)", "ReLU()", "Conv2d(128, 64, 4, 4)", "ReLU()", "Conv2d(128, 128, 3, 3)", block, block, "ReLU()",
        "Conv2d(64, 128, 1, 1)",
    ]  # fmt: skip
    assert layers(nets.conv_up(64, 3)) == [
        "Conv2d(128, 64, 3, 3)", block, block, "ReLU()", f"{up}(128, 64, 4, 4)", "ReLU()", f"{up}(64, 3, 4, 4)"
    ]  # fmt: skip
    assert layers(nets.conv_down(1, 2)[5].f) == ["ReLU()", "Conv2d(32, 128, 3, 3)", "ReLU()", "Conv2d(128, 32, 1, 1)"]
    assert nets.conv_down(1, 3, 2, 1, 0)(torch.zeros(2, 1, 8, 12)).shape == (2, 3, 2, 3)  # the narrowest
    assert nets.conv_up(3, 1, 2, 1, 0)(torch.zeros(2, 3, 2, 3)).shape == (2, 1, 8, 12)
    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6)
    one = nets.ConvResidualBlock(4, 3)
    h = nn.functional.conv2d(x.clamp(min=0), one.f[1].weight, padding=1)
    torch.testing.assert_close(one(x), x + nn.functional.conv2d(h.clamp(min=0), one.f[3].weight))
    for body in (nets.conv_down(4, 2, 6, 3, 1), nets.conv_up(4, 2, 6, 3, 1), nets.conv_encoder((4, 9, 11), 2, 3)):
        h = x = torch.randn(2, 4, 9, 11)
        for part in body:
            h = part(h) if not isinstance(part, nn.ReLU) else h.clamp(min=0)
        torch.testing.assert_close(body(x), h)


def test_the_defaults_of_the_models():
    for cls, twice in ((AE, 1), (VAE, 2)):
        model = cls()
        assert (model.shape, model.latent, model.likelihood) == ((1, 28, 28), 20, "bernoulli")
        assert layers(model.encoder[1]) == [
            "Linear(400, 784)", "ReLU()", "Linear(400, 400)", "ReLU()", f"Linear({20 * twice}, 400)"
        ]  # fmt: skip
        assert layers(model.decoder) == [
            "Linear(400, 20)", "ReLU()", "Linear(400, 400)", "ReLU()", "Linear(784, 400)"
        ]  # fmt: skip
        assert layers(cls(hidden=(7, 5), likelihood="gaussian").decoder)[::2] == [
            "Linear(5, 20)", "Linear(7, 5)", "Linear(1568, 7)"
        ]  # fmt: skip
    model = VAE((1, 4, 4), latent=2, hidden=(8,))
    p = model.decode(torch.randn(3, 2, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(model.sample(3, torch.Generator().manual_seed(1)), p.mean)  # means by default


def test_the_residual_mlp_adds_to_what_came_in():
    torch.manual_seed(0)
    body = nets.residual_mlp(6, 3, width=8, blocks=2, dropout=0.5).eval()
    x = torch.randn(5, 6)
    assert body(x).shape == (5, 3)
    h = body[0](x)
    for block in body[1:3]:
        norm, first, _, _, second = block.f
        mean, var = h.mean(-1, keepdim=True), h.var(-1, unbiased=False, keepdim=True)
        a = ((h - mean) / torch.sqrt(var + norm.eps)) @ first.weight.T + first.bias
        h = h + (a * torch.sigmoid(a)) @ second.weight.T + second.bias
    assert torch.allclose(body(x), body[4](h * torch.sigmoid(h)), atol=1e-5)
    assert nets.residual_mlp(6, 3, width=8, blocks=0)(x).shape == (5, 3)
    body.train()
    assert not torch.equal(body(x), body(x))  # dropout
