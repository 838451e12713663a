"""Members that several processes train: the same course as any other, whatever one of the processes does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.population.decision import Decision
from orchestrator.population.island import gang as gangs
from orchestrator.population.island.device_faults import BrokenDeviceError
from orchestrator.population.island.gang import GangWorkload
from orchestrator.population.island.gang_peers import Raised
from orchestrator.population.island.island import Island
from orchestrator.randomness import user_seed
from orchestrator.run.journal import read_journal
from tests.orchestrator.population.gangs import DeadError, SharedWalk, SharedWalkSession, ThreadPeers, gang
from tests.orchestrator.population.harness import Population, Walk
from tests.orchestrator.population.test_course import (
    DEATHS,
    crash_member_seeded,
    deaths_of,
    fingerprint,
)
from tests.workloads.contract import same
from workloads.contract import Device
from workloads.devices import ProcessesLostError, breaks_device

CONFIG = {"rate": 0.5, "kind": "a"}
SECOND = user_seed(0, "member", 1)


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gangs, "LOOK_SECONDS", 0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Population:
    """A study whose members one process trains."""
    population = Population(tmp_path_factory.mktemp("whole"), islands=1)
    assert population.train().finished
    return population


def population_of_gangs(path: Path, workload: Any = None, workers: int = 2, **options: Any) -> Population:
    return Population(
        path, workload=workload or SharedWalk(), hosted=lambda own: gang(own, workers)[0], **options
    )


# Whole studies


@pytest.mark.parametrize(("islands", "workers"), [(1, 2), (2, 2), (3, 3)])
def test_a_population_of_gangs_has_the_course_of_one_of_processes(
    tmp_path: Path, undisturbed: Population, islands: int, workers: int
) -> None:
    """Copies on an island and between islands among them."""
    population = population_of_gangs(tmp_path, islands=islands, workers=workers)
    assert population.train(conclude=True).finished
    assert fingerprint(population) == fingerprint(undisturbed)


@pytest.mark.parametrize("when", DEATHS)
def test_a_gang_that_dies_and_comes_back_changes_nothing(
    tmp_path: Path, undisturbed: Population, when: str
) -> None:
    population = population_of_gangs(tmp_path)
    assert population.train(deaths=deaths_of(DEATHS[when])).finished
    assert fingerprint(population) == fingerprint(undisturbed)


def test_a_stopped_population_of_gangs_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: Population
) -> None:
    assert not population_of_gangs(tmp_path).train(stop_after=5).finished
    resumed = population_of_gangs(tmp_path, islands=3)
    assert resumed.train().finished
    assert fingerprint(resumed) == fingerprint(undisturbed)


@pytest.mark.parametrize("islands", [1, 2])
def test_asynchronous_members_go_on_from_what_was_decided_on(tmp_path: Path, islands: int) -> None:
    population = population_of_gangs(tmp_path, synchronous=False, islands=islands)
    assert population.train().finished
    ages = population.copied_ages()
    assert ages and all(after == published + 4 for published, after in ages)


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_member_that_raises_in_every_process_is_replaced_as_always(
    tmp_path: Path, synchronous: bool
) -> None:
    crashes = [crash_member_seeded(3, interval=3) for _ in range(2)]  # the first time is its start

    def everywhere(session: SharedWalkSession, rank: int) -> None:
        crashes[rank](session)

    population = population_of_gangs(tmp_path, SharedWalk(everywhere), synchronous=synchronous)
    assert population.train().finished
    life = population.history().lives[3]
    assert life[1].failure == "RuntimeError: out of luck" and life[1].parent != 3
    assert all(interval.failure is None for interval in life[2:])


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_peer_that_dies_takes_its_island_back_to_the_snapshot(
    tmp_path: Path, undisturbed: Population, synchronous: bool
) -> None:
    """The death of the first process is the island's, as above."""
    deaths = iter([True])

    def die(session: SharedWalkSession, rank: int) -> None:
        if rank == 1 and session.age >= 16 and next(deaths, False):
            raise DeadError

    population = population_of_gangs(tmp_path, SharedWalk(die), synchronous=synchronous)
    assert population.train().finished
    remarks = [one["text"] for one in read_journal(population.run.journal) if one["event"] == "remark"]
    assert len(remarks) == 1 and "process 1 died" in remarks[0]
    assert [len(life) for life in population.history().lives] == [12] * 8
    assert all(interval.failure is None for life in population.history().lives for interval in life)
    if synchronous:
        assert fingerprint(population) == fingerprint(undisturbed)


def test_a_member_in_whose_training_a_peer_dies_twice_has_failed(tmp_path: Path) -> None:
    def die(session: SharedWalkSession, rank: int) -> None:
        if rank == 1 and session.seed == SECOND and session.age == 16:
            raise DeadError

    population = population_of_gangs(tmp_path, SharedWalk(die))
    assert population.train().finished
    life = population.history().lives[1]
    assert [interval.generation for interval in life if interval.failure] == [5]
    assert "process 1 died" in (life[4].failure or "")


# Single sessions


@pytest.fixture
def two() -> Iterator[tuple[GangWorkload, ThreadPeers]]:
    yield gang(SharedWalk())


def test_every_process_goes_on_from_a_copied_state_with_the_copys_own_hyperparameters(
    two: tuple[GangWorkload, ThreadPeers],
) -> None:
    island = Island(two[0], 5, 0, Device())
    island.settle({0: CONFIG, 1: {**CONFIG, "rate": 0.1}}, {0: 0, 1: 0})
    island.train_all([0, 1])
    taken = island.snapshot(0)
    island.train(0)
    copy = Decision(1, 1, 0, {**CONFIG, "rate": 0.2}, 1)
    assert island.apply([copy], {0: taken}) == []
    assert taken is not None and island.members[1].age == 5
    own, other = island.snapshot(1), two[1].sessions[0][1]
    assert own is not None and same(own["session"], taken["session"])
    assert same(other.state(), taken["session"]) and other.config == copy.config


