"""The examples of the README and of the pages in docs work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.search.assemble import assemble_search
from tests.conftest import composed
from tests.orchestrator.cli.conftest import Call, Studies, call, studies

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))))

__all__ = ["call", "studies"]


def block(language: str, holding: str) -> str:
    (found,) = (
        text
        for page in PAGES
        for text in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
        if holding in text
    )
    return str(found)


def test_the_own_workload_is_listed_and_assembled(
    call: Call, studies: Studies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my_studies" / "study"
    folder.mkdir(parents=True)
    (tmp_path / "my_workload.py").write_text(block("python", "class Regression"))
    (tmp_path / "my_function.py").write_text("def score(config, seed, fidelity):\n    return config['x']\n")
    study = block("yaml", "name: regression")
    (folder / "regression.yaml").write_text(study)
    (folder / "function.yaml").write_text(
        study[: study.index("workload:")]
        + block("yaml", "from_function")
        + study[study.index("search_space:") :]
    )
    (tmp_path / "my_studies" / "workload").mkdir()
    (tmp_path / "my_studies" / "workload" / "regression.yaml").write_text(
        block("yaml", "# A line through noisy points.")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "A line through noisy points" in call("--config-dir", "my_studies").out
    outcome = call("--config-dir", "my_studies", "-m", "+study=regression,function")
    assert outcome.code == 0, outcome.err
    own = ("+study=pbt", "workload=regression", "population.interval=20")
    for more in ((*own, "population.generations=2"), ("+study=regression", "objectives=[{name: worst}]")):
        outcome = call("--config-dir", "my_studies", *more)
        assert outcome.code == 0, outcome.err
    assert len(studies.runs) == 4


def test_the_study_of_gangs_is_assembled(call: Call, studies: Studies, tmp_path: Path) -> None:
    folder = tmp_path / "my_studies" / "study"
    folder.mkdir(parents=True)
    (folder / "gangs.yaml").write_text(block("yaml", "name: pbt_gangs"))
    outcome = call("--config-dir", "my_studies", "+study=gangs")
    assert outcome.code == 0, outcome.err
    assert len(studies.runs) == 1


def test_a_schedule_by_hand_fits_the_search(tmp_path: Path) -> None:
    file = tmp_path / "my_schedule.yaml"
    file.write_text(block("yaml", "\nsegments:\n"))
    parts = assemble_search(composed("+study=search_digits", f"schedule={file}"))
    assert parts.followed is not None and parts.followed.schedule.ends == (100, 675)


def test_the_initial_configurations_of_the_page_on_searches_fit_their_space() -> None:
    commands = block("sh", "search.initial=").splitlines()
    (override,) = re.findall(r"'(search\.initial=.*)'", commands[0])
    parts = assemble_search(composed("+study=search_digits", override))
    assert parts.initial[0] == parts.space.default() and parts.initial[1]["width"] == 64
    for command in commands:
        assert command.startswith("python -m orchestrator ")
