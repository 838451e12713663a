"""What happened in a search study, read from its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from orchestrator.journal import Event
from orchestrator.pareto import knee, nondominated, reference_point
from orchestrator.search.records import trial_of
from orchestrator.trial import Suggestion, Trial, with_bounds
from search_spaces import Config
from workloads.base import Objective


@dataclass(frozen=True)
class SearchStart:
    """The study, as the journal's first line has it.

    Args:
        study: its name.
        optimizer: the class of the optimizer.
        stopping: the rule that stops trials early; empty where there is none.
        trials: how many it has.
        concurrency: how many run at a time.
        unit: the workload's unit of fidelity.
        rungs: fidelities at which a fully trained trial reports.
        objectives: with their references where these are configured.
        constraints: metrics that must keep a bound and are not optimised.
        parameters: of the search space, parents before children.
        log_parameters: those on a logarithmic scale.
        time: seconds since the epoch.
    """

    study: str
    seed: int
    optimizer: str
    stopping: str
    trials: int
    concurrency: int
    unit: str
    rungs: tuple[int, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Objective, ...]
    parameters: tuple[str, ...]
    log_parameters: tuple[str, ...]
    time: float

    def event(self) -> Event:
        """The journal's first line."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        plain |= {key: [vars(entry) for entry in plain[key]] for key in ("objectives", "constraints")}
        return {"event": "start", "kind": "search", **plain}

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """The study that a ``start`` event describes."""
        values = {key: value for key, value in event.items() if key not in ("event", "kind")}
        for key in ("objectives", "constraints"):
            values[key] = tuple(Objective(**entry) for entry in values[key])
        for key in ("rungs", "parameters", "log_parameters"):
            values[key] = tuple(values[key])
        return cls(**values)


@dataclass(frozen=True)
class RungReport:
    """What a trial reported at a rung; ``time`` in seconds since the epoch, ``seconds`` of training so far."""

    fidelity: int
    metrics: Mapping[str, float]
    losses: tuple[float, ...]
    seconds: float
    time: float


@dataclass
class TrialRecord:
    """One trial's life.

    Args:
        number: in the order of suggestions, from 0.
        fidelity: to which it is to be trained; None: fully.
        trial: what became of it; None while it is pending.
        test: metrics on held-out data, where it was trained fully and the workload has such data.
        ended: seconds since the epoch.
    """

    number: int
    config: Config
    fidelity: int | None
    suggested: float
    reports: list[RungReport] = field(default_factory=list)
    trial: Trial | None = None
    test: Mapping[str, float] = field(default_factory=dict)
    ended: float | None = None


class SearchHistory:
    """A search study as far as its journal goes."""

    def __init__(self, start: SearchStart) -> None:
        self.start = start
        self.records: dict[int, TrialRecord] = {}
        self.ended: list[TrialRecord] = []
        """In the order in which they ended; each has a trial."""
        self.stopped: str | None = None
        """Why the study was interrupted, unless it went on since."""
        self.final: Event | None = None

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The history of a journal that has at least its first line."""
        first, *rest = events
        history = cls(SearchStart.of(first))
        history.extend(rest)
        return history

    def extend(self, events: Iterable[Event]) -> None:
        """Take in further events."""
        for event in events:
            match event["event"]:
                case "suggested":
                    number = event["trial"]
                    self.records[number] = TrialRecord(
                        number, event["config"], event["fidelity"], event["time"]
                    )
                case "report":
                    report = (event["fidelity"], event["metrics"], tuple(event["losses"]))
                    self.records[event["trial"]].reports.append(
                        RungReport(*report, event["seconds"], event["time"])
                    )
                case "ended":
                    self._end(event)
                case "resume":
                    self.stopped = None
                    for number in event["pending"]:
                        self.records[number].reports.clear()
                case "stopped":
                    self.stopped = event["reason"]
                case "final":
                    self.final = event

    @property
    def trials(self) -> list[Trial]:
        """What has ended, in that order."""
        return [record.trial for record in self.ended if record.trial is not None]

    def losses(self) -> NDArray[np.float64]:
        """One row per ended trial, in the order of their ends, shape ``(n, m)``.

        NaN where there is no result, and for trials that were not trained fully: those cannot be compared.
        """
        rows = [
            trial.losses if trial.status == "finished" and self._full(trial) else self._unknown
            for trial in self.trials
        ]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.start.objectives))

    def violations(self) -> NDArray[np.float64]:
        """One row per ended trial, in the order of their ends, shape ``(n, c)``."""
        width = len(with_bounds(self.start.objectives, self.start.constraints))
        return np.array([trial.violations for trial in self.trials], dtype=float).reshape(len(self.ended), width)

    def pareto(self) -> list[TrialRecord]:
        """The non-dominated feasible trials, trained fully, by their first objective."""
        losses = self.losses()
        rows = np.flatnonzero(nondominated(losses, self.violations()))
        return [self.ended[row] for row in sorted(rows, key=lambda row: tuple(losses[row]))]

    def knee(self) -> TrialRecord | None:
        """The best trade-off of the Pareto set; the best trial where there is one objective."""
        row = knee(self.losses(), self.violations())
        return None if row is None else self.ended[row]

    def reference(self) -> NDArray[np.float64]:
        """The corner that bounds the hypervolume, to be minimised, shape ``(m,)``."""
        return reference_point(self.start.objectives, self.losses(), self.violations())

    @property
    def _unknown(self) -> tuple[float, ...]:
        return (float("nan"),) * len(self.start.objectives)

    def _full(self, trial: Trial) -> bool:
        return trial.fidelity is None or trial.fidelity >= self.start.rungs[-1]

    def _end(self, event: Event) -> None:
        record = self.records[event["trial"]]
        record.trial = trial_of(event, Suggestion(record.config, record.fidelity, record.number))
        record.test, record.ended = event["test"], event["time"]
        self.ended.append(record)
