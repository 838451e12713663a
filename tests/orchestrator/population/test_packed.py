"""Populations whose members train together: the same course as one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.island.packs import Packs
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from orchestrator.run.journal import read_journal
from tests.orchestrator.population.harness import Death, Population, evolution_of
from tests.workloads.torch.regression import Regression
from workloads.contract import Device
from workloads.packing import Engine, EngineChoice, NoRoomError
from workloads.torch import TorchSession
from workloads.torch.packed.equivalence import find_obstacle
from workloads.torch.packed.memory import Footprint

SIZE, GENERATIONS, INTERVAL = 12, 8, 5
RULES = Pbt(Truncation(0.25), Perturb())


KNOWN = dict[Any, str | None]()


@pytest.fixture(autouse=True)
def known_to_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every island tries anew whether a build can be packed, which takes long; here once will do."""

    def once(definition: Regression, configs: Any, device: Device) -> str | None:
        build = type(definition), definition.static_key(configs[0])
        if build not in KNOWN:
            KNOWN[build] = find_obstacle(definition, configs, device)
        return KNOWN[build]

    monkeypatch.setattr("workloads.torch.packed.packer.find_obstacle", once)


class Precise(Regression):
    """In float64, where rounding cannot change who is better."""

    def start(self, config: Any, seed: int, device: Device) -> TorchSession:
        return TorchSession(self, config, seed, device, torch.float64)


class Choosy(Precise):
    """Says which engine it wants."""

    def __init__(self, engine: Engine = "packed") -> None:
        super().__init__()
        self.engine, self.asked = engine, 0

    def choose_engine(self, configs: Any, device: Device, course: Any, *, may_loop: bool) -> EngineChoice:
        self.asked += 1
        return EngineChoice(self.engine, "it says so", {})


def evolved(engine: Engine, *, synchronous: bool, workload: Regression | None = None) -> Any:
    workload = workload or Precise()
    evolution = evolution_of(workload, size=SIZE, generations=GENERATIONS, method=RULES)
    island = Island(workload, INTERVAL, 0, Device())
    island.use(EngineChoice(engine, "asked for"))
    evolve(evolution, island, synchronous=synchronous)
    return evolution, island


def lineage(evolution: Any) -> list[list[tuple[Any, ...]]]:
    return [
        [(i.decision.parent, i.decision.config, i.age, i.failure) for i in life] for life in evolution.lives
    ]


def losses(evolution: Any) -> np.ndarray:
    return np.array([[interval.losses[0] for interval in life] for life in evolution.lives])


def test_a_synchronous_population_has_the_lineage_of_the_loop() -> None:
    looped, _ = evolved("loop", synchronous=True)
    packed, island = evolved("packed", synchronous=True)
    assert lineage(packed) == lineage(looped)
    assert sum(i.decision.copies for life in packed.lives for i in life) >= GENERATIONS
    assert any(len(group) > 1 for group in island.groups(range(SIZE)))
    np.testing.assert_allclose(losses(packed), losses(looped), rtol=1e-9)
    assert not island.packs.remarks


def test_copies_change_groups_with_their_builds() -> None:
    """Widths are fixed at birth: whoever copies another width moves into its group."""
    packed, island = evolved("packed", synchronous=True)
    widths = [[interval.config["width"] for interval in life] for life in packed.lives]
    assert any(len(set(life)) > 1 for life in widths)
    for member in island.members.values():
        assert member.session is not None
        assert member.session.state()["model"]["hidden.weight"].shape[0] == member.config["width"]


def test_an_asynchronous_population_in_one_process_trains_to_its_end() -> None:
    packed, _ = evolved("packed", synchronous=False)
    assert packed.finished
    assert np.isfinite(losses(packed)).all()


@pytest.mark.parametrize("islands", [1, 2])
def test_an_asynchronous_copy_is_of_what_was_decided_on(tmp_path: Path, islands: int) -> None:
    """Also where the island's members train in several groups, one after the other."""
    packed = EngineChoice("packed", "asked for")
    population = Population(
        tmp_path,
        workload=Precise(),
        islands=islands,
        synchronous=False,
        size=12,
        generations=15,
        method=RULES,
        engine=packed,
    )
    outcome = population.train()
    assert outcome.failure is None
    widths = {life[0].config["width"] for life in population.history().lives}
    assert len(widths) > 1
    ages = population.copied_ages()
    assert ages and all(after == published + 4 for published, after in ages)


