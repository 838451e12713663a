"""How a benchmark study that is under way looks to people: as one line, or as a live table."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.text import duration, number

LINES = 200
"""A study prints at most about this many lines."""


@dataclass(frozen=True)
class BenchmarkView:
    """Where a benchmark study stands.

    Args:
        cells: how many the study has.
        methods: of each its name and how many of its cells have finished, failed and been lost.
        rate: ended cells per second.
        seconds_left: until the end, as far as is known; NaN while it is not.
        failure: the latest failure as text, or the latest loss where there was none; empty without either.
    """

    study: str
    cells: int
    methods: tuple[tuple[str, int, int, int], ...]
    rate: float
    seconds_left: float
    failure: str

    @classmethod
    def of(cls, history: BenchmarkHistory) -> BenchmarkView:
        """The view of a history as it stands."""
        last = next(reversed([*history.lost[-1:], *history.failures[-1:]]), None)
        return cls(
            study=history.start.study,
            cells=history.start.cells,
            methods=tuple(
                (name, history.finished[name], history.failed(name), history.lost_of(name))
                for name in history.start.methods
            ),
            rate=history.rate,
            seconds_left=history.seconds_left,
            failure=f"{last.method} on {last.task}, seed {last.seed}: {last.reason}" if last else "",
        )

    @property
    def failed(self) -> int:
        """Cells that have failed."""
        return sum(failed for _, _, failed, _ in self.methods)

    @property
    def lost(self) -> int:
        """Cells that were lost with their machine."""
        return sum(lost for _, _, _, lost in self.methods)

    @property
    def ended(self) -> int:
        """Cells that have ended."""
        return sum(finished + failed + lost for _, finished, failed, lost in self.methods)

    @property
    def steps(self) -> int:
        """Ended cells in portions, each worth a line."""
        return self.ended * LINES // max(self.cells, LINES)

    def line(self) -> str:
        """Everything that matters in one line of plain text."""
        parts = [f"cell {self.ended:,}/{self.cells:,}", self._speed(), f"{duration(self.seconds_left)} left"]
        counts = [f"{verb} {count:,}" for verb, count in self._unfinished(self.failed, self.lost)]
        parts += [f"{', '.join(counts)} ({self.failure})"] if counts else []
        return " | ".join(parts)

    def table(self) -> RenderableType:
        """The live display."""
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(self.study, style="bold"),
            f"cell {self.ended:,}/{self.cells:,}",
            ProgressBar(total=1.0, completed=self.ended / self.cells, width=30),
            f"{duration(self.seconds_left)} left",
        )
        body = Table.grid(padding=(0, 2))
        body.add_column(style="dim")
        body.add_column(justify="right")
        for name, finished, failed, lost in self.methods:
            counts = [f"{count:,} {verb}" for verb, count in self._unfinished(failed, lost)]
            remark = Text(", ".join(counts), style="red")
            body.add_row(Text(name), Text(f"{finished:,}", style="bold green"), remark)
        body.add_row("speed", self._speed(), "")
        lines: list[RenderableType] = [head, body]
        if self.failure:
            lines.append(Text(f"last failure: {self.failure}", style="red"))
        return Group(*lines)

    @staticmethod
    def _unfinished(failed: int, lost: int) -> list[tuple[str, int]]:
        return [(verb, count) for verb, count in (("failed", failed), ("lost", lost)) if count]

    def _speed(self) -> str:
        """Per second where there is more than one, else how many seconds each takes."""
        if self.rate < 1:
            return f"{number(1 / self.rate) if self.rate else '–'} s/cell"
        return f"{number(self.rate)} cells/s"
