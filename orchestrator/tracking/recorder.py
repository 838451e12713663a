"""Records a study in MLflow by following its journal, off the training path."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from orchestrator.journal import Event, JournalReader
from orchestrator.passwords import masked, without_credentials
from orchestrator.run_directory import RunDirectory
from orchestrator.tracking import address, mlflow_client
from orchestrator.tracking.credentials import usable
from orchestrator.tracking.items import PARENT, Item, param
from orchestrator.tracking.mlflow_client import Runs, TrackingError
from orchestrator.tracking.records import Record, record_of

PERIOD, LONGEST_PERIOD = 2.0, 60.0
"""Seconds between two looks at the journal, and at most, while MLflow is away."""
SHARE = 0.1
"""Recording takes at most this share of the time, so that training keeps the processor."""
ITEMS_AT_ONCE = 20_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a journal has been recorded, and where; kept in the run directory.

    Args:
        configured: the tracking URI as it was configured, its password masked.
        uri: what that meant in the folder of the first process.
        events: events of the journal that are recorded.
        key: the tag that all runs of the record carry.
        run_id, children: MLflow's ids of the parent run and of the child runs by name.
    """

    configured: str
    uri: str
    experiment_id: str
    key: str
    events: int = 0
    run_id: str = ""
    children: Mapping[str, str] = field(default_factory=dict)


