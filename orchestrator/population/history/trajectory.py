"""What the best weights of a population went through, which one model can repeat from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from orchestrator.objective import losses
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.population.schedule import Schedule, Segment
from orchestrator.randomness import user_seed
from workloads.capabilities import PerturbableSession, TestableSession
from workloads.contract import Device, Workload
from workloads.outcomes import numbers


@dataclass(frozen=True)
class Trajectory(Schedule):
    """What weights of a population were trained with, from their initialisation on.

    Args:
        losses: what the member that had them reached, one per objective, minimised.
    """

    losses: tuple[float, ...]


def trajectory_of(history: PopulationHistory) -> Trajectory | None:
    """The trajectory of a study's best weights; None where every interval failed."""
    best = history.best()
    return None if best is None else trajectory_to(history, best)


def trajectory_to(history: PopulationHistory, end: MemberInterval) -> Trajectory:
    """The trajectory of the weights that a member had after one of its intervals.

    Where blocks crossed, no single model went through all of it: the trajectory is the first parents', of a
    model that has the last one's architecture from the beginning.
    """
    segments: list[Segment] = []
    for interval in history.chain(end):
        life, amount = history.lives[interval.member], history.start.interval
        before = life[interval.generation - 2].decision if interval.generation > 1 else None
        change = before.change if before is not None and before.crossover is None else None
        if interval.origin is None and change is None:
            change = history.start.at_birth
        last = segments[-1] if segments else None
        config = _built_as(end, interval, history.start.mutable)
        if last is not None and change is None and last.config == config:
            segments[-1] = replace(last, amount=last.amount + amount, intervals=last.intervals + 1)
        else:
            segments.append(Segment(amount, 1, config, change))
    return Trajectory(history.start.unit, tuple(segments), end.losses)


def _built_as(end: MemberInterval, interval: MemberInterval, mutable: Sequence[str]) -> dict[str, Any]:
    """An interval's configuration; of another build than the last one's, only what is mutable in it."""
    config, goal = dict(interval.config), end.config
    if all(config.get(name) == goal.get(name) for name in {**config, **goal} if name not in mutable):
        return config
    return {name: config.get(name, value) if name in mutable else value for name, value in goal.items()}


@dataclass(frozen=True)
class Replayed:
    """One model trained along a trajectory.

    Args:
        seed: of its initialisation and everything that it draws.
        losses: in the end, one per objective, minimised.
        metrics: in the end, as the workload reports them.
        test: on held-out data; empty where the workload keeps none.
    """

    seed: int
    losses: tuple[float, ...]
    metrics: Mapping[str, float]
    test: Mapping[str, float]


def replay(workload: Workload, trajectory: Trajectory, seed: int, device: Device) -> Replayed:
    """Train one model from scratch along a trajectory.

    Args:
        workload: what the population trained.
        trajectory: with at least one segment.
        seed: another one is another initialisation.
        device: where it is trained.

    Raises:
        Exception: what the training raised.
    """
    first, *_ = trajectory.segments
    session = workload.start(workload.space.meant(first.config), seed, device)
    metrics: Mapping[str, float] = {}
    for number, segment in enumerate(trajectory.segments):
        if number:
            session.configure(workload.space.meant(segment.config))
        if segment.change is not None and isinstance(session, PerturbableSession):
            session.perturb(segment.change.keep, segment.change.noise, user_seed(seed, "perturb", number))
        for _ in range(segment.intervals):
            metrics = session.advance(segment.amount // segment.intervals)
    reached = numbers(metrics)
    test = session.test() if isinstance(session, TestableSession) else {}
    return Replayed(
        seed,
        tuple(losses(reached, workload.objectives).tolist()),
        reached,
        numbers(test),
    )


@dataclass(frozen=True)
class Verdict:
    """Whether a schedule that a population found holds for other seeds, in its first objective.

    Args:
        found: the population's best loss.
        mean: of the replays' losses.
        deviation: their standard deviation, with one degree of freedom taken off; NaN for a single one.
        seeds: replays.
    """

    found: float
    mean: float
    deviation: float
    seeds: int

    @property
    def holds(self) -> bool:
        """Whether the population's best is within two standard deviations of the replays, or worse."""
        return bool(self.found >= self.mean - 2 * self.deviation)


def judge_replays(trajectory: Trajectory, replays: list[Replayed]) -> Verdict:
    """Compare replays with what the population reached.

    The population's best is the best of many evaluations, so it is lucky: replays that do as well on average
    say more for the schedule than it claimed.
    """
    values = np.array([one.losses[0] for one in replays])
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Verdict(trajectory.losses[0], float(values.mean()), spread, len(values))
