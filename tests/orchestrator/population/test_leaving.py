"""Islands whose nodes leave for good, come late or come back: members move, and nothing else changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.orchestrator.population.harness import Death, Population, Walk, WalkSession
from tests.orchestrator.population.test_course import fingerprint, undisturbed

__all__ = ["undisturbed"]

LEAVES = {
    "at once": {1: ("train", 1)},
    "before it has joined": {2: ("join", 1)},
    "before its reports are answered": {0: ("publish", 5)},
    "while others wait for its states": {0: ("pack", 1)},
    "while a snapshot is written": {2: ("save", 2)},
    "all but one, one after the other": {0: ("train", 4), 2: ("train", 7)},
    "all but one, together": {0: ("publish", 4), 2: ("publish", 4)},
}


def leaving(spec: dict[int, tuple[str, int]]) -> dict[int, Death]:
    return {island: Death(*death) for island, death in spec.items()}


def remarks(population: Population) -> list[tuple[int, str]]:
    from orchestrator.run.journal import read_journal

    events = read_journal(population.run.journal)
    return [(event["island"], event["text"]) for event in events if event["event"] == "remark"]


@pytest.mark.parametrize("when", LEAVES)
def test_members_of_an_island_that_left_move_and_the_study_is_the_same(
    tmp_path: Path, undisturbed: Population, when: str
) -> None:
    population = Population(tmp_path, islands=3, grace=0.05)
    outcome = population.train(leaves=leaving(LEAVES[when]))
    assert outcome.finished and outcome.failure is None
    assert fingerprint(population) == fingerprint(undisturbed)
    assert {island for island, _ in remarks(population)} == LEAVES[when].keys()


@pytest.mark.parametrize("when", LEAVES)
def test_an_asynchronous_study_ends_on_the_others_too(tmp_path: Path, when: str) -> None:
    population = Population(tmp_path, islands=3, grace=0.05, synchronous=False)
    assert population.train(leaves=leaving(LEAVES[when])).finished
    assert [len(life) for life in population.history().lives] == [12] * 8


@pytest.mark.parametrize("synchronous", [True, False])
def test_an_island_that_comes_late_is_used_from_the_next_snapshot_on(
    tmp_path: Path, undisturbed: Population, synchronous: bool
) -> None:
    """It comes when the others are under way, and they wait for it before their next snapshot but one."""
    comes, joined = threading.Event(), threading.Event()

    def accident(session: WalkSession) -> None:
        if session.age >= 4 * 4:
            comes.set()
            assert joined.wait(30)

    population = Population(tmp_path, islands=3, grace=0.05, synchronous=synchronous, workload=Walk(accident))
    join = population.coordinator.join

    async def noticed(island: int) -> object:
        if island == 2:
            joined.set()
        return await join(island)

    population.coordinator.join = noticed  # type: ignore[method-assign, assignment]
    assert population.train(comes={2: comes}).finished
    assert {member for island, member in population.trained if island == 2} == {6, 7}
    assert [island for island, _ in remarks(population)] == [2, 2]
    assert [len(life) for life in population.history().lives] == [12] * 8
    if synchronous:
        assert fingerprint(population) == fingerprint(undisturbed)


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_study_begins_with_whichever_islands_come_first_and_takes_the_others_later(
    tmp_path: Path, undisturbed: Population, synchronous: bool
) -> None:
    """Nobody waits out the time of grace."""
    comes, joined = threading.Event(), threading.Event()

    def accident(session: WalkSession) -> None:
        if session.age >= 4 * 4:
            comes.set()
            assert joined.wait(30)

    population = Population(
        tmp_path, islands=4, first=2, least=1, synchronous=synchronous, workload=Walk(accident)
    )
    join = population.coordinator.join

    async def noticed(island: int) -> object:
        if island == 0:
            joined.set()
        return await join(island)

    population.coordinator.join = noticed  # type: ignore[method-assign, assignment]
    assert population.train(comes={0: comes, 1: comes}, patience=30).finished
    first, every = ({island for island, _ in part} for part in (population.trained[:8], population.trained))
    # In an asynchronous study one of the two may come far before the other begins.
    assert first <= {2, 3} and {0, 2, 3} <= every
    if synchronous:
        assert first == {2, 3}
        assert fingerprint(population) == fingerprint(undisturbed)


def test_a_study_does_not_begin_with_fewer_islands_than_the_least(tmp_path: Path) -> None:
    comes, passed = threading.Event(), threading.Event()
    population = Population(tmp_path, islands=3, first=2, least=2, grace=0.01)
    begin = population.coordinator._hosting._begin_without

    def noticed(epoch: int) -> None:
        begin(epoch)
        if not passed.is_set():
            passed.set()
            assert not population.trained
            comes.set()

    population.coordinator._hosting._begin_without = noticed  # type: ignore[method-assign]
    assert population.train(comes={0: comes, 1: comes}).finished
    assert passed.is_set()


def test_an_island_that_left_and_comes_back_has_members_again(
    tmp_path: Path, undisturbed: Population
) -> None:
    """Its process dies, its members move, and another process takes its place after that."""
    moved = threading.Event()
    population = Population(tmp_path, islands=2, grace=0.05)
    everybody = population.coordinator._rollback.everybody

    def noticed() -> None:
        everybody()
        moved.set()

    population.coordinator._rollback.everybody = noticed  # type: ignore[method-assign]
    assert population.train(leaves={1: Death("train", 3)}, returns={1: moved}).finished
    late = population.trained[-1]
    assert fingerprint(population) == fingerprint(undisturbed)
    assert "from now on" in remarks(population)[-1][1] and late
    assert sum(island == 1 for island, _ in population.trained) > 3 * 4


def test_the_last_island_is_waited_for(tmp_path: Path, undisturbed: Population) -> None:
    population = Population(tmp_path, islands=1, grace=0.0)
    assert population.train(deaths={0: [Death("train", 4)]}).finished
    assert fingerprint(population) == fingerprint(undisturbed)
