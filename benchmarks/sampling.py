"""How fast are PixelCNNs sampled and trained? Ratios within one run, medians.

    python benchmarks/sampling.py            # or: make bench

1. Sampling 16 images: with the cache; one pass of the same network for each pixel, timed over some pixels and multiplied, since
   all cost the same; and the same with a textbook network: masked k x k convolutions in float32, channels first.
2. Time and kept memory for an image of 14, 28, 56 pixels' width: both are to grow with what is drawn, not with its square.
3. Images a second for batches of 16 and 256 (a GPU: 16 and 1,024).
4. A training step: the textbook's network; without the zeros under the masks; + channels last; + bfloat16.
"""

import torch
import torch.nn.functional as F
from quantizer import medians
from torch import nn

from vaelib import describe_device, pick_device
from vaelib.causal import Above, Left, Masked
from vaelib.pixelcnn import GatedPixelCNN, PixelCNN, PixelCNNpp

NETWORKS = {
    "gated, 64 x 7, 28 x 28": (lambda: GatedPixelCNN(2), (28, 28)),
    "PixelCNN, 64 x 7, 28 x 28": (lambda: PixelCNN(2), (28, 28)),
    "PixelCNN++, 64 x 2 x 3 scales, 28 x 28": (lambda: PixelCNNpp(256), (28, 28)),
    "gated, 64 x 7, 8 x 8 codes of 512": (lambda: GatedPixelCNN(512, ordered=False), (8, 8)),
}


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
    print("Per pixel: one pass of the network for each pixel. Its own network, or the textbook's.\n")
    print(
        "| 16 images | cached, s | in full passes | per pixel, s | textbook's, s | per pixel / cached | textbook's / cached |"
    )
    print("|---|---|---|---|---|---|---|")
    for title, (make, size) in NETWORKS.items():
        torch.manual_seed(0)
        model, usual = make().to(device).eval(), textbook(make()).to(device).eval()
        x, pixels = images_for(model, 16, size, device), size[0] * size[1]
        with torch.no_grad():
            arms = {
                "own": lambda m=model, x=x: m.features(m.embed(x)),
                "textbook": lambda m=usual, x=x: m.features(m.embed(x)),
            }
            arms |= {"cached": lambda m=model, size=size: m.sample(16, size), "full": lambda m=model, x=x: m(x)}
            found = {name: ms / 1e3 for name, ms in medians(arms, device, repeats=7).items()}
        own, textbooks = pixels * found["own"], pixels * found["textbook"]
        print(
            f"| {title} | {found['cached']:.3f} | {found['cached'] / found['full']:.2f} | {own:.1f} | {textbooks:.1f} "
            f"| **{own / found['cached']:.0f}x** | **{textbooks / found['cached']:.0f}x** |",
            flush=True,
        )


def growth(device):
    print("\n| gated, 16 images of | cached, s | microseconds a pixel | kept, MiB |")
    print("|---|---|---|---|")
    torch.manual_seed(0)
    model = GatedPixelCNN(2).to(device).eval()
    for width in (14, 28, 56):
        ms = medians({"": lambda width=width: model.sample(16, (width, width))}, device, repeats=5)[""]
        cache = model._cache(16, width, None)
        kept = sum(rows.rows.numel() for rows in cache.rows) + sum(pixels.row.numel() for pixels in cache.pixels)
        print(
            f"| {width} x {width} | {ms / 1e3:.3f} | {1e3 * ms / width**2:.0f} | {4 * kept / 2**20:.2f} |", flush=True
        )
    batches = (16, 1024) if device.type == "cuda" else (16, 256)
    print("\n| gated, 28 x 28, batch | images a second |")
    print("|---|---|")
    for n in batches:
        ms = medians({"": lambda n=n: model.sample(n, (28, 28))}, device, repeats=3)[""]
        print(f"| {n:,} | {1e3 * n / ms:.1f} |", flush=True)


def training(device):
    print("\n| training step, batch 32, ms | textbook | no zeros | + channels last | + bfloat16 | textbook / last |")
    print("|---|---|---|---|---|---|")
    for title, make in {"gated, 64 x 7": lambda: GatedPixelCNN(2), "PixelCNN, 64 x 7": lambda: PixelCNN(2)}.items():

        def step(model, bf16, x):
            optimizer = torch.optim.Adam(model.parameters(), fused=device.type in ("cpu", "cuda"))

            def run():
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    loss = -model.log_prob(x).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

            return run

        x = torch.randint(2, (32, 1, 28, 28), device=device)
        arms = {
            "textbook": step(textbook(make()).to(device), False, x),
            "no zeros": step(channels_first(make()).to(device), False, x),
            "channels last": step(make().to(device), False, x),
            "bfloat16": step(make().to(device), True, x),
        }
        found = medians(arms, device, repeats=7)
        cells = " | ".join(f"{ms:.0f}" for ms in found.values())
        print(f"| {title} | {cells} | **{found['textbook'] / found['bfloat16']:.2f}x** |", flush=True)


def main():
    device = pick_device()
    sampling(device)
    growth(device)
    training(device)
    print(
        f"\nMedians; {describe_device(device)}. No public implementation of these installs from PyPI: the textbook network is ours."
    )


if __name__ == "__main__":
    main()
