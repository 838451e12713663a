"""The length of an interval: a number, or ``auto`` for methods that adapt how often they decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.config.validate import check_values
from orchestrator.population.assemble import PopulationParts, assemble_population
from orchestrator.population.preflight import check_training
from orchestrator.population.setup import make_plan
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Journal
from orchestrator.studies.population import PopulationRun
from search_spaces import ConfigurationError
from tests.conftest import composed


def made(*overrides: str, workload: str = "digits") -> tuple[dict[str, Any], PopulationParts]:
    config = composed("+study=pbt", f"workload={workload}", *overrides)
    check_values(config)
    return config, assemble_population(config)


def test_auto_is_full_training_cut_into_the_generations() -> None:
    config, parts = made("population=ipbt", "population.generations=30")
    assert config["population"]["interval"] == "auto"
    assert parts.interval == parts.workload.fidelity.largest // 30
    check_training(config["population"], parts)


def test_the_journal_holds_a_number() -> None:
    config, parts = made("population=ipbt")
    assert make_plan(config, parts, islands=1).header["interval"] == parts.interval


def test_a_number_is_taken_as_it_is() -> None:
    for method in ("pbt", "ipbt"):
        assert made(f"population={method}", "population.interval=7")[1].interval == 7


def test_a_run_goes_on_with_the_interval_that_it_began_with(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    config, parts = made("population=ipbt")
    with Journal(run.journal) as journal:
        journal.append({"event": "start", "time": 0.0, **make_plan(config, parts, islands=1).header})
    assert list(PopulationRun(config, run, Console()).check(resume=True)) == []
    config, _ = made("population=ipbt", "population.generations=20")
    with pytest.raises(ConfigurationError, match=rf"expected {parts.interval}, with which the run began"):
        list(PopulationRun(config, run, Console()).check(resume=True))


def test_more_generations_than_full_training_has_steps_are_refused() -> None:
    config, parts = made("population=ipbt", "population.generations=100000")
    assert parts.interval == parts.workload.fidelity.smallest
    with pytest.raises(ConfigurationError, match=r"population\.generations: expected at most"):
        check_training(config["population"], parts)


@pytest.mark.parametrize(
    ("overrides", "workload", "message"),
    [
        (["population.interval=auto"], "digits", "since Pbt keeps the interval that it is given, got 'auto'"),
        (
            ["population=ipbt", "workload.steps=1"],
            "pbt_toy",
            "the workload does not say how long full training is",
        ),
        (["population.interval=often"], "digits", "an integer of at least 1, or auto, got 'often'"),
        (["population.interval=0"], "digits", "an integer of at least 1, or auto, got 0"),
    ],
)
def test_what_cannot_be_is_refused(overrides: list[str], workload: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(*overrides, workload=workload)
    assert str(refused.value).startswith("population.interval: expected ")
    assert message in str(refused.value)
