"""Planted errors in the checks of notebook 02_elbo."""

import pytest
from played import Played, fails_its_check, sliders_move, three_for_each_id

STEM = "02_elbo"
GAUSSIAN, DISCRETE = ("nine-lines", "gaussian-lines"), ("nine-lines", "discrete-lines")
PLANTED = {
    "E_q[z^": [
        ("z**n * q.prob(z)", "z**n * prior.prob(z)", "referee-moments"),
        ("z**n * q.prob(z)", "(z - mu) ** n * q.prob(z)", "referee-moments"),
        ("q.expect(lambda z, n=n: z**n)", "q.expect(lambda z, n=n: (-z) ** n)", "referee-moments"),
    ],
    "E_q[log p(x, z)]": [
        ("0.7 + 1.3 * nodes", "0.7 + 1.3**2 * nodes", "referee-quadrature"),
        ("math.sqrt(2 * math.pi)", "math.sqrt(math.pi)", "referee-quadrature"),
        ("hermite_e.hermegauss(20)", "hermite.hermgauss(20)", "referee-quadrature"),
    ],
    "normalize finds": [
        ("equal(log_integral, sp.log(integral))", "equal(log_integral, integral)", "referee-normalize"),
        ("-a * z**2 + h * z + c), (z", "-a * z**2 / 2 + h * z + c), (z", "referee-normalize"),
        ("-a * z**2 + h * z + c), (z", "-a * z**2 + h * z), (z", "referee-normalize"),
    ],
    "ELBO-1": [
        ("w**2 + sigma**2)).log_prob", "w**2 + sigma)).log_prob", "evidence"),
        ("w**2 + sigma**2)).log_prob", "2 * w**2 + sigma**2)).log_prob", "evidence"),
        ("Normal(b, sp.sqrt(w**2 + s", "Normal(-b, sp.sqrt(w**2 + s", "evidence"),
        ("Normal(b, sp.sqrt(w**2 + s", "Normal(w * b, sp.sqrt(w**2 + s", "evidence"),
    ],
    "ELBO-2": [
        ("log_px * integrate(", "log_px + integrate(", *GAUSSIAN),
        ("log_px * integrate(lambda z: q.prob(z))", "log_px * integrate(lambda z: q.prob(z) ** 2)", *GAUSSIAN),
        ("log_px * integrate(lambda z: q.prob(z))", "log_px * integrate(lambda z: q.prob(z) ** 2)", *DISCRETE),
        ("log_px * integrate(", "-log_px * integrate(", *DISCRETE),
    ],
    "ELBO-3": [
        ("q.prob(z) * log_px),", "q.prob(z) * log_px**2),", *GAUSSIAN),
        ("q.prob(z) * log_px),", "posterior.prob(z) * log_joint(z)),", *DISCRETE),
        ("q.prob(z) * log_px),", "q.prob(z) * log_joint(z)),", *DISCRETE),
    ],
    "ELBO-4": [
        ("q.expect(lambda z: log_px)", "q.expect(lambda z: log_joint(z))", *GAUSSIAN),
        ("q.expect(lambda z: log_px)", "q.expect(lambda z: log_px + q.log_prob(z))", *GAUSSIAN),
        ("q.expect(lambda z: log_px)", "q.expect(lambda z: q.prob(z) * log_px)", *DISCRETE),
    ],
    "ELBO-5": [
        ("log_joint(z) - posterior", "log_joint(z) + posterior", *GAUSSIAN),
        ("log_joint(z) - posterior", "log_px_z(z) - posterior", *GAUSSIAN),
        ("log_joint(z) - posterior.log_prob(z)),", "log_joint(z)),", *DISCRETE),
        ("log_joint(z) - posterior.log_prob(z)),", "log_joint(z) - q.log_prob(z)),", *DISCRETE),
    ],
    "ELBO-6": [
        ("(posterior.log_prob(z) + q.log_prob(z))", "(posterior.log_prob(z) - q.log_prob(z))", *GAUSSIAN),
        ("(log_joint(z) + q.log_prob(z))", "log_joint(z)", *GAUSSIAN),
        ("(log_joint(z) + q.log_prob(z))", "(log_joint(z) - q.log_prob(z))", *DISCRETE),
    ],
    "ELBO-7": [
        ("equal(line[5], sum(line[6]))", "equal(line[5], line[6][0] - line[6][1])", *GAUSSIAN),
        ("q.log_prob(z) - posterior.log_prob(z))),", "posterior.log_prob(z) - q.log_prob(z))),", *GAUSSIAN),
        ("log_joint(z) - q.log_prob(z)),", "log_joint(z)),", *DISCRETE),
        ("log_joint(z) - q.log_prob(z)),", "log_joint(z) + q.log_prob(z)),", *DISCRETE),
    ],
    "ELBO-8": [
        ("(elbo, kl),", "(kl, elbo),", *GAUSSIAN),
        ("(elbo, kl),", "(elbo, -kl),", *DISCRETE),
        ("sp.log(t / s)", "sp.log(s / t)", *GAUSSIAN),
        ("/ (2 * t**2)", "/ t**2", *GAUSSIAN),
        ("/ (2 * t**2)", "/ (2 * s**2)", *GAUSSIAN),
        ("sp.E * s**2) / 2", "sp.E * s**2)", *GAUSSIAN),
        ("sp.E * s**2) / 2", "sp.E * s) / 2", *GAUSSIAN),
        ("+ w**2 * s**2", "", *GAUSSIAN),
        ("u * sp.log(u / r)", "r * sp.log(r / u)", *DISCRETE),
        ("sp.log(p * given / u)", "sp.log(p * given)", *DISCRETE),
    ],
    "ELBO-9": [
        ("above.subs(r, ratio[k])", "above.subs(r, 1 / ratio[k])", "nonneg"),
        ("above.subs(r, ratio[k])", "ratio[k] * above.subs(r, ratio[k])", "nonneg"),
        ("[p / u for u, p", "[u / p for u, p", "nonneg"),
        ("log_r = log_post_at - log_q_at", "log_r = log_q_at - log_post_at", "nonneg"),
        ("np.exp(log_r) - 1 - log_r", "-log_r", "nonneg"),
        ("np.exp(log_r) - 1 - log_r", "1 - np.exp(log_r) - log_r", "nonneg"),
        ("np.exp(log_r) - 1 - log_r", "2 * (np.exp(log_r) - 1 - log_r)", "nonneg"),
    ],
    "ELBO-10": [
        ("log_px_z) - q.kl(prior)))\ncheck(", "log_px_z) + q.kl(prior)))\ncheck(", "two-forms"),
        ("log_px_z) - q.kl(prior)))\ncheck(", "log_px_z) - prior.kl(q)))\ncheck(", "two-forms"),
        ("log_px_z) - q.kl(prior)))\ncheck(", "log_joint) - q.kl(prior)))\ncheck(", "two-forms"),
        ("- q_d.kl(prior_d)", "- prior_d.kl(q_d)", "two-forms"),
        ("- q_d.kl(prior_d)", "- q_d.kl(prior_d) / 2", "two-forms"),
    ],
    "ELBO-11": [
        ("sp.diff(elbo, mu), sp.diff(elbo, s)", "sp.diff(elbo, mu), sp.diff(elbo + q.kl(prior), s)", "gap"),
        ("posterior.mean) and", "w * (x - b)) and", "gap"),
        ("gap.subs(best[0]), 0", "elbo.subs(best[0]), 0", "gap"),
        ("equal(gap, q.kl(posterior))", "equal(2 * gap, q.kl(posterior))", "gap"),
        ("equal(gap, q.kl(posterior))", "equal(gap, posterior.kl(q))", "gap"),
        ("equal(gap, q.kl(posterior))", "equal(gap, q.kl(prior))", "gap"),
        ("+ 0.5 * math.log(2 * math.pi * math.e)", "", "gap-numeric"),
        ("hessian = sp.hessian(elbo", "hessian = sp.hessian(-elbo", "gap"),
        ("+ log_std + 0.5", "- log_std + 0.5", "gap-numeric"),
        ("0.4 - 1.9 * at + 0.5", "0.4 - 1.9 * at - 0.5", "gap-numeric"),
        ("+ at**2\n", "\n", "gap-numeric"),
    ],
    "bend 0: ": [
        ("(log_q - log_posterior))", "(log_posterior - log_q))", "explorer-figure", "bent"),
        ("bend * z_grid**2, 0.7)", "bend * z_grid**2, 0.5)", "explorer-figure", "bent"),
        ("log_normal(1.5, z_grid", "log_normal(2.5, z_grid", "explorer-figure", "bent"),
        ("area(log_q.exp() * log_likelihood),", "-area(log_q.exp() * log_likelihood),", "explorer-figure", "bent"),
    ],
    "the bars end where": [
        ('"gap": (recon - kl, recon - kl + gap)', '"gap": (recon - kl, recon - kl - gap)', "explorer-figure", "bent"),
        ('"gap": (recon - kl, recon - kl + gap)', '"gap": (recon + kl, recon + kl + gap)', "explorer-figure", "bent"),
        ('"− KL to prior": (recon, recon - kl)', '"− KL to prior": (recon, recon + kl)', "explorer-figure", "bent"),
    ],
    "ELBO-12": [
        ("p * given / u for", "p * given * u for", "jensen"),
        ("sp.log(a) + (r - a) / a", "sp.log(a) + (r - a) ** 2 / a", "jensen"),
        ("np.exp(log_q_at) * np.exp(log_weight_at)", "np.exp(log_weight_at)", "jensen"),
        ("np.trapezoid(np.exp(log_q_at) * log_weight_at", "np.trapezoid(np.exp(log_post_at) * log_weight_at", "jensen"),
        ("log_joint(z) - q.log_prob(z)).subs", "log_joint(z)).subs", "jensen"),
    ],
    "ELBO-13": [
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "mu**2 + sp.exp(v) - v - 1", "kl"),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(v) + v - 1) / 2", "kl"),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(2 * v) - v - 1) / 2", "kl"),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(v) - v) / 2", "kl"),
        ("sp.exp(v / 2))\nkl", "sp.exp(v))\nkl", "kl"),
        ("encoder.kl(prior)", "prior.kl(encoder)", "kl"),
        ("(sp.exp(v) - 1) / 2))", "(sp.exp(v) - 1)))", "kl"),
        ("sp.log(other_std / s)", "sp.log(s / other_std)", "kl"),
        ("/ (2 * other_std**2)", "/ (2 * s**2)", "kl"),
        ("kl_formula.subs(v, 2 * sp.log(s)) +", "kl_formula.subs(v, 2 * sp.log(s)) -", "kl"),
        ("+ second.log_prob(z2)", "- second.log_prob(z2)", "kl"),
        ("return 0.5 * (mean**2", "return (mean**2", "kl-code"),
        ("torch.exp(2 * log_std) - 2 * log_std - 1)", "torch.exp(log_std) - log_std - 1)", "kl-code"),
        ("torch.exp(2 * log_std) - 2 * log_std - 1)", "torch.exp(2 * log_std) + 2 * log_std - 1)", "kl-code"),
        (
            "torch.exp(2 * log_std) - 2 * log_std - 1).sum(-1)",
            "torch.exp(2 * log_std) - 2 * log_std).sum(-1)",
            "kl-code",
        ),
        ("- 2 * log_std - 1).sum(-1)", "- 2 * log_std - 1).mean(-1)", "kl-code"),
        (
            "kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))",
            "kl_divergence(torch.distributions.Normal(0.0, 1.0), normal)",
            "kl-code",
        ),
        ("(torch.exp(2 * log_std) - 1) / 2], 1)", "torch.exp(2 * log_std) - 1], 1)", "kl-code"),
    ],
    "ELBO-14": [
        ("bce = -(ink", "bce = (ink", "likelihoods"),
        ("(1 - ink) * sp.log(1 - theta))", "ink * sp.log(1 - theta))", "likelihoods"),
        ("(1 - theta) ** (1 - ink)", "(1 - theta) ** ink", "likelihoods"),
        ('reduction="none").sum((1, 2, 3))', 'reduction="none").mean((1, 2, 3))', "likelihoods"),
        (
            "F.binary_cross_entropy(torch.sigmoid(logits), pixels",
            "F.binary_cross_entropy(torch.sigmoid(logits), 1 - pixels",
            "likelihoods",
        ),
        ("-squares / (2 * std**2)", "-squares / std**2", "likelihoods"),
        ("-squares / (2 * std**2)", "-squares / (2 * std)", "likelihoods"),
        ("- 8 * math.log(2 * math.pi * std**2)", "- 16 * math.log(2 * math.pi * std**2)", "likelihoods"),
        ("- 8 * math.log(2 * math.pi * std**2)", "", "likelihoods"),
        ("total_error / (2 * sigma**2)", "total_error / sigma**2", "hidden-numbers"),
        ('"mean over pixels", total_error / n)', '"mean over pixels", total_error / n**2)', "hidden-numbers"),
        ("+ q.kl().mean()", "+ q.kl().sum()", "reduction-gradient"),
        ("+ q.kl().mean()", "+ q.kl().mean() / 784", "reduction-gradient"),
        ("(beta * terms.kl - terms.log_px).mean()", "(beta * terms.kl + terms.log_px).mean()", "reduction-gradient"),
    ],
    "ELBO-15": [
        ("near_one = torch.tensor(1 - 1e-8)", "near_one = torch.tensor(1 - 1e-7)", "clamp"),
        ("torch.tensor(1.0), torch.tensor(0.0)", "torch.tensor(1.0), torch.tensor(2.0)", "clamp"),
        ("near_one = torch.tensor(1 - 1e-8)", "near_one = torch.tensor(1 - 1e-8, dtype=torch.float64)", "clamp"),
        ("clamp(1e-8, 1 - 1e-8)", "clamp(1e-8, 1 - 1e-6)", "clamp"),
        ("F.softplus(sure)", "F.softplus(-sure)", "clamp"),
        ("F.softplus(sure)", "torch.log(1 + torch.exp(3 * sure))", "clamp"),
        ("sp.log(1 + sp.exp(30))", "sp.log(1 + sp.exp(-30))", "clamp"),
    ],
    "ELBO-16": [
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws].sum(1))", "iw-exact"),
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws]).mean(1)", "iw-exact"),
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws].max(1))", "iw-exact"),
        ("np.log(weight[draws].mean(1))", "np.log(np.sqrt(weight[draws]).mean(1)) * 2", "iw-exact"),
        ("q_z[draws].prod(1)", "p_z[draws].prod(1)", "iw-exact"),
        ("p_z * p_x_given_z / q_z", "p_x_given_z / q_z", "iw-exact"),
        ("- q_z @ np.log(q_z / p_z)", "+ q_z @ np.log(q_z / p_z)", "iw-exact"),
        ("torch.logsumexp(log_w, -1) - math.log(2)", "torch.logsumexp(log_w, -1)", "iw-closed"),
        ("torch.logsumexp(log_w, -1) - math.log(2)", "log_w.mean(-1)", "iw-closed"),
        ("- q1.log_prob(pairs)", "", "iw-closed"),
        ("mu: 0.5 * v - 0.2", "mu: 0.5 * v + 0.2", "iw-closed"),
    ],
    "ELBO-17": [
        ("+ entropy_of(joint.sum(0)) - entropy_of(joint)", "- entropy_of(joint)", "mi"),
        ("+ entropy_of(joint.sum(0)) - entropy_of(joint)", "+ entropy_of(joint)", "mi"),
        ("aggregate * np.log(aggregate / p_z4)", "p_z4 * np.log(p_z4 / aggregate)", "mi"),
        ("aggregate = q_z_x.mean(0)", "aggregate = q_z_x.sum(0)", "mi"),
        ("math.log(q_z_x[i, k] / p_z4[k])", "math.log(p_z4[k] / q_z_x[i, k])", "mi"),
    ],
}


@pytest.fixture(scope="module")
def played():
    return Played(STEM)


@pytest.mark.parametrize(
    ("claim", "old", "new", "names"),
    [(claim, old, new, names) for claim, errors in PLANTED.items() for old, new, *names in errors],
)
def test_planted_errors_fail_the_check_of_their_claim(played, caught, claim, old, new, names):
    caught(f"{claim}: {old} -> {new}", lambda: fails_its_check(played, claim, old, new, names))


def test_every_claim_with_an_id_has_three_planted_errors():
    three_for_each_id(STEM, PLANTED)


def test_every_slider_to_both_ends(played, capsys):
    sliders_move(played, capsys)
