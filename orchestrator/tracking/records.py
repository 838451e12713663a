"""Which record belongs to which kind of study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from orchestrator.run.journal import Event
from orchestrator.tracking.benchmark import BenchmarkRecord
from orchestrator.tracking.items import Item
from orchestrator.tracking.population import PopulationRecord
from orchestrator.tracking.preference import PreferenceRecord
from orchestrator.tracking.search import SearchRecord

if TYPE_CHECKING:
    import pandas as pd


class Record(Protocol):
    """Turns a journal's events, in their order, into what is to be recorded; depends on them alone."""

    def feed(self, events: Iterable[Event]) -> list[Item]:
        """What the next events add to the record."""

    def run_status(self, run: str, status: str) -> str | None:
        """How a child run ends where the study ends with ``status``; None: it has ended already."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables to show with the parent run, by the name of the artifact."""

    def files(self) -> dict[str, str]:
        """Further files to keep with it: paths below the run directory, by the artifact's folder."""


def record_of(start: Event) -> Record:
    """The empty record of the study that a journal's first event starts."""
    kinds: dict[str, type[Record]] = {
        "search": SearchRecord,
        "benchmark": BenchmarkRecord,
        "preference": PreferenceRecord,
    }
    return kinds.get(start["kind"], PopulationRecord)()
