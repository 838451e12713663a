"""The journal of a population study, as the coordinator writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from orchestrator.population.records import MemberInterval, Report
from orchestrator.run.directory import RunDirectory, keep_traceback
from orchestrator.run.journal import Journal
from search_spaces import Config


class PopulationJournal(Journal):
    """A journal whose lines say when they were written, and the file of its members' failures beside it.

    Args:
        run: the run directory.
        clock: seconds since the epoch.
    """

    def __init__(self, run: RunDirectory, clock: Callable[[], float]) -> None:
        super().__init__(run.journal)
        self._failures, self._clock = run.failures, clock

    def write(self, *events: Mapping[str, Any]) -> None:
        """Append events with the present time, all in one piece."""
        self.append(*({**event, "time": self._clock()} for event in events))

    def write_failures(self, reports: Iterable[Report]) -> None:
        """Keep where workloads raised."""
        for report in (report for report in reports if report.traceback):
            whose = f"member {report.member}, generation {report.generation}"
            keep_traceback(self._failures, whose, report.traceback)


def first_events(header: Mapping[str, Any], born: Iterable[Config]) -> list[dict[str, Any]]:
    """The journal's first lines: what the study is, and the configuration that each member is born with."""
    births = ({"event": "born", "member": member, "config": dict(one)} for member, one in enumerate(born))
    return [{"event": "start", **header}, *births]


def final_event(
    models: Sequence[tuple[MemberInterval, PurePath]], tests: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """The journal's last line: the best publication, and under ``models`` all whose weights are kept.

    Args:
        models: the publications, the best first, and their files below the run directory.
        tests: their metrics on held-out data; fewer where they are not known.
    """
    known = [*tests, *({} for _ in models)]
    kept = [
        {
            "member": one.member,
            "generation": one.generation,
            "config": dict(one.config),
            "metrics": dict(one.metrics),
            "test": dict(test),
            "weights": str(weights),
        }
        for (one, weights), test in zip(models, known, strict=False)
    ]
    return {"event": "final", **kept[0], "models": kept}
