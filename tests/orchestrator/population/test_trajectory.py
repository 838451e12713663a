"""The schedule of a population's best weights, and one model that is trained with it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.history.trajectory import Replayed, Verdict, judge_replays, replay, trajectory_of
from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.reporting.population.results import SCHEDULE, write_results
from tests.orchestrator.population.harness import NO_EVOLUTION, Population, Walk, WalkSession
from workloads.contract import Device


@pytest.fixture
def history(tmp_path: Path) -> PopulationHistory:
    population = Population(tmp_path / "run", size=6, generations=9)
    population.train(conclude=True)
    return population.history()


def test_a_trajectory_is_the_training_of_the_best_weights(history: PopulationHistory) -> None:
    trajectory, best = trajectory_of(history), history.best()
    assert trajectory is not None and best is not None
    assert sum(segment.amount for segment in trajectory.segments) == best.age
    chain = history.chain(best)
    told = [segment.config for segment in trajectory.segments for _ in range(segment.intervals)]
    assert told == [interval.config for interval in chain]
    assert len(trajectory.segments) < len(chain), "equal configurations in a row are one segment"


def test_a_member_that_copied_nobody_is_replayed_exactly(tmp_path: Path) -> None:
    """A replay differs from the population by its seed alone."""
    population = Population(tmp_path / "run", size=3, generations=5, method=NO_EVOLUTION)
    population.train(conclude=True)
    history = population.history()
    trajectory, best = trajectory_of(history), history.best()
    assert trajectory is not None and best is not None
    seeds: list[int] = []

    class Watched(Walk):
        def start(self, config: dict, seed: int, device: Device) -> WalkSession:  # type: ignore[type-arg]
            seeds.append(seed)
            return super().start(config, seed, device)

    replayed = replay(Watched(), trajectory, seed=11, device=Device())
    again = replay(Walk(), trajectory, seed=11, device=Device())
    assert seeds == [11] and replayed == again
    assert replayed.test and math.isfinite(replayed.losses[0])


class Shrinking:
    """Everybody keeps half of its weights after the second interval."""

    def serves(self, setting: Setting) -> None:
        """Any study."""

    def decide(self, arrived: Rows, past: Past, rng: object) -> Choices:
        keep = 0.5 if past.generation[past.latest[arrived[0]]] == 2 else 1.0
        return Choices.of(arrived, past.units[past.latest[arrived]], keep=keep)


class PerturbableWalk(Walk):
    def start(self, config: dict, seed: int, device: Device) -> WalkSession:  # type: ignore[type-arg]
        return _Perturbable(config, seed, self.accident)


class _Perturbable(WalkSession):
    def perturb(self, keep: float, noise: float, seed: int) -> None:
        self.weights = keep * self.weights


def test_weights_are_changed_where_they_were(tmp_path: Path) -> None:
    workload = PerturbableWalk()
    population = Population(tmp_path / "run", size=3, generations=5, workload=workload, method=Shrinking())
    population.train(conclude=True)
    history = population.history()
    trajectory, best = trajectory_of(history), history.best()
    assert trajectory is not None and best is not None
    changes = [segment.change for segment in trajectory.segments]
    if best.generation > 2:
        assert [change is not None for change in changes] == [False, True]
        assert trajectory.segments[0].intervals == 2


def test_results_have_the_schedule(history: PopulationHistory, tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", history)
    data = yaml.safe_load((folder / SCHEDULE).read_text())
    trajectory = trajectory_of(history)
    assert trajectory is not None and data == trajectory.to_data()
    assert data["unit"] == "step"


def verdict(found: float, *values: float) -> Verdict:
    replays = [Replayed(seed, (value,), {}, {}) for seed, value in enumerate(values)]
    trajectory = type("Stub", (), {"losses": (found,)})()
    return judge_replays(trajectory, replays)


@pytest.mark.parametrize(
    ("found", "values", "holds"),
    [
        (1.0, (1.0, 1.2, 0.8), True),
        (0.7, (1.0, 1.2, 0.8), True),  # the deviation is .2, so anything from .6 on
        (0.5, (1.0, 1.2, 0.8), False),
        (5.0, (1.0, 1.2, 0.8), True),  # replays are better
    ],
)
def test_a_score_holds_within_two_deviations(found: float, values: tuple[float, ...], holds: bool) -> None:
    result = verdict(found, *values)
    assert (result.mean, result.deviation) == (pytest.approx(1.0), pytest.approx(0.2))
    assert result.holds is holds
