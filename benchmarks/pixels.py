"""How well do the three PixelCNNs learn MNIST, in how many minutes? Likelihoods that can be laid beside published ones.

    python benchmarks/pixels.py                            # all of it, some hours on 2 CPU cores
    python benchmarks/pixels.py --keep                     # and put it into the table: make bench-pixels
    python benchmarks/pixels.py --only binary-gated        # one of the runs
    python benchmarks/pixels.py --untrained                # do not train on: judge what is there, print the table
    python benchmarks/pixels.py --scale 0.1                # every run in a tenth of its minutes: for a GPU

"binary": dynamic binarization, training pixels drawn anew at each step, test pixels once; nats for an image. "grey": the 256 levels as
they are; bits per dimension. Both are exact likelihoods, not bounds. The networks have 156,000 to 199,000 parameters.

Training runs for minutes, not epochs: the script times a few steps, plans their number, and says how long they took. The weights
that are judged are averages over the last tenth or so of training. Stop it when you like: the same command goes on where it was.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import results
import torch
from averaged import LR, fit
from timing import seconds_per_step
from torch import nn

from vaelib import data, describe_device, evaluate, pick_device
from vaelib.pixelcnn import GatedPixelCNN, PixelCNN, PixelCNNpp

PUBLISHED = [
    ("published: PixelCNN, binary (van den Oord et al. 2016a, table 4)", "81.30 nats"),
    (
        "published: a gated PixelCNN of 0.85 M parameters, grey (Lippe 2022, UvA Deep Learning Tutorial 12)",
        "0.809 bits/dim",
    ),
]
MARKS = (10, 30, 60)  # minutes
BATCH = 32


class Arm(NamedTuple):
    """A run: what is trained, and on how many levels."""

    title: str
    make: Callable[[], nn.Module]
    levels: int


ARMS = {
    "binary-gated": Arm("gated, binary", lambda: GatedPixelCNN(2, hidden=32, layers=9), 2),
    "grey-gated": Arm("gated, grey, softmax", lambda: GatedPixelCNN(256, hidden=32, layers=9), 256),
    "binary-plain": Arm("PixelCNN, binary", lambda: PixelCNN(2, hidden=64, layers=8), 2),
    "binary-pp": Arm("PixelCNN++, binary", lambda: PixelCNNpp(2, hidden=20, layers=1, likelihood="categorical"), 2),
    "grey-pp": Arm("PixelCNN++, grey, logistic mixture", lambda: PixelCNNpp(256, hidden=20, layers=1), 256),
}


def as_levels(x, levels, generator):
    """Float images as fit gives them to levels: drawn for 2, as they are for 256."""
    return data.binarize(x, generator).long() if levels == 2 else (255 * x).round().long()


def train(arm, images, steps, device, **settings):
    torch.manual_seed(0)

    def loss(model, x, generator):
        return -model.log_prob(as_levels(x, arm.levels, generator)).mean()

    fit(
        arm.make(), loss, images, steps=steps, batch_size=BATCH, device=device,
        schedule=lambda t: {"lr": LR * min(1, (t * steps + 1) / 200)}, **settings,
    )  # fmt: skip


def planned(arm, images, scale, device):
    """Minutes to steps, by this machine's speed."""
    rate = 60 / seconds_per_step(lambda steps: train(arm, images, steps, device, progress=False), 2, 10, device)
    return {str(mark): max(1, round(scale * mark * rate)) for mark in MARKS}


@torch.no_grad()
def judged(model, x, levels, device):
    """-log p(x) of each image, nats."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for part in x.split(250):
        found.append(-model.log_prob(as_levels(data.as_float(part), levels, generator).to(device)).double().cpu())
    return torch.cat(found)


def moments(name, asked, images, test_images, device):
    arm, folder = ARMS[name], asked.folder / name
    checkpoint = folder / "checkpoint.pt"
    if not asked.untrained:
        marks = results.kept(folder / "plan.json", lambda: planned(arm, images, asked.scale, device))
        steps = max(marks.values())
        print(f"{arm.title}: {steps:,} steps", flush=True)
        train(
            arm, images, steps, device, snapshot_at=list(marks.values()), log_every=20, checkpoint=checkpoint,
            checkpoint_seconds=60,
        )  # fmt: skip
    if not checkpoint.exists():
        return []
    state = torch.load(checkpoint, map_location=device, weights_only=True)
    model, rows = arm.make().to(device).eval(), []
    for step, weights in state["snapshots"].items():
        model.load_state_dict(weights, strict=False)  # the table of intensities is no weight

        def judge(step=step):
            test = judged(model, test_images, arm.levels, device)
            seen = judged(model, images[:1000], arm.levels, device)
            return {
                "title": arm.title,
                "levels": arm.levels,
                "parameters": sum(p.numel() for p in model.parameters()),
                "minutes": next(entry["seconds"] for entry in state["history"] if entry["step"] >= step) / 60,
                "epochs": step * BATCH / len(images),
                "nll": (float(test.mean()), float(test.std() / len(test) ** 0.5)),
                "train_nll": (float(seen.mean()), float(seen.std() / len(seen) ** 0.5)),
                "machine": describe_device(device),
                "images": len(test),
                "data": results.called(asked.data),
            }

        rows.append(results.kept(folder / f"result-{step}-of-{len(test_images)}.json", judge))
        print(line(rows[-1]), flush=True)
    return rows


def line(r):
    if r["levels"] == 2:
        (test, error), (seen, spread), digits, unit = r["nll"], r["train_nll"], 2, "nats"
    else:
        in_bits = [float(evaluate.bits_per_dim(nats, (1, 28, 28))) for nats in (*r["nll"], *r["train_nll"])]
        (test, error, seen, spread), digits, unit = in_bits, 3, "bits/dim"
    return (
        f"| {r['title']} | {r['parameters']:,} | {r['minutes']:.0f} | {r['epochs']:.1f} | **{test:.{digits}f}** {unit} "
        f"| {error:.{digits}f} | {seen:.{digits}f} ± {spread:.{digits}f} |"
    )


def tables(found):
    columns = "network, data; parameters; minutes; epochs; test; ± images; training"
    lines = [f"| {title} | | | | **{value}** | | |" for title, value in PUBLISHED]
    lines += map(line, results.rows(found))
    return results.table(columns.split("; "), lines)


def main():
    parser = results.parser("pixels", __doc__, ARMS)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every run's minutes")
    parser.add_argument("--untrained", action="store_true", help="do not train on")
    parser.add_argument("--images", type=int, default=10_000, help="how many test images")
    parser.add_argument("--data", default="mnist", help="mnist, or glyphs to try the script out")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/pixels"), help="where checkpoints and results are kept"
    )
    asked = parser.parse_args()
    device = pick_device()
    images, test_images = data.load(asked.data).x, data.load(asked.data, train=False).x[: asked.images]
    found = {}
    for name in asked.only:
        if rows := moments(name, asked, images, test_images, device):
            found |= results.keep(asked, device, {name: rows})
    print(f"\n{tables(found)}\n\n{results.where(found)}")


if __name__ == "__main__":
    main()
