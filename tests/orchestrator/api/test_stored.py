"""What Python sees of a run that is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from orchestrator.api import Run, resume
from orchestrator.population.history.history import PopulationHistory
from orchestrator.search.history.history import SearchHistory
from search_spaces import ConfigurationError
from tests.orchestrator.analysis import made
from tests.orchestrator.analysis.stored import save
from tests.orchestrator.journals import PopulationJournal
from tests.orchestrator.search_journals import SPACE, SearchJournal

POPULATION, SEARCH = PopulationJournal(), SearchJournal()


def kept(path: Path, kind: str, **more: Any) -> Path:
    """A run directory with a configuration."""
    path.mkdir()
    config = {"study": {"name": "pretended", "kind": kind}, "run": {"config_dir": None}, **more}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def population(tmp_path: Path) -> Run:
    path = kept(tmp_path / "population", "population")
    POPULATION.write(path)
    return Run(path, 0)


@pytest.fixture
def search(tmp_path: Path) -> Run:
    path = kept(tmp_path / "search", "search", search_space=SPACE)
    SEARCH.write(path)
    return Run(path)


def test_a_population(population: Run) -> None:
    history = PopulationHistory.from_events(POPULATION.events())
    assert repr(population) == f"Run({str(population.path)!r}, population, complete)"
    assert set(population.frames) == {"intervals", "lineage", "models"}
    assert len(population.frames["intervals"]) == POPULATION.size * POPULATION.generations
    best = history.best()
    assert best is not None and population.best is not None and population.schedule is not None
    assert population.best["config"] == best.config and population.best["metrics"] == best.metrics
    assert population.schedule["segments"][-1]["config"] == best.config


def test_a_search(search: Run) -> None:
    history = SearchHistory.from_events(SEARCH.events())
    assert set(search.frames) == {"trials", "reports", "pareto", "models"}
    assert len(search.frames["trials"]) == len(history.trials)
    knee = history.knee()
    assert knee is not None and search.best is not None
    assert search.best["config"] == knee.config
    pd.testing.assert_frame_equal(search.pareto, search.frames["pareto"])
    assert set(search.pareto["trial"]) == {record.number for record in history.pareto()}


def test_a_benchmark(tmp_path: Path) -> None:
    save(tmp_path / "run", made.results(made.four_types()))
    found = Run(tmp_path / "run")
    assert found.kind == "benchmark"
    ranks = found.frames["ranks"]
    last = ranks[ranks["group"] == ranks["group"].iloc[-1]]
    assert found.best == {
        "method": last.sort_values("rank")["method"].iloc[0],
        "rank": pytest.approx(last["rank"].min()),
    }


def test_what_a_kind_has_not_is_refused(search: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run directory: expected a population study"):
        _ = search.schedule
    with pytest.raises(ConfigurationError, match="number: expected below 0, the models that are kept, got 0"):
        search.model()
    with pytest.raises(ConfigurationError, match="run directory: expected an existing directory"):
        Run(tmp_path / "nothing")


def test_a_run_without_a_configuration_cannot_go_on(tmp_path: Path) -> None:
    save(tmp_path / "run", made.results(made.four_types()))
    with pytest.raises(ConfigurationError, match="resume: expected a run directory"):
        resume(Run(tmp_path / "run"))
