"""How fast is evaluate.nll? Medians over interleaved repeats of one run, and their ratios.

    python benchmarks/likelihood.py            # with --keep into the tables: make bench

log p(x) of a VAE (784-200-200-50) by importance sampling, for 28x28 images. Against evaluate.nll: a loop over images that
decodes all draws of an image at once; and the loop found in many scripts, over images and draws.
"""

from functools import partial

import results
import torch
from timing import medians
from torch import nn

from vaelib import bounds, data, evaluate, glyphs
from vaelib.autoencoders import VAE
from vaelib.nets import mlp

REPEATS = 5


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


def throughputs(device):
    torch.manual_seed(0)
    model = VAE(
        latent=50, encoder=nn.Sequential(nn.Flatten(), mlp([784, 200, 200, 100])), decoder=mlp([50, 200, 200, 784])
    )
    model.to(device).eval()
    generator = torch.Generator(device).manual_seed(0)
    x = data.binarize(data.as_float(torch.from_numpy(glyphs.draw(200, seed=0)[0])).to(device), generator)
    arms = {name: partial(arm, model, x[:images], draws, generator) for name, (arm, images, draws, _) in ARMS.items()}
    with torch.no_grad():
        found = medians(arms, device, REPEATS, warm_up=1)
    return [{"name": name, "latents": ARMS[name][1] * ARMS[name][2], "ms": ms} for name, ms in found.items()]


def by_loop(rows):
    rates = {row["name"]: 1e3 * row["latents"] / row["ms"] for row in rows}
    lines = [
        results.line(name, f"{rate:,.0f}", f"{rates['evaluate.nll'] / rate:.2f}", ARMS[name][3])
        for name, rate in rates.items()
    ]
    return results.table(("log p(x) by", "latents a second", "evaluate.nll is faster by", "wanted"), lines)


PARTS = {"throughputs": (throughputs, by_loop)}
tables = partial(results.tables, PARTS)

if __name__ == "__main__":
    results.measure("likelihood", __doc__, PARTS)
