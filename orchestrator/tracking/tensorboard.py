"""Writes a study's event files for TensorBoard by following its journal, off the training path."""

from __future__ import annotations

import shlex
from collections import defaultdict
from typing import TYPE_CHECKING

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import JournalReader
from orchestrator.tracking.file_recorder import FileRecorder
from orchestrator.tracking.records import Record, record_of

if TYPE_CHECKING:
    from orchestrator.tracking.event_files import EventFiles


class TensorboardRecorder(FileRecorder):
    """One study's event files, in ``tensorboard`` below its run directory.

    Args:
        run: the run directory.
        resume: the command that completes them later.
    """

    def __init__(self, run: RunDirectory, resume: str) -> None:
        super().__init__("event files for TensorBoard", resume)
        self._run = run
        self._reader = JournalReader(run.journal)
        self._record: Record | None = None
        self._files: EventFiles | None = None
        self._pending: defaultdict[str, list[bytes]] = defaultdict(list)

    @property
    def view(self) -> str:
        """What a user types to look at them."""
        return shlex.join(["tensorboard", "--logdir", str(self._run.tensorboard)])

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
