"""One trial's life, as a search's history tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from orchestrator.run.journal import Event
from orchestrator.search.history.records import trial_of
from orchestrator.trial import Suggestion, Trial
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
        finalist: the trial that it evaluates again; None: it is one of the search itself.
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
    finalist: int | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """The one that a ``suggested`` event begins."""
        finalist = event.get("finalist")
        return cls(event["trial"], event["config"], event["fidelity"], event["time"], finalist=finalist)

    def report(self, event: Event) -> None:
        """Take in a ``report`` event."""
        found = (event["fidelity"], event["metrics"], tuple(event["losses"]))
        each = tuple(event.get("repeats", ()))
        self.reports.append(RungReport(*found, event["seconds"], event["time"], each))

    def go_back(self, fidelity: int) -> None:
        """What it reported beyond a fidelity is void."""
        self.reports = [one for one in self.reports if one.fidelity <= fidelity]

    def end(self, event: Event) -> Trial:
        """Take in an ``ended`` event."""
        trial = trial_of(event, Suggestion(self.config, self.fidelity, self.number))
        self.trial, self.test, self.ended = trial, event["test"], event["time"]
        self.reused = event.get("reused")
        return trial

    def reopen(self) -> None:
        """It had ended as lost, and is pending again."""
        self.trial, self.ended, self.elapsed, self.test = None, None, float("nan"), {}
