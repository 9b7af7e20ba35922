import inspect
import itertools

import pytest
import torch
from torch import nn

from vaelib import autoencoders, bounds, checks, nets
from vaelib.autoencoders import AE, VAE


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
        ("z.reshape(-1, model.latent)", "z.reshape(model.latent, -1).T"),
        ("out.unbind(-4)", "out.unbind(-4)[::-1]"),
        ("model.decoder(z.reshape(-1, model.latent))", "model.decoder(z.reshape(-1, model.latent)).flip(0)"),
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
        ("q.kl())", "0.5 * q.kl())"),
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


@pytest.mark.parametrize("cls", [AE, VAE])
def test_bad_input_is_one_sentence(cls):
    with pytest.raises(ValueError, match="latent=0 was given: a model needs at least 1"):
        cls(latent=0)
    with pytest.raises(ValueError, match="likelihood='poisson' was given: use 'bernoulli' or 'gaussian'"):
        cls(likelihood="poisson")
    with pytest.raises(ValueError, match=r"shape=\(28, 28\) was given"):
        cls((28, 28))
    with pytest.raises(ValueError, match="at least two layer sizes of at least 1"):
        cls(hidden=(10, 0))
    model = cls((1, 4, 4), latent=2, hidden=(8,))
    with pytest.raises(ValueError, match=r"images of shape \(5, 16\) were given to a model of \(B, 1, 4, 4\)"):
        model.encode(torch.zeros(5, 16))
    with pytest.raises(ValueError, match=r"got torch.uint8: use data.as_float"):
        model.encode(torch.zeros(5, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"latents of shape \(5, 3\)"):
        model.decode(torch.zeros(5, 3))
    if cls is VAE:
        with pytest.raises(ValueError, match="0 samples were asked for"):
            model.sample(0)


def test_nets():
    assert nets.mlp([4, 3, 2])(torch.zeros(5, 4)).shape == (5, 2)
    for shape in ((1, 28, 28), (3, 32, 32), (1, 9, 11)):
        assert nets.conv_encoder(shape, 10)(torch.zeros(2, *shape)).shape == (2, 10)
    with pytest.raises(ValueError, match="at least 8x8"):
        nets.conv_encoder((1, 4, 4), 10)
    with pytest.raises(ValueError, match="at least two layer sizes"):
        nets.mlp([4])


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
    for wrong in (dict(width=0), dict(blocks=-1), dict(dropout=1.0)):
        with pytest.raises(ValueError, match="residual_mlp got"):
            nets.residual_mlp(6, 3, **wrong)
