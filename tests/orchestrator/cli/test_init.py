"""``init`` writes studies that run as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.cli import program
from orchestrator.cli.verbs.init import KINDS
from tests.conftest import composed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "my_training", raising=False)
    yield tmp_path
    sys.modules.pop("my_training", None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_is_short_and_can_be_run(
    kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["init", ".", "--kind", kind]) == 0
    said = capsys.readouterr().out
    assert "python -m orchestrator --config-dir conf +study=my_training" in said
    for path in ("my_training.py", "conf/study/my_training.yaml"):
        assert len((folder / path).read_text().splitlines()) < 25
    assert program.main(["check", "--config-dir", "conf", "+study=my_training"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("ok: my_training")
    assert "goes on differently" not in said.out + said.err, "its checkpoint is not whole"


def test_nothing_is_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my_training.py").write_text("mine")
    assert program.main(["init", "."]) == 2
    assert "a folder without my_training.py" in capsys.readouterr().err
    assert (folder / "my_training.py").read_text() == "mine"
    assert not (folder / "conf").exists()


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").touch()
    assert program.main(["init", "file/below"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_names_in_both_files_are_one(folder: Path) -> None:
    assert program.main(["init", "."]) == 0
    config = composed("--config-dir", "conf", "+study=my_training")
    assert config["study"]["name"] == "my_training"
    assert config["workload"]["function"]["_target_"].partition(".")[0] == "my_training"
