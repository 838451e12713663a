"""Keeps files of a run directory that people look at with other programs, by following its journal."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

from orchestrator.text import first_line
from orchestrator.tracking.following import Following

_log = logging.getLogger(__name__)


class FileRecorder(ABC):
    """Writes what a journal holds to other files, in a thread, off the training path.

    Where they cannot be written, one line says so, and the study goes on; what is missing is written when
    they can be, by this process or by one that resumes the study.

    Args:
        what: it writes; a plural.
        resume: the command that completes it later.
    """

    def __init__(self, what: str, resume: str) -> None:
        self._what, self._resume = what, resume
        self._failed = False
        self._following = Following(self._written, type(self).__name__)

    @abstractmethod
    def _drain(self) -> None:
        """Write all that the journal holds by now; what fails is tried again by the next call."""

    def start(self) -> None:
        """Follow the journal from now on, in a thread."""
        self._following.start()

    def finish(self) -> None:
        """Stop following the journal, and write what is left; may be called again."""
        if self._following.stop() and not self._written():
            _log.warning("The %s are incomplete; `%s` completes them.", self._what, self._resume)

    def _written(self) -> bool:
        """Write all that the journal holds; returns whether that succeeded. The first failure is said."""
        try:
            self._drain()
        except Exception as error:  # noqa: BLE001 - files that people look at must not take the study with them
            if not self._failed:
                reason = first_line(str(error)) or type(error).__name__
                _log.warning("No %s (%s); the study goes on without.", self._what, reason)
            self._failed = True
            return False
        return True
