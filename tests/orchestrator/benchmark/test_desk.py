"""Every cell is handed out until it has ended, whatever happens to the processes that compute."""

from __future__ import annotations

import asyncio
import errno
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.benchmark.desk import STRIKES, Block, CellDesk, Ended, Progress
from orchestrator.benchmark.records import CellKey
from orchestrator.engine.coordinator import LEAVE, Coordinator
from orchestrator.run.journal import Journal, read_journal
from tests.work import instructions

TASKS = {"easy": 10, "hard": 100}


class Stored:
    """A store in memory."""

    versions = "{}"

    def __init__(self) -> None:
        self.cells: dict[CellKey, Ended] = {}
        self.given_up: list[CellKey] = []
        self.full = False

    def ended(self, cells: Iterable[CellKey]) -> list[Ended]:
        return [self.cells[key] for key in cells if key in self.cells]

    def give_up(self, key: CellKey, reason: str) -> Ended:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.given_up.append(key)
        return Ended(key, 0.0, reason, lost=True)


def cells(seeds: int, methods: Sequence[str] = ("quick", "slow")) -> list[CellKey]:
    return [CellKey(task, method, seed) for seed in range(seeds) for task in TASKS for method in methods]


MakeDesk = Callable[..., CellDesk]


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def desk(tmp_path: Path, stored: Stored) -> MakeDesk:
    def made(keys: Sequence[CellKey], workers: int = 2, block_seconds: float = 10.0) -> CellDesk:
        journal = Journal(tmp_path / "journal.jsonl")
        return CellDesk(keys, TASKS, workers, block_seconds, stored, journal, lambda: 0.0)

    return made


def seconds(key: CellKey) -> float:
    """Proportional to the task's evaluations."""
    return TASKS[key.task] * {"quick": 0.001, "slow": 0.03}[key.method]


def ended(keys: Sequence[CellKey]) -> list[Ended]:
    return [Ended(key, seconds(key)) for key in keys]


def progress(keys: Sequence[CellKey], full: str = "") -> Progress:
    return Progress(tuple(ended(keys)), full)


def following(desk: CellDesk) -> Block | None:
    return asyncio.run(desk.next())


def handed_out(desk: CellDesk) -> Block:
    block = following(desk)
    assert block is not None
    return block


def run(desk: CellDesk) -> list[Block]:
    """All blocks, one after another."""
    blocks = []
    while (block := following(desk)) is not None:
        blocks.append(block)
        assert not desk.report(block, progress(block.cells))
    return blocks


def test_all_cells_are_handed_out_once_and_in_order(desk: MakeDesk) -> None:
    keys = cells(seeds=50)
    one = desk(keys)
    blocks = run(one)
    assert [key for block in blocks for key in block.cells] == keys
    assert {block.versions for block in blocks} == {Stored.versions}
    assert one.over and one.failure == ""


def test_scores_are_journalled_and_a_cell_that_found_nothing_has_none(desk: MakeDesk, tmp_path: Path) -> None:
    keys = cells(seeds=1)
    one = desk(keys, workers=1, block_seconds=1e6)
    scores = dict(zip(keys, (0.5, math.inf, None, -2.0), strict=True))
    while (block := following(one)) is not None:
        one.report(block, Progress(tuple(Ended(key, 0.1, score=scores[key]) for key in block.cells)))
    told = [entry for event in read_journal(tmp_path / "journal.jsonl") for entry in event.get("scores", ())]
    assert told == [
        [key.task, key.method, key.seed, score if score is None or math.isfinite(score) else None]
        for key, score in scores.items()
        if score is not None
    ]


def test_blocks_take_the_time_that_they_should_and_shrink_towards_the_end(desk: MakeDesk) -> None:
    durations = [sum(map(seconds, block.cells)) for block in run(desk(cells(seeds=200)))]
    assert durations[0] < 10, "nothing is known yet"
    assert all(8 < one < 14 for one in durations[3:30])
    assert durations[-1] < 4
    assert len(durations) < 120


def test_what_is_known_of_a_method_counts_for_its_other_tasks(desk: MakeDesk) -> None:
    first = [CellKey("easy", "quick", seed) for seed in range(4)]
    one = desk([*first, *(CellKey("hard", "quick", seed) for seed in range(1000))], block_seconds=5.0)
    block = handed_out(one)
    assert set(block.cells) <= set(first)
    one.report(block, progress(block.cells))
    assert len(handed_out(one).cells) == pytest.approx(50, abs=3), "50 cells of .1 s"


def test_a_worker_goes_on_until_its_block_has_ended(desk: MakeDesk) -> None:
    one = desk(cells(seeds=50))
    block = handed_out(one)
    assert one.report(block, progress(block.cells[:1]))
    assert one.report(block, progress(block.cells[:1])), "a cell that is told of twice has ended once"
    assert not one.report(block, progress(block.cells[1:]))


