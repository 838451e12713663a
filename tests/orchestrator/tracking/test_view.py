"""What people see of a study that is under way."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.population.history.history import PopulationHistory
from orchestrator.text import duration, number
from orchestrator.tracking.layout import LINES
from orchestrator.tracking.population_view import PopulationView
from orchestrator.tracking.terminal import ProgressLines
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal, killed_and_resumed
from workloads.packing import EngineChoice

STUDY = PopulationJournal(size=4, generations=5, objectives=(ACCURACY, LOSS), seconds=0.5, interval=10)


def view_after(study: PopulationJournal, generation: int) -> PopulationView:
    events = [e for e in study.events() if e["event"] != "final" and e.get("generation", 0) <= generation]
    return PopulationView.of(PopulationHistory.from_events(events))


def drawn(view: PopulationView, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, record=True)
    console.print(view.table())
    return console.export_text()


def test_scores_are_in_the_objectives_own_direction() -> None:
    view = view_after(STUDY, 3)
    intervals = [e for e in STUDY.events() if e["event"] == "interval" and e["generation"] == 3]
    accuracy, loss = view.scores
    assert accuracy.best == max(e["metrics"]["accuracy"] for e in intervals)
    assert loss.best == min(e["metrics"]["loss"] for e in intervals)
    assert accuracy.values.median < accuracy.best
    assert loss.values.median > loss.best


def test_the_line_tells_everything() -> None:
    view = view_after(STUDY, 3)
    line = view.line()
    for part in (
        "generation 3/5",
        "accuracy best 0.",
        "loss best",
        "exploits 3",
    ):
        assert part in line
    assert "20 member-steps/s" in line
    assert "0:06 elapsed, 0:04 left" in line
    assert "failures" not in line
    assert "\n" not in line


def test_the_spread_is_of_the_hyperparameters_to_come() -> None:
    view = view_after(STUDY, 2)
    rates = [
        e["next_config"]["learning_rate"]
        for e in STUDY.events()
        if e["event"] == "interval" and e["generation"] == 2
    ]
    numbers = {one.name: one for one in view.numbers}
    assert set(numbers) == {"learning_rate", "dropout"}
    spread = numbers["learning_rate"]
    assert (spread.low, spread.high) == (min(rates), max(rates)) and min(rates) < spread.median < max(rates)
    (warm,) = view.choices
    assert warm.name == "warm" and sum(int(part.split("×")[1]) for part in warm.counts.split(", ")) == 4


def test_the_best_so_far_stays_where_members_get_worse() -> None:
    view = view_after(STUDY, 4)
    intervals = [e for e in STUDY.events() if e["event"] == "interval" and e["generation"] <= 4]
    best = max(intervals, key=lambda event: event["metrics"]["accuracy"])
    accuracy, loss = view.scores
    assert accuracy.values.best == best["metrics"]["accuracy"] >= accuracy.best
    assert loss.values.best == min(e["metrics"]["loss"] for e in intervals)
    assert view.leader == f"member {best['member']} after generation {best['generation']}"
    rate = next(one for one in view.numbers if one.name == "learning_rate")
    assert rate.best == best["config"]["learning_rate"]
    assert f"best so far: {view.leader}" in drawn(view)


def test_a_heading_stands_over_the_values() -> None:
    lines = drawn(view_after(STUDY, 3)).splitlines()
    heading = next(number for number, line in enumerate(lines) if "median" in line)
    assert lines[heading].split() == ["min", "median", "max", "best", "so", "far"]
    for name in ("accuracy ↑", "loss ↓", "learning_rate", "dropout"):
        row = next(line for line in lines[heading:] if line.startswith(name))
        assert len(row.removeprefix(name).split()) == 4, row


@pytest.mark.parametrize("mutable", [3, 12])
def test_the_table_fits_a_terminal_of_80_columns_and_24_lines(mutable: int) -> None:
    events = STUDY.events()
    names = [f"weight_decay_of_group_{number}" for number in range(mutable)]
    events[0] = {**events[0], "mutable": [*names, "warm"], "study": "a_study_with_quite_a_long_name"}
    for event in events:
        for key in {"config", "next_config"} & event.keys():
            event[key] = {**event[key], **dict.fromkeys(names, 0.000123456)}
    lines = drawn(PopulationView.of(PopulationHistory.from_events(events)), width=80).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines)
    assert all(any(line.startswith(name) and "0.0001235" in line for line in lines) for name in names)


def test_the_clock_goes_on_while_there_is_no_news() -> None:
    view = view_after(STUDY, 3)
    console = Console(file=io.StringIO(), width=80, record=True)
    for waited, text in ((0.0, "0:06 elapsed, 0:04 left"), (3.0, "0:09 elapsed, 0:01 left")):
        console.print(view.table(waited))
        assert text in console.export_text()
    console.print(view.table(9.0))
    assert "0:15 elapsed, – left" in console.export_text(), "what takes longer than expected is unknown"


def test_what_a_study_does_before_its_first_interval_is_named() -> None:
    start = PopulationHistory.from_events(STUDY.events()[:5])
    assert "starting the islands" in drawn(PopulationView.of(start))
    start.extend([EngineChoice("packed", "it is faster").event()])
    assert "training the first interval" in drawn(PopulationView.of(start))
    assert view_after(STUDY, 1).before == ""


def test_a_long_study_is_told_in_a_bounded_number_of_lines() -> None:
    written: list[str] = []
    progress = ProgressLines(written.append)
    events = PopulationJournal(size=2, generations=300).events()
    history = PopulationHistory.from_events(events[:1])
    for event in events[1:]:
        before = history.generation
        history.extend([event])
        if history.generation > before:
            progress.show(PopulationView.of(history))
    assert len(written) == LINES
    assert "generation 300/300" in written[-1]


def test_a_resume_takes_back_the_best_so_far_and_counts_no_pause() -> None:
    events = killed_and_resumed(STUDY.events(), 3, 1, pause=100.0)
    until = next(n for n, event in enumerate(events) if event["event"] == "resume") + 1
    resumed = PopulationView.of(PopulationHistory.from_events(events[:until]))
    first = view_after(STUDY, 1)
    assert (resumed.leader, resumed.scores[0].values.best) == (first.leader, first.scores[0].values.best)
    assert resumed.times.elapsed == pytest.approx(6.0)


def test_members_of_an_asynchronous_study_may_be_apart() -> None:
    events = PopulationJournal(size=4, generations=8, synchronous=False).events()[:20]
    view = PopulationView.of(PopulationHistory.from_events(events))
    slowest, fastest = view.generation
    assert slowest < fastest
    assert f"generation {slowest}–{fastest}/8" in view.line()


def test_failures_are_told_with_the_latest_reason() -> None:
    study = PopulationJournal(size=4, generations=5, failures={(1, 2): "early", (2, 3): "out of memory"})
    text = drawn(view_after(study, 3))
    assert "failures" in text
    assert "member 2: out of memory" in text


def test_the_table_shows_progress_and_fits() -> None:
    text = drawn(view_after(STUDY, 3))
    for part in ("pretended", "generation 3/5", "0:04 left", "accuracy ↑", "loss ↓", "median", "exploits"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    assert drawn(view_after(STUDY, 3), width=40)


def test_nothing_is_known_before_the_first_generation() -> None:
    view = view_after(STUDY, 0)
    assert view.done == 0.0
    assert "accuracy best – median –" in view.line()
    assert "– left" in view.line()
    assert "generation 0/5" in drawn(view)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0:00"), (59.6, "1:00"), (3723, "1:02:03"), (math.nan, "–"), (math.inf, "–")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000123456, "0.0001235"), (12345.6, "12,346"), (1e9, "1e+09"), (0.0, "0"), (math.nan, "–")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_the_time_left_does_not_count_starting_up(generation: int) -> None:
    """An hour for Ray and the first models, then 20 intervals of half a second each on one island."""
    study = replace(STUDY, islands=1)
    events = [e if e["event"] == "start" else {**e, "time": e.get("time", 0) + 3600} for e in study.events()]
    until = [e for e in events if e["event"] != "final" and e.get("generation", 0) <= generation]
    view = PopulationView.of(PopulationHistory.from_events(until))
    assert view.times.left == pytest.approx(2.0 * (5 - generation))
    resumed = PopulationHistory.from_events(until)
    resumed.extend([{"event": "resume", "generations": [generation] * 4, "time": 9e9}])
    assert math.isnan(PopulationView.of(resumed).times.left)
    again = [e for e in events if e["event"] == "interval" and e["generation"] == generation + 1]
    resumed.extend([{**event, "time": event["time"] + 9e9} for event in again])
    assert PopulationView.of(resumed).times.left == pytest.approx(2.0 * (5 - generation - 1))
