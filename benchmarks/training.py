"""How fast is train.fit? Medians over interleaved repeats of one run, and their ratios.

    python benchmarks/training.py            # with --keep into the tables: make bench

1. An epoch of a VAE (784-400-20, then 784-400-400-20) over 60,000 grey images of 28x28, batch 128. The usual loop:
   torchvision's MNIST class (over the built-in images), ToTensor, DataLoader, sigmoid and binary cross-entropy,
   Adam, loss.item() at each step. Against it, train.fit around the same network and on the same grey images; with
   bfloat16; with dynamic binarization.
2. The cost of data in train.fit: the same updates on one fixed batch. The usual updates on a fixed batch, too.
3. `import vaelib.train` against `import torch`, in fresh processes: at most 0.3 s more is wanted.
4. Drawing 12,000 built-in images.
"""

import subprocess
import sys
from functools import partial

import results
import torch
import torch.nn.functional as F
import torchvision
from timing import medians
from torch.utils.data import DataLoader

from vaelib import bounds, data, glyphs, train
from vaelib.autoencoders import VAE

IMAGES, BATCH, REPEATS = 60_000, 128, 5
DRAWN = 12_000
STEPS = IMAGES // BATCH


def grey_loss(model, x, generator):
    return -bounds.elbo(model, x, generator).elbo.mean()


def binarized_loss(model, x, generator):
    return grey_loss(model, data.binarize(x, generator), generator)


class Usual(torchvision.datasets.MNIST):
    """torchvision's MNIST as it is, but for where the images come from."""

    def __init__(self, x, y):
        self.data, self.targets = x.squeeze(1), y
        self.transform, self.target_transform = torchvision.transforms.ToTensor(), None


def usual_update(model, optimizer, images):
    optimizer.zero_grad()
    q = model.encode(images)
    z = q.mean + q.log_std.exp() * torch.randn_like(q.mean)
    probability = torch.sigmoid(model.decoder(z))
    bce = F.binary_cross_entropy(probability, images.flatten(1), reduction="sum")
    kl = -0.5 * torch.sum(1 + 2 * q.log_std - q.mean.pow(2) - (2 * q.log_std).exp())
    value = (bce + kl) / BATCH
    value.backward()
    optimizer.step()
    return value.item()


def usual(x, y, device, hidden):
    model = VAE(latent=20, hidden=hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(Usual(x, y), batch_size=BATCH, shuffle=True, drop_last=True)
    for images, _ in loader:
        usual_update(model, optimizer, images.to(device))


def usual_fixed_batch(x, y, device, hidden):
    """The usual updates, on one batch that lies ready."""
    model = VAE(latent=20, hidden=hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = data.as_float(x[:BATCH].to(device))
    for _ in range(STEPS):
        usual_update(model, optimizer, batch)


def fit(x, y, device, hidden, loss=grey_loss, **settings):
    model = VAE(latent=20, hidden=hidden)
    train.fit(model, loss, x, steps=STEPS, batch_size=BATCH, device=device, progress=False, **settings)


def fixed_batch(x, y, device, hidden):
    """The updates of train.fit, on one batch that lies ready."""
    model = VAE(latent=20, hidden=hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    generator = torch.Generator(device).manual_seed(0)
    batch = data.as_float(x[:BATCH].to(device))
    for _ in range(STEPS):
        value = grey_loss(model, batch, generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()


ARMS = {  # name -> what is timed, and the wanted ratio to train.fit
    "usual loop": (usual, "≥ 3"),
    "train.fit": (fit, ""),
    "one fixed batch, no data": (fixed_batch, "≥ 0.95"),
    "usual updates, one fixed batch": (usual_fixed_batch, "≥ 1.43"),
    "train.fit, bf16=True": (partial(fit, bf16=True), ""),
    "train.fit, binarizing": (partial(fit, loss=binarized_loss), ""),
}


def epochs(device):
    x, y = map(torch.from_numpy, glyphs.draw(IMAGES, seed=0))
    rows = []
    for hidden in ((400,), (400, 400)):

        def seeded(arm, hidden=hidden):
            torch.manual_seed(0)
            arm(x, y, device, hidden)

        arms = {name: partial(seeded, arm) for name, (arm, _) in ARMS.items()}
        network = "-".join(map(str, (784, *hidden, 20)))
        rows.append({"network": network, "ms": medians(arms, device, REPEATS, warm_up=1)})
    return rows


def by_arm(rows):
    columns = [f"an epoch of {IMAGES:,} images by"]
    for row in rows:
        columns += [f"{row['network']}, s", "ratio to train.fit"]
    lines = []
    for name, (_, wanted) in ARMS.items():
        cells = [(f"{row['ms'][name] / 1e3:.2f}", f"{row['ms'][name] / row['ms']['train.fit']:.2f}") for row in rows]
        lines.append(results.line(name, *sum(cells, ()), wanted))
    return results.table([*columns, "wanted"], lines)


def beginnings(device):
    """What is waited for before anything is trained."""
    arms = {
        f"import {name}": partial(subprocess.run, [sys.executable, "-c", f"import {name}"], check=True)
        for name in ("torch", "vaelib.train")
    }
    arms |= {
        f"drawing {DRAWN:,} {name}": partial(glyphs.draw, DRAWN, seed=0, rgb=rgb)
        for name, rgb in (("glyphs", False), ("glyphs-rgb", True))
    }
    return [{"name": name, "ms": ms} for name, ms in medians(arms, device, REPEATS, warm_up=1).items()]


def seconds(rows):
    lines = [results.line(row["name"], f"{row['ms'] / 1e3:.2f}") for row in rows]
    return results.table(("before training", "seconds"), lines)


PARTS = {"epochs": (epochs, by_arm), "beginnings": (beginnings, seconds)}
tables = partial(results.tables, PARTS)

if __name__ == "__main__":
    results.measure("training", __doc__, PARTS)
