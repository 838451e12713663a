"""Reads results of earlier studies: run directories of ours, Optuna storages, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.search.earlier.result import Result, metrics_among
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.text import first_line
from search_spaces import ConfigurationError
from workloads.contract import Objective

_TABLES = (".csv", ".parquet")
_NO_PARAMETERS = ("status", "reason", "fidelity", "seconds")
_EXPECTED = "a search's run directory, an Optuna storage (URL or journal file) or a table (.csv, .parquet)"


def read_source(source: str, key: str, objectives: Sequence[Objective]) -> list[Result]:
    """The results that a source holds, oldest first; lost trials and those that still run are left out.

    Args:
        source: as the user names it.
        key: where; error messages begin with it.
        objectives: what is optimised. An Optuna study that does not name its values has them in this order.

    Raises:
        ConfigurationError: there is nothing of the kind, or it cannot be read.
    """
    if "://" in source:
        from orchestrator.search.earlier.optuna_storage import from_url

        return from_url(source, key, objectives)
    path = Path(source).expanduser()
    if path.is_dir():
        return _from_run(RunDirectory(path), source, key)
    if not path.is_file():
        raise ConfigurationError(key, _EXPECTED, source, "there is nothing of that name")
    if path.suffix in _TABLES:
        return _from_table(path, source, key, objectives)
    from orchestrator.search.earlier.optuna_storage import from_file

    return from_file(path, key, objectives)


def _from_run(run: RunDirectory, source: str, key: str) -> list[Result]:
    events = read_journal(run.journal)
    if not events or events[0].get("kind") != "search":
        kind = events[0].get("kind") if events else None
        hint = f"it holds a {kind} study" if kind else f"it has no {run.journal.name}"
        raise ConfigurationError(key, _EXPECTED, source, hint)
    history = SearchHistory.from_events(events)
    return [found for one in history.ended if (found := _of_record(one, history)) is not None]


def _of_record(record: TrialRecord, history: SearchHistory) -> Result | None:
    trial, start = record.trial, history.start
    if trial is None or trial.status == "lost":
        return None
    if not trial.usable:
        return Result(record.config, {}, start.unit, failed=trial.reason or "failed")
    curve = {report.fidelity: report.metrics for report in record.reports}
    curve[trial.fidelity or start.rungs[-1]] = trial.metrics
    return Result(record.config, curve, start.unit, full=max(curve) >= start.rungs[-1])


def _from_table(path: Path, source: str, key: str, objectives: Sequence[Objective]) -> list[Result]:
    """A row is a result: columns named as parameters and metrics, or as in our own ``results/trials``."""
    import pandas as pd

    try:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except Exception as error:  # pandas and pyarrow raise of all kinds
        raise ConfigurationError(key, "a table that can be read", source, first_line(str(error))) from error
    columns, names = [str(name) for name in frame.columns], [one.name for one in objectives]
    if not {*names} <= {name.removeprefix("metrics.") for name in columns}:
        expected = f"a table with a column for each objective ({', '.join(names)})"
        raise ConfigurationError(key, expected, source, f"it has {', '.join(columns)}")
    ours = any(name.startswith("config.") for name in columns)
    parameters = [
        name
        for name in columns
        if name.startswith("config.") or not (ours or name in (*names, *_NO_PARAMETERS))
    ]
    rows = ({str(name): value for name, value in row.items()} for row in frame.to_dict("records"))
    return [found for row in rows if (found := _of_row(row, parameters, ours)) is not None]


def _of_row(row: Mapping[str, Any], parameters: Sequence[str], ours: bool) -> Result | None:
    status = row.get("status", "finished")
    config = {name.removeprefix("config."): row[name] for name in parameters}
    if status == "lost" or (ours and status == "stopped"):
        return None
    if status == "failed":
        return Result(config, {}, failed=str(row.get("reason") or "failed"))
    metrics = {name.removeprefix("metrics."): value for name, value in metrics_among(row).items()}
    return Result(config, {0: metrics})
