"""Whole studies: the same result however members are spread, interrupted and restarted."""

from __future__ import annotations

import asyncio
import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.rules import NoExploit, Truncation
from orchestrator.population.rules.explore import NoExplore
from orchestrator.population.snapshots.snapshots import valid_snapshots
from orchestrator.randomness import user_seed
from orchestrator.run.directory import RunDirectory
from tests.orchestrator.population.harness import (
    NO_EVOLUTION,
    Death,
    Population,
    Walk,
    WalkSession,
    evolution_of,
)
from tests.workloads.contract import same
from workloads.contract import Device
from workloads.state import from_parcel
from workloads.state_files import load_state


def fingerprint(population: Population) -> tuple[list[tuple], list[bytes]]:
    """Everything that the seed must fix: lineage, configurations, losses and final weights, bit by bit."""
    lives = [
        (record.member, record.generation, record.parent, record.config, record.next_config, record.losses)
        for record in population.history().records()
    ]
    return lives, [weights.tobytes() for weights in population.final_weights()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Population:
    population = Population(tmp_path_factory.mktemp("whole"), islands=1)
    outcome = population.train()
    assert outcome.finished and outcome.failure is None
    assert any(record.copies for record in population.history().records())
    return population


@pytest.mark.parametrize("islands", [2, 3, 4, 8])
def test_a_synchronous_study_does_not_depend_on_its_islands(
    tmp_path: Path, undisturbed: Population, islands: int
) -> None:
    population = Population(tmp_path, islands=islands)
    population.train()
    assert fingerprint(population) == fingerprint(undisturbed)


def test_a_synchronous_study_is_the_same_in_one_process(undisturbed: Population) -> None:
    evolution = evolution_of(Walk())
    evolve(evolution, Island(Walk(), 4, 0, Device()), synchronous=True)
    lineage = [[interval.decision.parent for interval in life] for life in evolution.lives]
    assert lineage == [[record.parent for record in life] for life in undisturbed.history().lives]


def test_another_seed_gives_another_study(tmp_path: Path, undisturbed: Population) -> None:
    population = Population(tmp_path, seed=1)
    population.train()
    assert fingerprint(population)[0] != fingerprint(undisturbed)[0]


DEATHS = {
    "at once": {1: [("train", 1)]},
    "both, twice": {0: [("train", 4)], 1: [("train", 2), ("train", 5)]},
    "before its reports are answered": {1: [("publish", 5)]},
    "while others wait for its states": {0: [("pack", 1)]},
    "before its states are offered": {1: [("offer", 1)], 0: [("offer", 1)]},
    "while a snapshot is written": {0: [("save", 3)], 1: [("save", 6)]},
    "before it says that it has saved": {0: [("saved", 2)]},
    "in the last snapshot": {0: [("save", 14)]},
    "with the last snapshot": {0: [("saved", 4)], 1: [("saved", 4)]},
    "when all is over": {1: [("retire", 1)]},
    "again and again": {0: [("train", 8), ("train", 2), ("save", 1), ("publish", 3)]},
}


def deaths_of(spec: dict[int, list[tuple[str, int]]]) -> dict[int, list[Death]]:
    return {island: [Death(*death) for death in deaths] for island, deaths in spec.items()}


@pytest.mark.parametrize("when", DEATHS)
def test_an_island_that_dies_and_comes_back_changes_nothing(
    tmp_path: Path, undisturbed: Population, when: str
) -> None:
    population = Population(tmp_path)
    outcome = population.train(deaths=deaths_of(DEATHS[when]))
    assert outcome.finished and outcome.failure is None
    assert fingerprint(population) == fingerprint(undisturbed)


@pytest.mark.parametrize("when", DEATHS)
def test_an_asynchronous_study_survives_them_too(tmp_path: Path, when: str) -> None:
    population = Population(tmp_path, synchronous=False)
    assert population.train(deaths=deaths_of(DEATHS[when])).finished
    assert [len(life) for life in population.history().lives] == [12] * 8


@pytest.mark.parametrize("islands", [1, 4])
def test_a_stopped_study_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: Population, islands: int
) -> None:
    outcome = Population(tmp_path).train(stop_after=5)
    assert not outcome.finished
    assert outcome.snapshot is not None and set(outcome.snapshot.generations) == {6}
    resumed = Population(tmp_path, islands=islands)
    assert resumed.train().finished
    assert fingerprint(resumed) == fingerprint(undisturbed)


