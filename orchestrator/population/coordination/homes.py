"""Which island each member lives on, and which members an island trains and saves together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np


class Homes:
    """The islands of all members.

    Args:
        size: members in the population.
        islands: those that host them at first.

    Attributes:
        blocks: by island, its members: of those that are there, the ``k``-th hosts the ``k``-th of as many
            equal blocks.
        islands: by member, its island; the same mapping always.
    """

    def __init__(self, size: int, islands: Iterable[int]) -> None:
        self._size = size
        self.islands: dict[int, int] = {}
        self.spread(islands)

    def spread(self, islands: Iterable[int]) -> None:
        """From now on the members live on these islands."""
        self.blocks = _blocks(self._size, islands)
        self.islands.update({member: island for island, block in self.blocks.items() for member in block})


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
