"""Which islands host members, while islands leave for good and others come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from orchestrator.population.coordination.homes import Homes
from orchestrator.population.coordination.membership import Membership
from orchestrator.population.coordination.rollback import Rollback
from orchestrator.population.snapshots.saving import Saving


class Hosting:
    """Spreads members over the islands that are there.

    Args:
        homes: which islands host which members.
        membership: the islands that take part.
        saving: of the members, which are saved with others once they have other homes.
        rollback: lets all members go on from the newest snapshot, on the islands that host them now.
        remark: writes down what people should know about an island.
        grace: seconds until members of an island that is gone, or never came, move to the others.
        least: it begins with whichever islands come first, and not with fewer than these; 0: it begins with
            those that the membership expects.
    """

    def __init__(
        self,
        homes: Homes,
        membership: Membership,
        saving: Saving,
        rollback: Rollback,
        remark: Callable[[int, str], None],
        grace: float,
        least: int = 0,
    ) -> None:
        self._homes, self._membership, self._saving, self._rollback = homes, membership, saving, rollback
        self._remark, self._grace, self._least = remark, grace, least
        self._gone: dict[int, object] = {}
        self._forming: int | None = None

    @property
    def _ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self._saving.over or self._membership.failure is not None

    def joins(self, island: int) -> None:
        """An island's process has come; the others get some time to come too, once in each epoch."""
        self._gone.pop(island, None)
        epoch = self._membership.join(island)
        present = self._membership.present - self._gone.keys()
        if self._least and len(present) >= len(self._membership.expected):
            self._spread(present, "", ())
        if self._membership.complete:
            self._least = 0
        elif self._forming != epoch:
            self._forming = epoch
            asyncio.get_running_loop().call_later(self._grace, self._begin_without, epoch)

    def leaves(self, island: int) -> None:
        """An island's process has died; where none takes its place in time, its members move."""
        self._gone[island] = death = object()
        if island not in self._homes.blocks:
            self._membership.present.discard(island)
        asyncio.get_running_loop().call_later(self._grace, self._do_without, island, death)

    def take_in_newcomers(self) -> None:
        """At a new snapshot, where little is lost: spread members over islands that have come since, too."""
        newcomers = self._membership.present - self._homes.blocks.keys()
        if newcomers and not self._ended:
            everybody = self._membership.expected | newcomers
            self._spread(everybody, "is there, and has members from now on", newcomers)
            self._rollback.everybody()

    def _begin_without(self, epoch: int) -> None:
        """Those that have joined begin without the others."""
        if epoch != self._membership.epoch:
            return
        self._forming = None
        present = self._membership.present - self._gone.keys()
        if self._ended or self._membership.complete or len(present) < max(self._least, 1):
            return
        self._least = 0
        missing = self._membership.expected - present
        self._spread(present, f"has not come for {self._grace:g} s; the others have its members", missing)

    def _do_without(self, island: int, death: object) -> None:
        """Move the members of an island that died and has not come back, if others are left."""
        rest = self._membership.expected - self._gone.keys()
        back = self._gone.get(island) is not death
        if back or self._ended or island not in self._membership.expected or not rest:
            return
        if not self._membership.complete:
            return  # Those that have joined again will begin without it.
        lost = self._membership.expected - rest
        self._spread(rest, f"is gone for {self._grace:g} s; the others have its members", lost)
        self._rollback.everybody()

    def _spread(self, islands: Collection[int], news: str, whose: Iterable[int]) -> None:
        """These islands have the members from now on; what is new about others goes on record."""
        self._homes.spread(islands)
        self._saving.regroup(self._homes.islands)
        for island in sorted(whose):
            self._remark(island, news)
        self._membership.expect(islands)
