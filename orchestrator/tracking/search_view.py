"""How a search study that is under way looks to people: as one line, or as a live table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.objective import in_own_direction
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.text import number, setting
from orchestrator.tracking.layout import Times, columns, head, note, portions, shortened
from workloads.contract import Objective

BEFORE = "starting the workers"
"""What a study does before its first trial."""


@dataclass(frozen=True)
class SearchView:
    """Where a search study stands.

    Args:
        trials: how many the study has.
        finished, stopped, failed, lost, running: how many of them are.
        best: the best value of each objective among feasible trials, in its own direction; NaN: none yet.
        knee: the values of the knee point, likewise; of one objective those of the best trial.
        knee_trial: its number; None: there is none yet.
        hypervolume: of several objectives; NaN for one, and while an inferred reference point still moves
            inwards.
        front: trials in the Pareto set.
        evaluated, evaluations: how many evaluations of finalists have ended, and how many there are.
        config: the best configuration, or the knee point's.
        rate: ended trials per second.
        times: how long it has been running, and how long it will at the present rate.
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
    knee: tuple[float, ...]
    knee_trial: int | None
    hypervolume: float
    front: int
    evaluated: int
    evaluations: int
    config: tuple[tuple[str, str], ...]
    rate: float
    times: Times
    failure: str
    loss: str

    @classmethod
    def of(cls, history: SearchHistory) -> SearchView:
        """The view of a history as it stands."""
        start, several = history.start, len(history.start.objectives) > 1
        statuses, knee, finals = history.statuses, history.knee(), history.finals
        return cls(
            study=start.study,
            objectives=start.objectives,
            trials=start.trials,
            finished=statuses["finished"],
            stopped=statuses["stopped"],
            failed=statuses["failed"],
            lost=statuses["lost"],
            running=len(history.pending) + finals.pending,
            best=tuple(map(float, history.best())),
            knee=_values(knee, start.objectives),
            knee_trial=knee.number if knee else None,
            hypervolume=history.hypervolume() if several and history.settled else float("nan"),
            front=len(history.judged.archive.front),
            evaluated=len(finals.runs) - finals.pending,
            evaluations=finals.expected,
            config=tuple((name, setting(value)) for name, value in knee.config.items()) if knee else (),
            rate=history.rate,
            times=Times(history.elapsed, history.seconds_left),
            failure=_latest(history.failures),
            loss=_latest(history.lost),
        )

    @property
    def ended(self) -> int:
        """Trials that have ended."""
        return self.finished + self.stopped + self.failed + self.lost

    @property
    def steps(self) -> int:
        """Ended trials and evaluations in portions, each worth a line."""
        return portions(self.ended + self.evaluated, self.trials + self.evaluations)

    def line(self) -> str:
        """Everything that matters in one line of plain text."""
        parts = [f"trial {self.ended}/{self.trials}", f"running {self.running}"]
        parts += [f"finals {self.evaluated}/{self.evaluations}"] if self.evaluations else []
        parts += [f"stopped {self.stopped}"] if self.stopped else []
        parts += [f"failed {self.failed} ({shortened(self.failure)})"] if self.failed else []
        parts += [f"lost {self.lost} ({shortened(self.loss)})"] if self.lost else []
        parts += [
            f"{objective.name} best {number(value)}"
            for objective, value in zip(self.objectives, self.best, strict=True)
        ]
        if len(self.objectives) > 1:
            parts += [f"hypervolume {number(self.hypervolume)}", f"Pareto set {self.front}"]
        parts += [self._speed(), str(self.times)]
        return " | ".join(parts)

    def table(self, waited: float = 0.0) -> RenderableType:
        """The live display, when there has been no news for ``waited`` seconds."""
        done = self.ended / self.trials
        parts = [head(self.study, f"trial {self.ended}/{self.trials}", done, self.times.after(waited))]
        parts += [note(f"{BEFORE} …", "dim")] if not (self.ended or self.running) else []
        parts += [self._scores(), note(f"trials: {self._counts()}; {self._speed()}")]
        if len(self.objectives) > 1:
            parts.append(note(f"Pareto set {self.front} trials, hypervolume {number(self.hypervolume)}"))
        if self.evaluations:
            parts.append(note(f"finalists: {self.evaluated}/{self.evaluations} evaluations with new seeds"))
        if self.config:
            name = "knee point" if len(self.objectives) > 1 else "best trial"
            settings = ", ".join(f"{key} {value}" for key, value in self.config)
            parts.append(note(f"{name}: trial {self.knee_trial} with {settings}"))
        if self.failed:
            parts.append(note(f"failed {self.failed:,}, the last: {self.failure}", "red"))
        if self.lost:
            parts.append(note(f"lost {self.lost:,}, the last: {self.loss}", "yellow"))
        return Group(*parts)

    def _scores(self) -> RenderableType:
        """The best value of each objective and, of several, that of the best trade-off."""
        several = len(self.objectives) > 1
        scores = columns(("", "best so far", *(["knee point"] if several else [])))
        for place, objective in enumerate(self.objectives):
            arrow = "↑" if objective.direction == "max" else "↓"
            best = Text(number(self.best[place]), style="bold green")
            knee = [number(self.knee[place])] if several else []
            scores.add_row(f"{objective.name} {arrow}", best, *knee)
        return scores

    def _counts(self) -> str:
        counts = {"finished": self.finished, "stopped": self.stopped, "running": self.running}
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet"

    def _speed(self) -> str:
        """Per second where there is more than one, else how many seconds each takes."""
        if self.rate < 1:
            return f"{number(1 / self.rate)} s/trial"
        return f"{number(self.rate)} trials/s"


def _values(record: TrialRecord | None, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """What a trial reached, in the objectives' own directions; NaN where there is none."""
    losses = record.trial.losses if record and record.trial else (float("nan"),) * len(objectives)
    return tuple(in_own_direction(*pair) for pair in zip(losses, objectives, strict=True))


def _latest(reasons: dict[int, str]) -> str:
    return "trial {}: {}".format(*next(reversed(reasons.items()))) if reasons else ""
