"""Words on disk: what is saved is what is loaded, by the model that it is of and by no other."""

import copy

import numpy as np
import pytest
import torch
from machine import flipped
from torch import nn

from vaelib.quantize import FiniteScalarQuantizer, VectorQuantizer
from vaelib.vqvae import VQVAE, load_codes, save_codes


def small(quantizer=None, **kwargs):
    torch.manual_seed(0)
    return VQVAE((3, 16, 12), quantizer or VectorQuantizer(12, 5, **kwargs), width=8, residual=4)


def some(high=12, count=5):
    return torch.randint(high, (count, 4, 3), generator=torch.Generator().manual_seed(0))


def images(count=4):
    return torch.rand(count, 3, 16, 12, generator=torch.Generator().manual_seed(1))


def told(attempt):
    """The sentence of the ValueError, or "" if there is none."""
    try:
        attempt()
    except ValueError as error:
        return str(error)
    return ""


def moved(part):
    """The small model with one number of a part changed, as training does."""
    model = small()
    with torch.no_grad():
        next(p for name, p in model.named_parameters() if name.startswith(part)).view(-1)[0] += 1e-6
    return model


def refuses_other_codes(folder, load=load_codes, save=save_codes):
    path = folder / "codes.pt"
    save(path, small(), some())
    assert torch.equal(load(path, small()), some())
    assert torch.equal(load(path, moved("decoder")), some())  # words mean the same to any decoder
    assert "are of another model" in told(lambda: load(path, moved("encoder")))
    assert "the codebook has moved" in told(lambda: load(path, moved("quantizer")))
    fsq = {levels: small(FiniteScalarQuantizer(levels)) for levels in ((3, 4), (4, 3))}
    for model in fsq.values():  # 12 words each, of other meanings; the levels are in no state_dict
        model.load_state_dict(fsq[3, 4].state_dict())
    save(path, fsq[3, 4], some())
    assert torch.equal(load(path, fsq[3, 4]), some())
    assert "the codebook has moved" in told(lambda: load(path, fsq[4, 3]))


def test_codes_are_saved_with_the_marks_of_their_model(tmp_path):
    refuses_other_codes(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("checksum(*encoder)", "checksum()"),
        ("checksum(model.quantizer.lookup(every_word))", "checksum()"),
        ("checksum(model.quantizer.lookup(every_word))", "checksum(*model.quantizer.state_dict().values())"),
    ],
)
def test_planted_errors_in_the_marks_are_caught(old, new, plant, caught, tmp_path):
    mutant = plant("vaelib.vqvae", old, new)
    caught(f"{old} as {new}", lambda: refuses_other_codes(tmp_path, mutant.load_codes, mutant.save_codes))


def test_what_moves_without_a_change_of_meaning_is_no_other_model(tmp_path):
    """A pass in training mode counts usage: the words of a codebook learned by gradient, and of FSQ, are what they were."""
    path = tmp_path / "codes.pt"
    for quantizer in (VectorQuantizer(12, 5), FiniteScalarQuantizer((3, 4))):
        model = small(quantizer)
        codes = model.eval().encode(images()).codes
        save_codes(path, model, codes)
        before = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            model.train()(images())
        if isinstance(quantizer, VectorQuantizer):
            assert not torch.equal(before["quantizer.usage"], model.quantizer.usage)  # else nothing moved
        assert torch.equal(load_codes(path, model), codes)
        assert torch.equal(model.eval().encode(images()).codes, codes)


def test_a_codebook_that_has_moved_is_told_from_another_model(tmp_path):
    path = tmp_path / "codes.pt"
    model = small(decay=0.9)
    save_codes(path, model, some())
    with torch.no_grad():
        model.train()(images())
    assert told(lambda: load_codes(path, model)) == (
        f"the codebook has moved since the codes in {path} were saved, as one with decay does in a pass in training mode: "
        "encode the images again, in eval mode."
    )
    torch.manual_seed(7)
    other = VQVAE((3, 16, 12), VectorQuantizer(12, 5, decay=0.9), width=8, residual=4)
    assert told(lambda: load_codes(path, other)) == (
        f"the codes in {path} are of another model, and its words mean something else here: encode the images again."
    )