class MlflowRecorder:
    """One study's record in MLflow.

    Call :meth:`connect` and :meth:`begin` before training, :meth:`start` with it, and :meth:`finish` at the
    end. When MLflow is away meanwhile, the study goes on; the journal keeps what is missing, and this or a
    later process records it.

    Args:
        run_dir: the run directory.
        uri: MLflow tracking URI.
        experiment: the experiment's name.
        parameters: the study's resolved configuration by dotted key; the parent run's params.
    """

    def __init__(self, run_dir: Path, uri: str, experiment: str, parameters: Mapping[str, str]) -> None:
        self._run = RunDirectory(run_dir.absolute())
        self._uri, self._experiment, self._parameters = uri, experiment, parameters
        self._reader = JournalReader(self._run.journal)
        self._record: Record | None = None
        self._pending: list[Item] = []
        self._read = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._complete: bool | None = None

    def connect(self) -> None:
        """Reach MLflow, and make its database and experiment if needed.

        Raises:
            ConfigurationError: that failed; within seconds if nothing answers.
        """
        progress = self._load()
        uri = usable(self._uri, self._run)
        if progress is not None and address.sqlite_file(progress.uri):
            uri = progress.uri  # an absolute path, whatever the present folder
        connection = mlflow_client.connect(uri, self._experiment)
        if progress is None or progress.experiment_id != connection.experiment_id:
            place = (masked(self._uri), masked(connection.uri), connection.experiment_id)
            progress = Progress(*place, key=uuid.uuid4().hex)
        self._runs = Runs(connection, progress.key)
        self._progress = progress

    def begin(self) -> None:
        """Make the parent run, or continue an earlier record.

        Raises:
            ConfigurationError: that failed.
        """
        progress = self._progress
        try:
            self._runs.find()
            recorded = progress.events if PARENT in self._runs.ids else 0
            params = [param(PARENT, key, masked(value)) for key, value in self._parameters.items()]
            tags = {"run_directory": str(self._run.path)}
            self._runs.begin(self._run.path.name, tags, params)
        except TrackingError as error:
            raise address.unusable(progress.uri, error) from error
        past = self._reader.poll()
        self._read = len(past)
        self._feed(past[:recorded])
        self._pending = self._feed(past[recorded:])
        self._save(recorded)

    @property
    def run_id(self) -> str:
        """MLflow's id of the parent run."""
        return self._runs.ids[PARENT]

    @property
    def view(self) -> str:
        """What a user types, or opens, to look at the record."""
        uri = self._progress.uri
        if uri.startswith(address.SERVERS):
            place = f"#/experiments/{self._progress.experiment_id}/runs/{self.run_id}"
            return f"{uri.rstrip('/')}/{place}"
        return f"{mlflow_command()} ui --backend-store-uri {uri}"

    def start(self) -> None:
        """Follow the journal from now on, in a thread."""
        self._thread = threading.Thread(target=self._follow, name="mlflow-recorder", daemon=True)
        self._thread.start()

    def finish(self, status: str, artifacts: Path | None = None) -> bool:
        """Record what is left and end all runs; does so once, and later calls return what the first did.

        Args:
            status: how the study ended: FINISHED, FAILED or KILLED.
            artifacts: the folder of results to keep with the parent run, if there are any.

        Returns whether the record is complete; where it is not, a warning says how to complete it.
        """
        self.close()
        if self._complete is None:
            failure = self._conclude(status, artifacts)
            failure = failure and self._conclude(status, artifacts)
            self._complete = failure is None
            if failure is not None:
                advice = f"`python -m orchestrator resume={self._run.path}` completes it"
                _log.warning("The MLflow record is incomplete (%s); %s.", failure, advice)
        return self._complete

    def close(self) -> None:
        """Stop following the journal; runs stay as they are."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _follow(self) -> None:
        wait, away = PERIOD, False
        while not self._stop.wait(wait):
            began = time.monotonic()
            try:
                self._drain()
            except TrackingError as error:
                if not away:
                    _log.warning("MLflow is away (%s); the study goes on and is recorded later.", error)
                wait, away = min(2 * wait, LONGEST_PERIOD), True
            else:
                if away:
                    _log.warning("MLflow is back; the record is complete up to now.")
                wait, away = max(PERIOD, (time.monotonic() - began) / SHARE), False

    def _drain(self) -> None:
        """Record all that the journal holds; where that fails, the rest stays pending."""
        events = self._reader.poll()
        self._read += len(events)
        self._pending += self._feed(events)
        while self._pending:
            self._runs.log(self._pending[:ITEMS_AT_ONCE])
            del self._pending[:ITEMS_AT_ONCE]
        self._save(self._read)

    def _conclude(self, status: str, artifacts: Path | None) -> str | None:
        """Record the end; returns what went wrong."""
        try:
            self._drain()
            self._upload(artifacts)
            self._runs.end({**self._open_children(status), PARENT: status})
            self._save(self._read)
        except Exception as error:  # noqa: BLE001 - a record that fails must not take the study with it
            return address.in_one_line(error)
        return None

    def _feed(self, events: Sequence[Event]) -> list[Item]:
        """What events add to the record; the first of all says which kind of record it is."""
        if self._record is None and events:
            self._record = record_of(events[0])
        return self._record.feed(events) if self._record else []

    def _open_children(self, status: str) -> dict[str, str]:
        """The child runs that have not ended, each with the status that it ends with."""
        if self._record is None:
            return {}
        endings = {run: self._record.run_status(run, status) for run in self._runs.ids if run != PARENT}
        return {run: ending for run, ending in endings.items() if ending is not None}

    def _upload(self, artifacts: Path | None) -> None:
        if artifacts is not None:
            self._runs.upload(artifacts, artifacts.name)
        if self._run.config.is_file():
            self._runs.text(self._run.config.name, masked(self._run.config.read_text(encoding="utf-8")))
        if self._record is None:
            return
        for name, table in self._record.tables().items():
            self._runs.table(name, table)
        for folder, path in self._record.files().items():
            if (self._run.path / path).is_file():
                self._runs.upload(self._run.path / path, folder)

    def _load(self) -> Progress | None:
        """What an earlier process recorded under the same URI."""
        if not self._run.tracking.exists():
            return None
        progress = Progress(**json.loads(self._run.tracking.read_text()))
        progress = replace(progress, configured=masked(progress.configured), uri=masked(progress.uri))
        same = without_credentials(progress.configured) == without_credentials(self._uri)
        return progress if same else None

    def _save(self, events: int) -> None:
        children = {run: run_id for run, run_id in self._runs.ids.items() if run != PARENT}
        progress = replace(self._progress, events=events, run_id=self.run_id, children=children)
        if progress != self._progress or not self._run.tracking.exists():
            temporary = self._run.tracking.with_suffix(".part")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(asdict(progress), indent=2))
            temporary.replace(self._run.tracking)
        self._progress = progress


def mlflow_command() -> str:
    """How MLflow is called from here: by its path where this environment is not an active one."""
    program = Path(sys.executable).with_name("mlflow")
    found = shutil.which("mlflow")
    return "mlflow" if found and Path(found) == program else os.path.relpath(program)
