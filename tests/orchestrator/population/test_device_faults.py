"""A CUDA error breaks its whole process: the island restarts, and evolution replaces whoever causes it."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.population.island.device_faults import BrokenDeviceError, Fault, FaultRecord
from orchestrator.population.island.island import Island
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from orchestrator.randomness import user_seed
from orchestrator.run.journal import read_journal
from tests.orchestrator.population.harness import NO_EVOLUTION, Population, Walk, WalkSession
from tests.orchestrator.population.test_packed import Choosy, Precise
from workloads.contract import Device, Metrics, Session, State
from workloads.packing import EngineChoice

RULES = Pbt(Truncation(0.25), Perturb())
SECOND = user_seed(0, "member", 1)


class AcceleratorError(RuntimeError):
    """As torch raises it: once, and then with whatever is done on the same device."""

    def __init__(self) -> None:
        super().__init__("CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA")


class Gpu(Walk):
    """Walks on devices that can break; each life of an island has one of its own.

    Args:
        cause: called with a session and what it is about to do; True: this breaks the device.
    """

    def __init__(self, cause: Callable[[GpuSession, str], bool]) -> None:
        super().__init__()
        self.cause = cause
        self.broken: list[Device] = []

    def start(self, config: Any, seed: int, device: Device) -> GpuSession:
        made = GpuSession(config, seed, None)
        made.gpu, made.device = self, device
        made.use("start")
        return made


class GpuSession(WalkSession):
    gpu: Gpu
    device: Device

    def use(self, deed: str) -> None:
        if not self.is_broken and self.gpu.cause(self, deed):
            self.gpu.broken.append(self.device)
        if self.is_broken:
            raise AcceleratorError

    @property
    def is_broken(self) -> bool:
        return any(device is self.device for device in self.gpu.broken)

    def advance(self, amount: int) -> Metrics:
        self.use("advance")
        return super().advance(amount)

    def configure(self, config: Any) -> None:
        super().configure(config)
        self.use("configure")

    def state(self) -> State:
        self.use("state")
        return super().state()


class Once:
    """Breaks the device the first time that ``age`` is reached by the second member."""

    def __init__(self, age: int = 12) -> None:
        self.age, self.done = age, False

    def __call__(self, session: GpuSession, deed: str) -> bool:
        if self.done or session.seed != SECOND or deed != "advance" or session.age != self.age:
            return False
        self.done = True
        return True


def lineage(population: Population) -> list[tuple[object, ...]]:
    past = population.history().records()
    return [(r.member, r.generation, r.parent, r.next_config, r.failure) for r in past]


def remarks(population: Population) -> list[str]:
    return [event["text"] for event in read_journal(population.run.journal) if event["event"] == "remark"]


@pytest.mark.parametrize("islands", [1, 2])
def test_the_first_time_is_the_machines_fault(tmp_path: Path, islands: int) -> None:
    """All members go on from a snapshot in a new process, and end as if nothing had happened."""
    workload = Gpu(Once())
    disturbed = Population(tmp_path / "disturbed", workload=workload, islands=islands)
    assert disturbed.train().failure is None
    assert len(workload.broken) == 1
    (remark,) = remarks(disturbed)
    assert remark == (
        "the device broke while member 1 trained, and the island starts again: AcceleratorError: CUDA error: "
        "device-side assert triggered"
    )
    undisturbed = Population(tmp_path / "undisturbed", islands=islands)
    undisturbed.train()
    assert lineage(disturbed) == lineage(undisturbed)
    for ours, theirs in zip(disturbed.final_weights(), undisturbed.final_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("deed", "synchronous"),
    [
        *((deed, True) for deed in ("start", "advance", "state", "configure")),
        *((deed, False) for deed in ("start", "advance", "state")),
    ],
)
def test_the_second_time_is_the_members_failure(tmp_path: Path, deed: str, synchronous: bool) -> None:
    """A configuration that always breaks the device costs two lives of its island, and no other member's."""

    poison: list[float] = []

    def cause(session: GpuSession, does: str) -> bool:
        if does != deed or session.seed != SECOND or (session.age < 8 and deed != "start"):
            return False
        if not poison:
            poison.append(session.config["rate"])
        return session.config["rate"] in poison

    population = Population(
        tmp_path,
        workload=Gpu(cause),
        islands=2,
        synchronous=synchronous,
        # Whom nobody waits for would not come back to the same hyperparameters for sure.
        method=RULES if synchronous else NO_EVOLUTION,
        snapshot_interval=1,
    )
    outcome = population.train()
    assert outcome.failure is None and outcome.finished
    past = population.history()
    failed = [record for record in past.records() if record.failure is not None]
    assert {record.member for record in failed} == {1}
    assert all("broke twice" in str(record.failure) for record in failed)
    assert len(population.workload.broken) == 2
    assert past.lives[1][-1].failure is None, "it was replaced"
    assert remarks(population)[-1].startswith("the device broke while member 1 trained, again: this counts")


