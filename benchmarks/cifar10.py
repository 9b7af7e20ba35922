"""How well does a VQ-VAE rebuild CIFAR-10, and how much of its codebook does it use? With each cure for collapse, and without.

    python benchmarks/cifar10.py                              # about half an hour on 2 CPU cores
    python benchmarks/cifar10.py --keep                       # and put it into the tables: make bench-cifar10
    python benchmarks/cifar10.py --only cured                 # one of the arms
    python benchmarks/cifar10.py --data folder:PATH           # pictures of your own, or a JPEG copy of CIFAR-10
    python benchmarks/cifar10.py --steps 1000                 # a look at the beginning

The network of van den Oord et al. (2017) in its published code: 128 channels, 512 codes of dimension 64, 8x8 codes for an image;
batches of 32, 10,000 steps. Error: mean squared error over the variance of the training pixels.

Batch figures are means over training batches of 32, as the published example reports them; test figures are of all test images.
"lowest" is the lowest batch perplexity of any step after the first. Stop it when you like: the same command goes on where it was.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import results
import torch
import torch.nn.functional as F

from vaelib import data, pick_device, train
from vaelib.quantize import FiniteScalarQuantizer, VectorQuantizer, perplexity
from vaelib.vqvae import VQVAE

K, D, BATCH, LR = 512, 64, 32, 2e-3
MARKS = (100, 300, 1000, 2000, 5000, 10_000)


class Arm(NamedTuple):
    """How the words are learned, and which share of the fair usage counts as alive (None: codes are never moved)."""

    title: str
    quantizer: Callable
    below: float | None = None
    from_data: bool = False


ARMS = {
    "cured": Arm("EMA 0.99, β 1, started from data, dead codes revived", lambda: VectorQuantizer(K, D, 0.99, 1.0), 0.5),
    "fsq": Arm("finite scalar quantization, 8 x 8 x 8 levels", lambda: FiniteScalarQuantizer([8, 8, 8])),
    "ema": Arm("EMA 0.99, β 0.25, from N(0, 1)", lambda: VectorQuantizer(K, D, 0.99)),
    "data": Arm("EMA 0.99, β 0.25, started from data", lambda: VectorQuantizer(K, D, 0.99), from_data=True),
    "gradient": Arm("codebook by gradient, β 0.25, from N(0, 1)", lambda: VectorQuantizer(K, D)),
}


def batch_perplexity(codes):
    """perplexity, left on the device."""
    codes = codes.flatten()
    share = torch.zeros(K, device=codes.device).index_add_(0, codes, torch.full(codes.shape, 1.0, device=codes.device))
    share = share / len(codes)
    return torch.exp(-torch.xlogy(share, share).sum())


def rebuilt(model, x):
    return model(x.contiguous(memory_format=torch.channels_last))


def trained(arm, steps, x, variance, checkpoint, snapshot, snapshot_at):
    """One arm: the model, and its run with what ``snapshot`` saw."""
    torch.manual_seed(0)
    model = VQVAE(tuple(x.shape[1:]), arm.quantizer()).to(memory_format=torch.channels_last)
    if arm.from_data:
        with torch.no_grad():
            model.quantizer.revive(model.latents(data.as_float(x[:BATCH])))
    model.register_buffer("lowest", torch.tensor(float(K)))  # with the model, so that a resumed run knows
    model.register_buffer("seen", torch.tensor(0))

    def loss(model, x, generator):
        x = x.contiguous(memory_format=torch.channels_last)
        z_e = model.latents(x)
        if arm.below is not None:
            model.quantizer.revive(z_e, arm.below, generator)
        q = model.quantizer(z_e)
        with torch.no_grad():
            model.lowest.copy_(
                torch.where(model.seen > 0, model.lowest.minimum(batch_perplexity(q.codes)), model.lowest)
            )
            model.seen.add_(1)
        error = F.mse_loss(model.decode(q.z_q).float(), x) / variance
        return error + q.codebook_loss.mean() + q.commitment_loss.mean()

    def schedule(t):  # a short warm-up, then level, then down to zero
        return {"lr": LR * min(1, (t * steps + 1) / 100, 2 * (1 - t))}

    run = train.fit(
        model, loss, x, steps=steps, batch_size=BATCH, bf16=True, schedule=schedule, snapshot=snapshot,
        snapshot_at=snapshot_at, checkpoint=checkpoint, checkpoint_seconds=60,
    )  # fmt: skip
    return model, run


@torch.no_grad()
def on_test_images(model, x, variance):
    """Error, and perplexity of the whole set at once."""
    device = next(model.parameters()).device
    squares, codes = 0.0, []
    for part in x.split(500):
        images = data.as_float(part).to(device)
        x_hat, q = rebuilt(model, images)
        squares += float((x_hat - images).double().square().sum())
        codes.append(q.codes)
    return squares / x.numel() / variance, perplexity(torch.cat(codes), K)


def tables(found):
    """Where each arm ended; and the road there, of batches alone."""
    rows = results.rows(found)
    steps = sorted({int(step) for row in rows for step in row["curve"]})
    on_the_way = {
        row["title"]: ["{:.3f} / {:.0f}".format(*row["curve"][str(s)]) if str(s) in row["curve"] else "" for s in steps]
        for row in rows
    }
    ends = "words; steps; batch error; test error; batch perplexity; test-set perplexity; lowest"
    road = ["batch error / batch perplexity after steps", *(f"{step:,}" for step in steps)]
    return "\n\n".join(
        [
            results.table(ends.split("; "), map(line, rows)),
            results.table(road, [results.line(title, *cells) for title, cells in on_the_way.items()]),
        ]
    )


def line(r):
    batch_error, batch_perplexity = r["curve"][str(r["steps"])]
    return (
        f"| {r['title']} | {r['steps']:,} | {batch_error:.4f} | {r['test_error']:.4f} "
        f"| {batch_perplexity:.0f} | {r['test_perplexity']:.0f} | {r['lowest']:.1f} |"
    )


def main():
    parser = results.parser("cifar10", __doc__, ARMS)
    parser.add_argument("--data", default="cifar10", help="cifar10, glyphs-rgb or folder:PATH")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path("build/cifar10"), help="where checkpoints are kept")
    asked = parser.parse_args()
    device, found = pick_device(), {}
    x, test_x = data.load(asked.data).x, data.load(asked.data, train=False).x
    variance = float((x.float() / 255).var())

    def on_training_batches(model, step):
        generator = torch.Generator().manual_seed(step)
        found = []
        for _ in range(100 if step == asked.steps else 20):
            index = torch.randint(len(x), (BATCH,), generator=generator)
            images = data.as_float(x[index]).to(model.lowest.device)
            x_hat, q = rebuilt(model, images)
            found.append(torch.stack([F.mse_loss(x_hat, images) / variance, batch_perplexity(q.codes)]).cpu())
        return torch.stack(found).mean(0)

    marks = {mark for mark in MARKS if mark < asked.steps} | {asked.steps}
    for name in asked.only:
        arm = ARMS[name]
        checkpoint = asked.folder / f"{name}-{asked.steps}" / "checkpoint.pt"
        model, run = trained(arm, asked.steps, x, variance, checkpoint, on_training_batches, marks)
        error, whole = on_test_images(model, test_x, variance)
        row = {
            "title": arm.title,
            "steps": asked.steps,
            "test_error": error,
            "test_perplexity": whole,
            "lowest": float(model.lowest),
            "curve": {str(step): run.snapshots[step].tolist() for step in sorted(marks)},
            "data": results.called(asked.data),
        }
        found |= results.keep(asked, device, {name: [row]})
        print(f"{line(row)} {run.history[-1]['seconds'] / 60:.1f} minutes", flush=True)
    print(f"\n{tables(found)}\n\n{results.where(found)}")


if __name__ == "__main__":
    main()
