"""Members as slots for trials that come one after another, each with new weights; nobody copies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import NOTHING, Past, Rows
from orchestrator.population.rules.contract import NOBODY, Floats, Mask
from search_spaces import ConfigurationError, SearchSpace


def trained(past: Past) -> Rows:
    """Intervals that each interval's trial had trained by its end, shape ``(n,)``."""
    member, generation = past.member, past.generation
    began = np.zeros((past.setting.size, past.setting.generations + 1), dtype=np.intp)
    fresh = past.origin == NOTHING
    began[member[fresh], generation[fresh]] = generation[fresh]
    np.maximum.accumulate(began, axis=1, out=began)
    return generation - began[member, generation] + 1


def next_trials(arrived: Rows, past: Past, ended: Mask, wait: ArrayLike) -> Choices:
    """Slots whose trial has ended, or failed, start one that is drawn from the space; the others go on.

    Args:
        arrived: members that have just published, shape ``(k,)``.
        past: the population's past.
        ended: whose trial has ended, shape ``(k,)``.
        wait: intervals until each is decided on again, shape ``(k,)``.
    """
    units = past.units[past.latest[arrived]]
    units[ended] = np.nan
    return Choices.of(np.where(ended, NOBODY, arrived), units, wait=wait)


def allowed(wanted: Floats, current: Floats, space: SearchSpace, rng: np.random.Generator) -> Floats:
    """Configurations as wanted, ``(k, dim)``, or the current ones where a forbidden clause stands in the way.

    What its conditions switch on keeps its current value; where it has none, it is drawn.
    """
    repaired = space.codec.repair(np.where(np.isnan(wanted), current, wanted), rng)
    return np.where(space.codec.legal(repaired)[:, None], repaired, current)


def require_intervals(key: str, value: object, least: int) -> None:
    """Refuse what is no number of intervals.

    Raises:
        ConfigurationError: ``value`` is not a whole number of at least ``least``.
    """
    if type(value) is not int or value < least:
        raise ConfigurationError(key, f"a whole number, at least {least}", value)
