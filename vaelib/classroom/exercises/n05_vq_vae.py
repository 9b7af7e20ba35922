"""The exercises of notebook 05: what each answer is held against, and hints for the usual slips."""

from collections.abc import Callable

import numpy as np
import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def nearest_words(answer: Callable) -> str:
    """05.1 (z_e (B, D, H, W), codebook (K, D)) to the nearest word of each position, int64 (B, H, W)."""
    generator = torch.Generator().manual_seed(0)
    z_e = torch.randn(2, 4, 3, 5, generator=generator, dtype=torch.float64)
    codebook = torch.randn(9, 4, generator=generator, dtype=torch.float64) * torch.linspace(0.3, 2, 9)[:, None]
    rows = [z_e[b, :, i, j] for b in range(2) for i in range(3) for j in range(5)]

    def pick(score, vectors):
        return (
            torch.stack([torch.stack([score(z, e) for e in codebook]).argmin() for z in vectors]).view(2, 3, 5).double()
        )

    right = pick(lambda z, e: (z - e).norm(), rows)
    got = answer(z_e.clone(), codebook.clone())
    if isinstance(got, torch.Tensor) and (got.is_floating_point() or got.dtype == torch.bool):
        raise Wrong(f"words are integers, and yours are {got.dtype}: argmin gives them.")
    got = finite_tensor(got.double() if isinstance(got, torch.Tensor) else got, (2, 3, 5), "the words")
    hints = {
        "a bare reshape mixes positions: move the channels to the end first, with permute(0, 2, 3, 1).": pick(
            lambda z, e: (z - e).norm(), z_e.reshape(-1, 4)
        ),
        "that is the farthest word: take the smallest distance.": pick(lambda z, e: -(z - e).norm(), rows),
        "the largest product z.e is not the nearest word, unless all words are equally long: subtract ||e||^2 / 2.": pick(
            lambda z, e: -(z @ e), rows
        ),
        "the product counts twice: ||z||^2 - 2 z.e + ||e||^2.": pick(lambda z, e: e @ e - z @ e, rows),
    }
    for hint, slip in hints.items():
        if torch.equal(got, slip):
            raise Wrong(hint)
    if not torch.equal(got, right):
        raise Wrong(f"{int((got != right).sum())} of {right.numel()} positions have another word than the nearest.")
    return "the nearest word at every position."


@exercise
def vq_losses(answer: Callable) -> str:
    """05.2 (z_e (N, D), e (N, D), beta) to the codebook loss and the commitment loss, two scalars."""
    generator = torch.Generator().manual_seed(1)
    z_e, e = (torch.randn(6, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    result = answer(z_e, e, 0.3)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong("return two scalars: the codebook loss and the commitment loss.")
    value = torch.tensor(np.mean((z_e.detach().numpy() - e.detach().numpy()) ** 2))
    slope = 2 * (z_e - e).detach() / 18
    wanted = {"the codebook loss": (1.0, {"z_e": 0.0, "e": -1.0}), "the commitment loss": (0.3, {"z_e": 0.3, "e": 0.0})}
    for loss, (name, (factor, slopes)) in zip(result, wanted.items(), strict=True):
        got = finite_tensor(loss, (), name)
        hints = {
            "beta weighs the commitment loss, not the codebook loss.": value * (0.3 if factor == 1 else 1),
            "average over all numbers, do not add them up.": factor * value * 18,
            "average over the D numbers of a vector as well.": factor * value * 3,
            "beta is a factor, not a power or a square.": factor**2 * value,
        }
        known_slips(got, factor * value, hints, 1e-9)
        if not near(got, factor * value, 1e-9):
            raise Wrong(f"{name} should be {float(factor * value):.4f}, and is {float(got.detach()):.4f}.")
        inputs = {"z_e": z_e, "e": e}
        found = (
            torch.autograd.grad(loss, list(inputs.values()), allow_unused=True) if loss.requires_grad else (None, None)
        )
        for (part, sign), gradient in zip(slopes.items(), found, strict=True):
            gradient = torch.zeros_like(z_e) if gradient is None else gradient
            if not near(gradient, sign * slope, 1e-9):
                heard = (
                    "hears it and should not: detach it." if sign == 0 else "gets the wrong gradient: is it detached?"
                )
                raise Wrong(f"{name} has the right value, but {part} {heard}")
    return "two values, and each heard by the right one alone."


@exercise
def ema_step(answer: Callable) -> str:
    """05.3 (n (K,), m (K, D), z (N, D), codes (N,), decay) to the new n, m and codebook."""
    generator = torch.Generator().manual_seed(2)
    n = torch.tensor([3.0, 1.0, 0.5, 2.0], dtype=torch.float64)
    m = torch.randn(4, 2, generator=generator, dtype=torch.float64)
    z = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    codes = torch.tensor([0, 1, 1, 3, 3, 3, 3, 0, 1])  # nobody chose word 2
    counts, sums = np.bincount(codes.numpy(), minlength=4), np.zeros((4, 2))
    np.add.at(sums, codes.numpy(), z.numpy())
    counts, sums = torch.from_numpy(counts).double(), torch.from_numpy(sums)
    given = [t.clone() for t in (n, m, z, codes)]
    result = answer(*given, 0.9)
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        raise Wrong("return three tensors: n, m and the codebook.")
    if any(not torch.equal(a, b) for a, b in zip(given, (n, m, z, codes), strict=True)):
        raise Wrong("one of the inputs has changed: return new tensors.")
    got = [
        finite_tensor(t, s, w)
        for t, s, w in zip(result, ((4,), (4, 2), (4, 2)), ("n", "m", "the codebook"), strict=True)
    ]
    right = 0.9 * n + 0.1 * counts
    known_slips(
        got[0],
        right,
        {
            "the weights are the wrong way round: the old value keeps the share decay.": 0.1 * n + 0.9 * counts,
            "n counts vectors, it is not a share of them: do not divide by N.": 0.9 * n + 0.1 * counts / 9,
            "weigh the new counts by 1 - decay.": 0.9 * n + counts,
        },
        1e-6,
    )
    if not near(got[0], right, 1e-6):
        raise Wrong(
            f"n should be {[round(v, 3) for v in right.tolist()]}, and is {[round(v, 3) for v in got[0].tolist()]}."
        )
    right_m = 0.9 * m + 0.1 * sums
    means = sums / counts.clamp(min=1)[:, None]
    known_slips(
        got[1],
        right_m,
        {
            "m averages sums of vectors, not means: the division comes last.": 0.9 * m + 0.1 * means,
            "the weights are the wrong way round: the old value keeps the share decay.": 0.1 * m + 0.9 * sums,
            "weigh the new sums by 1 - decay.": 0.9 * m + sums,
        },
        1e-6,
    )
    if not near(got[1], right_m, 1e-6):
        raise Wrong(f"the first row of m should be {right_m[0].tolist()}, and is {got[1][0].tolist()}.")
    again = answer(n.clone(), m.clone(), z.clone(), codes.clone(), 0.5)
    if not near(finite_tensor(again[0], (4,), "n"), 0.5 * n + 0.5 * counts, 1e-6):
        raise Wrong("right for decay = 0.9, and not for decay = 0.5: use the argument.")
    if not near(got[2], right_m / right[:, None], 1e-6):
        raise Wrong("n and m are right; the codebook is m / n, each row by its own count.")
    return "the new averages, also for a word that nobody chose."
