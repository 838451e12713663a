"""What a search study says when it begins and when it ends."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.cluster import Cluster
from orchestrator.search.history import SearchHistory, TrialRecord

FRONT_ROWS = 10
"""How many members of the Pareto set are shown; the results have all."""


def opening(study: Mapping[str, Any], path: Path, cluster: Cluster, slots: int, resume: bool) -> str:
    """One line: what runs where, and where it is kept."""
    where = study["cluster"]["address"] or "local Ray"
    dashboard = f", dashboard {cluster.dashboard}" if cluster.dashboard else ""
    return (
        f"{'resuming' if resume else 'study'} {study['study']['name']}: {study['search']['trials']} trials, "
        f"{slots} at a time ({where}{dashboard}); run directory {path}"
    )


def closing(history: SearchHistory, finished: bool, path: Path) -> Iterator[str]:
    """How the study ended, what came out, and what to do next; lines of text."""
    counts = Counter(trial.status for trial in history.trials)
    done = ", ".join(f"{count} {status}" for status, count in counts.items()) or "none ended"
    if not finished:
        yield f"stopped after {len(history.trials)} of {history.start.trials} trials"
    elif len(history.trials) < history.start.trials:
        yield "the optimizer has tried the whole search space"
    yield f"trials: {done}"
    for reason, count in Counter(trial.reason for trial in history.trials if trial.status == "failed").items():
        yield f"failed ({count}): {reason}"
    yield from _best(history)
    if not finished:
        yield f"go on with: python -m orchestrator resume={shlex.quote(str(path))}"
    yield f"run directory: {path}"


def _best(history: SearchHistory) -> Iterator[str]:
    front, knee = history.pareto(), history.knee()
    if knee is None:
        yield "no feasible trial was trained fully"
        return
    if len(history.start.objectives) > 1:
        yield f"Pareto set: {len(front)} trials"
        yield from _table(history, front[:FRONT_ROWS])
        yield f"best trade-off: trial {knee.number}"
    else:
        value = knee.trial.metrics[history.start.objectives[0].name] if knee.trial else float("nan")
        yield f"best trial: {knee.number} ({history.start.objectives[0].name} {value:.4g})"
    yield "hyperparameters: " + ", ".join(f"{name} {_text(value)}" for name, value in knee.config.items())
    if knee.test:
        values = ", ".join(f"{name} {value:.4g}" for name, value in knee.test.items())
        yield f"held-out test: {values}"


def _table(history: SearchHistory, records: Sequence[TrialRecord]) -> Iterator[str]:
    names = [objective.name for objective in history.start.objectives]
    rows = [["trial", *names]]
    rows += [
        [str(record.number), *(f"{record.trial.metrics[name]:.4g}" for name in names)]
        for record in records
        if record.trial is not None
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
