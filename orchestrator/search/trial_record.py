"""One trial's life, as a search's history tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.trial import Trial
from search_spaces import Config


@dataclass(frozen=True)
class RungReport:
    """What a trial reported at a rung; ``time`` in seconds since the epoch, ``seconds`` of training.

    ``each`` is what it reported with each of several seeds, of which the metrics are the means.
    """

    fidelity: int
    metrics: Mapping[str, float]
    losses: tuple[float, ...]
    seconds: float
    time: float
    each: tuple[Mapping[str, float], ...] = ()


@dataclass
class TrialRecord:
    """One trial's life.

    Args:
        number: in the order of suggestions, from 0.
        fidelity: to which it is to be trained; None: fully.
        suggested: seconds since the epoch.
        trial: how it ended; None while it is pending.
        test: metrics on held-out data, where it was trained fully and the workload has such data.
        ended: seconds since the epoch.
        losses: how often it was lost with its process, node or memory.
        reused: the trial whose result it took; None: it was trained itself.
        elapsed: seconds that the study had been running when it ended, pauses before a resume left out.
    """

    number: int
    config: Config
    fidelity: int | None
    suggested: float
    reports: list[RungReport] = field(default_factory=list)
    trial: Trial | None = None
    test: Mapping[str, float] = field(default_factory=dict)
    ended: float | None = None
    losses: int = 0
    reused: int | None = None
    elapsed: float = float("nan")
