"""The columns of a population's past, against the lives that they are made of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from orchestrator.population.decision import Decision, ShrinkPerturb
from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.contract import Choices
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.past import NOTHING, Past, Rows, Setting
from orchestrator.population.records import MemberInterval
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from tests.orchestrator.population.method_contract import PLAIN, columns, course, publish, report
from workloads.contract import Objective

PBT = Pbt(Truncation(0.25), Perturb())


@dataclasses.dataclass(frozen=True)
class Scripted:
    """Everybody keeps its weights and hyperparameters, but for what the script says of a member.

    Args:
        script: by member, its parent.
        wait: intervals until the next decision.
        keep: what is left of everybody's weights.
    """

    script: dict[int, int]
    wait: int = 1
    keep: float = 1.0

    def serves(self, setting: Setting) -> None:
        """Any study."""

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        parents = np.array([self.script.get(int(member), int(member)) for member in arrived])
        units = past.units[past.latest[np.where(parents < 0, arrived, parents)]]
        return Choices.of(parents, units, wait=self.wait, keep=self.keep)


def population(method: object, size: int = 3, generations: int = 9) -> Evolution:
    return Evolution(PLAIN, (Objective("loss0"),), method, size=size, generations=generations, seed=0)  # type: ignore[arg-type]


def ones(size: int = 3) -> np.ndarray:
    return np.arange(1.0, size + 1)[:, None]


@pytest.mark.parametrize("alone", [False, True])
def test_columns_tell_the_lives(alone: bool) -> None:
    losses = np.random.default_rng(0).normal(size=(6, 8, 1))
    losses[2, 3] = np.nan
    evolution = course(PBT, PLAIN, losses, alone=alone)
    past = evolution.past
    assert len(past) == 6 * 8
    for row in range(len(past)):
        interval = evolution.lives[past.member[row]][past.generation[row] - 1]
        assert past.age[row] == interval.age
        np.testing.assert_array_equal(past.losses[row], interval.losses)
        np.testing.assert_array_equal(past.units[row], PLAIN.codec.encode([interval.config])[0])
        origin = interval.origin
        if origin is None:
            assert past.origin[row] == NOTHING and np.isnan(past.before[row]).all()
        else:
            at = past.origin[row]
            assert (past.member[at], past.generation[at]) == origin.place
            np.testing.assert_array_equal(past.before[row], origin.losses)
    running = [evolution.config(member) for member in range(8)]
    np.testing.assert_array_equal(past.running, PLAIN.codec.encode(running))
    np.testing.assert_array_equal(past.generation[past.latest], [6] * 8)


def test_a_past_that_is_rebuilt_is_the_one_that_grew() -> None:
    """So a study that is resumed decides as one that was not."""
    losses = np.random.default_rng(1).normal(size=(5, 8, 1))
    evolution = course(PBT, PLAIN, losses)
    grown = columns(evolution.past)
    evolution.past.rebuild(evolution.lives)
    for rebuilt, column in zip(columns(evolution.past), grown, strict=True):
        np.testing.assert_array_equal(rebuilt, column)


def test_a_copy_of_what_a_restart_took_back_has_no_origin() -> None:
    """What is published in its place are other weights."""
    evolution = population(Scripted({0: 1}))
    for member in (1, 0):
        evolution.decide([report(member, 1, ones()[0])], alone=True)
    evolution.decide([report(0, 2, ones()[0])], alone=True)
    evolution.rewind([2, 0, 0])
    evolution.decide([report(1, 1, ones()[1])], alone=True)
    evolution.past.rebuild(evolution.lives)
    own = evolution.past.latest[0]
    assert evolution.past.generation[own] == 2 and evolution.past.origin[own] == NOTHING


def test_members_are_decided_on_when_their_wait_is_over() -> None:
    evolution = population(Scripted({0: 1}, wait=3))
    decided = [next(one.copies for one in publish(evolution, g, ones())) for g in range(1, 8)]
    assert decided == [True, False, False, True, False, False, True]
    assert [interval.wait for interval in evolution.lives[2]] == [3, 2, 1, 3, 2, 1, 3]


def test_a_member_that_fails_is_decided_on_before_its_wait_is_over() -> None:
    evolution = population(Scripted({0: 1}, wait=3))
    publish(evolution, 1, ones())
    (interval,) = evolution.decide([report(0, 2, np.array([np.nan]))], alone=True)
    assert interval.copies and interval.wait == 3


def test_weights_that_are_changed_are_marked_and_their_publication_is_lost_to_a_resume() -> None:
    evolution = population(Scripted({}, keep=0.2))
    publish(evolution, 1, ones())
    publish(evolution, 2, ones())
    assert evolution.lives[0][0].change == ShrinkPerturb(0.2, 0.0)
    np.testing.assert_array_equal(evolution.past.changed, [False] * 3 + [True] * 3)
    evolution.rewind([1] * 3, restored=range(3))
    assert evolution.past.lost.all()


def test_how_members_go_on_survives_the_journal() -> None:
    evolution = population(Scripted({0: 1}, wait=4, keep=0.5))
    (interval, *_) = publish(evolution, 1, ones())
    event = {**interval.to_event(), "time": 0.0}
    again = MemberInterval.from_event(event, 1, None)
    assert (again.decision, again.change, again.wait) == (interval.decision, ShrinkPerturb(0.5, 0.0), 4)
    assert Decision.from_event(interval.decision.to_event()) == interval.decision
    plain = population(Scripted({}))
    (interval, *_) = publish(plain, 1, ones())
    assert not {"change", "wait"} & interval.to_event().keys(), "as earlier versions wrote it"