@pytest.mark.parametrize("islands", [1, 2])
@pytest.mark.parametrize("synchronous", [True, False])
def test_studies_record_the_engine_and_use_it_again(tmp_path: Path, islands: int, synchronous: bool) -> None:
    workload = Choosy()
    first = Population(
        tmp_path, workload=workload, islands=islands, synchronous=synchronous, method=RULES, engine=None
    )
    outcome = first.train(stop_after=5)
    assert outcome.failure is None and not outcome.finished
    assert workload.asked == 1
    chosen = [event for event in read_journal(first.run.journal) if event["event"] == "engine"]
    assert [(event["engine"], event["reason"]) for event in chosen] == [("packed", "it says so")]
    resumed = Population(
        tmp_path, workload=workload, islands=islands, synchronous=synchronous, method=RULES, engine=None
    )
    assert resumed.train().finished
    assert workload.asked == 1
    assert resumed.history().engine == EngineChoice("packed", "it says so", {})


def test_a_packed_synchronous_study_has_the_lineage_of_the_loops_on_any_islands(tmp_path: Path) -> None:
    records = []
    for engine, islands in (("loop", 1), ("packed", 1), ("packed", 3)):
        population = Population(
            tmp_path / f"{engine}-{islands}",
            workload=Choosy(engine),  # type: ignore[arg-type]
            islands=islands,
            method=RULES,
            engine=None,
        )
        assert population.train(deaths={0: [Death("publish", 4)]} if islands > 1 else None).finished
        past = list(population.history().records())
        records.append([(r.member, r.generation, r.parent, r.config, r.age) for r in past])
    assert records[0] == records[1] == records[2]


@pytest.mark.parametrize(
    ("island", "death"), [(0, Death("choose_engine")), (0, Death("publish", 9)), (1, Death("join"))]
)
def test_islands_that_die_are_waited_for(tmp_path: Path, island: int, death: Death) -> None:
    population = Population(tmp_path, workload=Choosy(), method=RULES, synchronous=False, engine=None)
    assert population.train(deaths={island: [death]}).finished


def test_members_that_do_not_fit_end_the_study_before_it_trains(tmp_path: Path) -> None:
    class Large(Choosy):
        def choose_engine(self, *_: Any, **__: Any) -> EngineChoice:
            raise NoRoomError("population.size", "at most 3 members", 8)

    outcome = Population(tmp_path, workload=Large(), engine=None).train()
    assert outcome.failure == "population.size: expected at most 3 members, got 8"


def test_whatever_trying_raises_leaves_the_loop(tmp_path: Path) -> None:
    class Broken(Choosy):
        def choose_engine(self, *_: Any, **__: Any) -> EngineChoice:
            raise RuntimeError("no idea")

    population = Population(tmp_path, workload=Broken(), method=RULES, engine=None)
    assert population.train().finished
    choice = population.history().engine
    assert choice is not None and choice.engine == "loop" and "no idea" in choice.reason


class Breaking(Choosy):
    """Cannot be packed, which shows only when it is trained."""

    def loss(self, model: Any, batch: Any, hyperparameters: Any, key: torch.Tensor) -> torch.Tensor:
        if torch._C._functorch.is_functorch_wrapped_tensor(key):
            raise RuntimeError("not like this")
        return super().loss(model, batch, hyperparameters, key)


def test_a_pack_that_fails_trains_on_one_by_one_and_says_so(tmp_path: Path) -> None:
    population = Population(tmp_path, workload=Breaking(), islands=1, method=RULES, engine=None)
    assert population.train().finished
    remarks = [event["text"] for event in read_journal(population.run.journal) if event["event"] == "remark"]
    assert remarks and all(text.endswith("not like this") for text in remarks)
    assert len(remarks) == len(set(remarks)) or len(remarks) <= 6, "each build is tried once"


def test_groups_that_are_too_small_are_not_packed() -> None:
    island = Island(Breaking(), INTERVAL, 0, Device())
    island.use(EngineChoice("packed", "asked for", least=3))
    configs = {0: 4, 1: 4, 2: 5, 3: 5, 4: 5}
    island.settle(
        {m: {"width": width, "dropout": 0.1} for m, width in configs.items()}, dict.fromkeys(configs, 0)
    )
    assert all(report.failure is None for report in island.train_all(range(5)))
    (remark,) = island.packs.remarks
    assert remark.startswith("3 members train one after the other: ")


