"""vaelib.quantize and vaelib.vqvae, against brute force, scikit-learn, finite differences and another library."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy
from sklearn.cluster import KMeans
from torch import nn

from vaelib import data, quantize, train
from vaelib.nets import ConvResidualBlock, conv_down, conv_up
from vaelib.pixelcnn import GatedPixelCNN
from vaelib.quantize import FiniteScalarQuantizer, VectorQuantizer, perplexity
from vaelib.vqvae import VQVAE


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def maps(*shape, seed=0, **kwargs):
    return torch.randn(*shape, generator=seeded(seed), **kwargs)


def made(codes=11, dim=4, seed=1, **kwargs):
    quantizer = VectorQuantizer(codes, dim, **kwargs).double()
    with torch.no_grad():
        quantizer.codebook.copy_(maps(codes, dim, seed=seed, dtype=torch.float64))
    return quantizer


def nearest(z, codebook):
    """By all differences, position by position: (B, D, H, W) to (B, H, W)."""
    moved = torch.stack([z[:, :, i, j] for i in range(z.shape[2]) for j in range(z.shape[3])], 1)
    return (moved[:, :, None] - codebook).norm(dim=-1).argmin(-1).view(z.shape[0], *z.shape[2:])


def clearly_nearest(vectors, codebook):
    """The nearest word of each vector (..., D), in double precision; all others are farther than float32 could mistake.

    A product of D numbers and half a square, added up in float32, are off by (D + 1) 2^-24 |z| |e| at most; twice that is a
    squared distance, and two of them are compared.
    """
    z, e = vectors.double(), codebook.detach().double()
    found = torch.cdist(z, e).square().topk(2, largest=False)
    rounding = 4 * (z.shape[-1] + 1) * 2**-24 * float(z.norm(dim=-1).max()) * float(e.norm(dim=-1).max())
    assert float((found.values[..., 1] - found.values[..., 0]).min()) > rounding  # or the seed is a bad one
    return found.indices[..., 0]


def off(vectors, among):
    """How far the vectors are from the nearest of the others, at most."""
    return float((vectors[:, None] - among[None]).norm(dim=-1).min(1).values.max())


# ---- the search


@pytest.mark.parametrize("shape", [(3, 4, 2, 5), (3, 4), (3, 4, 6), (2, 4, 2, 3, 2)])
def test_the_nearest_word_for_any_number_of_positions(shape):
    quantizer, z = made(), maps(*shape, dtype=torch.float64)
    found = quantizer.eval()(z)
    flat = z.reshape(*shape[:2], -1, 1) if len(shape) > 2 else z[..., None, None]
    assert torch.equal(found.codes.reshape(shape[0], -1, 1), nearest(flat, quantizer.codebook))
    assert found.z_q.shape == z.shape
    assert found.codes.shape == (shape[0], *shape[2:])
    assert found.codes.dtype == torch.int64
    assert found.codebook_loss.shape == found.commitment_loss.shape == (shape[0],)


@pytest.fixture
def held(monkeypatch):
    """How many distances each piece of a search held, in order."""
    found, product = [], torch.addmm

    def watched(bias, part, down):
        found.append(len(part) * down.shape[1])
        return product(bias, part, down)

    monkeypatch.setattr(torch, "addmm", watched)
    return found


def test_pieces_of_the_search_give_what_the_whole_gives(held, monkeypatch):
    quantizer, z = made(), maps(7, 4, 3, 5, dtype=torch.float64)
    whole = quantizer.eval()(z).codes
    for bound in (1, 50, 1000):
        held.clear()
        monkeypatch.setattr(quantize, "_CPU_DISTANCES", bound)
        assert torch.equal(quantizer(z).codes, whole)
        assert max(held) <= max(bound, quantizer.codes)
        assert sum(held) == whole.numel() * quantizer.codes


def test_memory_of_the_search_does_not_grow_with_the_vectors(held):
    """A million vectors against 512 words: all distances at once would be 2 GB."""
    torch.manual_seed(4)
    quantizer, z = VectorQuantizer(512, 2).eval(), maps(1_000_000, 2)
    codes = quantizer(z).codes
    assert codes.shape == (1_000_000,)
    assert max(held) <= 2**19
    some = torch.randint(1_000_000, (500,), generator=seeded(3))
    assert torch.equal(codes[some], clearly_nearest(z[some], quantizer.codebook))


def test_autocast_flips_no_word(caught):
    """The search runs in float32 whatever surrounds it; in bfloat16 it would go wrong."""
    torch.manual_seed(0)
    quantizer, z = VectorQuantizer(512, 64).eval(), maps(16, 64, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = quantizer(z)
    right = clearly_nearest(z.movedim(1, -1), quantizer.codebook)
    assert torch.equal(found.codes, right)
    assert found.z_q.dtype == found.commitment_loss.dtype == torch.float32
    half = z.bfloat16()  # what an encoder under autocast hands over
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantizer(half).codes, clearly_nearest(half.movedim(1, -1), quantizer.codebook))

    def search(dtype):
        down = quantizer.codebook.to(dtype)
        scores = z.to(dtype).movedim(1, -1) @ down.T - 0.5 * down.square().sum(1)
        assert torch.equal(scores.argmax(-1), right)

    search(torch.float32)
    caught("search in bfloat16", lambda: search(torch.bfloat16))


def search_is_brute_force(module, z, words, used=None, look=None):
    """Against all distances in double precision; what float32 may mistake is bounded by lengths from amid the words in use."""
    quantizer = module.VectorQuantizer(*words.shape).eval()
    with torch.no_grad():
        quantizer.codebook.copy_(words)
        if used is not None:
            quantizer.usage.copy_(used / used.sum())
    look = slice(None) if look is None else look
    codes, z = quantizer(z).codes[look], z[look].double()
    near = words[slice(None) if used is None else used].double()
    distances = torch.cdist(z, words.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    excess = (distances.gather(1, codes[:, None])[:, 0] - distances.min(1).values).max()
    from_there, longest = (z - near.mean(0)).norm(dim=1).max(), (near - near.mean(0)).norm(dim=1).max()
    assert float(excess) <= 4 * (z.shape[1] + 1) * 2**-24 * float(longest * (from_there + longest))


def words_anywhere(module):
    z, words = maps(2000, 8), maps(64, 8, seed=1)
    for offset in (0, -30, 1000, 1e5):
        search_is_brute_force(module, z + offset, words + offset)
    search_is_brute_force(module, z + 1e7, words)  # before training: latents far from every word
    search_is_brute_force(module, 1000 * z, words)
    dead = torch.arange(64) % 2 == 0  # where they began, while the others followed the latents
    search_is_brute_force(module, z + 1000, torch.where(dead[:, None], words, words + 1000), ~dead)


def test_the_nearest_word_is_found_far_from_0(caught, plant):
    words_anywhere(quantize)
    for old, new in [
        ("centre = share @ words / share.sum()", "centre = 0 * words[0]"),
        ("centre = share @ words / share.sum()", "centre = flat.mean(0)"),
        ("centre = share @ words / share.sum()", "centre = words.mean(0)"),
        ("part - centre", "part"),
        ("words = words - centre", "pass"),
    ]:
        caught(new, lambda old=old, new=new: words_anywhere(plant("vaelib.quantize", old, new)))


def test_so_it_is_in_pieces_as_large_as_a_gpu_s(monkeypatch, held):
    monkeypatch.setattr(quantize, "_CPU_DISTANCES", quantize._GPU_DISTANCES)
    some = torch.randint(2**17, (1000,), generator=seeded(3))
    search_is_brute_force(quantize, maps(2**17, 4) + 1000, maps(512, 4, seed=1) + 1000, look=some)
    assert held == [2**26]


def test_half_a_precision_is_enough_for_the_weights():
    """A model in bfloat16 has bfloat16 latents and words; which is nearest is found in float32."""
    quantizer, z = VectorQuantizer(64, 16).bfloat16().eval(), maps(40, 16, 4, 4).bfloat16()
    found = quantizer(z)
    assert torch.equal(found.codes, clearly_nearest(z.movedim(1, -1), quantizer.codebook))
    assert found.z_q.dtype == torch.bfloat16


def test_layout_does_not_matter():
    quantizer, z = made().eval(), maps(3, 4, 5, 6, dtype=torch.float64)
    plain, last = quantizer(z), quantizer(z.contiguous(memory_format=torch.channels_last))
    assert torch.equal(plain.codes, last.codes)
    assert torch.equal(plain.z_q, last.z_q)


# ---- values and gradients


def test_straight_through_is_exact(caught):
    quantizer = made().eval()
    z = maps(2, 4, 3, 5, dtype=torch.float64).requires_grad_()
    found = quantizer(z)
    assert torch.equal(found.z_q, quantizer.lookup(found.codes))
    weights = maps(2, 4, 3, 5, seed=5, dtype=torch.float64)
    to_z, to_codebook = torch.autograd.grad(
        (found.z_q.sin() * weights).sum(), (z, quantizer.codebook), allow_unused=True
    )
    assert torch.equal(to_z, found.z_q.detach().cos() * weights)
    assert to_codebook is None  # the codebook does not hear the picture

    e, at = quantizer.lookup(found.codes).detach(), z.detach()

    def exact(value):
        assert torch.equal(value, e)

    exact(e + (at - at))
    caught("z + sg[e - z] is e up to rounding only", lambda: exact(at + (e - at)))


def test_losses_by_finite_differences():
    """Of the value with the other side held: the stop-gradients are what makes the two terms differ."""
    quantizer = made(commitment=0.7).eval()
    z = maps(2, 4, 3, 5, dtype=torch.float64).requires_grad_()
    found = quantizer(z)
    e = quantizer.lookup(found.codes).detach()
    for k in range(2):
        value = sum((z[k, d] - e[k, d]).square().sum() for d in range(4)).detach() / 60
        assert torch.allclose(found.codebook_loss[k].detach(), value, atol=1e-12)
        assert torch.allclose(found.commitment_loss[k].detach(), 0.7 * value, atol=1e-12)
    (to_z,) = torch.autograd.grad(found.commitment_loss.sum(), z, retain_graph=True)
    (to_codebook,) = torch.autograd.grad(found.codebook_loss.sum(), quantizer.codebook)
    h = 1e-6
    for index in ((0, 1, 2, 3), (1, 3, 0, 4)):
        up = z.detach().clone()
        up[index] += h
        change = 0.7 * ((up - e).square().sum() - (z.detach() - e).square().sum()) / 60 / h
        assert float(to_z[index]) == pytest.approx(float(change), abs=1e-6)
    for k, d in ((0, 0), (5, 3)):
        moved = quantizer.codebook.detach().clone()
        moved[k, d] += h
        shifted = F.embedding(found.codes, moved).movedim(-1, 1)
        change = ((z.detach() - shifted).square().sum() - (z.detach() - e).square().sum()) / 60 / h
        assert float(to_codebook[k, d]) == pytest.approx(float(change), abs=1e-6)
    assert not found.codebook_loss.requires_grad or torch.autograd.grad(
        quantizer(z).codebook_loss.sum(), z, allow_unused=True
    ) == (None,)


def test_equal_to_another_library_with_a_learned_codebook():
    other = pytest.importorskip("vector_quantize_pytorch", reason="install vaelib[compare] to compare with it")
    torch.manual_seed(0)
    theirs = other.VectorQuantize(
        dim=16,
        codebook_size=32,
        learnable_codebook=True,
        ema_update=False,
        rotation_trick=False,
        accept_image_fmap=True,
    )
    ours = VectorQuantizer(32, 16, commitment=1.0)
    with torch.no_grad():
        ours.codebook.copy_(theirs.codebook)
    weights = maps(3, 16, 4, 4, seed=8)
    grads = []
    for quantizer, learned in ((ours, ours.codebook), (theirs, theirs._codebook.embed)):
        z = maps(3, 16, 4, 4, seed=7).mul(0.3).requires_grad_()
        found = quantizer(z)
        z_q, codes = found[:2]
        loss = (
            (found.codebook_loss + found.commitment_loss).mean() if quantizer is ours else found[2].sum()
        )  # theirs is heard by both sides
        grads.append((codes, z_q.detach(), *torch.autograd.grad(loss + (z_q.sin() * weights).mean(), (z, learned))))
        if quantizer is ours:
            single = found.commitment_loss.mean().detach()
        else:
            assert torch.allclose(single, loss.detach(), rtol=1e-5)
    (codes, z_q, to_z, to_e), (their_codes, their_z_q, their_to_z, their_to_e) = grads
    assert torch.equal(codes, their_codes)
    assert torch.allclose(z_q, their_z_q, atol=1e-6)
    assert torch.allclose(to_z, their_to_z, rtol=1e-4, atol=1e-8)
    assert torch.allclose(to_e, their_to_e.view_as(to_e), rtol=1e-4, atol=1e-8)
    assert to_e.abs().max() > 1e-4


def test_equal_to_another_library_with_moving_averages():
    other = pytest.importorskip("vector_quantize_pytorch", reason="install vaelib[compare] to compare with it")
    theirs = other.VectorQuantize(dim=8, codebook_size=6, decay=0.9, eps=1e-9, rotation_trick=False)
    ours = VectorQuantizer(6, 8, decay=0.9)
    start = maps(6, 8, seed=2)
    N = 200
    for buffer, value in ((theirs._codebook.embed, start), (theirs._codebook.embed_avg, start * N / 6)):
        buffer.data.copy_(value)
    theirs._codebook.cluster_size.data.fill_(N / 6)
    ours.codebook.copy_(start)
    ours.size.fill_(1 / 6)
    ours.total.copy_(start / 6)
    for step in range(5):
        z = maps(N, 8, seed=20 + step)
        codes = ours(z).codes
        their_codes = theirs(z[None])[1][0]
        assert torch.equal(codes, their_codes)
        assert torch.allclose(ours.codebook, theirs.codebook.view(6, 8), atol=1e-4)


def test_grid_equal_to_another_library():
    other = pytest.importorskip("vector_quantize_pytorch", reason="install vaelib[compare] to compare with it")
    theirs, ours = other.FSQ(levels=[7, 5, 3]), FiniteScalarQuantizer([7, 5, 3])  # odd: theirs shifts even ones
    z = maps(400, 3, seed=4)
    z_q, codes = theirs(z[None])
    found = ours(z)
    same = found.codes == codes[0]
    assert same.float().mean() > 0.99  # they squeeze by a further thousandth, which moves the borders
    assert torch.allclose(found.z_q[same], z_q[0][same], atol=1e-6)


# ---- moving averages, and revival


def test_without_memory_it_is_k_means(caught):
    points = maps(500, 2, seed=1, dtype=torch.float64)
    start = points[:7].clone()

    def steps_of_lloyd(decay):
        quantizer = VectorQuantizer(7, 2, decay=decay).double()
        quantizer.codebook.copy_(start)
        error = []
        for steps in range(1, 4):
            error.append(float(quantizer(points).commitment_loss.mean()))
            lloyd = KMeans(7, init=start.numpy(), n_init=1, max_iter=steps, tol=0).fit(points.numpy())
            assert torch.allclose(quantizer.codebook, torch.from_numpy(lloyd.cluster_centers_), atol=1e-10)
        assert error == sorted(error, reverse=True)

    steps_of_lloyd(0.0)
    caught("decay 0.5 in place of 0", lambda: steps_of_lloyd(0.5))


def test_the_words_come_from_before_the_update():
    quantizer = made(decay=0.5)
    z = maps(2, 4, 1, 2, dtype=torch.float64)
    before = quantizer.codebook.clone()
    found = quantizer(z)
    assert torch.equal(found.z_q, F.embedding(found.codes, before).movedim(-1, 1))
    assert not torch.equal(quantizer.codebook, before)
    assert not found.codebook_loss.any()
    unused = torch.ones(11, dtype=torch.bool)
    unused[found.codes.unique()] = False
    assert unused.any()
    assert torch.equal(quantizer.codebook[unused], before[unused])


def test_nothing_is_learned_in_eval_mode():
    quantizer = made(decay=0.5).eval()
    before = {k: v.clone() for k, v in quantizer.state_dict().items()}
    quantizer(maps(2, 4, 3, 5, dtype=torch.float64))
    assert all(torch.equal(v, before[k]) for k, v in quantizer.state_dict().items())


def usage_agrees(module):
    """Against the weights written out: the batch t steps ago counts 0.1 * 0.9^t, and nothing came before the first."""
    pages = [[0, 0, 0, 1], [1, 2, 2, 2], [0, 1, 1, 1], [2, 2, 2, 2], [0, 0, 1, 2], [0, 0, 0, 0]]
    for decay in (None, 0.7):  # the codebook's decay is another matter
        quantizer = module.VectorQuantizer(3, 1, decay=decay)
        with torch.no_grad():
            quantizer.codebook.copy_(torch.tensor([[0.0], [10.0], [20.0]]))
        for step, page in enumerate(pages, start=1):
            quantizer(10 * torch.tensor(page)[:, None].float())
            right = [
                math.fsum(0.1 * 0.9 ** (step - 1 - t) * pages[t].count(word) / 4 for t in range(step))
                for word in range(3)
            ]
            assert quantizer.usage.tolist() == pytest.approx(right, abs=1e-6), step
        for _ in range(200):
            quantizer(10 * torch.tensor(pages[0])[:, None].float())
        assert quantizer.usage.tolist() == pytest.approx([0.75, 0.25, 0.0], abs=1e-6)


def test_usage_is_the_share_of_late(caught, plant):
    usage_agrees(quantize)
    for old, new in [
        ("_USAGE_DECAY = 0.9 ", "_USAGE_DECAY = 0.5 "),
        ("_USAGE_DECAY = 0.9 ", "_USAGE_DECAY = 0.89 "),
        ("_USAGE_DECAY = 0.9 ", "_USAGE_DECAY = 0.99 "),
        ("self.usage.lerp_(share, 1 - _USAGE_DECAY)", "self.usage.lerp_(share, _USAGE_DECAY)"),
        ("self.usage.lerp_(share, 1 - _USAGE_DECAY)", "self.usage.copy_(share)"),
        ("self.usage.lerp_(share, 1 - _USAGE_DECAY)", "self.usage.lerp_(share, 1 - (self.decay or _USAGE_DECAY))"),
        ("torch.zeros(codes))\n\n", "torch.full((codes,), 1 / codes))\n\n"),
    ]:
        caught(new, lambda old=old, new=new: usage_agrees(plant("vaelib.quantize", old, new)))


@pytest.mark.parametrize("decay", [None, 0.9])
def test_revival(decay):
    quantizer = VectorQuantizer(5, 2, decay=decay)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0], [50.0, 0.0], [60.0, 0.0], [0.0, 70.0]]))
    z = maps(64, 2, seed=3)
    for _ in range(60):
        quantizer(z)
    before = quantizer.codebook.detach().clone()
    assert int(quantizer.revive(z, below=0.1, generator=seeded(1))) == 3
    now = quantizer.codebook.detach().clone()
    assert torch.equal(now[:2], before[:2])  # those in use stay
    assert off(now[2:], z) == 0  # the others sit on vectors of the batch
    assert len({tuple(row) for row in now.tolist()}) == 5  # no two in one place
    assert int(quantizer.revive(z, below=0.1, generator=seeded(1))) == 0  # and have their chance now
    again = VectorQuantizer(5, 2, decay=decay)
    again.load_state_dict(quantizer.state_dict())
    quantizer(z)
    if decay is not None:  # the averages were moved too: a revived word does not jump back to where it was dead
        assert quantizer.codebook[2:].abs().max() < 10
    assert torch.equal(again.codebook.detach(), now)


def test_revival_is_drawn_with_its_generator():
    z = maps(50, 3)

    def revived(seed):
        quantizer = VectorQuantizer(8, 3)
        quantizer.revive(z, generator=seeded(seed))
        return quantizer.codebook.detach()

    assert torch.equal(revived(1), revived(1))
    assert not torch.equal(revived(1), revived(2))


def test_dead_is_below_a_tenth_of_the_fair_share():
    quantizer, z = VectorQuantizer(4, 2), maps(9, 2)
    quantizer.usage.copy_(torch.tensor([0.5, 0.2, 0.0249, 0.0251]))
    before = quantizer.codebook.detach().clone()
    assert int(quantizer.revive(z)) == 1
    assert (quantizer.codebook == before).all(1).tolist() == [True, True, False, True]


def nothing_comes_of_nan(module):
    """On a GPU in training, where nobody looks: a vector with NaN or infinity in it teaches nothing, and nothing moves to it."""
    module._look = lambda finite, training: None
    z = maps(60, 4)
    z[::3, 1], z[1, 0] = math.nan, math.inf
    good = torch.isfinite(z).all(1)
    quantizer = module.VectorQuantizer(6, 4, decay=0.9)
    moved = int(quantizer.revive(z, generator=seeded(1)))
    assert 0 < moved < 6  # the others' turn comes with the next batch
    assert off(quantizer.codebook, torch.cat((z[good], quantizer.codebook[quantizer.usage == 0]))) == 0
    assert int((quantizer.usage > 0).sum()) == moved
    before = copy.deepcopy(quantizer)
    codes = quantizer(z).codes
    each = F.one_hot(codes, 6).double()[good].T
    assert torch.allclose(quantizer.usage, 0.9 * before.usage + 0.1 * each.sum(1).float() / 60)
    assert torch.allclose(quantizer.size, 0.9 * before.size + 0.1 * each.sum(1).float() / 60)
    assert torch.allclose(quantizer.total, 0.9 * before.total + 0.1 * (each @ z[good].double()).float() / 60)
    assert torch.isfinite(quantizer.codebook).all()


def test_nothing_comes_of_nan_where_nobody_looks(caught, plant):
    nothing_comes_of_nan(plant("vaelib.quantize", "import math", "import math"))
    for old, new in [
        ("flat = flat.where(finite[:, None], 0)", "pass"),
        ("finite.to(flat.dtype) / len(flat)", "torch.full_like(flat[:, 0], 1 / len(flat))"),
        ("dead &= finite[chosen]", "pass"),
        ("dead &= finite[chosen]", "dead &= finite.all()"),
    ]:
        caught(new, lambda old=old, new=new: nothing_comes_of_nan(plant("vaelib.quantize", old, new)))


def test_a_new_codebook_starts_from_data():
    quantizer = VectorQuantizer(8, 3)
    z = maps(2, 3, 4, 4, seed=5) + 100
    assert int(quantizer.revive(z, generator=seeded(0))) == 8
    vectors = z.movedim(1, -1).reshape(-1, 3)
    assert off(quantizer.codebook.detach(), vectors) == 0
    assert quantizer.eval()(z).codes.unique().numel() == 8
    few = VectorQuantizer(8, 3)
    few.revive(z[:1, :, :1, :2], generator=seeded(0))  # two vectors for eight words
    assert off(few.codebook.detach(), vectors[:2]) == 0


def test_revival_saves_what_collapses():
    """Points far from N(0, 1): without revival one word does nearly everything."""
    points = maps(4000, 2, seed=6) * 0.3 + torch.tensor([6.0, -5.0])
    used = {}
    for below in (None, 0.5):
        torch.manual_seed(0)
        quantizer, generator = VectorQuantizer(16, 2, decay=0.9), seeded(2)
        for batch in points.split(100):
            if below is not None:
                quantizer.revive(batch, below, generator)
            quantizer(batch)
        used[below] = perplexity(quantizer.eval()(points).codes, 16)
    assert used[None] < 3
    assert used[0.5] > 13


# ---- perplexity, and the grid


def test_perplexity_by_scipy(caught):
    codes = torch.randint(9, (3, 4, 5), generator=seeded(1)) ** 2 % 9
    share = torch.bincount(codes.flatten(), minlength=9).numpy()
    assert perplexity(codes, 9) == pytest.approx(math.exp(entropy(share)))
    assert perplexity(torch.zeros(4, dtype=torch.long), 9) == 1
    assert perplexity(torch.arange(9), 9) == pytest.approx(9)

    def in_base(base):
        assert math.exp(entropy(share, base=base)) == pytest.approx(perplexity(codes, 9))

    in_base(math.e)
    caught("e to the bits", lambda: in_base(2))


def test_every_word_of_the_grid_comes_back():
    quantizer = FiniteScalarQuantizer([4, 3, 5])
    assert (quantizer.codes, quantizer.dim) == (60, 3)
    words = torch.arange(60)
    vectors = quantizer.lookup(words)
    assert len({tuple(v) for v in vectors.tolist()}) == 60
    found = quantizer(torch.atanh(vectors * 0.9))
    assert torch.equal(found.codes, words)
    assert torch.allclose(found.z_q, vectors, atol=1e-6)
    assert [sorted({round(v, 4) for v in column.tolist()}) for column in vectors.T] == [
        [-1, -0.3333, 0.3333, 1], [-1, 0, 1], [-1, -0.5, 0, 0.5, 1],
    ]  # fmt: skip


INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_words_are_looked_up_by_integers_of_any_type(dtype):
    """256 words: with bytes, counting in their own type would overflow."""
    grid, book = FiniteScalarQuantizer([2, 4, 2, 4, 4]), VectorQuantizer(256, 3)
    codes = torch.arange(min(256, torch.iinfo(dtype).max + 1)).view(2, -1)
    for quantizer in (grid, book):
        vectors = quantizer.lookup(codes.to(dtype))
        assert torch.equal(vectors, quantizer.lookup(codes))
    assert torch.equal(vectors.movedim(1, -1), book.codebook[codes])
    place = torch.stack([(codes // step) % base for step, base in ((1, 2), (2, 4), (8, 2), (16, 4), (64, 4))], 1)
    right = 2 * place.double() / torch.tensor([1, 3, 1, 3, 3])[:, None] - 1
    assert torch.allclose(grid.lookup(codes.to(dtype)).double(), right)


def test_the_grid_passes_the_gradient_of_tanh():
    quantizer = FiniteScalarQuantizer([5, 5])
    z = maps(3, 2, 2, 2, seed=1).requires_grad_()
    found = quantizer(z)
    (to_z,) = torch.autograd.grad(found.z_q.sum(), z)
    assert torch.allclose(to_z, 1 - torch.tanh(z.detach()) ** 2, atol=1e-6)
    assert not found.codebook_loss.any()
    assert not found.commitment_loss.any()


# ---- the VQ-VAE


def small(**kwargs):
    torch.manual_seed(0)
    return VQVAE((3, 16, 16), VectorQuantizer(12, 5, **kwargs), width=8, residual=4)


def test_the_default_is_the_published_network():
    model = VQVAE()
    assert (model.quantizer.codes, model.quantizer.dim) == (512, 64)
    assert model.encode(torch.rand(2, 3, 32, 32)).codes.shape == (2, 8, 8)
    # counted by hand: convolutions k*k*in*out + out; residual blocks have no bias
    residual = 2 * (9 * 128 * 32 + 32 * 128)
    down = 16 * 3 * 64 + 64 + 16 * 64 * 128 + 128 + 9 * 128 * 128 + 128 + residual + 128 * 64 + 64
    up = 9 * 64 * 128 + 128 + residual + 16 * 128 * 64 + 64 + 16 * 64 * 3 + 3
    assert sum(p.numel() for p in model.parameters()) == down + up


def test_defaults():
    q = VQVAE().quantizer
    assert (q.codes, q.dim, q.decay, q.commitment) == (512, 64, 0.99, 0.25)
    assert (VectorQuantizer(4, 2).decay, VectorQuantizer(4, 2).commitment) == (None, 0.25)
    assert VQVAE().shape == (3, 32, 32)


def test_numpy_s_numbers_are_numbers():
    q = VectorQuantizer(np.int64(4), np.int32(2), decay=np.float64(0.5), commitment=np.float32(0.25))
    assert [type(value) for value in (q.codes, q.dim, q.decay, q.commitment)] == [int, int, float, float]
    assert FiniteScalarQuantizer(np.array([3, 5])).codes == 15
    assert VQVAE(np.array([1, 8, 12]), q, width=8, residual=4).shape == (1, 8, 12)


def test_pixels_are_centred_before_and_moved_back_behind():
    model, x = small(), torch.rand(2, 3, 16, 16, generator=seeded())
    model.encoder = nn.Identity()
    assert torch.equal(model.latents(x), x - 0.5)
    with torch.no_grad():
        for p in model.decoder[-1].parameters():
            p.zero_()
        assert (model.decode(torch.zeros(2, 4, 4, dtype=torch.int64)) == 0.5).all()


def test_images_need_not_be_square():
    torch.manual_seed(0)
    model = VQVAE((1, 8, 20), VectorQuantizer(12, 5), width=8, residual=4).eval()
    x_hat, q = model(torch.rand(2, 1, 8, 20))
    assert q.codes.shape == (2, 2, 5)
    assert x_hat.shape == (2, 1, 8, 20)
    assert torch.equal(model.decode(q.codes), x_hat)
    prior = GatedPixelCNN(12, hidden=4, layers=1, first_kernel=3, ordered=False)
    assert model.sample(3, prior).shape == (3, 1, 8, 20)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("quantizer", [VectorQuantizer(8, 3), FiniteScalarQuantizer([2, 4])], ids=["book", "grid"])
def test_a_model_of_another_precision_takes_the_images_and_words_of_others(quantizer, dtype):
    torch.manual_seed(0)
    model = VQVAE((1, 8, 8), copy.deepcopy(quantizer), width=8, residual=4).to(dtype).eval()
    x_hat, q = model(torch.rand(2, 1, 8, 8))
    assert x_hat.dtype == dtype
    torch.testing.assert_close(model.decode(q.codes), x_hat)
    torch.testing.assert_close(model.decode(q.z_q.double()), x_hat)


def test_a_codebook_moves_by_encoding_in_training_mode_alone():
    """As the docstring says; under no_grad too, which says nothing about looking."""
    model, x = small(decay=0.5).train(), torch.rand(4, 3, 16, 16, generator=seeded())
    prior = GatedPixelCNN(12, hidden=4, layers=1, first_kernel=3, ordered=False)
    q = copy.deepcopy(model).encode(x)
    before = {key: value.clone() for key, value in model.state_dict().items()}

    def same():
        return all(torch.equal(value, before[key]) for key, value in model.state_dict().items())

    for look in (
        lambda: model.decode(q.codes),
        lambda: model.decode(q.z_q),
        lambda: model.quantizer.lookup(q.codes),
        lambda: model.latents(x),
        lambda: model.sample(2, prior),
    ):
        look()
        assert same()
    model.eval()(x)
    assert same()
    with torch.no_grad():
        model.train().encode(x)
    assert not same()


def test_codes_vectors_and_the_whole_agree(tmp_path):
    model, x = small().eval(), torch.rand(4, 3, 16, 16, generator=seeded())
    x_hat, q = model(x)
    assert x_hat.shape == x.shape
    assert torch.equal(model.decode(q.codes), x_hat)
    assert torch.equal(model.decode(q.z_q), x_hat)
    torch.save({"codes": q.codes, "model": model.state_dict()}, tmp_path / "saved.pt")
    saved = torch.load(tmp_path / "saved.pt", weights_only=True)
    torch.manual_seed(5)
    other = VQVAE((3, 16, 16), VectorQuantizer(12, 5), width=8, residual=4).eval()
    other.load_state_dict(saved["model"])
    assert torch.equal(other.decode(saved["codes"]), x_hat)


# ---- generation (words on disk: test_codes.py)


def test_generation_decodes_what_the_prior_draws():
    model = small().train()
    torch.manual_seed(1)
    prior = GatedPixelCNN(12, hidden=4, layers=2, first_kernel=3, ordered=False, labels=3)
    labels, known = torch.tensor([0, 2]), torch.randint(12, (2, 1, 4, 4), generator=seeded())
    upper = torch.arange(4)[:, None].expand(4, 4) < 2
    options = {"labels": labels, "given": known, "mask": upper, "temperature": 0.7}
    x = model.sample(2, prior, generator=seeded(2), **options)
    assert x.shape == (2, 3, 16, 16)
    assert model.training
    assert not x.requires_grad
    codes = prior.sample(2, (4, 4), generator=seeded(2), **options)
    assert torch.equal(codes[:, :, :2], known[:, :, :2])
    with torch.no_grad():
        assert torch.equal(x, model.eval().decode(codes[:, 0]))


def test_generation_is_drawn_with_its_generator():
    model, prior = small(), GatedPixelCNN(12, hidden=4, layers=2, first_kernel=3, ordered=False)
    one, again, other = (model.sample(2, prior, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_generation_is_in_eval_mode_and_leaves_each_part_in_its_own():
    model, prior = small().train(), GatedPixelCNN(12, hidden=4, layers=2, first_kernel=3, ordered=False)
    model.decoder.append(nn.Dropout(0.5))
    model.quantizer.eval()  # frozen, while the rest trains
    one, again = (model.sample(2, prior, generator=seeded(1)) for _ in range(2))
    assert torch.equal(one, again)
    assert model.training
    assert model.decoder[1].training
    assert not model.quantizer.training


@pytest.mark.parametrize("part", ["decoder.0.bias", "quantizer.codebook"])
def test_weights_that_are_not_finite_generate_nothing(part):
    model, prior = small(), GatedPixelCNN(12, hidden=4, layers=2, first_kernel=3, ordered=False)
    with torch.no_grad():
        model.get_parameter(part).view(-1)[0] = math.nan
    with pytest.raises(
        ValueError, match=rf"^the VQVAE has weights that are NaN or infinite, in {part}: train it again\.$"
    ):
        model.sample(2, prior)
    with torch.no_grad():
        prior.skip.weight[0, 0] = math.inf
    with pytest.raises(ValueError, match=r"^the GatedPixelCNN has weights .* in skip\.weight"):
        small().sample(2, prior)


class Fixed(nn.Module):
    """A prior that always says the same page."""

    def __init__(self, page):
        super().__init__()
        self.page = page

    def sample(self, n, shape):
        return self.page.expand(n, *self.page.shape)


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        (
            GatedPixelCNN(16, hidden=4, layers=1, first_kernel=3, ordered=False),
            r"a prior over 16 words was given to a model with 12",
        ),
        (
            Fixed(torch.zeros(1, 8, 8, dtype=torch.int64)),
            r"what the prior drew, an? int64 tensor \(2, 1, 8, 8\), .* use an integer tensor \(2, 1, 4, 4\)",
        ),
        (Fixed(torch.zeros(4, 4, dtype=torch.int64)), r"what the prior drew, .* \(2, 4, 4\)"),
        (Fixed(torch.full((1, 4, 4), 12)), "codes has values from 12 to 12: use codes from 0 to 11"),
    ],
)
def test_a_prior_that_does_not_fit_is_one_sentence(prior, sentence):
    with pytest.raises(ValueError, match=sentence) as failure:
        small().sample(2, prior)
    assert "\n" not in str(failure.value)


def test_every_part_learns():
    model, x = small(), torch.rand(4, 3, 16, 16, generator=seeded())
    x_hat, q = model(x)
    (F.mse_loss(x_hat, x) + q.codebook_loss.mean() + q.commitment_loss.mean()).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


@pytest.mark.parametrize("quantizer", [VectorQuantizer(32, 8, decay=0.9), FiniteScalarQuantizer([4, 4, 2])])
def test_it_learns_to_rebuild(quantizer):
    x = data.load("glyphs-rgb").x[:600]
    variance = float(data.as_float(x).var())
    torch.manual_seed(0)
    model = VQVAE((3, 32, 32), quantizer, width=16, residual=8, blocks=1)

    def loss(model, x, generator):
        z_e = model.latents(x)
        if isinstance(model.quantizer, VectorQuantizer):
            model.quantizer.revive(z_e, 0.5, generator)
        q = model.quantizer(z_e)
        return F.mse_loss(model.decode(q.z_q), x) / variance + q.codebook_loss.mean() + q.commitment_loss.mean()

    train.fit(model, loss, x, steps=150, batch_size=32, lr=3e-3, device=torch.device("cpu"), bf16=True, progress=False)
    with torch.no_grad():
        x_hat, q = model(data.as_float(x))
    assert F.mse_loss(x_hat, data.as_float(x)) / variance < 0.5
    assert perplexity(q.codes, 32) > 8


def test_bodies_divide_and_multiply_by_four():
    x = torch.rand(2, 3, 12, 20)
    z = conv_down(3, 7, width=6, residual=3, blocks=1)(x)
    assert z.shape == (2, 7, 3, 5)
    assert conv_up(7, 3, width=6, residual=3, blocks=1)(z).shape == x.shape
    block = next(m for m in conv_down(3, 7, 6, 3, 1) if isinstance(m, ConvResidualBlock))
    with torch.no_grad():
        for p in block.parameters():
            p.zero_()
    h = torch.randn(1, 6, 4, 4)
    assert torch.equal(block(h), h)


# ---- bad input

BAD = {
    "one code": (lambda: VectorQuantizer(1, 4), "codes=1"),
    "no dimension": (lambda: VectorQuantizer(4, 0), "dim=0"),
    "decay of 1": (lambda: VectorQuantizer(4, 2, decay=1.0), "decay=1.0"),
    "negative commitment": (lambda: VectorQuantizer(4, 2, commitment=-1), "commitment=-1"),
    "channels": (lambda: made()(maps(2, 3, 4, 4)), r"use a float tensor \(B, 4, ...\)"),
    "channels last": (lambda: made()(maps(2, 3, 5, 4)), r"\(2, 3, 5, 4\), .* \(B, 4, ...\)"),
    "integers": (lambda: made()(torch.zeros(2, 4, dtype=torch.long)), "int64"),
    "no vector": (lambda: made()(maps(0, 4)), r"\(0, 4\), was given: .* not empty"),
    "below": (lambda: made().revive(maps(9, 4), below=2), "below=2"),
    "code too large": (lambda: made().lookup(torch.tensor([[3, 11]])), "from 3 to 11: .* from 0 to 10"),
    "negative code": (lambda: made().lookup(torch.tensor([-1])), "from -1"),
    "float codes": (lambda: made().lookup(torch.tensor([1.0])), "float32"),
    "grid channels": (lambda: FiniteScalarQuantizer([3, 3])(maps(2, 3)), r"\(B, 2, ...\)"),
    "grid of one level": (lambda: FiniteScalarQuantizer([3, 1]), r"levels=\[3, 1\]"),
    "grid code": (lambda: FiniteScalarQuantizer([3, 3]).lookup(torch.tensor([9])), "from 0 to 8"),
    "perplexity out of range": (lambda: perplexity(torch.tensor([4]), 4), "from 0 to 3"),
    "image does not divide": (lambda: VQVAE((3, 30, 32)), "divisible by 4"),
    "odd width": (lambda: VQVAE(width=7), "width=7 was given: use an even number"),
    "image of another size": (lambda: small()(torch.rand(1, 3, 32, 32)), r"\(B, 3, 16, 16\)"),
    "uint8 images": (lambda: small()(torch.zeros(1, 3, 16, 16, dtype=torch.uint8)), "as_float"),
    "page of another size": (lambda: small().decode(torch.zeros(1, 8, 8, dtype=torch.long)), r"\(B, 4, 4\)"),
    "vectors of another size": (lambda: small().decode(torch.zeros(1, 6, 4, 4)), r"\(B, 5, 4, 4\)"),
    "decoded code too large": (lambda: small().decode(torch.full((1, 4, 4), 12)), "from 12 to 12: .* from 0 to 11"),
    "conv sizes": (lambda: conv_down(0, 4), "at least 1"),
    "codes in words": (lambda: VectorQuantizer("many", 4), "codes='many' was given: use a whole number, at least 2"),
    "half a code": (lambda: VectorQuantizer(2.5, 4), "codes=2.5"),
    "decay of NaN": (lambda: VectorQuantizer(4, 2, decay=math.nan), "decay=nan was given: .* to below 1"),
    "latents of nothing": (lambda: made()(None), "z_e=None was given"),
    "latents of NumPy": (lambda: made()(np.zeros((2, 4))), r"z_e, a float64 NumPy array \(2, 4\),"),
    "latents elsewhere": (lambda: made()(maps(2, 4).to("meta")), "z_e lies on meta, .* on cpu: move"),
    "revival of a stack": (
        lambda: made().revive(maps(1, 9, 4, 3, 3)),
        r"\(1, 9, 4, 3, 3\), was given: .*\(B, 4, ...\)",
    ),
    "revival by a list": (lambda: made().revive([[1.0] * 4]), "z_e=.* was given"),
    "revival by NumPy": (lambda: made().revive(maps(9, 4), generator=np.random.default_rng(0)), "torch.Generator"),
    "below NaN": (lambda: made().revive(maps(9, 4), below=math.nan), "below=nan"),
    "codes of nothing": (lambda: made().lookup(None), "codes=None"),
    "no codes": (lambda: made().lookup(torch.zeros(0, 3, dtype=torch.long)), "not empty"),
    "one code alone": (lambda: made().lookup(torch.tensor(3)), r"int64 tensor \(\), was given"),
    "truths": (lambda: made().lookup(torch.tensor([True])), "bool"),
    "codes elsewhere": (lambda: made().lookup(torch.zeros(2, dtype=torch.long, device="meta")), "lies on meta"),
    "negative small code": (lambda: made().lookup(torch.tensor([-1], dtype=torch.int8)), "from -1"),
    "no grid": (lambda: FiniteScalarQuantizer([]), r"levels=\(\) was given: use one whole number or more"),
    "grid of halves": (lambda: FiniteScalarQuantizer([3, 2.5]), "levels="),
    "grid of one number": (lambda: FiniteScalarQuantizer(3), "levels=3"),
    "grid of too many words": (lambda: FiniteScalarQuantizer([2**32, 2**32]), "product below 2"),
    "grid code of a byte": (
        lambda: FiniteScalarQuantizer([3, 3]).lookup(torch.tensor([9], dtype=torch.uint8)),
        "9 to 9",
    ),
    "grid latents elsewhere": (lambda: FiniteScalarQuantizer([3, 3])(maps(2, 2).to("meta")), "lies on meta"),
    "two sizes": (lambda: VQVAE((32, 32)), r"shape=\(32, 32\) was given: use 3 whole numbers \(C, H, W\)"),
    "a quantizer in words": (lambda: VQVAE(quantizer="vq"), "quantizer='vq' was given"),
    "a quantizer that is none": (lambda: VQVAE(quantizer=nn.Linear(2, 2)), "use a torch.nn.Module with lookup"),
    "no image": (lambda: small()(torch.rand(0, 3, 16, 16)), "not empty"),
    "images of 0 to 255": (lambda: small()(255 * torch.ones(1, 3, 16, 16)), "from 255 to 255: use images from 0 to 1"),
    "images of NaN": (lambda: small()(math.nan * torch.ones(1, 3, 16, 16)), "from nan to nan"),
    "images elsewhere": (lambda: small()(torch.rand(1, 3, 16, 16, device="meta")), "lies on meta"),
    "a page of NumPy": (lambda: small().decode(np.zeros((1, 4, 4), int)), "NumPy array"),
    "vectors of NaN": (lambda: small().decode(math.nan * torch.ones(1, 5, 4, 4)), "z has 80 values that are NaN"),
    "page elsewhere": (lambda: small().decode(torch.zeros(1, 4, 4, dtype=torch.long, device="meta")), "lies on meta"),
    "no samples": (lambda: small().sample(0, Fixed(torch.zeros(1, 4, 4, dtype=torch.long))), "n=0 was given"),
    "a prior in words": (lambda: small().sample(1, "prior"), "prior='prior' was given: use an object with sample"),
    "a prior's class": (lambda: small().sample(1, GatedPixelCNN), "prior, an object of type type, was given"),
    "a prior of floats": (lambda: small().sample(1, Fixed(torch.zeros(1, 4, 4))), "drew, a float32 .* use an integer"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_one_sentence(what):
    call, sentence = BAD[what]
    with pytest.raises(ValueError, match=sentence) as failure:
        call()
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_latent_that_is_not_finite(value):
    z = maps(2, 4, 3, 3, dtype=torch.float64)
    z[1, 2, 0, 1] = value
    quantizer = made(decay=0.9)
    before = quantizer.codebook.clone()
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        quantizer(z)
    assert torch.equal(quantizer.codebook, before)  # nothing was learned from it
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        quantizer.revive(z)
    assert torch.equal(quantizer.codebook, before)  # nor moved
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        FiniteScalarQuantizer([3] * 4)(z.float())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    model = small(decay=0.9).cuda()
    x = torch.rand(64, 3, 16, 16, device="cuda")
    z = maps(64, 5, 4, 4).cuda()
    z[0, 0, 0, 0] = math.nan
    torch.cuda.set_sync_debug_mode("error")  # a training step waits for nothing
    try:
        copied = copy.deepcopy(model.quantizer)
        copied.revive(z)
        copied(z)
        with torch.autocast("cuda", torch.bfloat16):
            z_e = model.latents(x)
            model.quantizer.revive(z_e, 0.5, torch.Generator("cuda").manual_seed(0))
            q = model.quantizer(z_e)
            (F.mse_loss(model.decode(q.z_q), x) + q.commitment_loss.mean()).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.isfinite(value).all() for value in copied.state_dict().values())  # nor learns from NaN
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        copied.eval()(z)
    with pytest.raises(ValueError, match="codes has values from 12 to 12"):
        model.decode(torch.full((1, 4, 4), 12, device="cuda"))
    with pytest.raises(ValueError, match="z lies on cpu, and what it meets on cuda"):
        model.decode(torch.zeros(1, 4, 4, dtype=torch.uint8))
    words = maps(512, 4, seed=1)
    far = VectorQuantizer(512, 4)
    with torch.no_grad():
        far.codebook.copy_(words + 1000)
    z = maps(2**17, 4) + 1000
    codes = far.cuda().eval()(z.cuda()).codes.cpu()[:2000]
    distances = torch.cdist(z[:2000].double(), far.codebook.detach().cpu().double()).square()
    assert float((distances.gather(1, codes[:, None])[:, 0] - distances.min(1).values).max()) < 1e-4
    here = model.eval().encode(x).codes.cpu()
    assert (here == model.cpu().encode(x.cpu()).codes).float().mean() > 0.99


def test_a_revived_word_is_the_mean_of_what_it_now_counts():
    """usage, size and total begin anew for it, so that one more vector moves it by 1 - gamma of the way, and not to elsewhere."""
    torch.manual_seed(0)
    quantizer, z = VectorQuantizer(8, 3, decay=0.9), torch.randn(16, 3) + 5
    assert int(quantizer.revive(z)) == 8  # none has been used yet
    torch.testing.assert_close(quantizer.total / quantizer.size[:, None], quantizer.codebook)
    torch.testing.assert_close(quantizer.size, torch.full((8,), 1 / 8))
    torch.testing.assert_close(quantizer.usage, torch.full((8,), 1 / 8))


def test_code_usage():
    codes = torch.tensor([[0, 2, 2], [2, 0, 4]])
    assert quantize.code_usage(codes, 6).tolist() == pytest.approx([2 / 6, 0, 3 / 6, 0, 1 / 6, 0])
    assert quantize.code_usage(torch.tensor(3), np.int64(6)).tolist() == [0, 0, 0, 1, 0, 0]
    for wrong, size, sentence in [
        (codes.float(), 6, "use an integer tensor"),
        (codes[:0], 6, "use at least one code"),
        (codes - 1, 6, "values from -1 to 3: use codes from 0 to 5"),
        (codes, 4, "values from 0 to 4: use codes from 0 to 3"),
        (codes, 0, "size=0"),
        (None, 6, "codes=None"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            quantize.code_usage(wrong, size)
