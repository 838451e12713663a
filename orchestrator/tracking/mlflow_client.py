"""MLflow, as far as any study needs it: a connection checked before training, batches that may be retried.

The runs of one study, a parent and its children, carry a common key as a tag, by which a later process finds
them again. Recording the same twice shows once: runs are looked up before they are made after a failure,
params and tags replace themselves, and MLflow drops metrics that are equal in key, step, time and value.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from orchestrator.tracking import address
from orchestrator.tracking.items import PARENT, Child, End, Item, Metric, Param, Tag
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

if TYPE_CHECKING:
    import pandas as pd

KEY_TAG, NAME_TAG = "orchestrator.record", "orchestrator.run"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages show what belongs to training, not to agents."""
METRICS_PER_CALL, SETTINGS_PER_CALL = 800, 50
"""Together below MLflow's limits of 1,000 entries and 1 MB in one call."""

T = TypeVar("T")


class TrackingError(Exception):
    """MLflow could not record something; it may work later."""


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
        client = mlflow.MlflowClient(uri)
        return Connection(client, uri, _experiment(client, experiment, path))
    except mlflow.MlflowException as error:
        raise address.unusable(uri, error) from error


class Runs:
    """The runs of one study, addressed by name; :data:`PARENT` names the parent.

    Args:
        connection: where they are.
        key: what all of them carry as a tag.

    Methods raise :class:`TrackingError` where MLflow fails; they may be called again with the same.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        self._client, self._experiment_id = connection.client, connection.experiment_id
        self._key = key
        self._in_doubt = True
        self.ids: dict[str, str] = {}

    def find(self) -> None:
        """Learn which runs there are already."""
        where, token = f"tags.`{KEY_TAG}` = '{self._key}'", None
        with self._translated():
            while True:
                page = self._client.search_runs([self._experiment_id], where, page_token=token)
                self.ids |= {run.data.tags[NAME_TAG]: run.info.run_id for run in page}
                token = page.token
                if not token:
                    break
        self._in_doubt = False

    def begin(self, name: str, tags: Mapping[str, str], params: Sequence[Param]) -> None:
        """Make the parent run, or take it up again.

        Params are for life: of a run that is taken up again, those it has already stay.
        """
        with self._translated():
            run = self._ensure(PARENT, tags, name)
            had = self._client.get_run(run).data.params
            self._client.update_run(run, "RUNNING")
        self.log([param for param in params if param.key not in had])

    def log(self, items: Iterable[Item]) -> None:
        """Record ``items`` in few calls; child runs are made as needed."""
        by_run: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            by_run[item.run].append(item)
        with self._translated():
            for run, own in by_run.items():
                children = [item for item in own if isinstance(item, Child)]
                born = children[0] if children else Child(run)
                run_id = self._ensure(run, born.tags, run, born.time)
                for metrics, params, tags in _calls(own):
                    self._client.log_batch(run_id, metrics, params, tags, synchronous=True)
                for end in (item for item in own if isinstance(item, End)):
                    self._client.set_terminated(run_id, end.status, end.time)

    def upload(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or the files of a folder, with the parent run; replaces an earlier upload."""
        with self._translated():
            upload = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
            upload(self.ids[PARENT], str(path), folder)

    def text(self, name: str, text: str) -> None:
        """Keep a text as a file with the parent run; replaces an earlier one."""
        with self._translated():
            self._client.log_text(self.ids[PARENT], text, name)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Show a table with the parent run.

        MLflow's own ``log_table`` appends to the table that is there; this one replaces it.
        """
        table = frame.to_json(orient="split", index=False)
        listed = json.dumps([{"path": name, "type": "table"}])
        with self._translated():
            self._client.log_text(self.ids[PARENT], table, name)
            self._client.set_tag(self.ids[PARENT], "mlflow.loggedArtifacts", listed)

    def end(self, statuses: Mapping[str, str]) -> None:
        """End runs, each with its status: FINISHED, FAILED or KILLED."""
        with self._translated():
            for run, status in statuses.items():
                self._client.set_terminated(self.ids[run], status)

    def _ensure(self, run: str, tags: Mapping[str, str], name: str, time: int | None = None) -> str:
        """The id of a run, which is made if there is none."""
        if run not in self.ids and self._in_doubt:
            self.find()  # a call that failed here may have succeeded there
        if run not in self.ids:
            own = {KEY_TAG: self._key, NAME_TAG: run, **_origin(), **tags}
            if run != PARENT:
                own["mlflow.parentRunId"] = self.ids[PARENT]
            made = self._client.create_run(self._experiment_id, time, own, name)
            self.ids[run] = made.info.run_id
        return self.ids[run]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """MLflow's stores raise whatever their transport raises."""
        try:
            yield
        except TrackingError:
            raise
        except Exception as error:
            self._in_doubt = True
            raise TrackingError(address.in_one_line(error)) from error


def _calls(
    items: Sequence[Item],
) -> Iterator[
    tuple[Sequence[mlflow.entities.Metric], Sequence[mlflow.entities.Param], Sequence[mlflow.entities.RunTag]]
]:
    metrics = [mlflow.entities.Metric(i.key, i.value, i.time, i.step) for i in items if isinstance(i, Metric)]
    params = {i.key: mlflow.entities.Param(i.key, i.value) for i in items if isinstance(i, Param)}
    tags = {i.key: mlflow.entities.RunTag(i.key, i.value) for i in items if isinstance(i, Tag)}
    yield from zip_longest(
        _portions(metrics, METRICS_PER_CALL),
        _portions([*params.values()], SETTINGS_PER_CALL),
        _portions([*tags.values()], SETTINGS_PER_CALL),
        fillvalue=(),
    )


def _portions(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


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
        location = str(sqlite.parent / "mlartifacts" / quote(name, safe="")) if sqlite else None
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


def _origin() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # containers whose user has no name
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "orchestrator"}
