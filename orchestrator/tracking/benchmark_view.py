"""How a benchmark study that is under way looks to people: as one line, or as a live table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.text import number
from orchestrator.tracking.layout import Times, columns, head, note, portions, shortened

MOST_METHODS = 14
"""How many methods the table has at most, so that all of it fits a terminal of 24 lines."""

BEFORE = "starting the workers, computing the first cells"
"""What a study does before its first cell has ended."""


@dataclass(frozen=True)
class MethodStanding:
    """How a method stands.

    Args:
        finished, failed, lost: how many of its cells have.
        rank: its mean rank so far; NaN: nothing can be compared yet.
    """

    name: str
    finished: int
    failed: int
    lost: int
    rank: float


@dataclass(frozen=True)
class BenchmarkView:
    """Where a benchmark study stands.

    Args:
        cells: how many the study has.
        methods: how each stands, the best first; in the study's order while nothing can be compared.
        compared: pairs of a task and a seed that the ranks are of.
        rate: ended cells per second.
        times: how long it has been running, and how long it will as far as is known.
        failure: the latest failure as text, or the latest loss where there was none; empty without either.
    """

    study: str
    cells: int
    methods: tuple[MethodStanding, ...]
    compared: int
    rate: float
    times: Times
    failure: str

    @classmethod
    def of(cls, history: BenchmarkHistory) -> BenchmarkView:
        """The view of a history as it stands."""
        last = next(reversed([*history.lost[-1:], *history.failures[-1:]]), None)
        ranks = history.standings.ranks
        methods = [
            MethodStanding(
                name,
                history.finished[name],
                history.failed(name),
                history.lost_of(name),
                ranks.get(name, math.nan),
            )
            for name in history.start.methods
        ]
        return cls(
            study=history.start.study,
            cells=history.start.cells,
            methods=tuple(sorted(methods, key=lambda one: one.rank) if ranks else methods),
            compared=history.standings.compared,
            rate=history.rate,
            times=Times(history.elapsed, history.seconds_left),
            failure=f"{last.method} on {last.task}, seed {last.seed}: {last.reason}" if last else "",
        )

    @property
    def failed(self) -> int:
        """Cells that have failed."""
        return sum(one.failed for one in self.methods)

    @property
    def lost(self) -> int:
        """Cells that were lost with their machine."""
        return sum(one.lost for one in self.methods)

    @property
    def ended(self) -> int:
        """Cells that have ended."""
        return sum(one.finished for one in self.methods) + self.failed + self.lost

    @property
    def steps(self) -> int:
        """Ended cells in portions, each worth a line."""
        return portions(self.ended, self.cells)

    def line(self) -> str:
        """Everything that matters in one line of plain text."""
        parts = [f"cell {self.ended:,}/{self.cells:,}", self._speed(), str(self.times)]
        parts += [f"ahead {self._ahead()}"] if self.compared else []
        counts = [f"{verb} {count:,}" for verb, count in self._unfinished(self.failed, self.lost)]
        parts += [f"{', '.join(counts)} ({shortened(self.failure)})"] if counts else []
        return " | ".join(parts)

    def table(self, waited: float = 0.0) -> RenderableType:
        """The live display, when there has been no news for ``waited`` seconds."""
        progress = f"cell {self.ended:,}/{self.cells:,}, {self._speed()}"
        parts = [head(self.study, progress, self.ended / self.cells, self.times.after(waited))]
        parts += [note(f"{BEFORE} …", "dim")] if not self.ended else []
        parts += [note(f"last failure: {self.failure}", "red")] if self.failure else []
        body = columns(("method", "finished", "mean rank so far", ""))
        for place, one in enumerate(self.methods[:MOST_METHODS]):
            counts = ", ".join(f"{count:,} {verb}" for verb, count in self._unfinished(one.failed, one.lost))
            style = "bold green" if self.compared and not place else ""
            body.add_row(one.name, f"{one.finished:,}", Text(number(one.rank), style), Text(counts, "red"))
        parts.append(body)
        if (others := len(self.methods) - MOST_METHODS) > 0:
            parts.append(note(f"and {others} more methods", "dim"))
        if self.compared:
            noun = "pair of a task and a seed" if self.compared == 1 else "pairs of a task and a seed"
            parts.append(note(f"1 is best; of the {self.compared:,} {noun} with cells of all methods", "dim"))
        return Group(*parts)

    def _ahead(self) -> str:
        """The methods with the best mean rank so far."""
        first = self.methods[0]
        names = [one.name for one in self.methods if one.rank == first.rank]
        return f"{', '.join(names)} (mean rank {number(first.rank)} of {len(self.methods)})"

    @staticmethod
    def _unfinished(failed: int, lost: int) -> list[tuple[str, int]]:
        return [(verb, count) for verb, count in (("failed", failed), ("lost", lost)) if count]

    def _speed(self) -> str:
        """Per second where there is more than one, else how many seconds each takes."""
        if self.rate < 1:
            return f"{number(1 / self.rate) if self.rate else '–'} s/cell"
        return f"{number(self.rate)} cells/s"