class Workers:
    """Processes that store each cell before they report it, and die in cells that are deadly."""

    def __init__(self, stored: Stored, deadly: set[CellKey], rng: np.random.Generator) -> None:
        self._stored, self._deadly, self._rng = stored, deadly, rng
        self.computed: Counter[CellKey] = Counter()

    async def live(self, coordinator: Coordinator, worker: int) -> None:
        for process in map(str, range(1000)):
            order = await coordinator.exchange(worker, process)
            while order != LEAVE:
                if order.verb == "begin":
                    left = list(order.work.cells)
                await asyncio.sleep(0)
                portion, left = np.split(np.array(left, dtype=object), [1 + self._rng.integers(len(left))])
                if not all(map(self._survives, portion)):
                    if self._rng.random() < 0.5:
                        await coordinator.lose(worker, "died", for_good=False)
                    break
                order = await coordinator.exchange(worker, process, progress(list(portion)))
            else:
                return

    def _survives(self, key: CellKey) -> bool:
        if key in self._deadly:
            return False
        self.computed[key] += 1
        self._stored.cells[key] = Ended(key, seconds(key))
        return True


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_lost_processes_cost_at_most_the_cells_that_kill_them(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    keys = cells(seeds=6)
    deadly = {keys[number] for number in rng.choice(len(keys), 3, replace=False)}
    path = tmp_path_factory.mktemp("desk") / "journal.jsonl"
    stored = Stored()
    workers = Workers(stored, deadly, rng)

    async def everybody(coordinator: Coordinator) -> None:
        lives = [workers.live(coordinator, worker) for worker in range(count)]
        await asyncio.wait_for(asyncio.gather(*lives), 60)

    with Journal(path) as journal:
        desk = CellDesk(keys, TASKS, count, 1.0, stored, journal, lambda: 0.0)
        asyncio.run(everybody(Coordinator(desk, count)))
    assert desk.over and desk.failure == ""
    assert set(stored.given_up) == deadly and len(stored.given_up) == 3
    assert set(workers.computed) == set(keys) - deadly
    assert set(workers.computed.values()) == {1}
    events = read_journal(path)
    assert sum(sum(event["finished"].values()) for event in events) == len(keys) - 3
    assert sorted(CellKey(*entry[:3]) for event in events for entry in event.get("lost", ())) == sorted(
        deadly
    )
    assert events[-1]["left"] == 0


def test_a_block_that_no_process_began_is_no_death(desk: MakeDesk, stored: Stored) -> None:
    one = desk(cells(seeds=2))
    block = handed_out(one)
    for _ in range(STRIKES):
        one.give_back(block)
        again = handed_out(one)
        assert again.cells == block.cells
        block = again
    assert stored.given_up == []
    run(one)


def test_one_death_is_forgiven(desk: MakeDesk, stored: Stored) -> None:
    key = CellKey("easy", "quick", 0)
    one = desk([key])
    for _ in range(STRIKES - 1):
        one.lose(handed_out(one), "died", "worker 0")
        assert stored.given_up == [] and not one.over
    one.lose(handed_out(one), "died", "worker 0")
    assert stored.given_up == [key] and one.over


def test_a_halted_desk_hands_out_nothing(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk(cells(seeds=5))
    block = handed_out(one)
    one.halt()
    assert following(one) is None
    assert one.over and one.failure == ""
    assert not one.report(block, progress(block.cells[:1]))
    assert read_journal(tmp_path / "journal.jsonl") == []


def test_a_desk_whose_journal_is_full_says_so_and_hands_out_nothing(
    desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Journal, *events: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "journal.jsonl")

    one = desk(cells(seeds=5))
    block = handed_out(one)
    monkeypatch.setattr(Journal, "append", full)
    assert not one.report(block, progress(block.cells[:1]))
    assert one.over and following(one) is None
    assert one.failure == "the journal cannot be written: No space left on device: journal.jsonl"


def test_a_full_disk_ends_the_study_with_what_was_stored(desk: MakeDesk, tmp_path: Path) -> None:
    one = desk(cells(seeds=5))
    block = handed_out(one)
    assert not one.report(block, progress(block.cells[:1], "No space left on device"))
    assert one.over and following(one) is None
    assert one.failure == "cells cannot be stored: No space left on device"
    (event,) = read_journal(tmp_path / "journal.jsonl")
    assert event["finished"] == {block.cells[0].method: 1}


def test_a_lost_cell_for_which_there_is_no_room_ends_the_study(desk: MakeDesk, stored: Stored) -> None:
    one = desk(cells(seeds=5))
    stored.full = True
    for _ in range(STRIKES):
        one.lose(handed_out(one), "died", "worker 0")
    assert one.over
    assert one.failure == "cells cannot be stored: No space left on device"


def test_the_rest_is_foreseen(desk: MakeDesk, tmp_path: Path) -> None:
    run(desk(cells(seeds=100)))
    left = [event["left"] for event in read_journal(tmp_path / "journal.jsonl")]
    whole = sum(map(seconds, cells(seeds=100))) / 2
    assert left[3] == pytest.approx(whole, rel=0.25)
    assert left[-1] == 0
    assert sorted(left[3:], reverse=True) == left[3:]


def test_a_report_costs_no_more_where_the_study_is_larger(tmp_path: Path, stored: Stored) -> None:
    def work_per_cell(tasks: int) -> float:
        keys = [CellKey(f"task-{task}", "random", 0) for task in range(tasks)]
        evaluations = {key.task: 10 + number % 7 for number, key in enumerate(keys)}
        with Journal(tmp_path / f"{tasks}.jsonl") as journal:
            one = CellDesk(keys, evaluations, 2, 1e6, stored, journal, lambda: 0.0)

            def compute() -> None:
                while (block := following(one)) is not None:
                    for key in block.cells:
                        one.report(block, Progress((Ended(key, 0.1),)))

            return instructions(compute) / tasks

    assert work_per_cell(1000) < 1.5 * work_per_cell(100)
