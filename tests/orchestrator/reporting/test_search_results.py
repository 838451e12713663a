"""Results are readable files that hold the whole study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from orchestrator.population.schedule import Schedule, Segment, followed
from orchestrator.reporting import document
from orchestrator.reporting.figure import Drawing
from orchestrator.reporting.figures import SEARCH
from orchestrator.reporting.search import front, parallel, progress
from orchestrator.reporting.search.overview import Overview, overview
from orchestrator.reporting.search.page import headline, page
from orchestrator.reporting.search.results import write_results
from orchestrator.search.history import frames
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.importance import importance
from orchestrator.search.history.optuna_export import to_optuna
from orchestrator.text import number
from search_spaces import build_space
from tests.orchestrator.search_journals import (
    ACCURACY,
    ERROR,
    LATENCY,
    PARAMETERS,
    SPACE,
    SearchJournal,
    space,
)
from workloads.contract import Fidelity, Objective

SPEED = Objective("latency", "min")
PICTURES = ("front", "slices", "parallel", "progress", "learning_curves", "importance")
"""Those that are tested here; further figures join the contract in ``test_figures.py`` alone."""


def history_of(**study: Any) -> SearchHistory:
    return SearchHistory.from_events(SearchJournal(**study).events())


def drawn(view: Overview) -> list[str]:
    return [name for name, _ in Drawing(SEARCH, view).pictures() if name in PICTURES]


def test_writes_tables_pictures_and_page(tmp_path: Path) -> None:
    history = history_of(trials=40, rungs=(1, 3, 9), failures={3: "boom"})
    folder = write_results(tmp_path / "results", history, space())
    names = {path.name for path in folder.iterdir()}
    assert {f"{name}.png" for name in PICTURES} - names == {"slices.png"}
    assert {name for name in names if not name.endswith(".png")} == {
        "best.yaml",
        "pareto",
        "pareto.parquet",
        "reports.parquet",
        "study.html",
        "trials.parquet",
    }
    trials = pd.read_parquet(folder / "trials.parquet")
    assert trials["trial"].tolist() == list(range(40))
    assert trials.loc[3, "reason"] == "boom"
    assert len(pd.read_parquet(folder / "pareto.parquet")) == len(history.pareto())
    for picture in folder.glob("*.png"):
        assert matplotlib.image.imread(picture).std() > 0.01
    assert {file.stem for file in (folder / "pareto").iterdir()} == {
        str(one.number) for one in history.pareto()
    }
    html = (folder / "study.html").read_text()
    assert html.count('class="chart"') >= 5
    assert '<script src="http' not in html, "the page must not need the network"


@pytest.mark.usefixtures("undrawn")
def test_the_best_trial_is_written_as_a_schedule(tmp_path: Path) -> None:
    history = history_of(objectives=(ERROR,), rungs=(1, 3, 9))
    folder = write_results(tmp_path / "results", history, space())
    best = history.knee()
    assert best is not None and not (folder / "pareto").exists()
    written = Schedule.from_data(yaml.safe_load((folder / "best.yaml").read_text()), "schedule")
    assert written == Schedule(history.start.unit, (Segment(9, 1, dict(best.config)),))


@pytest.mark.usefixtures("undrawn")
def test_the_best_trial_of_a_search_with_a_schedule_has_what_it_trained_with(tmp_path: Path) -> None:
    """What the schedule says of an inactive parameter, and of one fixed at birth, is not the trial's."""
    history = history_of(objectives=(ERROR,), rungs=(1, 3, 9))
    mutable = ("learning_rate", "momentum")
    parameters = {name: {**one, "mutable": name in mutable} for name, one in SPACE["parameters"].items()}
    definition = {**SPACE, "parameters": parameters}
    parts = (
        Segment(4, 2, {"learning_rate": 0.1, "momentum": 0.5, "width": 64}),
        Segment(5, 1, {"learning_rate": 0.01}),
    )
    whole = build_space(definition, "search_space")
    fidelity = Fidelity(history.start.unit, largest=9)
    schedule = followed(Schedule(history.start.unit, parts), whole, fidelity, "schedule", fixed=False)
    folder = write_results(tmp_path / "results", history, space(), followed=schedule)
    written = Schedule.from_data(yaml.safe_load((folder / "best.yaml").read_text()), "schedule")
    first, second = written.segments
    best = history.knee()
    assert best is not None
    momentum = {"momentum": 0.5} if best.config["activation"] == "tanh" else {}
    assert (first.amount, first.intervals, second.amount) == (4, 2, 5)
    assert first.config == {**best.config, "learning_rate": 0.1, **momentum}
    assert second.config == {**best.config, "learning_rate": 0.01, **momentum}


