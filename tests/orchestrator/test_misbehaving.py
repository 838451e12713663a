"""Members, trials and evaluations that misbehave fail alone, with their reason; the next one trains."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.benchmark.cell import Evaluator
from orchestrator.population.island.device_faults import DIED, LATE, MEMORY, Fault, FaultRecord
from orchestrator.population.island.island import Island
from orchestrator.population.island.member import Member
from orchestrator.population.island.training_mark import TrainingMark
from orchestrator.run.directory import RunDirectory
from orchestrator.run.memory import MIB, MemoryLimit, taken
from orchestrator.search.trials.memory_limit import TrialMemory, greedy
from orchestrator.search.trials.trial_run import Goal, TrialRun
from orchestrator.trial import Suggestion
from search_spaces import ConfigurationError, build_space
from tests.orchestrator.benchmark.scripted import task
from workloads.contract import Device, Fidelity, Objective


def _raise(error: BaseException) -> Any:
    raise error


DEEDS: dict[str, tuple[Callable[[], Any], str]] = {
    "exit": (lambda: _raise(SystemExit(3)), "SystemExit: 3"),
    "interrupt": (lambda: _raise(KeyboardInterrupt()), "KeyboardInterrupt"),
    "generator": (lambda: _raise(GeneratorExit()), "GeneratorExit"),
    "recursion": (lambda: _raise(RecursionError("too deep")), "RecursionError: too deep"),
    "none": (lambda: None, "expected metrics as a mapping"),
    "text": (lambda: "0.5", "expected metrics as a mapping"),
    "tensor": (lambda: torch.tensor([1.0, 2.0]), "expected metrics as a mapping"),
    "text in metrics": (lambda: {"loss": "0.5"}, "expected 'loss' to be a number"),
    "vector in metrics": (lambda: {"loss": torch.tensor([1.0, 2.0])}, "expected 'loss' to be a number"),
    "huge": (lambda: {"loss": 10**400}, "expected 'loss' to be a number"),
    "missing": (lambda: {"more": 1.0}, "loss"),
    "nan": (lambda: {"loss": float("nan")}, "loss"),
    "infinite": (lambda: {"loss": float("inf")}, "loss"),
}


class Misbehaving:
    """A workload whose configuration ``rate`` below 0 misbehaves, and that is good otherwise."""

    def __init__(self, deed: Callable[[], Any]) -> None:
        low = {"type": "float", "low": -1.0, "high": 1.0, "mutable": True}
        self.space = build_space({"parameters": {"rate": low}})
        self.objectives = (Objective("loss"),)
        self.fidelity = Fidelity("step", largest=4)
        self.deed = deed

    def start(self, config: Any, seed: int, device: Device) -> _Session:
        del seed, device
        return _Session(self, dict(config))


class _Session:
    def __init__(self, workload: Misbehaving, config: Any) -> None:
        self._workload, self._config = workload, config

    def advance(self, amount: int) -> Any:
        del amount
        return self._workload.deed() if self._config["rate"] < 0 else {"loss": 1.0, "extra": 2.0}

    def configure(self, config: Any) -> None:
        self._config = dict(config)

    def state(self) -> Any:
        return {}

    def load(self, state: Any) -> None:
        del state


@pytest.fixture(params=DEEDS, ids=str)
def misbehaving(request: pytest.FixtureRequest) -> tuple[Misbehaving, str]:
    deed, reason = DEEDS[request.param]
    return Misbehaving(deed), reason


def test_a_member(misbehaving: tuple[Misbehaving, str]) -> None:
    workload, reason = misbehaving
    island = Island(workload, 2, 0, Device())
    island.settle({0: {"rate": -0.5}, 1: {"rate": 0.5}}, {0: 0, 1: 0})
    bad, good = island.train_all([0, 1])
    assert good.failure is None
    assert dict(good.metrics) == {"loss": 1.0, "extra": 2.0}
    if bad.failure is None:  # the coordinator judges what a number means
        assert "loss" not in bad.metrics or not abs(bad.metrics["loss"]) < float("inf")
    else:
        assert reason in bad.failure


def test_a_trial(misbehaving: tuple[Misbehaving, str]) -> None:
    workload, reason = misbehaving
    goal = Goal((2, 4), workload.objectives)
    bad = TrialRun(lambda: workload.start({"rate": -0.5}, 0, Device()), goal).advance()
    assert bad.done
    assert reason in bad.failure
    good = TrialRun(lambda: workload.start({"rate": 0.5}, 0, Device()), goal).advance()
    assert not good.failure


def test_an_evaluation(misbehaving: tuple[Misbehaving, str]) -> None:
    workload, reason = misbehaving
    evaluate = Evaluator(task(workload, 4), 0)
    if reason == "KeyboardInterrupt":  # it ends the worker's process, and the cell counts as lost
        with pytest.raises(KeyboardInterrupt):
            evaluate(Suggestion({"rate": -0.5}))
        return
    bad = evaluate(Suggestion({"rate": -0.5})).trial
    assert reason in bad.reason
    assert not evaluate(Suggestion({"rate": 0.5})).trial.reason


# A process that dies leaves the members that it trained


def _in_a_process(action: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(1)
    os.waitpid(child, 0)


MEMBERS = [Member(3, {"rate": 0.1}, None, generation=4), Member(5, {"rate": 0.2}, None, generation=4)]


def test_a_process_that_exits_names_the_members_that_it_trained(tmp_path: Path) -> None:
    mark = TrainingMark(tmp_path / "island-0.json", None)

    def train() -> None:
        with mark.around(MEMBERS):
            os._exit(3)

    _in_a_process(train)
    left = mark.left()
    assert [(fault.member, fault.generation, fault.cause) for fault in left] == [(3, 5, DIED), (5, 5, DIED)]
    assert mark.left() == ()


def test_a_process_whose_time_is_over_ends_and_says_so(tmp_path: Path) -> None:
    mark = TrainingMark(tmp_path / "island-0.json", 0.01)

    def train() -> None:
        with mark.around(MEMBERS[:1]):
            time.sleep(60)

    _in_a_process(train)
    (fault,) = mark.left()
    assert (fault.member, fault.cause) == (3, LATE)
    assert "longer than population.time_limit (0.01 s)" in fault.reason
    assert mark.left() == ()


def test_who_has_trained_leaves_no_mark(tmp_path: Path) -> None:
    mark = TrainingMark(tmp_path / "island-0.json", 60.0)
    with mark.around(MEMBERS):
        pass
    assert mark.left() == ()
    with pytest.raises(ValueError, match="its own"), mark.around(MEMBERS):
        raise ValueError("its own")
    assert mark.left() == ()


def _faults(cause: str, *members: int) -> list[Fault]:
    return [Fault(member, 2, {"rate": 0.1}, "why", cause) for member in members]


def test_the_first_death_changes_nothing_and_the_second_is_the_members_failure() -> None:
    record = FaultRecord()
    assert record.note(_faults(DIED, 1)) == 0
    assert record.known.suspects == {}
    assert record.note(_faults(DIED, 1)) == 2
    verdict = record.known.verdict(1, 2, {"rate": 0.1})
    assert verdict is not None and "the process died twice" in verdict
    assert record.known.verdict(1, 2, {"rate": 0.3}) is None


def test_of_members_that_die_together_twice_each_trains_alone_until_one_is_found() -> None:
    record = FaultRecord()
    assert record.note(_faults(DIED, 1, 2)) == 0
    assert record.known.suspects == {}
    assert record.note(_faults(DIED, 1, 2)) == 0
    assert record.known.suspects.keys() == {1, 2}
    assert record.note(_faults(DIED, 2)) == 3
    assert record.known.condemned.keys() == {2}


@pytest.mark.parametrize("cause", [LATE, MEMORY])
def test_a_member_that_takes_too_much_fails_at_once_but_one_of_several_must_be_found(cause: str) -> None:
    record = FaultRecord()
    assert record.note(_faults(cause, 1)) == 1
    assert record.known.verdict(1, 2, {"rate": 0.1}) == "why"
    assert record.note(_faults(cause, 2, 3)) == 0
    assert record.known.suspects.keys() == {2, 3}
    assert record.note(_faults(cause, 3)) == 2


# A process that takes too much memory


def _leak(mib: int) -> bytearray:
    return bytearray(b"x") * (mib * MIB)


def test_the_member_is_named_in_whose_training_the_process_grew_most(tmp_path: Path) -> None:
    """It is not the one that trains when there is too little."""

    def train() -> None:
        mark = TrainingMark(tmp_path / "island-0.json", None, taken() / MIB + 120)
        mark.begin()
        kept = []
        for member, mib in [(MEMBERS[0], 90), (MEMBERS[1], 60)]:
            with mark.around([member]):
                kept.append(_leak(mib))
        with mark.around(MEMBERS[1:]):
            time.sleep(60)

    _in_a_process(train)
    mark = TrainingMark(tmp_path / "island-0.json", None, 1.0)
    (fault,) = mark.left()
    assert (fault.member, fault.generation, fault.cause) == (3, 5, MEMORY)
    assert "MiB, more than population.memory_limit (" in fault.reason
    assert mark.left() == ()


@pytest.mark.parametrize(("left_behind", "own", "guilty"), [(20, 130, True), (100, 40, False)])
def test_a_trial_is_to_blame_if_it_took_more_than_those_before_it_left(
    tmp_path: Path, left_behind: int, own: int, guilty: bool
) -> None:
    run = RunDirectory(tmp_path)

    def train() -> None:
        memory = TrialMemory(run, taken() / MIB + 120)
        memory.begin(0)
        kept = [_leak(left_behind)]
        memory.drop()
        memory.begin(1)
        kept.append(_leak(own))
        time.sleep(60)

    _in_a_process(train)
    reason = greedy(run, 1)
    assert (reason is not None) == guilty
    assert reason is None or "more than search.memory_limit (" in reason
    assert greedy(run, 0) is None


def test_a_limit_below_what_the_process_takes_anyway_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"memory_limit: expected more than the \d+ MiB that"):
        MemoryLimit("search.memory_limit", 1.0, lambda *_: True).begin()
