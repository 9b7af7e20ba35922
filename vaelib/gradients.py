"""Estimators of the gradient of an expectation, d/d phi E_q[f(z)] with z ~ q(z; phi), and samplers of discrete latents.

Every estimator is called as ``estimator(log_q, f, sample, params, eps)``:

    log_q(params, z): log q(z; phi).            f(params, z): the integrand, which may depend on phi too.
    sample(params, eps): noise to z ~ q.        params: dict of tensors, the phi to differentiate by.
    eps: noise (N, K, ...), for N independent estimates of K draws each.

The three functions take K draws at once, along the first dimension, and log_q and f return one value a draw, (K,), or (K, B) for
B examples with a z each. An estimate is the gradient of the mean over draws and examples. The result is a dict like ``params``
with N estimates along the first dimension of each tensor. All N come from one pass of torch.func; ``chunk`` bounds its memory.

Before an estimate each looks at the first of the N: ValueError says what of the five is something else, that eps has no N or no K,
that sample, log_q or f cannot take what they are given, or that log_q and f do not both give one float for each z. eps must be
finite (seen on the CPU only); NaN in params gives NaN.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.func import grad, vmap

from vaelib.distributions import gumbel as gumbel  # the eps of the three samplers of discrete latents below
from vaelib.outside import given

Params = dict[str, torch.Tensor]
Density = Callable[[Params, torch.Tensor], torch.Tensor]


def score_function(
    log_q: Density,
    f: Density,
    sample: Density,
    params: Params,
    eps: torch.Tensor,
    baseline: float | Params = 0.0,
    chunk: int | None = None,
) -> Params:
    """(f(z) - b) grad log q(z) + grad f(z): the log-derivative trick (G-4, G-6), also called REINFORCE (Williams 1992).

    Unbiased for every constant b, since E[grad log q] = 0 (G-5). It needs no gradient through z, so z may be discrete.

    Args:
        baseline: b, one number, or a dict like ``params`` with a number for each parameter, or a tensor of its shape. It must not
            depend on ``eps``.
    """
    _look(log_q, f, sample, params, eps, chunk)
    constant = _constants(baseline, params)

    def weighted(phi: Params, eps: torch.Tensor) -> torch.Tensor:
        z = sample(params, eps)  # params, not phi: no gradient goes through the draw
        return (f(params, z) * log_q(phi, z) + f(phi, z)).mean()

    estimates = _estimates(weighted, params, eps, chunk)
    if all(isinstance(b, float) and b == 0 for b in constant.values()):
        return estimates
    score = scores(log_q, f, sample, params, eps, chunk)
    return {name: estimates[name] - constant[name] * score[name] for name in params}


def scores(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """grad log q(z) alone, whose mean is 0 (G-5): what a baseline multiplies."""
    _look(log_q, f, sample, params, eps, chunk)
    return _estimates(lambda phi, eps: log_q(phi, sample(params, eps)).mean(), params, eps, chunk)


def optimal_baseline(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """For each parameter the b with the least variance, Cov(f s, s) / Var(s), s = grad log q (G-10; Greensmith et al. 2004).

    For one example this is E[f s^2] / E[s^2]. A parameter whose score is always 0 gets 0.

    Args:
        eps: pilot draws (N, K, ...), N at least 2. Use others for the estimates: a baseline that has seen its own draws biases them.

    Returns:
        a dict like ``params``, of the same shapes.
    """
    _look(log_q, f, sample, params, eps, chunk, estimates=2)
    weighted = score_function(log_q, f, sample, params, eps, chunk=chunk)
    score = scores(log_q, f, sample, params, eps, chunk)
    best = {}
    for name, s in score.items():
        centred = s - s.mean(0)
        variance = centred.square().mean(0)
        slope = (centred * weighted[name]).mean(0) / variance
        best[name] = torch.where(variance > 0, slope, torch.zeros_like(slope))
    return best


def leave_one_out(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """The score function with the mean f of the other K - 1 draws as each draw's baseline (G-10; Kool et al. 2019, "RLOO").

    Raises:
        ValueError: K < 2.
    """
    _look(log_q, f, sample, params, eps, chunk, draws=2)

    def surrogate(phi: Params, eps: torch.Tensor) -> torch.Tensor:
        z = sample(params, eps)
        values = f(params, z)
        others = (values.sum(0) - values) / (len(values) - 1)
        return ((values - others) * log_q(phi, z) + f(phi, z)).mean()

    return _estimates(surrogate, params, eps, chunk)


def pathwise(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """grad f(g(eps, phi)): differentiate through the draw z = g(eps, phi) (G-7; Kingma & Welling 2014, section 2.4).

    ``sample`` must be differentiable. With a relaxed sampler it is the gradient of the relaxation, and biased for f (G-11).
    """
    _look(log_q, f, sample, params, eps, chunk)
    return _estimates(lambda phi, eps: f(phi, sample(phi, eps)).mean(), params, eps, chunk)


def path_derivative(
    log_q: Density, f: Density, sample: Density, params: Params, eps: torch.Tensor, chunk: int | None = None
) -> Params:
    """pathwise without the part of grad f that does not go through z (G-10; Roeder et al. 2017, "sticking the landing").

    Unbiased when phi enters f only as - log q(z; phi), since E[grad log q] = 0; it is then 0, draw by draw, where q is the posterior.
    """
    _look(log_q, f, sample, params, eps, chunk)
    return _estimates(lambda phi, eps: f(params, sample(phi, eps)).mean(), params, eps, chunk)


def exact(log_q: Density, f: Density, params: Params, states: torch.Tensor) -> Params:
    """grad sum_z q(z) f(z), by enumeration of a discrete z (G-11): the gradient itself, shaped like ``params``.

    Args:
        states: every value of z, along the first dimension.

    Raises:
        ValueError: the probabilities of ``states`` do not add up to 1, or as for the estimators.
    """
    given.tensor("states", states, kind="any", least=1)
    total = _values(log_q, f, _checked(params), states).exp().sum(0)
    if not bool(((total - 1).abs() < 1e-4).all()):
        raise ValueError(
            f"the probabilities of params and the {len(states)} states add up to {float(total.flatten()[0]):.6g}, not 1: "
            "give each value of z once."
        )
    return grad(lambda phi: (log_q(phi, states).exp() * f(phi, states)).sum(0).mean())(params)


def categorical(logits: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """A draw from softmax(logits) as a one-hot vector: the largest of logits + Gumbel noise (Gumbel 1954). No gradient.

    Args:
        logits: float (..., C), minus infinity for what cannot be.  eps: Gumbel noise, float (..., C); leading dimensions broadcast.
            NaN and infinity in them give NaN.

    Raises:
        ValueError: they are something else.
    """
    if given.tensor("logits", logits, (..., "C")).shape[-1] == 0:
        raise given.refuse("logits", logits, "at least one class")
    given.tensor("eps", eps, (..., logits.shape[-1]), on=logits.device, beside="logits")
    given.broadcast("logits", logits, "eps", eps)
    noisy = logits + eps
    best = noisy.argmax(-1, keepdim=True)
    one_hot = (torch.arange(logits.shape[-1], device=logits.device) == best).to(logits.dtype)
    return one_hot.where((noisy < math.inf).all(-1, keepdim=True), math.nan)  # argmax takes NaN for the largest


def straight_through(logits: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """``categorical`` forward, the gradient of softmax(logits) backward (G-11; Bengio et al. 2013): biased.

    Arguments and errors are those of ``categorical``.
    """
    hard, probs = categorical(logits, eps), F.softmax(logits, -1)
    return hard + probs - probs.detach()


def gumbel_softmax(logits: torch.Tensor, eps: torch.Tensor, temperature: float) -> torch.Tensor:
    """softmax((logits + eps) / temperature): a draw softened to a point of the simplex (G-11; Jang et al. 2017, eq. 2).

    A low temperature comes near ``categorical``, with little bias and much variance; a high one the other way round.

    Args:
        logits, eps: as for ``categorical``.
        temperature: above 0; 0.1 to 2 are usual.

    Raises:
        ValueError: as for ``categorical``, or the temperature is not above 0.
    """
    temperature = given.number("temperature", temperature, above=0)
    given.tensor("logits", logits, (..., "C"))
    given.tensor("eps", eps, (..., logits.shape[-1]), on=logits.device, beside="logits")
    given.broadcast("logits", logits, "eps", eps)
    return F.softmax((logits + eps) / temperature, -1)


def _look(log_q, f, sample, params, eps, chunk, estimates: int = 1, draws: int = 1) -> None:
    """What an estimator is given, and what its functions make of the first of the N estimates."""
    given.finite("eps", given.tensor("eps", eps))
    if eps.dim() < 2 or eps.shape[0] < estimates or eps.shape[1] < draws:
        raise given.refuse("eps", eps, f"noise (N, K, ...), N ≥ {estimates} estimates of K ≥ {draws} draws")
    if chunk is not None:
        given.whole("chunk", chunk, 1, 2**63 - 1)
    with torch.no_grad():
        z = _called("sample(params, eps)", sample, _checked(params), eps[0])
        _values(log_q, f, params, given.tensor("sample(params, eps)", z, kind="any"), eps.shape[1])


def _checked(params: Params) -> Params:
    if not isinstance(params, dict) or not params:
        raise given.refuse("params", params, "a dict of float tensors")
    for name, value in params.items():
        given.tensor(f"params[{name!r}]", value)
    return params


def _values(log_q: Density, f: Density, params: Params, z: torch.Tensor, draws: int | str = "K") -> torch.Tensor:
    """log_q(params, z), once it and f are known to give one float for each z: others would broadcast to something else."""
    found = _called("log_q(params, z)", log_q, params, z)
    one = isinstance(found, torch.Tensor) and found.dim() == 1
    given.tensor("log_q(params, z)", found, (draws,) if one else (draws, "B"))
    given.tensor("f(params, z)", _called("f(params, z)", f, params, z), found.shape)
    return found


def _called(what: str, function: Callable, params: Params, value: torch.Tensor) -> torch.Tensor:
    name, _, argument = what[:-1].partition("(params, ")
    try:
        return given.function(name, function, f"a function of (params, {argument})")(params, value)
    except (RuntimeError, TypeError, IndexError) as error:  # of PyTorch's, where shapes, dtypes or devices do not fit
        said = ", ".join(f"{key} {tuple(each.shape)}" for key, each in {**params, argument: value}.items())
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ValueError(f"{what} was given {said} and fails: {why}.") from error


def _constants(baseline: float | Params, params: Params) -> Params:
    """A number for each parameter, as a float or as a tensor of the parameter's shape."""
    if not isinstance(baseline, dict):
        return dict.fromkeys(params, given.number("baseline", baseline))
    if baseline.keys() != params.keys():
        raise given.refuse("baseline", baseline, f"one number, or a dict of them for {', '.join(map(str, params))}")
    return {
        name: given.tensor(f"baseline[{name!r}]", b, params[name].shape, on=params[name].device, beside="params")
        if isinstance(b, torch.Tensor) and b.dim()
        else given.number(f"baseline[{name!r}]", b)
        for name, b in baseline.items()
    }


def _estimates(surrogate: Callable, params: Params, eps: torch.Tensor, chunk: int | None) -> Params:
    return vmap(grad(surrogate), in_dims=(None, 0), chunk_size=chunk)(params, eps)
