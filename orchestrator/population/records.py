"""A member's life as islands, the coordinator, the journal and everybody who reads it know it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from orchestrator.population.decision import Crossover, Decision, ShrinkPerturb
from search_spaces import Config

Rank = tuple[float, int, int]
"""Publications from the best: the first objective's loss, then generation and member, so that no two tie."""


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


@dataclass(frozen=True, slots=True, eq=False)
class MemberInterval:
    """One interval of one member's life: what it trained with, what it reached and how it goes on.

    At its end the member publishes. A copy is of one publication: its weights, the optimizer's state, the
    age and the hyperparameters.

    Args:
        member: the member's number.
        generation: intervals in the member's own life, this one included.
        age: training steps in its weights.
        seconds: how long the interval took.
        failure: why it failed, in one line; None where it did not.
        metrics: what the workload reported, by name, in its own units and directions.
        losses: one per objective, minimised; NaN after a failure.
        config: the hyperparameters it trained with.
        decision: how the member goes on.
        origin: the interval whose weights it trained on; None: it began with new weights.
        time: seconds since the epoch when the journal took it in; NaN before.
    """

    member: int
    generation: int
    age: int
    seconds: float
    failure: str | None
    metrics: Mapping[str, float]
    losses: tuple[float, ...]
    config: Config
    decision: Decision
    origin: MemberInterval | None = field(default=None, repr=False)
    time: float = math.nan

    @classmethod
    def of(
        cls,
        report: Report,
        config: Config,
        losses: Sequence[float],
        decision: Decision,
        origin: MemberInterval | None = None,
    ) -> Self:
        """What a report says of an interval, and what was decided after it."""
        return cls(
            member=report.member,
            generation=report.generation,
            age=report.age,
            seconds=report.seconds,
            failure=report.failure,
            metrics=report.metrics,
            losses=tuple(map(float, losses)),
            config=config,
            decision=decision,
            origin=origin,
        )

    def with_decision(self, decision: Decision) -> Self:
        """The same interval, after which the member goes on otherwise."""
        return replace(self, decision=decision)

    @property
    def parent(self) -> int:
        """The member whose weights it goes on with; itself where it keeps its own."""
        return self.decision.parent

    @property
    def parent_generation(self) -> int | None:
        """Which of the parent's publications that is; None where nothing is copied."""
        return self.decision.parent_generation

    @property
    def next_config(self) -> Config:
        """The hyperparameters that the member goes on with."""
        return self.decision.config

    @property
    def reborn(self) -> bool:
        """Whether the member goes on with new weights."""
        return self.decision.reborn

    @property
    def change(self) -> ShrinkPerturb | None:
        """How the weights that it goes on with are changed; None: not at all."""
        return self.decision.change

    @property
    def wait(self) -> int:
        """Intervals that the member trains before it is decided on again."""
        return self.decision.wait

    @property
    def crossover(self) -> Crossover | None:
        """The second parent's blocks in the weights that it goes on with; None: there are none."""
        return self.decision.crossover

    def is_publication_of(self, other: MemberInterval) -> bool:
        """Whether both are of one publication; what was decided after it may differ."""
        return self.place == other.place and self.metrics is other.metrics

    @property
    def discards(self) -> bool:
        """Whether the member does not train the very weights on that it has published."""
        return self.decision.discards

    @property
    def copies(self) -> bool:
        """Whether the member goes on with another member's weights."""
        return self.decision.copies

    @property
    def failed(self) -> bool:
        """Whether its weights are no use to anybody."""
        return any(map(math.isnan, self.losses))

    @property
    def place(self) -> tuple[int, int]:
        """The member and the generation of its life."""
        return self.member, self.generation

    @property
    def rank(self) -> Rank:
        """Its place among all publications that have not failed."""
        return self.losses[0], self.generation, self.member

    def to_event(self) -> dict[str, Any]:
        """The journal's line, which ``time`` is added to.

        Keys: event ("interval"), the attributes above without ``decision`` and ``origin``, and the decision's
        entries.
        """
        return {
            "event": "interval",
            "member": self.member,
            "generation": self.generation,
            "age": self.age,
            "metrics": dict(self.metrics),
            "seconds": self.seconds,
            "failure": self.failure,
            "config": dict(self.config),
            "losses": list(self.losses),
            **self.decision.entries(),
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any], objectives: int, origin: MemberInterval | None) -> Self:
        """The interval in a journal's line; one without losses failed."""
        return cls(
            member=event["member"],
            generation=event["generation"],
            age=event["age"],
            seconds=event["seconds"],
            failure=event["failure"],
            metrics=event["metrics"],
            losses=tuple(event["losses"]) or (math.nan,) * objectives,
            config=event["config"],
            decision=Decision.from_event(event),
            origin=origin,
            time=event["time"],
        )
