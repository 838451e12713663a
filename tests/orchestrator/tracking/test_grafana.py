"""The Grafana board asks for the metrics that are exported, and for no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from orchestrator.engine.population_metrics import PopulationMetrics

EXPORTED = {
    f"ray_{metric.info['name']}": set(metric.info["tag_keys"])
    for metric in PopulationMetrics("study", interval=1).exported
}

board: dict[str, Any] = json.loads(
    files("orchestrator.tracking").joinpath("grafana/population.json").read_text(encoding="utf-8")
)


def queries() -> Iterator[str]:
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query")


def test_the_queries_name_exactly_the_exported_metrics() -> None:
    named = {name for query in queries() for name in re.findall(r"ray_\w+", query)}
    assert named == EXPORTED.keys()


def test_the_queries_filter_by_labels_that_the_metrics_have() -> None:
    for query in queries():
        for name, labels in re.findall(r"(ray_\w+)\{([^}]*)\}", query):
            assert set(re.findall(r"(\w+)=~", labels)) <= EXPORTED[name]


def test_every_panel_can_be_pointed_at_another_prometheus_and_study() -> None:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert "study" in variables
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all("$study" in target["expr"] for target in panel["targets"])


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    covered = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(covered) == len(set(covered))
