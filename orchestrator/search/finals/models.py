"""The weights of a search's best trials: which are kept, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.run.directory import RunDirectory
from orchestrator.search.finals.best import best_of, best_rows
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.search.trials.running import Assignment
from orchestrator.search.trials.sessions import begins_anew, first, state_with_age
from orchestrator.search.trials.trial_run import Report, reason_of
from orchestrator.trial import Suggestion, evaluated
from workloads.contract import Objective, Session, State
from workloads.folder import Folder
from workloads.state_files import remove_state, save_state
from workloads.state_leaves import mapped


def weights_file(folder: Path, trial: int) -> Path:
    """Where the weights of a trial lie, in the run directory's folder of them."""
    return folder / f"trial-{trial}.pt"


def best_trials(history: SearchHistory, limit: int) -> list[TrialRecord]:
    """The trials whose weights a study keeps, see :func:`.best.best_rows`; finalists that hold come first."""
    found = [history.ended[row] for row in best_of(history.archive, limit)]
    judged = history.judged
    if judged.archive is history.archive:
        return found
    first = [judged.archive.trials[row].suggestion.token for row in best_of(judged.archive, limit)]
    rest = [one.number for one in found if one.number not in first]
    return [history.records[number] for number in [*first, *rest][:limit]]


@dataclass(frozen=True)
class StoredModels:
    """The weights that a search has kept.

    Args:
        folder: where workers write them, in the run directory.
        limit: how many models the study keeps.
    """

    folder: Path
    limit: int

    @classmethod
    def of(cls, run: RunDirectory, study: Mapping[str, Any]) -> StoredModels:
        """Those of a study, by its resolved configuration; one of an earlier version keeps none."""
        return cls(run.models, study.get("search", {}).get("archive", 0))

    def trials(self, history: SearchHistory) -> list[TrialRecord]:
        """Whose models there are, best first; a worker may have been unable to write one."""
        best = best_trials(history, self.limit)
        return [record for record in best if self.file(record).exists()]

    def file(self, record: TrialRecord) -> Path:
        """Where the weights of a trial lie."""
        return weights_file(self.folder, record.number)

    def prune(self, history: SearchHistory) -> None:
        """Remove weights that are not among the best trials', once no worker runs."""
        kept = {self.file(record) for record in self.trials(history)}
        for file in self.folder.glob("trial-*.pt"):
            if file not in kept:
                remove_state(file)


class TrialModels:
    """Writes the weights of those of a worker's trials that may be among the study's best.

    A trial that is not among the best of its own worker is not among those of the study, so its weights are
    never written. What a later one displaces is removed when that has been reported; the driver removes the
    rest in the end (:meth:`StoredModels.prune`).

    Args:
        folder: of the weights, on storage that every node sees; made where it is missing.
        objectives, constraints: as of the study.
        full: the fidelity of full training.
        limit: how many models the study keeps; 0: none.
    """

    def __init__(
        self,
        folder: Path,
        objectives: Sequence[Objective],
        constraints: Sequence[Objective],
        full: int,
        limit: int,
    ) -> None:
        self._folder, self._full, self._limit = folder, full, limit
        self._objectives, self._constraints = tuple(objectives), tuple(constraints)
        self._kept: dict[int, tuple[float, ...]] = {}
        self._displaced: list[int] = []
        self._said: set[str] = set()

    def offer(self, work: Assignment, report: Report, session: Session) -> None:
        """Write the weights of a trial that is done, before its last report is sent, if they are worth it.

        Those of an evaluation of a finalist are not. What cannot be written is left out, and the worker's log
        says why: it is not the trial's failure.
        """
        if not self._limit or report.fidelity < self._full or begins_anew(session):
            return
        if work.finalist is not None:
            return
        trial = work.number
        seen = evaluated(Suggestion({}), report.metrics, self._objectives, self._constraints)
        if not (seen.feasible and np.isfinite(seen.losses).all()):
            return
        candidates = {**self._kept, trial: tuple(seen.losses)}
        numbers = list(candidates)
        limit = self._limit if len(self._objectives) == 1 else None
        rows = best_rows(np.array(list(candidates.values())), self._objectives, limit)
        best = {numbers[row] for row in rows}
        if trial in best and self._write(trial, report.fidelity, session):
            self._displaced += [number for number in numbers if number not in best]
            self._kept = {number: candidates[number] for number in numbers if number in best}

    def settle(self) -> None:
        """The last report has been taken in: remove what it has displaced."""
        for number in self._displaced:
            remove_state(weights_file(self._folder, number))
        self._displaced.clear()

    def _write(self, trial: int, fidelity: int, session: Session) -> bool:
        try:
            state = state_with_age(first(session), fidelity)
            if not _has_weights(state):
                return False
            self._folder.mkdir(parents=True, exist_ok=True)
            save_state(weights_file(self._folder, trial), state)
        except Exception as error:  # noqa: BLE001 - a workload's own, or of a full disk
            self._say(trial, reason_of(error))
            return False
        return True

    def _say(self, trial: int, reason: str) -> None:
        """Once: it may be the same with every trial, as with programs that leave no checkpoints."""
        if reason not in self._said:
            self._said.add(reason)
            print(f"the weights of trial {trial} are not kept: {reason}", flush=True)  # noqa: T201


def _has_weights(state: State) -> bool:
    """Whether a state has more than numbers such as its age: tensors, arrays, text or a folder."""
    found: list[bool] = []
    mapped(
        state, lambda leaf, _: found.append(isinstance(leaf, Folder | str) or hasattr(leaf, "shape")), "state"
    )
    return any(found)
