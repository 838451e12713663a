"""Writes a study's event files for TensorBoard by following its journal, off the training path."""

from __future__ import annotations

import logging
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import JournalReader
from orchestrator.text import first_line
from orchestrator.tracking.following import Following
from orchestrator.tracking.records import Record, record_of

if TYPE_CHECKING:
    from orchestrator.tracking.event_files import EventFiles

_log = logging.getLogger(__name__)


class TensorboardRecorder:
    """One study's event files, in ``tensorboard`` below its run directory.

    Where they cannot be written, one line says so, and the study goes on; what is missing is written when
    they can be, by this process or by one that resumes the study.

    Args:
        run: the run directory.
        resume: the command that completes them later.
    """

    def __init__(self, run: RunDirectory, resume: str) -> None:
        self._run, self._resume = run, resume
        self._reader = JournalReader(run.journal)
        self._record: Record | None = None
        self._files: EventFiles | None = None
        self._pending: defaultdict[str, list[bytes]] = defaultdict(list)
        self._failed = False
        self._following = Following(self._written, "tensorboard-recorder")

    @property
    def view(self) -> str:
        """What a user types to look at them."""
        return shlex.join(["tensorboard", "--logdir", str(self._run.tensorboard)])

    def start(self) -> None:
        """Follow the journal from now on, in a thread."""
        self._following.start()

    def finish(self) -> None:
        """Stop following the journal, and write what is left; may be called again."""
        if self._following.stop() and not self._written():
            _log.warning("The event files for TensorBoard are incomplete; `%s` completes them.", self._resume)

    def _written(self) -> bool:
        """Write all that the journal holds; returns whether that succeeded. The first failure is said."""
        try:
            self._drain()
        except Exception as error:  # noqa: BLE001 - files that people look at must not take the study with them
            if not self._failed:
                reason = first_line(str(error)) or type(error).__name__
                _log.warning("No event files for TensorBoard (%s); the study goes on without.", reason)
            self._failed = True
            return False
        return True

    def _drain(self) -> None:
        # It takes a second to import, and is not needed where nobody asked for event files.
        from orchestrator.tracking.event_files import EventFiles, records

        events = self._reader.poll()
        if events:
            kept = self._record = self._record or record_of(events[0])
            for run, record in (pair for event in events for pair in records(kept.feed([event]))):
                self._pending[run].append(record)
        self._files = self._files or EventFiles(self._run.tensorboard)
        for run in list(self._pending):
            add = self._files.append if self._files.knows(run) else self._files.complete
            add(run, self._pending[run])
            del self._pending[run]
