"""A population keeps the weights of its Pareto set of all generations, whatever happens to it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator import pareto
from orchestrator.population.decision import Decision
from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.methods.hypervolume_pbt import HypervolumePbt
from orchestrator.population.methods.mo_pbt import MoPbt
from orchestrator.population.records import MemberInterval, Report
from orchestrator.population.snapshots.manifests import best_file
from orchestrator.population.snapshots.model_archive import ParetoSelection, best, selection_of
from orchestrator.population.snapshots.snapshots import valid_snapshots
from tests.orchestrator.population.harness import Death, Population, Walk, WalkSession
from workloads.contract import Device, Metrics, Objective
from workloads.state_files import load_state

TWO = (Objective("loss"), Objective("other"))
NO_LIMIT = 1000


def published(member: int, generation: int, *losses: float) -> MemberInterval:
    report = Report(member, generation, generation, {}, 0.0)
    return MemberInterval.of(report, {}, losses, Decision(member, generation, member, {}))


def places(chosen: list[MemberInterval]) -> list[tuple[int, int]]:
    return [one.place for one in chosen]


# The selection


def test_what_nothing_dominates_is_kept_and_of_equals_the_earliest() -> None:
    select = ParetoSelection(TWO, NO_LIMIT)
    publications = [
        published(2, 2, 1.0, 5.0), published(0, 1, 1.0, 5.0), published(1, 1, 3.0, 3.0),
        published(3, 1, 3.0, 4.0), published(4, 1, 5.0, 1.0),
    ]  # fmt: skip
    assert places(select(publications)) == [(0, 1), (1, 1), (4, 1)]
    assert select([]) == []


def test_above_the_limit_the_least_contribution_goes_and_ends_stay() -> None:
    # Between the ends, (x of the next - x) * (y of the one before - y): (2, 6) adds (3 - 2) * (9 - 6) = 3,
    # (3, 4) adds (6 - 3) * (6 - 4) = 6 and (6, 3.5) adds (9 - 6) * (4 - 3.5) = 1.5.
    front = [(1.0, 9.0), (2.0, 6.0), (3.0, 4.0), (6.0, 3.5), (9.0, 1.0)]
    publications = [published(member, 1, *losses) for member, losses in enumerate(front)]
    assert places(ParetoSelection(TWO, 4)(publications)) == [(0, 1), (1, 1), (2, 1), (4, 1)]
    # Without (6, 3.5), (2, 6) still adds 3 and (3, 4) more.
    assert places(ParetoSelection(TWO, 3)(publications)) == [(0, 1), (2, 1), (4, 1)]


def test_bounds_are_kept_as_soon_as_anybody_keeps_them() -> None:
    select = ParetoSelection((Objective("loss"), Objective("other", bound=2.0)), NO_LIMIT)
    outside = [published(0, 1, 0.0, 4.0), published(1, 1, 5.0, 3.0)]
    assert places(select(outside)) == [(1, 1)]
    assert places(select([*outside, published(2, 1, 9.0, 2.0)])) == [(2, 1)]


@pytest.mark.parametrize("seed", range(5))
def test_a_selection_does_not_depend_on_how_it_was_reached(seed: int) -> None:
    losses = np.round(np.random.default_rng(seed).random((40, 2)), 1)
    publications = [published(row % 8, 1 + row // 8, *values) for row, values in enumerate(losses.tolist())]
    select = ParetoSelection(TWO, NO_LIMIT)
    step: list[MemberInterval] = []
    for start in range(0, 40, 8):
        step = select([*step, *publications[start : start + 8]])
    assert places(step) == places(select(publications)) == places(select(step))


def test_one_objective_keeps_the_best() -> None:
    publications = [published(0, 1, 2.0), published(1, 1, 1.0), published(2, 2, 1.0)]
    assert selection_of(TWO[:1], 32) is best
    assert places(best(publications)) == [(1, 1)]
    assert best([]) == []


# Whole studies


class Torn(Walk):
    """Two losses that pull the weights to 0 and to .5."""

    def __init__(self) -> None:
        super().__init__()
        self.objectives = TWO

    def start(self, config: Any, seed: int, device: Device) -> TornSession:
        return TornSession(config, seed, None)


class TornSession(WalkSession):
    def advance(self, amount: int) -> Metrics:
        super().advance(amount)
        return torn(self.weights)


def torn(weights: np.ndarray) -> dict[str, float]:
    return {"loss": float(np.square(weights).sum()), "other": float(np.square(weights - 0.5).sum())}


def kept(population: Population) -> dict[tuple[int, int], np.ndarray]:
    """The publications in the newest snapshot's archive, in order, and their weights."""
    newest = valid_snapshots(population.run.snapshots)[0]
    files = sorted(file.name for file in newest.path.glob("best-*.pt"))
    assert files == sorted(best_file(newest.path, place).name for place in newest.archive)
    return {
        place: load_state(best_file(newest.path, place))["session"]["weights"] for place in newest.archive
    }


