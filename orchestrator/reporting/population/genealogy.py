"""The family tree of a population's weights: who copied whom, and whose weights live on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.records import MemberInterval
from orchestrator.reporting.population.schedule import title
from orchestrator.reporting.scales import Floats

MOST_BRANCHES = 300
"""A tree with more branches is thinned to those with the most descendants."""
MOST_FAMILIES = 6
"""Families that are told apart; the others are one."""


@dataclass(frozen=True)
class Branch:
    """A member from where it took over weights, or was born, until it gives its own up or the study ends.

    Args:
        member: its number.
        first, last: its own generations, the first one trained with the weights that it took over.
        parent: the branch that it copied; None: it began with new weights.
        split: the generation after which the parent published what was copied.
        survivors: members of the last population whose weights descend from it, its own included.
        winner: until which of its generations the winner's weights went through it; 0: they did not.
        second: the branch whose blocks it took over besides; None: there is none, or it is not drawn.
        second_split: the generation after which that one published them.
    """

    member: int
    first: int
    last: int
    parent: int | None
    split: int
    survivors: int = 0
    winner: int = 0
    second: int | None = None
    second_split: int = 0


@dataclass(frozen=True)
class Tree:
    """The branches that are drawn, from top to bottom, so that no copy crosses another branch.

    Args:
        title: the study in one line.
        branches: in the order of their rows; ``parent`` is a row.
        total: branches that there are.
        least: descendants in the last population that every drawn branch has; 0: all branches are drawn.
        families: names of the founders' families, the winner's first, and at the end the rest together.
        shares: of the population after each generation that descends from each, ``(families, generations)``.
        winner: the name of the winner's line.
    """

    title: str
    branches: tuple[Branch, ...]
    total: int
    least: int
    families: tuple[str, ...]
    shares: Floats
    winner: str

    @property
    def thinned(self) -> str:
        """What is left out, for people; empty where nothing is."""
        if len(self.branches) == self.total:
            return ""
        descendants = "descendant" if self.least == 1 else "descendants"
        return (
            f"{len(self.branches):,} of {self.total:,} branches: the best one's ancestors, and those with at "
            f"least {self.least} {descendants} in the last population"
        )


def tree(history: PopulationHistory) -> Tree | None:
    """The genealogy of a study; None where nobody copied, or no member has succeeded."""
    best = history.best()
    if best is None or not history.exploits:
        return None
    branches, homes = _grown(history)
    branches = _counted(branches)
    founders = _founders(branches)
    for one in history.chain(best):
        row = homes.get(one.place)
        if row is not None:
            branches[row] = replace(branches[row], winner=one.generation)
    kept, least = _kept(branches)
    families, shares = _families(history, homes, founders, founders[homes[best.place]])
    drawn = _in_rows(branches, kept)
    winner = f"weights of member {best.member}, the best"
    return Tree(title(history), drawn, len(branches), least, families, shares, winner)


def _grown(history: PopulationHistory) -> tuple[list[Branch], dict[tuple[int, int], int]]:
    """All branches, parents before children, and the branch of every publication."""
    branches: list[Branch] = []
    homes: dict[tuple[int, int], int] = {}
    # Ages grow along every line, also where members copy those that are behind or ahead of them.
    for one in sorted(history.records(), key=lambda one: (one.age, one.generation, one.member)):
        origin = _standing(history, one.origin)
        home = homes.get(origin.place) if origin is not None else None
        if home is not None and origin is not None and origin.member == one.member:
            branches[home] = replace(branches[home], last=one.generation)
            homes[one.place] = home
            continue
        split = origin.generation if home is not None and origin is not None else one.generation - 1
        homes[one.place] = len(branches)
        branches.append(Branch(one.member, one.generation, one.generation, home, split))
    return [_with_second(history, one, homes) for one in branches], homes


def _with_second(history: PopulationHistory, branch: Branch, homes: dict[tuple[int, int], int]) -> Branch:
    """The branch with the one whose blocks it took over where it begins, if any did."""
    if branch.first == 1:
        return branch
    before = history.lives[branch.member][branch.first - 2]
    second = _standing(history, history.second_source(before))
    if second is None or branch.parent is None:
        return branch
    return replace(branch, second=homes[second.place], second_split=second.generation)


def _standing(history: PopulationHistory, origin: MemberInterval | None) -> MemberInterval | None:
    """The publication as it stands; None for new weights, and for one that a restart has taken back."""
    if origin is None:
        return None
    life = history.lives[origin.member]
    stands = origin.generation <= len(life) and life[origin.generation - 1].is_publication_of(origin)
    return origin if stands else None


def _counted(branches: Sequence[Branch]) -> list[Branch]:
    """The branches with their survivors."""
    last: dict[int, int] = {}
    for one in branches:
        last[one.member] = max(last.get(one.member, 0), one.last)
    survivors = [int(one.last == last[one.member]) for one in branches]
    for row in range(len(branches) - 1, -1, -1):
        parent = branches[row].parent
        if parent is not None:
            survivors[parent] += survivors[row]
    return [replace(one, survivors=count) for one, count in zip(branches, survivors, strict=True)]


def _founders(branches: Sequence[Branch]) -> list[int]:
    """The first ancestor of each branch."""
    founders: list[int] = []
    for row, one in enumerate(branches):
        founders.append(row if one.parent is None else founders[one.parent])
    return founders


def _kept(branches: Sequence[Branch]) -> tuple[list[bool], int]:
    """Which branches are drawn, and how many survivors all of them have; ancestors never have fewer."""
    if len(branches) <= MOST_BRANCHES:
        return [True] * len(branches), 0
    survivors = np.array([one.survivors for one in branches])
    least = next(k for k in range(1, len(branches) + 1) if (survivors >= k).sum() <= MOST_BRANCHES)
    return [one.survivors >= least or one.winner > 0 for one in branches], least


def _in_rows(branches: Sequence[Branch], kept: Sequence[bool]) -> tuple[Branch, ...]:
    """The kept branches from top to bottom: under each its children, the latest first."""
    children: dict[int | None, list[int]] = {}
    for row, one in enumerate(branches):
        if kept[row]:
            children.setdefault(one.parent, []).append(row)
    roots = sorted(children.get(None, ()), key=lambda row: (branches[row].survivors, -row))
    waiting: list[int] = [*roots]
    places: dict[int, int] = {}
    while waiting:
        row = waiting.pop()
        places[row] = len(places)
        # The last one in comes out first.
        waiting += sorted(children.get(row, ()), key=lambda child: (branches[child].split, -child))
    drawn = (branches[row] for row in places)
    return tuple(
        replace(
            one,
            parent=None if one.parent is None else places[one.parent],
            second=None if one.second is None else places.get(one.second),
        )
        for one in drawn
    )


def _families(
    history: PopulationHistory, homes: dict[tuple[int, int], int], founders: Sequence[int], winner: int
) -> tuple[tuple[str, ...], Floats]:
    """The largest families by name, and the share of each in every generation."""
    size, generations = history.start.size, max(map(len, history.lives))
    counts: dict[int, Floats] = {}
    born: dict[int, MemberInterval] = {}
    for one in history.records():
        founder = founders[homes[one.place]]
        born.setdefault(founder, one)
        counts.setdefault(founder, np.zeros(generations))[one.generation - 1] += 1
    others = sorted((row for row in counts if row != winner), key=lambda row: (-counts[row].max(), row))
    shown, rest = [winner, *others[: MOST_FAMILIES - 1]], others[MOST_FAMILIES - 1 :]
    names = [_founder(born[row]) for row in shown]
    rows = [counts[row] for row in shown]
    if rest:
        names.append(f"{len(rest):,} further families")
        rows.append(np.sum([counts[row] for row in rest], axis=0))
    return tuple(names), np.array(rows) / size


def _founder(first: MemberInterval) -> str:
    later = f", born anew after generation {first.generation - 1}" if first.generation > 1 else ""
    return f"member {first.member}{later}"
