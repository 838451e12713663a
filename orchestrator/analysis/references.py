"""Reference points of tasks with several objectives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.analysis.courses import Course, courses
from orchestrator.benchmark.records import Results, TaskRecord
from orchestrator.run.results import replacing
from search_spaces import ConfigurationError

REFERENCES = "references.json"
"""Where a run directory keeps them."""


@dataclass(frozen=True)
class _Entry:
    """A stored point, and what it belongs to.

    Args:
        objectives: with their directions.
        definition: of the task; None: unknown.
    """

    objectives: list[str]
    definition: str | None
    point: tuple[float, ...]

    def fits(self, task: TaskRecord) -> bool:
        """Whether it belongs to the task, as far as is known."""
        same = None in (self.definition, task.definition) or self.definition == task.definition
        return same and self.objectives == _objectives(task)


def references(
    results: Results, frozen: Mapping[str, tuple[float, ...]] | None = None
) -> dict[str, tuple[float, ...]]:
    """The losses that bound the hypervolume, by name of the task, for tasks with several objectives.

    The task's own point; else the one in ``frozen``; else, as in carps, the worst losses in any cell that
    counts. carps' reference moves when a method is added: keep what this returns, and pass it as ``frozen``
    from then on. A task without results has no reference yet.

    Raises:
        ConfigurationError: a frozen point has not one finite value per objective.
    """
    several = any(len(task.objectives) > 1 for task in results.tasks.values())
    return reference_points(results.tasks.values(), courses(results) if several else [], frozen or {})


def reference_points(
    tasks: Iterable[TaskRecord], courses: Iterable[Course], frozen: Mapping[str, tuple[float, ...]]
) -> dict[str, tuple[float, ...]]:
    """:func:`references`, for those who have the study's courses at hand."""
    seen: dict[str, list[Course]] = {}
    for course in courses:
        seen.setdefault(course.task.name, []).append(course)
    found = {}
    for task in tasks:
        if len(task.objectives) < 2:
            continue
        point = task.reference or frozen.get(task.name) or _worst(seen.get(task.name, []))
        if point is None:
            continue
        if len(point) != len(task.objectives) or not np.isfinite(point).all():
            expected = f"{len(task.objectives)} numbers, for {', '.join(task.objectives)}"
            raise ConfigurationError(f"references.{task.name}", expected, point)
        found[task.name] = tuple(map(float, point))
    return found


def load_references(path: Path, tasks: Mapping[str, TaskRecord]) -> dict[str, tuple[float, ...]]:
    """Reference points of ``tasks`` that were stored as JSON; none if there is no such file.

    Points of other objectives than the task has now are left out, and so are those of tasks that have been
    redefined since.

    Raises:
        ConfigurationError: it holds something else.
    """
    stored = _stored(path).items()
    return {name: entry.point for name, entry in stored if name in tasks and entry.fits(tasks[name])}


def check_references(path: Path, tasks: Sequence[TaskRecord]) -> None:
    """Make sure that a report on ``tasks`` will find nothing wrong with reference points.

    Args:
        path: where points may be stored.

    Raises:
        ConfigurationError: it would find something.
    """
    reference_points(tasks, [], load_references(path, {task.name: task for task in tasks}))


def save_references(
    path: Path, points: Mapping[str, tuple[float, ...]], tasks: Mapping[str, TaskRecord]
) -> None:
    """Store ``points`` of ``tasks`` if that changes anything; points of other tasks stay.

    Raises:
        ConfigurationError: the existing file cannot be read.
    """
    new = {
        name: _Entry(_objectives(tasks[name]), tasks[name].definition, point)
        for name, point in points.items()
    }
    stored = _stored(path)
    if stored == {**stored, **new}:
        return
    entries = {name: asdict(entry) for name, entry in {**stored, **new}.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _stored(path: Path) -> dict[str, _Entry]:
    """Points by task."""
    if not path.exists():
        return {}
    try:
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {
            task: _Entry(
                list(entry["objectives"]), entry.get("definition"), tuple(map(float, entry["point"]))
            )
            for task, entry in entries.items()
        }
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        expected, hint = "objectives and a point per task, as JSON", "delete the file to have it made again"
        raise ConfigurationError(path.name, expected, str(error), hint) from error


def _objectives(task: TaskRecord) -> list[str]:
    """The objectives of a point; one in the other direction is another objective."""
    return [f"{direction} {name}" for name, direction in zip(task.objectives, task.directions, strict=True)]


def _worst(courses: list[Course]) -> tuple[float, ...] | None:
    counted = [course.losses[~np.isnan(course.losses).any(axis=1)] for course in courses]
    points = [tuple(losses.max(axis=0).tolist()) for losses in counted if len(losses)]
    return tuple(map(max, zip(*points, strict=True))) if points else None
