"""A search study in Optuna's terms: for its importance analysis, and for optuna-dashboard."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from orchestrator.objective import in_own_direction
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.start import SearchStart
from orchestrator.search.trials.trial_record import TrialRecord
from orchestrator.trial import Trial
from search_spaces import SearchSpace
from search_spaces.conversions import to_distributions, to_params

_CONSTRAINTS = "constraints"
"""The key that Optuna keeps a trial's violations under."""


def to_optuna(history: SearchHistory, space: SearchSpace) -> optuna.Study:
    """The study in memory, with all trials that have ended, by number."""
    terms = Terms(history.start, space)
    study = new_study(history.start)
    complete = np.array(np.isfinite(history.archive.losses).all(axis=1)).tolist()
    full = dict(zip((record.number for record in history.ended), complete, strict=True))
    with _quiet():
        study.add_trials(terms.trial(history.records[number], full[number]) for number in sorted(full))
    return study


def new_study(start: SearchStart, storage: BaseStorage | None = None) -> optuna.Study:
    """The study without trials; in memory where there is no ``storage``."""
    with _quiet():
        study = optuna.create_study(
            storage=storage,
            study_name=start.study,
            directions=["minimize" if one.direction == "min" else "maximize" for one in start.objectives],
        )
        study.set_metric_names([objective.name for objective in start.objectives])
    return study


class Terms:
    """How trials of a study are told to Optuna.

    Those that were trained fully are complete. Others with a result are pruned and keep their last values, as
    Optuna has it, since values at different fidelities cannot be compared. Failed and lost trials have
    failed; one that has not ended is running. Values are in the objectives' own directions; ordinal
    parameters are integers (see :mod:`search_spaces.conversions`). User attributes hold the trial's number
    and, once it has ended, its metrics, the fidelity that it reached and, unless it was trained fully, its
    status and the reason.
    """

    def __init__(self, start: SearchStart, space: SearchSpace) -> None:
        self._objectives, self._space = start.objectives, space
        self._distributions = to_distributions(space)

    def trial(self, record: TrialRecord, full: bool) -> FrozenTrial:
        """A trial of the study.

        Args:
            full: whether it has ended and was trained fully.
        """
        ended, params = record.trial, to_params(record.config, self._space)
        usable = ended is not None and ended.usable
        frozen = optuna.create_trial(
            state=_state(ended, full),
            values=self._values(ended.losses) if ended is not None and usable else None,
            params=params,
            distributions={name: self._distributions[name] for name in params},
            user_attrs=_attributes(record.number, ended, full),
            system_attrs={_CONSTRAINTS: list(ended.violations)}
            if ended is not None and usable and ended.violations
            else {},
            intermediate_values=self._reached(record),
        )
        frozen.datetime_start = datetime.fromtimestamp(record.suggested)
        if ended is not None:
            frozen.datetime_complete = datetime.fromtimestamp(record.ended or record.suggested)
        return frozen

    def _values(self, losses: tuple[float, ...]) -> list[float]:
        return [in_own_direction(*pair) for pair in zip(losses, self._objectives, strict=True)]

    def _reached(self, record: TrialRecord) -> dict[int, float]:
        """Values by fidelity. Optuna's intermediate values are of a study with one objective."""
        if len(self._objectives) > 1:
            return {}
        return {report.fidelity: self._values(report.losses)[0] for report in record.reports}


def _state(ended: Trial | None, full: bool) -> TrialState:
    if ended is None:
        return TrialState.RUNNING
    if full:
        return TrialState.COMPLETE
    return TrialState.PRUNED if ended.usable else TrialState.FAIL


def _attributes(number: int, ended: Trial | None, full: bool) -> dict[str, Any]:
    if ended is None:
        return {"trial": number}
    attributes = {**ended.metrics, "trial": number, "reason": ended.reason}
    attributes |= {"fidelity": ended.fidelity} if ended.fidelity is not None else {}
    attributes |= {} if full else {"status": ended.status}
    return {key: value for key, value in attributes.items() if value != ""}


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of every study that is made, and that names of metrics are experimental."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
