"""Ranks within parts of a study, and how much they depend on any one suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

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
    for factor, level_of in _FACTORS.items():
        levels: dict[str, list[tuple[str, ...]]] = {}
        for block in group.blocks:
            levels.setdefault(level_of(tasks[block[0]]), []).append(block)
        for level, blocks in levels.items() if len(levels) > 1 else ():
            for method, rank in zip(group.methods, _means(keys, blocks, group.methods), strict=True):
                yield factor, level, method, rank, len(blocks)


def stability(
    group: Group, tasks: Mapping[str, TaskRecord], keys: Mapping[Pairing, Key]
) -> Iterator[StabilityRow]:
    """Rows of :data:`STABILITY_COLUMNS`: mean ranks, and places by them, without each of the suites.

    A study of one suite has none.
    """
    suites = list(dict.fromkeys(tasks[block[0]].suite for block in group.blocks))
    for without in [EVERYTHING, *suites] if len(suites) > 1 else ():
        blocks = [block for block in group.blocks if tasks[block[0]].suite != without]
        ranks = _means(keys, blocks, group.methods)
        for method, rank in zip(group.methods, ranks, strict=True):
            place = float(1 + sum(other < rank for other in ranks))
            yield without, method, rank, place, len(blocks)


def _means(
    keys: Mapping[Pairing, Key], blocks: Sequence[Sequence[str]], methods: Sequence[str]
) -> list[float]:
    means: list[float] = np.mean(block_ranks(keys, blocks, methods), axis=0).tolist()
    return means


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