@pytest.mark.parametrize(
    ("study", "names"),
    [
        ({"objectives": (ACCURACY,)}, ["slices", "parallel", "progress", "importance"]),
        ({"objectives": (ERROR, PARAMETERS, SPEED)}, ["front", "parallel", "progress", "importance"]),
        ({"objectives": (ERROR,), "trials": 5}, ["slices", "parallel", "progress"]),
        ({"failures": dict.fromkeys(range(20), "boom")}, ["progress"]),
    ],
)
def test_there_is_a_picture_of_whatever_there_is_to_see(study: dict[str, Any], names: list[str]) -> None:
    view = overview(history_of(**{"trials": 20, **study}), space())
    assert drawn(view) == names
    assert view.title in page(view, Drawing(SEARCH, view).sections())


def test_the_page_begins_with_what_came_out() -> None:
    view = overview(history_of(trials=20, objectives=(ACCURACY,)), space())
    values, best = view.objectives[0].values, view.knee
    assert best is not None and values[best] == values.max()
    told = (
        f"accuracy (higher is better): {number(values[best])}, by trial {view.trials[best]}; the median of 20"
    )
    assert headline(view) == f"{told} trials is {number(float(np.median(values)))}."
    view = overview(history_of(trials=20, objectives=(ERROR, PARAMETERS)), space())
    assert headline(view).startswith(f"Pareto set: {view.pareto.sum()} of 20 trials. Its knee, the best")
    failed = overview(history_of(trials=20, failures=dict.fromkeys(range(20), "boom")), space())
    assert headline(failed) == "No feasible trial was trained fully."


def test_headings_that_would_overlap_are_turned() -> None:
    short, long = (document.parallel(400, [{"label": "x" * length}] * 5, {}) for length in (5, 30))
    assert not short.data[0].labelangle and long.data[0].labelangle < 0
    assert long.layout.margin.t > short.layout.margin.t


@pytest.mark.parametrize("objectives", [(ERROR,), (ACCURACY, PARAMETERS)])
def test_trials_that_were_stopped_early_are_in_every_picture(objectives: tuple[Objective, ...]) -> None:
    history = history_of(trials=40, rungs=(1, 3, 9), failures={3: "boom"}, objectives=objectives)
    view = overview(history, space())
    stopped = [r.number for r in history.ended if r.trial and r.trial.status == "stopped"]
    assert len(stopped) > 10
    assert sorted(view.less.trials) == sorted(stopped)
    assert len(view.trials) + len(stopped) + 1 == 40
    assert view.counts == f"{len(view.trials)} trained fully, {len(stopped)} trained less, 1 failed"
    reached = [history.records[number].reports[-1].fidelity for number in view.less.trials.tolist()]
    assert view.less.progress == pytest.approx(np.log(reached) / np.log(9))
    for axis in (*view.parameters, *view.objectives):
        assert axis.early.shape == (len(stopped),)
    pictures = dict(Drawing(SEARCH, view).pictures())
    for name in {"slices", "front", "progress"} & pictures.keys() if len(objectives) == 1 else {"front"}:
        axis = pictures[name].axes[0]
        legend = [text.get_text() for text in pictures[name].legends[0].get_texts()]
        rings = [
            one for one in axis.collections if one.get_label() in legend and "less" in str(one.get_label())
        ]
        assert sum(len(one.get_offsets()) for one in rings) == len(stopped), name
    lines = sum(len(lines.get_segments()) for lines in pictures["parallel"].axes[0].collections)
    assert lines == 39
    html = page(view, Drawing(SEARCH, view).sections())
    assert view.counts in html and f"trial {stopped[0]}<br>" in html.replace("\\u003c", "<").replace(
        "\\u003e", ">"
    )


def test_a_study_in_which_nothing_was_trained_fully_still_has_pictures() -> None:
    events = SearchJournal(trials=20, rungs=(1, 3, 9), objectives=(ERROR,)).events()
    for event in events:
        if event["event"] == "ended":
            event |= {"status": "finished", "fidelity": min(event["fidelity"], 3)}
    view = overview(SearchHistory.from_events(events), space())
    assert view.counts == "20 trained less"
    assert drawn(view) == ["slices", "parallel", "progress", "learning_curves"]
    assert "Slices" in page(view, Drawing(SEARCH, view).sections())


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_ended_at_once_has_results_too(tmp_path: Path) -> None:
    history = SearchHistory.from_events(SearchJournal().events()[:2])
    folder = write_results(tmp_path / "results", history, space())
    assert pd.read_parquet(folder / "trials.parquet").empty
    assert pd.read_parquet(folder / "reports.parquet").empty
    assert not list(folder.glob("*.png"))


