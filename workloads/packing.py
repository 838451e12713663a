"""Workloads that can train many members as one vectorised program, as those who host members see them.

Knows nothing of torch, so that whoever hosts members needs none before the first of them starts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, Self, runtime_checkable

from search_spaces import Config, ConfigurationError
from workloads.contract import Device, Metrics, Session, Workload

Engine = Literal["loop", "packed", "compiled"]
"""How members train: one after the other, as one program, or as one program that is compiled first."""


@dataclass(frozen=True)
class EngineChoice:
    """How the members of a study train.

    Args:
        engine: the engine.
        reason: why, in one line.
        rates: measured member-steps per second, by engine.
        least: the smallest number of members with the same static key that train together.
    """

    engine: Engine
    reason: str
    rates: Mapping[str, float] = field(default_factory=dict)
    least: int = 2

    def event(self) -> dict[str, Any]:
        """The journal's line."""
        return {"event": "engine", **asdict(self)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The choice that a line of the journal tells."""
        return cls(event["engine"], event["reason"], event["rates"], event["least"])


@dataclass(frozen=True)
class Course:
    """What a pack will have to do.

    Args:
        interval: units of fidelity between two evaluations.
        intervals: how many of them each member still trains.
    """

    interval: int
    intervals: int


class NoRoomError(ConfigurationError):
    """There is no memory for the members."""


class Pack(Protocol):
    """Sessions that train together."""

    @property
    def sessions(self) -> tuple[Session, ...]: ...

    @property
    def fallback(self) -> str | None:
        """Why the sessions train one after the other after all; None while they do not."""
        ...

    @property
    def no_room(self) -> bool:
        """Whether that was for lack of memory, which may be there later."""
        ...

    def advance(self, amount: int) -> list[Metrics | Exception]:
        """What ``advance`` returns, or raises, of every session."""
        ...

    def copy(self, receivers: Sequence[int], donors: Sequence[int]) -> None:
        """Let sessions go on from others, by their places in the pack; as ``load(state())`` of each would."""
        ...


class Packer(Protocol):
    """Makes packs for one host, and keeps what they can share."""

    def pack(self, sessions: Sequence[Session]) -> Pack:
        """Sessions of one static key as a pack. They can leave it again for another.

        Raises:
            NoRoomError: there is no memory for them.
            RuntimeError: they do not train together as they do alone.
        """
        ...


@runtime_checkable
class PackableWorkload(Workload, Protocol):
    """A workload whose members can train together."""

    def static_key(self, config: Config) -> Hashable:
        """What members must share to train together."""
        ...

    def choose_engine(
        self, configs: Sequence[Config], device: Device, course: Course, *, may_loop: bool
    ) -> EngineChoice:
        """The fastest engine for these members on this device, found by trying.

        Args:
            configs: of the members that one host trains.
            course: what lies before them; short courses are not worth much trying.
            may_loop: whether the loop may be chosen although the members can be packed.

        Raises:
            NoRoomError: there is no memory for them.
        """
        ...

    def packer(self, engine: Engine, device: Device) -> Packer:
        """For members that train with ``engine``, which is not the loop."""
        ...
