"""How members compare when some of them have just published: everybody's evaluations at equal training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.records import MemberInterval
from orchestrator.population.rules import Floats, History

Units = Callable[[MemberInterval], Floats]
"""The hyperparameters that an interval was trained with, in unit coordinates, shape ``(dim,)``."""


@dataclass(frozen=True)
class Standing:
    """The members that have published, as those that just arrived see them; rows are those of ``members``.

    Args:
        arrived: which of them have just published.
        latest: the latest interval of each, whose weights can be copied.
        history: their evaluations at equal training.
        units: the hyperparameters that each trained its latest publication with, shape ``(n, dim)``.
    """

    members: NDArray[np.intp]
    arrived: NDArray[np.bool_]
    latest: Sequence[MemberInterval]
    history: History
    units: Floats


def standing(
    lives: Sequence[Sequence[MemberInterval]],
    newcomers: Collection[int],
    window: int,
    units: Units,
    gone: Collection[tuple[int, int]],
) -> Standing:
    """Compare members where ``newcomers`` have just published.

    Args:
        lives: all members' intervals.
        window: evaluations of each that the rules look at.
        gone: publications whose weights cannot be copied any more.
    """
    latest = [life[-1] for life in lives if life]
    age = max(lives[member][-1].age for member in newcomers)
    present = [last.member in newcomers for last in latest]
    seen = [
        _evaluations(last, None if arrived else age, window)
        for last, arrived in zip(latest, present, strict=True)
    ]
    history = _history(seen, window, units)
    # A copy is of the latest that a member published, which may have failed since the newcomer's age.
    history.losses[[last.failed or last.place in gone for last in latest], -1] = np.nan
    members = np.array([last.member for last in latest])
    return Standing(members, np.array(present), latest, history, np.array([units(last) for last in latest]))


def _evaluations(latest: MemberInterval, age: int | None, window: int) -> list[MemberInterval]:
    """What present weights count with: up to ``window`` evaluations of theirs, oldest first, at least one.

    Args:
        latest: the member's latest interval.
        age: the newcomer's; weights that are older count with what they were then, in whichever member. None:
            the latest counts.
        window: evaluations that are looked at; those of weights that the member has discarded are not.
    """
    last = latest
    while age is not None and last.age > age and last.origin is not None:
        last = last.origin
    seen = [last]
    while len(seen) < window:
        before = seen[-1].origin
        if before is None or before.member != last.member:
            break
        seen.append(before)
    return seen[::-1]


def _history(seen: Sequence[Sequence[MemberInterval]], window: int, units: Units) -> History:
    """The last ``window`` intervals of each member, NaN-padded in front."""
    first = seen[0][-1]
    losses = np.full((len(seen), window, len(first.losses)), np.nan)
    configs = np.full((len(seen), window, len(units(first))), np.nan)
    ages = np.full((len(seen), window), np.nan)
    for row, life in enumerate(seen):
        for column, interval in enumerate(reversed(life), start=1):
            losses[row, -column] = interval.losses
            configs[row, -column] = units(interval)
            ages[row, -column] = interval.age
    return History(losses=losses, units=configs, ages=ages)
