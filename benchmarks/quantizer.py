"""How fast is the quantizer, in how little memory, and what does a VQ-VAE training step cost? Ratios within one run, medians.

    python benchmarks/quantizer.py           # or: make bench

1. Quantize 8,192 vectors of dimension 64 with 512 codes, forward and backward: vaelib's against vector-quantize-pytorch's (if it
   is installed), with a learned codebook and with moving averages. Memory: the most that was allocated at one time beyond the start.
2. A training step of the published network at batch 128: vaelib's (lookup, channels last, bfloat16) against a textbook's (one-hot
   product, contiguous, float32), and what each of the three is worth.
3. Does bfloat16 cost quality? A small network trained both ways, from three seeds.
"""

import importlib.util
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile

from vaelib import data, describe_device, pick_device, train
from vaelib.quantize import Quantized, VectorQuantizer
from vaelib.vqvae import VQVAE

REPEATS, STEPS = 15, 300
SHAPE = (128, 64, 8, 8)


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


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def medians(arms, device, repeats=REPEATS):
    """Median milliseconds of each, interleaved."""
    taken = {name: [] for name in arms}
    for repeat in range(repeats + 3):
        for name, run in arms.items():
            synchronise(device)
            start = time.perf_counter()
            run()
            synchronise(device)
            if repeat >= 3:
                taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in taken.items()}


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
    found = medians(arms, device)
    memory = {name: peak(run, device) / 2**20 for name, run in arms.items()}
    print("| quantizer, forward and backward | ms | MiB | times as long | times the memory |\n|---|---|---|---|---|")
    for name in arms:
        base = f"{name.partition(',')[0]}, vaelib"
        print(
            f"| {name} | {found[name]:.1f} | {memory[name]:.1f} | {found[name] / found[base]:.2f} | {memory[name] / memory[base]:.2f} |"
        )


def steps(device):
    x = torch.rand(128, 3, 32, 32, device=device)

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
    found = medians(arms, device)
    print("\n| training step, batch 128 | ms | times as fast as the textbook |\n|---|---|---|")
    for name, ms in found.items():
        print(f"| {name} | {ms:.0f} | {found['textbook'] / ms:.2f} |")


def quality(device):
    x = data.load("glyphs-rgb").x
    variance = float(data.as_float(x).var())
    print(f"\n| small network, {STEPS} steps | training error in float32 | in bfloat16 |\n|---|---|---|")

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
        print(f"| seed {seed} | {errors[0]:.4f} | {errors[1]:.4f} |")


def main():
    device = pick_device()
    quantizers(device)
    steps(device)
    quality(device)
    print(f"\nMedians of {REPEATS}, interleaved; {describe_device(device)}.")


if __name__ == "__main__":
    main()
