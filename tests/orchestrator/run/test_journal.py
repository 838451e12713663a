"""The journal gives back what was written, also after a crash in the middle of a write."""

from __future__ import annotations

import errno
import fcntl
import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.run.journal import Journal, JournalError, JournalReader, read_journal
from search_spaces import ConfigurationError

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


@pytest.mark.parametrize("room", [0, 1, 0.9, 1.5])
def test_a_full_disk_leaves_no_torn_line_and_takes_more_later(tmp_path: Path, room: float) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append({"event": 0})
        length = path.stat().st_size
        journal._file.close()
        journal._file = file = FullFile(path, "a+")
        file.room = int(room * length)
        with pytest.raises(OSError, match="No space left"):
            journal.append({"event": 1}, {"event": 2})
        events = read_journal(path)
        assert events == [{"event": number} for number in range(1 + int(room))]
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


def lines_of(path: Path, count: int = 6) -> list[bytes]:
    return written(path, *({"event": "n", "n": number} for number in range(count))).splitlines(keepends=True)


def refusal(path: Path) -> str:
    """Why a reader and the next writer refuse the journal, both alike."""
    before = path.read_bytes()
    with pytest.raises(JournalError) as read:
        read_journal(path)
    with pytest.raises(JournalError) as opened:
        Journal(path)
    assert str(read.value) == str(opened.value) and "\n" not in str(read.value)
    assert path.read_bytes() == before
    return str(read.value)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = lines_of(path)
    lines[2] = lines[2].replace(b'"n":2', b'"n":3')
    path.write_bytes(b"".join(lines))
    assert refusal(path).startswith(
        f"{path}, line 3: expected the line that was written there, got 'a damaged line' ("
    )


@pytest.mark.parametrize(
    ("order", "line", "found"),
    [
        ([0, 1, 3, 4, 5], 3, "line 4; line 3 is missing"),
        ([0, 4, 5], 2, "line 5; lines 2 to 4 are missing"),
        ([3, 4, 5], 1, "line 4; lines 1 to 3 are missing"),
        ([0, 1, 1, 2, 3, 4, 5], 3, "line 2 again"),
        ([0, 1, 3, 2, 4, 5], 3, "line 4; line 3 is missing"),
        ([0, 1, 2, 0, 3, 4, 5], 4, "line 1, out of order"),
    ],
)
def test_lost_doubled_and_swapped_lines_are_named(
    tmp_path: Path, order: list[int], line: int, found: str
) -> None:
    path = tmp_path / "journal.jsonl"
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[number] for number in order))
    text = refusal(path)
    assert text.startswith(f"{path}, line {line}: ") and f"got {found!r}" in text


def test_a_line_of_another_run_is_named(tmp_path: Path) -> None:
    own, other = lines_of(tmp_path / "own.jsonl"), lines_of(tmp_path / "other.jsonl")
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"".join([*own[:3], other[3], *own[4:]]))
    assert "line 4: " in refusal(path) and "got 'a line of another run (" in refusal(path)


def test_a_line_of_a_copy_of_the_run_is_named(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.jsonl", tmp_path / "copy.jsonl"
    copy.write_bytes(b"".join(lines_of(path, 3)))
    written(path, {"event": "here"}, {"event": "later"})
    written(copy, {"event": "there"}, {"event": "later"})
    mine, other = path.read_bytes().splitlines(keepends=True), copy.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*mine[:4], *other[4:]]))
    assert "line 5: " in refusal(path) and "after others than these" in refusal(path)


def test_an_earlier_version_s_journal_goes_on_and_is_covered_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    old = b'{"event":"start","seed":1}\n{"event":"born"}\n'
    path.write_bytes(old + b'{"event":"to')
    assert read_journal(path) == [{"event": "start", "seed": 1}, {"event": "born"}]
    written(path, {"event": "more"})
    assert read_journal(path) == [{"event": "start", "seed": 1}, {"event": "born"}, {"event": "more"}]
    path.write_bytes(path.read_bytes().replace(b'"seed":1', b'"seed":2'))
    assert "line 3: " in refusal(path)


def test_after_a_stamped_line_none_comes_without_a_stamp(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join([*lines_of(path), b'{"event":"more"}\n']))
    assert "line 7: " in refusal(path)


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"{]", b"[" * 10_000, b'{"event":' * 10_000, b"\x00"])
def test_lines_that_are_no_events_are_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event":"start"}\n' + line + b"\n")
    with pytest.raises(JournalError, match="line 2: "):
        read_journal(path)


def test_no_flipped_byte_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    content = b"".join(lines_of(path, 4))
    events = read_journal(path)
    rng = np.random.default_rng(0)
    for offset in range(len(content) - 1):
        flipped = bytearray(content)
        flipped[offset] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        with pytest.raises(JournalError, match=r"journal.jsonl, line \d: "):
            read_journal(path)
    # Without its end the last line is torn.
    path.write_bytes(content[:-1] + b"\x0b")
    assert read_journal(path) == events[:-1]


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(
        ConfigurationError, match=r"^run\.dir: expected a file system that locks files .* \(Op"
    ):
        Journal(tmp_path / "journal.jsonl")
