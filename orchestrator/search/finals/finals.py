"""The best trials of a search, evaluated again with new seeds once it is over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.archive import Archive
from orchestrator.run.journal import Event
from orchestrator.search.history.records import gone_back
from orchestrator.search.trials.trial_record import TrialRecord
from search_spaces import Config
from search_spaces.values import config_key


@dataclass(frozen=True)
class Plan:
    """Which trials are evaluated again.

    Args:
        trials: their numbers, the best one first; each has another configuration.
        seeds: with how many new seeds each.
    """

    trials: tuple[int, ...]
    seeds: int

    def event(self, missing: int, time: float) -> Event:
        """As the journal has it.

        Args:
            missing: how many evaluations are still to be trained.
        """
        trials = list(self.trials)
        return {"event": "finals", "trials": trials, "seeds": self.seeds, "missing": missing, "time": time}


@dataclass(frozen=True)
class Judged:
    """What decides which trials are the best.

    Args:
        records: by number.
        archive: their results; a trial's token is its number.
    """

    records: Mapping[int, TrialRecord]
    archive: Archive


class Finals:
    """The evaluations of finalists, folded from a search's journal.

    An evaluation is a trial of its own, with a number like any other, that trains the configuration of a
    finalist with a new seed. The optimizer never hears of it.

    Attributes:
        plan: the one in force; None: the search still goes on.
        runs: the evaluations by number.
    """

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.runs: dict[int, TrialRecord] = {}
        self._of: dict[str, list[TrialRecord]] = {}
        self._missing = 0
        self._judged: Judged | None = None

    def __contains__(self, number: int) -> bool:
        return number in self.runs

    @property
    def pending(self) -> int:
        """How many evaluations have begun and not ended."""
        return sum(run.trial is None for run in self.runs.values())

    @property
    def expected(self) -> int:
        """How many evaluations there will be, as far as is known."""
        if self.plan is None:
            return len(self.runs)
        return len(self.runs) + max(0, self._missing)

    @property
    def left(self) -> int:
        """How many evaluations have not ended, as far as is known."""
        return self.pending + self.expected - len(self.runs)

    @property
    def lost(self) -> dict[int, str]:
        """Why evaluations were lost for good, by number."""
        ended = [run.trial for run in self.runs.values() if run.trial is not None]
        return {trial.suggestion.token: trial.reason for trial in ended if trial.status == "lost"}

    def of(self, config: Config) -> Sequence[TrialRecord]:
        """The evaluations of a configuration, oldest first."""
        return self._of.get(config_key(config), ())

    def take(self, event: Event) -> bool:
        """Take in the next event; unknown kinds are skipped.

        Returns:
            Whether it tells of an evaluation, and of nothing else.
        """
        match event["event"]:
            case "finals":
                self.plan, self._missing = Plan(tuple(event["trials"]), event["seeds"]), event["missing"]
            case "suggested" if "finalist" in event:
                run = self.runs[event["trial"]] = TrialRecord.of(event)
                self._of.setdefault(config_key(run.config), []).append(run)
                self._missing -= 1
            case "suggested" | "ended" if event["trial"] not in self.runs:
                self.plan = None
            case "resume":
                for number in self.runs.keys() & set(event["pending"]):
                    self.runs[number].reopen()
        for number, fidelity in gone_back(event).items():
            if number in self.runs:
                self.runs[number].go_back(fidelity)
        if event.get("trial") not in self.runs:
            return False
        self._take(self.runs[event["trial"]], event)
        return True

    def _take(self, run: TrialRecord, event: Event) -> None:
        match event["event"]:
            case "report":
                run.report(event)
            case "lost":
                run.losses += 1
            case "ended":
                run.end(event)
                self._judged = None

    def judged(self, records: Mapping[int, TrialRecord], searched: Archive) -> Judged | None:
        """The finalists with the means of their evaluations as results.

        Args:
            records: the search's trials by number.
            searched: their results.

        Returns:
            None while evaluations are missing, or where no finalist holds in them.
        """
        if self.plan is None or not self.plan.trials or self.pending:
            return None
        finalists = [records[number] for number in self.plan.trials]
        if any(len(self.of(one.config)) < self.plan.seeds for one in finalists):
            return None
        if self._judged is None or set(self._judged.records) != set(self.plan.trials):
            judged = {one.number: averaged(one, self.of(one.config)) for one in finalists}
            self._judged = Judged(judged, searched.empty())
            self._judged.archive.add(one.trial for one in judged.values() if one.trial is not None)
        return self._judged if len(self._judged.archive.front) else None


def averaged(record: TrialRecord, evaluations: Sequence[TrialRecord]) -> TrialRecord:
    """A trial with the means of its evaluations in place of its own result.

    Its own result is left out: it was chosen for being good, by luck too. One evaluation that failed makes
    the whole fail. Lost ones do not count.
    """
    assert record.trial is not None
    ended = [one for one in evaluations if one.trial is not None and one.trial.status != "lost"]
    trials = [one.trial for one in ended if one.trial is not None]
    bad = [trial for trial in trials if not trial.usable]
    if bad or not trials:
        size, bounds = len(record.trial.losses), len(record.trial.violations)
        none = replace(record.trial, losses=(math.nan,) * size, violations=(math.nan,) * bounds, metrics={})
        reason = bad[0].reason if bad else "its evaluations were lost"
        return replace(record, trial=replace(none, status="failed", reason=reason), test={})
    mean = replace(
        record.trial,
        losses=_means([trial.losses for trial in trials]),
        violations=_means([trial.violations for trial in trials]),
        metrics=_named_means([trial.metrics for trial in trials]),
        seconds=sum(trial.seconds for trial in trials),
    )
    return replace(record, trial=mean, test=_named_means([one.test for one in ended]))


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(float(np.mean(column)) for column in zip(*rows, strict=True))


def _named_means(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = [name for name in each[0] if all(name in one for one in each)]
    return {name: float(np.mean([one[name] for one in each])) for name in names}
