"""What the plots of a search study show, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orchestrator.objective import sign
from orchestrator.reporting.scales import Floats, logarithmic, numbering
from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.search.history.importance import Importance, importance
from orchestrator.text import number, setting
from search_spaces import SearchSpace
from search_spaces.columns import Column
from search_spaces.domains import choices
from workloads.contract import Objective


@dataclass(frozen=True)
class Axis:
    """One quantity of the trials.

    Args:
        name: what it is.
        values: one for each fully trained trial, a category by its position; NaN where inactive.
        log: whether it is drawn on a logarithmic axis.
        categories: names of the values 0, 1, …; None where values are numbers.
        limits: the ends of its range, where that is known.
        better: the better direction of an objective.
        early: the same for trials that were trained less; for an objective, their last values.
        whole: whether all of its values are whole numbers.
    """

    name: str
    values: Floats
    log: bool = False
    categories: tuple[str, ...] | None = None
    limits: tuple[float, float] | None = None
    better: Literal["", "lower", "higher"] = ""
    early: Floats = field(default_factory=lambda: np.empty(0))
    whole: bool = False

    @property
    def label(self) -> str:
        """The name, and of an objective the direction that is better."""
        return f"{self.name} ({self.better} is better)" if self.better else self.name

    @property
    def short(self) -> str:
        """The same with an arrow."""
        return f"{self.name} {'↓' if self.better == 'lower' else '↑'}" if self.better else self.name


@dataclass(frozen=True)
class LessTrained:
    """The trials with a result that were not trained fully, such as trials that a rule stopped.

    Args:
        trials: their numbers, shape ``(k,)``.
        progress: how far each came, from 0 (the first rung) to 1 (full training) on a logarithmic scale.
        descriptions: configuration, fidelity and results of each, as lines of text.
    """

    trials: NDArray[np.int64]
    progress: Floats
    descriptions: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """Everything that is drawn of a study. Arrays are over the ``n`` trials that were trained fully.

    Args:
        history: the whole study.
        title: the study in one line.
        counts: how many trials ended how; empty where all were trained fully.
        unit: of fidelity.
        trials: their numbers, shape ``(n,)``.
        less: the trials that were trained less.
        descriptions: configuration and results of each, as lines of text.
        parameters: the parameters that vary.
        objectives: in their own units and directions.
        feasible, pareto: which of them are, shape ``(n,)``.
        knee: position of the best trade-off; None where nothing is feasible.
        reference: reference point in the objectives' own directions, shape ``(m,)``; NaN where unknown.
        importance: of the hyperparameters.
        space: what was searched.
    """

    history: SearchHistory
    title: str
    counts: str
    unit: str
    trials: NDArray[np.int64]
    less: LessTrained
    descriptions: tuple[str, ...]
    parameters: tuple[Axis, ...]
    objectives: tuple[Axis, ...]
    feasible: NDArray[np.bool_]
    pareto: NDArray[np.bool_]
    knee: int | None
    reference: Floats
    importance: tuple[Importance, ...]
    space: SearchSpace

    @property
    def by_importance(self) -> list[Axis]:
        """The parameters, the most important for the first objective first."""
        ranked = list(self.importance[0].shares) if self.importance else []
        places = {name: place for place, name in enumerate(ranked)}
        return sorted(self.parameters, key=lambda axis: places.get(axis.name, len(places)))

    @property
    def known(self) -> bool:
        """Whether any trial has a result, fully trained or not."""
        return len(self.trials) + len(self.less.trials) > 0


def overview(history: SearchHistory, space: SearchSpace) -> Overview:
    """What there is to see of a study."""
    losses = history.archive.losses
    rows = np.flatnonzero(np.isfinite(losses).all(axis=1))
    records = [history.ended[row] for row in rows]
    less = _less_trained(history)
    front = {record.number for record in history.pareto()}
    knee = history.knee()
    start = history.start
    columns = zip(start.objectives, losses[rows].T, _losses(less, history).T, strict=True)
    numbers = [record.number for record in records]
    return Overview(
        history=history,
        title=_title(history),
        counts=_counts(history, len(records), len(less)),
        unit=start.unit,
        trials=np.array(numbers, dtype=np.int64),
        less=_less(history, less),
        descriptions=tuple(_description(record, start.objectives) for record in records),
        parameters=tuple(_parameter(column, space, records, less) for column in space.codec.columns),
        objectives=tuple(_objective(*column) for column in columns),
        feasible=np.array([record.trial is not None and record.trial.feasible for record in records], bool),
        pareto=np.array([number in front for number in numbers], dtype=bool),
        knee=None if knee is None else numbers.index(knee.number),
        reference=history.reference(),
        importance=importance(history, space),
        space=space,
    )


def _title(history: SearchHistory) -> str:
    start = history.start
    stopping = f" and {start.stopping}" if start.stopping else ""
    trials = f"{len(history.ended)} of {start.trials} trials"
    return f"{start.study}: {start.optimizer}{stopping}, {trials}, seed {start.seed}"


def _counts(history: SearchHistory, full: int, less: int) -> str:
    counts = {"trained fully": full, "trained less": less}
    counts |= {"failed": len(history.failures), "lost": len(history.lost)}
    shown = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return "" if full == len(history.ended) else shown


def _less_trained(history: SearchHistory) -> list[TrialRecord]:
    unknown = np.isnan(history.archive.losses).any(axis=1)
    usable = [trial.usable for trial in history.trials]
    return [history.ended[row] for row in np.flatnonzero(unknown) if usable[row]]


def _less(history: SearchHistory, records: Sequence[TrialRecord]) -> LessTrained:
    objectives, unit = history.start.objectives, history.start.unit
    reached = [_reached(record) for record in records]
    ends = np.log([history.start.rungs[0], max(history.start.rungs[-1], history.start.rungs[0] + 1)])
    return LessTrained(
        trials=np.array([record.number for record in records], dtype=np.int64),
        progress=np.interp(np.log(reached), ends, (0.0, 1.0)) if reached else np.empty(0),
        descriptions=tuple(
            f"{_description(record, objectives)}\ntrained for {fidelity:,} {unit}s"
            for record, fidelity in zip(records, reached, strict=True)
        ),
    )


def _reached(record: TrialRecord) -> int:
    return (record.trial.fidelity if record.trial else None) or 1


def _description(record: TrialRecord, objectives: Sequence[Objective]) -> str:
    metrics = record.trial.metrics if record.trial else {}
    lines = [f"trial {record.number}"]
    lines += [f"{objective.name}: {number(metrics[objective.name])}" for objective in objectives]
    lines += [f"{name}: {setting(value)}" for name, value in record.config.items()]
    return "\n".join(lines)


def _parameter(
    column: Column, space: SearchSpace, records: Sequence[TrialRecord], less: Sequence[TrialRecord]
) -> Axis:
    known = choices(space.configuration_space[column.name]) if column.size else ()
    categories = tuple(map(str, known)) if column.size else None
    place = numbering(categories)
    values, early = (
        np.array([place(record.config.get(column.name)) for record in some], dtype=float)
        for some in (records, less)
    )
    limits = (column.low, column.high)
    used = [record.config[column.name] for record in (*records, *less) if column.name in record.config]
    # Where no trial had the parameter, nothing says that it is whole.
    whole = bool(used) and all(isinstance(value, int) for value in used)
    return Axis(column.name, values, column.log, categories, limits, early=early, whole=whole)


def _losses(records: Sequence[TrialRecord], history: SearchHistory) -> Floats:
    """Their last losses, shape ``(k, m)``."""
    rows = [record.trial.losses for record in records if record.trial]
    return np.array(rows, dtype=float).reshape(len(rows), len(history.start.objectives))


def _objective(objective: Objective, losses: Floats, early: Floats) -> Axis:
    values = sign(objective) * losses
    better: Literal["lower", "higher"] = "lower" if objective.direction == "min" else "higher"
    log = logarithmic(np.append(values, sign(objective) * early), objective)
    return Axis(objective.name, values, log, better=better, early=sign(objective) * early)
