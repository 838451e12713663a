"""Which islands host which members, while islands leave for good and others come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from orchestrator.population.membership import Membership


class Hosting:
    """Spreads members over the islands that are there.

    Args:
        size: members in the population.
        membership: the islands that take part; those that it expects at first host the members.
        grace: seconds until members of an island that is gone, or never came, move to the others.
        ended: whether there is nothing left to train.
        start_over: lets all members go on from the newest snapshot, on the islands that host them now.
        remark: writes down what people should know about an island.
        moved: told that members have other homes.
        least: it begins with whichever islands come first, and not with fewer than these; 0: it begins with
            those that the membership expects.

    Attributes:
        blocks: by island, its members: of those that are there, the ``k``-th hosts the ``k``-th of as many
            equal blocks.
        homes: by member, its island; the same mapping always.
    """

    def __init__(
        self,
        size: int,
        membership: Membership,
        grace: float,
        ended: Callable[[], bool],
        start_over: Callable[[], None],
        remark: Callable[[int, str], None],
        moved: Callable[[], None],
        least: int = 0,
    ) -> None:
        self._size, self._membership, self._grace = size, membership, grace
        self._ended, self._start_over, self._remark, self._moved = ended, start_over, remark, moved
        self._least = least
        self._gone: dict[int, object] = {}
        self._forming: int | None = None
        self.blocks = _blocks(size, membership.expected)
        self.homes = _homes(self.blocks)

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
        if island not in self.blocks:
            self._membership.present.discard(island)
        asyncio.get_running_loop().call_later(self._grace, self._do_without, island, death)

    def take_in_newcomers(self) -> None:
        """At a new snapshot, where little is lost: spread members over islands that have come since, too."""
        newcomers = self._membership.present - self.blocks.keys()
        if newcomers and not self._ended():
            everybody = self._membership.expected | newcomers
            self._spread(everybody, "is there, and has members from now on", newcomers)
            self._start_over()

    def _begin_without(self, epoch: int) -> None:
        """Those that have joined begin without the others."""
        if epoch != self._membership.epoch:
            return
        self._forming = None
        present = self._membership.present - self._gone.keys()
        if self._ended() or self._membership.complete or len(present) < max(self._least, 1):
            return
        self._least = 0
        missing = self._membership.expected - present
        self._spread(present, f"has not come for {self._grace:g} s; the others have its members", missing)

    def _do_without(self, island: int, death: object) -> None:
        """Move the members of an island that died and has not come back, if others are left."""
        rest = self._membership.expected - self._gone.keys()
        back = self._gone.get(island) is not death
        if back or self._ended() or island not in self._membership.expected or not rest:
            return
        if not self._membership.complete:
            return  # Those that have joined again will begin without it.
        lost = self._membership.expected - rest
        self._spread(rest, f"is gone for {self._grace:g} s; the others have its members", lost)
        self._start_over()

    def _spread(self, islands: Collection[int], news: str, whose: Iterable[int]) -> None:
        """These islands have the members from now on; what is new about others goes on record."""
        self.blocks = _blocks(self._size, islands)
        self.homes.update(_homes(self.blocks))
        self._moved()
        for island in sorted(whose):
            self._remark(island, news)
        self._membership.expect(islands)


def halves(members: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The two halves in which an island of an asynchronous study trains its members, one after the other."""
    numbers = sorted(members)
    half = (len(numbers) + 1) // 2
    return tuple(numbers[:half]), tuple(numbers[half:])


def saved_together(
    homes: Mapping[int, int], generations: Sequence[int], total: int
) -> dict[int, tuple[int, ...]]:
    """By member, a mark that it shares with those that are always saved with it in an asynchronous study.

    They train in the same half of an island, and have trained equally long.

    Args:
        homes: by member, its island.
        generations: of each member when it begins to train there.
        total: intervals in each member's life; those that have trained all of them train no more.
    """
    active: dict[int, list[int]] = {}
    for member, island in homes.items():
        if generations[member] < total:
            active.setdefault(island, []).append(member)
    late = {member for members in active.values() for member in halves(members)[1]}
    return {member: (island, member in late, generations[member]) for member, island in homes.items()}


def _blocks(size: int, islands: Iterable[int]) -> dict[int, tuple[int, ...]]:
    numbers = sorted(islands)
    blocks = np.array_split(np.arange(size), len(numbers))
    return {
        island: tuple(int(member) for member in block) for island, block in zip(numbers, blocks, strict=True)
    }


def _homes(blocks: Mapping[int, Sequence[int]]) -> dict[int, int]:
    return {member: island for island, block in blocks.items() for member in block}
