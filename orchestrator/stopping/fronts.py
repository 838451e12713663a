"""Non-dominated sorting of points that arrive one at a time, no deeper than asked for.

Sorting all points again for each new one would take longer and longer. Here a point goes into its front; the
points that it dominates there move to the next front, and so on. Points beyond the best ``depth`` stay
unsorted until they are needed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.pareto import nondominated

Point = tuple[float, ...]
Member = tuple[int, Point]


class Front(Protocol):
    """Points that do not dominate one another; equal ones stay together."""

    def __len__(self) -> int: ...

    def dominates(self, point: Point) -> bool:
        """Whether a member dominates ``point``."""
        ...

    def insert(self, row: int, point: Point) -> list[Member]:
        """Take in a point that no member dominates; returns the members that it displaces."""
        ...

    def members(self) -> list[Member]:
        """All of them."""
        ...

    def rows(self) -> Sequence[int]:
        """The rows of the points, in lexicographic order of the points; equal points in the order of rows."""
        ...


class Sorting:
    """The fronts of all points so far, the best first.

    Args:
        objectives: how many values a point has; at least two.
    """

    def __init__(self, objectives: int) -> None:
        self._objectives = objectives
        self._fronts: list[Front] = []
        self._sorted = 0
        self._beyond: dict[int, Point] = {}

    def add(self, row: int, point: Point, depth: int) -> tuple[int, Sequence[int]] | None:
        """Take in a point; its ``row`` is higher than all before.

        Returns:
            How many points are in better fronts, and the rows of its own front (:meth:`Front.rows`); None
            where at least ``depth`` points are in better fronts.
        """
        self._keep(depth)
        level = bisect_left(self._fronts, True, key=lambda front: not front.dominates(point))
        if level == len(self._fronts) and self._sorted >= depth:
            self._beyond[row] = point
            return None
        better = sum(map(len, self._fronts[:level]))
        self._insert(level, [(row, point)], depth)
        return better, self._fronts[level].rows()

    def _insert(self, level: int, moving: list[Member], depth: int) -> None:
        self._sorted += len(moving)
        while moving:
            if level == len(self._fronts):
                if self._sorted - len(moving) >= depth or self._beyond:
                    self._sorted -= len(moving)
                    self._beyond.update(moving)
                    return
                self._fronts.append(_front(self._objectives))
            moving = _inserted(self._fronts[level], moving)
            level += 1

    def _keep(self, depth: int) -> None:
        """Sort at least ``depth`` points, if there are that many, and not many more."""
        while self._sorted < depth and self._beyond:
            best = nondominated(list(self._beyond.values()))
            front = _front(self._objectives)
            _inserted(front, [(row, self._beyond.pop(row)) for row in compress(list(self._beyond), best)])
            self._fronts.append(front)
            self._sorted += len(front)
        while self._fronts and self._sorted - len(self._fronts[-1]) >= 2 * depth:
            last = self._fronts.pop()
            self._sorted -= len(last)
            self._beyond.update(last.members())


def _front(objectives: int) -> Front:
    return _Staircase() if objectives == 2 else _Cloud(objectives)


def _inserted(front: Front, members: Iterable[Member]) -> list[Member]:
    """Insert members; returns the members that they displace."""
    return [displaced for row, point in members for displaced in front.insert(row, point)]


class _Staircase:
    """A front of two objectives: the first ascends, the second descends, and bisection finds every place."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._second: list[float] = []
        self._rows: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def dominates(self, point: Point) -> bool:
        place = bisect_right(self._first, point[0]) - 1
        if place < 0 or self._second[place] > point[1]:
            return False
        return (self._first[place], self._second[place]) != point

    def insert(self, row: int, point: Point) -> list[Member]:
        low = bisect_left(self._first, point[0])
        while low < len(self) and (self._first[low], self._second[low]) == point:
            low += 1
        high = low
        while high < len(self) and self._second[high] >= point[1]:
            high += 1
        displaced = self._slice(low, high)
        self._first[low:high], self._second[low:high] = [point[0]], [point[1]]
        self._rows[low:high] = [row]
        return displaced

    def members(self) -> list[Member]:
        return self._slice(0, len(self))

    def rows(self) -> Sequence[int]:
        return self._rows

    def _slice(self, low: int, high: int) -> list[Member]:
        points = zip(self._first[low:high], self._second[low:high], strict=True)
        return list(zip(self._rows[low:high], points, strict=True))


class _Cloud:
    """A front of any number of objectives."""

    def __init__(self, objectives: int) -> None:
        self._points: NDArray[np.float64] = np.empty((0, objectives))
        self._rows: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def dominates(self, point: Point) -> bool:
        weakly = (self._points <= point).all(axis=1)
        return bool((weakly & (self._points < point).any(axis=1)).any())

    def insert(self, row: int, point: Point) -> list[Member]:
        worse = np.asarray((self._points >= point).all(axis=1) & (self._points > point).any(axis=1))
        displaced = list(compress(self.members(), worse)) if worse.any() else []
        self._rows = [*compress(self._rows, ~worse), row]
        self._points = np.vstack([self._points[~worse], point])
        return displaced

    def members(self) -> list[Member]:
        return list(zip(self._rows, map(tuple, self._points.tolist()), strict=True))

    def rows(self) -> Sequence[int]:
        order = np.lexsort((self._rows, *self._points.T[::-1]))
        return [self._rows[place] for place in order]
