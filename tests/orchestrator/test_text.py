"""Lines and tables fit the terminal, and what people copy stays whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.text import aligned, folded

COMMAND = "python -m orchestrator resume=/a/rather/long/path/to/the/runs/of/this/study/20261127-120000"


def test_lines_are_broken_at_spaces_only_where_there_is_a_terminal() -> None:
    line = "best member: 3 after generation 20 (accuracy 0.9812, loss 0.0712, error 0.0188)"
    assert folded(line, None) == folded(line, 200) == line
    parts = folded(line, 40).split("\n")
    assert len(parts) == 3 and max(map(len, parts)) <= 40
    assert " ".join(part.strip() for part in parts) == line


@pytest.mark.parametrize("before", ["go on with", "a budget is spent: search.seconds; go on with another by"])
def test_a_command_stays_in_one_piece(before: str) -> None:
    *said, last = folded(f"{before}: {COMMAND}", 40).split("\n")
    assert last == COMMAND
    assert " ".join(part.strip() for part in said) == f"{before}:" and max(map(len, said)) <= 40


def test_paths_and_the_rows_of_tables_stay_as_they_are() -> None:
    path = "run directory: /a/rather/long/path/to/the-runs-of-this-study/20261127-120000"
    assert folded(path, 40).split("\n") == ["run directory:", f"  {path.split(': ')[1]}"]
    row = "  " + "1.234  " * 20
    assert folded(row, 40) == row


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12), st.integers(1, 2), st.integers(30, 120))
def test_a_wide_table_becomes_several_with_the_same_keys(widths: list[int], keys: int, width: int) -> None:
    keys = min(keys, len(widths))
    rows = [[letter * wide for wide in widths] for letter in "ab"]
    tables = "\n".join(aligned(rows, keys, width)).split("\n\n")
    cells = [[line.split() for line in table.split("\n")] for table in tables]
    for (first, second), table in zip(cells, tables, strict=True):
        assert first[:keys] == rows[0][:keys] and second[:keys] == rows[1][:keys]
        assert len(first) == keys + 1 or max(map(len, table.split("\n"))) <= width or len(widths) == keys
    assert [cell for table in cells for cell in table[0][keys:]] == rows[0][keys:]


def test_a_table_that_nobody_looks_at_on_a_terminal_stays_one() -> None:
    rows = [["parameter" * 3] * 12] * 2
    assert len(list(aligned(rows))) == 2
