"""How long a study has been running, read from its journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class StudyTime:
    """Seconds from a study's start to its latest event, folded from its journal; pauses do not count.

    A pause lasts from the latest event before a resume to the resume.

    Args:
        start: seconds since the epoch.
    """

    def __init__(self, start: float) -> None:
        self._start = self._latest = start
        self._paused = 0.0

    @property
    def seconds(self) -> float:
        """How long it had been running when its latest event was written."""
        return self.at(self._latest)

    def at(self, time: float) -> float:
        """The same for a time, in seconds since the epoch, while it runs."""
        return time - self._start - self._paused

    def go_on(self, time: float) -> None:
        """The study goes on after a pause."""
        self._paused += time - self._latest
        self._latest = time

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in the next event; one without a time changes nothing."""
        if "time" not in event:
            return
        if event["event"] == "resume":
            self.go_on(event["time"])
        self._latest = event["time"]
