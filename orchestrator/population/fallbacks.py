"""What comes nearest to a decision to copy that cannot be carried out as it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.population.decision import Decision, ShrinkPerturb
from orchestrator.population.records import MemberInterval
from search_spaces import SearchSpace

Lives = Sequence[Sequence[MemberInterval]]
"""Every member's intervals; ``lives[member][generation - 1]``."""


def of_publication(
    decided: Decision, publication: MemberInterval, parents: Sequence[MemberInterval], space: SearchSpace
) -> Decision:
    """A decision to copy another publication of the parent than was decided.

    The hyperparameters stay as decided, unless the parent has been built anew since. Those that were taken
    over unchanged are those of what is copied.

    Args:
        decided: the decision.
        publication: what is copied.
        parents: the parent's life.
        space: the search space.
    """
    known = [one.config for one in parents if one.generation == decided.parent_generation]
    if decided.crossover is None:
        same = space.immutable_part(decided.config) == space.immutable_part(publication.config)
        config = decided.config if same and decided.config not in known else publication.config
        return replace(decided, config=config, parent_generation=publication.generation)
    moved = replace(decided, parent_generation=publication.generation)
    built_alike = any(space.immutable_part(one) == space.immutable_part(publication.config) for one in known)
    return moved if built_alike else without_crossover(moved, publication)


def without_crossover(decided: Decision, publication: MemberInterval) -> Decision:
    """A decision to copy its first parent alone, whose publication is given."""
    return replace(decided, config=publication.config, crossover=None, change=None)


def with_second(
    decided: Decision, generation: int | None, publication: MemberInterval, lives: Lives, space: SearchSpace
) -> Decision:
    """A decision with blocks of another publication of its second parent than was decided, if that can be.

    Without them where there is no such publication, or its model is built otherwise.

    Args:
        decided: the decision, with a crossover.
        generation: intervals that the second parent had trained when it published what is at hand; None:
            nothing is.
        publication: the first parent's, which is copied.
        lives: of all members.
        space: the search space.
    """
    assert decided.crossover is not None
    life = lives[decided.crossover.parent]
    before = decided.crossover.parent_generation
    if generation is None or not 0 < max(generation, before) <= len(life) or life[generation - 1].failed:
        return without_crossover(decided, publication)
    one, other = life[before - 1].config, life[generation - 1].config
    if space.immutable_part(one) != space.immutable_part(other):
        return without_crossover(decided, publication)
    return replace(decided, crossover=replace(decided.crossover, parent_generation=generation))


def without_copy(
    decided: Decision, latest: MemberInterval, space: SearchSpace, rebirth: Callable[[], Decision]
) -> Decision:
    """What comes nearest to a decision to copy where there is nothing to be had.

    A change of whole weights happens all the same, so that a method that counts it finds everybody in step.

    Args:
        decided: the decision.
        latest: the member's latest interval.
        space: the search space.
        rebirth: makes the decision to begin anew, for a member that has failed.
    """
    change = decided.change if decided.crossover is None else None
    if latest.failed:
        reborn = rebirth()
        if change is None:
            return reborn
        return replace(reborn, change=ShrinkPerturb(0.0, 1.0), wait=decided.wait)
    keeping = Decision(decided.member, decided.generation, decided.member, latest.config)
    if change is None:
        return keeping
    fixed = space.immutable_part
    config = decided.config if fixed(decided.config) == fixed(latest.config) else latest.config
    return replace(keeping, config=config, change=change, wait=decided.wait)
