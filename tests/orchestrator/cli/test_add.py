"""``add``: configurations for a search, handed over from outside."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from tests.conftest import composed
from tests.orchestrator.cli.conftest import Call
from tests.orchestrator.cli.test_bad_input import refused
from tests.orchestrator.studies.in_process import CONF, search_in_process

TRIALS = "search.trials=4"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Of a search that has not begun."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.yaml").write_text(
        yaml.safe_dump(composed("--config-dir", CONF, "+study=troubled", TRIALS))
    )
    return path


def written(path: Path, content: object) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_what_is_added_is_tried_next(
    call: Call, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = {"x": 0.25, "y": 0.5}, {"x": 0.5, "y": 0.25}
    outcome = call("add", str(run), written(tmp_path / "one.yaml", one))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"1 configuration added to {run}: ")
    assert call("add", str(run), written(tmp_path / "two.yaml", [two, "default"])).code == 0
    search_in_process(run, TRIALS)
    capsys.readouterr()
    events = read_journal(RunDirectory(run).journal)
    configs = [event["config"] for event in events if event["event"] == "suggested"]
    assert configs[:3] == [one, two, {"x": 0.0, "y": 0.0}]
    assert len(configs) == 4
    hint = f"a study that is not running has more trials with resume={run} search.trials=<number>"
    refused(call("add", str(run), str(tmp_path / "one.yaml")), "expected at most 0, the trials left", hint)


def test_what_cannot_be_added_is_refused(call: Call, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    for content, message in (
        ({"x": 3.0, "y": 0.0}, "file.yaml[0].x: expected a number in [-1.0, 1.0], got 3.0"),
        ([{"x": 0.0}], "file.yaml[0].y: expected a number"),
        ({"x": 0.0, "y": 0.0, "z": 0.0}, "file.yaml[0].z: expected one of the parameters"),
        (3, "file.yaml: expected a list of configurations, got 3"),
        ([], "file.yaml: expected at least one configuration"),
        ([{"x": 0.0, "y": 0.0}] * 5, "file.yaml: expected at most 4, the trials left, got 5"),
    ):
        refused(call("add", str(run), written(file, content)), message)
    file.write_text("a: [")
    refused(call("add", str(run), str(file)), "add: expected a YAML file with configurations")
    file.write_text("[" * 2000 + "]" * 2000)
    refused(call("add", str(run), str(file)), "add: expected a YAML file", "at most 100 mappings and lists")
    refused(call("add", str(run), "nowhere.yaml"), "add: expected a YAML file", "No such file")
    refused(
        call("add", "nowhere", written(file, {})),
        "add: expected the run directory of a search",
        "config.yaml",
    )
    (run / "config.yaml").write_text("study: {kind: population}")
    refused(call("add", str(run), str(file)), "it holds a population study")
    (run / "config.yaml").write_text("[]")
    refused(call("add", str(run), str(file)), "its config.yaml cannot be read")
    refused(call("add", str(run)), "the following arguments are required: file")
    assert not (run / "added").exists()
