"""Training that is judged by averages of the weights, as mnist.py and pixels.py have it."""

import torch

from vaelib import train

LR = 1e-3


class Averaged(torch.optim.AdamW):
    """AdamW that also keeps an average of the weights, over about the last ninth of the updates (Shamir & Zhang 2013)."""

    EVERY, DECAY = 5, 8

    @torch.no_grad()
    def step(self, closure=None):
        loss = super().step(closure)
        for group in self.param_groups:
            group["updates"] = group.get("updates", 0) + 1
            if group["updates"] % self.EVERY and group["updates"] > self.EVERY:
                continue
            weights = group["params"]
            for p in weights:
                self.state[p].setdefault("average", p.detach().clone())
            n = 1 + group["updates"] / self.EVERY
            averages = [self.state[p]["average"] for p in weights]
            torch._foreach_lerp_(averages, weights, (self.DECAY + 1) / (n + self.DECAY))
        return loss


def fit(model, loss, images, *, device, **settings):
    """train.fit with this optimizer; its snapshots are the averaged weights."""
    kept = []

    def optimizer(parameters):
        fused = device.type in ("cpu", "cuda")
        kept.append(Averaged(parameters, lr=LR, betas=(0.9, 0.99), weight_decay=0.01, fused=fused))
        return kept[0]

    def averages(model, step):
        return {name: kept[0].state[p]["average"].cpu().clone() for name, p in model.named_parameters()}

    return train.fit(
        model, loss, images, optimizer=optimizer, device=device, bf16=True, snapshot=averages, **settings
    )  # fmt: skip
