"""What people see of a benchmark study that is under way."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.tracking.benchmark_view import BenchmarkView
from orchestrator.tracking.layout import LINES
from orchestrator.tracking.terminal import ProgressLines, TerminalFollower
from tests.orchestrator.benchmark_journals import BenchmarkJournal

STUDY = BenchmarkJournal(failures={3: "boom", 7: "out of memory"})


def view_after(study: BenchmarkJournal, portions: int) -> BenchmarkView:
    return BenchmarkView.of(BenchmarkHistory.from_events(study.events()[: portions + 1]))


def drawn(view: BenchmarkView, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, record=True)
    console.print(view.table())
    return console.export_text()


def test_the_line_tells_everything() -> None:
    line = view_after(STUDY, 4).line()
    assert line == (
        "cell 12/24 | 1.5 cells/s | 0:08 elapsed, 0:08 left | failed 2 (tpe on task-0, seed 1: out of memory)"
    )


def test_nothing_is_known_before_the_first_cell_has_ended() -> None:
    view = view_after(STUDY, 0)
    assert view.line() == "cell 0/24 | – cells/s | 0:00 elapsed, – left"
    assert "cell 0/24" in drawn(view)


def test_slow_cells_are_told_by_their_seconds() -> None:
    study = BenchmarkJournal(portion=1, seconds=30.0)
    assert "30 s/cell" in view_after(study, 5).line()


def test_the_table_shows_each_method_and_fits() -> None:
    text = drawn(view_after(STUDY, 4))
    for part in ("pretended", "cell 12/24", "random", "tpe", "2 failed", "last failure: tpe on task-0"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    assert drawn(view_after(STUDY, 4), width=40)


def test_standings_are_shown_while_cells_are_computed() -> None:
    study = BenchmarkJournal(methods=("a", "b", "c"), tasks=2, seeds=4, scored=True)
    first, later = view_after(study, 2), view_after(study, 8)
    assert [(one.name, one.rank) for one in first.methods] == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert [(one.name, one.rank) for one in later.methods] == [("c", 1.5), ("b", 2.0), ("a", 2.5)]
    assert (first.compared, later.compared) == (2, 8)
    assert "ahead c (mean rank 1.5 of 3)" in later.line()
    assert "of the 8 pairs of a task and a seed" in drawn(later, width=80)
    assert drawn(later).index("c ") < drawn(later).index("b ") < drawn(later).index("a ")


def test_without_scores_there_is_no_standing() -> None:
    view = view_after(STUDY, 4)
    assert view.compared == 0 and "ahead" not in view.line()
    assert [one.name for one in view.methods] == ["random", "tpe"]


def test_many_methods_fit_a_terminal_of_80_columns_and_24_lines() -> None:
    names = tuple(f"a_method_with_a_long_name_{number}" for number in range(25))
    study = BenchmarkJournal(methods=names, tasks=2, failures={3: "boom " * 10}, scored=True)
    lines = drawn(view_after(study, 40), width=80).splitlines()
    assert len(lines) < 24 and max(map(len, lines)) <= 80
    assert "and 11 more methods" in lines


def test_the_clock_goes_on_while_there_is_no_news() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(view_after(STUDY, 4).table(3.0))
    assert "0:11 elapsed, 0:05 left" in console.export_text()


@pytest.mark.parametrize(("seeds", "lines"), [(2, 12), (100, LINES)])
def test_a_long_study_is_told_in_a_bounded_number_of_lines(seeds: int, lines: int) -> None:
    written: list[str] = []
    progress = ProgressLines(written.append)
    events = BenchmarkJournal(seeds=seeds, portion=1).events()
    history = BenchmarkHistory.from_events(events[:1])
    for event in events[1:]:
        history.extend([event])
        progress.show(BenchmarkView.of(history))
    assert len(written) == lines
    assert f"cell {6 * seeds}/{6 * seeds}" in written[-1]


def test_the_follower_of_all_studies_shows_it(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=20)
    with TerminalFollower(tmp_path, console):
        STUDY.write(tmp_path)
    assert isinstance(console.file, io.StringIO)
    assert "cell 24/24" in console.file.getvalue().splitlines()[-1]
