"""What of a configuration becomes Ray's runtime environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine import travelling
from orchestrator.engine.travelling import (
    check_travelling,
    declared_variables,
    failed,
    runtime_env,
    with_variables,
)
from search_spaces import ConfigurationError
from workloads.command import Command
from workloads.library.shakespeare import Shakespeare


def settings(address: str | None = "auto", **given: Any) -> dict[str, Any]:
    return {"address": address, "env": {}, "pip": [], "working_dir": None, **given}


@pytest.fixture(autouse=True)
def unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a process that has run other tests with Ray."""
    monkeypatch.setattr("ray.is_initialized", lambda: False)


def test_a_study_that_sends_nothing_needs_no_environment() -> None:
    assert runtime_env(settings(), None) == {}
    assert with_variables(settings(), ("A",), {}) == settings()


def test_folder_packages_and_variables_travel_to_a_cluster(tmp_path: Path) -> None:
    given = settings(env={"A": "1"}, pip=["einops"], working_dir=str(tmp_path))
    found = runtime_env(given, tmp_path / "my runs" / "first")
    assert found["env_vars"] == {"A": "1"}
    assert found["pip"] == ["einops"]
    assert found["working_dir"] == str(tmp_path)
    assert {"/runs", "/mlruns", ".git", ".venv", "/my runs/first"} <= {*found["excludes"]}


def test_a_local_ray_has_the_machines_files_and_packages_as_they_are(tmp_path: Path) -> None:
    given = settings(None, env={"A": "1"}, pip=["einops"], working_dir=str(tmp_path))
    assert runtime_env(given, None) == {"env_vars": {"A": "1"}}
    assert with_variables(settings(None), ("B",), {"B": "inherited"})["env"] == {}


def test_declared_variables_come_from_the_driver_unless_the_configuration_has_them() -> None:
    own = {"A": "mine", "B": "mine", "C": "mine", "D": "mine"}
    own["RAY_JOB_CONFIG_JSON_ENV_VAR"] = json.dumps({"runtime_env": {"env_vars": {"C": "job's"}}})
    found = with_variables(settings(env={"A": 1, "D": None}), ("A", "B", "C", "missing"), own)
    assert found["env"] == {"A": "1", "B": "mine", "D": "mine"}


class Old:
    """A workload whose environment is something else."""

    environment = "CartPole-v1"


def test_workloads_say_which_variables_they_read() -> None:
    command = Command(
        Shakespeare(data="python").space,
        ["program", "{hyperparameters}"],
        ["loss"],
        environment={"HF_TOKEN": None, "LR": "{learning_rate}"},
    )
    assert declared_variables([command, Shakespeare(data="python"), command]) == (
        "HF_TOKEN",
        "TINYSHAKESPEARE_DIR",
    )
    assert declared_variables([Old()]) == ()  # type: ignore[list-item]


def test_a_folder_is_measured_without_what_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travelling, "MOST_BYTES", 2**20)
    run = tmp_path / "own" / "first"
    for name in ("runs/a", ".git/b", "ignored/c", "own/first/d", "sub/.venv/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(2**21))
    (tmp_path / ".gitignore").write_text("ignored/\n")
    (tmp_path / "code.py").write_text("x = 1\n")
    check_travelling(settings(working_dir=str(tmp_path)), run)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "large").write_bytes(bytes(3 * 2**20))
    with pytest.raises(ConfigurationError, match=r"^cluster.working_dir: .*at most 1 MiB.*3 MiB.* in data; "):
        check_travelling(settings(working_dir=str(tmp_path)), run)
    check_travelling(settings(None, working_dir=str(tmp_path)), run)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^cluster.working_dir: expected a folder that exists"):
        check_travelling(settings(working_dir=str(tmp_path / "none")), tmp_path)


def test_a_ray_that_is_connected_already_takes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    check_travelling(settings(), tmp_path)
    with pytest.raises(ConfigurationError, match=r"^cluster.env: .*ray.init\(runtime_env=") as refused:
        check_travelling(settings(env={"API_KEY": "hush"}), tmp_path)
    assert "hush" not in str(refused.value)


def test_a_node_that_cannot_set_it_up_is_told_in_one_line() -> None:
    told = "Failed to set up\nsome log\nERROR: No matching distribution found for nothing-like-it\n\n"
    error = failed({"env_vars": {"API_KEY": "hush"}, "pip": ["nothing-like-it"]}, RuntimeError(told))
    assert error.key == "cluster.pip"
    assert "No matching distribution" in str(error)
    assert "hush" not in str(error)
    assert "hush" not in str(failed({"env_vars": {"API_KEY": "hush"}}, RuntimeError("")))
