"""Errors that break an island's device: whose training caused them, and what follows from that.

A broken GPU context stays broken, so the island's process ends and is started again; its members go on from
a snapshot. The first time may be the machine's fault: the suspects train again, each alone, so that a second
time names the one. If the device breaks again while that member trains with the same hyperparameters, this
counts as the member's failure: from then on it is not trained with them, and evolution replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from orchestrator.run.journal import Event
from search_spaces import Config


@dataclass(frozen=True)
class Fault:
    """A member in whose training the device broke.

    Args:
        member: its number.
        generation: which of its intervals that was; counts from 1.
        config: the hyperparameters that it trained with.
        reason: the device's error, in one line.
    """

    member: int
    generation: int
    config: Config
    reason: str


@dataclass(frozen=True)
class Faults:
    """What an island has to know of earlier faults, by member.

    Args:
        suspects: members in whose training the device has broken once.
        condemned: members whose hyperparameters have broken it twice.
    """

    suspects: Mapping[int, Fault] = field(default_factory=dict)
    condemned: Mapping[int, Fault] = field(default_factory=dict)

    def suspects_now(self, member: int, generation: int, config: Config) -> bool:
        """Whether a member that trains this interval is to train alone."""
        fault = self.suspects.get(member)
        return fault is not None and fault.config == config and generation <= fault.generation

    def verdict(self, member: int, generation: int, config: Config) -> str | None:
        """Why a member must not train this interval; None where it may."""
        fault = self.condemned.get(member)
        if fault is None or fault.config != config or generation < fault.generation:
            return None
        return f"{fault.reason} (the device broke twice in its training)"

    def of(self, members: Iterable[int]) -> Faults:
        """The part about these members."""
        own = set(members)
        return Faults(*({m: fault for m, fault in part.items() if m in own} for part in self._parts))

    @property
    def _parts(self) -> tuple[Mapping[int, Fault], Mapping[int, Fault]]:
        return self.suspects, self.condemned


class BrokenDeviceError(Exception):
    """The island's device is broken; nothing but the end of its process mends that.

    Args:
        faults: the members that trained when it broke; none while engines were tried.
        reason: the device's error, in one line.
    """

    def __init__(self, faults: tuple[Fault, ...], reason: str) -> None:
        super().__init__(faults, reason)
        self.faults, self.reason = faults, reason

    def __str__(self) -> str:
        return self.reason


class FaultRecord:
    """All faults of a study so far.

    Attributes:
        known: what islands have to know.
    """

    def __init__(self) -> None:
        self.known = Faults()

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The record that a journal tells."""
        record = cls()
        for event in events:
            if event["event"] == "remark" and event.get("faults"):
                record.note([Fault(**fault) for fault in event["faults"]])
        return record

    def note(self, faults: Sequence[Fault]) -> bool:
        """Take in the members in whose training a device broke; whether one is condemned by it."""
        new = {fault.member: fault for fault in faults}
        if len(faults) == 1 and self._is_second(faults[0]):
            self.known = Faults(self.known.suspects, {**self.known.condemned, **new})
            return True
        self.known = Faults({**self.known.suspects, **new}, self.known.condemned)
        return False

    def _is_second(self, fault: Fault) -> bool:
        """Whether it condemns its member, which is not condemned for it yet."""
        place = (fault.member, fault.generation, fault.config)
        return self.known.suspects_now(*place) and self.known.verdict(*place) is None


def fault_event(island: int, faults: Sequence[Fault], reason: str, condemned: bool) -> dict[str, Any]:
    """The journal's line: a remark for people, and what :meth:`FaultRecord.from_events` reads."""
    members = ", ".join(str(fault.member) for fault in faults)
    trained = f"member{'s' * (len(faults) > 1)} {members} trained" if faults else "engines were tried"
    ending = "again: this counts as its failure" if condemned else "and the island starts again"
    text = f"the device broke while {trained}, {ending}: {reason}"
    lines = [{**asdict(fault), "config": dict(fault.config)} for fault in faults]
    return {"event": "remark", "island": island, "text": text, "faults": lines}
