"""A study's past as its journal tells it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Self

from orchestrator.run.journal import Event


class StudyHistory(ABC):
    """What every kind of study reads from its journal in the same way; grows by :meth:`extend`.

    Attributes:
        kind: of the study, as the journal's first line names it.
    """

    kind: ClassVar[str]

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The history that ``events``, oldest first, tell.

        Raises:
            ValueError: the first event is not the start of a study of this kind.
        """
        rest = iter(events)
        first = next(rest, {})
        if first.get("event") != "start" or first.get("kind") != cls.kind:
            raise ValueError(f"expected the start of a {cls.kind} study, got {first.get('event')!r}")
        history = cls.begun(first)
        history.extend(rest)
        return history

    @classmethod
    @abstractmethod
    def begun(cls, event: Event) -> Self:
        """The history of a study that has only begun, with this event."""

    def extend(self, events: Iterable[Event]) -> None:
        """Take in further events in the order in which they were written; unknown kinds are skipped."""
        for event in events:
            self.take(event)

    @abstractmethod
    def take(self, event: Event) -> None:
        """Take in the next event."""
