"""The exercises of notebook 06: what each answer is held against, and hints for the usual slips."""

from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def colour_mask(answer: Callable) -> str:
    """06.1 (k, kind, channels) to the mask of a k x k kernel between features of C colours, (C, C, k, k) of zeros and ones."""
    for k, kind, C in ((3, "A", 3), (5, "B", 3), (3, "B", 1), (5, "A", 2)):

        def by_order(slip: str = "", k=k, kind=kind, C=C) -> torch.Tensor:
            mask = np.zeros((C, C, k, k))
            for out, seen, i, j in np.ndindex(mask.shape):
                here, there = (k // 2) * k + k // 2, i * k + j
                a, b = (seen, out) if slip != "turned" else (out, seen)
                at_centre = a <= b if (kind == "B") != (slip == "exchanged") else a < b
                if slip == "grey":
                    at_centre = kind == "B"
                mask[out, seen, i, j] = there < here or (there == here and at_centre)
                if slip == "square" and (i > k // 2 or j > k // 2):
                    mask[out, seen, i, j] = 0
            return torch.from_numpy(mask)

        right = by_order()
        got = answer(k, kind, C)
        got = finite_tensor(
            got.double() if isinstance(got, torch.Tensor) else got, (C, C, k, k), f"the mask for {k, kind, C}"
        )
        known_slips(
            got,
            right,
            {
                "A and B are exchanged: A hides a colour from itself, B shows it.": by_order("exchanged"),
                "the first index is the output: output c sees input d at the centre if d comes before c.": by_order(
                    "turned"
                ),
                "at the centre, colours count too: green may see red.": by_order("grey"),
                "rows above are seen whole, also to the right of the centre.": by_order("square"),
            },
            1e-9,
        )
        if not near(got, right, 1e-9):
            c, d, i, j = (int(v) for v in (got != right).nonzero()[0])
            raise Wrong(f"for {k, kind, C}: entry [{c}, {d}, {i}, {j}] should be {right[c, d, i, j]:.0f}.")
    return "nothing later is seen, and everything earlier."


@exercise
def log_level(answer: Callable) -> str:
    """06.2 (x (N,) int64, mean (N,), log_scale (N,), levels) to log P(x) of a discretized logistic, (N,)."""
    generator = torch.Generator().manual_seed(3)
    levels = 16
    x = torch.cat([torch.randint(16, (12,), generator=generator), torch.tensor([0, 15, 0, 15, 9])])
    mean = torch.cat(
        [torch.rand(15, generator=generator, dtype=torch.float64) * 2 - 1, torch.tensor([0.8, -0.9]).double()]
    )
    log_scale = torch.cat(
        [torch.rand(16, generator=generator, dtype=torch.float64) * 2 - 2, torch.tensor([-5.0]).double()]
    )

    def exactly(half: Fraction = Fraction(1, 15), edges: bool = True, sign: int = 1) -> torch.Tensor:
        """The difference of two distribution functions itself, with digits enough for it."""
        found = []
        with localcontext(prec=150):

            def below(t: Decimal) -> Decimal:
                return 1 / (1 + (-t).exp())

            for k, m, s in zip(x.tolist(), mean.tolist(), log_scale.tolist(), strict=True):
                scale, centre = Decimal(sign * s).exp(), Fraction(2 * k, 15) - 1 - Fraction(m)
                up, low = (Decimal(v.numerator) / v.denominator / scale for v in (centre + half, centre - half))
                high = 1 if edges and k == 15 else below(up)
                found.append(float((high - (0 if edges and k == 0 else below(low))).ln()))
        return torch.tensor(found, dtype=torch.float64)

    right = exactly()
    got = answer(x.clone(), mean.clone(), log_scale.clone(), levels)
    if isinstance(got, torch.Tensor) and got.shape == (17,) and not bool(torch.isfinite(got).all()):
        raise Wrong(
            "far from the mean, a difference of two sigmoids is 0 and its log −inf: use the product of three factors."
        )
    got = finite_tensor(got, (17,), "the result").double()
    known_slips(
        got,
        right,
        {
            "the first and the last level own all that lies beyond them.": exactly(edges=False),
            "levels are 2 / (L − 1) apart: half a cell is 1 / (L − 1).": exactly(half=Fraction(1, 16)),
            "that is a whole cell on each side: half a cell is 1 / (L − 1).": exactly(half=Fraction(2, 15)),
            "the scale is exp(log_scale): divide by it.": exactly(sign=-1),
            "that is P(x): return its logarithm.": right.exp(),
        },
        1e-4,
    )
    if not torch.allclose(got, right, rtol=1e-4, atol=1e-4):  # answers in float32 are right, too
        k = int(((got - right) / (1 + right.abs())).abs().argmax())
        where = f"x = {int(x[k])}, mean {mean[k]:.2f}, log_scale {log_scale[k]:.2f}"
        raise Wrong(f"for {where} it should be {right[k]:.4f}, and is {got[k]:.4f}.")
    return "right at the edges and far out, where the probability is below 1e-60."


@exercise
def draw_in_order(answer: Callable) -> str:
    """06.3 (logit, u (B, 1, H, W), temperature) to images (B, 1, H, W) of zeros and ones, drawn pixel by pixel."""
    generator = torch.Generator().manual_seed(4)
    H, W = 3, 4
    weights = 2 * torch.randn(H * W, H * W, generator=generator, dtype=torch.float64).tril(-1)
    bias = torch.randn(H * W, generator=generator, dtype=torch.float64)
    u = torch.rand(40, 1, H, W, generator=generator, dtype=torch.float64)

    def logit(x: torch.Tensor) -> torch.Tensor:
        return (x.double().flatten(1) @ weights.T + bias).view(-1, 1, H, W)

    def drawn(T: float, order=range(H * W), once: bool = False, over: bool = False) -> torch.Tensor:
        W_, b_, u_ = weights.numpy(), bias.numpy(), u.flatten(1).numpy()
        x = np.zeros((len(u), H * W))
        for i in order:
            see = np.zeros_like(x) if once else x
            p = 1 / (1 + np.exp(-(see @ W_[i] + b_[i]) / T))
            x[:, i] = (u_[:, i] > p) if over else (u_[:, i] < p)
        return torch.from_numpy(x).view(u.shape)

    columns = [i * W + j for j in range(W) for i in range(H)]
    for T in (1.0, 0.4):
        got = answer(logit, u.clone(), T)
        got = finite_tensor(got.double() if isinstance(got, torch.Tensor) else got, (40, 1, H, W), "the images")
        known_slips(
            got,
            drawn(T),
            {
                "all pixels at once: each must be drawn after those before it, and the network asked again.": drawn(
                    T, once=True
                ),
                "that goes column by column: the order is row by row.": drawn(T, columns),
                "a pixel has ink with probability sigmoid(logit): 1 where u is below it.": drawn(T, over=True),
                "use the temperature: divide the logits by it.": drawn(1.0),
                "divide the logits by the temperature, do not multiply.": drawn(1 / T),
            },
            1e-9,
        )
        if not near(got, drawn(T), 1e-9):
            raise Wrong(
                f"{int((got != drawn(T)).flatten(1).any(1).sum())} of 40 images differ from those of the same noise u."
            )
    return "every pixel drawn after those before it."