def test_codes_that_are_none_are_refused_and_nothing_is_written(tmp_path):
    path, model = tmp_path / "codes.pt", small()
    bad = {
        "codes, a float32 tensor (5, 4, 3), was given: use an integer tensor (N, 4, 3).": some().float(),
        "codes, a bool tensor (5, 4, 3), was given: use an integer tensor (N, 4, 3).": some().bool(),
        "codes, an int64 tensor (5, 3, 4), was given: use an integer tensor (N, 4, 3).": some().transpose(1, 2),
        "codes, an int64 tensor (5, 1, 4, 3), was given: use an integer tensor (N, 4, 3).": some()[:, None],
        "codes has values from -1 to 10: use words from 0 to 11.": some() - 1,
        "codes has values from 1 to 12: use words from 0 to 11.": some() + 1,
        "codes=None was given: use an integer tensor (N, 4, 3).": None,
        "codes='codes' was given: use an integer tensor (N, 4, 3).": "codes",
        "codes, an int64 NumPy array (5, 4, 3), was given: use an integer tensor (N, 4, 3).": some().numpy(),
    }
    for sentence, codes in bad.items():
        assert told(lambda codes=codes: save_codes(path, model, codes)) == sentence
    sentence = "model, an object of type Linear, was given: use a torch.nn.Module with encoder and quantizer."
    assert told(lambda: save_codes(path, nn.Linear(2, 2), some())) == sentence
    assert not any(tmp_path.iterdir())
    for dtype in (torch.uint8, torch.int16, torch.int32):
        save_codes(path, model, some().to(dtype))
        assert load_codes(path, model).dtype == torch.int64
        assert torch.equal(load_codes(path, model), some())
    save_codes(str(path), model, some(count=0))
    assert load_codes(str(path), model).shape == (0, 4, 3)


def test_300_flipped_bits(tmp_path):
    """No flip gives other codes: it is told, or it lies where it changes nothing."""
    path, model = tmp_path / "codes.pt", small()
    save_codes(path, model, some(count=40))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    told_of = 0
    for damaged in flipped(whole, rng.choice(8 * len(whole), 300, replace=False)):
        path.write_bytes(damaged)
        found = []
        if sentence := told(lambda: found.append(load_codes(path, model))):  # noqa: B023 -- called at once
            assert str(path) in sentence
            told_of += 1
        else:
            assert torch.equal(found[0], some(count=40))
    assert told_of > 200  # most of the file are the codes


def test_files_that_are_none_of_save_codes_are_one_sentence_each(tmp_path):
    model, path = small(), tmp_path / "codes.pt"
    assert told(lambda: load_codes(path, model)) == f"there is no file {path}: give the path of a file of save_codes."
    assert (
        told(lambda: load_codes(tmp_path, model)) == f"{tmp_path} is a folder: give the path of a file of save_codes."
    )
    save_codes(path, model, some())
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b""):
        path.write_bytes(damaged)
        assert told(lambda: load_codes(path, model)) == f"{path} is damaged: encode the images again."
    path.write_bytes(whole)
    state = torch.load(path, weights_only=True)
    for key in state:
        for value in (None, "text", [1], torch.zeros(3)):
            torch.save(state | {key: value}, path)
            sentence = told(lambda: load_codes(path, model))
            assert sentence.startswith(
                (f"{path} is no file of", f"{path} does not say", "the codes in", "codes, a float32")
            ) or (key == "words" and "the codebook has moved" in sentence)
    for other in ({"weights": torch.zeros(3)}, [1], None):
        torch.save(other, path)
        assert told(lambda: load_codes(path, model)) == f"{path} is no file of save_codes: give another path."
    torch.save({"model": "an earlier mark", "codes": some()}, path)
    assert "does not say of which model its codes are" in told(lambda: load_codes(path, model))


def test_a_stopped_save_leaves_the_old_codes(tmp_path, monkeypatch):
    model, path = small(), tmp_path / "codes.pt"
    save_codes(path, model, some())

    def stopped(state, file):
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_codes(path, model, 0 * some())
    assert torch.equal(load_codes(path, model), some())
    assert [p.name for p in tmp_path.iterdir()] == ["codes.pt"]