def test_deaths_that_a_member_caused_are_excused(tmp_path: Path) -> None:
    population = Population(tmp_path, workload=Gpu(lambda *_: False), method=NO_EVOLUTION)
    fault = Fault(1, 3, {"rate": 0.5, "kind": "a"}, "AcceleratorError: no")

    async def course() -> list[int]:
        counts = []
        for _ in range(3):
            await population.coordinator.broken(0, [fault], fault.reason)
            counts.append(await population.coordinator.excused(0))
        return counts

    # A third time, although it is not trained, is somebody else's fault.
    assert asyncio.run(course()) == [0, 2, 0]
    population.coordinator.close()


def test_a_resumed_study_remembers_who_broke_its_device(tmp_path: Path) -> None:
    config = {"rate": 0.5, "kind": "a"}
    fault = Fault(1, 3, config, "AcceleratorError: no")
    population = Population(tmp_path)
    for _ in range(2):
        asyncio.run(population.coordinator.broken(0, [fault], fault.reason))
    population.coordinator.close()
    known = FaultRecord.from_events(read_journal(population.run.journal)).known
    assert known.verdict(1, 3, config) == "AcceleratorError: no (the device broke twice in its training)"
    assert known.verdict(1, 2, config) is None, "until then it trained well"
    assert known.verdict(1, 3, {**config, "rate": 0.4}) is None
    assert known.of([0]).verdict(1, 3, config) is None
    assert Population(tmp_path).train().finished


def test_of_members_that_train_together_each_is_suspected_and_one_is_found(tmp_path: Path) -> None:
    island = Island(Breakable(), 5, 0, Device())
    island.use(EngineChoice("packed", "asked for"))
    configs = {member: {"width": 4, "dropout": 0.1 * member, "learning_rate": 0.01} for member in range(4)}
    island.settle(configs, dict.fromkeys(configs, 0))
    with pytest.raises(BrokenDeviceError, match="AcceleratorError") as caught:
        island.train_all(range(4))
    faults = caught.value.faults
    assert [(fault.member, fault.generation) for fault in faults] == [(member, 1) for member in range(4)]
    record = FaultRecord()
    assert not record.note(faults)
    again = Island(Breakable(), 5, 0, Device())
    again.use(EngineChoice("packed", "asked for"))
    again.faults = record.known
    again.settle(configs, dict.fromkeys(configs, 0))
    assert again.groups(range(4)) == [[0], [1], [2], [3]]
    with pytest.raises(BrokenDeviceError) as caught:
        again.train_all(range(4))
    assert [fault.member for fault in caught.value.faults] == [2]
    assert record.note(caught.value.faults)
    last = Island(Breakable(), 5, 0, Device())
    last.use(EngineChoice("packed", "asked for"))
    last.faults = record.known
    last.settle(configs, dict.fromkeys(configs, 0))
    reports = last.train_all(range(4))
    assert [report.failure is not None for report in reports] == [False, False, True, False]
    assert sorted(map(len, last.groups(range(4)))) == [1, 3], "the others train together again"


class Breakable(Precise):
    """The pack breaks the device, and so does, alone, the member that drops one in five."""

    def start(self, config: Any, seed: int, device: Device) -> Session:
        session = super().start(config, seed, device)
        if config["dropout"] == 0.2:
            session.advance = _break  # type: ignore[method-assign]
        return session

    def packer(self, engine: Any, device: Device) -> Any:
        packer = super().packer(engine, device)
        pack = packer.pack

        def packed(sessions: Any) -> Any:
            made = pack(sessions)
            if any(session.config["dropout"] == 0.2 for session in sessions):
                for program in packer._programs.values():
                    program.step = _break
            return made

        packer.pack = packed
        return packer


def _break(*_: Any) -> Any:
    raise AcceleratorError


def test_engines_that_break_the_device_when_tried_are_not_tried_again(tmp_path: Path) -> None:
    class Trying(Choosy):
        def choose_engine(self, *_: Any, **__: Any) -> EngineChoice:
            raise AcceleratorError

    population = Population(tmp_path, workload=Trying(), method=RULES, engine=None)
    assert population.train().finished
    choice = population.history().engine
    assert choice is not None and choice.engine == "loop"
    assert "trying the engines broke the device" in choice.reason


def test_the_error_travels_between_processes() -> None:
    error = BrokenDeviceError((Fault(1, 2, {"a": 1}, "why"),), "why")
    other = pickle.loads(pickle.dumps(error))
    assert (other.faults, str(other)) == (error.faults, "why")


def test_excused_deaths_do_not_count_against_tunes_limit() -> None:
    from ray.tune.experiment import Trial

    from orchestrator.engine.ray_private import forgive

    trial = Trial("nothing", stub=True, max_failures=2)
    trial.run_metadata.num_failures = 3
    assert not trial.should_recover()
    forgive(trial, 2)
    assert trial.should_recover() and trial.run_metadata.num_failures == 1
