"""How members compare when some of them have just published: everybody's evaluations at equal training."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import is_not

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.records import MemberInterval
from orchestrator.population.rules import Floats, History

Units = Callable[[MemberInterval], Floats]
"""The hyperparameters that an interval was trained with, in unit coordinates, shape ``(dim,)``."""

Lives = Sequence[Sequence[MemberInterval]]

TABLES = 4
"""Ages at which everybody's evaluations are kept; newcomers of one time have about as many."""


@dataclass(frozen=True)
class Standing:
    """The members that have published, as those that just arrived see them; rows are those of ``members``.

    Args:
        arrived: which of them have just published.
        history: their evaluations at equal training.
        units: the hyperparameters that each trained its latest publication with, shape ``(n, dim)``.
    """

    members: NDArray[np.intp]
    arrived: NDArray[np.bool_]
    history: History
    units: Floats


class Standings:
    """Compares members. Between two decisions few members change, so the others' rows are kept.

    Args:
        size: members in the population.
        objectives: how many.
        window: evaluations of each member that the rules look at.
        units: the hyperparameters of an interval in unit coordinates.
        columns: how many of them.
    """

    def __init__(self, size: int, objectives: int, window: int, units: Units, columns: int) -> None:
        self._size = size

        def make(age: float) -> _Table:
            return _Table(age, size, objectives, window, units, columns)

        self._make = make
        self._latest = make(math.inf)
        self._at: dict[int, _Table] = {}

    def now(self, lives: Lives, newcomers: Collection[int], gone: Collection[tuple[int, int]]) -> Standing:
        """How members compare where ``newcomers`` have just published.

        A member that is ahead of them counts with what its weights had reached at their age.

        Args:
            lives: all members' intervals.
            gone: publications whose weights cannot be copied any more.
        """
        last = [life[-1] if life else None for life in lives]
        age = max(lives[member][-1].age for member in newcomers)
        latest = self._latest.brought_up_to(last)
        seen = latest
        if np.nanmax(latest.ages[:, -1]) > age:
            seen = self._table(age).brought_up_to(last)
        losses = seen.losses.copy()
        # A copy is of the latest that a member published, which may have failed since the newcomer's age.
        losses[np.isnan(latest.losses[:, -1]).any(axis=1), -1] = np.nan
        losses[[member for member, generation in gone if len(lives[member]) == generation], -1] = np.nan
        arrived = np.zeros(self._size, dtype=bool)
        arrived[list(newcomers)] = True
        members = np.flatnonzero(~np.isnan(latest.ages[:, -1]))
        history = History(losses=losses[members], units=seen.units[members], ages=seen.ages[members])
        return Standing(members, arrived[members], history, latest.units[members, -1])

    def _table(self, age: int) -> _Table:
        table = self._at.pop(age, None) or self._make(age)
        self._at[age] = table
        if len(self._at) > TABLES:
            del self._at[next(iter(self._at))]
        return table


class _Table:
    """Everybody's evaluations where weights older than ``age`` count with what they were then.

    Attributes:
        losses: of each member's last ``window`` evaluations, oldest first, NaN-padded in front, shape
            ``(size, window, m)``; all NaN without any.
        units: shape ``(size, window, dim)``.
        ages: shape ``(size, window)``.
    """

    def __init__(
        self, age: float, size: int, objectives: int, window: int, units: Units, columns: int
    ) -> None:
        self._age, self._window, self._units = age, window, units
        self._last: list[MemberInterval | None] = [None] * size
        self.losses = np.full((size, window, objectives), np.nan)
        self.units = np.full((size, window, columns), np.nan)
        self.ages = np.full((size, window), np.nan)

    def brought_up_to(self, last: list[MemberInterval | None]) -> _Table:
        """This table after members have published; a row depends on the member's last interval alone."""
        for member in compress(count(), map(is_not, last, self._last)):
            self._fill(member, last[member])
        self._last = last
        return self

    def _fill(self, member: int, last: MemberInterval | None) -> None:
        for values in (self.losses, self.units, self.ages):
            values[member] = np.nan
        for place, interval in enumerate(self._evaluations(last), start=1):
            self.losses[member, -place] = interval.losses
            self.units[member, -place] = self._units(interval)
            self.ages[member, -place] = interval.age

    def _evaluations(self, last: MemberInterval | None) -> list[MemberInterval]:
        """What a member counts with, latest first; not evaluations of weights that it has discarded."""
        while last is not None and last.age > self._age and last.origin is not None:
            last = last.origin
        seen = [] if last is None else [last]
        while seen and len(seen) < self._window:
            before = seen[-1].origin
            if before is None or before.member != seen[0].member:
                break
            seen.append(before)
        return seen
