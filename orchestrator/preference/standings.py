"""Which options are the best by what was answered."""

from __future__ import annotations

import numpy as np

from orchestrator.preference.duel import Compared, Duel
from orchestrator.preference.history import PreferenceHistory, Standing
from orchestrator.preference.pairs import chance_of_better


def standing(duel: Duel, past: Compared) -> Standing | None:
    """What the answers tell; None where there are none."""
    if not past.comparisons:
        return None
    found = duel.believed(past, duel.utilities(past))
    order = np.argsort(-found.mean, kind="stable")
    # What all utilities have in common cannot be known from comparisons.
    centring = np.eye(len(order)) - 1 / len(order)
    spread = np.sqrt(np.maximum(np.diag(centring @ found.covariance @ centring), 0.0))
    first, second = (int(place) for place in order[:2])
    return Standing(
        options=tuple(past.usable[place] for place in order),
        utilities=tuple((found.mean[order] - found.mean.mean()).tolist()),
        deviations=tuple(spread[order].tolist()),
        chance=chance_of_better(found.mean, found.covariance, first, second),
        answers=len(past.comparisons),
    )


def record(history: PreferenceHistory, option: int) -> tuple[int, int, int]:
    """How often an option was better, worse, and neither."""
    found = {"first": 0, "second": 0, "equal": 0}
    for one in history.comparisons:
        if one.answer == "equal":
            found["equal"] += option in (one.first, one.second)
        else:
            winner, loser = one.orders[0]
            found["first"] += option == winner
            found["second"] += option == loser
    return found["first"], found["second"], found["equal"]
