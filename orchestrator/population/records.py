"""What islands, the coordinator and the journal tell one another about members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from search_spaces import Config


@dataclass(frozen=True)
class Report:
    """What an island publishes about one member that has trained one interval.

    Args:
        member: the member's number, 0 to size - 1.
        generation: intervals that the member has trained in its own life, this one included; counts from 1.
        age: training steps in its weights; weights copied from another member bring their age along.
        metrics: what the workload reported, by name, in its own units and directions; empty after a failure.
        seconds: how long the interval took.
        failure: why the interval failed, in one line; None where it did not.
        traceback: where the workload raised; empty where it did not.
    """

    member: int
    generation: int
    age: int
    metrics: Mapping[str, float]
    seconds: float
    failure: str | None = None
    traceback: str = ""


@dataclass(frozen=True)
class Decision:
    """How a member goes on after a report.

    Args:
        member: whom it is about.
        generation: the generation it was made after.
        parent: the member whose weights it takes; itself where it keeps its own.
        config: the hyperparameters to train with from now on.
        parent_generation: intervals that the parent had trained when it published what is copied; None where
            nothing is.
        reborn: nobody healthy was there to copy, so the member starts afresh, from new weights.
    """

    member: int
    generation: int
    parent: int
    config: Config
    parent_generation: int | None = None
    reborn: bool = False

    @property
    def copies(self) -> bool:
        """Whether the member takes another member's weights."""
        return self.parent != self.member


def interval_event(report: Report, config: Config, losses: list[float], decision: Decision) -> dict[str, Any]:
    """The journal's line for one member-interval: what it trained with, what came out, how it goes on.

    Keys: event ("interval"), member, generation, age, metrics, seconds, failure, config (trained with),
    losses (minimised, one per objective), parent (whose weights it goes on with), parent_generation,
    next_config, reborn.
    """
    published = asdict(report)
    del published["traceback"]
    return {
        "event": "interval",
        **published,
        "config": dict(config),
        "losses": losses,
        "parent": decision.parent,
        "parent_generation": decision.parent_generation,
        "next_config": dict(decision.config),
        "reborn": decision.reborn,
    }


def decision_event(decision: Decision, reason: str | None = None) -> dict[str, Any]:
    """The journal's line for a decision that was made after its interval's line, whose own it replaces.

    Keys: event ("decision"), member, generation, parent, parent_generation, next_config, reborn, reason (why
    nothing was copied, where something was to be).
    """
    return {
        "event": "decision",
        "member": decision.member,
        "generation": decision.generation,
        "parent": decision.parent,
        "parent_generation": decision.parent_generation,
        "next_config": dict(decision.config),
        "reborn": decision.reborn,
        "reason": reason,
    }


def final_event(
    report: Report, config: Config, test: Mapping[str, float], weights: PurePath
) -> dict[str, Any]:
    """The journal's last line: the best member, its metrics, validated and held out, and its weights."""
    return {
        "event": "final",
        "member": report.member,
        "generation": report.generation,
        "config": dict(config),
        "metrics": dict(report.metrics),
        "test": dict(test),
        "weights": str(weights),
    }
