"""Results are readable files that hold the whole history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from orchestrator.population.history.frames import intervals
from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.population.results import write_results
from orchestrator.reporting.population.schedule import schedule
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal


def history_of(**study: Any) -> PopulationHistory:
    return PopulationHistory.from_events(PopulationJournal(**study).events())


def test_writes_tables_and_plots(tmp_path: Path) -> None:
    history = history_of(size=6, generations=5, objectives=(ACCURACY, LOSS), failures={(2, 3): "boom"})
    folder = write_results(tmp_path / "results", history)
    names = {path.name for path in folder.iterdir()}
    assert "schedule.png" in names
    tables_and_page = {"intervals.parquet", "lineage.parquet", "schedule.html", "schedule.yaml"}
    assert {name for name in names if not name.endswith(".png")} == tables_and_page
    read = pd.read_parquet(folder / "intervals.parquet")
    assert read["config.learning_rate"].tolist() == intervals(history)["config.learning_rate"].tolist()
    assert read["failure"].dropna().tolist() == ["boom"]
    assert len(pd.read_parquet(folder / "lineage.parquet")) == history.exploits
    assert matplotlib.image.imread(folder / "schedule.png").std() > 0.01
    page = (folder / "schedule.html").read_text()
    assert "Plotly.newPlot" in page
    assert '<script src="http' not in page, "the page must not need the network"


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_ended_at_once_has_results_too(tmp_path: Path) -> None:
    history = PopulationHistory.from_events(PopulationJournal(size=3).events()[:4])
    assert pd.read_parquet(write_results(tmp_path / "results", history) / "intervals.parquet").empty


@pytest.mark.usefixtures("undrawn")
def test_columns_of_mixed_types_are_stored_as_text(tmp_path: Path) -> None:
    events = PopulationJournal(size=2, generations=1).events()
    for event in events:
        if event["event"] == "interval":
            event["config"]["width"] = "auto" if event["member"] else 0.5
    folder = write_results(tmp_path / "results", PopulationHistory.from_events(events))
    assert pd.read_parquet(folder / "intervals.parquet")["config.width"].tolist() == ["0.5", "auto"]


def test_an_error_leaves_the_earlier_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_results(tmp_path / "results", history_of(size=2, generations=2))
    before, names = (folder / "schedule.png").read_bytes(), sorted(folder.iterdir())

    def fail(picture: object, path: Path) -> None:
        path.write_bytes(b"half a picture")
        raise OSError("no space left")

    monkeypatch.setattr("orchestrator.reporting.figure.save", fail)
    with pytest.raises(OSError, match="no space"):
        write_results(tmp_path / "results", history_of(size=3, generations=2))
    assert (folder / "schedule.png").read_bytes() == before
    assert sorted(folder.iterdir()) == names


def test_one_panel_per_objective_and_mutable_hyperparameter() -> None:
    panels = schedule(history_of(objectives=(ACCURACY, LOSS))).panels
    assert [panel.label for panel in panels] == [
        "accuracy (higher is better)",
        "loss (lower is better)",
        "learning_rate",
        "dropout",
        "warm",
    ]
    assert [panel.log for panel in panels[2:]] == [True, False, False]
    assert panels[4].categories == ("False", "True")


def test_the_best_curve_is_the_ancestry() -> None:
    history = history_of(size=8, generations=6)
    best = history.best()
    assert best is not None
    objective, rate, *_ = schedule(history).panels
    assert objective.best.tolist() == [[r.age, r.metrics["accuracy"]] for r in history.chain(best)]
    assert rate.best[1::2].tolist() == [[r.age, r.config["learning_rate"]] for r in history.chain(best)]


def test_copies_branch_off_their_parents() -> None:
    history = history_of(size=8, generations=6)
    panel = schedule(history).panels[0]
    assert panel.curves == 8 + history.exploits
    assert len(panel.replaced) == history.exploits
    points = {tuple(point) for point in panel.population[~np.isnan(panel.population[:, 0])]}
    starts = panel.population[np.flatnonzero(np.isnan(panel.population[:, 0])) + 1]
    first = [start for start in starts if start[0] == history.start.interval]
    assert all(tuple(start) in points for start in starts)
    assert len(first) >= 8


def test_losses_over_decades_get_a_logarithmic_axis_and_outliers_are_cut_off_on_a_linear_one() -> None:
    events = PopulationJournal(size=40, generations=6, objectives=(LOSS,)).events()
    assert not schedule(PopulationHistory.from_events(events)).panels[0].log
    interval = next(event for event in events if event["event"] == "interval")
    interval["metrics"]["loss"] = 1e6
    assert schedule(PopulationHistory.from_events(events)).panels[0].log
    interval["metrics"]["loss"] = -1e6
    panel = schedule(PopulationHistory.from_events(events)).panels[0]
    assert not panel.log
    assert panel.limits is not None
    assert panel.limits[0] > -10
