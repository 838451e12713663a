"""Hyperparameters on a discrete grid: steps along it, and first configurations spread over it."""

from __future__ import annotations

import numpy as np

from orchestrator.population.proposals import inside
from orchestrator.population.rules.contract import Floats
from search_spaces import SearchSpace
from search_spaces.columns import Column


def grid_of(column: Column, values: int) -> Floats:
    """A hyperparameter's grid in unit coordinates, ascending, at least one value, shape ``(k,)``.

    Floats have ``values`` points at equal distances (of their logarithm where that is what is searched),
    both bounds included; integers the different ones among such points; the others all their choices, in the
    order of the search space.
    """
    if column.kind == "float":
        return np.linspace(0.0, 1.0, values)
    if column.size:
        return column.to_units(np.arange(column.size, dtype=np.float64))
    return column.to_units(np.unique(column.from_units(np.linspace(0.0, 1.0, values))))


def stepped(
    units: Floats,
    space: SearchSpace,
    rng: np.random.Generator,
    *,
    values: int,
    resample: float,
    furthest: int,
) -> Floats:
    """Each mutable hyperparameter moved on its grid and kept inside the space, shape ``(n, dim)``.

    With probability ``resample`` it is drawn uniformly from the grid; otherwise its index moves by 0 to
    ``furthest``, up or down, and is clipped. A value between two points counts as the nearer one, and stays
    as it is where the step is 0. The steps are those of Population Based Augmentation (Ho et al. 2019, arXiv
    1905.05393) as MO-PBT uses them.

    Args:
        units: what members inherited, NaN where inactive, shape ``(n, dim)``.
        space: the search space.
        rng: source of randomness.
        values: points of a float's grid.
        resample: the probability of a fresh draw.
        furthest: the longest step.
    """
    shape = units.shape
    fresh = rng.random(shape) < resample
    drawn, sizes = rng.random(shape), rng.integers(0, furthest + 1, size=shape)
    moves = sizes * rng.choice(np.array([-1, 1]), size=shape)
    proposals = units.copy()
    for j, column in enumerate(space.codec.columns):
        if not column.mutable:
            continue
        grid = grid_of(column, values)
        nearest = np.abs(np.nan_to_num(units[:, j])[:, None] - grid).argmin(axis=1)
        there = np.clip(nearest + moves[:, j], 0, len(grid) - 1)
        index = np.where(fresh[:, j], (drawn[:, j] * len(grid)).astype(np.intp), there)
        moved = np.where(fresh[:, j] | (moves[:, j] != 0), grid[index], units[:, j])
        proposals[:, j] = np.where(np.isnan(units[:, j]), np.nan, moved)
    return inside(proposals, units, space, rng)[0]


def stratified(size: int, space: SearchSpace, rng: np.random.Generator, *, values: int) -> Floats:
    """First configurations in which each hyperparameter takes every value of its grid equally often.

    Each column holds permutations of its grid, one after another, cut off at ``size`` (MO-PBT, arXiv
    2306.01436). Priors do not count. Conditions then make some inactive; what a forbidden clause excludes is
    drawn from the search space instead.

    Returns:
        Unit coordinates, NaN where inactive, shape ``(size, dim)``.
    """
    columns = [grid_of(column, values) for column in space.codec.columns]
    spread = [
        np.concatenate([rng.permutation(grid) for _ in range(-(-size // len(grid)))])[:size]
        for grid in columns
    ]
    units = space.codec.repair(np.array(spread).reshape(len(spread), size).T, rng)
    illegal = ~space.codec.legal(units)
    if illegal.any():
        units[illegal] = space.sample_units(int(illegal.sum()), rng)
    return units
