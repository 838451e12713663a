"""A whole population study in one process: the real coordinator and islands, and threads for nodes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401 - before threads do it at the same time

from orchestrator.population.assemble import assemble_population
from orchestrator.population.coordination.coordinator import Coordinator
from orchestrator.population.coordination.messages import LOOP, Outcome, PackedState, Plan
from orchestrator.population.evolution import Evolution
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.island.device_faults import BrokenDeviceError
from orchestrator.population.island.island import Island
from orchestrator.population.island.link import LostStateError
from orchestrator.population.island.loop import IslandLoop
from orchestrator.population.island.member import MemberState, judge
from orchestrator.population.methods.contract import Method
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.records import Report
from orchestrator.population.rules import NoExploit, Truncation
from orchestrator.population.rules.explore import NoExplore, Perturb
from orchestrator.population.schedule import Followed
from orchestrator.population.setup import make_evolution, make_plan
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from search_spaces import Config, SearchSpace, build_space
from workloads.capabilities import blocks_of
from workloads.contract import Device, Fidelity, Metrics, Objective, State
from workloads.packing import EngineChoice
from workloads.state import from_parcel, to_parcel
from workloads.state_files import load_state

SPACE = {
    "parameters": {
        "rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "mutable": True},
        "kind": {"type": "categorical", "choices": ["a", "b"]},
    }
}


class Walk:
    """A seeded random walk towards zero: cheap, deterministic and different for every member and age.

    Args:
        accident: called with (member's session, age) before each step; may raise or return a loss to report.
    """

    def __init__(self, accident: Callable[[WalkSession], float | None] | None = None) -> None:
        self.space: SearchSpace = build_space(SPACE)
        self.objectives = (Objective("loss"),)
        self.fidelity = Fidelity("step", largest=100)
        self.accident = accident

    def start(self, config: Config, seed: int, device: Device) -> WalkSession:
        return WalkSession(config, seed, self.accident)


class WalkSession:
    def __init__(
        self, config: Config, seed: int, accident: Callable[[WalkSession], float | None] | None
    ) -> None:
        self.seed, self.accident, self.config = seed, accident, config
        self.age = 0
        self.weights = np.random.default_rng(seed).normal(size=3)

    def advance(self, amount: int) -> Metrics:
        for _ in range(amount):
            noise = np.random.default_rng([self.seed, self.age]).normal(size=3)
            self.weights = self.weights * (1 - 0.1 * self.config["rate"]) + 0.01 * noise
            self.age += 1
        forced = self.accident(self) if self.accident else None
        return {"loss": float(np.square(self.weights).sum()) if forced is None else forced}

    def configure(self, config: Config) -> None:
        assert config["kind"] == self.config["kind"], "what is fixed at birth never changes in flight"
        self.config = config

    def state(self) -> State:
        return {"weights": self.weights.copy(), "age": self.age}

    def load(self, state: State) -> None:
        self.weights, self.age = state["weights"].copy(), state["age"]

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        self.weights = keep * self.weights + noise * np.random.default_rng(seed).normal(size=3)

    def test(self) -> Metrics:
        return {"test_loss": float(np.square(self.weights).sum())}


def evolution_of(
    workload: Any,
    *,
    size: int = 8,
    generations: int = 12,
    seed: int = 0,
    method: Method | None = None,
    followed: Followed | None = None,
) -> Evolution:
    return Evolution(
        workload.space,
        workload.objectives,
        method or Pbt(Truncation(0.25), Perturb()),
        size=size,
        generations=generations,
        seed=seed,
        followed=followed,
        blocks=blocks_of(workload),
    )


NO_EVOLUTION = Pbt(NoExploit(), NoExplore())


class Population:
    """One run of a study; make another on the same directory to resume it.

    ``first`` and ``least`` are the coordinator's, with ``islands`` that there can be. ``hosted`` makes what
    each island's process trains out of the workload.
    """

    def __init__(
        self,
        run: Path,
        *,
        workload: Any = None,
        islands: int = 2,
        synchronous: bool = True,
        size: int = 8,
        generations: int = 12,
        seed: int = 0,
        method: Method | None = None,
        followed: Followed | None = None,
        snapshot_interval: int = 3,
        snapshot_seconds: float | None = None,
        archive: int = 32,
        engine: EngineChoice | None = LOOP,
        small: bool = True,
        lost: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] | None = None,
        hosted: Callable[[Any], Any] = lambda workload: workload,
        grace: float = 60.0,
        first: int | None = None,
        least: int = 0,
    ) -> None:
        self.hosted = hosted
        self.small, self.lost = small, lost
        self.workload = workload or Walk()
        self.seed, self.synchronous, self.interval = seed, synchronous, 4
        self.at_birth = None if followed is None else followed.schedule.change_at(0)
        evolution = evolution_of(
            self.workload, size=size, generations=generations, seed=seed, method=method, followed=followed
        )
        header = {
            "kind": "population", "study": "walk", "seed": seed, "size": size, "generations": generations,
            "interval": 4, "synchronous": synchronous, "islands": islands, "unit": "step",
            "objectives": [vars(objective) for objective in self.workload.objectives],
            "mutable": ["rate"], "parameters": ["rate", "kind"], "log_parameters": ["rate"],
        }  # fmt: skip
        if self.at_birth is not None:
            header["at_birth"] = asdict(self.at_birth)
        plan = Plan(
            generations,
            synchronous,
            snapshot_interval,
            2,
            header,
            engine,
            archive=archive,
            snapshot_seconds=snapshot_seconds,
        )
        self._found(run, evolution, plan, islands, clock, grace, first, least)

    def _found(
        self,
        run: Path,
        evolution: Evolution,
        plan: Plan,
        islands: int,
        clock: Callable[[], float] | None = None,
        grace: float = 60.0,
        first: int | None = None,
        least: int = 0,
    ) -> None:
        self.trained: list[tuple[int, int]] = []
        self.packed, self.run, self.islands, self.evolution = 0, RunDirectory(run), islands, evolution
        clock = clock or map(float, itertools.count()).__next__
        self.coordinator = Coordinator(
            evolution, plan, self.run, first or islands, clock, grace=grace, least=least
        )

    def train(
        self,
        *,
        deaths: Mapping[int, Sequence[Death]] | None = None,
        leaves: Mapping[int, Death] | None = None,
        comes: Mapping[int, threading.Event] | None = None,
        returns: Mapping[int, threading.Event] | None = None,
        stop_after: int | None = None,
        conclude: bool = False,
        patience: float = 60.0,
    ) -> Outcome:
        """Run all islands to their end; :attr:`trained` then has the island of each member's interval.

        ``small`` and ``lost`` of this population say whether states go along with every publication, and
        whether one is lost on its way.

        Args:
            deaths: how some islands die, one death for each of their lives; each is then started again.
            leaves: how some islands die for good, with their nodes.
            comes: islands whose nodes are there once the event is set.
            returns: those that left whose nodes are there again once the event is set.
            stop_after: turns of island 0 after which the study is asked to stop.
            conclude: whether its models are tested and its last line is written if it is finished.
            patience: seconds until an island that has not ended counts as one that waits for ever.
        """
        with _event_loop() as loop:
            errors: list[BaseException] = []
            threads = [
                threading.Thread(
                    target=_guarded,
                    args=(
                        errors,
                        self._live,
                        number,
                        loop,
                        list((deaths or {}).get(number, ())),
                        (leaves or {}).get(number),
                        (comes or {}).get(number),
                        (returns or {}).get(number),
                        stop_after,
                    ),
                    daemon=True,
                )
                for number in range(self.islands)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(patience)
                assert errors or not thread.is_alive(), "an island waits for ever"
            if errors:
                raise errors[0]
            outcome: Outcome = _ThreadLink(self.coordinator, loop).post("outcome")()
            if conclude and outcome.finished:
                _ThreadLink(self.coordinator, loop).post("conclude", self._tested(outcome))()
            self.coordinator.close()
            return outcome

    def _tested(self, outcome: Outcome) -> list[dict[str, float]]:
        """The models' metrics on held-out data."""
        del outcome
        return []

    def history(self) -> PopulationHistory:
        return PopulationHistory.from_events(read_journal(self.run.journal))

    def copied_ages(self) -> list[tuple[int, int]]:
        """Of every copy: the age that its parent had published, and its own after its next interval."""
        lives = self.history().lives
        return [
            (lives[before.parent][before.parent_generation - 1].age, after.age)
            for life in lives
            for before, after in itertools.pairwise(life)
            if before.copies and before.parent_generation is not None
        ]

    def final_weights(self) -> list[np.ndarray]:
        """Each member's weights in the newest snapshot."""
        from orchestrator.population.snapshots.snapshots import valid_snapshots
        from workloads.state_files import load_state

        newest = valid_snapshots(self.run.snapshots)[0]
        return [load_state(file)["session"]["weights"] for file in newest.files]

    def _live(
        self,
        number: int,
        loop: asyncio.AbstractEventLoop,
        deaths: list[Death],
        leaves: Death | None,
        comes: threading.Event | None,
        returns: threading.Event | None,
        stop_after: int | None,
    ) -> None:
        assert comes is None or comes.wait(60)
        lives = iter((*deaths, leaves))
        death, broken = next(lives), 0
        while True:
            link = _ThreadLink(self.coordinator, loop, death, self)
            # A device of its own, as a new process has.
            hosted = self.hosted(self.workload)
            island = _MortalIsland(hosted, self.interval, self.seed, Device(), at_birth=self.at_birth)
            island.death = death
            try:
                island_loop = IslandLoop(number, island, self.synchronous, link)
                for turn in itertools.count():
                    if not island_loop.active:
                        return
                    if number == 0 and turn == stop_after:
                        link.post("stop")()
                    island_loop.turn()
                    self.trained += [(number, member) for member in island.members]
            except _DiedError:
                if death is not leaves:
                    death = next(lives)
                    continue
                _ThreadLink(self.coordinator, loop).post("gone", number)()
                if returns is None:
                    return
                assert returns.wait(60)
                death = leaves = None
            except BrokenDeviceError:
                link.die()
                broken += 1
                assert broken < 10, "an island breaks its device for ever"


class ConfiguredPopulation(Population):
    """The population of a resolved configuration, on one island."""

    def __init__(self, run: Path, study: Mapping[str, Any]) -> None:
        parts = assemble_population(study)
        self.hosted = lambda workload: workload
        self.small, self.lost, self.at_birth = True, lambda: False, None
        self.workload, self.interval = parts.workload, parts.interval
        self.seed, self.synchronous = study["seed"], study["population"]["synchronous"]
        self._found(run, make_evolution(study, parts), make_plan(study, parts, 1), 1)

    def _tested(self, outcome: Outcome) -> list[dict[str, float]]:
        return [
            judge(self.workload, config, self.seed, load_state(weights)["session"], Device())
            for config, weights in outcome.models
        ]


@dataclass
class Death:
    """An island's process dies at the ``count``-th time that it does ``deed`` (train, save, pack or a call).

    A call of the coordinator (publish, offer, saved ...) is made; the process dies before its answer comes.
    """

    deed: str
    count: int = 1

    def strikes(self, deed: str) -> bool:
        self.count -= deed == self.deed
        return self.count <= 0


class _DiedError(BaseException):
    """Not an Exception: nothing that runs in a process survives its death."""


class _MortalIsland(Island):
    death: Death | None = None

    def train_all(self, numbers: Iterable[int]) -> list[Report]:
        _die(self.death, "train")
        return super().train_all(numbers)

    def save(self, number: int, path: Path) -> bool:
        _die(self.death, "save")
        return super().save(number, path)


def _die(death: Death | None, deed: str) -> None:
    if death is not None and death.strikes(deed):
        raise _DiedError


class _ThreadLink:
    def __init__(
        self,
        coordinator: Coordinator,
        loop: asyncio.AbstractEventLoop,
        death: Death | None = None,
        population: Population | None = None,
    ) -> None:
        self._coordinator, self._loop, self._death = coordinator, loop, death
        self._population = population
        self._thread = threading.get_ident()

    def _die(self, deed: str = "") -> None:
        """A process dies with all its threads."""
        try:
            _die(self._death, deed)
        except _DiedError as error:
            if threading.get_ident() == self._thread:
                raise
            raise ConnectionError("the island's process has died") from error

    def die(self) -> None:
        """The process of this link has ended."""
        self._death = Death("", 0)

    def post(self, method: str, *arguments: Any) -> Callable[[], Any]:
        self._die()
        call = getattr(self._coordinator, method)(*arguments)
        answer = asyncio.run_coroutine_threadsafe(call, self._loop)
        self._die(method)
        return answer.result

    def goes_along(self, state: MemberState | None) -> bool:
        return self._population is None or self._population.small or state is None

    def pack(self, state: MemberState | None) -> PackedState:
        self._die("pack")
        if self._population is not None:
            self._population.packed += 1
        return None if state is None else [to_parcel(state)]

    def unpack(self, packed: PackedState) -> MemberState | None:
        if self._population is not None and self._population.lost():
            raise LostStateError
        return None if packed is None else from_parcel(packed[0])


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _guarded(errors: list[BaseException], function: Callable[..., None], *arguments: Any) -> None:
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
        errors.append(error)
