"""A search study's history as data frames.

Losses are to be minimised; metrics and objectives are in their own units and directions. Missing values are
NaN, NA or None.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from orchestrator.objective import in_own_direction
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.search.history.standings import standings

REPORT_COLUMNS = ["trial", "fidelity", "seconds", "time"]


def trials(history: SearchHistory) -> pd.DataFrame:
    """One row per trial that has ended, in the order of their numbers.

    Columns: trial, those of :meth:`orchestrator.archive.Archive.to_frame`, ``test.<metric>`` (held-out data),
    ``std.<metric>`` (over its seeds, where it has several), suggested and ended (seconds since the epoch),
    training.units (what it trained itself, in the workload's unit, with each seed: without what it went on
    from, and with what it lost). A rank have only trials that were trained fully.
    """
    frame = history.archive.to_frame()
    for place, (name, values) in enumerate(
        {
            "trial": [record.number for record in history.ended],
            "suggested": [record.suggested for record in history.ended],
            "ended": [record.ended for record in history.ended],
        }.items()
    ):
        frame.insert(place, name, pd.Series(values, index=frame.index, dtype=float if place else int))
    frame["training.units"] = [history.trained.of(record.number) for record in history.ended]
    tests = pd.DataFrame([record.test for record in history.ended], index=frame.index)
    frame = frame.join(tests.add_prefix("test."))
    if any(_spread(record) for record in history.ended):
        spreads = pd.DataFrame([_spread(record) for record in history.ended], index=frame.index)
        frame = frame.join(spreads.add_prefix("std."))
    if len(frame):
        unknown = np.isnan(history.archive.losses).any(axis=1)
        frame["rank"] = frame["rank"].astype("Int64").mask(unknown)
    return frame.sort_values("trial", ignore_index=True)


def _spread(record: TrialRecord) -> dict[str, float]:
    """The standard deviation of each metric over a trial's seeds; empty where it has one."""
    each = record.reports[-1].each if record.reports else ()
    names = [name for name in each[0] if all(name in one for one in each)] if each else []
    return {name: float(np.std([one[name] for one in each], ddof=1)) for name in names}


def pareto(history: SearchHistory) -> pd.DataFrame:
    """The rows of :func:`trials` that are in the Pareto set, by their first objective.

    Columns: trial, knee (whether it is the best trade-off), the objectives, the configuration, and the rest.
    Of finalists that were evaluated again, the objectives are the means of that; the rest is the trials' own.
    """
    front, knee = history.pareto(), history.knee()
    frame = trials(history).set_index("trial").loc[[record.number for record in front]].reset_index()
    for place, objective in enumerate(history.start.objectives):
        if len(frame):
            losses = [record.trial.losses[place] for record in front if record.trial is not None]
            frame[objective.name] = [in_own_direction(loss, objective) for loss in losses]
    frame.insert(1, "knee", frame["trial"] == (knee.number if knee else -1))
    objectives = [name for one in history.start.objectives if (name := one.name) in frame]
    configs = [name for name in frame.columns if name.startswith("config.")]
    first = ["trial", "knee", *objectives, *configs]
    alike = ["status", "reason", "feasible", "rank", "pareto"]
    return frame[[*first, *(name for name in frame.columns if name not in (*first, *alike))]]


def finalists(history: SearchHistory) -> pd.DataFrame:
    """One row per finalist, the best of the search first; none where the search has no finalists.

    Columns: trial, final.evaluations (that have ended with a result), of each objective its mean over them,
    ``std.<objective>`` and ``search.<objective>`` (what the trial reached in the search), feasible, pareto
    (whether it is in the Pareto set of the finalists; of one objective, the best), knee, reason (why it has
    no mean) and ``config.<name>``.
    """
    names = [one.name for one in history.start.objectives]
    rows = [
        {
            "trial": one.number,
            "final.evaluations": one.evaluations,
            **dict(zip(names, one.means, strict=True)),
            **{f"std.{name}": spread for name, spread in zip(names, one.spreads, strict=True)},
            **{f"search.{name}": value for name, value in zip(names, one.searched, strict=True)},
            "feasible": one.feasible,
            "pareto": one.best,
            "knee": one.knee,
            "reason": one.reason,
            **{f"config.{name}": value for name, value in history.records[one.number].config.items()},
        }
        for one in standings(history)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["trial", "final.evaluations"])


def models(kept: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row per trained model that a study keeps, in their order.

    Columns: file (below the folder of results), trial, ``config.<name>``, ``metric.<name>`` on validation
    data and ``test.<name>`` on held-out data, in their own units and directions.

    Args:
        kept: their trials, the best one first (:class:`orchestrator.search.finals.models.StoredModels`).
    """
    rows = [
        {
            "file": f"models/{number}.pt",
            "trial": record.number,
            **{f"config.{name}": value for name, value in record.config.items()},
            **{f"metric.{name}": value for name, value in record.reports[-1].metrics.items()},
            **{f"test.{name}": value for name, value in record.test.items()},
        }
        for number, record in enumerate(kept)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["file", "trial"])


def reports(history: SearchHistory) -> pd.DataFrame:
    """One row per rung that a trial reported at, by trial and fidelity.

    Columns: trial, fidelity, seconds (of training so far), time (seconds since the epoch),
    ``metrics.<name>`` and ``loss.<objective>``.
    """
    names = [objective.name for objective in history.start.objectives]
    rows = [
        {
            "trial": record.number,
            "fidelity": report.fidelity,
            "seconds": report.seconds,
            "time": report.time,
            **{f"metrics.{name}": value for name, value in report.metrics.items()},
            **{f"loss.{name}": loss for name, loss in zip(names, report.losses, strict=True)},
        }
        for record in history.records.values()
        for report in record.reports
    ]
    return pd.DataFrame(rows, columns=None if rows else REPORT_COLUMNS)