def test_trials_have_ranks_only_where_they_can_be_compared() -> None:
    history = history_of(trials=30, rungs=(1, 3), failures={2: "boom"}, constraints=(LATENCY,))
    frame = frames.trials(history)
    assert frame["rank"].isna().tolist() == (frame["status"] != "finished").tolist()
    assert (frame["rank"] == 0).sum() == frame["pareto"].sum()
    assert (frame.loc[frame["pareto"], "metrics.latency"] <= LATENCY.bound).all()


def test_the_pareto_table_goes_along_the_front_and_marks_the_knee() -> None:
    history = history_of(trials=40)
    frame, knee = frames.pareto(history), history.knee()
    assert knee is not None
    assert frame["error"].is_monotonic_increasing
    assert frame["parameters"].is_monotonic_decreasing
    assert frame.loc[frame["knee"], "trial"].tolist() == [knee.number]


def test_every_rung_is_in_the_reports() -> None:
    history = history_of(trials=20, rungs=(1, 3, 9))
    frame = frames.reports(history)
    assert len(frame) == sum(len(record.reports) for record in history.records.values())
    assert (frame["metrics.error"] == frame["loss.error"]).all()


@settings(max_examples=25)
@given(st.integers(0, 1000), st.booleans())
def test_the_attained_front_separates_what_is_dominated(seed: int, maximise: bool) -> None:
    """Every trial lies on the steps or on their worse side; every member of the Pareto set on them."""
    objectives = (ACCURACY if maximise else ERROR, PARAMETERS)
    history = history_of(trials=15, objectives=objectives, seed=seed)
    (latest, *_) = front.attained(history)
    signs = np.array([-1 if maximise else 1, 1])
    corners = latest.corners * signs
    assert (np.diff(corners[:, 0]) >= 0).all()
    assert (np.diff(corners[:, 1]) <= 0).all()
    for point in history.archive.losses:
        left = corners[corners[:, 0] <= point[0]]
        assert len(left)
        assert point[1] >= left[-1, 1]
    members = {tuple(trial.losses) for trial in history.archive.pareto_set}
    assert members <= {tuple(corner) for corner in corners}


def test_the_incumbent_never_gets_worse() -> None:
    view = overview(history_of(trials=30, objectives=(ACCURACY,)), space())
    reached = progress.describe(view)
    assert reached is not None
    assert (np.diff(reached.values) >= 0).all()
    assert reached.values[-1] == view.objectives[0].values[view.pareto].item()


def test_importance_finds_the_parameters_that_matter() -> None:
    history = history_of(trials=150)
    found = {one.goal: one.shares for one in importance(history, space())}
    assert list(found) == ["the Pareto front", "error", "parameters"]
    assert next(iter(found["error"])) == "learning_rate"
    assert next(iter(found["parameters"])) == "width"
    for shares in found.values():
        assert sum(shares.values()) == pytest.approx(1.0)
        assert set(shares) == set(space().names)


def test_importance_is_silent_about_few_trials() -> None:
    assert importance(history_of(trials=9), space()) == ()


def test_a_lost_trial_has_failed_in_optuna_and_says_that_it_was_lost() -> None:
    events = SearchJournal(trials=6, failures={2: "gone"}).events()
    for event in events:
        if event["event"] == "ended" and event["trial"] == 2:
            event["status"] = "lost"
    trial = to_optuna(SearchHistory.from_events(events), space()).trials[2]
    assert trial.state == TrialState.FAIL
    assert (trial.user_attrs["status"], trial.user_attrs["reason"]) == ("lost", "gone")


def test_inactive_parameters_are_absent_in_optuna() -> None:
    study = to_optuna(history_of(trials=20), space())
    active = ["momentum" in trial.params for trial in study.trials]
    assert active == [trial.params["activation"] == "tanh" for trial in study.trials]


def test_a_parameter_that_no_trial_had_keeps_its_ticks() -> None:
    view = overview(history_of(trials=2, seed=5), space())
    (momentum,) = (axis for axis in view.parameters if axis.name == "momentum")
    assert np.isnan(momentum.values).all()
    texts = [text for _, text in parallel.ticks(momentum)]
    assert texts == ["inactive", "0", "0.2475", "0.495", "0.7425", "0.99"]
