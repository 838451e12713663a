"""A whole population in this process, without Ray or files: for studies so cheap that nothing else pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from orchestrator.population.decision import Decision
from orchestrator.population.evolution import Evolution
from orchestrator.population.island.island import Island
from orchestrator.population.island.member import MemberState
from orchestrator.population.records import MemberInterval, Rank


def evolve(evolution: Evolution, island: Island, *, synchronous: bool) -> MemberState | None:
    """Train a newly born population to its end; afterwards ``evolution.lives`` holds all that happened.

    Synchronous: bit for bit what islands on a cluster do with the same seed. Asynchronous: as if members
    took turns, one interval each, every one compared with what the others have published; those that train
    together arrive together.

    Args:
        evolution: the population.
        island: where all of its members are trained.
        synchronous: whether all members wait for one another after each interval.

    Returns:
        The weights of the best publication; None where all have failed or there is no state of it.
    """
    best = _Best(island)
    for intervals in course(evolution, island, synchronous=synchronous, published=best.see):
        del intervals
    return best.state


def course(
    evolution: Evolution,
    island: Island,
    *,
    synchronous: bool,
    published: Callable[[Sequence[MemberInterval]], None] = lambda _: None,
) -> Iterator[Sequence[MemberInterval]]:
    """The intervals of :func:`evolve`, those together that were decided on together.

    Args:
        published: told of intervals before their members train on.
    """
    members = range(evolution.size)
    island.settle({m: evolution.config(m) for m in members}, {m: evolution.generation(m) for m in members})
    kept: dict[int, MemberState | None] = {}
    while not evolution.finished and not evolution.extinct():
        for group in [list(members)] if synchronous else island.groups(members):
            reports = island.train_all(group)
            if not synchronous:
                kept.update({member: island.snapshot(member) for member in group})
            intervals = evolution.decide(reports, alone=not synchronous)
            published(intervals)
            donors = {member: state for member, state in kept.items() if member not in group}
            _carry_out(evolution, island, [interval.decision for interval in intervals], donors)
            yield intervals


class _Best:
    """The best publication so far, with its weights."""

    def __init__(self, island: Island) -> None:
        self._island = island
        self._rank: Rank | None = None
        self.state: MemberState | None = None

    def see(self, intervals: Sequence[MemberInterval]) -> None:
        """Members have been published and not trained on since."""
        healthy = [interval for interval in intervals if not interval.failed]
        best = min(healthy, key=lambda interval: interval.rank, default=None)
        if best is not None and (self._rank is None or best.rank < self._rank):
            self._rank, self.state = best.rank, self._island.snapshot(best.member)


def _carry_out(
    evolution: Evolution,
    island: Island,
    decisions: Sequence[Decision],
    donors: Mapping[int, MemberState | None],
) -> None:
    failed = island.apply(decisions, donors)
    island.apply([evolution.revise(decision.member) for decision in failed], {})
