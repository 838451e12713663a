"""A population study's history as data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from workloads.contract import Objective

COLUMNS = ["member", "generation", "age", "seconds", "time", "failure", "parent", "reborn"]


def intervals(history: PopulationHistory) -> pd.DataFrame:
    """One row per valid member-interval, ordered by generation and member.

    Columns: member, generation (in the member's own life, from 1), age (training in its weights, in the
    study's unit), seconds, time (seconds since the epoch), failure, parent (whose weights it goes on with),
    reborn, ``metric.<name>`` (own units and direction), ``loss.<objective>`` (minimised) and
    ``config.<hyperparameter>`` (what it trained with). Missing values are NaN or None.
    """
    objectives = history.start.objectives
    rows = [
        {
            "member": record.member,
            "generation": record.generation,
            "age": record.age,
            "seconds": record.seconds,
            "time": record.time,
            "failure": record.failure,
            "parent": record.parent,
            "reborn": record.reborn,
            **{f"metric.{name}": value for name, value in record.metrics.items()},
            **_losses("loss", record, objectives),
            **{f"config.{name}": value for name, value in record.config.items()},
        }
        for record in history.records()
    ]
    return pd.DataFrame(rows, columns=None if rows else COLUMNS)


def models(history: PopulationHistory) -> pd.DataFrame:
    """One row per trained model that a complete study keeps, the best one first; empty before its end.

    Several objectives: their Pareto set of all generations, up to ``population.archive`` models. Columns:
    file (below the folder of results), member, generation (which publication it is), ``config.<name>`` (what
    it trained its last interval with), ``metric.<name>`` on validation data and ``test.<name>`` on held-out
    data, in their own units and directions.
    """
    rows = [
        {
            "file": f"models/{number}.pt",
            "member": model["member"],
            "generation": model["generation"],
            **{f"config.{name}": value for name, value in model["config"].items()},
            **{f"metric.{name}": value for name, value in model["metrics"].items()},
            **{f"test.{name}": value for name, value in model["test"].items()},
        }
        for number, model in enumerate(history.models)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["file", "member", "generation"])


def lineage(history: PopulationHistory) -> pd.DataFrame:
    """One row per copy or rebirth, ordered by generation and member; who is not listed keeps its own weights.

    Columns: generation (after which it happened, in the member's own life), member, parent (itself when
    reborn), parent_generation (how far the parent was), reborn, ``loss.<objective>`` and
    ``parent_loss.<objective>`` (minimised). Where blocks crossed in the study: second_parent,
    second_parent_generation, and blocks (names that came from it, with commas). Missing values are NaN or NA.
    """
    rows = []
    for record in history.records():
        if not (record.copies or record.reborn):
            continue
        source = history.source(record)
        rows.append(
            {
                "generation": record.generation,
                "member": record.member,
                "parent": record.parent,
                "parent_generation": source.generation if source else None,
                "reborn": record.reborn,
                **_losses("loss", record, history.start.objectives),
                **_losses("parent_loss", source, history.start.objectives),
                **_second(record),
            }
        )
    names = [objective.name for objective in history.start.objectives]
    columns = ["generation", "member", "parent", "parent_generation", "reborn"]
    columns += [f"{prefix}.{name}" for prefix in ("loss", "parent_loss") for name in names]
    whole = ["parent_generation"]
    if any("second_parent" in row for row in rows):
        columns += ["second_parent", "second_parent_generation", "blocks"]
        whole += columns[-3:-1]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(whole, "Int64"))


def _second(record: MemberInterval) -> dict[str, Any]:
    """A copy's second parent; empty where no blocks crossed."""
    if record.crossover is None:
        return {}
    return {
        "second_parent": record.crossover.parent,
        "second_parent_generation": record.crossover.parent_generation,
        "blocks": ", ".join(record.crossover.blocks),
    }


def _losses(prefix: str, record: MemberInterval | None, objectives: Sequence[Objective]) -> dict[str, Any]:
    values = record.losses if record else (float("nan"),) * len(objectives)
    return {f"{prefix}.{objective.name}": value for objective, value in zip(objectives, values, strict=True)}
