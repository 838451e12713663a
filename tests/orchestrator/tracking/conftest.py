"""A real MLflow on sqlite, and recorders of one run directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.tracking.recorder import MlflowRecorder

PARAMETERS = {"study.name": "pretended", "population.size": "3"}


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all; making it takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def connected(uri: str, tmp_path: Path) -> Callable[..., MlflowRecorder]:
    """Makes recorders of one run directory, as one process after the other would."""

    def make(parameters: dict[str, str] = PARAMETERS, experiment: str = "pretended") -> MlflowRecorder:
        made = MlflowRecorder(tmp_path, uri, experiment, parameters)
        made.connect()
        made.begin()
        return made

    return make
