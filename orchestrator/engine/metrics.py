"""What the figures that Ray exports for Prometheus have in common, whatever kind of study they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ray.util.metrics import Counter, Gauge

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, Journal


@dataclass(frozen=True)
class Labels:
    """What every figure of a run carries: two runs of a study, and two seeds of it, are told apart.

    Args:
        study: its name.
        run: name of the run directory.
        seed: of the study.
    """

    study: str
    run: str
    seed: str

    @classmethod
    def of(cls, study: Mapping[str, Any], run: RunDirectory) -> Labels:
        """The labels of a resolved configuration's run."""
        return cls(study["study"]["name"], run.path.name, str(study["seed"]))

    def gauge(self, name: str, description: str, *own: str) -> Gauge:
        """A figure that goes up and down; Ray exports it as ``ray_orchestrator_<name>``.

        Args:
            own: names of the labels that it has besides.
        """
        return self._labelled(Gauge, name, description, own)

    def counter(self, name: str, description: str, *own: str) -> Counter:
        """A figure that only grows while its process lives; named and labelled like a gauge."""
        return self._labelled(Counter, name, description, own)

    def _labelled(self, kind: Any, name: str, description: str, own: tuple[str, ...]) -> Any:
        made = kind(f"orchestrator_{name}", description, tag_keys=(*vars(self), *own))
        made.set_default_tags(dict(vars(self)))
        return made


class Exporting(Protocol):
    """Folds a journal's events into what is exported."""

    def feed(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in further events of the journal, in their order."""


class MeasuredJournal(Journal):
    """A journal whose events are exported once they are written.

    Args:
        path: of the journal.
        metrics: what exports them.
    """

    def __init__(self, path: Path, metrics: Exporting) -> None:
        super().__init__(path)
        self._metrics = metrics

    def append(self, *events: Event | Mapping[str, Any]) -> None:
        super().append(*events)
        self._metrics.feed(events)
