"""A Gaussian process over learning curves: configurations at amounts of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from search_spaces.columns import Floats

_JITTER = 1e-6
_OWN = ("level", "shape", "curve", "trend", "decay", "noise")
_START = dict(zip(_OWN, np.log([0.5, 0.2, 0.1, 0.3, 3.0, 0.01]), strict=True))
_BOUNDS = dict(
    zip(
        _OWN,
        np.log([(0.01, 10.0), (1e-4, 10.0), (1e-4, 10.0), (1e-4, 10.0), (0.3, 100.0), (1e-5, 1.0)]),
        strict=True,
    )
)
_SPREAD = 1.5
"""Standard deviation of the priors over the logarithms of all hyperparameters, around their start."""


@dataclass(frozen=True)
class Points:
    """Places on learning curves.

    Args:
        units: their configurations in the codec's cube, NaN where a parameter is inactive, ``(n, dim)``.
        steps: how far they are trained, above 0, ``(n,)``.
        curves: whose they are: equal numbers are the same training, ``(n,)``.
    """

    units: Floats
    steps: Floats
    curves: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, rows: NDArray[np.int64]) -> Points:
        return Points(self.units[rows], self.steps[rows], self.curves[rows])


@dataclass(frozen=True)
class Pairs:
    """What the covariance of two sets of points depends on.

    Args:
        squares: of the distances in each parameter, ``(dim, n, m)``.
        together: sums of their steps, ``(n, m)``.
        same: whether they are on the same curve, ``(n, m)``.
    """

    squares: Floats
    together: Floats
    same: Floats

    @classmethod
    def of(cls, left: Points, right: Points, categorical: NDArray[np.bool_]) -> Pairs:
        """Two categories differ by 1, and so do an active and an inactive parameter.

        Args:
            categorical: which parameters are, ``(dim,)``.
        """
        first, second = left.units.T[:, :, None], right.units.T[:, None, :]
        squares = (first - second) ** 2
        squares[categorical] = np.where(squares[categorical] > 0, 1.0, squares[categorical])
        if np.isnan(squares).any():
            squares[np.isnan(squares)] = 1.0
            squares[np.isnan(first) & np.isnan(second)] = 0.0
        together = left.steps[:, None] + right.steps[None]
        return cls(squares, together, (left.curves[:, None] == right.curves[None]).astype(float))


@dataclass(frozen=True)
class CurveModel:
    """Losses along learning curves, as a Gaussian process with zero mean.

    With Matern's kernel ``M`` (5/2, one length for each parameter) and ``E = decay / (decay + s + s')``, the
    kernel of curves that decay exponentially at unknown rates (Swersky, Snoek and Adams 2014), two points
    have the covariance ``level M + shape M E + trend E + [same curve] curve E``: where a configuration's
    curve ends, how it gets there as its neighbours do, as all do, and as it alone does. There, the curves of
    different configurations are independent but for their ends: the second and third term are ours.

    Args:
        logs: logarithms of the hyperparameters, those of :data:`_OWN`, then the lengths.
        categorical: which parameters are.
        points: observed.
        losses: what was observed there, on a scale of about 1, ``(n,)``.
    """

    logs: Floats
    categorical: NDArray[np.bool_]
    points: Points
    losses: Floats

    def predict(self, where: Points) -> tuple[Floats, Floats]:
        """Means and standard deviations of the loss without noise, each ``(q,)``."""
        inner = Pairs.of(self.points, self.points, self.categorical)
        covariance = _covariance(self.logs, inner) + _noise(self.logs, len(self.points))
        factor = cho_factor(covariance, lower=True)
        cross = _covariance(self.logs, Pairs.of(self.points, where, self.categorical))
        mean = cross.T @ cho_solve(factor, self.losses)
        whitened = solve_triangular(factor[0], cross, lower=True)
        level, shape, curve, trend, decay, _ = np.exp(self.logs[: len(_OWN)])
        prior = level + (shape + curve + trend) * decay / (decay + 2 * where.steps)
        return mean, np.sqrt(np.maximum(prior - (whitened**2).sum(axis=0), 1e-12))


def fitted(points: Points, losses: Floats, categorical: NDArray[np.bool_], iterations: int) -> Floats:
    """The most likely hyperparameters, as logarithms; a function of its arguments.

    The priors are log-normal. The start of a length grows with the square root of the number of parameters,
    as in BoTorch (Hvarfner et al. 2024).

    Args:
        losses: on a scale of about 1.
        iterations: the most of L-BFGS-B.
    """
    dim = points.units.shape[1]
    lengths = np.full(dim, np.log(0.3 * np.sqrt(dim)))
    start = np.concatenate([list(_START.values()), lengths])
    bounds = [*_BOUNDS.values(), *[(np.log(0.02), np.log(50.0))] * dim]
    pairs = Pairs.of(points, points, categorical)
    found = minimize(
        _objective(pairs, losses, start),
        start,
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": iterations},
    )
    return np.asarray(found.x)


def _objective(pairs: Pairs, losses: Floats, start: Floats) -> Callable[[Floats], tuple[float, Floats]]:
    """The negative logarithm of the posterior density, but for a constant, and its gradient."""

    def negative(logs: Floats) -> tuple[float, Floats]:
        terms = _Terms.of(logs, pairs)
        factor = cho_factor(terms.covariance + _noise(logs, len(losses)), lower=True)
        weights = cho_solve(factor, losses)
        value = 0.5 * losses @ weights + np.log(np.diag(factor[0])).sum()
        # Half of the inverse minus the weights' outer product; its product with a derivative is the gradient.
        outer = 0.5 * (cho_solve(factor, np.eye(len(losses))) - np.outer(weights, weights))
        gradient = [
            *((outer * part).sum() for part in (*terms.parts, terms.by_decay)),
            np.trace(outer) * np.exp(logs[_OWN.index("noise")]),
            *np.einsum("nm,dnm->d", outer * terms.by_distance, pairs.squares) * np.exp(-2 * _lengths(logs)),
        ]
        away = (logs - start) / _SPREAD
        return float(value + 0.5 * away @ away), np.array(gradient) + away / _SPREAD

    return negative


@dataclass(frozen=True)
class _Terms:
    """The terms of the covariance, each ``(n, m)``.

    Args:
        parts: those of level, shape, curve and trend; each is its own derivative by its logarithm.
        by_decay: the derivative by the logarithm of the decay.
        by_distance: times a parameter's squared distance in its length, the derivative by the logarithm of
            that length.
    """

    parts: tuple[Floats, Floats, Floats, Floats]
    by_decay: Floats
    by_distance: Floats

    @property
    def covariance(self) -> Floats:
        first, *others = self.parts
        for part in others:
            first = first + part
        return first

    @classmethod
    def of(cls, logs: Floats, pairs: Pairs) -> _Terms:
        level, shape, curve, trend, decay, _ = np.exp(logs[: len(_OWN)])
        scaled = np.einsum("d,dnm->nm", np.exp(-2 * _lengths(logs)), pairs.squares)
        root = np.sqrt(5 * scaled)
        fall = np.exp(-root)
        matern = (1 + root + root**2 / 3) * fall
        early = decay / (decay + pairs.together)
        parts = (level * matern, shape * matern * early, curve * pairs.same * early, trend * early)
        by_decay = (parts[1] + parts[2] + parts[3]) * (1 - early)
        return cls(parts, by_decay, (level + shape * early) * (5 / 3) * (1 + root) * fall)


def _covariance(logs: Floats, pairs: Pairs) -> Floats:
    return _Terms.of(logs, pairs).covariance


def _noise(logs: Floats, count: int) -> Floats:
    return np.asarray(np.eye(count) * (np.exp(logs[_OWN.index("noise")]) + _JITTER))


def _lengths(logs: Floats) -> Floats:
    return np.asarray(logs[len(_OWN) :])
