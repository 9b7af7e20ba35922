"""Pictures over training, at the size of a paper: a VAE on MNIST, a VQ-VAE on CIFAR-10, and three priors over its words.

    VAELIB_BUDGET=full python benchmarks/pictures.py       # some hours on 2 CPU cores; --keep renews the table: make bench-pictures
    python benchmarks/pictures.py                          # the same on smaller sizes, in minutes
    python benchmarks/pictures.py --only vae               # one of the four experiments
    python benchmarks/pictures.py --colour folder:PATH     # pictures of your own, or a JPEG copy of CIFAR-10
    python benchmarks/pictures.py --scale 0.25             # a quarter of the priors' steps, which take the longest

Four experiments, each a row of pictures for some steps on the way, as a PNG and as an animation:

1. a VAE's reconstructions, of the same test images;    2. its samples, from the same latents;
3. a VQ-VAE's reconstructions, of the same test images;
4. samples of words from a PixelCNN, a Gated PixelCNN and a PixelCNN++ of like size, decoded, side by side.

"energy distance" is between features of a classifier of the training labels, to test images, and 0 for equal distributions;
"shared words" is how many of a page's words agree with the training page nearest to it: more than test pages share is copying.
Stop it when you like: the same command goes on where it was. The table is printed at the end, and written beside the pictures.
"""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import results
import torch
import torch.nn.functional as F
from cifar10 import ARMS, on_test_images
from cifar10 import trained as trained_vqvae
from PIL import Image

from vaelib import budget, compare, data, evaluate, pick_device, train
from vaelib.autoencoders import VAE
from vaelib.classroom import plots
from vaelib.nets import conv_encoder
from vaelib.outside.files import written_whole
from vaelib.pixelcnn import GatedPixelCNN, PixelCNN, PixelCNNpp
from vaelib.quantize import perplexity
from vaelib.vqvae import load_codes, save_codes

SHARES = (0.01, 0.05, 0.2, 1)  # of training: when pictures are taken
SHOWN = 8


class Size(NamedTuple):
    """Steps of training; hidden channels of the priors; draws of the VAE's likelihood, images drawn from each prior."""

    vae: int
    vqvae: int
    judge: int
    prior: int
    channels: dict[str, int]
    draws: int = 500
    drawn: int = 1000


SIZE = budget(
    lesson=Size(400, 300, 200, 60, {"PixelCNN": 40, "Gated PixelCNN": 24, "PixelCNN++": 16}),
    full=Size(60_000, 10_000, 4_000, 20_000, {"PixelCNN": 99, "Gated PixelCNN": 61, "PixelCNN++": 40}),
)
PRIORS = {
    "PixelCNN": lambda K, channels: PixelCNN(K, hidden=channels, layers=10, first_kernel=5, ordered=False),
    "Gated PixelCNN": lambda K, channels: GatedPixelCNN(K, hidden=channels, layers=8, first_kernel=5, ordered=False),
    "PixelCNN++": lambda K, channels: PixelCNNpp(K, hidden=channels, layers=2, scales=2, ordered=False),
}
MEASURED = {  # on test images
    "neg_elbo": "−ELBO {:.3f} ± {:.3f} nats",
    "nll": "NLL {:.3f} ± {:.3f} nats",
    "judged": "K = {}, of {:,} images",
    "error": "error / variance {:.4f}",
    "bits": "{:.3f} ± {:.3f} bits a word",
    "perplexity": "perplexity {:.0f}",
    "energy_distance": "energy distance {:.3f} ± {:.3f}",
    "shared_words": "shared words {:.1f}, at most {:.0f}",
}


def in_random_order(images):
    """A folder's images come sorted by label: neither the first nor the last are like the rest."""
    order = torch.randperm(len(images.x), generator=torch.Generator().manual_seed(0))
    return images._replace(x=images.x[order], y=images.y[order])


def marks(steps):
    return sorted({max(1, round(share * steps)) for share in SHARES})


def row(title, model, run, **found):
    last = run.history[-1]
    print(f"{title}: {last['seconds'] / 60:.1f} minutes of training", flush=True)
    parameters = sum(p.numel() for p in model.parameters())
    return {"title": title, "parameters": parameters, "steps": int(last["step"]), **found}


def line(row):
    counts = (f"{row[key]:,}" if key in row else "" for key in ("parameters", "steps"))
    measured = (words.format(*row[key]) for key, words in MEASURED.items() if key in row)
    return results.line(row["title"], *counts, "; ".join(measured))


def tables(found):
    columns = ("experiment", "parameters", "steps", "measured on test images")
    return results.table(columns, map(line, results.rows(found)))


