"""How fast are PixelCNNs sampled and trained? Ratios within one run, medians.

    python benchmarks/sampling.py            # with --keep into the tables: make bench

1. Sampling 16 images: with the cache; one pass of the same network for each pixel, timed over some pixels and multiplied, since
   all cost the same; and the same with a textbook network: masked k x k convolutions in float32, channels first.
2. Time and kept memory for an image of 14, 28, 56 pixels' width: both are to grow with what is drawn, not with its square.
3. Images a second for batches of 16 and 256 (a GPU: 16 and 1,024).
4. A training step: the textbook's network; without the zeros under the masks; + channels last; + bfloat16.

No public implementation of these installs from PyPI: the textbook network is ours.
"""

from functools import partial

import results
import torch
import torch.nn.functional as F
from timing import medians
from torch import nn

from vaelib.causal import Above, Left, Masked
from vaelib.pixelcnn import GatedPixelCNN, PixelCNN, PixelCNNpp

NETWORKS = {
    "gated, 64 x 7, 28 x 28": (lambda: GatedPixelCNN(2), (28, 28)),
    "PixelCNN, 64 x 7, 28 x 28": (lambda: PixelCNN(2), (28, 28)),
    "PixelCNN++, 64 x 2 x 3 scales, 28 x 28": (lambda: PixelCNNpp(256), (28, 28)),
    "gated, 64 x 7, 8 x 8 codes of 512": (lambda: GatedPixelCNN(512, ordered=False), (8, 8)),
}


TRAINED = {"gated, 64 x 7": lambda: GatedPixelCNN(2), "PixelCNN, 64 x 7": lambda: PixelCNN(2)}
WIDTHS, BATCHES = (14, 28, 56), (16, 256)  # a GPU: 16 and 1,024
IMAGES = (32, 1, 28, 28)  # of a training step


class WithZeros(nn.Conv2d):
    """A convolution as the textbook has it: a full kernel around the pixel, and a mask of zeros that it is multiplied by."""

    def __init__(self, part):
        columns = part.above.kernel_size[1] if isinstance(part, Masked) else part.kernel_size[1]
        if isinstance(part, Left):
            side = columns - 1 + part.shift
            mask = torch.zeros(1, 2 * side + 1)
            mask[0, :columns] = 1
        else:
            mask = torch.zeros(columns, columns)
            above = part if isinstance(part, Above) else part.above
            mask[: columns // 2 + 1 - above.shift] = 1
            if isinstance(part, Masked):
                mask[columns // 2, : part.left.kernel_size[1]] = 1
            part = above
        padding = tuple(size // 2 for size in mask.shape)
        super().__init__(
            part.in_channels, part.out_channels, mask.shape, part.stride, padding, bias=part.bias is not None
        )
        self.register_buffer("mask", mask)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, self.stride, self.padding)


def textbook(model):
    """The model with zeros under its masks again, and features in the order channels, rows, columns."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, (Masked, Above, Left)) and not isinstance(parent, Masked):
                setattr(parent, name, WithZeros(child))
    return channels_first(model)


def channels_first(model):
    embed = model.embed
    model.embed = lambda x: embed(x).contiguous()
    return model


def images_for(model, n, size, device):
    return torch.randint(model.levels, (n, 1, *size), device=device)


def sampling(device):
    rows = []
    for title, (make, size) in NETWORKS.items():
        torch.manual_seed(0)
        model, usual = make().to(device).eval(), textbook(make()).to(device).eval()
        x = images_for(model, 16, size, device)
        with torch.no_grad():
            arms = {
                "own pass": lambda m=model, x=x: m.features(m.embed(x)),
                "textbook's pass": lambda m=usual, x=x: m.features(m.embed(x)),
                "cached": lambda m=model, size=size: m.sample(16, size),
                "full pass": lambda m=model, x=x: m(x),
            }
            rows.append({"network": title, "pixels": size[0] * size[1], "ms": medians(arms, device, repeats=7)})
    return rows


def speeds(rows):
    columns = (
        "16 images; cached, s; in full passes; per pixel, s; textbook's, s; per pixel / cached; textbook's / cached"
    )
    lines = []
    for row in rows:
        ms, pixels = row["ms"], row["pixels"]
        cached, own, textbooks = ms["cached"], pixels * ms["own pass"], pixels * ms["textbook's pass"]
        seconds = f"{cached / 1e3:.3f}", f"{cached / ms['full pass']:.2f}", f"{own / 1e3:.1f}", f"{textbooks / 1e3:.1f}"
        lines.append(
            results.line(row["network"], *seconds, f"**{own / cached:.0f}x**", f"**{textbooks / cached:.0f}x**")
        )
    return results.table(columns.split("; "), lines)


def growth(device):
    torch.manual_seed(0)
    model, rows = GatedPixelCNN(2).to(device).eval(), []
    for width in WIDTHS:
        ms = medians({"": lambda width=width: model.sample(16, (width, width))}, device, repeats=5)[""]
        cache = model._cache(16, width, None)
        kept = sum(stack.rows.numel() for stack in cache.rows) + sum(pixels.row.numel() for pixels in cache.pixels)
        rows.append({"width": width, "ms": ms, "bytes": 4 * kept})
    return rows


def by_width(rows):
    columns = "gated, 16 images of; cached, s; microseconds a pixel; kept, MiB"
    lines = []
    for row in rows:
        width, ms = row["width"], row["ms"]
        cells = f"{ms / 1e3:.3f}", f"{1e3 * ms / width**2:.0f}", f"{row['bytes'] / 2**20:.2f}"
        lines.append(results.line(f"{width} x {width}", *cells))
    return results.table(columns.split("; "), lines)


def batches(device):
    torch.manual_seed(0)
    model, rows = GatedPixelCNN(2).to(device).eval(), []
    for n in (16, 1024) if device.type == "cuda" else BATCHES:
        ms = medians({"": lambda n=n: model.sample(n, (28, 28))}, device, repeats=3)[""]
        rows.append({"batch": n, "ms": ms})
    return rows


def by_batch(rows):
    lines = [results.line(f"{row['batch']:,}", f"{1e3 * row['batch'] / row['ms']:.1f}") for row in rows]
    return results.table(("gated, 28 x 28, batch", "images a second"), lines)


def training(device):
    rows = []
    for title, make in TRAINED.items():

        def step(model, bf16, x):
            optimizer = torch.optim.Adam(model.parameters(), fused=device.type in ("cpu", "cuda"))

            def run():
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    loss = -model.log_prob(x).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

            return run

        x = torch.randint(2, IMAGES, device=device)
        arms = {
            "textbook": step(textbook(make()).to(device), False, x),
            "no zeros": step(channels_first(make()).to(device), False, x),
            "+ channels last": step(make().to(device), False, x),
            "+ bfloat16": step(make().to(device), True, x),
        }
        rows.append({"network": title, "ms": medians(arms, device, repeats=7)})
    return rows


def steps(rows):
    columns = ("training step, batch 32, ms", *rows[0]["ms"], "textbook / last")
    lines = []
    for row in rows:
        ms = list(row["ms"].values())
        lines.append(results.line(row["network"], *(f"{value:.0f}" for value in ms), f"**{ms[0] / ms[-1]:.2f}x**"))
    return results.table(columns, lines)


PARTS = {
    "sampling": (sampling, speeds),
    "growth": (growth, by_width),
    "batches": (batches, by_batch),
    "training": (training, steps),
}
tables = partial(results.tables, PARTS)

if __name__ == "__main__":
    results.measure("sampling", __doc__, PARTS)
