"""What a search study says when it begins and when it ends."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.config.span import up_to
from orchestrator.engine.cluster import Cluster
from orchestrator.objective import in_own_direction
from orchestrator.reporting.lines import begins, idle_gpus, places
from orchestrator.run.directory import RunDirectory
from orchestrator.run.resume_command import resume_command
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.search.history.standings import standings
from orchestrator.search.trials.trial_run import Repeats
from orchestrator.text import aligned, number, setting

_PLANNED = "num_workers"
"""The argument that tells an optimizer how many trials will run at a time."""

INTERRUPTION = "interrupted"
"""The reason of a stop after which the study can go on."""

MOST_REASONS = 5
"""How many reasons for failures are shown; the results have all."""

FRONT_ROWS = 10
"""How many members of the Pareto set are shown; the results have all."""


def opening(study: Mapping[str, Any], path: Path, cluster: Cluster, slots: int, resume: bool) -> str:
    """What runs where, and where it is kept; one more line where the optimizer plans for less, and one on how
    to watch the study in Optuna, where that is wanted.

    Args:
        slots: how many trials can run at a time.
    """
    idle = idle_gpus(study["cluster"], "trial", slots * study["search"]["workers"], cluster)
    work = f"{study['search']['trials']} trials, {up_to(study['cluster'], slots)} at a time"
    line = begins(study, work, path, cluster, resume, idle)
    if study["search"]["export_optuna"]:
        line = f"{line}\nwatch in Optuna: {_dashboard(path)}"
    planned = study["optimizer"].get(_PLANNED)
    if not isinstance(planned, int) or planned >= slots:
        return line
    return (
        f"{line}\nthe optimizer plans for {planned} at a time and may wait for results; "
        f"optimizer.{_PLANNED}={slots} lets {slots} run"
    )


def _dashboard(path: Path) -> str:
    """The command that opens the study in optuna-dashboard."""
    return f"optuna-dashboard {shlex.quote(str(RunDirectory(path).optuna))}"


def closing(
    history: SearchHistory,
    finished: bool,
    path: Path,
    view: str | None = None,
    study: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """How the study ended, what came out, and what to do next; lines of text.

    Args:
        finished: whether every trial that the study can have has ended.
        path: the run directory.
        view: how to browse the record in MLflow; None: there is none.
        study: the resolved configuration, which says what the command to go on needs.
    """
    again = resume_command(path, study)
    yield from _ended(history, finished, again)
    yield from _troubles(history, path)
    yield from _repeated(history)
    yield from _finalists(history)
    yield from _best(history)
    if kept := len(list((path / "results" / "models").glob("*.pt"))):
        yield f"models of the best trials: {kept}, in results/models.csv and results/models"
    if finished and (history.lost or history.finals.lost):
        yield f"try the lost trials again with: {again}"
    if not finished:
        yield f"go on with: {again}"
    yield from places(path, "plots", "study.html")
    if RunDirectory(path).optuna.exists():
        yield f"browse in Optuna: {_dashboard(path)}"
    if view is not None:
        yield f"browse in MLflow: {view}"


def _ended(history: SearchHistory, finished: bool, again: str) -> Iterator[str]:
    """Why the study ended before it had all its trials, and how these ended.

    Args:
        again: the command that goes on with it.
    """
    trials = history.trials
    if not finished and history.stopped not in (None, INTERRUPTION):
        yield f"ended early: {history.stopped}; mend the cause before you go on"
    elif not finished:
        yield f"stopped after {len(trials)} of {history.start.trials} trials"
    elif history.spent:
        yield f"a budget is spent: {history.spent}; go on with another by: {again}"
    elif len(trials) < history.start.trials:
        yield history.gave_up or "the optimizer has tried the whole search space"
    counts = Counter(trial.status for trial in trials)
    yield "trials: " + (", ".join(f"{count} {status}" for status, count in counts.items()) or "none ended")


def _troubles(history: SearchHistory, path: Path) -> Iterator[str]:
    """Why trials failed, were lost or began anew."""
    yield from _reasons("failed", history.failures)
    if history.failures and RunDirectory(path).failures.exists():
        yield f"tracebacks: {RunDirectory(path).failures}"
    yield from _reasons("lost", history.lost | history.finals.lost)
    yield from _reasons("began anew, without their checkpoints", history.anew)
    if history.unsaved:
        yield f"trials leave no checkpoints: {history.unsaved}"


def _repeated(history: SearchHistory) -> Iterator[str]:
    """How many trials had a configuration that had been tried, and what became of them."""
    repeats = Repeats()
    repeated = sum(repeats.count(one.config, one.fidelity) > 0 for one in history.records.values())
    reused = sum(one.reused is not None for one in history.records.values())
    if reused:
        yield f"{reused} of the trials take the result of an earlier one, since no seed would change it"
    if repeated > reused:
        yield f"{repeated - reused} of the trials repeat an earlier configuration, with another seed"


def _reasons(verb: str, reasons: Mapping[int, str]) -> Iterator[str]:
    """The most frequent reasons, and how many trials had others."""
    counts = Counter(reasons.values()).most_common()
    for reason, count in counts[:MOST_REASONS]:
        yield f"{verb} ({count}): {reason}"
    if others := sum(count for _, count in counts[MOST_REASONS:]):
        yield f"{verb} ({others}): for other reasons, which results/trials.parquet has"


def _finalists(history: SearchHistory) -> Iterator[str]:
    """What the best trials reached in the search, and with new seeds."""
    found = standings(history)
    if not found:
        return
    seeds = "one new seed" if history.finals.plan and history.finals.plan.seeds == 1 else "new seeds"
    yield f"finalists, evaluated again with {seeds}:"
    objectives = history.start.objectives
    rows = [["trial", *(text for one in objectives for text in (one.name, "in the search")), ""]]
    for one in found:
        values = [text for place in range(len(objectives)) for text in one.texts(place)]
        rows.append([str(one.number), *values, one.reason or ("best" if one.best else "")])
    yield from (line.rstrip() for line in aligned(rows))


def _best(history: SearchHistory) -> Iterator[str]:
    front, knee = history.pareto(), history.knee()
    if knee is None:
        yield "no feasible trial was trained fully"
        return
    if len(history.start.objectives) > 1:
        shown, volume = _thinned(front, knee), history.hypervolume()
        part = f"; {len(shown)} of them are" if len(shown) < len(front) else ""
        yield f"Pareto set: {len(front)} trials, hypervolume {number(volume)}{part}"
        if volume == 0:
            yield _why_zero(history)
        yield from _table(history, shown, knee)
        yield f"knee point, the best trade-off: trial {knee.number}"
    else:
        objective = history.start.objectives[0]
        mean = ", the mean of its evaluations" if knee is not history.records[knee.number] else ""
        yield f"best trial: {knee.number} ({objective.name} {number(float(history.best()[0]))}{mean})"
    yield "hyperparameters: " + ", ".join(f"{name} {setting(value)}" for name, value in knee.config.items())
    if knee.test:
        yield "held-out test: " + ", ".join(f"{name} {number(value)}" for name, value in knee.test.items())


def _why_zero(history: SearchHistory) -> str:
    named = zip(history.start.objectives, history.reference(), strict=True)
    point = ", ".join(f"{objective.name} {number(float(value))}" for objective, value in named)
    return (
        f"the hypervolume is 0 because no trial is better than the reference point ({point}) in every "
        "objective; search.reference sets another"
    )


def _thinned(front: Sequence[TrialRecord], knee: TrialRecord) -> list[TrialRecord]:
    """At most :data:`FRONT_ROWS`, spread along the front, with both ends and the knee."""
    places = np.unique(np.linspace(0, len(front) - 1, FRONT_ROWS).round().astype(int))
    inner = next(place for place, record in enumerate(front) if record is knee)
    if inner not in places:  # then it is between the ends, and takes the place of the nearest between them
        places[1 + np.argmin(np.abs(places[1:-1] - inner))] = inner
    return [front[place] for place in np.sort(places)]


def _table(history: SearchHistory, records: Sequence[TrialRecord], knee: TrialRecord) -> Iterator[str]:
    objectives = history.start.objectives
    rows = [["trial", *(f"{one.name} {'↑' if one.direction == 'max' else '↓'}" for one in objectives), ""]]
    for record in records:
        losses = record.trial.losses if record.trial else ()
        values = [number(in_own_direction(*pair)) for pair in zip(losses, objectives, strict=True)]
        rows.append([str(record.number), *values, "knee" if record is knee else ""])
    yield from (line.rstrip() for line in aligned(rows))