def keep_pictures(folder, name, rows, title, frames):
    """Rows of images to folder/name.png, and frames to folder/name.gif."""
    figure = plots.image_rows(rows, title, columns=SHOWN).figure
    with written_whole(folder / f"{name}.png") as file:
        figure.savefig(file, format="png", dpi=80)
    plots.animation(folder / f"{name}.gif", frames, SHOWN)


def vae_on_digits(asked, device):
    """Experiments 1 and 2."""
    images, test_images = data.load(asked.grey), data.load(asked.grey, train=False)
    steps = SIZE.vae
    torch.manual_seed(0)
    model = VAE(tuple(images.x.shape[1:]), latent=50, hidden=(400, 400))
    fixed = data.as_float(test_images.x[:SHOWN])
    z = torch.randn(SHOWN, 50, generator=torch.Generator().manual_seed(0))

    def loss(model, x, generator):
        x = data.binarize(x, generator)
        q = model.encode(x)
        return (q.kl() - model.decode(q.rsample(generator)).log_prob(x)).mean()

    def look(model, step):
        rebuilt = model.decode(model.encode(fixed.to(device)).mean).mean
        return torch.stack([rebuilt, model.decode(z.to(device)).mean]).cpu()

    run = train.fit(
        model, loss, images.x, steps=steps, device=device, snapshot=look, snapshot_at=marks(steps),
        schedule=lambda t: {"lr": 1e-3 * min(1, 2 * (1 - t))}, checkpoint=asked.folder / "vae.pt",
    )  # fmt: skip
    rebuilt, sampled = ({f"step {s:,}": pair[k] for s, pair in run.snapshots.items()} for k in (0, 1))
    shown = {"test images": fixed} | rebuilt
    keep_pictures(asked.folder, "1-vae-rebuilt", shown, "a VAE rebuilds test images", list(rebuilt.values()))
    title = "a VAE's samples from the same latents"
    keep_pictures(asked.folder, "2-vae-samples", sampled, title, list(sampled.values()))
    generator = torch.Generator(device).manual_seed(1)
    x = data.binarize(data.as_float(test_images.x[:1000]), torch.Generator().manual_seed(1)).to(device)
    judged = evaluate.nll(model, x, samples=SIZE.draws, generator=generator)
    found = {"neg_elbo": judged.neg_elbo, "nll": judged.nll, "judged": (SIZE.draws, len(x))}
    return [row("1, 2: VAE", model, run, **found)]


def vqvae_on_pictures(asked, device):
    """Experiment 3; also gives the model."""
    images, test_images = data.load(asked.colour).x, in_random_order(data.load(asked.colour, train=False)).x
    variance = float((images.float() / 255).var())
    steps = SIZE.vqvae
    fixed = data.as_float(test_images[:SHOWN])

    def look(model, step):
        return model(fixed.to(device)).x_hat.clamp(0, 1).float().cpu()

    model, run = trained_vqvae(ARMS["cured"], steps, images, variance, asked.folder / "vqvae.pt", look, marks(steps))
    rebuilt = {f"step {step:,}": images for step, images in run.snapshots.items()}
    shown = {"test images": fixed} | rebuilt
    keep_pictures(asked.folder, "3-vqvae-rebuilt", shown, "a VQ-VAE rebuilds test images", list(rebuilt.values()))
    error, used = on_test_images(model, test_images, variance)
    return model, [row("3: VQ-VAE", model, run, error=(error,), perplexity=(used,))]


@torch.no_grad()
def pages(path, model, x, device):
    """The words of all images, from the file if it is there."""
    if not path.exists():
        save_codes(
            path, model, torch.cat([model.encode(data.as_float(part).to(device)).codes.cpu() for part in x.split(500)])
        )
    return load_codes(path, model)


def judge_of(images, folder, device):
    """A classifier of the training labels; all but its last layer are the features in which pictures are compared."""
    torch.manual_seed(0)
    judge = conv_encoder(tuple(images.x.shape[1:]), int(images.y.max()) + 1)
    train.fit(
        judge, lambda model, x, y, _: F.cross_entropy(model(x), y), images.x, images.y, steps=SIZE.judge, lr=2e-3,
        device=device, checkpoint=folder / "judge.pt",
    )  # fmt: skip
    return judge[:-1]


