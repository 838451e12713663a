"""A study from Python, with real Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.api import resume, run
from search_spaces import ConfigurationError
from tests.orchestrator.test_readme import block


def test_the_readmes_study_is_run_looked_at_and_gone_on_with(
    tmp_path: Path, ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block("python", "from orchestrator.api import"), names)
    found = names["found"]
    assert found.status == 0 and found.path.is_relative_to(tmp_path / "runs" / "pbt_digits")
    assert len(found.frames["intervals"]) == 8 * 4
    assert found.best is not None and found.best["test"]["test_error"] <= 1
    assert all(isinstance(weight, torch.Tensor) for weight in found.model()["model"].values())
    assert found.page is not None and found.page.exists() and found.figures
    assert resume(found).status == 0


def test_what_the_command_line_refuses_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"population\.size"):
        run("pbt_digits", "population.size=0")
    with pytest.raises(ConfigurationError, match="overrides: expected key=value, got '--cfg'"):
        run("pbt_digits", "--cfg", "job")
    assert not list(tmp_path.iterdir())
