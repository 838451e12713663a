"""Every copy in the journal is of one publication: weights, build, optimizer state and hyperparameters."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.population.coordination.messages import Orders
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.records import MemberInterval, Report
from orchestrator.population.rules import NoExploit, Truncation
from orchestrator.population.rules.explore import NoExplore, Perturb
from orchestrator.randomness import user_seed
from orchestrator.run.journal import read_journal
from tests.orchestrator.population.harness import Death, Population, Walk, WalkSession, evolution_of
from workloads.contract import Device, Metrics, State
from workloads.packing import Course, EngineChoice
from workloads.state_files import load_state

INTERVAL = 4


class Traced(Walk):
    """Weights that know which members trained them, when, and with which hyperparameters.

    Args:
        chance: how likely a session is to raise, to diverge, or to have no state at hand, each time.
        delay: up to how many seconds an interval takes.
        seed: of all that happens by chance.
    """

    def __init__(self, chance: float = 0.0, delay: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.chance, self.delay, self.seed = chance, delay, seed
        self.loss: Callable[[TracedSession], float] = lambda session: _fraction(session.trace)
        self.broken: Callable[[TracedSession], bool] = lambda session: self.happens(session, "state")

    def happens(self, session: TracedSession, what: str) -> bool:
        return _fraction(self.seed, what, session.seed, session.trace, session.age) < self.chance

    def start(self, config: Any, seed: int, device: Device) -> TracedSession:
        return TracedSession(self, config, seed)

    # Packed: members of one build train together.

    def static_key(self, config: Any) -> Hashable:
        return config["kind"]

    def choose_engine(self, configs: Any, device: Device, course: Course, *, may_loop: bool) -> EngineChoice:
        return EngineChoice("packed", "asked for")

    def packer(self, engine: Any, device: Device) -> Any:
        return self

    def pack(self, sessions: Sequence[Any]) -> Any:
        return _Pack(tuple(sessions))


class _Pack:
    fallback = None

    def __init__(self, sessions: tuple[TracedSession, ...]) -> None:
        self.sessions = sessions

    def advance(self, amount: int) -> list[Metrics | Exception]:
        results: list[Metrics | Exception] = []
        for session in self.sessions:
            try:
                results.append(session.advance(amount))
            except RuntimeError as error:
                results.append(error)
        return results

    def copy(self, receivers: Sequence[int], donors: Sequence[int]) -> None:
        states = [dict(vars_of(self.sessions[donor])) for donor in donors]
        for receiver, state in zip(receivers, states, strict=True):
            self.sessions[receiver].load(state)


class TracedSession:
    def __init__(self, workload: Traced, config: Any, seed: int) -> None:
        self.workload, self.config, self.seed = workload, config, seed
        self.age, self.trace, self.moment = 0, 0, np.zeros(1)

    def advance(self, amount: int) -> Metrics:
        time.sleep(self.workload.delay * _fraction(self.workload.seed, self.seed, self.age))
        assert self.moment[0] == self.trace, "the optimizer's state is of other weights"
        if self.workload.happens(self, "crash"):
            raise RuntimeError("out of luck")
        self.age += amount
        self.trace = traced(self.trace, self.seed, self.age, self.config)
        self.moment[0] = self.trace
        loss = np.nan if self.workload.happens(self, "diverge") else self.workload.loss(self)
        return {"loss": loss, "trace": self.trace}

    def configure(self, config: Any) -> None:
        assert config["kind"] == self.config["kind"], "what is fixed at birth never changes in flight"
        self.config = config

    def state(self) -> State:
        if self.workload.broken(self):
            raise RuntimeError("no state today")
        return vars_of(self)

    def load(self, state: State) -> None:
        assert state["kind"] == self.config["kind"], "weights of another build"
        self.age, self.trace, self.moment = state["age"], state["trace"], state["moment"].copy()


def vars_of(session: TracedSession) -> dict[str, Any]:
    kind = session.config["kind"]
    return {"age": session.age, "trace": session.trace, "moment": session.moment.copy(), "kind": kind}


def traced(before: int, seed: int, age: int, config: Any) -> int:
    return zlib.crc32(repr((before, seed, age, config["rate"], config["kind"])).encode())


def _fraction(*parts: Any) -> float:
    return zlib.crc32(repr(parts).encode()) / 2**32


def expected(history: PopulationHistory, record: MemberInterval) -> int:
    """The trace that weights must have if everything went as the journal says."""
    trace = 0
    for past in history.chain(record):
        seed = user_seed(history.start.seed, "member", past.member)
        trace = traced(trace, seed, past.age, past.config)
    return trace


def check_journal(history: PopulationHistory, *, inherited: bool) -> int:
    """Every interval was trained on the weights that the journal says; returns the number of copies."""
    for record in history.records():
        assert record.failure is None or record.failure in (
            "RuntimeError: out of luck",
            "RuntimeError: no state today",
            "it had failed before the snapshot that it comes from",
        )
        if record.failure is None:
            assert record.metrics["trace"] == expected(history, record)
            assert record.age == (record.origin.age if record.origin else 0) + INTERVAL
        source = history.source(record)
        if record.copies:
            assert source is not None and source.member == record.parent
            assert source.generation == record.parent_generation
            assert record.next_config["kind"] == source.config["kind"]
            assert not inherited or record.next_config == source.config
        elif not record.reborn:
            assert record.parent_generation is None
            assert record.next_config["kind"] == record.config["kind"]
            assert not inherited or record.next_config == record.config
    return history.exploits


def check_best(population: Population, *, complete: bool = True) -> MemberInterval:
    """The study ends with the best that it ever had, named and with its weights.

    ``complete``: whether every state could be taken.
    """
    history = population.history()
    best = history.best()
    assert history.final is not None and best is not None
    weights = load_state(population.run.path / history.final["weights"])["session"]
    assert weights["trace"] == expected(history, best) and weights["age"] == best.age
    assert history.final["config"] == best.config
    ever = min(record.losses[0] for record in history.records() if record.losses[0] == record.losses[0])
    assert best.losses[0] == ever or not complete
    return best


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("islands", [1, 2])
@pytest.mark.parametrize("engine", ["loop", "packed"])
@pytest.mark.parametrize("spoilt", ["from generation 6", "but at snapshots", "from the second"])
def test_the_best_ever_is_named_and_its_weights_are_kept(
    tmp_path: Path, synchronous: bool, islands: int, engine: Any, spoilt: str
) -> None:
    def loss(session: TracedSession) -> float:
        generation = session.age // INTERVAL
        bad = {
            "from generation 6": generation >= 6,
            "but at snapshots": generation % 3 != 0,
            "from the second": generation > 1,
        }
        return 10.0 if bad[spoilt] else 1 - 0.1 * generation

    workload = Traced()
    workload.loss = loss
    population = Population(
        tmp_path,
        workload=workload,
        islands=islands,
        synchronous=synchronous,
        generations=7,
        method=Pbt(NoExploit(), NoExplore()),
        engine=EngineChoice(engine, "asked for"),
    )
    assert population.train(conclude=True).finished
    generation = {"from generation 6": 5, "but at snapshots": 6, "from the second": 1}[spoilt]
    assert check_best(population).generation == generation


@pytest.mark.parametrize("synchronous", [True, False])
def test_the_best_ever_survives_deaths_and_resumes(tmp_path: Path, synchronous: bool) -> None:
    for stop_after in (1, 4, None):
        population = Population(tmp_path, workload=Traced(), synchronous=synchronous)
        deaths = {1: [Death("train", 3), Death("save", 2)], 0: [Death("saved", 1)]}
        outcome = population.train(deaths=deaths, stop_after=stop_after, conclude=True)
    assert outcome.finished
    check_best(population)


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("islands", [1, 2])
def test_a_copy_that_could_not_be_made_is_not_on_record(
    tmp_path: Path, islands: int, synchronous: bool
) -> None:
    """The member keeps its weights and its hyperparameters, and the journal says so."""
    workload = Traced()
    some = {user_seed(0, "member", member) for member in range(1, 8, 2)}
    workload.broken = lambda session: session.age == 2 * INTERVAL and session.seed in some
    population = Population(
        tmp_path,
        workload=workload,
        islands=islands,
        synchronous=synchronous,
        method=Pbt(Truncation(0.25), NoExplore()),
        generations=6,
    )
    assert population.train().finished
    history = population.history()
    assert check_journal(history, inherited=True) > 0
    given_up = [event for event in read_journal(population.run.journal) if event.get("reason")]
    assert given_up and all(event["event"] == "decision" for event in given_up)
    for event in given_up:
        record = history.lives[event["member"]][event["generation"] - 1]
        assert record.parent == record.member
        assert record.reborn if np.isnan(record.losses[0]) else record.next_config == record.config
        assert event["reason"].endswith("could not be had")


def test_a_state_travels_when_somebody_wants_it(tmp_path: Path) -> None:
    population = Population(tmp_path, workload=Traced(), synchronous=False, small=False)
    assert population.train().finished
    check_journal(population.history(), inherited=False)
    events = read_journal(population.run.journal)
    from_elsewhere = [event for event in events if event["event"] == "decision" and not event["reason"]]
    assert 0 < population.packed <= len(from_elsewhere) < 8 * 12


def test_members_that_went_on_with_a_copy_are_no_parents_until_they_have_trained() -> None:
    """What they had published is gone: the snapshot has what they went on with."""
    evolution = evolution_of(Walk(), size=4, generations=9, method=Pbt(Truncation(0.5), NoExplore()))
    evolution.decide([Report(m, 1, 4, {"loss": float(m)}, 0.1) for m in range(4)])
    assert evolution.lives[3][0].decision.copies
    evolution.rewind([1, 1, 1, 1], restored=range(4))
    evolution.lives[3][0] = replace(evolution.lives[3][0], losses=(-1.0,))
    (interval,) = evolution.decide([Report(0, 2, 8, {"loss": np.nan}, 0.1)], alone=True)
    assert interval.decision.parent == 1


DEEDS = ["train", "publish", "pack", "offer", "supply", "wanted", "save", "saved", "revise", "join"]
deaths = st.dictionaries(
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(1, 12)), max_size=2),
    max_size=2,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    islands=st.integers(1, 4),
    packed=st.booleans(),
    small=st.booleans(),
    explored=st.booleans(),
    chance=st.sampled_from([0.0, 0.05]),
    seed=st.integers(0, 1000),
    lives=st.lists(st.tuples(deaths, st.integers(1, 6)), max_size=1),
)
def test_a_copy_is_of_one_publication(
    islands: int, packed: bool, small: bool, explored: bool, chance: float, seed: int, lives: Any
) -> None:
    """Whatever the order of arrival, whoever dies, and however often the study is stopped and resumed."""
    ends = [*lives, ({}, None)]
    rng = np.random.default_rng(seed)
    with TemporaryDirectory() as folder:
        for number, (dying, stop_after) in enumerate(ends):
            population = Population(
                Path(folder),
                workload=Traced(chance, 0.001, seed + number),
                islands=islands,
                synchronous=False,
                generations=8,
                seed=seed,
                method=Pbt(Truncation(0.3), Perturb() if explored else NoExplore()),
                snapshot_interval=2,
                engine=EngineChoice("packed" if packed else "loop", "asked for"),
                small=small,
                lost=lambda: rng.random() < chance,
            )
            mortal = {island: [Death(*death) for death in own] for island, own in dying.items()}
            outcome = population.train(deaths=mortal, stop_after=stop_after, conclude=True)
            assert outcome.failure is None
            check_journal(population.history(), inherited=not explored)
        assert outcome.finished
        check_best(population, complete=not chance)


class _CopyTheFirst:
    """Whoever is not the first copies the first."""

    window = 1

    def serves(self, objectives: int, population: int) -> None:
        """Any study."""

    def __call__(self, losses: Any, _history: Any, _rng: Any) -> Any:
        return np.zeros(len(losses), dtype=np.intp)


def test_the_best_of_an_island_is_kept_where_another_dies_before_it_is_told_so(tmp_path: Path) -> None:
    rules = Pbt(_CopyTheFirst(), NoExplore())
    coordinator = Population(tmp_path, synchronous=False, size=2, method=rules).coordinator

    async def course() -> list[Orders]:
        await asyncio.gather(coordinator.join(0), coordinator.join(1))
        await coordinator.publish(0, 0, [Report(0, 1, 4, {"loss": 1.0}, 0.0)])
        waiting = asyncio.create_task(coordinator.publish(1, 0, [Report(1, 1, 4, {"loss": 2.0}, 0.0)]))
        await asyncio.sleep(0.01)
        await coordinator.join(0)
        return await asyncio.wait_for(waiting, 5)

    (orders,) = asyncio.run(course())
    assert not orders.decisions[0].copies
    assert orders.best == {1}


class _Unsavable(WalkSession):
    """Gives no state once it is done."""

    def state(self) -> State:
        if self.age == 12 * INTERVAL and self.seed == user_seed(0, "member", 0):
            raise RuntimeError("no state")
        return super().state()


class _BestUnsavable(Walk):
    """The first member ends with the best loss of all, and nobody can have its weights."""

    def start(self, config: Any, seed: int, device: Device) -> WalkSession:
        first = user_seed(0, "member", 0)

        def ideal(session: WalkSession) -> float | None:
            return 0.0 if session.age == 12 * INTERVAL and session.seed == first else None

        return _Unsavable(config, seed, ideal)


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_publication_without_weights_is_not_the_best(tmp_path: Path, synchronous: bool) -> None:
    rules = Pbt(NoExploit(), NoExplore())
    population = Population(tmp_path, workload=_BestUnsavable(), synchronous=synchronous, method=rules)
    outcome = population.train(conclude=True)
    final = population.history().final
    assert outcome.finished and final is not None and final["metrics"]["loss"] > 0
    assert load_state(population.run.path / final["weights"]) is not None
