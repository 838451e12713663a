"""Gaussian processes fitted to the recent past of a population, and the maximum of what they promise.

All gradients are torch's own: the published implementations of PB2, Ray Tune's included, derive theirs by
hand, and wrongly. Doubles and no hidden randomness, so that decisions can be replayed.
Imports torch, so import it where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from orchestrator.population.methods.kernels import Inputs, Kernel
from orchestrator.population.rules.contract import Floats

MOST_ROWS = 500
"""Rows that a process is conditioned on, the latest ones: the time of a decision grows with their cube."""

MOST_FITTED = 200
"""Rows that its hyperparameters are fitted to, which takes dozens of factorisations."""

NOISE, NOISE_BOUNDS = 0.1, (1e-4, 2.0)
"""Variance of the noise before it is fitted, and its bounds: without any, equal rows would be singular."""

EVALUATIONS = 200
"""Evaluations of an acquisition function, or of a likelihood, in one search for its maximum."""


@dataclass(frozen=True)
class GaussianProcess:
    """A process with zero mean, conditioned on observations, and perhaps on some that are still to come.

    Args:
        kernel: its covariance function.
        values: the kernel's hyperparameters, shape ``(k,)``.
        noise: variance of the observations around it.
        inputs: where it was observed, and then where it will be, shape ``(n + r,)``.
        targets: what was observed there, shape ``(n,)``.
        root: the lower Cholesky factor of all observations' covariances; None: to be computed.
    """

    kernel: Kernel
    values: Tensor
    noise: float
    inputs: Inputs
    targets: Tensor
    root: Tensor | None = field(default=None, repr=False)
    _root: Tensor = field(init=False, repr=False)
    _whitened: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        root, n = self.root, len(self.targets)
        if root is None:
            root = _root(self.kernel(self.values, self.inputs, self.inputs), torch.tensor(self.noise))
        object.__setattr__(self, "_root", root)
        object.__setattr__(self, "_whitened", _solve(root[:n, :n], self.targets[:, None]))

    @classmethod
    def fit(cls, kernel: Kernel, inputs: Inputs, targets: Floats) -> GaussianProcess:
        """The most likely process for what was observed, oldest rows first.

        It is conditioned on the last :data:`MOST_ROWS`; its hyperparameters maximise the marginal likelihood
        of the last :data:`MOST_FITTED` by L-BFGS from the kernel's start, within its bounds.

        Args:
            kernel: its covariance function.
            inputs: where it was observed.
            targets: what was observed there, on a scale of about 1, shape ``(n,)``, n at least 1.
        """
        values = torch.from_numpy(np.asarray(targets, dtype=np.float64).copy())
        fitted, noise = _most_likely(kernel, inputs.last(MOST_FITTED), values[-MOST_FITTED:])
        return cls(kernel, fitted, noise, inputs.last(MOST_ROWS), values[-MOST_ROWS:])

    def __call__(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Means and variances (without noise) at inputs, both of shape ``(q,)``; differentiable.

        Means are of what was observed, variances those after everything has been.
        """
        spread = self.spread(inputs)
        mean = (spread[: len(self.targets)] * self._whitened).sum(dim=0)
        variance = self.kernel.diagonal(self.values, inputs) - spread.square().sum(dim=0)
        return mean, variance.clamp_min(0.0)

    def spread(self, inputs: Inputs) -> Tensor:
        """Covariances with all observations, these whitened, shape ``(n + r, q)``.

        What two inputs still have in common is their kernel less the product of their columns.
        """
        return _solve(self._root, self.kernel(self.values, self.inputs, inputs))

    def with_fantasies(self, inputs: Inputs) -> GaussianProcess:
        """The same process with variances after it will have been observed at some more inputs.

        They need no targets (Desautels et al. 2014, GP-BUCB). The hyperparameters stay, and so does the
        Cholesky factor, which only grows.
        """
        n, more = len(self._root), len(inputs)
        across = self.spread(inputs)
        rest = self.kernel(self.values, inputs, inputs) - across.T @ across
        root = torch.zeros((n + more, n + more), dtype=torch.float64)
        root[:n, :n], root[n:, :n] = self._root, across.T
        root[n:, n:] = _root(rest, torch.tensor(self.noise))
        joined = self.inputs.joined(inputs)
        return GaussianProcess(self.kernel, self.values, self.noise, joined, self.targets, root)


def maximise(
    function: Callable[[Tensor], Tensor],
    starts: Floats,
    low: float | Floats = 0.0,
    high: float | Floats = 1.0,
) -> Floats:
    """The best point that L-BFGS-B finds from several starts, shape ``(d,)``.

    All starts climb together, as BoTorch has them: one search maximises the sum of their values.

    Args:
        function: differentiable, from ``(r, d)`` to ``(r,)``, each row on its own.
        starts: shape ``(r, d)``.
        low: bounds of all coordinates, or of each.
        high: likewise.
    """
    rows, dim = starts.shape

    def negative(flat: Floats) -> tuple[float, Floats]:
        points = torch.from_numpy(flat.reshape(rows, dim).copy()).requires_grad_()
        value = -function(points).sum()
        value.backward()  # type: ignore[no-untyped-call]
        assert points.grad is not None
        return value.item(), points.grad.numpy().ravel()

    bounds = np.stack([np.broadcast_to(low, (rows, dim)).ravel(), np.broadcast_to(high, (rows, dim)).ravel()])
    options = {"maxfun": EVALUATIONS, "maxiter": EVALUATIONS}
    start = np.clip(starts.ravel(), *bounds)
    found = minimize(negative, start, jac=True, method="L-BFGS-B", bounds=bounds.T, options=options)
    points = np.asarray(found.x, dtype=np.float64).reshape(rows, dim)
    with torch.no_grad():
        best = int(function(torch.from_numpy(points)).argmax())
    return np.asarray(points[best])


def negative_log_likelihood(values: Tensor, kernel: Kernel, inputs: Inputs, targets: Tensor) -> Tensor:
    """The negative log marginal likelihood of hyperparameters and noise, shape ``(k + 1,)``."""
    root = _root(kernel(values[:-1], inputs, inputs), values[-1])
    whitened = _solve(root, targets[:, None])
    scale = len(targets) * np.log(2 * np.pi) / 2
    cost: Tensor = whitened.square().sum() / 2 + root.diagonal().log().sum() + scale
    return cost


def _most_likely(kernel: Kernel, inputs: Inputs, targets: Tensor) -> tuple[Tensor, float]:
    """Hyperparameters ``(k,)`` and noise."""

    def cost(values: Floats) -> tuple[float, Floats]:
        variable = torch.from_numpy(values.copy()).requires_grad_()
        value = negative_log_likelihood(variable, kernel, inputs, targets)
        value.backward()  # type: ignore[no-untyped-call]
        assert variable.grad is not None
        return value.item(), variable.grad.numpy()

    start, bounds = (*kernel.start, NOISE), (*kernel.bounds, NOISE_BOUNDS)
    options = {"maxfun": EVALUATIONS, "maxiter": EVALUATIONS}
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    values = torch.from_numpy(np.asarray(found.x, dtype=np.float64).copy())
    return values[:-1], float(values[-1])


def _root(covariances: Tensor, noise: Tensor) -> Tensor:
    """The lower Cholesky factor of covariances with noise."""
    unit = torch.eye(len(covariances), dtype=torch.float64)
    root: Tensor = torch.linalg.cholesky(covariances + noise * unit)
    return root


def _solve(root: Tensor, right: Tensor) -> Tensor:
    solution: Tensor = torch.linalg.solve_triangular(root, right, upper=False)
    return solution
