"""A program works where its study began, wherever a resume begins."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.new_run import start_run
from tests.conftest import composed

COMMAND = {"_target_": "workloads.command.Command", "command": ["true"]}


def kept(config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The workload in the run's configuration, which is also what starts."""
    monkeypatch.chdir(tmp_path)
    run, started = start_run(config, datetime(2026, 1, 1))
    assert yaml.safe_load(run.directory.config.read_text())["workload"] == started["workload"]
    return dict(started["workload"])


@pytest.mark.parametrize(
    ("given", "place"), [({}, "."), ({"directory": None}, "."), ({"directory": "own"}, "own")]
)
def test_a_programs_folder_is_kept_with_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], place: str
) -> None:
    config = {**composed("+study=pbt_toy", "tracking=none"), "workload": {**COMMAND, **given}}
    expected = {**COMMAND, "directory": str((tmp_path / place).absolute())}
    assert kept(config, tmp_path, monkeypatch) == expected


def test_a_nodes_copy_and_other_workloads_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = composed("+study=pbt_toy", "tracking=none")
    assert kept(config, tmp_path, monkeypatch) == config["workload"]
    cluster = {**config["cluster"], "working_dir": str(tmp_path)}
    assert kept({**config, "cluster": cluster, "workload": COMMAND}, tmp_path, monkeypatch) == COMMAND
