"""Nothing false is read of a benchmark's damaged files: cells are as they were, missing, or refused."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.benchmark.checksums import column_checksum
from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.rows import RECORD, record_of
from orchestrator.benchmark.store import Store
from search_spaces import ConfigurationError
from tests.orchestrator.benchmark.scripted import result
from tests.orchestrator.damage import FLIPS, flips, truncations

pytestmark = pytest.mark.damage

KEYS = [CellKey(task, "tpe", seed) for task in ("a/1", "b/2") for seed in range(3)]
Cells = dict[CellKey, str]
"""Of each cell all that is known, as text."""


def made(key: CellKey) -> CellResult:
    return result(key, [(float(key.seed), float(number)) for number in range(key.seed + 1)])


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        with Store(Path(path) / "cells") as store:
            for key in KEYS:
                store.append(made(key))
        yield Path(path) / "cells"


def cells_in(folder: Path) -> tuple[Cells, list[str]]:
    """What a resumed study finds, and what it says."""
    store = Store(folder)
    said = store.check()
    cells, evaluations = (table.to_pylist() for table in store.tables())
    found: dict[CellKey, list[Any]] = {}
    for row in (*cells, *evaluations):
        found.setdefault(CellKey(row["task"], row["method"], row["seed"]), []).append(row)
    return {key: json.dumps(rows) for key, rows in found.items()}, said


def stream(folder: Path) -> Path:
    (path,) = folder.glob("*.arrows")
    return path


def test_a_truncated_file_lacks_its_last_cells(folder: Path) -> None:
    whole, _ = cells_in(folder)
    path = stream(folder)
    content = path.read_bytes()
    counts = set()
    for damaged in truncations(content):
        path.write_bytes(damaged)
        keys = list(Store(folder).finished())
        assert keys == list(whole)[: len(keys)]
        if len(keys) not in counts:
            found, said = cells_in(folder)
            assert not said and found.items() <= whole.items()
        counts.add(len(keys))
    assert counts == {len(whole) - 1}  # a record is longer than what is cut off


def test_a_flipped_byte_costs_its_own_cell_which_is_said(folder: Path) -> None:
    whole, _ = cells_in(folder)
    path = stream(folder)
    content = path.read_bytes()
    for damaged in flips(content, 4):
        path.write_bytes(damaged)
        found, said = cells_in(folder)
        assert found.items() <= whole.items() and len(found) >= len(whole) - 1
        if len(found) < len(whole) and list(whole)[-1] in found:
            assert said == [
                f"cells/{path.name} is damaged in 1 place; the cells that were there are computed again"
            ]


def test_what_is_computed_again_makes_the_store_whole(folder: Path) -> None:
    whole, _ = cells_in(folder)
    path = stream(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    missing = whole.keys() - cells_in(folder)[0].keys()
    assert len(missing) == 1
    with Store(folder) as store:
        store.append(made(*missing))
    assert cells_in(folder)[0] == whole
    Store(folder).compact()
    assert cells_in(folder) == (whole, [])


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
@pytest.mark.parametrize("name", ["cells.parquet", "evaluations.parquet"])
def test_a_damaged_merged_file_is_refused(folder: Path, name: str, damage: str) -> None:
    Store(folder).compact()
    whole, _ = cells_in(folder)
    path, refused, seed = folder / name, 0, 5
    content = path.read_bytes()
    for damaged in truncations(content) if damage == "truncated" else flips(content, seed):
        path.write_bytes(damaged)
        try:
            assert cells_in(folder) == (whole, [])
        except ConfigurationError as error:
            assert "\n" not in str(error) and str(folder) in str(error)
            refused += 1
    assert refused > FLIPS / 2


def test_damaged_merged_files_can_be_set_aside(folder: Path) -> None:
    whole, _ = cells_in(folder)
    Store(folder).compact()
    assert Store(folder).set_aside() == []
    content = bytearray((folder / "evaluations.parquet").read_bytes())
    content[len(content) // 3] ^= 1
    (folder / "evaluations.parquet").write_bytes(content)
    (said,) = Store(folder).set_aside()
    assert said.startswith("stored cells are computed again (") and "evaluations.parquet" in said
    assert cells_in(folder) == ({}, [])
    with Store(folder) as store:
        for key in KEYS:
            store.append(made(key))
    assert cells_in(folder) == (whole, [])


def test_files_of_an_earlier_version_are_read(folder: Path) -> None:
    whole, _ = cells_in(folder)
    stream(folder).unlink()
    with (folder / "00000001-old.arrows").open("wb") as file, pa.ipc.new_stream(file, RECORD) as old:
        for key in KEYS:
            old.write_batch(record_of(made(key)))
    assert cells_in(folder) == (whole, [])
    Store(folder).compact()
    for name in ("cells.parquet", "evaluations.parquet"):
        pq.write_table(pq.read_table(folder / name).replace_schema_metadata(), folder / name)
    assert cells_in(folder) == (whole, [])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.float64(), [1.0, None, float("nan"), -0.0, 3.5]),
        (pa.string(), ["", None, "ä", "b" * 40, ""]),
        (pa.large_string(), ["x", "", "yz", None, "w"]),
        (pa.list_(pa.float64()), [[1.0, 2.0], [], None, [None], [3.0]]),
    ],
)
def test_a_checksum_depends_on_the_values_alone(kind: pa.DataType, values: list[Any]) -> None:
    whole = pa.chunked_array([values], kind)
    cut = pa.chunked_array([pa.array([values[0], *values], kind)[1:]], kind)
    parts = pa.chunked_array([values[:2], [], values[2:3], values[3:]], kind)
    assert column_checksum(whole) == column_checksum(cut) == column_checksum(parts)
    swapped = pa.chunked_array([[values[1], values[0], *values[2:]]], kind)
    assert column_checksum(swapped) != column_checksum(whole)
