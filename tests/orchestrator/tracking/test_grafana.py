"""The Grafana boards ask for the metrics that are exported, and for no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest

from orchestrator.engine.benchmark_metrics import BenchmarkMetrics
from orchestrator.engine.metrics import Labels
from orchestrator.engine.population_metrics import PopulationMetrics
from orchestrator.engine.search_metrics import SearchMetrics


@dataclass(frozen=True)
class Board:
    """A board, and the labels of each metric that is exported for it."""

    content: dict[str, Any]
    exported: dict[str, set[str]]

    def queries(self) -> Iterator[str]:
        for panel in self.content["panels"]:
            yield from (target["expr"] for target in panel["targets"])
        variables = self.content["templating"]["list"]
        yield from (v["query"]["query"] for v in variables if v["type"] == "query")


LABELS = Labels("study", "run", "0")
METRICS = {
    "population": PopulationMetrics(LABELS, interval=1).exported,
    "search": SearchMetrics(LABELS).exported,
    "benchmark": BenchmarkMetrics(LABELS).exported,
}


@pytest.fixture(params=METRICS)
def board(request: pytest.FixtureRequest) -> Board:
    text = (
        files("orchestrator.tracking").joinpath(f"grafana/{request.param}.json").read_text(encoding="utf-8")
    )
    exported = {f"ray_{one.info['name']}": set(one.info["tag_keys"]) for one in METRICS[request.param]}
    return Board(json.loads(text), exported)


def test_the_queries_name_exactly_the_exported_metrics(board: Board) -> None:
    named = {name for query in board.queries() for name in re.findall(r"ray_\w+", query)}
    assert named == board.exported.keys()


def test_the_queries_filter_by_labels_that_the_metrics_have(board: Board) -> None:
    for query in board.queries():
        for name, labels in re.findall(r"(ray_\w+)\{([^}]*)\}", query):
            assert set(re.findall(r"(\w+)=~", labels)) <= board.exported[name]


def test_legends_use_labels_that_the_metrics_have(board: Board) -> None:
    for panel in board.content["panels"]:
        for target in panel["targets"]:
            for name in re.findall(r"ray_\w+", target["expr"]):
                assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= board.exported[name]


def test_every_figure_tells_studies_runs_and_seeds_apart(board: Board) -> None:
    assert all(labels >= {"study", "run", "seed"} for labels in board.exported.values())


def test_every_panel_can_be_pointed_at_another_prometheus_study_and_run(board: Board) -> None:
    variables = {variable["name"]: variable for variable in board.content["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert {"study", "run"} <= variables.keys()
    for panel in board.content["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all("$study" in target["expr"] and "$run" in target["expr"] for target in panel["targets"])


def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: Board) -> None:
    panels = board.content["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    covered = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(covered) == len(set(covered))


def test_the_boards_have_names_of_their_own() -> None:
    folder = files("orchestrator.tracking").joinpath("grafana")
    boards = [json.loads(file.read_text(encoding="utf-8")) for file in folder.iterdir()]
    assert len({(one["uid"], one["title"]) for one in boards}) == len(METRICS)