def check_weights(history: PopulationHistory, models: dict[tuple[int, int], np.ndarray]) -> None:
    """Every file holds the weights of the publication that it is named after."""
    for (member, generation), weights in models.items():
        assert history.lives[member][generation - 1].metrics == torn(weights)


def pareto_set(history: PopulationHistory) -> set[tuple[int, int]]:
    """The non-dominated publications of all generations, by the journal alone."""
    records = list(history.records())
    return {
        record.place
        for record in itertools.compress(records, pareto.nondominated([r.losses for r in records]))
    }


@pytest.mark.parametrize("method", [MoPbt(), HypervolumePbt()])
@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("islands", [1, 2])
def test_the_weights_of_the_pareto_set_of_all_generations_are_kept(
    tmp_path: Path, method: Any, synchronous: bool, islands: int
) -> None:
    population = Population(
        tmp_path, workload=Torn(), method=method, synchronous=synchronous, islands=islands, generations=10,
        archive=NO_LIMIT,
    )  # fmt: skip
    assert population.train(conclude=True).finished
    history, models = population.history(), kept(population)
    check_weights(history, models)
    assert set(models) == pareto_set(history)
    assert len({generation for _, generation in models}) > 1, "the test wants models of several generations"
    assert history.final is not None
    assert [(one["member"], one["generation"]) for one in history.final["models"]] == list(models)


DISTURBANCES = {
    "in training": ({1: [Death("train", 5)]}, ()),
    "while a snapshot is written": ({0: [Death("save", 6)], 1: [Death("save", 2)]}, ()),
    "before it says that it has saved": ({0: [Death("saved", 2)]}, ()),
    "again and again": ({0: [Death("train", 3), Death("publish", 4), Death("train", 2)]}, ()),
    "stopped and resumed": ({}, (2, 3)),
    "stopped after a death": ({1: [Death("train", 6)]}, (8,)),
}


@pytest.mark.parametrize("limit", [4, NO_LIMIT])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_disturbed_study_ends_with_the_archive_of_an_undisturbed_one(
    tmp_path: Path, limit: int, disturbance: str
) -> None:
    archives = []
    deaths, stops = DISTURBANCES[disturbance]
    for name, dying, stopping in (("calm", {}, ()), ("torn", deaths, stops)):
        for stop_after in (*stopping, None):
            population = Population(
                tmp_path / name, workload=Torn(), method=MoPbt(), generations=11, archive=limit
            )
            outcome = population.train(deaths=dying, stop_after=stop_after, conclude=True)
        assert outcome.finished
        check_weights(population.history(), kept(population))
        archives.append(kept(population))
    calm, other = archives
    assert list(calm) == list(other) and len(calm) <= limit
    for place, weights in calm.items():
        np.testing.assert_array_equal(weights, other[place])


def test_an_asynchronous_study_that_is_disturbed_keeps_true_weights(tmp_path: Path) -> None:
    for stop_after in (2, None):
        population = Population(tmp_path, workload=Torn(), method=MoPbt(), synchronous=False, archive=6)
        deaths = {1: [Death("train", 3), Death("save", 2)], 0: [Death("saved", 1)]}
        outcome = population.train(deaths=deaths, stop_after=stop_after, conclude=True)
    assert outcome.finished
    models = kept(population)
    check_weights(population.history(), models)
    losses = [population.history().lives[member][generation - 1].losses for member, generation in models]
    assert 1 < len(models) <= 6 and pareto.nondominated(losses).all()


def test_islands_hold_no_more_than_the_best(tmp_path: Path) -> None:
    """Between snapshots what was displaced is forgotten."""
    from orchestrator.population.island.saving import IslandSaving

    held: list[int] = []
    original = IslandSaving.hold

    def counting(saving: IslandSaving, orders: Any) -> None:
        original(saving, orders)
        held.append(len(saving.held))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IslandSaving, "hold", counting)
        population = Population(
            tmp_path,
            workload=Torn(),
            method=MoPbt(),
            generations=12,
            snapshot_interval=12,
            archive=5,
            islands=1,
        )
        assert population.train().finished
    assert 1 < max(held) <= 5
