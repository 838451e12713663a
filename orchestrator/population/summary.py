"""What a population study says when it begins and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.cluster import Cluster
from orchestrator.population.history import MemberInterval, PopulationHistory
from orchestrator.population.messages import Outcome
from orchestrator.resume_command import resume_command
from orchestrator.text import aligned, setting

SCHEDULE_ROWS = 6
"""How many points of the best member's schedule are shown; the plots have all."""


def opening(study: Mapping[str, Any], path: Path, cluster: Cluster, islands: int, resume: bool) -> str:
    """One line: what runs where, and where it is kept."""
    population = study["population"]
    where = study["cluster"]["address"] or "local Ray"
    dashboard = f", dashboard {cluster.dashboard} (token: ray get-auth-token)" if cluster.dashboard else ""
    return (
        f"{'resuming' if resume else 'study'} {study['study']['name']}: {population['size']} members x "
        f"{population['generations']} generations on {islands} islands ({where}{dashboard}); "
        f"run directory {path}"
    )


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
        yield from _best(history, best)
    if not outcome.finished:
        yield how_to_resume(path, study)
    yield f"run directory: {path}"
    if view is not None:
        yield f"browse in MLflow: {view}"


def how_to_resume(path: Path, study: Mapping[str, Any]) -> str:
    """The command that goes on with a run."""
    return f"go on with: {resume_command(path, study)}"


def _saved(outcome: Outcome) -> str:
    if outcome.snapshot is None:
        return "no snapshot had been saved"
    low, high = min(outcome.snapshot.generations), max(outcome.snapshot.generations)
    return f"saved: every member at generation {low if low == high else f'{low} to {high}'}"


def _best(history: PopulationHistory, best: MemberInterval) -> Iterator[str]:
    values = ", ".join(f"{name} {value:.4g}" for name, value in best.metrics.items())
    yield f"best member: {best.member} after generation {best.generation} ({values})"
    if history.final is not None and history.final["test"]:
        values = ", ".join(f"{name} {value:.4g}" for name, value in history.final["test"].items())
        yield f"held-out test: {values}"
    fixed = {name: value for name, value in best.config.items() if name not in history.start.mutable}
    if fixed:
        yield "fixed at birth: " + ", ".join(f"{name} {setting(value)}" for name, value in fixed.items())
    yield "schedule of its hyperparameters:"
    yield from _schedule(history.start.unit, history.start.mutable, history.chain(best))


def _schedule(unit: str, mutable: Sequence[str], chain: Sequence[MemberInterval]) -> Iterator[str]:
    """A table of the hyperparameters along the best member's ancestry."""
    chosen = np.unique(np.linspace(0, len(chain) - 1, SCHEDULE_ROWS).round().astype(int))
    names = [name for name in mutable if any(name in record.config for record in chain)]
    rows = [[f"until {unit}", "member", *names]]
    for record in (chain[index] for index in chosen):
        values = [setting(record.config.get(name, "-")) for name in names]
        rows.append([str(record.age), str(record.member), *values])
    yield from aligned(rows)
