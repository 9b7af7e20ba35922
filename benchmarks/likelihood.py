"""How fast is evaluate.nll? Ratios within one run, medians over interleaved repeats, printed as a table.

    python benchmarks/likelihood.py            # or: make bench

log p(x) of a VAE (784-200-200-50) by importance sampling, for 28x28 images. Against evaluate.nll: a loop over images that
decodes all draws of an image at once; and the loop found in many scripts, over images and draws.
"""

import statistics
import time

import torch
from torch import nn

from vaelib import bounds, data, describe_device, evaluate, glyphs, pick_device
from vaelib.autoencoders import VAE
from vaelib.nets import mlp

REPEATS = 5


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def loop_over_images(model, x, draws, generator):
    return torch.stack([bounds.iw_bound(model, image[None], draws, generator)[0] for image in x])


def loop_over_images_and_draws(model, x, draws, generator):
    found = []
    for image in x:
        log_w = [bounds.iw_bound(model, image[None], 1, generator) for _ in range(draws)]
        found.append(torch.logsumexp(torch.cat(log_w), 0))
    return torch.stack(found)


ARMS = {  # name -> what is timed, images, draws, wanted ratio of throughputs
    "evaluate.nll": (lambda *a: evaluate.nll(*a).log_px, 200, 500, ""),
    "loop over images, draws at once": (loop_over_images, 50, 500, ""),
    "loop over images and draws": (loop_over_images_and_draws, 4, 500, "≥ 10"),
}


def main():
    device = pick_device()
    torch.manual_seed(0)
    model = VAE(
        latent=50, encoder=nn.Sequential(nn.Flatten(), mlp([784, 200, 200, 100])), decoder=mlp([50, 200, 200, 784])
    )
    model.to(device).eval()
    generator = torch.Generator(device).manual_seed(0)
    x = data.binarize(data.as_float(torch.from_numpy(glyphs.draw(200, seed=0)[0])).to(device), generator)
    rates = {name: [] for name in ARMS}
    with torch.no_grad():
        for repeat in range(REPEATS + 1):
            for name, (arm, images, draws, _) in ARMS.items():
                start = time.perf_counter()
                arm(model, x[:images], draws, generator)
                synchronise(device)
                if repeat:  # the first round warms up
                    rates[name].append(images * draws / (time.perf_counter() - start))
    print(f"{describe_device(device)}; medians of {REPEATS} interleaved repeats\n")
    print(f"{'log p(x) by':36s}{'latents / s':>14s}{'evaluate.nll is faster by':>28s}{'wanted':>10s}")
    for name, (_, _, _, wanted) in ARMS.items():
        ratio = statistics.median(a / b for a, b in zip(rates["evaluate.nll"], rates[name], strict=True))
        print(f"{name:36s}{statistics.median(rates[name]):14,.0f}{ratio:28.2f}{wanted:>10s}")


if __name__ == "__main__":
    main()
