"""What people see of a search study that is under way."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from orchestrator.search.history.history import SearchHistory
from orchestrator.text import number
from orchestrator.tracking.layout import LINES
from orchestrator.tracking.search_view import SearchView
from orchestrator.tracking.terminal import ProgressLines
from tests.orchestrator.search_journals import ACCURACY, ERROR, PARAMETERS, SearchJournal

STUDY = SearchJournal(trials=20, rungs=(1, 3), failures={3: "early", 5: "out of memory"}, concurrency=4)


def view_after(study: SearchJournal, ended: int) -> SearchView:
    """As the trial that ends as the ``ended`` th does so."""
    events = study.events()
    ends = [place for place, event in enumerate(events) if event["event"] == "ended"]
    return SearchView.of(SearchHistory.from_events(events[: ends[ended - 1] + 1] if ended else events[:1]))


def drawn(view: SearchView, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, record=True)
    console.print(view.table())
    return console.export_text()


def test_the_line_tells_everything() -> None:
    history = SearchHistory.from_events(STUDY.events())
    line = SearchView.of(history).line()
    stopped = sum(trial.status == "stopped" for trial in history.trials)
    for part in (
        "trial 20/20",
        "running 0",
        f"stopped {stopped}",
        "failed 2 (trial 5: out of memory)",
        f"error best {number(min(r.trial.metrics['error'] for r in history.pareto() if r.trial))}",
        f"hypervolume {number(history.hypervolume())}",
        f"Pareto set {len(history.pareto())}",
        "0:00 left",
    ):
        assert part in line
    assert "\n" not in line


def test_a_study_with_one_objective_has_no_hypervolume() -> None:
    study = SearchJournal(trials=10, objectives=(ACCURACY,), concurrency=1, seconds=4.0)
    text = view_after(study, 5).line()
    assert "hypervolume" not in text
    assert "Pareto" not in text
    assert "4 s/trial" in text
    assert "0:20 left" in text
    assert "best trial" in drawn(view_after(study, 5))


def test_the_table_shows_progress_and_fits() -> None:
    text = drawn(view_after(STUDY, 10))
    for part in ("pretended", "trial 10/20", "error ↓", "parameters ↓", "knee point", "running", "left"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    assert drawn(view_after(STUDY, 10), width=40)


def test_nothing_is_known_before_the_first_trial_has_ended() -> None:
    view = view_after(STUDY, 0)
    assert "error best – | parameters best –" in view.line()
    assert "– left" in view.line()
    assert "trial 0/20" in drawn(view)


@pytest.mark.parametrize(("trials", "lines"), [(7, 7), (500, LINES)])
def test_a_long_study_is_told_in_a_bounded_number_of_lines(trials: int, lines: int) -> None:
    written: list[str] = []
    progress = ProgressLines(written.append)
    events = SearchJournal(trials=trials, objectives=(ERROR, PARAMETERS), concurrency=1).events()
    history = SearchHistory.from_events(events[:1])
    for event in events[1:]:
        history.extend([event])
        if event["event"] == "ended":
            progress.show(SearchView.of(history))
    assert len(written) == lines
    assert f"trial {trials}/{trials}" in written[-1]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("ended", [1, 3, 4, 12, 30])
def test_the_time_left_does_not_count_starting_up(concurrency: int, ended: int) -> None:
    """An hour for Ray to start, then waves of trials of 10 seconds each."""
    study = SearchJournal(trials=40, concurrency=concurrency, seconds=10.0)
    events = [e if e["event"] == "start" else {**e, "time": e["time"] + 3600} for e in study.events()]
    ends = [place for place, event in enumerate(events) if event["event"] == "ended"]
    view = SearchView.of(SearchHistory.from_events(events[: ends[ended - 1] + 1]))
    left = 10.0 * (40 - ended) / concurrency
    assert left / 2 < view.times.left <= 1.5 * left


def test_the_time_left_ends_with_the_time_that_the_study_has() -> None:
    events = SearchJournal(trials=40, concurrency=1, seconds=10.0).events()
    unlimited = SearchView.of(SearchHistory.from_events(events[:40]))
    limit = unlimited.times.elapsed + 7.0
    limited = SearchHistory.from_events([{**events[0], "seconds": limit}, *events[1:40]])
    assert unlimited.times.left > 100
    assert limited.seconds_left == pytest.approx(7.0)
    longer = {"event": "resume", "pending": [], "trials": 40, "seconds": None, "time": events[39]["time"]}
    limited.extend([longer])
    assert limited.start.seconds is None


def test_the_best_trade_off_stands_beside_the_best_of_each_objective() -> None:
    view = view_after(STUDY, 20)
    text = drawn(view, width=80)
    assert "best so far" in text and f"knee point: trial {view.knee_trial} with" in text
    for best, knee in zip(view.best, view.knee, strict=True):
        assert best <= knee
        assert any(number(best) in line and number(knee) in line for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 80


def test_lost_trials_stand_beside_the_failed_ones() -> None:
    events = SearchJournal(trials=10, failures={3: "boom", 5: "gone"}).events()
    for event in events:
        if event["event"] == "ended" and event["trial"] == 5:
            event["status"] = "lost"
    view = SearchView.of(SearchHistory.from_events(events))
    assert (view.ended, view.failed, view.lost) == (10, 1, 1)
    assert "failed 1 (trial 3: boom)" in view.line() and "lost 1 (trial 5: gone)" in view.line()
    assert "trial 5: gone" in drawn(view)


def test_the_terminal_shows_no_hypervolume_before_its_reference_point_has_settled() -> None:
    study = SearchJournal(trials=20, objectives=(ACCURACY, PARAMETERS))
    assert math.isnan(view_after(study, 9).hypervolume)
    assert view_after(study, 10).hypervolume > 0
