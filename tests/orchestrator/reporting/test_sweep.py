"""What the runs of one command reached, and over seeds."""

from __future__ import annotations

import statistics
from pathlib import Path

import yaml

from orchestrator.reporting.sweep import SweepRun, summary
from orchestrator.text import number
from tests.orchestrator.benchmark_journals import BenchmarkJournal
from tests.orchestrator.journals import PopulationJournal
from tests.orchestrator.search_journals import ACCURACY, SearchJournal

Study = PopulationJournal | SearchJournal | BenchmarkJournal


def stored(path: Path, study: Study, kind: str) -> Path:
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump({"study": {"kind": kind}}))
    study.write(path)
    return path


def population(path: Path, seed: int, interval: int = 10) -> SweepRun:
    study = PopulationJournal(seed=seed, interval=interval)
    overrides = ("+study=pbt_toy", f"seed={seed}", f"population.interval={interval}", f"run.dir={path}")
    return SweepRun(overrides, 0, stored(path, study, "population"))


def reached(seed: int) -> float:
    (final,) = (event for event in PopulationJournal(seed=seed).events() if event["event"] == "final")
    losses = {
        (event["member"], event["generation"]): event["metrics"]["accuracy"]
        for event in PopulationJournal(seed=seed).events()
        if event["event"] == "interval"
    }
    return losses[final["member"], final["generation"]]


def test_runs_that_differ_in_their_seed_are_summarised_over_seeds(tmp_path: Path) -> None:
    runs = [population(tmp_path / str(seed), seed) for seed in range(3)]
    lines = list(summary(runs))
    assert lines[0] == "3 runs:"
    assert lines[1].split() == ["with", "ended", "accuracy", "held-out", "accuracy"]
    values = [reached(seed) for seed in range(3)]
    for line, seed, value in zip(lines[2:5], range(3), values, strict=True):
        assert line.split()[:4] == [str(seed + 1), f"seed={seed}", "complete", number(value)]
    (over,) = (line for line in lines if line.startswith("accuracy over"))
    low, high = number(min(values)), number(max(values))
    assert over == (
        f"accuracy over 3 seeds: median {number(statistics.median(values))} ({low} to {high}), "
        f"mean {number(statistics.mean(values))}, standard deviation {number(statistics.stdev(values))}"
    )
    assert any(line.startswith("held-out accuracy over 3 seeds:") for line in lines)


def test_seeds_of_different_settings_are_kept_apart(tmp_path: Path) -> None:
    places = [(seed, interval) for interval in (5, 10) for seed in (0, 1)]
    runs = [population(tmp_path / f"{seed}-{interval}", seed, interval) for seed, interval in places]
    over = [line.split(" over ")[0] for line in summary(runs) if " over 2 seeds: " in line]
    assert over == [
        f"population.interval={interval}: {name}"
        for interval in (5, 10)
        for name in ("accuracy", "held-out accuracy")
    ]


def test_failed_interrupted_and_missing_runs_are_rows_and_count_for_nothing(tmp_path: Path) -> None:
    path = stored(tmp_path / "search", SearchJournal(trials=10, objectives=(ACCURACY,)), "search")
    runs = [
        SweepRun(("seed=0",), 0, path),
        SweepRun(("seed=1",), 1, None),
        SweepRun(("seed=2",), 130, tmp_path / "nowhere"),
    ]
    lines = list(summary(runs))
    assert [line.split()[2] for line in lines[2:]] == ["complete", "failed", "interrupted"]
    assert not any("over" in line for line in lines)


def test_benchmarks_are_put_into_one_report(tmp_path: Path) -> None:
    paths = [stored(tmp_path / name, BenchmarkJournal(), "benchmark") for name in ("a", "b")]
    runs = [SweepRun((f"benchmark.workers={place}",), 0, path) for place, path in enumerate(paths)]
    last = list(summary(runs))[-1]
    assert last == (
        f"one report of all: python -m orchestrator report {paths[0]} {paths[1]} --output <folder>"
    )
