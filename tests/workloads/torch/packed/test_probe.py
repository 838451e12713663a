"""The engine is chosen by its speed, where there is a choice and it matters."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from search_spaces import Config
from tests.workloads.torch.packed.test_pack import Recurrent
from tests.workloads.torch.regression import Regression
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.library.pbt_toy import PbtToy
from workloads.packing import Course, EngineChoice, NoRoomError, PackableWorkload
from workloads.torch.packed import Packer, probe
from workloads.torch.packed.arena import Arena
from workloads.torch.packed.equivalence import strangers

LONG, SHORT = Course(20, 10**6), Course(20, 1)
SAME: list[Config] = [{"dropout": 0.1 * i} for i in range(4)]
OTHERS: list[Config] = [{"width": 6 + i} for i in range(4)]


@pytest.fixture(autouse=True)
def never_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "WORTH_COMPILING", float("inf"))


def choose(configs: Sequence[Config], course: Course = LONG, may_loop: bool = True) -> EngineChoice:
    return Regression().choose_engine(configs, Device(), course, may_loop=may_loop)


def test_many_small_members_train_faster_together() -> None:
    choice = choose([{"dropout": 0.01 * i} for i in range(32)])
    assert choice.engine == "packed"
    assert choice.reason.startswith("32 members train ") and choice.reason.endswith("times as fast as loop")
    assert choice.rates["packed"] > choice.rates["loop"] > 0


def test_a_short_course_is_not_worth_trying() -> None:
    choice = choose(SAME, SHORT)
    assert choice.engine == "loop" and "too few to try" in choice.reason


def test_packed_on_demand_is_packed_whatever_its_speed() -> None:
    assert choose(SAME, SHORT, may_loop=False).engine == "packed"


def test_one_member_is_trained_by_the_loop() -> None:
    assert choose(SAME[:1], may_loop=False) == EngineChoice("loop", "there is one member here")


def test_where_builds_differ_groups_are_packed_from_a_size_that_pays() -> None:
    choice = choose([{"width": 3 + i % 6, "dropout": 0.01 * i} for i in range(32)])
    assert choice.engine == "packed" and 2 <= choice.least <= 32
    assert choose(OTHERS, may_loop=False).least == 2


def test_a_model_that_cannot_be_packed_is_trained_by_the_loop() -> None:
    choice = Recurrent().choose_engine(SAME, Device(), LONG, may_loop=False)
    assert choice.engine == "loop"
    assert choice.reason.startswith("the model cannot be packed: ") and "\n" not in choice.reason


@pytest.mark.parametrize("may_loop", [True, False])
def test_algorithms_that_train_alone_are_trained_by_the_loop(may_loop: bool) -> None:
    choice = Digits().choose_engine([{"optimizer": "sam"}] * 4, Device(), LONG, may_loop=may_loop)
    assert choice == EngineChoice("loop", "each member trains alone: sam takes two gradients in a step")


def test_where_some_algorithms_train_alone_the_others_are_tried() -> None:
    configs: list[Config] = [{"optimizer": name, "width": 4} for name in ("sam", "sam", "lion", "sam")]
    workload = Digits(batch_size=8)
    assert workload.choose_engine(configs, Device(), LONG, may_loop=False).engine == "packed"
    packer = workload.packer("packed", Device())
    with pytest.raises(RuntimeError, match="sam takes two gradients in a step"):
        packer.pack(strangers(workload, configs[:2], Device()))


def test_a_compiler_that_fails_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no compiler\nof any kind")

    monkeypatch.setattr(probe, "WORTH_COMPILING", 0.0)
    monkeypatch.setattr("torch.compile", lambda *_, **__: fail)
    choice = choose(SAME, may_loop=False)
    assert choice.engine == "packed"
    assert choice.reason.endswith("; it cannot be compiled: RuntimeError: no compiler")


def test_a_choice_survives_the_journal() -> None:
    choice = EngineChoice("packed", "because", {"packed": 2.0, "loop": 1.0}, least=3)
    assert EngineChoice.from_event(choice.event()) == choice


def test_workloads_say_whether_they_can_be_packed() -> None:
    assert isinstance(Regression(), PackableWorkload)
    assert not isinstance(PbtToy(), PackableWorkload)


def test_trying_takes_about_the_memory_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that are tried have rows of their own only once, however many engines are tried."""
    monkeypatch.setattr(probe, "WORTH_COMPILING", 0.0)
    monkeypatch.setattr("torch.compile", lambda function, **_: function)
    arenas: list[weakref.ref[Arena]] = []
    make = Arena.__init__

    def made(arena: Arena, sessions: Sequence[Any]) -> None:
        if len(sessions) == len(SAME):
            assert not any(other() for other in arenas), "one of them is enough"
            arenas.append(weakref.ref(arena))
        make(arena, sessions)

    monkeypatch.setattr(Arena, "__init__", made)
    choice = choose(SAME, may_loop=False)
    assert set(choice.rates) == {"packed", "compiled"} and len(arenas) == 1


def test_members_in_double_precision_share_the_data() -> None:
    configs = SAME[:2]
    first, second = strangers(Regression(), configs, Device(), torch.float64)
    assert first.splits is second.splits and first.splits.train.inputs.dtype == torch.float64


def test_where_all_have_no_room_fewer_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is for the whole study: later fewer may share a build, or memory may be free."""
    pack = Packer.pack

    def packed(packer: Packer, sessions: Sequence[Any], *others: Any, **options: Any) -> Any:
        if len(sessions) > 8:
            raise NoRoomError("population.size", "at most 8 members per island", len(sessions))
        return pack(packer, sessions, *others, **options)

    monkeypatch.setattr(Packer, "pack", packed)
    choice = choose([{"dropout": 0.01 * i} for i in range(32)])
    assert choice.engine == "packed"
    assert choice.reason.startswith("8 members train ")
    assert choice.reason.endswith("; 32 did not fit into memory when tried")
    with pytest.raises(NoRoomError):
        choose([{"dropout": 0.01 * i} for i in range(32)], may_loop=False)
    monkeypatch.setattr(Packer, "pack", lambda *_, **__: packed(None, [0] * 9))  # type: ignore[arg-type]
    assert choose(SAME).engine == "loop"
