"""How fast is train.fit? Ratios within one run, medians over repeats, printed as a table.

    python benchmarks/training.py            # or: make bench

1. An epoch of a 784-400-400-20 VAE over 60,000 images of 28x28, batch 128, by the usual loop (Dataset, DataLoader, ToTensor,
   Adam, loss.item() each step) and by train.fit, around the same model and the same loss.
2. The cost of data in train.fit: its step against the same step on one fixed batch.
3. `import vaelib` against `import torch`, in fresh processes.
4. Drawing 12,000 glyphs.
"""

import statistics
import subprocess
import sys
import time

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from vaelib import bounds, data, describe_device, glyphs, pick_device, train
from vaelib.autoencoders import VAE

IMAGES, BATCH, REPEATS = 60_000, 128, 5


def loss(model, x, generator):
    x = data.binarize(x, generator)
    return -bounds.elbo(model, x, generator).elbo.mean()


class Usual(Dataset):
    """As torchvision.datasets.MNIST serves images: a PIL image for each item, turned into a tensor by ToTensor."""

    def __init__(self, x):
        from torchvision.transforms import ToTensor

        self.x, self.transform = x.squeeze(1), ToTensor()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, k):
        return self.transform(Image.fromarray(self.x[k].numpy()))


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def usual_epoch(x, device):
    torch.manual_seed(0)
    model = VAE(latent=20).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    generator = torch.Generator(device).manual_seed(0)
    total, start = 0.0, time.perf_counter()
    for batch in DataLoader(Usual(x), batch_size=BATCH, shuffle=True):
        value = loss(model, batch.to(device), generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        total += value.item()
    synchronise(device)
    return time.perf_counter() - start


def fit_epoch(x, device):
    torch.manual_seed(0)
    model = VAE(latent=20)
    start = time.perf_counter()
    train.fit(model, loss, x, steps=IMAGES // BATCH, batch_size=BATCH, device=device, progress=False)
    synchronise(device)
    return time.perf_counter() - start


def fixed_batch_epoch(x, device):
    """The same updates as train.fit's, on one batch that lies ready."""
    torch.manual_seed(0)
    model = VAE(latent=20).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    generator = torch.Generator(device).manual_seed(0)
    batch = data.as_float(x[:BATCH].to(device))
    start = time.perf_counter()
    for _ in range(IMAGES // BATCH):
        value = loss(model, batch, generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    synchronise(device)
    return time.perf_counter() - start


def import_seconds(module):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def main():
    device = pick_device()
    print(
        f"{describe_device(device)}; {IMAGES:,} images of 28x28, batch {BATCH}; medians of {REPEATS} interleaved repeats\n"
    )
    x = torch.from_numpy(glyphs.draw(IMAGES, seed=0)[0])
    arms = {"usual loop": usual_epoch, "train.fit": fit_epoch, "one fixed batch": fixed_batch_epoch}
    fit_epoch(x[: 20 * BATCH].repeat(24, 1, 1, 1)[:IMAGES], device)  # warm up
    seconds = {name: [] for name in arms}
    for _ in range(REPEATS):
        for name, arm in arms.items():
            seconds[name].append(arm(x, device))
    median = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{'an epoch by':20s}{'seconds':>10s}{'against train.fit':>20s}{'wanted':>10s}")
    for name, wanted in (("usual loop", "≥ 3"), ("train.fit", ""), ("one fixed batch", "≥ 0.95")):
        ratio = statistics.median(a / b for a, b in zip(seconds[name], seconds["train.fit"], strict=True))
        print(f"{name:20s}{median[name]:10.2f}{ratio:20.2f}{wanted:>10s}")
    bare, ours = (statistics.median(import_seconds(m) for _ in range(REPEATS)) for m in ("torch", "vaelib"))
    print(f"\nimport torch {bare:.2f} s, import vaelib {ours:.2f} s: {ours - bare:+.2f} s (wanted: at most +0.3)")
    for name, rgb in (("glyphs", False), ("glyphs-rgb", True)):
        start = time.perf_counter()
        glyphs.draw(12_000, seed=0, rgb=rgb)
        print(f"drawing 12,000 {name}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
