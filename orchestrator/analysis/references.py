"""Reference points of tasks with several objectives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.analysis.courses import Course, courses
from orchestrator.benchmark.records import Results, TaskRecord
from orchestrator.results import replacing
from search_spaces import ConfigurationError


def references(
    results: Results, frozen: Mapping[str, tuple[float, ...]] | None = None
) -> dict[str, tuple[float, ...]]:
    """The losses that bound the hypervolume, by name of the task, for tasks with several objectives.

    The task's own; else the one of ``frozen``; else the worst losses seen in any finished cell, as carps
    has it. carps' reference moves when a method is added: keep what this returns, and give it as ``frozen``
    from then on. A task where nothing was found has no reference yet.

    Raises:
        ConfigurationError: a frozen point has not one finite value per objective.
    """
    return reference_points(results.tasks.values(), courses(results), frozen or {})


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
    """Reference points of ``tasks`` that were stored as JSON; none where there is no such file.

    A point that was stored for other objectives than the task has now is none.

    Raises:
        ConfigurationError: it holds something else.
    """
    return {
        name: point
        for name, (objectives, point) in _stored(path).items()
        if name in tasks and objectives == _objectives(tasks[name])
    }


def save_references(
    path: Path, points: Mapping[str, tuple[float, ...]], tasks: Mapping[str, TaskRecord]
) -> None:
    """Store ``points`` of ``tasks``; those of tasks that are not among these stay as they are.

    Raises:
        ConfigurationError: what is there already cannot be read.
    """
    every = {**_stored(path), **{name: (_objectives(tasks[name]), point) for name, point in points.items()}}
    entries = {name: {"objectives": names, "point": point} for name, (names, point) in every.items()}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _stored(path: Path) -> dict[str, tuple[list[str], tuple[float, ...]]]:
    """Objectives and point by task."""
    if not path.exists():
        return {}
    try:
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {
            task: (list(entry["objectives"]), tuple(map(float, entry["point"])))
            for task, entry in entries.items()
        }
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        expected, hint = "objectives and a point per task, as JSON", "delete the file to have it made again"
        raise ConfigurationError(path.name, expected, str(error), hint) from error


def _objectives(task: TaskRecord) -> list[str]:
    """What the numbers of a point are about; in the other direction it is another objective."""
    return [f"{direction} {name}" for name, direction in zip(task.objectives, task.directions, strict=True)]


def _worst(courses: list[Course]) -> tuple[float, ...] | None:
    counted = [course.losses[~np.isnan(course.losses).any(axis=1)] for course in courses]
    points = [tuple(losses.max(axis=0).tolist()) for losses in counted if len(losses)]
    return tuple(map(max, zip(*points, strict=True))) if points else None
