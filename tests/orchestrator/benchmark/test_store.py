"""Stored cells survive whatever happens to those who write them."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.benchmark import store as module
from orchestrator.benchmark.records import CellKey, CellResult, Evaluation
from orchestrator.benchmark.rows import RECORD, record_of
from orchestrator.benchmark.store import Store
from orchestrator.benchmark.streams import StreamWriter
from orchestrator.trial import Suggestion, Trial
from search_spaces import ConfigurationError
from tests.orchestrator.benchmark.scripted import result

KEYS = [
    CellKey(task, method, seed) for task in ("b/1", "a/2") for method in ("tpe", "asha") for seed in (10, 2)
]


def write(folder: Path, *results: CellResult) -> None:
    """As one process would."""
    with Store(folder) as store:
        for one in results:
            store.append(one)


def rows(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    cells, evaluations = Store(folder).tables()
    return cells.to_pylist(), evaluations.to_pylist()


def contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_stores_from_before_versions_were_kept_are_read_and_compacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = [column for column in RECORD.names if column not in module.LATER_COLUMNS]
    schema = pa.schema([RECORD.field(name) for name in older])
    with monkeypatch.context() as patch:
        patch.setattr(module, "StreamWriter", lambda path, clock: StreamWriter(path, clock, schema))
        patch.setattr(module, "record_of", lambda one: record_of(one).select(older))
        write(tmp_path, result(KEYS[0]), result(KEYS[1]))
    write(tmp_path, replace(result(KEYS[2]), versions="new"))
    for _ in range(2):
        cells, _ = rows(tmp_path)
        assert sorted(cell["versions"] for cell in cells) == ["", "", "new"]
        Store(tmp_path).compact()
    table = pq.read_table(tmp_path / "cells.parquet")
    early = table.drop_columns(list(module.LATER_COLUMNS)).replace_schema_metadata()
    pq.write_table(early, tmp_path / "cells.parquet")
    assert {(cell["versions"], cell["test"]) for cell in rows(tmp_path)[0]} == {("", "")}
    assert Store(tmp_path).finished().keys() == set(KEYS[:3])


@contextmanager
def folder() -> Iterator[Path]:
    """For tests that run many times; nothing is forced to the disk."""
    with tempfile.TemporaryDirectory() as path, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield Path(path) / "cells"


def test_an_empty_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "cells")
    store.compact()
    assert store.finished() == {}
    cells, evaluations = store.tables()
    assert (len(cells), len(evaluations)) == (0, 0)
    assert {"task", "reason", "evaluations"} <= set(cells.column_names)
    assert {"task", "losses", "config"} <= set(evaluations.column_names)
    assert not (tmp_path / "cells").exists()


@pytest.mark.parametrize("compacted", [False, True])
def test_all_that_is_known_of_a_cell(tmp_path: Path, compacted: bool) -> None:
    key = CellKey("suite/n=1", "näïve", 7)
    good = Trial(Suggestion({"n": 1, "b": "x"}, 3, 1), (0.5, -1.0), (0.0,), "finished", 3)
    bad = Trial(Suggestion({"n": 2}, 9, 0), (math.nan, math.nan), (math.nan,), "failed", 9, "OSError: no")
    evaluations = (Evaluation(good, 1 / 3, 0.0, 2.0, 1), Evaluation(bad, 1.0, 0.0, 3.0, 0))
    write(tmp_path, CellResult(key, "d", evaluations, "failed", "ValueError: stop", 0.5))
    if compacted:
        Store(tmp_path).compact()
    (cell,), (first, second) = rows(tmp_path)
    of_cell = {"task": "suite/n=1", "method": "näïve", "seed": 7}
    ending = {"digest": "d", "status": "failed", "reason": "ValueError: stop", "seconds": 0.5, "versions": ""}
    assert cell == of_cell | ending | {"thinking": None, "test": "", "evaluations": 2}
    assert first == of_cell | {
        "number": 0,
        "asked": 1,
        "worker": 1,
        "fidelity": 3,
        "cost": 1 / 3,
        "spent": 1 / 3,
        "start": 0.0,
        "end": 2.0,
        "status": "finished",
        "reason": "",
        "losses": [0.5, -1.0],
        "violations": [0.0],
        "config": '{"b":"x","n":1}',
    }
    assert (second["number"], second["asked"], second["spent"]) == (1, 0, 4 / 3)
    assert (second["status"], second["reason"]) == ("failed", "OSError: no")
    assert all(map(math.isnan, second["losses"] + second["violations"]))
    assert Store(tmp_path).finished() == {key: "d"}


def test_a_cell_without_evaluations(tmp_path: Path) -> None:
    write(tmp_path, result(KEYS[0], [], status="failed"), result(KEYS[1]))
    before = rows(tmp_path)
    Store(tmp_path).compact()
    assert rows(tmp_path) == before
    assert [cell["evaluations"] for cell in before[0]] == [1, 0]


def test_rows_are_ordered_by_key_and_number(tmp_path: Path) -> None:
    for key in KEYS:
        write(tmp_path, result(key, [(1.0,), (2.0,)]))
    cells, evaluations = rows(tmp_path)
    keys = [(row["task"], row["method"], row["seed"]) for row in cells]
    assert keys == sorted((key.task, key.method, key.seed) for key in KEYS)
    found = [(row["task"], row["method"], row["seed"], row["number"]) for row in evaluations]
    assert found == [(*key, number) for key in keys for number in (0, 1)]


def test_what_is_kept_is_there_before_the_file_is_closed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for count, key in enumerate(KEYS, start=1):
        store.append(result(key))
        assert len(Store(tmp_path).finished()) == count


def test_a_store_goes_on_after_compaction(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(result(KEYS[0]))
    store.compact()
    store.append(result(KEYS[1]))
    assert set(store.finished()) == set(KEYS[:2])


def test_a_later_digest_replaces_an_earlier_one(tmp_path: Path) -> None:
    for digest, loss in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        write(tmp_path, result(KEYS[0], [(loss,)] * int(loss), digest))
    _, evaluations = rows(tmp_path)
    assert [row["losses"] for row in evaluations] == [[3.0]] * 3
    Store(tmp_path).compact()
    write(tmp_path, result(KEYS[0], [(4.0,)], "b"))
    assert [row["losses"] for row in rows(tmp_path)[1]] == [[4.0]]
    assert Store(tmp_path).finished() == {KEYS[0]: "b"}


def test_of_one_digest_finished_replaces_failed_and_not_the_other_way(tmp_path: Path) -> None:
    write(tmp_path, result(KEYS[0], [], status="failed"))
    Store(tmp_path).compact()
    write(tmp_path, result(KEYS[0], [(1.0,)]))
    write(tmp_path, result(KEYS[0], [], status="failed"))
    write(tmp_path, result(KEYS[0], [(2.0,)]))
    cells, evaluations = rows(tmp_path)
    assert [cell["status"] for cell in cells] == ["finished"]
    assert [row["losses"] for row in evaluations] == [[1.0]]


# Which process computes a cell, whether it writes it in two processes, and where the store is compacted.
STEPS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=len(KEYS), max_size=len(KEYS))


@settings(max_examples=40)
@given(order=st.permutations(KEYS), steps=STEPS, compact_at=st.sets(st.integers(0, len(KEYS))))
def test_bytes_depend_on_the_cells_alone(
    order: list[CellKey], steps: list[tuple[int, bool]], compact_at: set[int]
) -> None:
    def cell(key: CellKey) -> CellResult:
        return result(key, [(float(key.seed), float(i)) for i in range(key.seed)])

    with folder() as disturbed, folder() as undisturbed:
        stores = [Store(disturbed) for _ in range(3)]
        for position, (key, (process, twice)) in enumerate(zip(order, steps, strict=True)):
            stores[process].append(cell(key))
            if twice:
                stores[(process + 1) % 3].append(cell(key))
            if position in compact_at:
                for store in stores:
                    store.close()
                Store(disturbed).compact()
        for store in stores:
            store.close()
        before = rows(disturbed)
        Store(disturbed).compact()
        write(undisturbed, *map(cell, KEYS))
        Store(undisturbed).compact()
        assert rows(disturbed) == before == rows(undisturbed)
        assert contents(disturbed) == contents(undisturbed)
        assert set(contents(disturbed)) == {"cells.parquet", "evaluations.parquet"}
        Store(disturbed).compact()
        assert contents(disturbed) == contents(undisturbed)


def test_a_record_torn_anywhere_is_not_there_and_harms_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "whole")
    for key in KEYS[:2]:
        store.append(result(key))
    (path,) = (tmp_path / "whole").iterdir()
    two = path.stat().st_size
    store.append(result(KEYS[2]))
    whole = path.read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()
    for size in range(two, len(whole)):
        (torn / path.name).write_bytes(whole[:size])
        assert set(Store(torn).finished()) == set(KEYS[:2]), size
    write(torn, result(KEYS[3]))
    Store(torn).compact()
    assert set(Store(torn).finished()) == {KEYS[0], KEYS[1], KEYS[3]}


def test_a_torn_beginning(tmp_path: Path) -> None:
    write(tmp_path, result(KEYS[0]))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for size in range(0, 1200, 7):
        path.write_bytes(whole[:size])
        assert Store(tmp_path).finished() == {}


def test_zeros_behind_the_records(tmp_path: Path) -> None:
    """As a file system may leave them when the machine dies."""
    store = Store(tmp_path)
    store.append(result(KEYS[0]))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert set(Store(tmp_path).finished()) == {KEYS[0]}


WRITER = """
import sys
from pathlib import Path
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.store import Store
from tests.orchestrator.benchmark.scripted import result
store = Store(Path(sys.argv[1]))
for seed in range(10**9):
    store.append(result(CellKey("a", "b", seed), [(float(i),) for i in range(50)]))
    print(seed, flush=True)