def priors_on_words(asked, model, device):
    """Experiment 4."""
    images, test_images = data.load(asked.colour), in_random_order(data.load(asked.colour, train=False))
    K, steps, N = model.quantizer.codes, round(SIZE.prior * asked.scale), SIZE.drawn
    seen = pages(asked.folder / "pages.pt", model, images.x, device)
    unseen = pages(asked.folder / "test-pages.pt", model, test_images.x, device)
    features = judge_of(images, asked.folder, device)
    reals = data.as_float(test_images.x[-N:]).to(device)
    page = tuple(seen.shape[1:])

    @torch.no_grad()
    def compared(codes):
        pictures = torch.cat([model.decode(part.to(device)).clamp(0, 1) for part in codes.split(250)])
        distance = compare.energy_distance(features(pictures), features(reals))
        shared = torch.stack([(one == seen).flatten(1).sum(1).max() for one in codes]).double()
        return {"energy_distance": distance, "shared_words": (float(shared.mean()), int(shared.max()))}

    def in_bits(nats):
        return {"bits": compare.mean_of(nats / seen[0].numel() / math.log(2))}

    counts = torch.bincount(seen.flatten(), minlength=K) + 1.0
    unigram = (counts / counts.sum()).log()
    dice = torch.Generator().manual_seed(1)
    drawn = torch.multinomial(unigram.exp(), N * seen[0].numel(), replacement=True, generator=dice).view(N, *page)
    by_unigram = in_bits(-unigram[unseen].flatten(1).sum(1))
    rows = [
        {"title": "4: unigram", "parameters": K} | by_unigram | compared(drawn),
        {"title": "4: pages of test images", "perplexity": (perplexity(unseen, K),)} | compared(unseen[:N]),
    ]
    side_by_side = {}
    for name, make in PRIORS.items():
        torch.manual_seed(0)
        prior = make(K, SIZE.channels[name])

        def look(prior, step):
            return prior.sample(SHOWN, page, generator=torch.Generator(device).manual_seed(1)).cpu()

        run = train.fit(
            prior, lambda prior, x, _: -prior.log_prob(x).mean(), seen[:, None], steps=steps, batch_size=32, bf16=True,
            device=device, schedule=lambda t: {"lr": 1e-3 * min(1, (t * steps + 1) / 100, 2 * (1 - t))}, snapshot=look,
            snapshot_at=marks(steps), checkpoint=asked.folder / f"{name}.pt", checkpoint_seconds=60,
        )  # fmt: skip
        with torch.no_grad():
            nats = -torch.cat([prior.log_prob(part[:, None].to(device)).double().cpu() for part in unseen.split(500)])
            for step, codes in run.snapshots.items():
                side_by_side[f"{name}, step {step:,}"] = model.decode(codes[:, 0].to(device)).clamp(0, 1).cpu()
        generator = torch.Generator(device).manual_seed(2)
        parts = [prior.sample(min(250, N - at), page, generator=generator)[:, 0].cpu() for at in range(0, N, 250)]
        rows.append(row(f"4: {name}", prior, run, **in_bits(nats), **compared(torch.cat(parts))))
        print(line(rows[-1]), flush=True)
    frames = [torch.cat([side_by_side[f"{name}, step {step:,}"] for name in PRIORS]) for step in marks(steps)]
    keep_pictures(
        asked.folder, "4-priors", side_by_side, "words drawn from three priors over training, decoded", frames
    )
    return rows


def main():
    parser = results.parser("pictures", __doc__)
    parser.add_argument("--only", choices=["vae", "vqvae", "priors"], help="experiments 1 and 2, 3, or 3 and 4")
    parser.add_argument("--grey", default="mnist", help="mnist, or another set of one channel")
    parser.add_argument("--colour", default="cifar10", help="cifar10, glyphs-rgb or folder:PATH")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="multiplies the steps of the priors, which take the longest"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/pictures"), help="for checkpoints, pictures, the table"
    )
    asked = parser.parse_args()
    asked = SimpleNamespace(**vars(asked) | {"folder": asked.folder / budget("lesson", "full")})
    device, found = pick_device(), {}

    def keep(name, rows, images):
        nonlocal found
        rows = [row | {"data": results.called(images)} for row in rows]
        found |= results.keep(asked, device, {name: rows})

    if asked.only in (None, "vae"):
        keep("vae", vae_on_digits(asked, device), asked.grey)
    if asked.only != "vae":
        model, rows = vqvae_on_pictures(asked, device)
        keep("vqvae", rows, asked.colour)
        if asked.only != "vqvae":
            keep("priors", priors_on_words(asked, model, device), asked.colour)
            if asked.keep:
                picture = Image.open(asked.folder / "4-priors.png").convert("RGB")
                picture.quantize(192).save(asked.keep.with_name("priors.png"), optimize=True)
    table = f"{tables(found)}\n\n{results.where(found)}\n"
    print("\n" + table)
    with written_whole(asked.folder / (f"table-{asked.only}.md" if asked.only else "table.md")) as file:
        file.write(table.encode())


if __name__ == "__main__":
    main()
