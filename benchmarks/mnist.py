"""How good does a VAE get on MNIST, in how many minutes? Likelihoods that can be laid beside published ones.

    python benchmarks/mnist.py                             # all of it, some hours on 2 CPU cores
    python benchmarks/mnist.py --keep                      # and put it into the table: make bench-mnist
    python benchmarks/mnist.py --only small-elbo           # one of the runs
    python benchmarks/mnist.py --samples 500               # judge with fewer draws: ten times as fast, and pessimistic
    python benchmarks/mnist.py --untrained                 # do not train on: judge what is there, print the table
    python benchmarks/mnist.py --scale 0.1                 # every run in a tenth of its minutes: for a GPU

Dynamic binarization: training pixels are drawn anew at each step, test pixels once, each with probability its grey value.
One stochastic layer of 50 latents, Bernoulli pixels. NLL: K importance samples for each of the 10,000 test images.

Training runs for minutes, not epochs: the script times a few steps, plans their number, and says how long they took. The weights
that are judged are averages over the last tenth or so of training, which can be read off at any time, so one run gives the whole
curve. Stop it when you like: the same command goes on where it was. Results are kept in build/mnist; the table shows, for
each moment, the one with most draws.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import results
import torch
from averaged import LR, fit
from timing import seconds_per_step
from torch import nn

from vaelib import bounds, data, describe_device, evaluate, pick_device
from vaelib.autoencoders import VAE
from vaelib.nets import mlp, residual_mlp
from vaelib.outside.files import written_whole

PUBLISHED = [  # one stochastic layer, 3,280 epochs; and their best, of two layers
    ("published: VAE (Burda et al. 2016, table 1)", "86.76"),
    ("published: IWAE, K = 5 (Burda et al. 2016, table 1)", "85.54"),
    ("published: IWAE, K = 50 (Burda et al. 2016, table 1)", "84.78"),
    ("published: IWAE, K = 50, two stochastic layers (Burda et al. 2016, table 1)", "82.90"),
]
BATCH = 128
BLOCK = 500  # test images judged between two looks at the disk


def small() -> VAE:
    return VAE(
        latent=50, encoder=nn.Sequential(nn.Flatten(), mlp([784, 200, 200, 100])), decoder=mlp([50, 200, 200, 784])
    )


def large() -> VAE:
    return VAE(latent=50, encoder=nn.Sequential(nn.Flatten(), residual_mlp(784, 100)), decoder=residual_mlp(50, 784))


class Plan(NamedTuple):
    """A run: what is trained, on which bound, and when it is judged."""

    title: str
    make: Callable[[], VAE]
    phases: tuple[tuple[float, int], ...]  # (until minute, K); K = 1 is the ELBO with its KL in closed form
    marks: tuple[float, ...]  # minutes


PLANS = {
    "small-elbo": Plan("784-200-200-50: ELBO", small, ((6, 1),), (1, 6)),
    "small-iwae5": Plan("784-200-200-50: IWAE K = 5", small, ((6, 5),), (1, 6)),
    "small-iwae50": Plan("784-200-200-50: IWAE K = 50", small, ((6, 50),), (1, 6)),
    "large": Plan("residual 512: ELBO, then IWAE K = 4, then 8", large, ((2, 1), (30, 4), (60, 8)), (1, 3, 6, 20, 60)),
}


def loss(model, x, generator, K):
    x = data.binarize(x, generator)
    bound = bounds.elbo(model, x, generator).elbo if K == 1 else bounds.iw_surrogate(model, x, int(K), generator)
    return -bound.mean()


def planned(plan: Plan, scale: float, images, device) -> dict:
    """Minutes to steps, by this machine's speed."""
    ends, first, minute = [], 0.0, 0.0
    for until, K in plan.phases:

        def trained(steps, K=K):
            fit(
                plan.make(), loss, images, steps=steps, batch_size=BATCH, device=device, schedule=lambda t: {"K": K},
                progress=False,
            )  # fmt: skip

        rate = 60 / seconds_per_step(trained, 10, 100, device)
        ends.append({"until": until, "K": K, "first": first, "start": minute, "rate": rate})
        first, minute = first + scale * (until - minute) * rate, until
    marks = {}
    for mark in plan.marks:
        phase = next(p for p in ends if mark <= p["until"])
        marks[str(mark)] = round(phase["first"] + scale * (mark - phase["start"]) * phase["rate"])
    return {"steps": max(marks.values()), "marks": marks, "phases": [{"first": p["first"], "K": p["K"]} for p in ends]}


def judged(model, x, samples, folder: Path, device) -> evaluate.Likelihood:
    """evaluate.nll, block by block, each kept on disk."""
    parts = []
    for k, block in enumerate(x.split(BLOCK)):
        path = folder / f"block-{k:03d}-of-{len(x)}-K{samples}.pt"
        if not path.exists():
            generator = torch.Generator(device).manual_seed(k)
            found = evaluate.nll(model, block, samples, generator)
            with written_whole(path) as file:
                torch.save(tuple(found[:3]) + tuple(found.terms), file)
        parts.append(torch.load(path, weights_only=True))
    log_px, error, effective, log_px_z, kl = (torch.cat(field) for field in zip(*parts, strict=True))
    return evaluate.Likelihood(log_px, error, effective, bounds.ElboTerms(log_px_z, kl))