"""


def test_a_process_killed_while_writing(tmp_path: Path) -> None:
    told = -1
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = int(line)
            if told >= 40:
                break
        os.kill(process.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in process.stdout if line.endswith("\n"))])
    found = Store(tmp_path).finished()
    # What it has told of is there, and at most one more.
    assert {key.seed for key in found} in (set(range(told + 1)), set(range(told + 2)))
    before = rows(tmp_path)
    Store(tmp_path).compact()
    assert rows(tmp_path) == before
    assert len(before[1]) == 50 * len(found)


class KilledError(Exception):
    """In the middle of compaction."""


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A store with three cells of one, two and three evaluations."""
    for count, key in enumerate(KEYS[:3], start=1):
        write(tmp_path, result(key, [(float(count),)] * count))
    Store(tmp_path).compact()
    return tmp_path


def keep(folder: Path, rows: Sequence[int]) -> None:
    """Only some of the evaluations: the third cell has 0 to 2, the second 3 and 4, the first 5.

    Without checksums, as earlier versions wrote them.
    """
    path = folder / "evaluations.parquet"
    table = pq.read_table(path).take(pa.array(rows, pa.int64()))
    pq.write_table(table.replace_schema_metadata(), path)


@pytest.mark.parametrize("kept", [[0, 1, 2, 3, 4], [3, 4, 5], [0, 1, 3, 4, 5], [0, 1, 2, 3, 4, 5, 5], []])
def test_lost_evaluations_are_refused_and_not_replaced_by_others(merged: Path, kept: list[int]) -> None:
    keep(merged, kept)
    write(merged, result(KEYS[3]))
    for read in (Store(merged).tables, Store(merged).check, Store(merged).compact):
        with pytest.raises(
            ConfigurationError, match=r"as many evaluations of every cell.*delete both"
        ) as caught:
            read()
        assert "\n" not in str(caught.value)
    for stream in merged.glob("*.arrows"):
        stream.unlink()
    for read in (Store(merged).tables, Store(merged).check):
        with pytest.raises(ConfigurationError, match=r"fewer, or others, of (tpe|asha) on b/1 with seed"):
            read()


