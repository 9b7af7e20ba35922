"""How fast is the quantizer, in how little memory, and what does a VQ-VAE training step cost? Medians of one run, their ratios.

    python benchmarks/quantizer.py           # with --keep into the tables: make bench

1. Quantize 8,192 vectors of dimension 64 with 512 codes, forward and backward: vaelib's against vector-quantize-pytorch's (if it
   is installed), with a learned codebook and with moving averages. Memory: the most that was allocated at one time beyond the start.
2. A training step of the published network at batch 128: vaelib's (lookup, channels last, bfloat16) against a textbook's (one-hot
   product, contiguous, float32), and what each of the three is worth.
3. Does bfloat16 cost quality? A small network trained both ways, from three seeds.
"""

import importlib.util
from functools import partial

import results
import torch
import torch.nn.functional as F
from timing import medians
from torch import nn
from torch.profiler import ProfilerActivity, profile

from vaelib import data, train
from vaelib.quantize import Quantized, VectorQuantizer
from vaelib.vqvae import VQVAE

REPEATS, STEPS = 15, 300
SHAPE = (128, 64, 8, 8)  # of the vectors
BATCH = 128  # of a training step


class Textbook(VectorQuantizer):
    """The quantizer as it is usually written: all distances with a graph, a one-hot matrix, a product."""

    def forward(self, z_e):
        z = z_e.permute(0, 2, 3, 1).contiguous()
        flat = z.view(-1, self.dim)
        distances = (
            flat.square().sum(1, keepdim=True)
            + self.codebook.square().sum(1)
            - 2 * torch.matmul(flat, self.codebook.t())
        )
        codes = torch.argmin(distances, 1)
        one_hot = torch.zeros(len(flat), self.codes, device=z.device).scatter_(1, codes[:, None], 1)
        z_q = torch.matmul(one_hot, self.codebook).view(z.shape)
        codebook_loss = F.mse_loss(z_q, z.detach())
        commitment_loss = self.commitment * F.mse_loss(z_q.detach(), z)
        z_q = (z + (z_q - z).detach()).permute(0, 3, 1, 2).contiguous()
        return Quantized(z_q, codes.view(z.shape[:-1]), codebook_loss, commitment_loss)


def peak(run, device):
    """Most bytes held at one time beyond what was held before."""
    run()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        run()
    held = most = 0
    for event in sorted(found.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def quantizers(device):
    torch.manual_seed(0)
    z = torch.randn(SHAPE, device=device).contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = torch.randn(SHAPE, device=device)

    def ours(**settings):
        quantizer = VectorQuantizer(512, 64, **settings).to(device)

        def run():
            z.grad = None
            q = quantizer(z)
            ((q.z_q * weights).mean() + q.codebook_loss.mean() + q.commitment_loss.mean()).backward()

        return run

    arms = {"gradient, vaelib": ours(), "moving average, vaelib": ours(decay=0.99)}
    if importlib.util.find_spec("vector_quantize_pytorch"):
        from vector_quantize_pytorch import VectorQuantize

        def theirs(**settings):
            quantizer = VectorQuantize(
                64, 512, commitment_weight=0.25, rotation_trick=False, accept_image_fmap=True, **settings
            ).to(device)

            def run():
                z.grad = None
                z_q, _, loss = quantizer(z)
                ((z_q * weights).mean() + loss.sum()).backward()

            return run

        arms["gradient, vector-quantize-pytorch"] = theirs(learnable_codebook=True, ema_update=False)
        arms["moving average, vector-quantize-pytorch"] = theirs(decay=0.99)
    else:
        print("vector-quantize-pytorch is not installed: pip install 'vaelib[compare]' adds it to the table.\n")
    found = medians(arms, device, REPEATS)
    return [{"name": name, "ms": found[name], "bytes": peak(run, device)} for name, run in arms.items()]


def by_library(rows):
    columns = "quantizer, forward and backward; ms; MiB; times as long; times the memory"
    vaelib = {row["name"].partition(",")[0]: row for row in rows if row["name"].endswith(", vaelib")}
    lines = []
    for row in rows:
        base = vaelib[row["name"].partition(",")[0]]
        ratios = (f"{row[key] / base[key]:.2f}" for key in ("ms", "bytes"))
        lines.append(results.line(row["name"], f"{row['ms']:.1f}", f"{row['bytes'] / 2**20:.1f}", *ratios))
    return results.table(columns.split("; "), lines)


def steps(device):
    x = torch.rand(BATCH, 3, 32, 32, device=device)

    def step(quantizer, last, bf16):
        torch.manual_seed(0)
        model = VQVAE(quantizer=quantizer)
        layout = torch.channels_last if last else torch.contiguous_format
        model.to(device, memory_format=layout)
        images = x.contiguous(memory_format=layout)
        updates = torch.optim.Adam(model.parameters(), lr=1e-3, fused=device.type in ("cpu", "cuda"))

        def run():
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                x_hat, q = model(images)
                loss = F.mse_loss(x_hat, images) + q.codebook_loss.mean() + q.commitment_loss.mean()
            updates.zero_grad()
            loss.backward()
            updates.step()

        return run

    arms = {
        "textbook": step(Textbook(512, 64), False, False),
        "lookup in place of one-hot": step(VectorQuantizer(512, 64), False, False),
        "and channels last": step(VectorQuantizer(512, 64), True, False),
        "and bfloat16: vaelib's": step(VectorQuantizer(512, 64), True, True),
    }
    return [{"name": name, "ms": ms} for name, ms in medians(arms, device, REPEATS).items()]


def by_step(rows):
    lines = [results.line(row["name"], f"{row['ms']:.0f}", f"{rows[0]['ms'] / row['ms']:.2f}") for row in rows]
    return results.table(("training step, batch 128", "ms", "times as fast as the textbook"), lines)


def quality(device):
    x = data.load("glyphs-rgb").x
    variance = float(data.as_float(x).var())
    rows = []

    def loss(model: nn.Module, x, generator):
        z_e = model.latents(x)
        model.quantizer.revive(z_e, 0.5, generator)
        q = model.quantizer(z_e)
        return F.mse_loss(model.decode(q.z_q).float(), x) / variance + q.commitment_loss.mean()

    for seed in range(3):
        errors = []
        for bf16 in (False, True):
            torch.manual_seed(seed)
            model = VQVAE(quantizer=VectorQuantizer(64, 16, decay=0.95), width=32, residual=16)
            train.fit(
                model, loss, x, steps=STEPS, batch_size=64, lr=2e-3, seed=seed, device=device, bf16=bf16, progress=False
            )
            with torch.no_grad():
                images = data.as_float(x[:2000]).to(device)
                errors.append(float(F.mse_loss(model(images).x_hat, images)) / variance)
        rows.append({"seed": seed, "float32": errors[0], "bfloat16": errors[1]})
    return rows


def by_seed(rows):
    lines = [results.line(f"seed {row['seed']}", f"{row['float32']:.4f}", f"{row['bfloat16']:.4f}") for row in rows]
    return results.table((f"small network, {STEPS} steps", "training error in float32", "in bfloat16"), lines)


PARTS = {"quantizers": (quantizers, by_library), "steps": (steps, by_step), "quality": (quality, by_seed)}
tables = partial(results.tables, PARTS)

if __name__ == "__main__":
    results.measure("quantizer", __doc__, PARTS)
