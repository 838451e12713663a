"""A search space as a tree of choices, and the way down that UCT takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.codec import Codec
from search_spaces.columns import Column, Floats

Branches = NDArray[np.intp]
Decisions = tuple[int, ...]
"""The branches taken from the root on, which name a node."""


@dataclass(frozen=True)
class Taken:
    """What is known at a node: the trials that went through it.

    Args:
        units: ``(n, dim)``, NaN where inactive.
        rewards: ``(n,)``, from 0 to 1.
    """

    units: Floats
    rewards: Floats

    def __len__(self) -> int:
        return len(self.rewards)

    def among(self, chosen: NDArray[np.bool_]) -> Taken:
        """Those that took a branch."""
        return Taken(self.units[chosen], self.rewards[chosen])


@dataclass(frozen=True)
class Path:
    """A way from the root.

    Args:
        point: ``(1, dim)`` in the unit cube; NaN where nothing is chosen.
        decisions: its branches.
    """

    point: Floats
    decisions: Decisions


class ChoiceTree:
    """One choice after the other, in the order of the codec's columns.

    Args:
        codec: of the space.
        exploration: the factor of UCT's bonus.
        halvings: of the range of a number, at most.
    """

    def __init__(self, codec: Codec, exploration: float, halvings: int) -> None:
        self._codec, self._exploration = codec, exploration
        self._edges = [_edges(column, halvings) for column in codec.columns]
        self._possible = [_possible(codec, j) for j in range(codec.dim)]

    def descent(
        self, taken: Taken, closed: set[Decisions], drawn: Floats, rng: np.random.Generator
    ) -> Path | None:
        """The way to where nobody has been, or to a leaf; None where every way is closed.

        Args:
            taken: trials before.
            closed: nodes below which there is nothing; those whose branches are all closed join them.
            drawn: draws from the priors, ``(k, dim)``, of which the first that lies in what is left of a
                parameter's range is its value.
            rng: breaks ties, and draws where none does.
        """
        path = None
        while path is None and () not in closed:
            path = self._down(taken, closed, drawn, rng)
        return path

    def _down(
        self, taken: Taken, closed: set[Decisions], drawn: Floats, rng: np.random.Generator
    ) -> Path | None:
        """As :meth:`descent`; None where it ended at a node whose branches are all closed."""
        point = np.full((1, self._codec.dim), np.nan)
        decisions: Decisions = ()
        for j, column in enumerate(self._codec.columns):
            if not self._codec.active(point)[0, j]:
                continue
            # Where a parent's range was not narrowed to one value, some trials have no such parameter.
            taken = taken.among(~np.isnan(taken.units[:, j]))
            first, last = 0, len(self._edges[j]) - 1  # the value lies in a bin between these edges
            while last - first > 1 and len(taken):
                cuts = _cuts(column, first, last)
                branch = np.searchsorted(self._edges[j][cuts[1:-1]], taken.units[:, j], side="right")
                able = np.array([(*decisions, k) not in closed for k in range(len(cuts) - 1)])
                if column.kind == "categorical":
                    able &= self._possible[j]
                if not able.any():
                    closed.add(decisions)
                    return None
                chosen = uct(branch, taken.rewards, able, self._exploration, rng)
                taken, first, last = taken.among(branch == chosen), int(cuts[chosen]), int(cuts[chosen + 1])
                decisions = (*decisions, chosen)
            if last - first < len(self._edges[j]) - 1 or len(taken):
                point[0, j] = _place(self._edges[j], first, last, drawn[:, j], rng)
            if not len(taken):
                break
        return Path(point, decisions)


def uct(
    branch: Branches,
    gained: Floats,
    able: NDArray[np.bool_],
    exploration: float,
    rng: np.random.Generator,
) -> int:
    """The branch to take: one that nobody has taken, else the one of the largest upper confidence bound.

    Args:
        branch: which one each trial took, ``(n,)``.
        gained: its reward, ``(n,)``.
        able: which may be taken, at least one, ``(branches,)``.
        exploration: the factor of the bonus.
        rng: breaks ties.
    """
    visits = np.bincount(branch, minlength=len(able))
    untaken = able & (visits == 0)
    if untaken.any():
        return int(rng.choice(np.flatnonzero(untaken)))
    counts = np.maximum(visits, 1)
    means = np.bincount(branch, weights=gained, minlength=len(able)) / counts
    bounds = np.where(able, means + exploration * np.sqrt(2 * np.log(len(branch)) / counts), -np.inf)
    return int(rng.choice(np.flatnonzero(bounds == bounds.max())))


def _edges(column: Column, halvings: int) -> Floats:
    """Where the bins of a column begin and end in the unit interval, ``(bins + 1,)``; each holds a value."""
    equal = np.linspace(0.0, 1.0, 2**halvings + 1)
    if column.kind == "float":
        return equal
    if column.high - column.low < 2**halvings:
        firsts = np.arange(column.low + 1, column.high + 1)
    else:
        firsts = np.unique(column.from_units(equal[1:-1]))
        firsts = firsts[firsts > column.low]
    return np.concatenate([[0.0], column.to_units(firsts - 0.5), [1.0]])


def _cuts(column: Column, first: int, last: int) -> Branches:
    """The edges between which the branches lie: every bin of a category, else two halves."""
    if column.kind == "categorical":
        return np.arange(first, last + 1)
    return np.array([first, (first + last) // 2, last])


def _place(edges: Floats, first: int, last: int, drawn: Floats, rng: np.random.Generator) -> float:
    """A place between two edges: the first of the prior's draws that lies there, else any."""
    inside = drawn[(drawn >= edges[first]) & (drawn <= edges[last])]
    return float(inside[0]) if len(inside) else float(rng.uniform(edges[first], edges[last]))


def _possible(codec: Codec, place: int) -> NDArray[np.bool_]:
    """Which choices of a category the prior does not exclude, ``(choices,)``; of another column nothing."""
    column = codec.columns[place]
    if column.kind != "categorical":
        return np.ones(0, dtype=bool)
    units = np.full((column.size, codec.dim), 0.5)
    units[:, place] = column.to_units(np.arange(column.size, dtype=float))
    return np.asarray(codec.log_priors(units)[:, place] > -np.inf)
