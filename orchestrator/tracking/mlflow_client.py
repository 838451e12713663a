"""MLflow, as far as any study needs it: a connection that is checked before training."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.tracking import address, sqlite
from search_spaces import ConfigurationError

# MLflow reads some of these when it is imported. Its own retries would block for minutes; ours are in the
# recorder.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)

import mlflow  # noqa: E402 - after the settings that it reads

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages show what belongs to training, not to agents."""


@dataclass(frozen=True)
class Connection:
    """An experiment that can be recorded to."""

    client: mlflow.MlflowClient
    uri: str
    experiment_id: str


def connect(uri: str, experiment: str) -> Connection:
    """Connect to MLflow and make the experiment, and before it the database, where they are missing.

    Raises:
        ConfigurationError: the URI is not one, nothing answers there within seconds, or it cannot be written.
    """
    uri = address.absolute(uri)
    path = address.sqlite_file(uri)
    if path is not None:
        address.check_writable(uri, path)
    else:
        address.within_seconds(uri, lambda: _reach(uri))
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(os.environ.get("MLFLOW_LOGGING_LEVEL", "WARNING"))
    try:
        if path is not None:
            _make(path)
            sqlite.commit_fast(path)
        client = mlflow.MlflowClient(uri)
        if path is not None:
            _remove_stray(path.parent)
        return Connection(client, uri, _experiment(client, experiment, path))
    except mlflow.MlflowException as error:
        raise address.unusable(uri, error) from error


def _artifacts(folder: Path) -> str:
    """A folder as MLflow takes it: it decodes what looks like an escape in a plain path."""
    return folder.as_uri() if "%" in str(folder) else str(folder)


def _make(path: Path) -> None:
    """Make a sqlite database where there is none."""
    with address.making(path) as place:
        if place is None:
            return
        mlflow.MlflowClient(address.absolute(f"sqlite:///{address.escaped(place)}"))
    sqlite.write_ahead(path)


def _remove_stray(folder: Path) -> None:
    """Remove what MLflow makes besides: a folder called as the escaped one."""
    stray = Path(address.escaped(folder))
    if stray != folder:
        with suppress(OSError):
            stray.rmdir()


def _reach(uri: str) -> None:
    """One attempt to reach a server or a database other than sqlite."""
    if uri.startswith(address.SERVERS):
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
    else:
        import sqlalchemy

        sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool).connect().close()


def _experiment(client: mlflow.MlflowClient, name: str, sqlite: Path | None) -> str:
    """The id of an experiment that is there or is made; beside a sqlite database lie its artifacts."""
    found = client.get_experiment_by_name(name)
    if found is None:
        location = _artifacts(sqlite.parent / "mlartifacts" / quote(name, safe="")) if sqlite else None
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS))
        except mlflow.MlflowException as error:
            found = client.get_experiment_by_name(name)
            if found is None:  # nobody else was faster: it could not be made
                raise error
    if found.lifecycle_stage != "active":
        hint = f"restore it with `mlflow experiments restore --experiment-id {found.experiment_id}`"
        raise ConfigurationError("tracking.experiment", "an experiment that is not deleted", name, hint)
    return str(found.experiment_id)


def command() -> str:
    """How MLflow is called from here: by its path where this environment is not an active one."""
    program = Path(sys.executable).with_name("mlflow")
    found = shutil.which("mlflow")
    return "mlflow" if found and Path(found) == program else os.path.relpath(program)
