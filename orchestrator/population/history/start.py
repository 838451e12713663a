"""What a population study is, as the first line of its journal says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.population.decision import ShrinkPerturb
from workloads.contract import Objective


@dataclass(frozen=True)
class StudyStart:
    """A population study.

    Args:
        size: members in the population.
        generations: intervals in each member's life.
        interval: training per generation, in ``unit`` s of fidelity.
        mutable: hyperparameters that change while training runs.
        log_parameters: hyperparameters that are searched on a logarithmic scale.
        time: seconds since the epoch.
        at_birth: how the study's schedule changes new weights; None: not at all.
    """

    study: str
    seed: int
    size: int
    generations: int
    interval: int
    synchronous: bool
    islands: int
    unit: str
    objectives: tuple[Objective, ...]
    mutable: tuple[str, ...]
    parameters: tuple[str, ...]
    log_parameters: tuple[str, ...]
    time: float
    at_birth: ShrinkPerturb | None = None

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        return cls(
            study=event["study"],
            seed=event["seed"],
            size=event["size"],
            generations=event["generations"],
            interval=event["interval"],
            synchronous=event["synchronous"],
            islands=event["islands"],
            unit=event["unit"],
            objectives=tuple(Objective(**objective) for objective in event["objectives"]),
            mutable=tuple(event["mutable"]),
            parameters=tuple(event["parameters"]),
            log_parameters=tuple(event.get("log_parameters", ())),
            time=event["time"],
            at_birth=ShrinkPerturb(**event["at_birth"]) if "at_birth" in event else None,
        )
