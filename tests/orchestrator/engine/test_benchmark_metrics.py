"""What is exported of a benchmark's cells; Ray's gauges are listened to."""

from __future__ import annotations

from typing import Any

import pytest
from ray.util.metrics import Gauge

from orchestrator.engine.benchmark_metrics import BenchmarkMetrics
from orchestrator.engine.metrics import Labels
from tests.orchestrator.benchmark_journals import BenchmarkJournal

STUDY = BenchmarkJournal(failures={3: "boom"}, scored=True)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, ...], float]:
    """The latest value of each series, by the metric's name and its own labels."""
    series: dict[tuple[str, ...], float] = {}

    def record(gauge: Any, value: float, tags: dict[str, str] | None = None) -> None:
        series[gauge.info["name"].removeprefix("orchestrator_"), *(tags or {}).values()] = value

    monkeypatch.setattr(Gauge, "set", record)
    return series


def test_cells_are_counted_by_method_and_ending(exported: dict[tuple[str, ...], float]) -> None:
    BenchmarkMetrics(Labels("study", "run", "0")).feed(STUDY.events())
    assert exported["cells_planned",] == 24
    assert exported["cells", "random", "finished"] == 12
    assert exported["cells", "tpe", "finished"] == 11
    assert exported["cells", "tpe", "failed"] == 1
    assert exported["mean_rank", "random"] != exported["mean_rank", "tpe"]
    assert exported["benchmark_seconds_left",] == 0


def test_a_study_that_goes_on_counts_no_cell_twice(exported: dict[tuple[str, ...], float]) -> None:
    metrics = BenchmarkMetrics(Labels("study", "run", "0"))
    metrics.feed([])
    for event in [*STUDY.events(final=False)[:4], STUDY.resumed(9, time=2e9), *STUDY.events()[4:]]:
        metrics.feed([event])
    assert exported["cells", "random", "finished"] == 12
    assert sum(value for name, value in exported.items() if name[0] == "cells") == 24
