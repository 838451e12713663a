"""What a run was computed with is kept with it, once for every start."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from orchestrator.run import provenance
from orchestrator.run.directory import RunDirectory
from orchestrator.run.provenance import commit, commits, differences, recorded, session, sessions, software
from search_spaces import ConfigurationError

USER = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *USER, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "workload.py").write_text("rate = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_commit_says_whether_tracked_files_have_changed(repository: Path, tmp_path: Path) -> None:
    head = commit(repository)
    assert head is not None and len(head) == 40
    (repository / "runs").mkdir()
    (repository / "runs" / "journal.jsonl").touch()
    assert commit(repository) == head, "what a study writes is no change of its code"
    (repository / "workload.py").write_text("rate = 2\n")
    assert commit(repository) == f"{head}+changes"
    assert commit(tmp_path) is None
    assert commit(tmp_path / "nowhere") is None


def test_without_git_there_are_no_commits(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert commit(repository) is None


def test_an_entry_has_versions_commits_hardware_and_the_command(repository: Path) -> None:
    entry = session(["+study=a b", "tracking.uri=http://user:secret@host:1"], [repository], resumed=False)
    assert entry["command"] == "python -m orchestrator '+study=a b' tracking.uri=http://user:***@host:1"
    assert entry["versions"]["numpy"] == version("numpy") and entry["versions"]["ray"] == version("ray")
    assert "no such package" not in entry["versions"]
    assert entry["commits"][str(repository)] == commit(repository)
    assert entry["python"] == platform.python_version()
    assert entry["hardware"]["cores"] >= 1 and entry["hardware"]["memory_gib"] > 0
    assert entry["hardware"]["processor"]
    json.dumps(entry)


def test_this_program_has_a_commit_where_it_is_a_checkout_only(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = repository / "site-packages" / "orchestrator"
    installed.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(installed / "run" / "provenance.py"))
    assert commits([]) == {}
    (repository / "site-packages" / "pyproject.toml").touch()
    assert commits([]) == {"orchestrator": commit(repository)}


def test_every_start_is_an_entry_and_a_refused_one_is_none(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with pytest.raises(ConfigurationError), recorded(run, {"time": 0}):
        raise ConfigurationError("a", "b", "c")
    assert not run.provenance.exists()
    with recorded(run, {"time": 1}):
        assert sessions(run) == [{"time": 1}]
    with pytest.raises(KeyboardInterrupt), recorded(run, {"time": 2}):
        raise KeyboardInterrupt
    with pytest.raises(ConfigurationError), recorded(run, {"time": 3}):
        raise ConfigurationError("a", "b", "c")
    assert sessions(run) == [{"time": 1}, {"time": 2}]


def test_a_damaged_file_stops_no_study(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.provenance.write_text("{")
    with recorded(run, {"time": 1}):
        assert sessions(run) == [{"time": 1}]


def test_software_is_equal_for_equal_code_wherever_it_lies(repository: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    git(tmp_path, "clone", "-q", str(repository), str(moved))
    assert software([repository]) == software([moved])
    before = software([repository])
    (repository / "workload.py").write_text("rate = 2\n")
    assert software([repository]) != before
    assert "instead of" in differences(before, software([repository]))


def test_differences_name_what_differs() -> None:
    first = json.dumps({"numpy": "2.1.0", "scipy": "1.15", "commit of orchestrator": "a" * 40})
    second = json.dumps({"numpy": "2.2.0", "scipy": "1.15", "commit of orchestrator": "b" * 40 + "+changes"})
    assert differences(first, second) == (
        "numpy 2.1.0 instead of 2.2.0, commit of orchestrator aaaaaaaa instead of bbbbbbbb+changes"
    )
    assert differences(first, first) == ""


def test_tags_name_version_and_commits(tmp_path: Path, repository: Path) -> None:
    run = RunDirectory(tmp_path)
    assert provenance.tags(run) == {}
    with recorded(run, session([], [repository], resumed=False)):
        found = provenance.tags(run)
    assert found["version"] == version("orchestrator")
    assert found["commit_of_user_code"] == commit(repository)