def main():
    parser = results.parser("mnist", __doc__, PLANS)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every run's minutes")
    parser.add_argument("--samples", type=int, default=5000, help="K, importance samples for each image")
    parser.add_argument("--after", type=float, help="judge only what came after so many minutes of training")
    parser.add_argument("--untrained", action="store_true", help="do not train on")
    parser.add_argument("--images", type=int, default=10_000, help="how many test images")
    parser.add_argument("--data", default="mnist", help="mnist, or glyphs to try the script out")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/mnist"), help="where checkpoints and results are kept"
    )
    asked = parser.parse_args()
    device = pick_device()
    train_x, test_x = data.load(asked.data).x, data.load(asked.data, train=False).x
    found = {}
    for name in asked.only:
        if rows := moments(name, asked, train_x, test_x, device):
            found |= results.keep(asked, device, {name: rows})
    print(f"\n{tables(found)}\n\n{results.where(found)}")


def binarized(x, seed):
    return data.binarize(data.as_float(x), torch.Generator().manual_seed(seed))


def moments(name, asked, train_x, test_x, device) -> list[dict]:
    plan, folder = PLANS[name], asked.folder / name
    checkpoint = folder / "checkpoint.pt"
    torch.manual_seed(0)
    model = plan.make().to(device)
    if not asked.untrained:
        steps = results.kept(folder / "plan.json", lambda: planned(plan, asked.scale, train_x, device))

        def schedule(t):
            step = t * steps["steps"]
            K = [phase["K"] for phase in steps["phases"] if step >= phase["first"] - 0.5][-1]
            return {"lr": LR * min(1, (step + 1) / 200), "K": K}

        print(f"{plan.title}: {steps['steps']:,} steps", flush=True)
        fit(
            model, loss, train_x, steps=steps["steps"], batch_size=BATCH, device=device, schedule=schedule,
            snapshot_at=list(steps["marks"].values()), log_every=20, checkpoint=checkpoint, checkpoint_seconds=60,
        )  # fmt: skip
    if not checkpoint.exists():
        return []
    state = torch.load(checkpoint, map_location=device, weights_only=True)
    averaged = dict(state["snapshots"])
    if state["done"] not in averaged:  # stopped between two marks: judge that moment, too
        names = [name for name, _ in model.named_parameters()]
        averages = [kept["average"] for kept in state["optimizer"]["state"].values()]
        averaged[state["done"]] = dict(zip(names, averages, strict=True))
    rows = []
    for step, weights in averaged.items():
        model.load_state_dict(weights)
        minutes = next(entry["seconds"] for entry in state["history"] if entry["step"] >= step) / 60

        def judge(step=step, minutes=minutes):
            place = folder / f"step-{step}"
            test = judged(model, binarized(test_x[: asked.images], 1), asked.samples, place, device)
            seen = judged(model, binarized(train_x[:1000], 2), asked.samples, place / "train", device)
            return {
                "title": plan.title,
                "minutes": minutes,
                "epochs": step * BATCH / len(train_x),
                "neg_elbo": test.neg_elbo,
                "nll": test.nll,
                "draw_error": test.draw_error,
                "effective": float(test.effective.median()),
                "rate": test.rate.value,
                "train_nll": seen.nll,
                "active": evaluate.active_units(model, binarized(test_x, 1)),
                "machine": describe_device(device),
                "images": min(asked.images, len(test_x)),
                "samples": asked.samples,
                "data": results.called(asked.data),
            }

        if asked.after is None or minutes >= asked.after:
            print(line(results.kept(folder / f"result-{step}-K{asked.samples}.json", judge)), flush=True)
        kept = [results.read(path) for path in folder.glob(f"result-{step}-K*.json")]
        rows += sorted(kept, key=lambda row: row["samples"])[-1:]
    return rows


def line(r) -> str:
    train_nll = f"{r['train_nll'][0]:.2f} ± {r['train_nll'][1]:.2f}"
    return (
        f"| {r['title']} | {r['minutes']:.1f} | {r['epochs']:.0f} | {r['neg_elbo'][0]:.2f} | **{r['nll'][0]:.2f}** "
        f"| {r['samples']:,} | {r['nll'][1]:.2f} | {r['draw_error']:.3f} | {train_nll} | {r['active']} of 50 |"
    )


def tables(found):
    columns = "network, bound; minutes; epochs; −ELBO; NLL; K; ± images; ± draws; NLL, train; active units"
    lines = [f"| {title} | | 3,280 | | **{value}** | 5,000 | | | | |" for title, value in PUBLISHED]
    lines += map(line, results.rows(found))
    return results.table(columns.split("; "), lines)


if __name__ == "__main__":
    main()
