"""Reads results of Optuna's studies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from orchestrator.search.earlier.result import Result, metrics_among
from orchestrator.text import first_line
from search_spaces import ConfigurationError
from workloads.contract import Objective

_DIRECTIONS = {"MINIMIZE": "min", "MAXIMIZE": "max"}
_SQLITE = "sqlite:///"
_OURS = "trial"
"""The attribute that tells a trial that :mod:`orchestrator.search.history.optuna_export` has written."""


def from_url(source: str, key: str, objectives: Sequence[Objective]) -> list[Result]:
    """The trials of a relational storage; ``#<study>`` behind its URL chooses one of several studies."""
    url, _, name = source.partition("#")
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE).partition("?")[0]).is_file():
        raise ConfigurationError(key, "an Optuna storage", source, "there is no file of that name")
    return _read(lambda: url, source, name or None, key, objectives)


def from_file(path: Path, key: str, objectives: Sequence[Objective]) -> list[Result]:
    """The trials of a journal file."""

    def storage() -> JournalStorage:
        backend = JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path)))
        return JournalStorage(backend)

    return _read(storage, str(path), None, key, objectives)


def _read(
    storage: Callable[[], Any], source: str, name: str | None, key: str, objectives: Sequence[Objective]
) -> list[Result]:
    try:
        study = optuna.load_study(study_name=name, storage=storage())
        trials = study.get_trials(deepcopy=False)
        names = study.metric_names
        directions = [_DIRECTIONS.get(one.name, one.name) for one in study.directions]
    except Exception as error:
        reason = first_line(str(error)) or type(error).__name__
        hint = f"Optuna says: {reason}; url#study chooses one of several studies"
        raise ConfigurationError(key, "an Optuna storage with one study", source, hint) from error
    chosen = [one.name for one in objectives] if names is None else list(names)
    if len(chosen) != len(directions):
        expected = f"a study with as many objectives as this one ({', '.join(chosen)})"
        raise ConfigurationError(key, expected, source, f"it has {len(directions)}")
    theirs = dict(zip(chosen, directions, strict=True))
    for one in objectives:
        if theirs.get(one.name, one.direction) != one.direction:
            expected = f"a study that has {one.name} with direction {one.direction}"
            raise ConfigurationError(key, expected, source, f"there it is {theirs[one.name]}")
    return [found for one in trials if (found := _result(one, chosen)) is not None]


def _result(trial: FrozenTrial, names: Sequence[str]) -> Result | None:
    ours = _OURS in trial.user_attrs
    if trial.state == TrialState.FAIL:
        lost = trial.user_attrs.get("status") == "lost"
        return None if lost else Result(trial.params, {}, failed="failed", indices=ours)
    if trial.state != TrialState.COMPLETE or trial.values is None:
        return None
    metrics = metrics_among(trial.user_attrs) | dict(zip(names, trial.values, strict=True))
    return Result(trial.params, {0: metrics}, indices=ours)
