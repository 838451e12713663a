"""The runs of one study in MLflow: made, found again, and filled in batches that may be sent twice.

They carry a common key as a tag, by which a later process finds them. Recording the same twice shows once:
runs are looked up before they are made after a failure, params and tags replace themselves, and MLflow drops
metrics that are equal in key, step, time and value.
"""

from __future__ import annotations

import getpass
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow

from orchestrator.tracking import address
from orchestrator.tracking.delivery import KEY_TAG, DeletedError, Delivery, TrackingError
from orchestrator.tracking.items import LONGEST_TAG, PARENT, RESULT, Child, Item, Metric, Param, Tag
from orchestrator.tracking.mlflow_client import Connection
from orchestrator.tracking.names import clean_text, column_names

if TYPE_CHECKING:
    import pandas as pd

NAME_TAG, PARENT_TAG = "orchestrator.run", "mlflow.parentRunId"
LATEST = "Latest result, of run"
"""How a description of an experiment begins that is ours."""
LONGEST_EXPERIMENT_TAG = 5_000
"""MLflow's limit, in characters."""
_DERIVED = re.compile(r"^(?:(?:final|test|best|median|born|config)\.)+")


class Runs:
    """The runs of one study, addressed by name; :data:`PARENT` names the parent.

    Args:
        connection: where they are.
        key: what all of them carry as a tag.

    Methods raise :class:`TrackingError` where MLflow fails; they may be called again with the same.

    Attributes:
        ids: MLflow's ids by name.
        deleted: runs that somebody deleted in MLflow; what they held is to be recorded again.
        notes: what was left out or goes by another name; whoever shows them empties the list.
    """

    def __init__(self, connection: Connection, key: str) -> None:
        self._client, self._experiment_id = connection.client, connection.experiment_id
        self._key = key
        self._in_doubt = True
        self._renamed: set[str] = set()
        self.ids: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.notes: list[str] = []
        self._delivery = Delivery(connection.client, key, self.notes)

    def find(self) -> None:
        """Learn which runs there are; those that were known and are gone count as deleted."""
        where, token = f"tags.`{KEY_TAG}` = '{self._key}'", None
        found: dict[str, str] = {}
        with self._translated():
            while True:
                page = self._client.search_runs([self._experiment_id], where, page_token=token)
                found |= {run.data.tags[NAME_TAG]: run.info.run_id for run in page}
                token = page.token
                if not token:
                    break
            missing = [run for run in self.ids if run not in found]
            self.deleted |= {run for run in missing if self._delivery.is_gone(self.ids[run])}
        self.ids = {run: id for run, id in self.ids.items() if run not in self.deleted} | found
        self._in_doubt = False

    def begin(self, name: str, tags: Mapping[str, str], params: Sequence[Param]) -> None:
        """Make the parent run, or take it up again; child runs that are there already become its own.

        Params are for life: of a run that is taken up again, those it has already stay.
        """
        with self._translated():
            orphans = [] if PARENT in self.ids else [run for run in self.ids if run != PARENT]
            run = self._ensure(PARENT, tags, name)
            for child in orphans:
                self._client.set_tag(self.ids[child], PARENT_TAG, run)
            had = self._client.get_run(run).data.params
            self._client.update_run(run, "RUNNING")
        self.log([param for param in params if param.key not in had])

    def log(self, items: Iterable[Item]) -> None:
        """Record ``items`` in few calls; child runs are made as needed, items of deleted runs are skipped."""
        by_run: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            by_run[item.run].append(item)
        with self._translated():
            for run, own in by_run.items():
                if not self.deleted & {run, PARENT}:
                    self._log_run(run, own)
                    if run == PARENT:
                        self._describe_experiment(own)
        self._tell_renamed(item for own in by_run.values() for item in own)

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

        MLflow's own ``log_table`` appends to the table that is there; this one replaces it. MLflow's page
        shows nothing in columns with a dot in their names, which get a slash.
        """
        table = frame.set_axis(column_names(frame.columns), axis=1).to_json(orient="split", index=False)
        listed = json.dumps([{"path": name, "type": "table"}])
        with self._translated():
            self._client.log_text(self.ids[PARENT], table, name)
            self._client.set_tag(self.ids[PARENT], "mlflow.loggedArtifacts", listed)

    def end(self, statuses: Mapping[str, str]) -> None:
        """End runs, each with its status: FINISHED, FAILED or KILLED."""
        with self._translated():
            for run, status in statuses.items():
                self._client.set_terminated(self.ids[run], status)

    def _log_run(self, run: str, items: Sequence[Item]) -> None:
        children = [item for item in items if isinstance(item, Child)]
        born = children[0] if children else Child(run)
        run_id = self._ensure(run, born.tags, run, born.time)
        try:
            self._delivery.send(run_id, items)
        except DeletedError:
            self.deleted.add(run)
            del self.ids[run]

    def _describe_experiment(self, items: Iterable[Item]) -> None:
        """Let the experiment's page say what came out last; a description that somebody wrote stays."""
        results = [item.value for item in items if isinstance(item, Tag) and item.key == RESULT]
        if not results:
            return
        there = self._client.get_experiment(self._experiment_id).tags.get(RESULT, "")
        if there and not there.startswith(LATEST):
            return
        name = self._client.get_run(self.ids[PARENT]).info.run_name
        text = clean_text(f"{LATEST} {name}: {results[-1]}", LONGEST_EXPERIMENT_TAG)
        try:
            self._client.set_experiment_tag(self._experiment_id, RESULT, text)
        except mlflow.MlflowException as error:  # who may record runs need not be allowed to
            self.notes.append(f"the experiment has no description ({address.in_one_line(error)})")

    def _tell_renamed(self, items: Iterable[Item]) -> None:
        """Note each name that MLflow has another one for, once."""
        named = (item for item in items if isinstance(item, Metric | Param | Tag))
        new: dict[str, tuple[str, str]] = {}
        for item in named:
            # What is derived from a name (``final.…``) is no news.
            base = _DERIVED.sub("", item.name or "")
            if item.name is None or base in self._renamed:
                continue
            if base not in new or len(item.name) < len(new[base][0]):
                new[base] = (item.name, item.key)
        self._renamed |= new.keys()
        if new:
            shown = [f"{name!r} is {key!r}" for name, key in [*new.values()][:5]]
            more = f" and {len(new) - len(shown)} more" if len(new) > len(shown) else ""
            self.notes.append(f"some names are different in MLflow: {', '.join(shown)}{more}")

    def _ensure(self, run: str, tags: Mapping[str, str], name: str, time: int | None = None) -> str:
        """The id of a run, which is made if there is none."""
        if run not in self.ids and self._in_doubt:
            self.find()  # a call that failed here may have succeeded there
        if run not in self.ids:
            own = {KEY_TAG: self._key, NAME_TAG: run, **_origin(), **tags}
            if run != PARENT:
                if PARENT not in self.ids:
                    raise TrackingError("the parent run was deleted meanwhile")
                own[PARENT_TAG] = self.ids[PARENT]
            own = {key: clean_text(value, LONGEST_TAG) for key, value in own.items()}
            made = self._client.create_run(self._experiment_id, time, own, clean_text(name, LONGEST_TAG))
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


def _origin() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # containers whose user has no name
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "orchestrator"}
