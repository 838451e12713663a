"""How an island reaches the coordinator, and how states travel between islands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from orchestrator.population.coordination.messages import PackedState
from orchestrator.population.island.member import MemberState


class Link(Protocol):
    """An island's way to the coordinator and to the other islands."""

    def post(self, method: str, *arguments: Any) -> Callable[[], Any]:
        """Call a method of the coordinator; the result waits for its answer."""
        ...

    def pack(self, state: MemberState | None) -> PackedState:
        """The state in a form that any island can unpack."""
        ...

    def goes_along(self, state: MemberState | None) -> bool:
        """Whether a state is so small that it goes along with every publication, wanted or not."""
        ...

    def unpack(self, packed: PackedState) -> MemberState | None:
        """The state that was packed; None where the member had none.

        Raises:
            LostStateError: it was lost with the island that made it.
        """
        ...


class LostStateError(Exception):
    """A published state is gone, with the process that held it."""


def unpacked(link: Link, packed: Mapping[int, PackedState]) -> dict[int, MemberState | None]:
    """States that came with orders, by member; None for one that is lost, too."""
    states: dict[int, MemberState | None] = {}
    for member, one in packed.items():
        try:
            states[member] = link.unpack(one)
        except LostStateError:
            states[member] = None
    return states
