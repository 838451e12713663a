"""Run directories that were made under other names than the present ones."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.orchestrator.cli.conftest import Call, Studies


def test_a_run_goes_on_whose_stopping_rule_has_moved(
    call: Call, studies: Studies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("orchestrator.studies.search")
    module.run = studies.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "orchestrator.studies.search", module)
    assert call("+study=search_digits", "search/stopping=hyperband", "run.dir=here").code == 0
    config = tmp_path / "here" / "config.yaml"
    text = config.read_text()
    assert "orchestrator.stopping.rules.Hyperband" in text
    config.write_text(text.replace("orchestrator.stopping.rules.", "orchestrator.search.stopping."))
    outcome = call("resume=here")
    assert outcome.code == 0, outcome.err
    assert studies.runs[1][0]["search"]["stopping"] == studies.runs[0][0]["search"]["stopping"]


def test_a_studys_file_with_names_of_an_earlier_version_goes_on(call: Call, studies: Studies) -> None:
    optimizer = "optimizer._target_=orchestrator.search.optimizers.random.RandomSearch"
    outcome = call("check", "+study=search_digits", "optimizer=random", optimizer, "preflight=false")
    assert outcome.code == 0, outcome.err
