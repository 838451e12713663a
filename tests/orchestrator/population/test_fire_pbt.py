from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from orchestrator.population.evaluators import EVALUATOR, GREEDY, PATIENT, evaluations, roles, waiting
from orchestrator.population.evolution import Evolution
from orchestrator.population.improvement import Race, smoothed
from orchestrator.population.methods.fire_pbt import FirePbt
from orchestrator.population.past import Setting
from orchestrator.population.records import MemberInterval
from search_spaces import ConfigurationError, build_space
from tests.orchestrator.population.method_contract import publish
from workloads.contract import Objective

LOSS = (Objective("loss0"),)
SPACE = build_space(
    {
        "parameters": {
            "rate": {"type": "float", "low": 1e-6, "high": 1.0, "log": True, "mutable": True},
            "width": {"type": "int", "low": 1, "high": 100},
        }
    }
)
BORN = [{"rate": 10.0 ** -(1 + member / 4), "width": 10 + member} for member in range(8)]
ROLE = roles(8, 0.25)
"""Members 0 to 2 are greedy, 3 to 5 patient, 6 and 7 evaluate."""


def curve(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


class TestCurves:
    def test_smoothing_keeps_a_constant_and_evens_out_noise(self) -> None:
        np.testing.assert_allclose(smoothed(np.full(5, 3.0)), 3.0)
        assert smoothed(curve(0, 1, 0, 1, 0, 1)).std() < 0.2

    def test_the_worse_counts_from_where_it_is_as_good_as_the_others_beginning(self) -> None:
        # Smoothing pulls the beginning at 5 a little towards what follows.
        assert Race(np.arange(10.0, 0, -1), np.arange(5.0, 0, -1)).overlap == (6, 0, 4)
        assert Race(np.arange(5.0, 0, -1), np.arange(10.0, 0, -1)).overlap == (0, 6, 4)
        assert Race(curve(9, 9, 9), curve(1, 1, 1)).overlap is None

    def test_the_faster_leads_from_equal_performance_though_it_is_worse_at_equal_time(self) -> None:
        slow, fast = 5 - 0.1 * np.arange(10), 8 - 1.0 * np.arange(10)
        assert fast[2] > slow[2] and Race(fast, slow).lead > 0 > Race(slow, fast).lead

    def test_without_overlap_only_the_better_can_lead(self) -> None:
        better, worse = curve(5, 3, 1, 0, 0, 0), curve(12, 11.5, 11, 10.5, 10, 9.5)
        assert Race(worse, better).lead == 0 < Race(better, worse).lead
        assert (Race(better, worse).chance, Race(worse, better).chance) == (0.0, 1.0)

    def test_the_sign_test_counts_steps(self) -> None:
        assert Race(curve(1, 1, 1, 1), curve(1, 2, 2, 2)).chance == pytest.approx(5 / 16)


def population(method: FirePbt) -> Evolution:
    return Evolution(SPACE, LOSS, method, size=8, generations=40, seed=0, initial=BORN)


def after(evolution: Evolution, generation: int, losses: Sequence[float]) -> list[MemberInterval]:
    return publish(evolution, generation, np.array(losses, dtype=float)[:, None])


def parents(intervals: Sequence[MemberInterval]) -> list[int]:
    return [interval.parent for interval in intervals]


FLAT = [1, 2, 3, 4, 5, 6, 9, 9]


def test_roles_go_by_number() -> None:
    assert ROLE.tolist() == [GREEDY] * 3 + [PATIENT] * 3 + [EVALUATOR] * 2
    assert np.bincount(roles(16, 0.25)).tolist() == [6, 6, 4]


def test_evaluators_take_patient_weights_and_the_best_greedy_hyperparameters() -> None:
    intervals = after(population(FirePbt(pace=99)), 1, FLAT)
    assert parents(intervals) == [0, 1, 2, 3, 4, 5, 3, 4]
    assert intervals[6].next_config == pytest.approx({"rate": BORN[0]["rate"], "width": BORN[3]["width"]})


def test_greedy_members_copy_and_explore_at_their_pace() -> None:
    evolution = population(FirePbt(pace=2))
    assert parents(after(evolution, 1, FLAT))[:3] == [0, 1, 2]
    worst = after(evolution, 2, FLAT)[2]
    assert (worst.parent in (0, 1)) and worst.next_config["width"] == BORN[worst.parent]["width"]
    ratio = worst.next_config["rate"] / BORN[worst.parent]["rate"]
    assert ratio == pytest.approx(0.5) or ratio == pytest.approx(2.0)


def test_what_evaluators_do_is_read_off_the_past() -> None:
    evolution = population(FirePbt(pace=99, patience=50))
    for generation in range(1, 5):
        after(evolution, generation, [*FLAT[:6], 9 - generation, 9])
    first, second = evaluations(evolution.past, ROLE)
    assert (first.evaluator, first.patient, first.child, first.taken) == (6, 3, 0, False)
    assert first.curve.tolist() == [7, 6, 5]
    assert first.child_curve.tolist() == [1] * 4
    assert (second.evaluator, second.patient) == (7, 4)
    assert waiting(evolution.past, ROLE)[0] == 5


def test_an_evaluator_that_does_not_come_as_far_goes_to_who_waited_longest() -> None:
    evolution = population(FirePbt(pace=99, patience=3))
    found = [parents(after(evolution, generation, FLAT))[6:] for generation in range(1, 6)]
    assert found == [[3, 4], [6, 7], [6, 7], [5, 3], [6, 7]]


def test_the_child_of_an_evaluator_that_succeeds_takes_its_weights_and_keeps_its_hyperparameters() -> None:
    evolution = population(FirePbt(pace=99, patience=20))
    took = []
    for generation in range(1, 21):
        improving = 3.0 - 0.5 * generation
        child = after(evolution, generation, [1, 2, 3, 4, 5, 6, improving, 9])[0]
        took.append(child.parent)
        if child.copies:
            assert child.next_config == pytest.approx({"rate": BORN[0]["rate"], "width": BORN[3]["width"]})
            break
    assert took[-1] == 6 and set(took[:-1]) == {0}


def test_the_patient_whose_evaluator_improves_faster_is_copied() -> None:
    evolution = population(FirePbt(pace=4, patience=20, quantile=0.5))
    for generation in range(1, 4):
        after(evolution, generation, [-9, -9, -9, 4, 5, 6, 9, 9 - generation])
    decided = parents(after(evolution, 4, [-9, -9, -9, 4, 5, 6, 9, 5]))
    assert decided[3:6] == [4, 4, 5], "member 3 is better than 4 now, but improves more slowly"


@pytest.mark.parametrize(
    ("key", "value"),
    [("quantile", 0), ("evaluators", 0.6), ("pace", 0), ("patience", 1.5), ("alpha", 1), ("factors", [-1])],
)
def test_refuses(key: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FirePbt(**{key: value})
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (Setting(SPACE, (*LOSS, Objective("other")), 8, 9), ""),
        (Setting(SPACE, LOSS, 7, 9), "population.size"),
    ],
)
def test_refuses_studies(setting: Setting, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FirePbt().serves(setting)
    assert caught.value.key == key
