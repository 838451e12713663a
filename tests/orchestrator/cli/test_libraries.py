"""The studies of other libraries compose and can be run, and say which extra is missing where one is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from orchestrator.cli import program
from orchestrator.cli.verbs.init import LIBRARIES
from tests.conftest import composed

PACKAGES = {"sb3": ("stable_baselines3", "rl"), "xgboost": ("xgboost", "boosting")}
PACKAGES |= {"lightgbm": ("lightgbm", "boosting"), "sklearn": ("sklearn", "")}
PACKAGES |= {name: (name, name) for name in ("lightning", "transformers")}
"""What each needs, and the extra that brings it."""


def installed(kind: str) -> bool:
    return importlib.util.find_spec(PACKAGES[kind][0]) is not None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "my_training", raising=False)
    yield tmp_path
    sys.modules.pop("my_training", None)


@pytest.mark.parametrize("kind", LIBRARIES)
def test_its_study_composes(kind: str) -> None:
    config = composed(f"+study={LIBRARIES[kind][0]}")
    assert config["study"]["name"] == LIBRARIES[kind][0]
    assert config["workload"]["function"]["_target_"] == f"workloads.library.adapted.{kind}.train"


@pytest.mark.parametrize("kind", LIBRARIES)
def test_what_init_writes_can_be_run(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not installed(kind):
        pytest.skip(f"{PACKAGES[kind][0]} is not installed")
    assert program.main(["init", ".", "--kind", kind]) == 0
    capsys.readouterr()
    assert len((folder / "my_training.py").read_text().splitlines()) < 40
    assert len((folder / "conf/study/my_training.yaml").read_text().splitlines()) < 25
    assert program.main(["check", "--config-dir", "conf", "+study=my_training"]) == 0
    assert capsys.readouterr().out.startswith("ok: my_training")


@pytest.mark.parametrize("kind", LIBRARIES)
def test_the_study_that_ships_can_be_run(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not installed(kind):
        pytest.skip(f"{PACKAGES[kind][0]} is not installed")
    assert program.main(["check", f"+study={LIBRARIES[kind][0]}"]) == 0
    assert capsys.readouterr().out.startswith(f"ok: {LIBRARIES[kind][0]}")


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_missing_extra_names_itself(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    package, extra = PACKAGES[kind]
    if installed(kind):
        pytest.skip(f"{package} is installed")
    assert program.main(["check", f"+study={LIBRARIES[kind][0]}"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"No module named '{package}'; pip install 'orchestrator[{extra}]'" in said