def test_a_study_whose_driver_vanished_goes_on_from_its_newest_valid_snapshot(
    tmp_path: Path, undisturbed: Population
) -> None:
    victim = Population(tmp_path)
    victim.train(stop_after=8)
    newest = sorted(victim.run.snapshots.iterdir())[-1]
    (newest / "manifest.json").unlink()
    with victim.run.journal.open("ab") as journal:
        journal.write(b'{"event":"interval","mem')
    resumed = Population(tmp_path)
    assert resumed.evolution.generation(0) == 6
    assert resumed.train().finished
    assert fingerprint(resumed) == fingerprint(undisturbed)


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_finished_study_is_given_more_generations(tmp_path: Path, synchronous: bool) -> None:
    ended = Population(tmp_path, generations=6, synchronous=synchronous)
    assert ended.train().finished
    short = ended.history()
    longer = Population(tmp_path, generations=12, synchronous=synchronous)
    assert longer.train().finished
    history = longer.history()
    assert (short.start.generations, history.start.generations) == (6, 12)
    assert [len(life) for life in history.lives] == [12] * 8
    for before, after in zip(short.lives, history.lives, strict=True):
        assert [one.losses for one in before] == [one.losses for one in after[:6]]
    copies = [one.generation for one in history.records() if one.copies]
    assert any(generation > 6 for generation in copies), "it evolves on"
    assert set(valid_snapshots(longer.run.snapshots)[0].generations) == {12}


def test_a_finished_study_has_nothing_left_to_train(tmp_path: Path) -> None:
    Population(tmp_path).train()
    again = Population(tmp_path)
    before = len(list(again.history().records()))
    assert again.train().finished
    assert len(list(again.history().records())) == before


@pytest.mark.parametrize("islands", [1, 2, 8])
def test_an_asynchronous_study_trains_every_member_to_its_end(tmp_path: Path, islands: int) -> None:
    population = Population(tmp_path, islands=islands, synchronous=False)
    outcome = population.train()
    assert outcome.finished and outcome.snapshot is not None
    assert set(outcome.snapshot.generations) == {12}
    history = population.history()
    assert all(len(life) == 12 for life in history.lives)
    assert history.exploits > 0


def test_an_asynchronous_study_survives_crashes_and_a_stop(tmp_path: Path) -> None:
    stopped = Population(tmp_path, synchronous=False)
    outcome = stopped.train(deaths=deaths_of({1: [("train", 16), ("train", 12)]}), stop_after=9)
    assert outcome.snapshot is not None
    resumed = Population(tmp_path, synchronous=False)
    generations = [resumed.evolution.generation(member) for member in range(8)]
    assert generations == list(outcome.snapshot.generations)
    assert resumed.train(deaths=deaths_of({0: [("train", 3)]})).finished
    assert [len(life) for life in resumed.history().lives] == [12] * 8


def test_copies_continue_from_the_parents_weights(tmp_path: Path, undisturbed: Population) -> None:
    """A copy's result is near its parent's, from which it differs by one interval of its own training."""
    history = undisturbed.history()
    record = next(r for r in history.records() if r.copies and r.generation < 12)
    own, parent = history.lives[record.member], history.lives[record.parent]
    after, before = own[record.generation].losses[0], own[record.generation - 1].losses[0]
    donor = parent[record.generation - 1].losses[0]
    assert abs(after - donor) < abs(after - before)


def test_an_asynchronous_copy_is_of_what_was_decided_on(tmp_path: Path) -> None:
    """The age of a copied member is that of the publication that won, not of what its parent became since."""
    for islands in (1, 2):
        population = Population(tmp_path / str(islands), islands=islands, synchronous=False, generations=30)
        population.train()
        ages = population.copied_ages()
        assert ages and all(after == published + 4 for published, after in ages)


def test_a_study_stopped_when_some_lives_are_over_comes_to_its_end(tmp_path: Path) -> None:
    late = {user_seed(0, "member", member) for member in range(4)}
    done: set[int] = set()
    others_are_over = threading.Event()

    def wait(session: WalkSession) -> None:
        if session.seed in late:
            assert others_are_over.wait(30)
            return
        if session.age == 12 * 4:
            done.add(session.seed)
        if len(done) == 4:
            others_are_over.set()

    Population(tmp_path, workload=Walk(wait), synchronous=False, method=NO_EVOLUTION).train(stop_after=1)
    stopped = valid_snapshots(RunDirectory(tmp_path).snapshots)[0].generations
    assert max(stopped[:4]) < 12 and set(stopped[4:]) == {12}
    resumed = Population(tmp_path, synchronous=False, method=NO_EVOLUTION)
    assert resumed.train().finished
    assert set(valid_snapshots(resumed.run.snapshots)[0].generations) == {12}


def test_members_of_a_snapshot_can_be_copied_before_they_train_on(tmp_path: Path) -> None:
    def population() -> Population:
        return Population(tmp_path, synchronous=False, generations=30)

    population().train(stop_after=5)
    resumed, offered = population(), {}
    offer = resumed.coordinator.offer

    async def observed(epoch: int, offers: Any) -> None:
        offered.update(offers)
        await offer(epoch, offers)

    resumed.coordinator.offer = observed  # type: ignore[method-assign]
    snapshot = valid_snapshots(resumed.run.snapshots)[0]
    saved = [load_state(file)["session"] for file in snapshot.files]
    assert resumed.train().finished
    assert offered.keys() == set(range(8))
    for member, given in offered.items():
        assert same(from_parcel(given.state[0])["session"], saved[member])


