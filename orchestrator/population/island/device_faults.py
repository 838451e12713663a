"""Errors that break an island's device or end its process: whose training caused them, and what follows.

A broken GPU context stays broken, so the island's process ends and is started again; its members go on from
a snapshot. The first time may be the machine's fault: the suspects train again, each alone, so that a second
time names the one. If the device breaks again while that member trains with the same hyperparameters, this
counts as the member's failure: from then on it is not trained with them, and evolution replaces it.

A process that dies without a word (``os._exit``, a segmentation fault, the system out of memory, somebody's
``kill``) is treated likewise, but only from the second time in the same intervals: the first changes nothing,
not even which members train together, so that the study's numbers are those of an undisturbed one. Members
whose time is over (``population.time_limit``), or that took most of the memory when there was no more
(``population.memory_limit``), are known, so that one that trained alone fails at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from orchestrator.run.journal import Event
from search_spaces import Config

DEVICE, DIED, LATE, MEMORY = "device", "died", "late", "memory"
_HAPPENED = {
    DEVICE: "the device broke",
    DIED: "the process died",
    LATE: "the time was over",
    MEMORY: "the memory was used up",
}
_KNOWN = (LATE, MEMORY)
"""Causes that name the member."""


@dataclass(frozen=True)
class Fault:
    """A member in whose training the device broke, or its process died.

    Args:
        member: its number.
        generation: which of its intervals that was; counts from 1.
        config: the hyperparameters that it trained with.
        reason: the device's error, or what is known of the death, in one line.
        cause: ``device``, ``died``, ``late`` or ``memory``.
    """

    member: int
    generation: int
    config: Config
    reason: str
    cause: str = DEVICE


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
        if fault.cause in _KNOWN:
            return fault.reason
        return f"{fault.reason} ({_HAPPENED[fault.cause]} twice in its training)"

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
        self._deaths: Counter[frozenset[tuple[int, int]]] = Counter()
        self._involved: Counter[int] = Counter()

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The record that a journal tells."""
        record = cls()
        for event in events:
            if event["event"] == "remark" and event.get("faults"):
                record.note([Fault(**fault) for fault in event["faults"]])
        return record

    def note(self, faults: Sequence[Fault]) -> int:
        """Take in the members in whose training a device broke or a process died.

        Returns:
            If that condemns one: how many deaths it was involved in; otherwise 0.
        """
        new = {fault.member: fault for fault in faults}
        self._involved.update(new.keys())
        intervals = frozenset((fault.member, fault.generation) for fault in faults)
        died = any(fault.cause == DIED for fault in faults)
        self._deaths[intervals] += died
        again = died and self._deaths[intervals] > 1
        if len(faults) == 1 and (again or faults[0].cause in _KNOWN or self._is_second(faults[0])):
            self.known = Faults(self.known.suspects, {**self.known.condemned, **new})
            return self._involved.pop(faults[0].member)
        if again or not died:
            self.known = Faults({**self.known.suspects, **new}, self.known.condemned)
        return 0

    def _is_second(self, fault: Fault) -> bool:
        """Whether it condemns its member, which is not condemned for it yet."""
        place = (fault.member, fault.generation, fault.config)
        return self.known.suspects_now(*place) and self.known.verdict(*place) is None


def fault_event(island: int, faults: Sequence[Fault], reason: str, condemned: bool) -> dict[str, Any]:
    """The journal's line: a remark for people, and what :meth:`FaultRecord.from_events` reads."""
    members = ", ".join(str(fault.member) for fault in faults)
    trained = f"member{'s' * (len(faults) > 1)} {members} trained" if faults else "engines were tried"
    ending = "again: this counts as its failure" if condemned else "and the island starts again"
    happened = _HAPPENED[faults[0].cause if faults else DEVICE]
    text = f"{happened} while {trained}, {ending}: {reason}"
    lines = [{**asdict(fault), "config": dict(fault.config)} for fault in faults]
    return {"event": "remark", "island": island, "text": text, "faults": lines}
