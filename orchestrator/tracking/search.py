"""What of a search study is recorded where.

Each trial is a child run, from its suggestion to its end.

- Child runs: the configuration as params ``config.<hyperparameter>``; at every rung the workload's metrics
  and ``seconds`` of training, with the fidelity as step; at the end ``test.<metric>`` on held-out data and
  the tags ``status`` (finished, stopped, failed, lost), ``reason``, ``losses`` (how often it was lost with
  its process), ``feasible`` and ``pareto``. The latter follows the Pareto set as it moves. Once the study has
  ended, trials that were trained fully are tagged with their ``rank``: 0 is the Pareto set. MLflow's own
  status is FINISHED also for a trial that was stopped early: its pages show KILLED like FAILED, as an error.
- Finalists: each evaluation is a child run too, with the tag ``finalist``: the trial that it evaluates again.
  At the end the finalists' own child runs get the means as ``final.<metric>``, and ``pareto`` by these.
- Parent run, with the number of ended trials as step: ``best.<objective>`` among feasible trials,
  ``trials_per_minute``, from the first on ``failures`` and ``lost`` so far; for several objectives
  ``pareto_size`` and ``hypervolume``. Where the reference point is inferred, and so moves while the study
  runs, the hypervolume is recorded at the end, for all steps and the last reference point. At the end, of the
  best trial or the knee point: ``final.<metric>``, ``test.<metric>`` and the tags ``best_trial`` and
  ``best.config.<hyperparameter>``; the run's description says what came out, and the name of that trial's
  child run that it is the best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.pareto import ranks
from orchestrator.run.journal import Event
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.text import number
from orchestrator.tracking.items import (
    PARENT,
    RESULT,
    Child,
    Counts,
    End,
    Item,
    best,
    metrics,
    milliseconds,
    param,
    tag,
)
from orchestrator.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

OURS = ("seconds", "test.")
"""Series of a child run that a metric of the workload must not be mixed with."""

_TRIAL = "trial-"


def trial_run(number: int) -> str:
    """The name of a trial's child run."""
    return f"{_TRIAL}{number:04d}"


