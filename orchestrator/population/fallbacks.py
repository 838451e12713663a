"""What comes nearest to a decision to copy that cannot be carried out as it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.population.records import Decision, MemberInterval, ShrinkPerturb
from search_spaces import SearchSpace


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
    fixed, number = space.immutable_part, decided.parent_generation
    known = [one.config for one in parents if one.generation == number]
    same = fixed(decided.config) == fixed(publication.config)
    config = decided.config if same and decided.config not in known else publication.config
    return replace(decided, config=config, parent_generation=publication.generation)


def without_copy(
    decided: Decision, latest: MemberInterval, space: SearchSpace, rebirth: Callable[[], Decision]
) -> Decision:
    """What comes nearest to a decision to copy where there is nothing to be had.

    A change of weights happens all the same, so that a method that counts it finds everybody in step.

    Args:
        decided: the decision.
        latest: the member's latest interval.
        space: the search space.
        rebirth: makes the decision to begin anew, for a member that has failed.
    """
    if latest.failed:
        reborn = rebirth()
        if decided.change is None:
            return reborn
        return replace(reborn, change=ShrinkPerturb(0.0, 1.0), wait=decided.wait)
    keeping = Decision(decided.member, decided.generation, decided.member, latest.config)
    if decided.change is None:
        return keeping
    fixed = space.immutable_part
    config = decided.config if fixed(decided.config) == fixed(latest.config) else latest.config
    return replace(keeping, config=config, change=decided.change, wait=decided.wait)
