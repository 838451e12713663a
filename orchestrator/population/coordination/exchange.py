"""States of members on their way from one island to another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.population.coordination.membership import Membership
from orchestrator.population.coordination.messages import Offer

GRACE_SECONDS = 60.0
"""How long a copy waits for its parent: long for an island that lives, short for one that is dead."""


@dataclass
class _Want:
    """A state that somebody waits for.

    Args:
        offer: what came; None while nothing has, and if nothing will.
        over: whether the wait is over.
    """

    offer: Offer | None = None
    over: bool = False


class Exchange:
    """Holds states that are at hand, and waits for others.

    Args:
        membership: where islands wait.
        grace: seconds until an island that does not send a state counts as dead.
    """

    def __init__(self, membership: Membership, grace: float = GRACE_SECONDS) -> None:
        self._membership, self._grace = membership, grace
        self._at_hand: dict[int, Offer] = {}
        self._wants: dict[int, _Want] = {}
        self._silent: set[int] = set()

    def put(self, offers: Mapping[int, Offer]) -> None:
        """States have come that nobody need have asked for; each replaces the member's earlier one."""
        self._at_hand.update(offers)
        self._membership.wake()

    def has(self, members: Iterable[int]) -> bool:
        """Whether states of all these members are at hand."""
        return self._at_hand.keys() >= set(members)

    def at_hand(self, member: int) -> Offer | None:
        """The last state of a member that came."""
        return self._at_hand.get(member)

    def clear(self) -> None:
        """Forget all states at hand."""
        self._at_hand = {}

    def wanted(self, members: Iterable[int]) -> frozenset[int]:
        """Those of these members whose states somebody waits for."""
        return frozenset(self._wants.keys() & set(members))

    def want(self, member: int) -> None:
        """Ask for a member's latest state."""
        if member not in self._silent:
            self._wants.setdefault(member, _Want())
            self._membership.wake()

    def supply(self, offers: Mapping[int, Offer]) -> None:
        """States have come that somebody waits for."""
        for member, offer in offers.items():
            self._end(member, offer)

    def lose(self, members: Iterable[int]) -> None:
        """The island of these members has lost their states."""
        for member in members:
            self._at_hand.pop(member, None)
            self._end(member, None)

    def hear(self, members: Iterable[int]) -> None:
        """The island of these members lives."""
        self._silent.difference_update(members)

    async def fetch(self, epoch: int, member: int) -> Offer | None:
        """The state that was asked for by :meth:`want`; None where it cannot be had."""
        want = self._wants.get(member)
        if want is None:
            return None
        try:
            await asyncio.wait_for(self._membership.until(epoch, lambda: want.over), self._grace)
        except TimeoutError:
            self._silent.add(member)
            if self._wants.get(member) is want:
                self._end(member, None)
        return want.offer

    def _end(self, member: int, offer: Offer | None) -> None:
        want = self._wants.pop(member, None)
        if want is not None:
            want.offer, want.over = offer, True
            self._membership.wake()
