"""Writes a search's Optuna journal file by following its journal, off the training path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import JournalReader
from orchestrator.tracking.file_recorder import FileRecorder

if TYPE_CHECKING:
    from orchestrator.search.history.optuna_file import OptunaFile
    from orchestrator.search.history.optuna_journal import OptunaJournal


class OptunaRecorder(FileRecorder):
    """One search's Optuna journal file, among its results.

    Args:
        study: the resolved configuration.
        run: the run directory.
        resume: the command that completes the file later.
    """

    def __init__(self, study: Mapping[str, Any], run: RunDirectory, resume: str) -> None:
        super().__init__("trials for optuna-dashboard", resume)
        self._study, self._run = study, run
        self._reader: JournalReader
        self._journal: OptunaJournal | None = None
        self._file: OptunaFile
        self._pending: list[bytes] = []

    def _drain(self) -> None:
        if self._read().void or not self._file.add(self._pending):
            self._journal = None
            self._read()
            self._file.add(self._pending)
        self._pending = []

    def _read(self) -> OptunaJournal:
        """Take in what is new in the study's journal; where that fails, all of it the next time."""
        # Optuna takes a second to import, and is not needed where nobody asked for its file.
        from orchestrator.search.history.optuna_journal import without_reopened

        journal, self._journal = self._journal or self._begun(), None
        self._pending += journal.feed(without_reopened(self._reader.poll()))
        self._journal = journal
        return journal

    def _begun(self) -> OptunaJournal:
        """Nothing has been read, and nothing is known of the file."""
        from orchestrator.search.history.optuna_file import OptunaFile
        from orchestrator.search.history.optuna_journal import OptunaJournal
        from orchestrator.search.trials.scheduled import tuned_space

        self._reader, self._file = JournalReader(self._run.journal), OptunaFile(self._run.optuna)
        self._pending = []
        return OptunaJournal(tuned_space(self._study))
