"""Whether a population has stopped improving: the test that IPBT restarts by (arXiv 2511.09190)."""

from __future__ import annotations

import math

import numpy as np

from orchestrator.population.rules.contract import Floats

SMOOTHING = (-3.0, math.log(2.0))
"""Bounds of the logarithm of the process's lengthscale, where all steps together are 1 long."""

SPREAD = (-3.0, 3.0)
"""Bounds of the logarithm of its variance; scores have variance 1."""

NOISE = (-9.0, 1.0)
"""Bounds of the logarithms of the variances of the noise at the first and at the last step."""


def stagnates(scores: Floats, patience: int, slow: int) -> bool:
    """Whether the best scores of past steps say that it is time to restart.

    They do when the smoothed score has not improved for ``patience`` steps in a row, or when the best score
    of ``slow`` steps or more has risen by less than a standard deviation over the last of them.

    Args:
        scores: the population's best at each step, oldest first, larger is better, shape ``(s,)``.
        patience: steps without improvement.
        slow: steps in which improvement may be slow.
    """
    if len(scores) < 2:
        return False
    if len(scores) >= slow:
        standard = standardised(scores)
        if standard.max() - standard[: len(scores) - slow + 1].max() < 1:
            return True
    if len(scores) <= patience:
        return False
    # The newest first: while the population improves, one fit says so.
    return not any(improves(scores[: len(scores) - ago]) for ago in range(patience))


def improves(scores: Floats) -> bool:
    """Whether the smoothed score of the last step, of two or more, is higher than that of the one before."""
    smooth = smoothed(scores)
    return bool(smooth[-1] > smooth[-2])


def smoothed(scores: Floats) -> Floats:
    """Scores without noise, standardised, shape ``(s,)``: the mean of a heteroscedastic Gaussian process.

    The kernel is Matérn's of smoothness 5/2; the logarithm of the noise's variance is linear in time, since
    scores scatter less as training settles. All four hyperparameters maximise the marginal likelihood. The
    authors take the mean of a variational process (parametric predictive GP regression) after 50 steps of
    Adam from random values; this one is exact, has no randomness, and takes a tenth of the time.
    """
    import torch
    from scipy.optimize import minimize

    targets = torch.from_numpy(standardised(scores))
    times = torch.linspace(0, 1, len(scores), dtype=torch.float64)
    distances = (times[:, None] - times[None]).abs()

    def parts(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Covariances, and the Cholesky factor of those with noise."""
        lengthscale, variance, first, last = values.unbind()
        steps = math.sqrt(5) * distances / lengthscale.exp()
        covariances = variance.exp() * (1 + steps + steps.square() / 3) * (-steps).exp()
        noise = (first + (last - first) * times).exp()
        return covariances, torch.linalg.cholesky(covariances + torch.diag(noise))

    def cost(flat: Floats) -> tuple[float, Floats]:
        values = torch.from_numpy(flat.copy()).requires_grad_()
        _, root = parts(values)
        whitened = torch.linalg.solve_triangular(root, targets[:, None], upper=False)
        value = whitened.square().sum() / 2 + root.diagonal().log().sum()
        value.backward()
        assert values.grad is not None
        return value.item(), values.grad.numpy()

    bounds = (SMOOTHING, SPREAD, NOISE, NOISE)
    found = minimize(cost, (-1.0, 0.0, -2.0, -2.0), jac=True, method="L-BFGS-B", bounds=bounds)
    with torch.no_grad():
        covariances, root = parts(torch.from_numpy(np.asarray(found.x, dtype=np.float64)))
        weights = torch.cholesky_solve(targets[:, None], root)
        mean: Floats = (covariances @ weights)[:, 0].numpy()
    return mean


def standardised(scores: Floats) -> Floats:
    """Scores with mean 0 and standard deviation 1; zeros where all are equal."""
    spread = scores.std(ddof=1)
    return (scores - scores.mean()) / spread if spread > 0 else np.zeros(len(scores))
