"""A whole population in this process, without Ray or files: for studies so cheap that nothing else pays."""

from __future__ import annotations

from orchestrator.population.evolution import Evolution
from orchestrator.population.island import Island, MemberState


def evolve(evolution: Evolution, island: Island, *, synchronous: bool) -> None:
    """Train a newly born population to its end; afterwards ``evolution.lives`` holds all that happened.

    Synchronous: bit for bit what islands on a cluster do with the same seed. Asynchronous: as if members
    took turns, one interval each, every one compared with what the others have published.

    Args:
        evolution: the population.
        island: where all of its members are trained.
        synchronous: whether all members wait for one another after each interval.
    """
    members = range(evolution.size)
    island.settle({m: evolution.config(m) for m in members}, {m: evolution.generation(m) for m in members})
    published: dict[int, MemberState | None] = {}
    while not evolution.finished and not evolution.extinct():
        if synchronous:
            intervals = evolution.decide([island.train(member) for member in members])
            decisions = [interval.decision for interval in intervals]
            island.apply(decisions, {d.parent: island.snapshot(d.parent) for d in decisions if d.copies})
            continue
        for member in members:
            report = island.train(member)
            published[member] = island.snapshot(member)
            island.apply([interval.decision for interval in evolution.decide([report])], published)
