"""Star discrepancies and the choice of subsets against brute force."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestrator.analysis.subsets import Measure, choose_subsets, performance, spread, star_discrepancy
from orchestrator.benchmark.task import TaskType
from orchestrator.cli.program import main
from orchestrator.cli.verbs.subsets import MEASURES as OFFERED
from orchestrator.cli.verbs.subsets import TYPES
from orchestrator.reporting.benchmark import report
from search_spaces import ConfigurationError
from tests.orchestrator.analysis import made
from tests.orchestrator.analysis.stored import save

MEASURES: tuple[Measure, ...] = ("uniform", "tasks")

clouds = st.tuples(st.integers(3, 7), st.integers(2, 3)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(0, 8).map(lambda i: i / 8))
)


def brute_force(points: np.ndarray, members: np.ndarray, measure: Measure) -> float:
    """Both shares of every box whose corner is on the grid of all points, one box at a time."""
    subset, worst = points[members], 0.0
    for corner in itertools.product(*(np.union1d(column, [1.0]) for column in points.T)):
        closed = (subset <= corner).all(axis=1).mean()
        if measure == "tasks":
            worst = max(worst, abs(closed - (points <= corner).all(axis=1).mean()))
            continue
        inside = (subset < corner).all(axis=1).mean()
        volume = float(np.prod(corner))
        worst = max(worst, closed - volume, volume - inside)
    return worst


@given(clouds, st.sampled_from(MEASURES))
def test_discrepancy_is_that_of_brute_force(points: np.ndarray, measure: Measure) -> None:
    members = np.arange(len(points) // 2 + 1)
    assert star_discrepancy(points, members, measure) == pytest.approx(brute_force(points, members, measure))


def test_discrepancies_in_closed_form() -> None:
    assert star_discrepancy([[0.5, 0.5]], [0]) == pytest.approx(0.75)
    assert star_discrepancy([[0.8, 0.8]], [0]) == pytest.approx(0.8)
    assert star_discrepancy([[0.2, 0.3]], [0]) == pytest.approx(0.94)
    # A box that does not quite reach 1 is as large as one that does, and without the points there.
    assert star_discrepancy([[0.375, 0, 1], [0, 0.875, 0]], [0, 1]) == pytest.approx(0.875)
    assert star_discrepancy([[0.1, 0.9], [0.9, 0.1]], [0], "tasks") == pytest.approx(0.5)


@given(clouds)
def test_the_whole_is_distributed_as_the_whole(points: np.ndarray) -> None:
    assert star_discrepancy(points, np.arange(len(points)), "tasks") == 0.0


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("seed", range(4))
def test_chosen_subsets_are_the_best_of_all(measure: Measure, seed: int) -> None:
    points, k = np.random.default_rng(seed).random((9, 3)), 3
    value = {
        subset: star_discrepancy(points, subset, measure) for subset in itertools.combinations(range(9), k)
    }
    best = min(
        max(value[dev], value[test])
        for dev, test in itertools.combinations(value, 2)
        if not set(dev) & set(test)
    )
    dev, test = choose_subsets(points, k, np.random.default_rng(0), measure=measure, restarts=20)
    assert max(value[tuple(dev)], value[tuple(test)]) == pytest.approx(best)


@settings(max_examples=20)
@given(st.integers(4, 30), st.integers(0, 100), st.sampled_from(MEASURES))
def test_subsets_are_disjoint_sized_repeatable_and_ordered(n: int, seed: int, measure: Measure) -> None:
    points, k = np.random.default_rng(seed).random((n, 3)), max(1, n // 4)
    dev, test = choose_subsets(points, k, np.random.default_rng(seed), measure=measure, restarts=2)
    again = choose_subsets(points, k, np.random.default_rng(seed), measure=measure, restarts=2)
    assert len(set(dev)) == len(set(test)) == k
    assert not set(dev) & set(test)
    assert (dev == again[0]).all()
    assert (test == again[1]).all()
    assert star_discrepancy(points, dev, measure) <= star_discrepancy(points, test, measure)


def test_better_than_most_random_subsets() -> None:
    points, k = np.random.default_rng(3).random((40, 3)), 6
    chosen = choose_subsets(points, k, np.random.default_rng(0), restarts=2)
    rng = np.random.default_rng(1)
    drawn = [star_discrepancy(points, rng.choice(40, k, replace=False)) for _ in range(200)]
    assert max(star_discrepancy(points, subset) for subset in chosen) < min(drawn)


@pytest.mark.parametrize("k", [0, 3])
def test_impossible_sizes(k: int) -> None:
    with pytest.raises(ValueError, match="half of 5 points"):
        choose_subsets(np.full((5, 3), 0.5), k, np.random.default_rng(0))


def test_more_methods_than_memory_has_room_for_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="methods: expected at most 4, got 5"):
        choose_subsets(np.full((9, 5), 0.5), 2, np.random.default_rng(0))


@pytest.mark.parametrize("measure", MEASURES)
def test_four_methods_are_not_too_many(measure: Measure) -> None:
    points = np.random.default_rng(0).random((9, 4))
    dev, test = choose_subsets(points, 2, np.random.default_rng(0), measure=measure, restarts=1)
    assert len({*dev, *test}) == 4


def test_points_outside_the_cube_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        star_discrepancy([[0.5, 1.5]], [0])


def test_logarithm_spreads_points_that_clump() -> None:
    points = np.array([[1e-6, 1e-4], [1e-2, 1.0], [0.0, 1e-3]])
    assert spread(points) == pytest.approx(np.array([[0.25, 0.5], [0.75, 1.0], [0.0, 0.625]]))


def test_performance_keeps_the_tasks_that_all_methods_have() -> None:
    results = made.results([made.task("BB", 1), made.task("MF", 1), made.task("MO", 1)])
    results = made.without_cells(results, "fair", "hartmann/function=1,dimension=2")
    names, points = performance(results, {}, ["good", "fair", "poor"])
    assert names == ["bbob/function=1,dimension=2", "zdt/function=1,dimension=2"]
    assert points.shape == (2, 3)
    assert (np.diff(points, axis=1) > 0).all()


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    results = made.results(made.four_types(4), seeds=range(2))
    monkeypatch.setattr(report, "read_results", lambda path: replace(results, name=path.name))


@pytest.mark.usefixtures("loaded")
def test_program_prints_and_writes_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "subsets.yaml"
    methods = ["good", "fair", "poor"]
    command = ["subsets", str(tmp_path), "--methods", *methods, "--size", "3", "--output", str(output)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert output.read_text() == printed
    chosen = yaml.safe_load(printed)
    assert list(chosen) == ["dev", "test"]
    assert len(set(chosen["dev"] + chosen["test"])) == 6
    assert main(command) == 0
    assert capsys.readouterr().out == printed


def test_the_program_offers_all_types_and_measures() -> None:
    assert (get_args(TaskType), get_args(Measure)) == (TYPES, OFFERED)


@pytest.mark.usefixtures("loaded")
def test_program_keeps_to_a_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["subsets", str(tmp_path), "--methods", "good", "poor", "--size", "2", "--type", "MO", "--log"]
    assert main([*command, "--measure", "tasks"]) == 0
    chosen = yaml.safe_load(capsys.readouterr().out)
    assert {name.partition("/")[0] for name in chosen["dev"] + chosen["test"]} == {"zdt"}


def test_program_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "read_results", interrupted)
    assert main(["subsets", str(tmp_path), "--methods", "good", "poor", "--size", "1"]) == 130


def test_program_refuses_too_many_methods_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = {f"method{i}": 1.0 + i for i in range(5)}
    results = made.results(made.four_types(1), methods, seeds=[0])
    monkeypatch.setattr(report, "read_results", lambda path: replace(results, name=path.name))
    assert main(["subsets", str(tmp_path), "--methods", *methods, "--size", "2"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: methods: expected at most 4, got 5")
    assert error.count("\n") == 1


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--methods", "good", "best", "--size", "2"],
            "--methods: expected some of good, fair, poor, got 'best'",
        ),
        (["--methods", "good", "good", "--size", "2"], "--methods: expected two or more different ones"),
        (["--methods", "good", "poor", "--size", "9"], "--size: expected at least 1, and at most half"),
        (["--methods", "good", "poor", "--size", "2", "--seed", "-1"], "--seed: expected 0 or more, got -1"),
    ],
)
def test_program_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["subsets", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_program_refuses_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["subsets", str(tmp_path), "--methods", "a", "b", "--size", "2"]) == 2
    assert capsys.readouterr().err.startswith("error: run directory: expected")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("benchmark.json", "{"),
        ("benchmark.json", "[]"),
        ("benchmark.json", "{}"),
        ("benchmark.json", '{"tasks": [1]}'),
        ("references.json", '{"a": 1}'),
        ("cells/cells.parquet", "no table"),
    ],
)
def test_program_refuses_a_damaged_run_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    save(tmp_path, made.results([made.task("BB")], seeds=[0]))
    (tmp_path / name).write_text(text)
    assert main(["subsets", str(tmp_path), "--methods", "good", "poor", "--size", "1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "expected" in error
    assert error.count("\n") == 1


def test_wrong_options_take_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["subsets", "somewhere", "--size", "many"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: command line:")
    assert error.count("\n") == 1
