"""Iterated PBT: when it restarts, what a restart changes, and that all of it is worked out of the past."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.population.decision import ShrinkPerturb
from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.ipbt import Ipbt
from orchestrator.population.methods.phases import Phases
from orchestrator.population.methods.restarts import points, reinitialised, scores
from orchestrator.population.methods.stagnation import smoothed, stagnates
from orchestrator.population.past import Setting
from orchestrator.population.records import MemberInterval
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from search_spaces import ConfigurationError, build_space
from tests.orchestrator.population.harness import Population
from tests.orchestrator.population.method_contract import PLAIN, publish
from workloads.contract import Objective

IPBT = Ipbt(Truncation(0.25), Perturb())
HASTY = Ipbt(Truncation(0.25), Perturb(), patience=1, fresh=0.0)


def population(method: Ipbt = IPBT, *, size: int = 8, generations: int = 40, seed: int = 0) -> Evolution:
    objectives = (Objective("loss0"),)
    return Evolution(PLAIN, objectives, method, size=size, generations=generations, seed=seed)


def step(evolution: Evolution, losses: object = 1.0, *, alone: bool = False) -> list[MemberInterval]:
    """All members publish the same loss, or each its own, after one more interval."""
    values = np.broadcast_to(np.asarray(losses, dtype=float), (evolution.size,))[:, None]
    return publish(evolution, evolution.generation(0) + 1, values, alone=alone)


def restarted(evolution: Evolution) -> list[int]:
    """The generations after which member 0 restarted."""
    return [one.generation for one in evolution.lives[0] if one.change is not None]


# Stagnation


def test_a_score_that_rises_steadily_does_not_stagnate() -> None:
    rising = np.arange(14.0)
    assert not any(stagnates(rising[:steps], 3, 15) for steps in range(15))


def test_a_score_that_falls_stagnates_when_it_has_failed_as_often_as_patience_says() -> None:
    # The second step is the first that can fail to improve on another.
    falling = -np.arange(10.0)
    for patience in (1, 2, 3):
        assert [stagnates(falling[:steps], patience, 15) for steps in range(patience + 2)] == (
            [False] * (patience + 1) + [True]
        )


def test_one_improvement_within_the_patience_is_enough() -> None:
    assert not stagnates(np.array([0.0, 1.0, 2.0, 3.0, 2.9]), 2, 15)


def test_equal_scores_stagnate() -> None:
    assert [stagnates(np.full(steps, 0.3), 3, 15) for steps in (0, 1, 3, 4)] == [False, False, False, True]


def test_slow_improvement_is_stagnation_at_once() -> None:
    # A jump and then a crawl: over the last five steps less than a standard deviation.
    slow = np.array([0.0, 10.0, 10.1, 10.2, 10.3, 10.4])
    assert stagnates(slow, 100, 5)
    assert not stagnates(slow, 100, 6)
    assert not stagnates(np.arange(6.0), 100, 5)


def test_smoothing_takes_noise_away_and_ignores_scale() -> None:
    curve, spread = 1 - np.exp(-np.arange(30) / 8), np.linspace(0.2, 0.02, 30)
    raw, smooth = [], []
    for seed in range(12):
        noisy = curve + np.random.default_rng(seed).normal(size=30) * spread
        scale = noisy.std(ddof=1)
        truth = (curve - noisy.mean()) / scale
        raw.append(np.abs((noisy - noisy.mean()) / scale - truth).mean())
        smooth.append(np.abs(smoothed(noisy) - truth).mean())
    assert np.mean(smooth) < 2 / 3 * np.mean(raw)
    np.testing.assert_allclose(smoothed(1e6 * noisy - 3e5), smoothed(noisy), atol=1e-3)


# Steps and phases


def test_steps_double_from_phase_to_phase_and_the_last_is_halved() -> None:
    past = population(generations=22).past
    phases = Phases.of(past, 2)

    def schedule(phase: int, start: int) -> list[int]:
        found, generation = [], np.array([start])
        while generation[0] < 22:
            generation = phases.due(phase, np.array([start]), generation)
            found.append(int(generation[0]))
        return found

    assert schedule(0, 0) == list(range(1, 23))
    assert schedule(1, 4) == list(range(6, 23, 2))
    assert schedule(2, 4) == [8, 12, 16, 16 + 3, 22]
    assert schedule(3, 10) == [10 + 6, 22]


def test_stagnation_restarts_everybody_with_steps_twice_as_long() -> None:
    evolution = population()
    for _ in range(3):
        assert all(one.change is None and one.wait == 1 for one in step(evolution))
    assert all(one.change is not None and one.wait == 2 for one in step(evolution))
    # Four steps of two, four of four, and no restart that would leave less than two steps.
    while not evolution.finished:
        step(evolution)
    assert restarted(evolution) == [4, 12]
    assert {one.wait for life in evolution.lives for one in life[12:13]} == {3}


def test_improvement_never_restarts() -> None:
    evolution = population(generations=14)
    while not evolution.finished:
        step(evolution, -float(evolution.generation(0)))
    assert restarted(evolution) == []


def test_between_decisions_nobody_is_replaced_but_who_fails() -> None:
    evolution = population(HASTY, generations=30)
    for _ in range(2):
        step(evolution)
    assert restarted(evolution) == [2]
    losses = np.arange(8.0)
    losses[5] = np.nan
    between = step(evolution, losses)
    assert [one.copies for one in between] == [member == 5 for member in range(8)]
    # Who was replaced is decided on with the others again.
    assert {one.wait for one in between} == {1}
    assert all(one.generation + one.wait == 4 for one in between)


def test_a_restart_keeps_the_best_quarter_and_reinitialises_halves() -> None:
    evolution = population(Ipbt(Truncation(0.25), Perturb(), patience=1))
    step(evolution, np.arange(8.0))
    last = step(evolution, np.arange(8.0) + 1)
    assert {one.parent for one in last} <= {0, 1}
    assert [one.parent for one in last[:2]] == [0, 1]
    changes = [one.change for one in last]
    assert changes.count(ShrinkPerturb(0.0, 1.0)) == 4
    assert changes.count(ShrinkPerturb(0.2, 0.1)) == 4
    assert len({tuple(sorted(one.next_config.items())) for one in last}) == 8
    assert not any(one.next_config == one.config for one in last)


def test_what_is_learned_of_earlier_phases_is_the_rank_of_each_start() -> None:
    np.testing.assert_allclose(
        scores(np.array([3.0, 1.0, 5.0, 4.0]), np.array([0, 0, 1, 1])),
        [-0.6745, 0.6745, -0.6745, 0.6745],
        atol=1e-4,
    )


def test_hyperparameters_that_did_well_are_chosen_again() -> None:
    evolution = population(Ipbt(Truncation(0.5), Perturb(), patience=1), size=24)
    column = PLAIN.names.index("decay")
    for _ in range(2):
        step(evolution, [abs(float(evolution.born[member]["decay"]) - 0.8) for member in range(24)])
    phases = Phases.of(evolution.past, 2)
    chosen = reinitialised(phases, 1, 12, np.random.default_rng(0))
    assert chosen is not None and chosen.shape == (12, 3)
    assert np.abs(chosen[:4, column] - 0.8).mean() < 0.2


def test_nothing_is_learned_where_everybody_has_failed() -> None:
    evolution = population()
    step(evolution, np.nan)
    assert reinitialised(Phases.of(evolution.past, 2), 1, 4, np.random.default_rng(0)) is None


def test_categories_are_equally_far_apart_and_fixed_columns_are_no_points() -> None:
    space = build_space(
        {
            "parameters": {
                "kind": {"type": "categorical", "choices": ["a", "b", "c"], "mutable": True},
                "rate": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
                "width": {"type": "int", "low": 1, "high": 4},
            }
        }
    )
    units = space.codec.encode([{"kind": kind, "rate": 0.5, "width": 2} for kind in "abc"])
    found = points(units, space)
    assert found.shape == (3, 4)
    distances = np.square(found[:, None] - found[None]).sum(axis=2)
    np.testing.assert_allclose(distances, 1 - np.eye(3))


# The past alone


def test_members_that_arrive_alone_restart_once_the_slowest_shows_stagnation() -> None:
    evolution = population(size=3)
    one = np.ones((3, 1))
    for generation in range(1, 7):
        publish(evolution, generation, one, [0, 1], alone=True)
    for generation in range(1, 4):
        publish(evolution, generation, one, [2], alone=True)
    assert not any(interval.change for life in evolution.lives for interval in life)
    (slowest,) = publish(evolution, 4, one, [2], alone=True)
    assert (slowest.change is not None, slowest.wait) == (True, 2)
    after = publish(evolution, 7, one, [0, 1], alone=True)
    assert all(interval.change is not None and interval.wait == 2 for interval in after)
    # Nobody restarts a second time for the same stagnation.
    publish(evolution, 5, one, [2], alone=True)
    assert not publish(evolution, 6, one, [2], alone=True)[0].change
    assert not any(interval.change for interval in publish(evolution, 8, one, [0, 1], alone=True))


@pytest.mark.parametrize("fails", [False, True])
def test_a_member_whose_copy_is_lost_at_a_restart_stays_in_step(fails: bool) -> None:
    evolution = population(HASTY, generations=30)
    step(evolution, np.arange(8.0))
    losses = np.arange(8.0) + 1
    losses[7] = np.nan if fails else losses[7]
    (*others, last) = step(evolution, losses)
    assert last.copies and last.change is not None
    revised = evolution.revise(7)
    assert (revised.copies, revised.reborn, revised.wait) == (False, fails, others[0].wait)
    assert revised.change == (ShrinkPerturb(0.0, 1.0) if fails else last.change)
    assert fails or revised.config == last.next_config
    for _ in range(2):
        after = step(evolution, np.arange(8.0))
    assert len({one.generation + one.wait for one in after}) == 1
    assert set(Phases.of(evolution.past, 2).latest) == {1}
    rebuilt = population(HASTY, generations=30)
    rebuilt.lives = evolution.lives
    rebuilt.past.rebuild(rebuilt.lives)
    assert set(Phases.of(rebuilt.past, 2).latest) == {1}


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_study_repeats_and_restarts(tmp_path: Path, synchronous: bool) -> None:
    def lives(name: str) -> list[list[MemberInterval]]:
        study = Population(
            tmp_path / name, islands=1, synchronous=synchronous, size=4, generations=16, method=HASTY
        )
        assert study.train().finished
        return study.history().lives

    def decided(found: list[list[MemberInterval]]) -> list[tuple[object, ...]]:
        return [
            (one.place, one.parent, one.next_config, one.change, one.wait, one.losses)
            for life in found
            for one in life
        ]

    first = lives("first")
    assert decided(first) == decided(lives("second"))
    assert any(one.change is not None for life in first for one in life)


def test_a_resumed_study_equals_an_undisturbed_one(tmp_path: Path) -> None:
    def study(name: str) -> Population:
        return Population(tmp_path / name, size=4, generations=16, method=HASTY)

    undisturbed, resumed = study("undisturbed"), study("resumed")
    assert undisturbed.train().finished
    assert not resumed.train(stop_after=7).finished
    resumed = study("resumed")
    assert resumed.train().finished
    assert any(one.change is not None for life in resumed.history().lives for one in life)
    for one, other in zip(undisturbed.history().lives, resumed.history().lives, strict=True):
        assert [interval.decision for interval in one] == [interval.decision for interval in other]
        assert [interval.losses for interval in one] == [interval.losses for interval in other]
    for one_, other_ in zip(undisturbed.final_weights(), resumed.final_weights(), strict=True):
        np.testing.assert_array_equal(one_, other_)


# Bad input


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"keep": 1.5}, "keep"),
        ({"noise": -0.1}, "noise"),
        ({"keep": 1.0, "noise": 0.0}, "noise"),
        ({"fresh": 2}, "fresh"),
        ({"drawn": -1}, "drawn"),
        ({"quantile": 0}, "quantile"),
        ({"patience": 0}, "patience"),
        ({"slow": 1}, "slow"),
        ({"factor": 1}, "factor"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, float], key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{key}: expected"):
        Ipbt(Truncation(0.25), Perturb(), **arguments)  # type: ignore[arg-type]


def test_studies_that_it_cannot_serve_are_refused() -> None:
    fixed = build_space({"parameters": {"width": {"type": "int", "low": 1, "high": 4}}})
    with pytest.raises(ConfigurationError, match="mutable"):
        IPBT.serves(Setting(fixed, (Objective("loss"),), 8, 20))
    with pytest.raises(ConfigurationError, match="exactly one"):
        IPBT.serves(Setting(PLAIN, (Objective("a"), Objective("b")), 8, 20))