def test_a_member_whose_session_is_gone_is_trained_by_nobody() -> None:
    island = Island(Precise(), INTERVAL, 0, Device())
    island.use(EngineChoice("packed", "asked for"))
    island.settle({member: {"width": 4, "dropout": 0.1} for member in range(4)}, dict.fromkeys(range(4), 0))
    island.train_all(range(4))
    island.members[2].session, island.members[2].failure = None, "lost"
    reports = island.train_all(range(4))
    assert [report.failure for report in reports] == [None, None, "lost", None]
    assert [report.generation for report in reports] == [2, 2, 2, 2]


def test_nothing_is_packed_where_the_workload_cannot_be() -> None:
    from tests.orchestrator.population.harness import Walk

    walk = Walk()
    packs = Packs(walk, Device(), EngineChoice("packed", "asked for"))
    config = walk.space.sample(1, np.random.default_rng(0))[0]
    sessions = [walk.start(config, seed, Device()) for seed in (0, 1)]
    assert packs.groups((i, config, session) for i, session in enumerate(sessions)) == [[0], [1]]


class Cramped(Choosy):
    """Has no room for packs of more than ``room`` members."""

    room = 0
    tries = 0

    def packer(self, engine: Engine, device: Device) -> Any:
        packer = super().packer(engine, device)
        pack = packer.pack

        def packed(sessions: Any) -> Any:
            self.tries += 1
            if len(sessions) > self.room:
                raise NoRoomError("population.size", f"at most {self.room} members", len(sessions))
            return pack(sessions)

        packer.pack = packed
        return packer


def island_of(workload: Regression, members: int = 4) -> Island:
    island = Island(workload, INTERVAL, 0, Device())
    island.use(EngineChoice("packed", "asked for"))
    configs = {member: {"width": 4, "dropout": 0.1, "learning_rate": 0.01} for member in range(members)}
    island.settle(configs, dict.fromkeys(configs, 0))
    return island


def test_members_for_which_there_was_no_memory_are_tried_again_ever_more_rarely() -> None:
    workload = Cramped()
    island = island_of(workload)
    for _ in range(40):
        assert all(report.failure is None for report in island.train_all(range(4)))
    assert workload.tries == 6, "in turns 0, 1, 3, 7, 15 and 31"
    assert island.packs.remarks == [
        "4 members train one after the other for now: population.size: expected at most 0 members, got 4"
    ]
    workload.room = 4
    for _ in range(24):
        island.train_all(range(4))
    assert island.packs.remarks[1:] == ["4 members train together: there is memory for them now"]
    sessions = [member.session for member in island.members.values()]
    assert sessions[0] is not None and sessions[3] is not None
    assert island.packs.together(sessions[0], sessions[3])


def test_a_pack_that_runs_out_of_memory_is_tried_again() -> None:
    class Greedy(Choosy):
        left = 2

        def loss(self, model: Any, batch: Any, hyperparameters: Any, key: torch.Tensor) -> torch.Tensor:
            if self.left and torch._C._functorch.is_functorch_wrapped_tensor(key):
                self.left -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().loss(model, batch, hyperparameters, key)

        def packer(self, engine: Engine, device: Device) -> Any:
            packer = super().packer(engine, device)
            packer._check = lambda members: None
            packer.footprint = lambda member: Footprint(1000, 1000)
            return packer

    island = island_of(Greedy())
    for _ in range(6):
        assert all(report.failure is None for report in island.train_all(range(4)))
    assert island.packs.remarks == [
        "4 members train one after the other for now: OutOfMemoryError: CUDA out of memory",
        "4 members train together: there is memory for them now",
    ]


def test_engines_are_tried_while_the_memory_of_the_members_is_free(tmp_path: Path) -> None:
    class Counting(Choosy):
        started = 0
        then = -1

        def start(self, config: Any, seed: int, device: Device) -> TorchSession:
            self.started += 1
            return super().start(config, seed, device)

        def choose_engine(self, configs: Any, *arguments: Any, **options: Any) -> EngineChoice:
            self.then, self.configs = self.started, list(configs)
            return super().choose_engine(configs, *arguments, **options)

    workload = Counting()
    population = Population(tmp_path, workload=workload, islands=1, method=RULES, engine=None)
    assert population.train().finished
    assert workload.then == 0 and len(workload.configs) == 8
