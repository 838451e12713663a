"""Reference points of tasks with several objectives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from orchestrator.analysis.courses import Course, courses
from orchestrator.benchmark.records import Results, TaskRecord
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


def load_references(path: Path) -> dict[str, tuple[float, ...]]:
    """Reference points by task that were stored as JSON; none where there is no such file.

    Raises:
        ConfigurationError: it holds something else.
    """
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {str(task): tuple(map(float, point)) for task, point in stored.items()}
    except (ValueError, TypeError, AttributeError) as error:
        hint = "delete the file to have it made again"
        raise ConfigurationError(
            path.name, "a list of numbers per task, as JSON", str(error), hint
        ) from error


def _worst(courses: list[Course]) -> tuple[float, ...] | None:
    counted = [course.losses[~np.isnan(course.losses).any(axis=1)] for course in courses]
    points = [tuple(losses.max(axis=0).tolist()) for losses in counted if len(losses)]
    return tuple(map(max, zip(*points, strict=True))) if points else None
