"""How a search study that is under way looks to people: as one line, or as a live table."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.search.history import SearchHistory
from orchestrator.text import duration, number, setting
from workloads.contract import Objective

LINES = 200
"""A study prints at most about this many lines."""


@dataclass(frozen=True)
class SearchView:
    """Where a search study stands.

    Args:
        trials: how many the study has.
        finished, stopped, failed, lost, running: how many of them are.
        best: the best value of each objective among feasible trials, in its own direction; NaN: none yet.
        hypervolume: of several objectives; NaN for one, and while an inferred reference point still moves
            inwards.
        front: trials in the Pareto set.
        config: the best configuration, or the knee point's.
        rate: ended trials per second.
        seconds_left: until the end at the present rate; NaN while unknown.
        failure, loss: the latest failed and the latest lost trial as text; empty where there was none.
    """

    study: str
    objectives: tuple[Objective, ...]
    trials: int
    finished: int
    stopped: int
    failed: int
    lost: int
    running: int
    best: tuple[float, ...]
    hypervolume: float
    front: int
    config: tuple[tuple[str, str], ...]
    rate: float
    seconds_left: float
    failure: str
    loss: str

    @classmethod
    def of(cls, history: SearchHistory) -> SearchView:
        """The view of a history as it stands."""
        start, several = history.start, len(history.start.objectives) > 1
        statuses, knee = history.statuses, history.knee()
        return cls(
            study=start.study,
            objectives=start.objectives,
            trials=start.trials,
            finished=statuses["finished"],
            stopped=statuses["stopped"],
            failed=statuses["failed"],
            lost=statuses["lost"],
            running=len(history.pending),
            best=tuple(map(float, history.best())),
            hypervolume=history.hypervolume() if several and history.settled else float("nan"),
            front=len(history.archive.front),
            config=tuple((name, setting(value)) for name, value in knee.config.items()) if knee else (),
            rate=history.rate,
            seconds_left=(start.trials - len(history.ended)) / history.rate,
            failure=_latest(history.failures),
            loss=_latest(history.lost),
        )

    @property
    def ended(self) -> int:
        """Trials that have ended."""
        return self.finished + self.stopped + self.failed + self.lost

    @property
    def steps(self) -> int:
        """Ended trials in portions, each worth a line."""
        return self.ended * LINES // max(self.trials, LINES)

    def line(self) -> str:
        """Everything that matters in one line of plain text."""
        parts = [f"trial {self.ended}/{self.trials}", f"running {self.running}"]
        parts += [f"stopped {self.stopped}"] if self.stopped else []
        parts += [f"failed {self.failed} ({self.failure})"] if self.failed else []
        parts += [f"lost {self.lost} ({self.loss})"] if self.lost else []
        parts += [
            f"{objective.name} best {number(value)}"
            for objective, value in zip(self.objectives, self.best, strict=True)
        ]
        if len(self.objectives) > 1:
            parts += [f"hypervolume {number(self.hypervolume)}", f"Pareto set {self.front}"]
        parts += [self._speed(), f"{duration(self.seconds_left)} left"]
        return " | ".join(parts)

    def table(self) -> RenderableType:
        """The live display."""
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(self.study, style="bold"),
            f"trial {self.ended}/{self.trials}",
            ProgressBar(total=1.0, completed=self.ended / self.trials, width=30),
            f"{duration(self.seconds_left)} left",
        )
        body = Table.grid(padding=(0, 2))
        body.add_column(style="dim")
        body.add_row("trials", self._counts(), self._speed())
        for objective, value in zip(self.objectives, self.best, strict=True):
            arrow = "↑" if objective.direction == "max" else "↓"
            body.add_row(f"{objective.name} {arrow}", Text(number(value), style="bold green"), "best")
        if len(self.objectives) > 1:
            body.add_row("hypervolume", number(self.hypervolume), f"Pareto set {self.front}")
        if self.config:
            name = "knee point" if len(self.objectives) > 1 else "best trial"
            body.add_row(name, Text(", ".join(f"{key} {value}" for key, value in self.config)), "")
        if self.failed:
            body.add_row("failed", Text(f"{self.failed:,}", style="red"), Text(self.failure, style="red"))
        if self.lost:
            body.add_row("lost", Text(f"{self.lost:,}", style="yellow"), Text(self.loss, style="yellow"))
        return Group(head, body)

    def _counts(self) -> str:
        counts = {"finished": self.finished, "stopped": self.stopped, "running": self.running}
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet"

    def _speed(self) -> str:
        """Per second where there is more than one, else how many seconds each takes."""
        if self.rate < 1:
            return f"{number(1 / self.rate)} s/trial"
        return f"{number(self.rate)} trials/s"


def _latest(reasons: dict[int, str]) -> str:
    return "trial {}: {}".format(*next(reversed(reasons.items()))) if reasons else ""