class SearchRecord:
    """Turns a journal's events, in their order, into what is to be recorded; depends on them alone.

    What a resume makes void has been recorded already and cannot be taken back. When a trial that begins anew
    comes to a rung again, that is recorded again only where it differs.
    """

    def __init__(self) -> None:
        self.history: SearchHistory | None = None
        self._void: dict[tuple[int, int], dict[str, str]] = {}
        self._ranks: dict[int, int] = {}
        self._best: str | None = None
        self._counts = Counts()

    def feed(self, events: Iterable[Event]) -> list[Item]:
        """What the next events add to the record."""
        return [item for event in events for item in self._items(event)]

    def run_status(self, run: str, status: str) -> str | None:
        """How a trial's run ends where the study ends with ``status``; None: it has ended already."""
        number = run.removeprefix(_TRIAL)
        if self.history is None or not number.isdecimal():
            return None
        known = {**self.history.records, **self.history.finals.runs}
        record = known.get(int(number))
        return status if record is not None and record.trial is None else None

    def tables(self) -> dict[str, pd.DataFrame]:
        """The Pareto set of several objectives and the finalists, by the names of the artifacts."""
        from orchestrator.search.history import frames

        if self.history is None:
            return {}
        several = len(self.history.start.objectives) > 1
        found = {"pareto.json": frames.pareto(self.history)} if several else {}
        if self.history.finals.plan is not None:
            found["finalists.json"] = frames.finalists(self.history)
        return found

    def files(self) -> dict[str, str]:
        """None besides the results."""
        return {}

    def _items(self, event: Event) -> Iterator[Item]:
        if self.history is None:
            self.history = SearchHistory.from_events([event])
            for key in ("study", "seed", "kind", "optimizer", "stopping"):
                yield tag(PARENT, key, event[key])
            return
        if event["event"] == "resume":
            self._remember(self.history, event["pending"])
            lost = self.history.lost.keys() | self.history.finals.lost.keys()
            again = sorted(lost & set(event["pending"]))
            yield from (item for number in again for item in _reopened(trial_run(number)))
            if self.history.stopped is not None:
                yield tag(PARENT, "stopped", "")
        if event["event"] in ("lost", "anew"):
            self._remember(self.history, [event["trial"]])
        self.history.extend([event])
        match event["event"]:
            case "suggested":
                yield from _birth(self.history, self.history.record(event["trial"]))
            case "report":
                yield from self._report(event)
            case "lost":
                yield tag(trial_run(event["trial"]), "losses", str(event["attempt"]))
            case "ended":
                yield from self._end(self.history, self.history.record(event["trial"]))
            case "final":
                yield from self._standing(self.history)
                yield from _final(self.history, event["time"])
                yield from self._name_best(self.history)
            case "stopped":
                yield tag(PARENT, "stopped", event["reason"])
                yield from self._standing(self.history)

    def _remember(self, history: SearchHistory, pending: list[int]) -> None:
        for trial in pending:
            for report in history.record(trial).reports:
                self._void[trial, report.fidelity] = _exact(report.metrics)

    def _report(self, event: Event) -> Iterator[Item]:
        before = self._void.pop((event["trial"], event["fidelity"]), None)
        if before != _exact(event["metrics"]):
            yield from _trained(trial_run(event["trial"]), event)

    def _end(self, history: SearchHistory, record: TrialRecord) -> Iterator[Item]:
        trial, time = record.trial, record.ended
        assert trial is not None and time is not None, "the trial has ended"
        run = trial_run(record.number)
        if not record.reports:
            told = {"metrics": trial.metrics, "seconds": trial.seconds, "time": time}
            yield from _trained(run, {**told, "fidelity": trial.fidelity or 0})
        tested = {f"test.{key}": value for key, value in record.test.items()}
        yield from metrics(run, tested, trial.fidelity or 0, time)
        yield from _ending(run, trial)
        if record.finalist is None:
            yield tag(run, "pareto", _yes(history.entered))
            yield from (tag(trial_run(number), "pareto", "false") for number in sorted(history.displaced))
        yield End(run, "FAILED" if trial.status in ("failed", "lost") else "FINISHED", milliseconds(time))
        if record.finalist is not None:
            return
        counts = {"failures": len(history.failures), "lost": len(history.lost)}
        reached = {"trials_per_minute": 60 * history.rate, **_reached(history)}
        values = {**self._counts.since_first(PARENT, counts), **reached}
        yield from metrics(PARENT, values, len(history.ended), time)

    def _name_best(self, history: SearchHistory) -> Iterator[Item]:
        yield tag(PARENT, RESULT, described(history))
        if (knee := history.knee()) is not None:
            yield from best(trial_run(knee.number), self._best)
            self._best = trial_run(knee.number)

    def _standing(self, history: SearchHistory) -> Iterator[Item]:
        """The ranks that are new or have changed."""
        losses, violations = history.archive.losses, history.archive.violations
        known = np.isfinite(losses).all(axis=1)
        for record, rank in zip(
            (history.ended[row] for row in np.flatnonzero(known)),
            ranks(losses, violations)[known],
            strict=True,
        ):
            if self._ranks.get(record.number) != rank:
                self._ranks[record.number] = int(rank)
                yield tag(trial_run(record.number), "rank", rank)


def described(history: SearchHistory) -> str:
    """What came out, in a line."""
    counts = Counter(trial.status for trial in history.trials)
    trials = "trials: " + ", ".join(f"{count} {status}" for status, count in counts.items())
    knee = history.knee()
    if knee is None or knee.trial is None:
        return f"No feasible trial was trained fully ({trials})."
    record = history.judged.records.get(knee.number, knee)
    metrics = (record.trial or knee.trial).metrics
    values = ", ".join(f"{one.name} {number(metrics[one.name])}" for one in history.start.objectives)
    if len(history.start.objectives) == 1:
        return f"Best trial: {knee.number} ({values}). {trials.capitalize()}."
    front = f"Pareto set of {len(history.pareto())} trials, hypervolume {number(history.hypervolume())}"
    return f"{front}; its knee point is trial {knee.number} ({values}). {trials.capitalize()}."


