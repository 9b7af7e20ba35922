"""The exercises of notebook 03: what each answer is held against, and hints for the usual slips."""

from collections.abc import Callable

import torch

from vaelib.classroom.exercises.marking import Wrong, exercise, finite_tensor, known_slips, near


@exercise
def leave_one_out_loss(answer: Callable) -> str:
    """03.1 (log q(z_k) (K, B) with a graph, f (K, B)) to a scalar whose gradient is minus the leave-one-out estimate of grad E[f]."""
    generator = torch.Generator().manual_seed(12)
    for draws in (4, 2):
        log_q, values = torch.randn(2, draws, 3, generator=generator, dtype=torch.float64)
        values = values + torch.tensor([-80.0, 5.0, 30.0], dtype=torch.float64)  # images differ in how hard they are
        centred = torch.stack([values[k] - values[[j for j in range(draws) if j != k]].mean(0) for k in range(draws)])
        right = -centred / (3 * draws)  # d loss / d log_q
        graph, f = log_q.clone().requires_grad_(), values.clone().requires_grad_()
        loss = finite_tensor(answer(graph, f), (), "the loss")
        if not loss.requires_grad:
            raise Wrong("no gradient reaches log_q: build the loss from log_q itself, without detach.")
        to_log_q, to_f = torch.autograd.grad(loss, (graph, f), allow_unused=True)
        if to_log_q is None:
            raise Wrong("no gradient reaches log_q: build the loss from log_q itself, without detach.")
        hints = {
            "that is gradient descent on E[f]: the loss is to be minimised so that E[f] grows, so mind the sign.": -right,
            "the baseline contains the draw's own f: leave it out.": right * (draws - 1) / draws,
            "there is no baseline: subtract the mean f of the other draws.": -values / (3 * draws),
            "take the mean over the K draws, not their sum.": right * draws,
            "take the mean over the B examples, not their sum.": right * 3,
            "take the mean over draws and examples, not the sum.": right * 3 * draws,
            "divide the sum of the others by K - 1: there are K - 1 of them.": -(
                values - (values.sum(0) - values) / draws
            )
            / (3 * draws),
            "the other draws are those of the same example: average along dimension 0.": -(
                values - (values.sum() - values) / (3 * draws - 1)
            )
            / (3 * draws),
            "the other draws lie along dimension 0, (K, B): yours averages over examples.": -(
                values - (values.sum(1, keepdim=True) - values) / 2
            )
            / (3 * draws),
        }
        known_slips(to_log_q, right, hints, 1e-9)
        if not near(to_log_q, right, 1e-9):
            raise Wrong(
                f"with K = {draws} the gradient in log_q should start with {right[0, 0]:.5f}, and starts with {to_log_q[0, 0]:.5f}."
            )
        if to_f is not None and float(to_f.abs().max()) > 0:
            raise Wrong("the gradient in log_q is right, but one flows through f too: detach f.")
    return "its gradient is the leave-one-out estimate, for K = 2 and 4."


@exercise
def enumerated_gradient(answer: Callable) -> str:
    """03.2 (logits (C,), values (C,)) to the gradient of sum_k softmax(logits)_k values_k by the logits, (C,)."""
    generator = torch.Generator().manual_seed(13)
    cases = [torch.randn(2, size, generator=generator, dtype=torch.float64) for size in (5, 2)]
    cases.append(torch.tensor([[800.0, 799.0, 0.0], [1.0, 3.0, -2.0]], dtype=torch.float64))  # exp(800) is infinite
    for logits, values in cases:
        leaf = logits.clone().requires_grad_()
        right = torch.autograd.grad((torch.softmax(leaf, -1) * values).sum(), leaf)[0]
        try:
            with torch.no_grad():
                got = answer(logits.clone(), values.clone())
        except RuntimeError as error:
            if "grad" not in str(error):
                raise
            raise Wrong(
                "no autograd here: derive the formula, with the softmax's own derivative, and write that."
            ) from None
        if logits[0] == 800 and isinstance(got, torch.Tensor) and bool(torch.isnan(got).any()):
            raise Wrong("exp(800) is infinite: take torch.softmax, which subtracts the largest logit first.")
        got = finite_tensor(got, tuple(values.shape), "the gradient")
        p = torch.softmax(logits, -1)
        hints = {
            "the probabilities move too when a logit does, all of them: subtract the mean of f.": p * values,
            "that is the mean of f for each word; weigh f minus its mean by p.": (p * values).sum()
            * torch.ones_like(p),
            "weigh by the probability: words that are never drawn do not matter.": values - (p * values).sum(),
            "the baseline is the mean of f under p, not the plain mean.": p * (values - values.mean()),
            "the sign is turned round: a word with a large f should get a larger logit.": -right,
            "that is the gradient by the probabilities; go on to the logits by the chain rule.": values,
            "that keeps only the word's own probability: the other probabilities move as well.": p * (1 - p) * values,
        }
        known_slips(got, right, hints, 1e-9)
        if not near(got, right, 1e-9):
            raise Wrong(
                f"for p = {[round(v, 4) for v in p.tolist()]} and f = {[round(v, 4) for v in values.tolist()]} the gradient is "
                f"{[round(v, 4) for v in right.tolist()]}, and yours {[round(v, 4) for v in got.tolist()]}."
            )
    return "it is autograd's, also for logits of 800."


@exercise
def one_hot_with_gradient(answer: Callable) -> str:
    """03.3 (one_hot (N, C), probs (N, C) with a graph) to (N, C) with the value of one_hot and the gradient of probs."""
    generator = torch.Generator().manual_seed(14)
    logits = torch.randn(50, 6, generator=generator, requires_grad=True)
    probs = torch.softmax(logits, -1)
    one_hot = torch.eye(6)[torch.randint(6, (50,), generator=generator)]
    z = finite_tensor(answer(one_hot.clone(), probs), (50, 6), "z")
    if near(z, probs, 1e-6):
        raise Wrong("the value should be one_hot, and is probs: swap the roles.")
    if not near(z, one_hot, 1e-6):
        raise Wrong("the value should be one_hot: what you add to it has to be 0.")
    if not z.requires_grad:
        raise Wrong(
            "the value is right, no gradient flows to probs: add something that is 0 in value and probs in gradient."
        )
    weights = torch.randn(50, 6, generator=generator)
    (got,) = torch.autograd.grad((z * weights).sum(), logits, retain_graph=True, allow_unused=True)
    (right,) = torch.autograd.grad((probs * weights).sum(), logits)
    if got is None or not near(got, right, 1e-6):
        raise Wrong("the value is right, the gradient should be that of probs, whichever word was drawn.")
    if not torch.equal(z.detach(), one_hot):
        raise Wrong(
            "the value is one_hot up to rounding only: put brackets around probs - probs.detach(), which is exactly 0."
        )
    return "value exact, gradient straight through."