def test_a_rule_that_raises_ends_the_study_with_its_reason(tmp_path: Path) -> None:
    class Broken(Truncation):
        def __call__(self, *_: object) -> np.ndarray:  # type: ignore[override]
            raise ZeroDivisionError("nobody to choose from")

    population = Population(tmp_path, method=Pbt(Broken(), NoExplore()))
    with pytest.raises(ZeroDivisionError):
        population.train()
    failure = asyncio.run(population.coordinator.outcome()).failure
    assert failure is not None and "nobody to choose from" in failure


def test_whoever_comes_after_the_study_has_failed_has_nothing_to_do(tmp_path: Path) -> None:
    async def late() -> None:
        coordinator = Population(tmp_path).coordinator
        await coordinator.abort("an island failed too often")
        for island in (0, 1, 0):
            assignment = await asyncio.wait_for(coordinator.join(island), 5)
            assert not assignment.configs
        assert await asyncio.wait_for(coordinator.collect(0, [1]), 5) is None
        assert await asyncio.wait_for(coordinator.retire(0), 5)

    asyncio.run(late())


def test_a_state_that_cannot_be_saved_ends_the_study_at_once(tmp_path: Path) -> None:
    class Odd(WalkSession):
        def state(self) -> object:
            return {"rng": np.random.default_rng()}

    class OddWalk(Walk):
        def start(self, config, seed, device):  # type: ignore[no-untyped-def]
            return Odd(config, seed, None)

    population = Population(tmp_path, workload=OddWalk(), islands=1, method=Pbt(NoExploit(), NoExplore()))
    outcome = population.train()
    assert outcome.failure is not None and "state.session.rng" in outcome.failure
    assert population.history().generation == 3


def test_a_traceback_of_any_characters_is_kept(tmp_path: Path) -> None:
    """As those of files whose names are no UTF-8 have."""

    def accident(session: WalkSession) -> float | None:
        raise OSError("no such file: caf\udce9")

    population = Population(tmp_path, workload=Walk(accident))
    assert population.train().failure is not None
    assert "caf\\udce9" in population.run.failures.read_text()


def test_tracebacks_are_kept_in_the_run_directory(tmp_path: Path) -> None:
    population = Population(tmp_path, workload=Walk(crash_member_seeded(3, interval=2)))
    population.train()
    text = population.run.failures.read_text()
    assert text.startswith("member 3, generation 2\nTraceback") and "RuntimeError: out of luck" in text


def crash_member_seeded(number: int, interval: int):
    from orchestrator.randomness import user_seed

    seed = user_seed(0, "member", number)
    # The member's own, not the age of its weights: those that it copies may be older already.
    intervals = itertools.count(1)

    def accident(session: WalkSession) -> float | None:
        if session.seed == seed and next(intervals) == interval:
            raise RuntimeError("out of luck")
        return None

    return accident


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_member_that_raises_is_replaced(tmp_path: Path, synchronous: bool) -> None:
    workload = Walk(crash_member_seeded(3, interval=2))
    population = Population(tmp_path, workload=workload, synchronous=synchronous)
    assert population.train().finished
    life = population.history().lives[3]
    assert life[1].failure == "RuntimeError: out of luck"
    assert life[1].parent != 3
    assert np.isfinite(life[2].losses[0]) and life[2].failure is None


def test_a_member_that_diverges_is_replaced(tmp_path: Path) -> None:
    workload = Walk(lambda session: float("nan") if session.config["rate"] > 0.5 else None)
    population = Population(tmp_path, workload=workload, size=16)
    assert population.train().finished
    diverged = [r for r in population.history().records() if np.isnan(r.losses[0]) and r.generation < 12]
    assert diverged and all(record.copies for record in diverged)


def test_a_study_in_which_everybody_fails_ends_with_the_reason(tmp_path: Path) -> None:
    def accident(session: WalkSession) -> float | None:
        raise ValueError("no data")

    outcome = Population(tmp_path, workload=Walk(accident)).train()
    assert outcome.failure is not None and "ValueError: no data" in outcome.failure
    assert not outcome.finished


def test_a_metric_that_is_not_reported_fails_the_member_and_names_what_was(tmp_path: Path) -> None:
    class Mute(WalkSession):
        def advance(self, amount: int) -> dict[str, float]:
            return {"accuracy": 1.0}

    class MuteWalk(Walk):
        def start(self, config, seed, device):  # type: ignore[no-untyped-def]
            return Mute(config, seed, None)

    outcome = Population(tmp_path, workload=MuteWalk()).train()
    assert outcome.failure is not None
    assert "'loss'" in outcome.failure and "'accuracy'" in outcome.failure
