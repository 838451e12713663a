"""Whether the schedule that a population found holds: one model, trained with it from scratch, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.config.workload import prepare_workload
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.objective import sign
from orchestrator.population.assemble import PopulationParts
from orchestrator.population.history import PopulationHistory
from orchestrator.population.trajectory import (
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
from orchestrator.run.results import replacing
from orchestrator.search.trial_run import reason_of
from search_spaces import ConfigurationError
from workloads.contract import Device, Objective, Workload

TABLE = "replay.csv"


def replay_study(study: Mapping[str, Any], parts: Any, seeds: int, say: Callable[[str], None]) -> int:
    """Train the schedule of a complete population study over several seeds, and say whether it holds.

    The models train where the study's islands did: on a GPU if ``cluster.gpus_per_island`` says so.

    Args:
        study: the run's configuration, resolved, as plain data.
        parts: what the study is made of.
        seeds: models that are trained, each with a seed of its own.
        say: takes lines for people.

    Returns:
        The program's exit code: 1 where no model could be trained.

    Raises:
        ConfigurationError: the run is no population study, has not ended, nothing in it succeeded, or what
            its workload needs cannot be had, a GPU included.
    """
    run = RunDirectory(Path(study["run"]["dir"]))
    history, trajectory = _found(run, parts)
    training = sum(segment.amount for segment in trajectory.segments)
    say(
        f"{history.start.study}: {len(trajectory.segments)} configurations over {training} "
        f"{trajectory.unit}s, {seeds} seeds"
    )
    prepare_workload(parts.workload)
    device = prepare_device(Share.of(study["cluster"], "island"), study["deterministic"])
    replays = []
    for number in range(seeds):
        one = _replayed(parts.workload, trajectory, user_seed(study["seed"], "replay", number), device)
        said = one if isinstance(one, str) else _reached(one, parts.objectives[0])
        say(f"  {number + 1} of {seeds}: {said}")
        replays += [one] if isinstance(one, Replayed) else []
    if not replays:
        say("every model failed, so the score does not hold")
        return 1
    _write(run.results / TABLE, replays)
    failed = f" ({seeds - len(replays)} of {seeds} models failed)" if len(replays) < seeds else ""
    say(in_words(judge_replays(trajectory, replays), parts.objectives[0]) + failed)
    return 0


def _found(run: RunDirectory, parts: Any) -> tuple[PopulationHistory, Trajectory]:
    """What a complete population study found.

    Raises:
        ConfigurationError: the run is none, or nothing in it succeeded.
    """
    if not isinstance(parts, PopulationParts):
        raise ConfigurationError("replay", "a population study", str(run.path))
    if not run.journal.exists() or not run.journal.stat().st_size:
        raise ConfigurationError("replay", "a study that has begun", str(run.path))
    history = PopulationHistory.from_events(read_events(run))
    if history.final is None:
        hint = f"to complete it: python -m orchestrator resume {run.path}"
        raise ConfigurationError("replay", "a study that is complete", str(run.path), hint)
    trajectory = trajectory_of(history)
    if trajectory is None:
        raise ConfigurationError("replay", "a study in which a member succeeded", str(run.path))
    return history, trajectory


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


def in_words(verdict: Verdict, objective: Objective) -> str:
    """The verdict in one line, in the objective's own direction."""
    found, mean = _value(verdict.found, objective), _value(verdict.mean, objective)
    reached = f"the population's best {objective.name} was {found:.6g}; with its schedule alone: {mean:.6g}"
    if verdict.seeds == 1:
        return f"{reached} (one seed, so nothing is known of the spread)"
    reached += f" ± {verdict.deviation:.2g} over {verdict.seeds} seeds"
    if verdict.holds:
        return f"{reached}. The score holds: it is within two standard deviations, or surpassed"
    gap = abs(mean - found)
    return f"{reached}. The score does not hold: the schedule alone is {gap:.3g} worse"


def _value(loss: float, objective: Objective) -> float:
    return sign(objective) * loss


def _write(path: Path, replays: list[Replayed]) -> None:
    import pandas as pd

    rows = [{"seed": one.seed, **one.metrics, **one.test} for one in replays]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        pd.DataFrame(rows).to_csv(part, index=False)
