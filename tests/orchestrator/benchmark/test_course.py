"""Every cell is handed out until it has ended, whatever happens to the processes that compute."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.benchmark.course import STRIKES, Block, Course, Ended
from orchestrator.benchmark.records import CellKey
from orchestrator.journal import Journal, read_journal

TASKS = {"easy": 10, "hard": 100}


def cells(seeds: int, methods: Sequence[str] = ("quick", "slow")) -> list[CellKey]:
    return [CellKey(task, method, seed) for seed in range(seeds) for task in TASKS for method in methods]


@pytest.fixture
def course(tmp_path: Path) -> Callable[..., Course]:
    def made(keys: Sequence[CellKey], slots: int = 2, block_seconds: float = 10.0) -> Course:
        journal = Journal(tmp_path / "journal.jsonl")
        return Course(keys, TASKS, slots, block_seconds, journal, lambda: 0.0)

    return made


def seconds(key: CellKey) -> float:
    """Proportional to the task's evaluations."""
    return TASKS[key.task] * {"quick": 0.001, "slow": 0.03}[key.method]


def ended(keys: Sequence[CellKey]) -> list[Ended]:
    return [Ended(key, seconds(key)) for key in keys]


def run(course: Course) -> list[Block]:
    """All blocks, one after another."""
    blocks = []
    while (block := course.next()) is not None:
        blocks.append(block)
        course.report(block.number, ended(block.cells))
    return blocks


def test_all_cells_are_handed_out_once_and_in_order(course: Callable[..., Course]) -> None:
    keys = cells(seeds=50)
    one = course(keys)
    assert [key for block in run(one) for key in block.cells] == keys
    assert one.over and one.finished


def test_blocks_take_the_time_that_they_should_and_shrink_towards_the_end(
    course: Callable[..., Course],
) -> None:
    durations = [sum(map(seconds, block.cells)) for block in run(course(cells(seeds=200)))]
    assert durations[0] < 10, "nothing is known yet"
    assert all(8 < one < 14 for one in durations[3:30])
    assert durations[-1] < 4
    assert len(durations) < 120


def test_what_is_known_of_a_method_counts_for_its_other_tasks(course: Callable[..., Course]) -> None:
    first = [CellKey("easy", "quick", seed) for seed in range(4)]
    one = course([*first, *(CellKey("hard", "quick", seed) for seed in range(1000))], block_seconds=5.0)
    block = one.next()
    assert block is not None and set(block.cells) <= set(first)
    one.report(block.number, ended(block.cells))
    block = one.next()
    assert block is not None
    assert len(block.cells) == pytest.approx(50, abs=3), "50 cells of .1 s"


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_lost_processes_cost_at_most_the_cells_that_kill_them(
    tmp_path_factory: pytest.TempPathFactory, seed: int, slots: int
) -> None:
    rng = np.random.default_rng(seed)
    keys = cells(seeds=6)
    deadly = {keys[number] for number in rng.choice(len(keys), 3, replace=False)}
    path = tmp_path_factory.mktemp("course") / "journal.jsonl"
    stored: Counter[CellKey] = Counter()
    given_up: list[CellKey] = []
    with Journal(path) as journal:
        course = Course(keys, TASKS, slots, 1.0, journal, lambda: 0.0)
        running: list[Block] = []
        while not course.over:
            while len(running) < slots and (block := course.next()) is not None:
                running.append(block)
            block = running.pop(rng.integers(len(running)))
            done = [key for key in block.cells if key not in deadly]
            first = next((n for n, key in enumerate(block.cells) if key in deadly), None)
            done = list(block.cells[:first])
            stored.update(done)
            told = done[: rng.integers(len(done) + 1)]
            course.report(block.number, ended(told))
            if first is None:
                course.report(block.number, ended(done))
                continue
            lost = course.lose(block.number, ended(done))
            if lost is not None:
                given_up.append(lost)
                course.report(block.number, [Ended(lost, 0.0, "died")])
    assert course.finished
    assert set(given_up) == deadly and len(given_up) == 3
    assert set(stored) == set(keys) - deadly
    assert set(stored.values()) == {1}
    events = read_journal(path)
    assert sum(sum(event["finished"].values()) for event in events) == len(keys) - 3
    assert sorted(CellKey(*entry[:3]) for event in events for entry in event["failed"]) == sorted(deadly)


def test_one_death_is_forgiven(course: Callable[..., Course]) -> None:
    one = course([CellKey("easy", "quick", 0)])
    for _ in range(STRIKES - 1):
        block = one.next()
        assert block is not None
        assert one.lose(block.number, []) is None
        assert not one.over
    block = one.next()
    assert block is not None
    assert one.lose(block.number, []) == CellKey("easy", "quick", 0)


def test_a_halted_course_hands_out_nothing_and_is_not_finished(
    course: Callable[..., Course], tmp_path: Path
) -> None:
    one = course(cells(seeds=5))
    block = one.next()
    assert block is not None
    one.halt()
    assert one.next() is None
    assert one.over and one.halted and not one.finished
    one.report(block.number, ended(block.cells))
    assert read_journal(tmp_path / "journal.jsonl") == []


def test_a_course_whose_journal_is_full_is_halted_with_the_reason(
    course: Callable[..., Course], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Journal, *events: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "journal.jsonl")

    one = course(cells(seeds=5))
    block = one.next()
    assert block is not None
    monkeypatch.setattr(Journal, "append", full)
    one.report(block.number, ended(block.cells))
    assert one.halted and one.next() is None
    assert one.reason == "the journal cannot be written: No space left on device: journal.jsonl"


def test_the_rest_is_foreseen(course: Callable[..., Course], tmp_path: Path) -> None:
    run(course(cells(seeds=100)))
    left = [event["left"] for event in read_journal(tmp_path / "journal.jsonl")]
    whole = sum(map(seconds, cells(seeds=100))) / 2
    assert left[3] == pytest.approx(whole, rel=0.25)
    assert left[-1] == 0
    assert sorted(left[3:], reverse=True) == left[3:]
