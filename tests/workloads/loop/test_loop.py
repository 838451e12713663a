"""Loops that users own: how they are paused, started again and stopped, and what is said of their faults."""

from __future__ import annotations

import ctypes
import functools
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.preflight.session import preflight
from orchestrator.preflight.subject import Findings, Subject
from search_spaces import ConfigurationError
from tests.workloads.contract import same
from tests.workloads.loop.loops import generator, loop, when_asked, with_folder, with_state
from workloads import Device, capabilities
from workloads.folder import StoredFolder, copied_from
from workloads.loop import Context, Loop, LoopStopped, Step
from workloads.loop.session import LoopSession
from workloads.loop.thread import TurnTaker
from workloads.state import restore, take_state
from workloads.state_files import load_state, remove_state, save_state

CONFIG = {"lr": 0.01, "width": 3}


def start(function: Any, **options: Any) -> LoopSession:
    return loop(function, **options).start(CONFIG, 7, Device())


class Counting:
    """A loop that remembers how it was called and ended."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], int, Any]] = []
        self.ended: list[int] = []

    def __call__(self, config: dict[str, Any], ctx: Context) -> None:
        self.calls.append((config, ctx.age, ctx.checkpoint))
        try:
            while True:
                ctx.report(loss=ctx.age, checkpoint={"at": ctx.age + 1})
        finally:
            self.ended.append(ctx.age)


def test_the_same_configuration_goes_on_without_being_called_again() -> None:
    counting = Counting()
    session = start(counting)
    for _ in range(3):
        session.advance(2)
        session.configure(CONFIG)
        session.state()
    assert counting.calls == [(CONFIG, 0, None)]


def test_a_changed_configuration_is_called_again_with_the_checkpoint() -> None:
    counting = Counting()
    session = start(counting)
    session.advance(4)
    session.configure({"lr": 0.05, "width": 8})
    assert session.state() == {"age": 4, "checkpoint": {"at": 4}}
    session.advance(1)
    assert counting.calls[1:] == [({"lr": 0.05, "width": 3}, 4, {"at": 4})]
    assert counting.ended == [4]


def test_a_copy_is_called_with_the_checkpoint_of_its_donor() -> None:
    counting = Counting()
    donor, receiver = start(counting), start(counting)
    donor.advance(3)
    receiver.advance(1)
    restore(receiver, take_state(donor), CONFIG)
    assert receiver.state() == {"age": 3, "checkpoint": {"at": 3}}
    assert receiver.advance(1) == {"loss": 3.0}
    assert counting.calls[-1] == (CONFIG, 3, {"at": 3})


@pytest.mark.parametrize("ending", ["close", "dropped"])
def test_a_loop_that_is_needed_no_more_runs_its_finally_blocks(ending: str) -> None:
    counting = Counting()
    session = start(counting)
    session.advance(2)
    if ending == "close":
        session.close()
        session.close()
    else:
        del session
        gc.collect()
    assert counting.ended == [2]


def test_a_loop_cannot_catch_its_end_as_an_error_or_report_after_it() -> None:
    seen: list[str] = []

    def train(config: Any, ctx: Context) -> None:
        try:
            while True:
                try:
                    ctx.report(loss=0)
                except Exception:  # noqa: BLE001
                    seen.append("caught")
        finally:
            with pytest.raises(LoopStopped):
                ctx.report(loss=1)
            seen.append("over")

    session = start(train)
    session.advance(1)
    session.close()
    assert seen == ["over"]


def judged(config: Any, checkpoint: Any) -> dict[str, Any]:
    """Of a state or a folder that the loop reports."""
    if isinstance(checkpoint, Path):
        return {"test_at": len(list(checkpoint.iterdir())), "drawn": np.random.random()}  # noqa: NPY002
    return {"test_at": checkpoint["at"], "drawn": np.random.random()}  # noqa: NPY002


def judging(function: Any, test: Any = judged) -> Any:
    return loop(function, test=test).start(CONFIG, 7, Device())


def test_a_model_is_judged_on_held_out_data_and_trains_on_as_before() -> None:
    session, untested = judging(Counting()), judging(Counting())
    for one in (session, untested):
        one.advance(3)
    found = session.test()
    assert found["test_at"] == 3.0 and found == session.test() == untested.test()
    assert session.advance(1) == {"loss": 3.0}
    assert session.test()["test_at"] == 4.0
    loaded = judging(Counting())
    restore(loaded, take_state(session), CONFIG)
    assert loaded.test() == session.test()


def test_a_loop_without_a_test_is_judged_by_nobody() -> None:
    assert not isinstance(start(Counting()), capabilities.TestableSession)
    assert isinstance(judging(Counting()), capabilities.TestableSession)


def test_a_folder_is_judged_by_its_path() -> None:
    session = judging(with_folder)
    session.advance(2)
    assert session.test()["test_at"] >= 1


def test_a_test_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="test: expected a function"):
        judging(Counting(), test="judged")
    session = judging(Counting(), test=lambda config, checkpoint: 0.5)
    session.advance(1)
    with pytest.raises(TypeError, match=r"test: expected it to return metrics by name, got 0\.5"):
        session.test()


@pytest.mark.parametrize("end", ["raise", "return"])
def test_a_loop_that_has_ended_is_not_waited_for(end: str) -> None:
    def train(config: Any, ctx: Context) -> None:
        ctx.report(loss=0, checkpoint=lambda: {"at": 1})
        if end == "raise":
            raise ValueError("diverged")

    session = start(train)
    session.advance(1)
    with pytest.raises((ValueError, RuntimeError), match=r"diverged|returned after 1 reports"):
        session.advance(1)
    for ask in (lambda: session.advance(1), session.state):
        with pytest.raises(RuntimeError, match="train: expected a function that is paused, got one that has"):
            ask()
    session.load({"age": 0, "checkpoint": None})
    assert session.advance(1) == {"loss": 0.0}


def test_an_interrupt_hits_no_thread_but_the_functions_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(SimpleQueue[Any]):
        def get(self, *_: Any) -> Any:
            turns._thread.join()
            raise KeyboardInterrupt

    hit: list[Any] = []
    monkeypatch.setattr(ctypes.pythonapi, "PyThreadState_SetAsyncExc", lambda *given: hit.append(given))
    turns = TurnTaker(lambda: None, "loop")
    turns._answers = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        turns.resume()
    assert not hit


def test_a_session_keeps_the_files_that_it_loads(tmp_path: Path) -> None:
    seen: list[str] = []

    def train(config: Any, ctx: Context) -> None:
        seen.append((ctx.checkpoint / "weights").read_text())
        ctx.report(loss=0)

    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "weights").write_text("good")
    save_state(tmp_path / "member.pt", {"age": 3, "checkpoint": copied_from(tmp_path / "own", tmp_path)})
    session = loop(train).start(CONFIG, 7, Device(scratch=tmp_path / "scratch"))
    session.load(load_state(tmp_path / "member.pt"))
    remove_state(tmp_path / "member.pt")
    session.advance(1)
    assert seen == ["good"]
    session.close()
    assert not list((tmp_path / "scratch").iterdir())


def test_a_checkpoint_that_cannot_be_copied_leaves_nothing(tmp_path: Path) -> None:
    session = loop(lambda config, ctx: None).start(CONFIG, 7, Device(scratch=tmp_path / "scratch"))
    kept = tmp_path / "kept"
    kept.mkdir()
    session.load({"age": 3, "checkpoint": StoredFolder(kept, owned=True)})
    kept.rmdir()
    with pytest.raises(FileNotFoundError):
        session.advance(1)
    assert not list((tmp_path / "scratch").iterdir())


def test_a_generator_is_closed() -> None:
    ended: list[bool] = []

    def train(config: Any, checkpoint: Any, seed: int) -> Iterator[Step]:
        try:
            while True:
                yield Step({"loss": seed}, {})
        finally:
            ended.append(True)

    session = start(train)
    assert session.advance(2) == {"loss": 7.0}
    session.close()
    assert ended == [True]


def test_what_torch_keeps_for_each_thread_stays_inside_the_loop() -> None:
    def train(config: Any, ctx: Context) -> None:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            while True:
                ctx.report(loss=float(torch.is_grad_enabled()))

    assert start(train).advance(1) == {"loss": 0.0}
    assert torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("function", [with_state, with_folder, generator])
def test_a_loop_that_is_started_again_draws_what_it_would_have_drawn(function: Any) -> None:
    unbroken, broken = start(function), start(function)
    unbroken.advance(2)
    restore(broken, take_state(unbroken), CONFIG)
    assert same(broken.advance(2), unbroken.advance(2))


def test_loops_that_take_turns_draw_what_they_draw_alone() -> None:
    alone, first, second = start(with_state), start(with_state), start(with_state)
    expected = [alone.advance(1) for _ in range(3)]
    for one in expected:
        assert same(first.advance(1), one)
        assert same(second.advance(1), one)


def test_a_folder_may_be_written_again_and_is_the_loops_own_copy(tmp_path: Path) -> None:
    def train(config: Any, ctx: Context) -> None:
        if ctx.checkpoint:
            (ctx.checkpoint / "text").write_text("spoilt")
        for number in range(ctx.age, 9):
            (tmp_path / "text").write_text(str(number))
            ctx.report(loss=number, checkpoint=tmp_path)

    first, second = start(train), start(train)
    first.advance(1)
    state = take_state(first)
    first.advance(1)
    for _ in range(2):
        restore(second, state, CONFIG)
        second.advance(1)
    state["checkpoint"].copy_to(tmp_path / "kept")
    assert (tmp_path / "kept" / "text").read_text() == "0"


def test_a_checkpoint_is_made_where_it_is_wanted_alone() -> None:
    made: list[str] = []

    def train(config: Any, ctx: Context) -> None:
        def save() -> dict[str, int]:
            made.append(threading.current_thread().name)
            return {"at": ctx.age}

        while True:
            ctx.report(loss=0, checkpoint=save)

    session = start(train)
    session.advance(5)
    assert made == []
    assert session.state() == {"age": 5, "checkpoint": {"at": 5}}
    assert made == ["loop-train"]


def test_a_metric_can_count_units() -> None:
    seen: list[int] = []

    def train(config: Any, ctx: Context) -> None:
        step = ctx.age
        while True:
            step += 1
            if step % 10 == 0 or step == ctx.target:
                seen.append(step)
                ctx.report(loss=step, step=step)

    session = start(train, unit="step", progress="step")
    assert session.advance(15) == {"loss": 15.0, "step": 15.0}
    assert session.advance(5) == {"loss": 20.0, "step": 20.0}
    assert seen == [10, 15, 20]


def reporting(*reports: dict[str, Any], **options: Any) -> Loop:
    def train(config: Any, ctx: Context) -> None:
        for report in reports:
            ctx.report(**report)

    return loop(train, **options)


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        (reporting(), r"train returned without a report: call ctx.report\(name=value\) after each report"),
        (reporting({"loss": 1}), "train returned after 1 reports, and was to report 3"),
        (
            reporting({"los": 1}, {"los": 1}, {"los": 1}),
            r"expected 'loss' among the metrics, got 'los' \(did you mean",
        ),
        (reporting({"loss": "low"}), "expected 'loss' to be a number, got 'low'"),
        (reporting({"loss": 1}, progress="step"), "expected 'step' among the metrics, got 'loss'"),
        (
            reporting({"loss": 1, "step": 0}, progress="step"),
            "expected 'step' to be a whole number above 0, got 0",
        ),
        (
            reporting({"loss": 1, "step": 5}, progress="step", unit="step"),
            "expected one at step 3, where the interval ends, got one at 5 after 0",
        ),
        (loop(lambda config, ctx: {}["lr"]), "KeyError: 'lr'|'lr'"),
        (loop(lambda config, ctx: sys.exit(3)), r"<lambda> called sys.exit\(3\)"),
        (
            loop(lambda config, ctx: (one for one in [1])),
            r"expected it to yield Step\(metrics, checkpoint\), got 1",
        ),
    ],
)
def test_what_goes_wrong_in_a_loop_is_said(workload: Loop, message: str) -> None:
    with pytest.raises(Exception, match=message):
        workload.start(CONFIG, 0, Device()).advance(3)


@pytest.mark.parametrize(
    ("function", "found"),
    [(lambda: None, "<lambda>()"), (lambda config, ctx, more: None, "<lambda>(config, ctx, more)")],
)
def test_a_function_that_cannot_be_called_is_refused(function: Callable[..., None], found: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loop(function)
    assert str(caught.value).startswith("function: expected a function train(config, ctx), or a generator")
    assert found in str(caught.value)


def test_a_name_instead_of_a_function_is_refused_with_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"write \{_target_: my_module.train, _partial_: true\}"):
        loop("my_module.train")


def test_bound_arguments_are_the_functions_own() -> None:
    def train(config: Any, ctx: Context, scale: int) -> None:
        ctx.report(loss=scale)

    assert start(functools.partial(train, scale=3)).advance(1) == {"loss": 3.0}


def fly(workload: Loop, *, copied: bool = True) -> Findings:
    return preflight(Subject(workload, "workload", ("loss",), 0, copied=copied))


@pytest.mark.parametrize("function", [with_state, with_folder, when_asked, generator])
def test_a_preflight_of_a_loop_that_keeps_to_the_rules_has_no_note(function: Any) -> None:
    findings = fly(loop(function))
    assert findings.notes == []
    assert "a copy goes on identically" in findings.checked


def without_checkpoint(config: Any, ctx: Context) -> None:
    while True:
        ctx.report(loss=0)


def test_a_missing_checkpoint_is_refused_before_a_population_starts_and_by_nobody_else() -> None:
    assert fly(loop(without_checkpoint), copied=False).notes == []
    with pytest.raises(ConfigurationError) as caught:
        fly(loop(without_checkpoint))
    assert str(caught.value) == (
        "workload.function: expected without_checkpoint to report(..., checkpoint=...), since this study "
        "copies what it has trained, got nothing (pass a state, such as state_dict()s, or the path of a "
        "folder)"
    )


def test_a_preflight_says_where_the_users_code_raised() -> None:
    with pytest.raises(
        ConfigurationError, match=r"ValueError: report: expected 'loss'.* at .*test_loop\.py:\d+"
    ):
        fly(reporting({"accuracy": 1}))


def test_whoever_is_interrupted_while_waiting_stops_the_loop() -> None:
    ended = threading.Event()

    def train(config: Any, ctx: Context) -> None:
        try:
            while True:
                time.sleep(0.001)
        finally:
            ended.set()

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            start(train).advance(1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.wait(10)