def test_evaluations_of_cells_that_were_computed_again_need_not_be_there(merged: Path) -> None:
    keep(merged, [3, 4])
    write(merged, result(KEYS[2], [(7.0,)], "b"))
    with pytest.raises(ConfigurationError, match="of tpe on b/1 with seed 10"):
        Store(merged).check()
    write(merged, result(KEYS[0], [], "b", "failed"))
    Store(merged).check()
    expected = rows(merged)
    assert [row["losses"] for row in expected[1]] == [[7.0], [2.0], [2.0]]
    Store(merged).compact()
    assert rows(merged) == expected


@pytest.mark.parametrize("lost", ["cells.parquet", "evaluations.parquet"])
def test_one_merged_file_without_the_other_is_refused(merged: Path, lost: str) -> None:
    (merged / lost).unlink()
    for read in (Store(merged).tables, Store(merged).check, Store(merged).cells, Store(merged).finished):
        with pytest.raises(
            ConfigurationError, match=r"both cells\.parquet and evaluations\.parquet.*restore"
        ):
            read()


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("removals", [0, 1])
def test_compaction_killed_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int, removals: int
) -> None:
    write(tmp_path, result(KEYS[0], [(1.0,)], "a"), result(KEYS[1], [], "a", "failed"))
    Store(tmp_path).compact()
    write(tmp_path, result(KEYS[0], [(2.0,)] * 3, "b"), result(KEYS[2]))
    write(tmp_path, result(KEYS[1], [(3.0,)] * 2))
    expected = rows(tmp_path)
    left = {"write": writes, "unlink": removals}

    def until_killed(what: str, function: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            if left[what] == 0:
                raise KilledError
            left[what] -= 1
            return function(*arguments, **options)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", until_killed("write", module._write))
        if writes == 2:
            patch.setattr(Path, "unlink", until_killed("unlink", Path.unlink))
            left["unlink"] += 2  # of temporary files
        with pytest.raises(KilledError):
            Store(tmp_path).compact()
    (tmp_path / ".cells.parquet.4711").write_bytes(b"half")
    assert rows(tmp_path) == expected
    Store(tmp_path).compact()
    assert rows(tmp_path) == expected
    assert len(list(tmp_path.iterdir())) == 2


def test_files_are_forced_to_the_disk_at_a_steady_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, forced = [0.0], []
    store = Store(tmp_path, clock=lambda: now[0])
    store.append(result(KEYS[0]))
    monkeypatch.setattr(os, "fsync", lambda descriptor: forced.append(now[0]))
    for step in range(1, 25):
        now[0] = step / 8
        store.append(result(KEYS[0]))
    store.close()
    assert forced == [1.0, 2.0, 3.0, 3.0]


def test_a_full_disk_does_not_tear_what_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.append(result(KEYS[0]))
    with monkeypatch.context() as patch:

        def full(self: object, batch: pa.RecordBatch) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(StreamWriter, "write", full)
        with pytest.raises(OSError, match="No space left"):
            store.append(result(KEYS[1]))
    store.append(result(KEYS[2]))
    assert set(Store(tmp_path).finished()) == {KEYS[0], KEYS[2]}
