"""What is done once on each node."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrator.engine.node import once_on_node
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from search_spaces import ConfigurationError


def test_each_node_is_prepared_once_for_each_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done: list[int] = []

    def fail() -> None:
        raise ConfigurationError("data", "a folder", None)

    here, cluster = Workplace.of(RunDirectory(tmp_path)), {"cluster": {"address": "auto"}}
    with pytest.raises(ConfigurationError):
        once_on_node(cluster, here, fail)
    for number in range(3):
        once_on_node(cluster, here, lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == [0]
    once_on_node(cluster, Workplace.of(RunDirectory(tmp_path)), lambda: done.append(3))
    once_on_node({"cluster": {"address": None}}, Workplace.of(RunDirectory(tmp_path)), lambda: done.append(4))
    assert done == [0, 3]


def test_marks_of_earlier_studies_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cluster = {"cluster": {"address": "auto"}}
    for _ in range(2):
        once_on_node(cluster, Workplace.of(RunDirectory(tmp_path)), lambda: None)
    first, second = sorted(tmp_path.glob("*.prepared"), key=lambda mark: mark.stat().st_mtime_ns)
    os.utime(first, (0, time.time() - 2 * 86_400))
    once_on_node(cluster, Workplace.of(RunDirectory(tmp_path)), lambda: None)
    assert not first.exists() and second.exists()
    assert len(list(tmp_path.glob("*.prepared"))) == 2
