"""The configuration of every trial as YAML, which a click on its point shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.reporting.configurations import block
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.text import number


def key(trial: int) -> str:
    """What a point of a trial is called."""
    return f"trial {trial}"


def keys(trials: Iterable[Any]) -> list[str]:
    """The same of several."""
    return [key(int(trial)) for trial in trials]


def configurations(history: SearchHistory) -> Mapping[str, str]:
    """By trial its configuration, and how to train it again."""
    return {key(record.number): _text(history, record) for record in history.records.values()}


def _text(history: SearchHistory, record: TrialRecord) -> str:
    metrics = record.trial.metrics if record.trial else {}
    reached = ", ".join(
        f"{one.name} {number(metrics[one.name])}" for one in history.start.objectives if one.name in metrics
    )
    status = record.trial.status if record.trial else "running"
    return (
        f"# trial {record.number} of {history.start.study}: {reached or status}\n"
        f"# over several seeds: python -m orchestrator replay <run directory> --trial {record.number}\n"
        "# in a search: python -m orchestrator add <run directory> <this file>\n"
        f"{block(record.config)}"
    )
