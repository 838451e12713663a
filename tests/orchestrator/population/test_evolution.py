"""Decisions about a population, without anything that trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.records import Report
from orchestrator.population.rules import NoExploit, Truncation
from orchestrator.population.rules.contract import Evaluations
from orchestrator.population.rules.explore import NoExplore, Perturb
from tests.orchestrator.population.harness import Walk, evolution_of

COPY_ONLY = Pbt(Truncation(0.25), NoExplore())


def report(member: int, generation: int, loss: float, *, age: int | None = None) -> Report:
    return Report(member, generation, age or generation * 10, {"loss": loss}, 0.1)


def publish(evolution: Evolution, generation: int, values: Sequence[float]) -> list[int]:
    """Everybody publishes; whom everybody goes on from."""
    intervals = evolution.decide([report(m, generation, value) for m, value in enumerate(values)], alone=True)
    return [interval.decision.parent for interval in intervals]


def test_the_worst_go_on_from_the_best_with_their_hyperparameters() -> None:
    evolution = evolution_of(Walk(), method=COPY_ONLY)
    born = [evolution.config(member) for member in range(8)]
    parents = publish(evolution, 1, [1, 2, 3, 4, 5, 6, 7, 8])
    assert parents[:6] == [0, 1, 2, 3, 4, 5]
    assert set(parents[6:]) <= {0, 1}
    assert [evolution.config(member) for member in (6, 7)] == [born[parent] for parent in parents[6:]]


def test_hyperparameters_can_be_kept_but_never_what_is_fixed_at_birth() -> None:
    evolution = evolution_of(Walk(), method=Pbt(Truncation(0.25), NoExplore(), inherit_hyperparameters=False))
    before = [evolution.config(member) for member in range(8)]
    parents = publish(evolution, 1, [1, 2, 3, 4, 5, 6, 7, 8])
    for member in (6, 7):
        after = evolution.config(member)
        assert after["rate"] == pytest.approx(before[member]["rate"])
        assert after["kind"] == before[parents[member]]["kind"]


def test_who_is_not_replaced_keeps_its_configuration_exactly() -> None:
    evolution = evolution_of(Walk(), method=Pbt(Truncation(0.25), Perturb()))
    before = [evolution.config(member) for member in range(8)]
    publish(evolution, 1, [1, 2, 3, 4, 5, 6, 7, 8])
    assert [evolution.config(member) for member in range(6)] == before[:6]
    assert all(evolution.config(member) not in before for member in (6, 7))


def test_nothing_is_copied_after_the_last_generation() -> None:
    evolution = evolution_of(Walk(), generations=1, method=COPY_ONLY)
    assert publish(evolution, 1, [8, 7, 6, 5, 4, 3, 2, 1]) == list(range(8))
    best = evolution.best()
    assert evolution.finished and best is not None and best.member == 7


def test_the_first_to_publish_is_compared_with_nobody() -> None:
    evolution = evolution_of(Walk(), method=COPY_ONLY)
    (interval,) = evolution.decide([report(5, 1, 100.0)], alone=True)
    assert not interval.decision.copies


def test_members_are_compared_at_equal_training() -> None:
    """A member that is ahead counts with what it had reached at the newcomer's age."""
    evolution = evolution_of(Walk(), size=2, method=Pbt(Truncation(0.5), NoExplore()))
    evolution.decide([report(0, 1, 9.0)], alone=True)
    evolution.decide([report(0, 2, 1.0)], alone=True)
    (young,) = evolution.decide([report(1, 1, 5.0)], alone=True)
    assert not young.decision.copies, "5 is better than 9, which member 0 had at the same age"
    (older,) = evolution.decide([report(1, 2, 5.0)], alone=True)
    assert older.decision.parent == 0


def test_one_that_is_behind_counts_with_its_latest_result() -> None:
    evolution = evolution_of(Walk(), size=2, method=Pbt(Truncation(0.5), NoExplore()))
    evolution.decide([report(0, 1, 2.0)], alone=True)
    evolution.decide([report(1, 1, 3.0)], alone=True)
    (ahead,) = evolution.decide([report(1, 2, 2.5)], alone=True)
    assert ahead.decision.parent == 0


def test_one_that_is_ahead_and_has_failed_since_is_not_copied() -> None:
    evolution = evolution_of(Walk(), size=3, method=Pbt(Truncation(0.3), NoExplore()))
    for generation, loss in ((1, 1.0), (2, np.nan)):
        evolution.decide([report(0, generation, loss)], alone=True)
    evolution.decide([report(1, 1, 2.0)], alone=True)
    (worst,) = evolution.decide([report(2, 1, 3.0)], alone=True)
    assert worst.decision.parent != 0, "what member 0 had at this age was better, but its weights are lost"


class FollowFirst(NoExploit):
    """Everybody copies the first member."""

    def __call__(self, losses: np.ndarray, *_: object) -> np.ndarray:  # type: ignore[override]
        return np.zeros(len(losses), dtype=np.intp)


