"""What is exported of a search's trials; Ray's gauges are listened to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray.util.metrics import Gauge

from orchestrator.engine.metrics import Labels, MeasuredJournal
from orchestrator.engine.search_metrics import SearchMetrics, named
from orchestrator.run.journal import Event, read_journal
from orchestrator.search.history.records import ended, suggested
from orchestrator.search.history.start import SearchStart
from orchestrator.trial import Status, Suggestion, Trial
from workloads.contract import Objective

LABELS = Labels("study", "run", "0")
OBJECTIVES = (Objective("loss"), Objective("accuracy", "max"))
START = SearchStart(
    "study", 0, "Random", "", 300, 2, "step", (1, 3, 9), OBJECTIVES, (), ("x",), (), 0.0
).event()

Series = dict[tuple[str, ...], float]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Series:
    """The latest value of each series, by the metric's name and its own labels."""
    series: Series = {}

    def record(gauge: Any, value: float, tags: dict[str, str]) -> None:
        series[gauge.info["name"].removeprefix("orchestrator_"), *tags.values()] = value

    monkeypatch.setattr(Gauge, "set", record)
    return series


def birth(number: int) -> Event:
    return suggested(number, Suggestion({"x": 0.5}), 0.0)


def end(number: int, loss: float, accuracy: float, status: Status = "finished", fidelity: int = 9) -> Event:
    trial = Trial(Suggestion({"x": 0.5}), (loss, -accuracy), (), status, fidelity)
    return ended(number, trial, {}, 1.0)


def report(number: int, fidelity: int, loss: float, accuracy: float) -> Event:
    return {"event": "report", "trial": number, "fidelity": fidelity, "losses": [loss, -accuracy]}


def test_a_trial_is_visible_by_its_name_while_it_trains(exported: Series) -> None:
    SearchMetrics(LABELS).feed([START, birth(7), report(7, 3, 0.5, 0.9)])
    assert exported["trial_value", "trial-0007", "loss"] == 0.5
    assert exported["trial_value", "trial-0007", "accuracy"] == 0.9
    assert exported["trial_fidelity", "trial-0007"] == 3
    assert exported["trial_state", "trial-0007"] == 0
    assert exported["trials", "running"] == 1


def test_how_trials_end_is_counted_and_the_best_is_of_those_that_compare(exported: Series) -> None:
    metrics = SearchMetrics(LABELS)
    metrics.feed([START, *map(birth, range(5))])
    metrics.feed([end(0, 0.5, 0.7), end(1, 0.1, 0.99, "stopped", 3), end(2, 0.9, 0.8)])
    metrics.feed([end(3, float("nan"), float("nan"), "failed", 0)])
    counts = {key[1]: value for key, value in exported.items() if key[0] == "trials"}
    assert counts == {"running": 1, "finished": 2, "stopped": 1, "failed": 1}
    assert exported["search_best", "loss"] == 0.5
    assert exported["search_best", "accuracy"] == 0.8
    assert exported["trial_state", "trial-0003"] == 3
    assert ("trial_value", "trial-0003", "loss") not in exported


def test_a_lost_trial_that_is_tried_again_runs_again(exported: Series) -> None:
    metrics = SearchMetrics(LABELS)
    metrics.feed([START, birth(0), end(0, float("nan"), float("nan"), "lost", 0)])
    assert exported["trials", "lost"] == 1
    metrics.feed([{"event": "resume", "pending": [0]}])
    assert (exported["trials", "lost"], exported["trials", "running"]) == (0, 1)
    assert exported["trial_state", "trial-0000"] == 0


def test_few_of_many_trials_have_series_of_their_own_and_the_best_is_among_them(exported: Series) -> None:
    count = 20_000
    shown = [number for number in range(count) if named(number)]
    assert shown[:100] == list(range(100))
    assert len(shown) < 600
    best = next(number for number in range(15_000, count) if not named(number))
    metrics = SearchMetrics(LABELS)
    metrics.feed([START, birth(0), end(0, 0.5, 0.5), birth(best), end(best, 0.1, 0.5)])
    metrics.feed([birth(best + 2), end(best + 2, 0.2, 0.4)])
    assert exported["trial_value", f"trial-{best}", "loss"] == 0.1
    assert exported["trial_state", f"trial-{best}"] == 1
    assert not any(f"trial-{best + 2}" in key for key in exported)


def test_what_is_journalled_is_exported(exported: Series, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with MeasuredJournal(path, SearchMetrics(LABELS)) as journal:
        journal.append(START)
        journal.append(birth(0))
    assert exported["trials", "running"] == 1
    assert [event["event"] for event in read_journal(path)] == ["start", "suggested"]
