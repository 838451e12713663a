"""A complete population study leaves models that plain torch loads, and that do what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from orchestrator.population.island.member import judge
from orchestrator.population.methods.contract import Method
from orchestrator.population.methods.mo_pbt import MoPbt
from orchestrator.reporting.population.results import write_results
from tests.orchestrator.population.harness import Population
from tests.orchestrator.test_readme import block
from workloads.contract import Device, Objective
from workloads.library.digits import Digits
from workloads.state_files import load_state

TWO = (Objective("validation_error"), Objective("validation_loss"))


def trained(folder: Path, objectives: tuple[Objective, ...], method: Method | None) -> Population:
    workload = Digits(objectives=objectives)
    population = Population(folder, workload=workload, method=method, size=6, generations=4, archive=5)
    assert population.train(conclude=True).finished
    write_results(population.run.results, population.history(), population.run.path)
    return population


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return trained(tmp_path_factory.mktemp("two"), TWO, MoPbt())


def test_every_model_loads_as_the_readme_says_and_does_what_its_row_says(
    study: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.run.path)
    snippet = block("python", "read_csv")
    assert len([line for line in snippet.splitlines() if line]) == 5
    table = pd.read_csv(study.run.results / "models.csv")
    assert 1 < len(table) <= 5
    images, labels = study.workload.data(torch.device("cpu")).validation
    for number, row in table.iterrows():
        space: dict[str, Any] = {}
        exec(snippet.replace("iloc[0]", f"iloc[{number}]"), space)
        with torch.inference_mode():
            error = (space["model"].eval()(images).argmax(-1) != labels).double().mean()
        assert float(error) == pytest.approx(row["metric.validation_error"], abs=1e-6)


def test_the_table_is_of_the_pareto_set_and_every_file_is_named(study: Population) -> None:
    table = pd.read_csv(study.run.results / "models.csv")
    errors, losses = table["metric.validation_error"], table["metric.validation_loss"]
    assert errors.is_monotonic_increasing and losses.is_monotonic_decreasing
    files = sorted(str(file.relative_to(study.run.results)) for file in study.run.results.glob("models/*"))
    assert files == sorted(table["file"])


def test_judging_a_model_is_a_function_of_its_file(study: Population) -> None:
    for model in study.history().models:
        state = load_state(study.run.path / model["weights"])["session"]
        one, other = (judge(study.workload, model["config"], 0, state, Device()) for _ in range(2))
        assert one == other and one.keys() == {"test_error", "test_loss"}


@pytest.mark.usefixtures("undrawn")
def test_writing_again_leaves_no_file_of_before(study: Population) -> None:
    stale = study.run.results / "models" / "99.pt"
    stale.write_bytes(b"of an earlier end")
    write_results(study.run.results, study.history(), study.run.path)
    assert not stale.exists() and (study.run.results / "models" / "0.pt").exists()


@pytest.mark.usefixtures("undrawn")
def test_one_objective_leaves_its_best_model(tmp_path: Path) -> None:
    population = trained(tmp_path, TWO[:1], None)
    table = pd.read_csv(population.run.results / "models.csv")
    best = population.history().best()
    assert best is not None
    assert table["file"].tolist() == ["models/0.pt"]
    assert (table["member"][0], table["generation"][0]) == best.place


@pytest.mark.usefixtures("undrawn")
def test_an_unfinished_study_has_none(tmp_path: Path) -> None:
    population = Population(tmp_path, workload=Digits(objectives=TWO), method=MoPbt(), size=4, generations=6)
    assert not population.train(stop_after=1).finished
    folder = write_results(population.run.results, population.history(), population.run.path)
    assert not (folder / "models.csv").exists()
