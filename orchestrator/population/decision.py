"""How a member goes on after an interval, as it is decided, journaled and carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from search_spaces import Config


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
class Crossover:
    """Blocks of a second parent, which replace those of the weights that a member copies.

    Args:
        parent: the member whose blocks they are; neither the receiver nor its first parent.
        parent_generation: intervals that it had trained when it published them.
        blocks: names of the workload's blocks, at least one.
    """

    parent: int
    parent_generation: int
    blocks: tuple[str, ...]

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The crossover in a journal's line."""
        return cls(data["parent"], data["parent_generation"], tuple(data["blocks"]))


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
        change: how the weights that it goes on with are changed, after a crossover those of its blocks alone;
            None: they stay as they are.
        wait: intervals that it trains before it is decided on again.
        crossover: a second parent's blocks in the copied weights; None: they are the first parent's alone.
    """

    member: int
    generation: int
    parent: int
    config: Config
    parent_generation: int | None = None
    reborn: bool = False
    change: ShrinkPerturb | None = None
    wait: int = 1
    crossover: Crossover | None = None

    @property
    def copied(self) -> Mapping[int, int]:
        """The publications that it takes weights of: by member, the generation."""
        copied = {} if self.parent_generation is None else {self.parent: self.parent_generation}
        if self.crossover is not None:
            copied[self.crossover.parent] = self.crossover.parent_generation
        return copied

    @property
    def donors(self) -> frozenset[int]:
        """The other members whose weights it takes, whole or in part."""
        second = () if self.crossover is None else (self.crossover.parent,)
        return frozenset((self.parent, *second)) - {self.member}

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
        (why a copy that was decided on was not made); ``change``, ``wait`` and ``crossover`` where a method
        uses them.
        """
        return {
            "event": "decision",
            "member": self.member,
            "generation": self.generation,
            **self.entries(),
            "reason": reason,
        }

    def entries(self) -> dict[str, Any]:
        """What a journal's line says of it; what few methods use stands there only where one does."""
        entries: dict[str, Any] = {
            "parent": self.parent,
            "parent_generation": self.parent_generation,
            "next_config": dict(self.config),
            "reborn": self.reborn,
        }
        if self.change is not None:
            entries["change"] = asdict(self.change)
        if self.wait != 1:
            entries["wait"] = self.wait
        if self.crossover is not None:
            entries["crossover"] = asdict(self.crossover)
        return entries

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
            crossover=Crossover.from_data(event["crossover"]) if "crossover" in event else None,
        )
