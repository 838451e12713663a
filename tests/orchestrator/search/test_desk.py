"""A whole search in one process: the real coordinator and desk, and tasks for workers, without Ray."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.engine.coordinator import LEAVE, Coordinator, Order
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import Rungs
from orchestrator.run.journal import Event, Journal, read_journal
from orchestrator.search.course import Assignment, Course, Handling
from orchestrator.search.desk import GroupSync, SearchDesk, Verdicts
from orchestrator.search.trials.trial_run import Report
from orchestrator.stopping.rules import Asha, Hyperband, Judge, Median, StoppingRule
from orchestrator.trial import Trial
from search_spaces import Config, build_space
from tests.orchestrator.search.troubled import SPACE
from workloads.contract import Objective

OBJECTIVES, RUNGS, TRIALS = (Objective("loss"),), Rungs(1, 3, 9), 15


class Thoughtful(RandomSearch):
    """Takes its time, and what it suggests depends on all that it was told before."""

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__(build_space(SPACE), OBJECTIVES, 0)
        self.pause, self.calls = pause, list[str]()

    def _suggest(self, token: int) -> tuple[Config, int | None] | None:
        time.sleep(self.pause)
        self.calls.append("ask")
        return super()._suggest(token)

    def _learn(self, trial: Trial) -> None:
        self.calls.append(f"tell {trial.suggestion.token}")


def report(assignment: Assignment, rung: int) -> Report:
    fidelity = RUNGS.up_to()[rung]
    loss = abs(float(assignment.suggestion.config["x"])) + 1 / fidelity
    return Report(fidelity, {"loss": loss}, float(rung), done=fidelity == RUNGS.largest)


def search(
    path: Path,
    *,
    optimizer: RandomSearch | None = None,
    rule: StoppingRule | None = None,
    workers: int = 1,
    dies: Callable[[Assignment, int], bool] = lambda assignment, rung: False,
    overdue: Callable[[int], str | None] = lambda number: None,
    planned: bool = False,
) -> list[Event]:
    """Run or resume a study; a worker dies before a report where ``dies`` says so, and comes back.

    ``planned``: whether the desk knows how many workers there are, so that it thinks ahead.
    """
    past, ticks = read_journal(path), itertools.count()
    with Journal(path) as journal:
        course = Course(
            optimizer or Thoughtful(), (), TRIALS, RUNGS.largest, journal, past, lambda: float(next(ticks))
        )
        if past:
            journal.append({"event": "resume", "pending": list(course.pending), "time": 0.0})
        verdicts = Verdicts(rule.judge(RUNGS, 0), OBJECTIVES, (), past) if rule else None
        desk = SearchDesk(course, verdicts, rule.name if rule else "", path.with_suffix(".log"), overdue)
        desk.plan(workers if planned else 1)
        coordinator = Coordinator(desk, workers)

        async def work(worker: int) -> None:
            for process in map(str, range(1000)):
                order = await coordinator.exchange(worker, process)
                rung = 0
                while order != LEAVE:
                    if order.verb == "begin":
                        assignment, rung = order.work, 0
                    await asyncio.sleep(0.001)
                    if dies(assignment, rung):
                        await coordinator.lose(worker, "killed", for_good=False)
                        break
                    order = await coordinator.exchange(worker, process, report(assignment, rung))
                    rung += 1
                else:
                    return

        async def everybody() -> None:
            await asyncio.wait_for(asyncio.gather(*map(work, range(workers))), 60)

        asyncio.run(everybody())
    return read_journal(path)


def ends(events: list[Event]) -> dict[int, tuple[object, ...]]:
    ended = [event for event in events if event["event"] == "ended"]
    assert len({event["trial"] for event in ended}) == len(ended), "each ends once"
    return {event["trial"]: (event["status"], event["fidelity"], event["losses"]) for event in ended}


def test_every_trial_ends_once_and_the_optimizer_is_told(tmp_path: Path) -> None:
    optimizer = Thoughtful()
    events = search(tmp_path / "journal", optimizer=optimizer, workers=3)
    assert sorted(ends(events)) == list(range(TRIALS))
    assert {status for status, *_ in ends(events).values()} == {"finished"}
    assert optimizer.calls.count("ask") == TRIALS


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_whose_space_is_exhausted_ends(tmp_path: Path, workers: int) -> None:
    class Exhausted(Thoughtful):
        def _suggest(self, token: int) -> tuple[Config, int | None] | None:
            return super()._suggest(token) if token < 4 else None

    assert sorted(ends(search(tmp_path / "journal", optimizer=Exhausted(), workers=workers))) == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_trial_is_on_the_disk_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    path, seen = tmp_path / "journal", list[str]()
    synced = 0

    def sync(course: Course) -> None:
        nonlocal synced
        synced = path.stat().st_size
        seen.append("sync")

    exchange = Coordinator.exchange

    async def watched(coordinator: Coordinator, *arguments: Any) -> Order:
        order = await exchange(coordinator, *arguments)
        if order.verb == "begin":
            lines = path.read_bytes()[:synced].splitlines()
            suggested = [one["trial"] for one in map(json.loads, lines) if one["event"] == "suggested"]
            assert order.work.number in suggested
            seen.append("begin")
        return order

    monkeypatch.setattr(Course, "sync", sync)
    monkeypatch.setattr(Coordinator, "exchange", watched)
    search(path, workers=workers)
    assert seen.count("begin") == TRIALS
    assert seen.count("sync") <= TRIALS
    if workers == 1:
        assert seen == ["sync", "begin"] * TRIALS


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("rule", [Asha(), Hyperband(), Median(2)], ids=lambda rule: rule.name)
def test_a_rule_stops_trials_and_says_so(tmp_path: Path, rule: StoppingRule, workers: int) -> None:
    events = search(tmp_path / "journal", rule=rule, workers=workers)
    statuses = {status for status, *_ in ends(events).values()}
    assert statuses == {"finished", "stopped"}
    reasons = {event["reason"] for event in events if event.get("status") == "stopped"}
    assert reasons <= {f"{rule.name} after 1", f"{rule.name} after 3"}


def test_workers_that_die_change_nothing_about_what_becomes_of_trials(tmp_path: Path) -> None:
    undisturbed = ends(search(tmp_path / "undisturbed", rule=Asha()))
    rng = np.random.default_rng(0)
    events = search(tmp_path / "disturbed", rule=Asha(), dies=lambda *_: bool(rng.random() < 0.2))
    assert ends(events) == undisturbed
    assert any(event["event"] == "lost" for event in events)


def test_a_trial_whose_time_is_over_has_failed_and_is_not_tried_again(tmp_path: Path) -> None:
    events = search(
        tmp_path / "journal",
        dies=lambda assignment, _: assignment.number == 2,
        overdue=lambda number: "too long" if number == 2 else None,
    )
    assert ends(events)[2][0] == "failed"
    assert not any(event["event"] == "lost" for event in events)


@pytest.mark.parametrize("rule", [None, Asha(), Median(2)], ids=lambda rule: getattr(rule, "name", "none"))
def test_killed_after_any_event_it_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, rule: StoppingRule | None
) -> None:
    whole = tmp_path / "whole"
    expected = ends(search(whole, rule=rule))
    lines = whole.read_bytes().splitlines(keepends=True)
    for killed_after in range(1, len(lines), 3):
        path = tmp_path / str(killed_after)
        path.write_bytes(b"".join(lines[:killed_after]))
        assert ends(search(path, rule=rule)) == expected


def test_an_optimizer_that_thinks_while_trials_end_is_told_in_the_same_order_again(tmp_path: Path) -> None:
    path, lived = tmp_path / "journal", Thoughtful(pause=0.004)
    search(path, optimizer=lived, workers=4)
    again = Thoughtful()
    with Journal(path) as journal:
        Course(again, (), TRIALS, RUNGS.largest, journal, read_journal(path), float)
    assert again.calls == lived.calls
    first = "".join(call[0] for call in lived.calls)
    assert "aa" in first and "tt" not in first[:4], "several are asked for before the first has ended"


def test_one_wait_for_the_disk_serves_all_that_came_before_it() -> None:
    calls = itertools.count()
    begun, written = threading.Event(), threading.Event()

    def slow() -> None:
        next(calls)
        begun.set()
        assert written.wait(60)

    async def scene() -> None:
        sync = GroupSync(slow)
        first = asyncio.create_task(sync())
        await asyncio.to_thread(begun.wait)
        # These came too late for the wait that has begun, and share the next one.
        late = [asyncio.create_task(sync()) for _ in range(20)]
        await asyncio.sleep(0)
        written.set()
        await asyncio.gather(first, *late)

    asyncio.run(scene())
    assert next(calls) == 2


def test_a_trial_whose_process_died_before_it_began_loses_no_attempt(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    async def scene() -> None:
        with Journal(path) as journal:
            course = Course(Thoughtful(0.02), (), 1, RUNGS.largest, journal, (), lambda: 0.0, Handling(0))
            coordinator = Coordinator(SearchDesk(course, None, "", path, lambda number: None), 1)
            thinking = asyncio.create_task(coordinator.exchange(0, "first"))
            await asyncio.sleep(0.01)
            await coordinator.lose(0, "killed", for_good=False)
            assert await thinking == LEAVE
            order = await coordinator.exchange(0, "second")
            assert (order.work.number, order.work.attempt, order.work.repeat) == (0, 0, 0)

    asyncio.run(scene())
    assert [event["event"] for event in read_journal(path)] == ["suggested"]


@pytest.mark.parametrize("cuts", [True, False])
def test_a_trial_whose_time_is_over_is_stopped_with_its_last_report_or_fails(
    tmp_path: Path, cuts: bool
) -> None:
    with Journal(tmp_path / "journal") as journal:
        course = Course(Thoughtful(), (), 2, RUNGS.largest, journal, (), lambda: 0.0)
        desk = SearchDesk(course, None, "", tmp_path / "log", lambda _: "too long", cuts=cuts)
        first, second = asyncio.run(desk.next()), asyncio.run(desk.next())
        assert first is not None and second is not None
        for work in (first, second):
            assert desk.report(work, report(work, 0))
        desk.lose(first, "killed", "worker 0")
        assert not desk.report(second, Report(0, {}, 0.0, "too long", done=True, overdue=True))
    found = ends(read_journal(tmp_path / "journal"))
    assert {status for status, *_ in found.values()} == {"stopped" if cuts else "failed"}
    assert [fidelity for _, fidelity, _ in found.values()] == ([1, 1] if cuts else [0, 0])


def test_a_trial_that_took_too_much_memory_fails_even_where_overdue_ones_are_stopped(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        course = Course(Thoughtful(), (), 2, RUNGS.largest, journal, (), lambda: 0.0)
        late, much = (lambda _: "too long"), {0: "too much"}.get
        desk = SearchDesk(course, None, "", tmp_path / "log", late, greedy=much, cuts=True)
        for work in (asyncio.run(desk.next()), asyncio.run(desk.next())):
            assert work is not None and desk.report(work, report(work, 0))
            desk.lose(work, "killed", "worker 0")
    found = ends(read_journal(tmp_path / "journal"))
    assert [status for _, (status, *_) in sorted(found.items())] == ["failed", "stopped"]


def test_a_loss_is_journalled_with_its_process(tmp_path: Path) -> None:
    lives = iter([True])
    events = search(tmp_path / "journal", dies=lambda *_: next(lives, False))
    lost = [event for event in events if event["event"] == "lost"]
    assert [(event["reason"], event["process"]) for event in lost] == [("killed", "worker 0, 0")]


def test_a_rule_is_told_the_same_while_a_study_lives_and_when_it_is_resumed(tmp_path: Path) -> None:
    class Witness(Median):
        """Remembers what it was told."""

        def __init__(self) -> None:
            super().__init__(2)
            self.told: list[tuple[object, ...]] = []

        def judge(self, rungs: Rungs, seed: int) -> Judge:
            judge, told = super().judge(rungs, seed), self.told

            class Listening:
                def goes_on(self, *report: Any) -> bool:
                    verdict = judge.goes_on(*report)
                    told.append((*report, verdict))
                    return verdict

            return Listening()

    path, live, resumed = tmp_path / "journal", Witness(), Witness()
    events = search(path, rule=live, workers=3, dies=lambda trial, rung: trial.attempt < rung < 2)
    Verdicts(resumed.judge(RUNGS, 0), OBJECTIVES, (), events)
    assert live.told == resumed.told
    assert any(fidelity == RUNGS.largest for _, fidelity, *_ in live.told)


def test_what_was_thought_ahead_of_time_is_told_in_the_same_order_again(tmp_path: Path) -> None:
    """Suggestions that lay ready knew less than the journal held when their trials began."""
    path, lived = tmp_path / "journal", Thoughtful(pause=0.004)
    events = search(path, optimizer=lived, workers=4, planned=True)
    assert sorted(ends(events)) == list(range(TRIALS))
    lines = path.read_bytes().splitlines(keepends=True)
    for killed_after in (len(lines) // 2, len(lines)):
        path.write_bytes(b"".join(lines[:killed_after]))
        again = Thoughtful()
        with Journal(path) as journal:
            course = Course(again, (), TRIALS, RUNGS.largest, journal, read_journal(path), float)
        assert again.calls == lived.calls[: len(again.calls)]
        assert not course.optimizer.departures
    ended, behind = 0, 0
    for event in events:
        ended += event["event"] == "ended"
        behind = max(behind, ended - event.get("told", ended))
    assert behind > 0, "some began when more had ended than their optimizer knew"
