"""What people see of a study that is under way."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.population.history import PopulationHistory
from orchestrator.text import duration, number
from orchestrator.tracking.population_view import PopulationView
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal

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
    assert accuracy.median < accuracy.best
    assert loss.median > loss.best


def test_the_line_tells_everything() -> None:
    view = view_after(STUDY, 3)
    line = view.line()
    for part in (
        "generation 3/5",
        "accuracy best 0.",
        "loss best",
        "learning_rate 0.",
        "dropout",
        "exploits 3",
    ):
        assert part in line
    assert "20 member-steps/s" in line
    assert "0:04 left" in line
    assert "failures" not in line
    assert "\n" not in line


def test_the_spread_is_of_the_hyperparameters_to_come() -> None:
    view = view_after(STUDY, 2)
    rates = [
        e["next_config"]["learning_rate"]
        for e in STUDY.events()
        if e["event"] == "interval" and e["generation"] == 2
    ]
    assert dict(view.spread)["learning_rate"].startswith(f"{number(min(rates))} … ")
    assert dict(view.spread)["learning_rate"].endswith(f" … {number(max(rates))}")
    assert sum(int(part.split("×")[1]) for part in dict(view.spread)["warm"].split(", ")) == 4


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
    assert view.seconds_left == pytest.approx(2.0 * (5 - generation))
    resumed = PopulationHistory.from_events(until)
    resumed.extend([{"event": "resume", "generations": [generation] * 4, "time": 9e9}])
    assert math.isnan(PopulationView.of(resumed).seconds_left)
    again = [e for e in events if e["event"] == "interval" and e["generation"] == generation + 1]
    resumed.extend([{**event, "time": event["time"] + 9e9} for event in again])
    assert PopulationView.of(resumed).seconds_left == pytest.approx(2.0 * (5 - generation - 1))
