"""A search study in Optuna's terms: for its importance analysis, and for optuna-dashboard."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from orchestrator.objective import in_own_direction
from orchestrator.search.history.history import SearchHistory, TrialRecord
from search_spaces import SearchSpace
from search_spaces.conversions import to_distributions, to_params

_CONSTRAINTS = "constraints"
"""The key that Optuna keeps a trial's violations under."""


def export(history: SearchHistory, space: SearchSpace, path: Path) -> None:
    """Write the study to ``path`` as an Optuna journal file, which ``optuna-dashboard <path>`` opens.

    An SQLite file would take eight times as long. Values are in the objectives' own directions.
    """
    lock = JournalFileOpenLock(str(path))
    storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    to_optuna(history, space, storage)


def to_optuna(
    history: SearchHistory, space: SearchSpace, storage: JournalStorage | None = None
) -> optuna.Study:
    """The study with all trials that have ended; in memory where there is no ``storage``.

    Trials that were trained fully are complete. Others with a result are pruned and keep their last values,
    as Optuna has it, since values at different fidelities cannot be compared. Failed and lost trials have
    failed. Ordinal parameters are integers (see :mod:`search_spaces.conversions`). User attributes hold the
    trial's number, its metrics, the fidelity that it reached and, unless it was trained fully, its status and
    the reason.
    """
    with _quiet():
        study = optuna.create_study(
            storage=storage,
            study_name=history.start.study,
            directions=[
                "minimize" if objective.direction == "min" else "maximize"
                for objective in history.start.objectives
            ],
        )
        study.set_metric_names([objective.name for objective in history.start.objectives])
        study.add_trials(_trials(history, space))
    return study


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


def _trials(history: SearchHistory, space: SearchSpace) -> list[FrozenTrial]:
    distributions = to_distributions(space)
    complete = np.array(np.isfinite(history.archive.losses).all(axis=1)).tolist()
    frozen = []
    for record, full in zip(history.ended, complete, strict=True):
        params = to_params(record.config, space)
        known = {name: distributions[name] for name in params}
        frozen.append(_frozen(history, record, full, params, known))
    return sorted(frozen, key=lambda trial: int(trial.user_attrs["trial"]))


def _frozen(
    history: SearchHistory,
    record: TrialRecord,
    full: bool,
    params: dict[str, object],
    distributions: dict[str, optuna.distributions.BaseDistribution],
) -> FrozenTrial:
    trial, objectives = record.trial, history.start.objectives
    assert trial is not None, "only ended trials are exported"
    values = [in_own_direction(loss, one) for loss, one in zip(trial.losses, objectives, strict=True)]
    attributes = {**trial.metrics, "trial": record.number, "reason": trial.reason}
    attributes |= {"fidelity": trial.fidelity} if trial.fidelity is not None else {}
    attributes |= {} if full else {"status": trial.status}
    unfinished = TrialState.PRUNED if trial.usable else TrialState.FAIL
    frozen = optuna.create_trial(
        state=TrialState.COMPLETE if full else unfinished,
        values=values if trial.usable else None,
        params=params,
        distributions=distributions,
        user_attrs={key: value for key, value in attributes.items() if value != ""},
        system_attrs={_CONSTRAINTS: list(trial.violations)} if trial.violations and trial.usable else {},
        # Optuna's intermediate values are of a study with one objective.
        intermediate_values={report.fidelity: _value(report.losses, history) for report in record.reports}
        if len(objectives) == 1
        else {},
    )
    frozen.datetime_start = datetime.fromtimestamp(record.suggested)
    frozen.datetime_complete = datetime.fromtimestamp(record.ended or record.suggested)
    return frozen


def _value(losses: tuple[float, ...], history: SearchHistory) -> float:
    return in_own_direction(losses[0], history.start.objectives[0])
