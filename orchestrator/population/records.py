"""A member's life as islands, the coordinator, the journal and everybody who reads it know it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from search_spaces import Config

Rank = tuple[float, int, int]
"""Publications from the best: the first objective's loss, then generation and member, so that no two tie."""


@dataclass(frozen=True)
class ShrinkPerturb:
    """A change of weights: ``keep * weights + noise * new weights`` (Ash and Adams 2020, arXiv 1910.08475).

    Args:
        keep: what is left of the weights, 0 to 1.
        noise: the share of newly initialised weights that is added, at least 0.
    """

    keep: float
    noise: float


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
    """How a member goes on after an interval.

    Args:
        member: whom it is about.
        generation: the generation it was made after.
        parent: the member whose weights it takes; itself where it keeps its own.
        config: the hyperparameters to train with from now on.
        parent_generation: intervals that the parent had trained when it published what is copied; None where
            nothing is.
        reborn: the member starts afresh, from new weights.
        change: how the weights that it goes on with are changed; None: they stay as they are.
        wait: intervals that it trains before it is decided on again.
    """

    member: int
    generation: int
    parent: int
    config: Config
    parent_generation: int | None = None
    reborn: bool = False
    change: ShrinkPerturb | None = None
    wait: int = 1

    @property
    def copies(self) -> bool:
        """Whether the member takes another member's weights."""
        return self.parent != self.member

    @property
    def discards(self) -> bool:
        """Whether the member does not train the very weights on that it has published."""
        return self.copies or self.reborn or self.change is not None

    def to_event(self, reason: str | None = None) -> dict[str, Any]:
        """The journal's line for a decision made after its interval's line, where it replaces the first one.

        Keys: event ("decision"), member, generation, parent, parent_generation, next_config, reborn, reason
        (why a copy that was decided on was not made); ``change`` and ``wait`` where a method uses them.
        """
        return {
            "event": "decision",
            "member": self.member,
            "generation": self.generation,
            **self.entries(),
            "reason": reason,
        }

    def entries(self) -> dict[str, Any]:
        """What a journal's line says of it; ``change`` and ``wait`` only where a method uses them."""
        entries: dict[str, Any] = {
            "parent": self.parent,
            "parent_generation": self.parent_generation,
            "next_config": dict(self.config),
            "reborn": self.reborn,
        }
        if self.change is not None:
            entries["change"] = asdict(self.change)
        return entries if self.wait == 1 else {**entries, "wait": self.wait}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The decision in a journal's line, that of an interval or its own."""
        return cls(
            member=event["member"],
            generation=event["generation"],
            parent=event["parent"],
            config=event["next_config"],
            parent_generation=event["parent_generation"],
            reborn=event["reborn"],
            change=ShrinkPerturb(**event["change"]) if "change" in event else None,
            wait=event.get("wait", 1),
        )


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
