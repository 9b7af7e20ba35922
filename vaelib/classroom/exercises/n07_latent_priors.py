"""The exercises of notebook 07: what each answer is held against, and hints for the usual slips."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def whole_bits(answer: Callable) -> str:
    """07.1 (log_prior (B,), log_pixels (B, C, H, W)), nats, to bits per dimension of the two-part code, (B,)."""
    generator = torch.Generator().manual_seed(5)
    for B, C, H, W in ((4, 3, 2, 5), (3, 1, 4, 4)):
        log_prior = -20 * torch.rand(B, generator=generator, dtype=torch.float64) - 1
        log_pixels = -5 * torch.rand(B, C, H, W, generator=generator, dtype=torch.float64)

        def by_hand(prior=1.0, base=2.0, sign=-1, colours=True, p=log_prior, x=log_pixels, size=(C, H, W)):
            count = math.prod(size if colours else size[1:])
            cost = [prior * float(a) + math.fsum(b.flatten().tolist()) for a, b in zip(p, x, strict=True)]
            return torch.tensor([sign * value / count / math.log(base) for value in cost], dtype=torch.float64)

        right = by_hand()
        got = answer(log_prior.clone(), log_pixels.clone())
        if isinstance(got, torch.Tensor) and got.dim() == 0:
            raise Wrong("one number for each image: do not average over the batch.")
        known_slips(
            finite_tensor(got, (B,), "the result").double(),
            right,
            {
                "the page has to be sent as well: add log_prior.": by_hand(prior=0.0),
                "that is in nats: divide by log 2.": by_hand(base=math.e),
                "a cost is positive: minus the logarithm of a probability.": by_hand(sign=1),
                "dimensions are all numbers of the image: C H W of them.": by_hand(colours=False),
                "the page is sent once for the image, not once for each number.": by_hand(prior=float(C * H * W)),
                "the two parts cost bits both: the signs are equal.": by_hand(prior=-1.0),
            },
            1e-6,
        )
        if not near(got.double(), right, 1e-6):
            b = int((got - right).abs().argmax())
            raise Wrong(f"image {b} costs {right[b]:.5f} bits a dimension, and yours {got[b]:.5f}.")
    return "page and pixels, in bits for each number."


@exercise
def attend_back(answer: Callable) -> str:
    """07.2 (q, k, v), each (T, D), to causal attention's output (T, D)."""
    generator = torch.Generator().manual_seed(6)
    for T, D in ((5, 3), (4, 8)):
        q, k, v = (2 * torch.randn(T, D, generator=generator, dtype=torch.float64) for _ in range(3))

        def one_by_one(slip="", q=q, k=k, v=v, T=T, D=D):
            scores = (q.numpy() @ k.numpy().T) / (1 if slip == "scale" else D if slip == "dimension" else D**0.5)
            out = np.zeros((T, D))
            for t in range(T):
                seen = range(T) if slip in ("all", "late") else range(t, T) if slip == "turned" else range(t + 1)
                if slip == "strict" and t > 0:
                    seen = range(t)
                weights = {s: math.exp(scores[t, s] - scores[t].max()) for s in seen}
                total = sum(weights.values())
                for s in seen:
                    if slip != "late" or s <= t:
                        out[t] += weights[s] / total * v.numpy()[s]
            return torch.from_numpy(out)

        right = one_by_one()
        got = answer(q.clone(), k.clone(), v.clone())
        if isinstance(got, torch.Tensor) and got.shape == (T, D) and bool(got[0].isnan().any()):
            raise Wrong("the first position attends to itself: nothing hidden on the diagonal.")
        got = finite_tensor(got, (T, D), "the output").double()
        known_slips(
            got,
            right,
            {
                "a position must not attend to later ones: their scores are −inf.": one_by_one("all"),
                "hide later positions before the softmax, or the weights do not sum to 1.": one_by_one("late"),
                "that looks forward: row t sees columns 0 to t.": one_by_one("turned"),
                "a position attends to itself as well.": one_by_one("strict"),
                "divide the scores by the root of D.": one_by_one("scale"),
                "divide by the root of D, not by D.": one_by_one("dimension"),
            },
            1e-6,
        )
        if not near(got, right, 1e-6):
            t = int((got - right).abs().amax(1).argmax())
            raise Wrong(f"row {t} should begin with {right[t, 0]:.4f}, and begins with {got[t, 0]:.4f}.")
    return "each position looks at itself and back, never forward."


@exercise
def slack_of_page(answer: Callable) -> str:
    """07.3 (log_prior (K,), log_likelihood (B, K), written (B,) int64) to the two-part code's slack in nats, (B,)."""
    generator = torch.Generator().manual_seed(7)
    B, K = 6, 4
    log_prior = torch.rand(K, generator=generator, dtype=torch.float64).add(0.1)
    log_prior = (log_prior / log_prior.sum()).log()
    likely = 3 * torch.randn(B, K, generator=generator, dtype=torch.float64)
    written = torch.randint(K, (B,), generator=generator)

    for offset in (0.0, -2000.0):  # log p(x|k) of an image of many pixels

        def exactly(slip="", offset=offset):
            found = []
            with localcontext(prec=60):
                for row, chosen in zip((likely + offset).tolist(), written.tolist(), strict=True):
                    p = [0.0 if slip == "no prior" else a for a in log_prior.tolist()]
                    joint = [(Decimal(a) + Decimal(b)).exp() for a, b in zip(p, row, strict=True)]
                    top = joint.index(max(joint)) if slip == "best" else chosen
                    found.append(float((sum(joint) / joint[top]).ln()))
            return torch.tensor(found, dtype=torch.float64)

        right = exactly()
        got = answer(log_prior.clone(), likely + offset, written.clone())
        if isinstance(got, torch.Tensor) and not bool(torch.isfinite(got).all()):
            raise Wrong("exp(−2000) is 0: stay in logarithms, with logsumexp.")
        got = finite_tensor(got, (B,), "the slack").double()
        known_slips(
            got,
            right,
            {
                "p(x) weighs each page by the prior: add log_prior.": exactly("no prior"),
                "the code uses the page that was written, not the most likely one.": exactly("best"),
                "a bound lies below: log p(x) minus the code's log-probability, not the reverse.": -right,
                "in nats, please.": right / math.log(2),
                "that is p(k(x)|x): take minus its logarithm.": (-right).exp(),
            },
            1e-6,
        )
        if not near(got, right, 1e-6):
            b = int((got - right).abs().argmax())
            raise Wrong(f"image {b}'s slack should be {right[b]:.5f} nats, and is {got[b]:.5f}.")
    return "log p(x) minus what the code says: −log p(k(x)|x)."