def test_a_state_is_apart_from_later_training_where_the_workload_returns_references() -> None:
    class Referring(SharedWalk):
        def start_worker(self, *arguments: Any) -> SharedWalkSession:
            session = super().start_worker(*arguments)
            session.state = lambda: {"weights": session.weights, "age": session.age}  # type: ignore[method-assign]
            return session

    workload, _ = gang(Referring())
    session = workload.start(CONFIG, 0, Device())
    state = session.state()
    before = state["weights"].copy()
    session._own.weights += 1  # type: ignore[attr-defined] # in place, as torch trains
    assert (state["weights"] == before).all()


def test_perturbed_weights_are_the_same_in_every_process(two: tuple[GangWorkload, ThreadPeers]) -> None:
    session = two[0].start(CONFIG, 0, Device())
    session.perturb(0.5, 0.1, 7)
    session.advance(1)  # which compares them
    alone = Walk().start(CONFIG, 0, Device())
    alone.perturb(0.5, 0.1, 7)
    alone.advance(1)
    assert same(session.state(), alone.state())


def test_peers_drop_sessions_that_are_trained_no_more(two: tuple[GangWorkload, ThreadPeers]) -> None:
    workload, peers = two
    island = Island(workload, 5, 0, Device())
    for _ in range(3):
        island.settle({0: CONFIG, 1: CONFIG}, {0: 0, 1: 0})
    island.train_all([0, 1])
    assert len(peers.sessions[0]) == 2


def test_what_a_peer_alone_raises_is_the_members_failure_with_its_traceback() -> None:
    workload, _ = gang(Late())
    island = Island(workload, 5, 0, Device())
    island.settle({0: CONFIG, 1: CONFIG}, {0: 0, 1: 0})
    assert [report.failure for report in island.train_all([0, 1])] == [
        None,
        "PeerFailedError: ValueError: only here (in another of its 2 processes)",
    ]
    assert island.train(0).failure is None, "the others train on"


class Late(SharedWalk):
    """Member 1 raises in process 1 after all have met for the last time."""

    def start_worker(self, *arguments: Any) -> SharedWalkSession:
        session = super().start_worker(*arguments)
        advance = session.advance

        def late(amount: int) -> Any:
            metrics = advance(amount)
            if session.rank == 1 and session.seed == SECOND:
                raise ValueError("only here")
            return metrics

        session.advance = late  # type: ignore[method-assign]
        return session


@pytest.mark.parametrize("unlucky", [0, 1])
def test_a_process_that_fails_while_another_waits_for_it_loses_the_gang(unlucky: int) -> None:
    def fail(session: SharedWalkSession, rank: int) -> None:
        if rank == unlucky and session.age == 5:
            raise ValueError("only here")

    workload, peers = gang(SharedWalk(fail))
    session = workload.start(CONFIG, 0, Device())
    session.advance(5)
    with pytest.raises(ProcessesLostError, match="ValueError: only here") as lost:
        session.advance(5)
    assert breaks_device(lost.value)
    peers.end()


def stuck(seconds: float | None) -> Raised | None:
    """The answer of a peer that waits for another."""
    assert seconds is not None, "it would be waited for until torch gives up"
    time.sleep(min(seconds, 0.01))
    raise TimeoutError


def failed(seconds: float | None) -> Raised | None:
    return Raised("ValueError: odd", "", broken=False)


@pytest.mark.parametrize("answers", [(stuck, failed), (failed, stuck)])
def test_peers_that_wait_for_one_that_failed_are_not_waited_for_by_a_process_that_is_done(
    answers: tuple[Any, ...],
) -> None:
    workload = gang(SharedWalk(), 3)[0]
    with pytest.raises(ProcessesLostError, match="waited for one that had failed: ValueError: odd"):
        workload._gather(answers, None)


def test_a_peer_that_is_slow_is_waited_for() -> None:
    calls = iter([TimeoutError(), TimeoutError(), None])

    def slow(seconds: float | None) -> Raised | None:
        if (error := next(calls)) is not None:
            raise error
        return None

    assert gang(SharedWalk(), 2)[0]._gather([slow], None) == []


def test_a_broken_device_of_a_peer_is_the_islands() -> None:
    def break_(session: SharedWalkSession, rank: int) -> None:
        if session.age == 5:
            raise RuntimeError("CUDA error: device-side assert triggered" if rank else "it noticed")

    workload, _ = gang(SharedWalk(break_))
    island = Island(workload, 5, 0, Device())
    island.settle({0: CONFIG}, {0: 0})
    island.train(0)
    with pytest.raises(BrokenDeviceError, match="CUDA error") as broken:
        island.train(0)
    assert [fault.member for fault in broken.value.faults] == [0]


def test_a_process_that_nothing_else_releases_is_ended() -> None:
    """As with NCCL, which waits on for peers that are gone."""

    def fail(session: SharedWalkSession, rank: int) -> None:
        if rank == 1:
            raise ValueError("only here")

    workload, peers = gang(SharedWalk(fail))
    close, peers.end = peers.end, lambda: None  # type: ignore[method-assign]
    peers.desert = close  # type: ignore[method-assign]
    with pytest.raises(ProcessesLostError):
        workload.start(CONFIG, 0, Device())