def _birth(history: SearchHistory, record: TrialRecord) -> Iterator[Item]:
    run = trial_run(record.number)
    tags = {"trial": str(record.number), "study": history.start.study, "status": "running"}
    yield Child(run, tags, milliseconds(record.suggested))
    for key, value in record.config.items():
        yield param(run, f"config.{key}", value)
    if record.finalist is not None:
        yield tag(run, "finalist", record.finalist)
    if record.fidelity is not None:
        yield param(run, "fidelity", record.fidelity)


def _reopened(run: str) -> Iterator[Item]:
    """A trial that had ended as lost begins anew."""
    yield tag(run, "status", "running")
    yield tag(run, "reason", "")


def _trained(run: str, report: Event) -> Iterator[Item]:
    """What a trial reported, and how long it has trained."""
    step, time = report["fidelity"], report["time"]
    yield from metrics(run, report["metrics"], step, time, OURS)
    yield from metrics(run, {"seconds": report["seconds"]}, step, time)


def _ending(run: str, trial: Trial) -> Iterator[Item]:
    yield tag(run, "status", trial.status)
    if trial.reason:
        yield tag(run, "reason", trial.reason)
    if trial.usable:
        yield tag(run, "feasible", _yes(trial.feasible))


def _reached(history: SearchHistory) -> dict[str, float]:
    """What the study has reached so far."""
    objectives = history.start.objectives
    best = zip(objectives, history.best(), strict=True)
    reached = {f"best.{objective.name}": float(value) for objective, value in best}
    if len(objectives) > 1:
        reached["pareto_size"] = len(history.judged.archive.front)
        if _configured(history):
            reached["hypervolume"] = history.hypervolume()
    return reached


def _final(history: SearchHistory, time: float) -> Iterator[Item]:
    if len(history.start.objectives) > 1:
        corner = zip(history.start.objectives, history.reference(), strict=True)
        yield tag(PARENT, "reference_point", ", ".join(f"{one.name} {value:.6g}" for one, value in corner))
        if not _configured(history):
            volumes = history.hypervolume_over_time()
            for step, (record, volume) in enumerate(zip(history.ended, volumes, strict=True), start=1):
                yield from metrics(PARENT, {"hypervolume": volume}, step, record.ended or time)
    yield from _finalists(history, time)
    best = history.knee()
    if best is None or best.trial is None:
        return
    yield tag(PARENT, "best_trial", best.number)
    for prefix, values in (("final", best.trial.metrics), ("test", best.test)):
        named = {f"{prefix}.{key}": value for key, value in values.items()}
        yield from metrics(PARENT, named, len(history.ended), time)
    for key, value in best.config.items():
        yield tag(PARENT, f"best.config.{key}", value)


def _finalists(history: SearchHistory, time: float) -> Iterator[Item]:
    """What their evaluations say of the finalists."""
    judged = history.judged
    if judged.archive is history.archive:
        return
    front = {record.number for record in history.pareto()}
    for row in history.archive.front_rows:
        number = history.ended[row].number
        yield tag(trial_run(number), "pareto", _yes(number in front))
    for number, record in judged.records.items():
        trial = record.trial
        if trial is not None and trial.usable:
            named = {f"final.{key}": value for key, value in trial.metrics.items()}
            yield from metrics(trial_run(number), named, trial.fidelity or 0, time)
            yield tag(trial_run(number), "pareto", _yes(number in front))


def _configured(history: SearchHistory) -> bool:
    """Whether no value of the reference point is inferred."""
    return all(objective.reference is not None for objective in history.start.objectives)


def _exact(values: Mapping[str, float]) -> dict[str, str]:
    """Metrics so that NaN equals NaN."""
    return {key: repr(value) for key, value in values.items()}


def _yes(value: bool) -> str:
    return "true" if value else "false"
