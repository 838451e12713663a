"""Methods that think long do so beside the event loop, and what happens meanwhile is taken into account."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.contract import Choices
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.question import Question
from orchestrator.population.records import MemberInterval, Report
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import NoExplore, Perturb
from tests.orchestrator.population.harness import Death, Population
from tests.orchestrator.population.method_contract import PLAIN, report
from workloads.contract import Objective

RULES = Pbt(Truncation(0.25), Perturb())
NAN = np.array([np.nan])


@dataclass(frozen=True)
class Slow:
    """PBT that begins to think when it is asked, and ends when it may."""

    may_end: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    rules: Pbt = RULES
    thinks: bool = True

    def serves(self, setting: Setting) -> None:
        self.rules.serves(setting)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        self.asked.set()
        assert self.may_end.wait(60)
        return self.rules.decide(arrived, past, rng)


def prompt() -> Slow:
    """One that thinks in a thread, but not long."""
    slow = Slow()
    slow.may_end.set()
    return slow


def decided(population: Population) -> list[tuple[object, ...]]:
    lives = population.history().lives
    return [(one.place, one.losses, one.parent, one.next_config) for life in lives for one in life]


def test_a_synchronous_study_is_the_same_function_of_its_seed(tmp_path: Path) -> None:
    plain, thinking = Population(tmp_path / "a", method=RULES), Population(tmp_path / "b", method=prompt())
    for population in (plain, thinking):
        assert population.train().finished
    assert decided(plain) == decided(thinking)
    np.testing.assert_array_equal(plain.final_weights(), thinking.final_weights())


def test_an_island_that_dies_while_others_think_changes_nothing(tmp_path: Path) -> None:
    plain, thinking = Population(tmp_path / "a", method=RULES), Population(tmp_path / "b", method=prompt())
    plain.train()
    assert thinking.train(deaths={0: [Death("publish", 4)], 1: [Death("publish", 7)]}).finished
    assert decided(plain) == decided(thinking)


def test_an_asynchronous_study_copies_what_was_published(tmp_path: Path) -> None:
    population = Population(tmp_path, method=prompt(), synchronous=False)
    assert population.train(deaths={1: [Death("publish", 3)]}).finished
    ages = population.copied_ages()
    assert ages and all(before + 4 == after for before, after in ages)


def test_the_journal_tells_what_an_asynchronous_study_decided(tmp_path: Path) -> None:
    population = Population(tmp_path, method=prompt(), synchronous=False)
    population.train()
    lives = population.history().lives
    for told, known in zip(lives, population.evolution.lives, strict=True):
        assert [one.decision for one in told] == [one.decision for one in known]


@pytest.mark.parametrize("synchronous", [True, False])
def test_calls_are_answered_while_a_method_thinks(tmp_path: Path, synchronous: bool) -> None:
    slow = Slow()
    population = Population(tmp_path, method=slow, islands=1, size=4, synchronous=synchronous)

    async def course() -> None:
        coordinator = population.coordinator
        assignment = await coordinator.join(0)
        reports = [report(member, 1, np.array([float(member)])) for member in range(4)]
        published = asyncio.create_task(
            coordinator.publish(0, assignment.epoch, [renamed(one) for one in reports])
        )
        await asyncio.to_thread(slow.asked.wait, 60)
        assert not (await coordinator.outcome()).finished
        assert not published.done()
        slow.may_end.set()
        orders = await published
        decisions = orders.decisions if not isinstance(orders, list) else [o.decisions[0] for o in orders]
        assert [decision.member for decision in decisions] == [0, 1, 2, 3]

    asyncio.run(course())


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_thought_about_members_that_went_back_is_dropped(tmp_path: Path, synchronous: bool) -> None:
    slow = Slow()
    population = Population(tmp_path, method=slow, islands=1, size=4, synchronous=synchronous)

    async def course() -> None:
        coordinator = population.coordinator
        assignment = await coordinator.join(0)
        reports = [renamed(report(member, 1, np.array([float(member)]))) for member in range(4)]
        published = asyncio.create_task(coordinator.publish(0, assignment.epoch, reports))
        await asyncio.to_thread(slow.asked.wait, 60)
        again = await coordinator.join(0)
        assert set(again.generations.values()) == {0}
        slow.may_end.set()
        orders = await published
        assert all(one.rejoin for one in (orders if isinstance(orders, list) else [orders]))
        assert all(not life for life in population.evolution.lives)
        await coordinator.publish(0, again.epoch, reports)
        assert all(len(life) == 1 for life in population.evolution.lives)

    asyncio.run(course())


def renamed(one: Report) -> Report:
    """A report of the harness's workload."""
    return replace(one, metrics={"loss": one.metrics["loss0"]})


def asked(latest: float | None = None) -> tuple[Evolution, Question]:
    """Members 0 and 1 have published; the worse, 1, is about to copy 0."""
    method = Pbt(Truncation(0.5), NoExplore())
    evolution = Evolution(PLAIN, (Objective("loss0"),), method, size=2, generations=9, seed=0)
    evolution.decide([report(0, 1, np.array([1.0]))], alone=True)
    loss = NAN if latest is None else np.array([latest])
    due = evolution.take_in([report(1, 1, loss)])
    (question,) = evolution.questions(due, alone=True, aside=True)
    return evolution, question


def settled(evolution: Evolution, question: Question) -> MemberInterval:
    choices = question.answer()
    assert evolution.stands(question)
    evolution.settle(question, choices)
    return evolution.lives[1][-1]


def test_a_parent_that_has_trained_on_is_copied_as_it_is_now() -> None:
    evolution, question = asked(2.0)
    config = evolution.lives[0][0].config
    evolution.decide([report(0, 2, np.array([0.5]))], alone=True)
    copy = settled(evolution, question)
    assert (copy.parent, copy.parent_generation, copy.next_config) == (0, 2, config)
    assert evolution.source(copy) is evolution.lives[0][1]


@pytest.mark.parametrize("latest", [2.0, None], ids=["healthy", "failed"])
def test_a_parent_that_has_failed_meanwhile_is_not_copied(latest: float | None) -> None:
    evolution, question = asked(latest)
    evolution.take_in([report(0, 2, NAN)])
    after = settled(evolution, question)
    assert not after.copies and after.reborn is (latest is None)


def test_a_question_keeps_its_past_and_falls_when_its_members_go_back() -> None:
    evolution, question = asked(2.0)
    rows, running = len(question.past), question.past.running.copy()
    evolution.decide([report(0, 2, np.array([0.5]))], alone=True)
    assert len(question.past) == rows == 2 and len(evolution.past) == 3
    evolution.rewind([0, 0])
    assert question.past.member.tolist() == [0, 1]
    np.testing.assert_array_equal(question.past.running, running)
    assert not evolution.stands(question)
