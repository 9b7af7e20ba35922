"""How fast is train.fit? Ratios within one run, medians over interleaved repeats, printed as a table.

    python benchmarks/training.py            # or: make bench

1. An epoch of a VAE (784-400-20, then 784-400-400-20) over 60,000 grey images of 28x28, batch 128. The usual loop:
   torchvision's MNIST class (over the built-in images), ToTensor, DataLoader, sigmoid and binary cross-entropy,
   Adam, loss.item() at each step. Against it, train.fit around the same network and on the same grey images; with
   bfloat16; with dynamic binarization.
2. The cost of data in train.fit: the same updates on one fixed batch. The usual updates on a fixed batch, too.
3. `import vaelib` against `import torch`, in fresh processes.
4. Drawing 12,000 built-in images.
"""

import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
import torchvision
from torch.utils.data import DataLoader

from vaelib import bounds, data, describe_device, glyphs, pick_device, train
from vaelib.autoencoders import VAE

IMAGES, BATCH, REPEATS = 60_000, 128, 5
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


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
    start = time.perf_counter()
    for images, _ in loader:
        usual_update(model, optimizer, images.to(device))
    synchronise(device)
    return time.perf_counter() - start


def usual_fixed_batch(x, y, device, hidden):
    """The usual updates, on one batch that lies ready."""
    model = VAE(latent=20, hidden=hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = data.as_float(x[:BATCH].to(device))
    start = time.perf_counter()
    for _ in range(STEPS):
        usual_update(model, optimizer, batch)
    synchronise(device)
    return time.perf_counter() - start


def fit(x, y, device, hidden, loss=grey_loss, **settings):
    model = VAE(latent=20, hidden=hidden)
    start = time.perf_counter()
    train.fit(model, loss, x, steps=STEPS, batch_size=BATCH, device=device, progress=False, **settings)
    synchronise(device)
    return time.perf_counter() - start


def fixed_batch(x, y, device, hidden):
    """The updates of train.fit, on one batch that lies ready."""
    model = VAE(latent=20, hidden=hidden).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    generator = torch.Generator(device).manual_seed(0)
    batch = data.as_float(x[:BATCH].to(device))
    start = time.perf_counter()
    for _ in range(STEPS):
        value = grey_loss(model, batch, generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    synchronise(device)
    return time.perf_counter() - start


ARMS = {  # name -> what is timed, and the wanted ratio to train.fit
    "usual loop": (usual, "≥ 3"),
    "train.fit": (fit, ""),
    "one fixed batch, no data": (fixed_batch, "≥ 0.95"),
    "usual updates, one fixed batch": (usual_fixed_batch, "≥ 1.43"),
    "train.fit, bf16=True": (lambda *a: fit(*a, bf16=True), ""),
    "train.fit, binarizing": (lambda *a: fit(*a, loss=binarized_loss), ""),
}


def import_seconds(module):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def epochs(x, y, device, hidden):
    seconds = {name: [] for name in ARMS}
    for repeat in range(REPEATS + 1):
        for name, (arm, _) in ARMS.items():
            torch.manual_seed(0)
            taken = arm(x, y, device, hidden)
            if repeat:  # the first round warms up
                seconds[name].append(taken)
    network = "-".join(map(str, (784, *hidden, 20)))
    print(f"{'an epoch of ' + network + ' by':32s}{'seconds':>10s}{'ratio to train.fit':>22s}{'wanted':>10s}")
    for name, (_, wanted) in ARMS.items():
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds["train.fit"], strict=True))
        print(f"{name:32s}{statistics.median(seconds[name]):10.2f}{ratio:22.2f}{wanted:>10s}", flush=True)
    print()


def main():
    device = pick_device()
    print(f"{describe_device(device)}; {IMAGES:,} images, batch {BATCH}; medians of {REPEATS} interleaved repeats\n")
    x, y = map(torch.from_numpy, glyphs.draw(IMAGES, seed=0))
    for hidden in ((400,), (400, 400)):
        epochs(x, y, device, hidden)
    times = {"torch": [], "vaelib": []}
    for _ in range(REPEATS):
        for module, taken in times.items():
            taken.append(import_seconds(module))
    bare, ours = (statistics.median(taken) for taken in times.values())
    print(f"import torch {bare:.2f} s, import vaelib {ours:.2f} s: {ours - bare:+.2f} s (wanted: at most +0.3)")
    for name, rgb in (("glyphs", False), ("glyphs-rgb", True)):
        start = time.perf_counter()
        glyphs.draw(12_000, seed=0, rgb=rgb)
        print(f"drawing 12,000 {name}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
