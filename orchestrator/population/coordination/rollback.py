"""How a population goes back to what was saved of it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.population.coordination.barrier import Barrier
from orchestrator.population.coordination.exchange import Exchange
from orchestrator.population.coordination.membership import Membership
from orchestrator.population.snapshots.saving import Saving


class Rollback:
    """Takes members back, and forgets what islands said and sent of the intervals that this makes void.

    Args:
        size: members in the population.
        saving: knows what was saved.
        membership: the islands that take part.
        exchange: states on their way between islands.
        barrier: where the islands of a synchronous study wait for one another.
    """

    def __init__(
        self, size: int, saving: Saving, membership: Membership, exchange: Exchange, barrier: Barrier
    ) -> None:
        self._size, self._saving, self._membership = size, saving, membership
        self._exchange, self._barrier = exchange, barrier

    def island(self, members: Sequence[int]) -> None:
        """The members of one island of an asynchronous study go back; the others train on."""
        self._saving.go_back(members)
        # These states belong to intervals that were rolled back.
        self._exchange.lose(members)
        self._exchange.hear(members)

    def everybody(self) -> None:
        """All members go on from the newest snapshot; every island has to join again."""
        members = range(self._size)
        self._saving.go_back(members)
        self._barrier.start_over()
        self._exchange.clear()
        self._exchange.lose(members)
        self._exchange.hear(members)
        self._membership.start_over()
