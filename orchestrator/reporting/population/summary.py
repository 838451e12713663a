"""What a population study says when it begins and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.config.span import up_to
from orchestrator.engine.cluster import Cluster
from orchestrator.objective import in_own_direction
from orchestrator.population.coordination.messages import Outcome
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.reporting.lines import begins, idle_gpus, places
from orchestrator.reporting.scales import objective_label
from orchestrator.run.directory import RunDirectory
from orchestrator.run.resume_command import resume_command
from orchestrator.text import aligned, number, setting
from workloads.contract import Objective

SCHEDULE_ROWS = 16
"""How many rows of the best member's schedule are shown at most; the plot has all."""


def opening(study: Mapping[str, Any], path: Path, cluster: Cluster, islands: int, resume: bool) -> str:
    """One line: what runs where, and where it is kept."""
    population = study["population"]
    where = f"{up_to(study['cluster'], islands)} islands"
    work = f"{population['size']} members x {population['generations']} generations on {where}"
    if population["workers"] > 1:
        work += f" of {population['workers']} processes, which train each member together"
    idle = idle_gpus(study["cluster"], "island", islands * population["workers"], cluster)
    return begins(study, work, path, cluster, resume, idle)


def closing(
    history: PopulationHistory, outcome: Outcome, path: Path, view: str | None, study: Mapping[str, Any]
) -> Iterator[str]:
    """How the study ended, what came out, and what to do next; lines of text."""
    if outcome.failure is not None:
        yield f"failed: {outcome.failure}"
    elif not outcome.finished:
        saved = _saved(outcome)
        yield f"stopped after {history.generation} of {history.start.generations} generations; {saved}"
    best = history.best()
    if best is not None:
        yield from findings(history)
        yield "schedule of its hyperparameters:"
        yield from _schedule(history.start.unit, history.start.mutable, history.chain(best))
    if not outcome.finished:
        yield f"go on with: {resume_command(path, study)}"
    if RunDirectory(path).failures.exists():
        yield f"tracebacks of failed members: {RunDirectory(path).failures}"
    yield from places(path, "plots", "schedule.html")
    if view is not None:
        yield f"browse in MLflow: {view}"


def _saved(outcome: Outcome) -> str:
    if outcome.snapshot is None:
        return "no snapshot had been saved"
    low, high = min(outcome.snapshot.generations), max(outcome.snapshot.generations)
    return f"saved: every member at generation {low if low == high else f'{low} to {high}'}"


def headline(history: PopulationHistory) -> Iterator[str]:
    """The best value of the first objective in a sentence, with what it can be compared with."""
    best, objective = history.best(), history.start.objectives[0]
    if best is None:
        return
    start, first = history.start, history.losses(1)[:, 0]
    last = history.losses(history.generation)[:, 0] if history.generation else first
    parts = []
    if np.isfinite(last).any():
        parts.append(f"the members' median in the end is {_own(np.nanmedian(last), objective)}")
    if np.isfinite(first).any() and history.generation > 1:
        parts.append(f"the best after the first generation was {_own(np.nanmin(first), objective)}")
    compared = f"; {', '.join(parts)}" if parts else ""
    value, generations = _own(best.losses[0], objective), max(map(len, history.lives))
    yield (
        f"{objective_label(objective)}: {value}, the best of {start.size} members and {generations} "
        f"generations{compared}."
    )


def _own(loss: float, objective: Objective) -> str:
    return number(in_own_direction(float(loss), objective))


def findings(history: PopulationHistory) -> Iterator[str]:
    """What the best member reached, on held-out data too, and what it was born with; lines of text."""
    best = history.best()
    if best is None:
        return
    values = ", ".join(f"{name} {value:.4g}" for name, value in best.metrics.items())
    yield f"best member: {best.member} after generation {best.generation} ({values})"
    if history.final is not None and history.final["test"]:
        values = ", ".join(f"{name} {value:.4g}" for name, value in history.final["test"].items())
        yield f"held-out test: {values}"
    if len(history.models) > 1:
        yield f"models of the Pareto set: {len(history.models)}, in results/models.csv and results/models"
    fixed = {name: value for name, value in best.config.items() if name not in history.start.mutable}
    if fixed:
        yield "fixed at birth: " + ", ".join(f"{name} {setting(value)}" for name, value in fixed.items())


def _schedule(unit: str, mutable: Sequence[str], chain: Sequence[MemberInterval]) -> Iterator[str]:
    """A table of the hyperparameters along the best member's ancestry, one row for each change."""
    names = [name for name in mutable if any(name in record.config for record in chain)]
    last = [record for record, after in pairwise(chain) if _values(record, names) != _values(after, names)]
    rows = [
        [str(record.age), str(record.member), *(setting(value) for value in _values(record, names))]
        for record in [*last, chain[-1]]
    ]
    left_out = len(rows) - SCHEDULE_ROWS
    if left_out > 0:
        half = SCHEDULE_ROWS // 2
        rows[half : half + left_out] = [["…"] * len(rows[0])]
    yield from aligned([[f"until {unit}", "member", *names], *rows], keys=2)
    if left_out > 0:
        yield f"  ({left_out} rows are left out here; results/schedule.html shows all changes)"


def _values(record: MemberInterval, names: Sequence[str]) -> list[Any]:
    return [record.config.get(name, "-") for name in names]
