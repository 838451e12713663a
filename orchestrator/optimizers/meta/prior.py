"""Functions to train on that need no data: draws from Gaussian processes, with bowls, branches and skew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.columns import Floats

Mask = NDArray[np.bool_]

DIMENSIONS = range(1, 11)
_JITTER = 1e-6
_BOWLS = (0.0, 1.0, 3.0, 10.0)
"""How strong a bowl is, compared with the process around it."""


@dataclass(frozen=True)
class Functions:
    """Several functions at the same configurations.

    Args:
        units: the configurations, NaN where a parameter is inactive, ``(n, dim)``.
        losses: of each function, ``(functions, n)``.
        categorical: which parameters are, ``(dim,)``.
    """

    units: Floats
    losses: Floats
    categorical: Mask


def drawn(functions: int, count: int, rng: np.random.Generator) -> Functions:
    """Draws at ``count`` configurations of a random space of 1 to 10 parameters.

    A function is a draw from a Gaussian process (Matérn 3/2, 5/2 or squared exponential; over all parameters
    together or a sum over each; a parameter's length scale is log-normal, and may be so long that it makes no
    difference), to which a bowl may be added, all of it passed through an exponential function that skews it
    as losses are, mostly to the bad side. So HEBO's prior for PFNs4BO (Müller et al. 2023) plus what
    surfaces of losses are like.
    """
    dim = int(rng.choice(DIMENSIONS))
    units, categorical = space(dim, count, rng)
    losses = _processes(functions, _apart(units, categorical), categorical, rng)
    losses += rng.choice(_BOWLS, (functions, 1)) * _bowls(functions, units, categorical, rng)
    losses = _skewed(losses, rng)
    noise = np.exp(rng.normal(-6.0, 2.0, (functions, 1))).clip(max=0.3) * losses.std(axis=1, keepdims=True)
    return Functions(units, losses + noise * rng.normal(size=losses.shape), categorical)


def space(dim: int, count: int, rng: np.random.Generator) -> tuple[Floats, Mask]:
    """Configurations of a random space, a part of them near others, and which parameters are categorical."""
    units = gathered(count, dim, rng)
    sizes = np.where(rng.random(dim) < rng.choice([0.0, 0.3]), rng.integers(2, 6, dim), 0)
    categorical = sizes > 0
    levels = np.where(
        categorical, sizes, rng.integers(2, 12, dim) * (rng.random(dim) < rng.choice([0.0, 0.3]))
    )
    coarse = levels > 0
    units[:, coarse] = (
        np.floor(units[:, coarse] * levels[coarse]).clip(max=levels[coarse] - 1) + 0.5
    ) / levels[coarse]
    if coarse.any() and dim > 2 and rng.random() < 0.4:
        parent = int(rng.choice(np.flatnonzero(coarse)))
        for child in np.flatnonzero(rng.random(dim) < 0.5):
            if child != parent:
                switch = (int(rng.integers(levels[parent])) + 0.5) / levels[parent]
                off = np.isclose(units[:, parent], switch) ^ (levels[parent] > 2)
                units[off, child] = np.nan
    return units, categorical


def gathered(count: int, dim: int, rng: np.random.Generator, centres: Floats | None = None) -> Floats:
    """Points of the unit cube: some anywhere, the others around a few, as a search leaves them."""
    units = rng.random((count, dim))
    near = rng.random(count) < rng.choice([0.0, 0.4, 0.7])
    middles = rng.random((4, dim)) if centres is None else centres
    around = middles[rng.integers(len(middles), size=count)]
    moved = rng.random((count, dim)) < rng.choice([0.4, 1.0])
    steps = np.exp(rng.uniform(np.log(0.01), np.log(0.3), (count, 1))) * rng.normal(size=(count, dim))
    return np.where(near[:, None], np.clip(around + moved * steps, 0.0, 1.0), units)


def _apart(units: Floats, categorical: Mask) -> Floats:
    """Distances in each parameter, those between points of some Euclidean space: kernels stay positive."""
    inactive = np.isnan(units)
    # An inactive parameter lies at a distance of 1 above the middle of the range.
    middle = np.where(inactive, 0.5, units)
    apart = np.hypot(middle[:, None] - middle[None], inactive[:, None] != inactive[None])
    apart[:, :, categorical] = apart[:, :, categorical] > 0
    return np.asarray(apart)


def _processes(functions: int, apart: Floats, categorical: Mask, rng: np.random.Generator) -> Floats:
    """Draws from Gaussian processes of unit variance, ``(functions, n)``."""
    n, _, dim = apart.shape
    lengths = np.exp(rng.normal(np.log(0.35), 0.7, (functions, dim))) * np.sqrt(dim) ** 0.7
    lengths[:, categorical] = np.exp(rng.normal(0.0, 0.5, (functions, int(categorical.sum()))))
    lengths *= np.where(rng.random((functions, dim)) < rng.choice([0.0, 0.3, 0.6], (functions, 1)), 20.0, 1.0)
    kinds, sums = rng.integers(3, size=functions), rng.random(functions) < 0.3
    covariance = np.empty((functions, n, n))
    squares = apart**2
    for one in range(functions):
        kernel = _KERNELS[kinds[one]]
        if sums[one]:
            shares = rng.dirichlet(np.ones(dim))
            covariance[one] = kernel(apart / lengths[one] * np.sqrt(dim)) @ shares
        else:
            covariance[one] = kernel(np.sqrt(squares @ lengths[one] ** -2.0))
    factors = np.linalg.cholesky(covariance + _JITTER * np.eye(n))
    return np.asarray((factors @ rng.normal(size=(functions, n, 1)))[..., 0])


def _bowls(functions: int, units: Floats, categorical: Mask, rng: np.random.Generator) -> Floats:
    """Bowls around a point of the space, and a level for each category, scaled to unit variance."""
    dim = units.shape[1]
    weights = rng.gamma(0.5, 2.0, (functions, dim)) + 1e-3
    powers = rng.choice([1.0, 2.0], (functions, 1, 1))
    apart = units - rng.beta(1.5, 1.5, (functions, 1, dim))
    apart = np.where(np.isnan(units), 0.3, np.where(categorical, 0.0, apart))
    turned = np.linalg.qr(rng.normal(size=(functions, dim, dim)))[0]
    apart = np.where(rng.random((functions, 1, 1)) < 0.5, apart @ turned, apart)
    values = np.einsum("fnd,fd->fn", np.abs(apart) ** powers, weights)
    bins = np.nan_to_num(units * 63, nan=63).astype(int)
    levels = np.where(categorical, rng.random((functions, dim, 64))[:, np.arange(dim), bins], 0.0)
    values += np.einsum("fnd,fd->fn", levels, weights)
    return np.asarray(values / (values.std(axis=1, keepdims=True) + 1e-9))


def _skewed(losses: Floats, rng: np.random.Generator) -> Floats:
    strength = rng.choice([0.0, 0.5, 1.0, 2.0, -0.5], (len(losses), 1))
    scaled = (losses - losses.mean(axis=1, keepdims=True)) / (losses.std(axis=1, keepdims=True) + 1e-9)
    bent = np.expm1(strength * scaled) / np.where(strength == 0, 1, strength)
    return np.asarray(np.where(strength == 0, scaled, bent))


def _matern3(r: Floats) -> Floats:
    return np.asarray((1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r))


def _matern5(r: Floats) -> Floats:
    return np.asarray((1 + np.sqrt(5) * r + 5 / 3 * r**2) * np.exp(-np.sqrt(5) * r))


def _smooth(r: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * r**2))


_KERNELS: tuple[Callable[[Floats], Floats], ...] = (_matern3, _matern5, _smooth)
