"""Ranks within parts of a study, and how much they depend on any one suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from orchestrator.analysis.groups import Group
from orchestrator.analysis.places import Key, Pairing, block_ranks
from orchestrator.benchmark.records import TaskRecord

BREAKDOWN_COLUMNS = ("factor", "level", "method", "rank", "tasks")
STABILITY_COLUMNS = ("without", "method", "rank", "place", "tasks")

EVERYTHING = ""
"""``without`` of the ranks on all tasks."""

BreakdownRow = tuple[str, str, str, float, int]
StabilityRow = tuple[str, str, float, float, int]


def breakdown(
    group: Group, tasks: Mapping[str, TaskRecord], keys: Mapping[Pairing, Key]
) -> Iterator[BreakdownRow]:
    """Rows of :data:`BREAKDOWN_COLUMNS`: mean ranks by suite, number of parameters, noise and type.

    Factors with one level say nothing more than the whole, and are left out. ``tasks`` is how many there are
    in the level, variants of one problem counting once.
    """
    ranks = block_ranks(keys, group.blocks, group.methods)
    for factor, level_of in _FACTORS.items():
        levels: dict[str, list[int]] = {}
        for row, block in enumerate(group.blocks):
            levels.setdefault(level_of(tasks[block[0]]), []).append(row)
        for level, rows in levels.items() if len(levels) > 1 else ():
            for method, rank in zip(group.methods, ranks[rows].mean(axis=0).tolist(), strict=True):
                yield factor, level, method, rank, len(rows)


def stability(
    group: Group, tasks: Mapping[str, TaskRecord], keys: Mapping[Pairing, Key]
) -> Iterator[StabilityRow]:
    """Rows of :data:`STABILITY_COLUMNS`: mean ranks, and places by them, without each of the suites.

    A study of one suite has none.
    """
    every = block_ranks(keys, group.blocks, group.methods)
    suites = np.array([tasks[block[0]].suite for block in group.blocks], dtype=object)
    different = list(dict.fromkeys(suites))
    for without in [EVERYTHING, *different] if len(different) > 1 else ():
        kept = suites != without
        ranks = every[kept].mean(axis=0).tolist()
        for method, rank in zip(group.methods, ranks, strict=True):
            place = float(1 + sum(other < rank for other in ranks))
            yield without, method, rank, place, int(kept.sum())


def _parameters(task: TaskRecord) -> str:
    """The number of parameters, in powers of two."""
    low = 1 << (max(task.dimension, 1).bit_length() - 1)
    return str(low) if low == 1 else f"{low}–{2 * low - 1}"


_FACTORS: Mapping[str, Callable[[TaskRecord], str]] = {
    "suite": lambda task: task.suite,
    "parameters": _parameters,
    "noise": lambda task: "deterministic" if task.deterministic else "noisy",
    "type": lambda task: task.type,
}
