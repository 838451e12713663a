"""The journal gives back what was written, also after a crash in the middle of a write."""

from __future__ import annotations

import errno
import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.run.journal import Journal, JournalReader, read_journal

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4).filter("$float".__ne__), inner, max_size=3)
    ),
    max_leaves=8,
)
events = st.lists(
    st.dictionaries(st.text(min_size=1, max_size=5).filter("$float".__ne__), values), max_size=6
)


@contextmanager
def new_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "sub" / "journal.jsonl"


class FullFile(io.FileIO):
    """A file on a disk that has room for so many bytes more."""

    room = 1 << 20

    def write(self, content: Any) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.name))
        written = super().write(bytes(content)[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("room", [0, 1, 11, 17])
def test_a_full_disk_leaves_no_torn_line_and_takes_more_later(tmp_path: Path, room: int) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append({"event": 0})
        journal._file.close()
        journal._file = file = FullFile(path, "a+")
        file.room = room
        with pytest.raises(OSError, match="No space left"):
            journal.append({"event": 1}, {"event": 2})
        events = read_journal(path)
        assert events == [{"event": number} for number in range(1 + room // 12)]
        assert path.read_bytes().endswith(b"\n")
        file.room = 1 << 20
        journal.append({"event": "more"})
    assert read_journal(path) == [*events, {"event": "more"}]


def written(path: Path, *lines: dict[str, Any]) -> bytes:
    with Journal(path) as journal:
        journal.append(*lines)
    return path.read_bytes()


def same(first: Any, second: Any) -> bool:
    """Equality in which NaN equals NaN."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, float) and math.isnan(first):
        return isinstance(second, float) and math.isnan(second)
    return type(first) is type(second) and first == second


@settings(max_examples=50, deadline=None)
@given(events)
def test_reads_back_what_was_written(lines: list[dict[str, Any]]) -> None:
    with new_file() as path:
        written(path, *lines)
        assert same(read_journal(path), lines)


@settings(max_examples=50, deadline=None)
@given(events, st.data())
def test_a_torn_last_line_is_skipped_and_cut_off_by_the_next_writer(
    lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    with new_file() as path:
        content = written(path, *lines)
        kept = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:kept])
        complete = content[:kept].count(b"\n")
        assert same(read_journal(path), lines[:complete])
        written(path, {"event": "resume"})
        assert same(read_journal(path), [*lines[:complete], {"event": "resume"}])


@settings(max_examples=50, deadline=None)
@given(events, st.data())
def test_a_reader_sees_each_event_once_however_the_file_grows(
    lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    with new_file() as path:
        content = written(path, *lines)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
        reader, seen = JournalReader(path), []
        for cut in [*cuts, len(content)]:
            path.write_bytes(content[:cut])
            seen += reader.poll()
        assert same(seen, lines)


def test_a_reader_goes_on_from_an_earlier_offset(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, {"n": 1})
    first = JournalReader(path)
    first.poll()
    written(path, {"n": 2})
    assert JournalReader(path, first.offset).poll() == [{"n": 2}]


def test_there_is_nothing_to_read_before_there_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    reader = JournalReader(path)
    assert reader.poll() == []
    written(path, {"n": 1})
    assert reader.poll() == [{"n": 1}]


def test_numbers_that_are_not_finite_are_valid_json(tmp_path: Path) -> None:
    content = written(tmp_path / "journal.jsonl", {"loss": math.nan, "bounds": [-math.inf, math.inf]})
    assert b"NaN" not in content
    assert b"Infinity" not in content


def test_what_json_cannot_hold_is_refused_and_leaves_the_journal_readable(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal, pytest.raises(TypeError):
        journal.append({"n": 1}, {"bad": object()})
    assert read_journal(path) == []
