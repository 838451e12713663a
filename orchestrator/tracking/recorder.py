"""Records a study in MLflow by following its journal, off the training path."""

from __future__ import annotations

import logging
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.config.passwords import has_password, is_masked, masked, without_credentials
from orchestrator.run import provenance
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, JournalReader, read_journal
from orchestrator.run.resume_command import resume_command
from orchestrator.tracking import address, mlflow_client, sqlite
from orchestrator.tracking.credentials import usable
from orchestrator.tracking.delivery import TrackingError
from orchestrator.tracking.following import Following
from orchestrator.tracking.items import PARENT, Item, param, tag
from orchestrator.tracking.progress import Progress, load, save
from orchestrator.tracking.records import Record, record_of
from orchestrator.tracking.runs import Runs
from orchestrator.tracking.uploads import upload
from search_spaces import ConfigurationError

ITEMS_AT_ONCE = 20_000

_log = logging.getLogger(__name__)


class MlflowRecorder:
    """One study's record in MLflow.

    Call :meth:`connect` and :meth:`begin` before training, :meth:`start` with it, and :meth:`finish` at the
    end. When MLflow is away meanwhile, the study goes on; the journal keeps what is missing, and this or a
    later process records it. A record that an earlier process began, or that is not ``required``, may wait
    from the start.

    Args:
        run_dir: the run directory.
        uri: MLflow tracking URI; its password may be masked, and is then looked up.
        experiment: the experiment's name.
        parameters: the study's resolved configuration by dotted key; the parent run's params.
        resume: the command that completes the record later; None: the run directory alone is needed.
        required: whether the study is refused where MLflow cannot be reached at its start.
    """

    def __init__(
        self,
        run_dir: Path,
        uri: str,
        experiment: str,
        parameters: Mapping[str, str],
        resume: str | None = None,
        required: bool = True,
    ) -> None:
        self._required = required
        self._run = RunDirectory(run_dir.absolute())
        self._uri, self._experiment, self._parameters = uri, experiment, parameters
        self._resume = resume or resume_command(self._run.path)
        self._reader = JournalReader(self._run.journal)
        self._progress: Progress | None = None
        self._runs: Runs | None = None
        self._record: Record | None = None
        self._pending: list[Item] = []
        self._anew: set[str] = set()
        self._read = 0
        self._begun = self._is_away = False
        self._following = Following(self._recorded, "mlflow-recorder")
        self._complete: bool | None = None

    def connect(self) -> None:
        """Reach MLflow, and make its database and experiment if needed.

        Raises:
            ConfigurationError: that failed, within seconds if nothing answers, and a record is required and
                has not been begun; or the URI is not one.
        """
        address.absolute(self._uri)
        self._progress = load(self._run, self._uri)
        try:
            self._open()
        except ConfigurationError as error:
            if self._progress is None and (self._required or error.key != address.KEY):
                raise
            self._away(error.hint or error)

    def begin(self) -> None:
        """Make the parent run, or continue an earlier record.

        Raises:
            ConfigurationError: that failed, and a record is required and has not been begun.
        """
        recorded_before = self._run.tracking.exists() and self._progress is not None
        try:
            self._ready()
        except TrackingError as error:
            if self._required and not recorded_before:
                raise address.unusable(self._uri, error) from error
            self._away(error)

    @property
    def run_id(self) -> str:
        """MLflow's id of the parent run."""
        return self._known.run_id

    @property
    def view(self) -> str | None:
        """What a user types, or opens, to look at the record; None where MLflow was never reached."""
        if self._progress is None or not self._progress.run_id:
            return None
        uri = self._known.uri
        if uri.startswith(address.SERVERS):
            place = f"#/experiments/{self._known.experiment_id}/runs/{self.run_id}"
            # A browser would take the mask for the password, and not ask for it.
            return f"{without_credentials(uri).rstrip('/')}/{place}"
        return shlex.join([mlflow_client.command(), "ui", "--backend-store-uri", uri])

    def start(self) -> None:
        """Follow the journal from now on, in a thread."""
        self._following.start()

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
            if failure is not None and self._begun:
                failure = self._conclude(status, artifacts)
            self._complete = failure is None
            if failure is not None:
                advice = f"`{self._resume}` completes it"
                _log.warning("The MLflow record is incomplete (%s); %s.", failure, advice)
        return self._complete

    def close(self) -> None:
        """Stop following the journal; runs stay as they are."""
        self._following.stop()

    def _recorded(self) -> bool:
        """Record all that the journal holds; returns whether MLflow was there."""
        try:
            self._drain()
        except TrackingError as error:
            self._away(error)
            return False
        self._back()
        return True

    def _away(self, reason: object) -> None:
        if not self._is_away:
            _log.warning("MLflow is away (%s); the study goes on and is recorded later.", reason)
        self._is_away = True

    def _back(self) -> None:
        if self._is_away:
            _log.warning("MLflow is back; the record is complete up to now.")
        self._is_away = False

    @property
    def _known(self) -> Progress:
        assert self._progress is not None, "not connected"
        return self._progress

    def _open(self) -> None:
        """Connect to where the record is, or is to be."""
        progress, uri = self._progress, usable(self._uri, self._run)
        if progress is not None and address.sqlite_file(progress.uri):
            uri = progress.uri  # an absolute path, whatever the present folder
        try:
            connection = mlflow_client.connect(uri, self._experiment)
        except ConfigurationError as error:
            if not is_masked(self._uri) or has_password(uri):
                raise
            hint = "its password was not kept: give tracking.uri with it"
            raise ConfigurationError(error.key, error.expected, error.found, hint) from error
        if progress is None or progress.experiment_id != connection.experiment_id:
            place = (masked(self._uri), masked(connection.uri), connection.experiment_id)
            progress = Progress(*place, key=uuid.uuid4().hex)
        runs = Runs(connection, progress.key)
        if progress.run_id:
            runs.ids |= {PARENT: progress.run_id, **progress.children}
        self._progress, self._runs = progress, runs

    def _ready(self) -> Runs:
        """The runs, connected and begun; tried again where an earlier attempt failed."""
        if self._runs is None:
            try:
                self._open()
            except ConfigurationError as error:
                raise TrackingError(address.in_one_line(error)) from error
        assert self._runs is not None
        if not self._begun:
            self._runs.find()
            self._begin_parent(self._runs)
            past, recorded = self._reader.poll(), self._known.events
            self._read = len(past)
            self._feed(past[:recorded])
            self._pending = self._feed(past[recorded:])
            self._save(recorded)
            self._begun = True
        return self._runs

    def _begin_parent(self, runs: Runs) -> None:
        params = [param(PARENT, key, masked(value)) for key, value in self._parameters.items()]
        runs.begin(self._run.path.name, {"run_directory": str(self._run.path)}, params)
        # A run that goes on may do so with other versions.
        runs.log([tag(PARENT, key, value) for key, value in provenance.tags(self._run).items()])

    def _drain(self) -> None:
        """Record all that the journal holds; where that fails, the rest stays pending."""
        runs = self._ready()
        events = self._reader.poll()
        self._read += len(events)
        self._pending += self._feed(events)
        try:
            self._renew(runs)
            while self._pending:
                runs.log(self._pending[:ITEMS_AT_ONCE])
                del self._pending[:ITEMS_AT_ONCE]
                self._renew(runs)
        finally:
            while runs.notes:
                _log.warning("%s", runs.notes.pop(0))
        self._save(self._read)

    def _renew(self, runs: Runs) -> None:
        """Record runs that somebody deleted in MLflow from their beginning."""
        self._anew |= runs.deleted
        runs.deleted.clear()
        if not self._anew:
            return
        if PARENT in self._anew:
            self._begin_parent(runs)
        past = read_journal(self._run.journal)[: self._read]
        again = [item for item in record_of(past[0]).feed(past) if item.run in self._anew] if past else []
        self._pending = again + [item for item in self._pending if item.run not in self._anew]
        names = sorted(run or "the parent run" for run in self._anew)
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        _log.warning("Deleted in MLflow meanwhile and recorded again: %s.", shown)
        self._anew.clear()

    def _conclude(self, status: str, artifacts: Path | None) -> str | None:
        """Record the end; returns what went wrong."""
        try:
            self._drain()
            runs = self._ready()
            runs.find()  # also notices runs that were deleted after they had ended
            self._drain()
            failure = upload(runs, self._run, self._record, artifacts)
            runs.end({**self._open_children(runs, status), PARENT: status})
            self._save(self._read)
        except Exception as error:  # noqa: BLE001 - a record that fails must not take the study with it
            return address.in_one_line(error)
        return failure

    def _feed(self, events: Sequence[Event]) -> list[Item]:
        """What events add to the record; the first of all says which kind of record it is."""
        if self._record is None and events:
            self._record = record_of(events[0])
        return self._record.feed(events) if self._record else []

    def _open_children(self, runs: Runs, status: str) -> dict[str, str]:
        """The child runs that have not ended, each with the status that it ends with."""
        if self._record is None:
            return {}
        endings = {run: self._record.run_status(run, status) for run in runs.ids if run != PARENT}
        return {run: ending for run, ending in endings.items() if ending is not None}

    def _save(self, events: int) -> None:
        runs = self._runs
        assert runs is not None
        children = {run: run_id for run, run_id in runs.ids.items() if run != PARENT}
        progress = replace(self._known, events=events, run_id=runs.ids[PARENT], children=children)
        if progress != self._progress or not self._run.tracking.exists():
            if (database := address.sqlite_file(progress.uri)) is not None:
                sqlite.sync(database)
            save(self._run, progress)
        self._progress = progress
