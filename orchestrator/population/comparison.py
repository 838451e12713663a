"""How members compare when some of them have just published: everybody's evaluations at equal training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.past import NOTHING, Past, Rows
from orchestrator.population.rules.contract import Evaluations, Floats, Mask


@dataclass(frozen=True)
class Comparison:
    """The members that have published, as those that just arrived see them; rows are those of ``members``.

    Args:
        members: their numbers, ascending, shape ``(n,)``.
        arrived: which of them have just published, shape ``(n,)``.
        evaluations: theirs at equal training.
        units: the hyperparameters that each trained its latest publication with, shape ``(n, dim)``.
    """

    members: Rows
    arrived: Mask
    evaluations: Evaluations
    units: Floats

    @property
    def losses(self) -> Floats:
        """What each counts with now; NaN where its weights cannot be copied, shape ``(n, m)``."""
        return self.evaluations.losses[:, -1]

    def rows_of(self, members: Rows) -> Rows:
        """Where members stand in these rows."""
        return np.searchsorted(self.members, members)


def compare(arrived: Rows, past: Past, window: int = 1) -> Comparison:
    """How members stand, everybody's last ``window`` evaluations taken at the newcomers' age.

    A member that is ahead counts with what its weights had reached at the newcomers' age, whichever member
    had them then; one that is behind counts with its latest result. Evaluations of weights that a member has
    discarded do not count.

    Args:
        arrived: members that have just published.
        past: the population's past.
        window: evaluations of each member.
    """
    members = np.flatnonzero(past.latest != NOTHING)
    latest = past.latest[members]
    ages, origins = past.age, past.origin
    age = ages[past.latest[arrived]].max()
    seen = latest.copy()
    while (ahead := (ages[seen] > age) & (origins[seen] != NOTHING)).any():
        seen[ahead] = origins[seen[ahead]]
    evaluations = _last(past, seen, window)
    # A copy is of the latest that a member published, which may have failed since the newcomers' age.
    gone = past.lost[latest] | np.isnan(past.losses[latest]).any(axis=1)
    evaluations.losses[gone, -1] = np.nan
    newcomers = np.zeros(len(past.latest), dtype=bool)
    newcomers[arrived] = True
    return Comparison(members, newcomers[members], evaluations, past.units[latest])


def _last(past: Past, rows: Rows, window: int) -> Evaluations:
    """The evaluations that end in ``rows``, as far as one member's own weights go back."""
    n, members = len(rows), past.member
    losses = np.full((n, window, past.losses.shape[1]), np.nan)
    units = np.full((n, window, past.units.shape[1]), np.nan)
    ages = np.full((n, window), np.nan)
    who, at = np.arange(n), rows
    for place in range(1, window + 1):
        losses[who, -place], units[who, -place] = past.losses[at], past.units[at]
        ages[who, -place] = past.age[at]
        before = past.origin[at]
        own = (before != NOTHING) & (members[before] == members[rows[who]])
        who, at = who[own], before[own]
        if not len(who):
            break
    return Evaluations(losses, units, ages)
