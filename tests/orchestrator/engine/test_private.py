"""What Ray does not promise to keep is used in one file; read off the source."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.experiment import Trial

from orchestrator.engine import ray_private

ROOT = Path(__file__).parents[3]
PRIVATE = re.compile(
    r"\bray(\.\w+)*\._\w"
    r"|from ray[\w.]*\._"
    r"|\b_temp_dir=|\b_py_driver_sys_path"
    r"|\.max_failures = |\.run_metadata\b|\.pickled_error_file\b"
)


def test_private_parts_of_ray_are_used_in_one_file() -> None:
    files = [path for package in ("orchestrator", "workloads") for path in (ROOT / package).rglob("*.py")]
    users = {path.name for path in files if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert users == {"ray_private.py"}


def test_ray_shows_all_its_messages_but_those_of_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list[str]()
    worker = ray_private.ray._private.worker
    monkeypatch.setattr(worker, "print_to_stdstream", lambda data, ignore_prefix: shown.extend(data["lines"]))
    monkeypatch.setenv("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    for _ in range(2):
        ray_private.leave_deaths_to_the_study()
    room = "2 Workers killed due to memory pressure (OOM)"
    for pid, line in (
        ("raylet", "Raylet is terminated. Termination is unexpected."),
        ("raylet", "A worker died or was killed while executing a task by an unexpected system error."),
        ("raylet", room),
        (123, "Raylet is terminated."),
    ):
        worker.print_to_stdstream({"pid": pid, "lines": [line], "is_err": False}, ignore_prefix=False)
    assert shown == [room, "Raylet is terminated."]


def test_tune_finds_the_attributes_of_its_trials_that_are_set() -> None:
    trial = Trial("nothing", stub=True)
    trial.run_metadata.num_failures = 3
    ray_private.allow_failures(trial, 2)
    assert not trial.should_recover()
    ray_private.forgive(trial, 2)
    assert trial.should_recover()


def test_other_versions_of_ray_lose_only_what_saves_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_private.ray, "_private", SimpleNamespace(), raising=False)
    ray_private.end_monitor()
    assert ray_private.dashboard_url() is None


def test_a_training_without_a_dashboard_needs_no_process_that_asks_it() -> None:
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(lambda: None)
    names = _callbacks(trainer)
    ray_private.spare_cleaner(trainer)
    assert _callbacks(trainer) == [name for name in names if name != "PlacementGroupCleanerCallback"]
    assert _callbacks(trainer) != names


def _callbacks(trainer: Any) -> list[str]:
    return [type(callback).__name__ for callback in trainer._create_default_callbacks()]
