"""A search study as the lines of an Optuna journal file, in the order in which it happened.

Optuna's own storage makes the lines, so that its format is its own affair. They depend on the study's journal
alone: who wrote them and when, which Optuna notes in each, is replaced by what the journal says. So the lines
that a file holds already tell which of them it lacks, and nothing else has to be kept to go on with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from orchestrator.run.journal import Event
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.optuna_export import Terms, new_study
from orchestrator.search.trials.trial_record import TrialRecord
from search_spaces import SearchSpace

_WRITER = "orchestrator"
_MARK = f'"worker_id":"{_WRITER}"'.encode()


def is_ours(line: bytes) -> bool:
    """Whether a line of a journal file is one of these; optuna-dashboard adds others, such as notes."""
    return _MARK in line


def without_reopened(events: Sequence[Event]) -> list[Event]:
    """``events`` without the ends of lost trials that a later resume tries again.

    What has ended in Optuna never goes on; so these go on running there.
    """
    again, kept = set[int](), list[Event]()
    for event in reversed(events):
        if event["event"] == "resume":
            again.update(event["pending"])
        if not (event["event"] == "ended" and event["status"] == "lost" and event["trial"] in again):
            kept.append(event)
    return kept[::-1]


class OptunaJournal:
    """Turns the events of a search, in their order, into the lines of an Optuna journal file.

    A trial is running from its suggestion on, waits while the study is stopped, and ends as
    :class:`.optuna_export.Terms` says. What it reported and a loss or a resume made void is NaN, as no value
    can be taken back. Evaluations of finalists are none of the trials.

    Attributes:
        void: whether a trial that had ended goes on all the same. The lines are to be made anew then, from
            what :func:`without_reopened` leaves of all events.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._operations = _Operations()
        self._storage = JournalStorage(self._operations)
        self._history: SearchHistory | None = None
        self._terms: Terms
        self._study = 0
        self._ids: dict[int, int] = {}
        self.void = False

    def feed(self, events: Iterable[Event]) -> list[bytes]:
        """What the next events add, each line with its end."""
        for event in events:
            if self._history is None:
                self._begin(event)
            else:
                self._take(self._history, event)
        return self._operations.written()

    def _begin(self, event: Event) -> None:
        self._history = SearchHistory.from_events([event])
        self._terms = Terms(self._history.start, self._space)
        self._study = new_study(self._history.start, self._storage)._study_id

    def _take(self, history: SearchHistory, event: Event) -> None:
        self.void |= event["event"] == "resume" and not history.lost.keys().isdisjoint(event["pending"])
        history.extend([event])
        number = event.get("trial", -1)
        match event["event"]:
            case "suggested" if number in history.records:
                record = history.records[number]
                self._operations.times = _times(record)
                template = self._terms.trial(record, full=False)
                self._ids[number] = self._storage.create_new_trial(self._study, template)
            case "report" | "lost" | "anew" if number in history.records:
                self._update(history.records[number], self._terms.trial(history.records[number], full=False))
            case "ended" if number in history.records:
                full = bool(np.isfinite(history.archive.losses[-1]).all())
                self._update(history.records[number], self._terms.trial(history.records[number], full))
            case "stopped" | "resume":
                for record in history.pending:
                    trial = self._terms.trial(record, full=False)
                    trial.state = TrialState.WAITING if event["event"] == "stopped" else TrialState.RUNNING
                    self._update(record, trial)

    def _update(self, record: TrialRecord, trial: FrozenTrial) -> None:
        """Add what a trial's lines lack."""
        storage, there = self._storage, self._ids[record.number]
        self._operations.times = _times(record)
        written = storage.get_trial(there)
        if written.state.is_finished():
            return
        void = dict.fromkeys(written.intermediate_values.keys() - trial.intermediate_values.keys(), math.nan)
        for step, value in sorted((void | trial.intermediate_values).items()):
            if repr(written.intermediate_values.get(step)) != repr(value):  # NaN equals NaN
                storage.set_trial_intermediate_value(there, step, value)
        for key, value in trial.user_attrs.items():
            if key not in written.user_attrs:
                storage.set_trial_user_attr(there, key, value)
        for key, value in trial.system_attrs.items():
            storage.set_trial_system_attr(there, key, value)
        if trial.state != written.state:
            storage.set_trial_state_values(there, trial.state, trial.values)


class _Operations(BaseJournalBackend):
    """Takes Optuna's operations as lines, and hands them back to its storage, which reads each at once.

    Attributes:
        times: that take the place of those at which operations happen to be made.
    """

    def __init__(self) -> None:
        self.times: Mapping[str, str] = {}
        self._count = 0
        self._latest: list[dict[str, Any]] = []
        self._lines: list[bytes] = []

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._latest = [log | {key: self.times[key] for key in self.times.keys() & log} for log in logs]
        self._count += len(logs)
        for log in self._latest:
            line = json.dumps(log | {"worker_id": _WRITER}, separators=(",", ":"))
            self._lines.append(line.encode() + b"\n")

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        return self._latest[len(self._latest) - (self._count - log_number_from) :]

    def written(self) -> list[bytes]:
        """The lines since the last call."""
        lines, self._lines = self._lines, []
        return lines


def _times(record: TrialRecord) -> dict[str, str]:
    moments = {"datetime_start": record.suggested, "datetime_complete": record.ended}
    return {
        key: datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
        for key, moment in moments.items()
        if moment is not None
    }
