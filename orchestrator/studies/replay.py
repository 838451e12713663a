"""Whether what a study found holds: one model, trained with it from scratch, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.objective import sign
from orchestrator.population.assemble import PopulationParts
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.history.trajectory import (
    Replayed,
    Trajectory,
    Verdict,
    judge_replays,
    replay,
    trajectory_of,
)
from orchestrator.randomness import user_seed
from orchestrator.reporting.stored import read_events
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event
from orchestrator.run.results import replacing
from orchestrator.search.assemble import SearchParts
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.trials.repeat import chosen, trajectory_of_trial
from orchestrator.search.trials.trial_run import reason_of
from search_spaces import ConfigurationError
from workloads.contract import Device, Objective, Workload

TABLE = "replay.csv"


@dataclass(frozen=True)
class _Found:
    """What is trained again.

    Args:
        study: its name.
        trajectory: what the model is trained with.
        unit: what the study gave a model to train on, which a replay gets too.
        best: what reached the score that is compared.
        by: what a replay repeats of it.
    """

    study: str
    trajectory: Trajectory
    unit: Literal["island", "trial"]
    best: str
    by: str


def replay_study(
    study: Mapping[str, Any], parts: Any, seeds: int, say: Callable[[str], None], trial: int | None = None
) -> int:
    """Train what a complete study found over several seeds, and say whether its score holds.

    The models train where the study's islands or trials did: on a GPU if ``cluster.gpus_per_island``, or
    ``cluster.gpus_per_trial``, says so.

    Args:
        study: the run's configuration, resolved, as plain data.
        parts: what the study is made of.
        seeds: models that are trained, each with a seed of its own.
        say: takes lines for people.
        trial: which of a search's trials; None: the best one.

    Returns:
        The program's exit code: 1 where no model could be trained.

    Raises:
        ConfigurationError: the run is a benchmark, has not ended, nothing in it succeeded, or what its
            workload needs cannot be had, a GPU included.
    """
    run = RunDirectory(Path(study["run"]["dir"]))
    found = _found(run, parts, trial)
    segments, unit = found.trajectory.segments, found.trajectory.unit
    training = sum(segment.amount for segment in segments)
    many = "s" * (len(segments) != 1)
    say(f"{found.study}: {len(segments)} configuration{many} over {training} {unit}s, {seeds} seeds")
    prepare_workload(parts.workload)
    device = prepare_device(Share.of(study["cluster"], found.unit), study["deterministic"])
    replays = []
    for number in range(seeds):
        one = _replayed(parts.workload, found.trajectory, user_seed(study["seed"], "replay", number), device)
        said = one if isinstance(one, str) else _reached(one, parts.objectives[0])
        say(f"  {number + 1} of {seeds}: {said}")
        replays += [one] if isinstance(one, Replayed) else []
    if not replays:
        say("every model failed, so the score does not hold")
        return 1
    _write(run.results / TABLE, replays)
    failed = f" ({seeds - len(replays)} of {seeds} models failed)" if len(replays) < seeds else ""
    verdict = judge_replays(found.trajectory, replays)
    say(in_words(verdict, parts.objectives[0], found.best, found.by) + failed)
    return 0


def _found(run: RunDirectory, parts: Any, trial: int | None) -> _Found:
    """What a complete study found.

    Raises:
        ConfigurationError: the run is a benchmark, has not ended, or nothing in it succeeded.
    """
    if not isinstance(parts, PopulationParts | SearchParts):
        raise ConfigurationError("replay", "a population study or a search", str(run.path))
    if not run.journal.exists() or not run.journal.stat().st_size:
        raise ConfigurationError("replay", "a study that has begun", str(run.path))
    if isinstance(parts, SearchParts):
        return _found_by_search(run, parts, trial)
    if trial is not None:
        raise ConfigurationError("--trial", "none, since a population has members", trial)
    history = PopulationHistory.from_events(read_events(run))
    _check_complete(history.final, run)
    trajectory = trajectory_of(history)
    if trajectory is None:
        raise ConfigurationError("replay", "a study in which a member succeeded", str(run.path))
    return _Found(history.start.study, trajectory, "island", "the population's best", "schedule")


def _found_by_search(run: RunDirectory, parts: SearchParts, trial: int | None) -> _Found:
    history = SearchHistory.from_events(read_events(run))
    _check_complete(history.final, run)
    record = chosen(history, trial)
    trajectory = trajectory_of_trial(history, record, parts.followed)
    return _Found(history.start.study, trajectory, "trial", f"trial {record.number}'s", "configuration")


def _check_complete(final: Event | None, run: RunDirectory) -> None:
    if final is None:
        hint = f"to complete it: python -m orchestrator resume {run.path}"
        raise ConfigurationError("replay", "a study that is complete", str(run.path), hint)


def _replayed(workload: Workload, trajectory: Trajectory, seed: int, device: Device) -> Replayed | str:
    """One model, or why it failed."""
    try:
        one = replay(workload, trajectory, seed, device)
    except Exception as error:  # noqa: BLE001 - a user's training may raise anything
        return f"failed: {reason_of(error)}"
    return one if np.isfinite(one.losses).all() else "failed: its objective is not finite"


def _reached(one: Replayed, objective: Objective) -> str:
    test = "".join(f", {name} {value:.6g}" for name, value in one.test.items())
    return f"{objective.name} {_value(one.losses[0], objective):.6g}{test}"


def in_words(
    verdict: Verdict, objective: Objective, best: str = "the population's best", by: str = "schedule"
) -> str:
    """The verdict in one line, in the objective's own direction.

    Args:
        best: what reached the score that replays are compared with.
        by: what they repeat of it.
    """
    found, mean = _value(verdict.found, objective), _value(verdict.mean, objective)
    reached = f"{best} {objective.name} was {found:.6g}; with its {by} alone: {mean:.6g}"
    if verdict.seeds == 1:
        return f"{reached} (one seed, so nothing is known of the spread)"
    reached += f" ± {verdict.deviation:.2g} over {verdict.seeds} seeds"
    if verdict.holds:
        return f"{reached}. The score holds: it is within two standard deviations, or surpassed"
    gap = abs(mean - found)
    return f"{reached}. The score does not hold: the {by} alone is {gap:.3g} worse"


def _value(loss: float, objective: Objective) -> float:
    return sign(objective) * loss


def _write(path: Path, replays: list[Replayed]) -> None:
    import pandas as pd

    rows = [{"seed": one.seed, **one.metrics, **one.test} for one in replays]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        pd.DataFrame(rows).to_csv(part, index=False)