def test_weights_build_and_hyperparameters_of_a_copy_are_those_of_one_publication() -> None:
    """The newcomer is compared with its parent at the same age, but copies what the parent is now."""
    walk = Walk()
    initial = [{"rate": 0.1, "kind": "a"}, {"rate": 0.2, "kind": "b"}, {"rate": 0.3, "kind": "a"}]
    rules = Pbt(Truncation(0.5), NoExplore())
    evolution = Evolution(walk.space, walk.objectives, rules, size=3, generations=9, seed=0, initial=initial)
    evolution.decide([report(1, 1, 1.0)], alone=True)
    (changed,) = evolution.decide([report(0, 1, 2.0)], alone=True)
    assert changed.decision.parent == 1 and changed.decision.config["kind"] == "b"
    evolution.decide([report(0, 2, 0.5)], alone=True)
    evolution.method = Pbt(FollowFirst(), NoExplore())
    (young,) = evolution.decide([report(2, 1, 9.0)], alone=True)
    assert (young.decision.parent, young.decision.parent_generation) == (0, 2)
    assert young.decision.config == evolution.lives[0][1].config == initial[1]


def test_weights_count_with_what_they_were_at_the_newcomers_age_in_whichever_member() -> None:
    """Not with what the member had then, if it has discarded those weights since."""
    evolution = evolution_of(Walk(), size=3, method=Pbt(Truncation(0.5), NoExplore()))
    evolution.decide([report(1, 1, 3.0)], alone=True)
    (copied,) = evolution.decide([report(0, 1, 4.0)], alone=True)
    assert copied.decision.parent == 1
    evolution.decide([report(0, 2, 1.0)], alone=True)
    seen: list[Evaluations] = []

    class Watch(NoExploit):
        def __call__(self, losses: np.ndarray, history: Evaluations, *_: object) -> np.ndarray:  # type: ignore[override]
            seen.append(history)
            return np.arange(len(losses))

    evolution.method = Pbt(Watch(), NoExplore())
    evolution.decide([report(2, 1, 5.0)], alone=True)
    assert seen[0].losses[:, -1, 0].tolist() == [3.0, 3.0, 5.0]


@pytest.mark.parametrize("alone", [False, True])
def test_evaluations_of_discarded_weights_are_not_compared(alone: bool) -> None:
    seen: list[Evaluations] = []

    class Watch(FollowFirst):
        window = 4

        def __call__(self, losses: np.ndarray, history: Evaluations, *_: object) -> np.ndarray:  # type: ignore[override]
            seen.append(history)
            copying = len(seen) == (3 if alone else 2)  # after the second generation
            return np.zeros(2, dtype=np.intp) if copying else np.arange(len(losses))

    evolution = evolution_of(Walk(), size=2, method=Pbt(Watch(), NoExplore()))
    for generation, values in enumerate(([1.0, 9.0], [2.0, 8.0], [3.0, 7.0], [4.0, 6.0]), start=1):
        reports = [report(member, generation, value) for member, value in enumerate(values)]
        if alone:
            for one in reports:
                evolution.decide([one], alone=True)
        else:
            evolution.decide(reports)
    assert evolution.lives[1][1].decision.parent == 0
    np.testing.assert_array_equal(seen[-1].losses[:, :, 0], [[1, 2, 3, 4], [np.nan, np.nan, 7, 6]])
    np.testing.assert_array_equal(np.isnan(seen[-1].ages), np.isnan(seen[-1].losses[:, :, 0]))
    np.testing.assert_array_equal(np.isnan(seen[-1].units[:, :, 0]), np.isnan(seen[-1].ages))


def test_a_failed_member_is_replaced_even_where_nothing_is_exploited() -> None:
    evolution = evolution_of(Walk(), method=Pbt(NoExploit(), NoExplore()))
    parents = publish(evolution, 1, [1, 2, 3, np.nan, 5, np.inf, 7, 8])
    assert parents[3] != 3 and parents[5] != 5
    assert [parents[m] for m in (0, 1, 2, 4, 6, 7)] == [0, 1, 2, 4, 6, 7]


def test_without_a_healthy_member_to_copy_one_is_born_again() -> None:
    evolution = evolution_of(Walk(), method=COPY_ONLY)
    (interval,) = evolution.decide([Report(2, 1, 10, {}, 0.1, "MemoryError: no room")], alone=True)
    assert interval.decision.reborn and interval.decision.parent == 2
    assert not evolution.extinct(), "the others have not been heard of"
    evolution.space.check(interval.decision.config)


def test_rewinding_and_deciding_again_gives_the_same() -> None:
    evolution = evolution_of(Walk())
    rng = np.random.default_rng(0)
    losses = rng.random((6, 8))
    first = [publish(evolution, generation + 1, losses[generation]) for generation in range(6)]
    configs = [evolution.config(member) for member in range(8)]
    evolution.rewind([3] * 8)
    assert [evolution.generation(member) for member in range(8)] == [3] * 8
    again = [publish(evolution, generation + 1, losses[generation]) for generation in range(3, 6)]
    assert again == first[3:]
    assert [evolution.config(member) for member in range(8)] == configs


def test_given_configurations_come_first() -> None:
    walk = Walk()
    given = {"rate": 0.5, "kind": "b"}
    evolution = Evolution(
        walk.space, walk.objectives, COPY_ONLY, size=3, generations=1, seed=0, initial=[given]
    )
    assert evolution.born[0] == given
    assert evolution.born[1:] == evolution_of(walk, size=3).born[1:]
