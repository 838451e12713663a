"""Is ``optimizer=auto`` as good as the best single method? Mean ranks over tasks, by groups of tasks.

``python -m tests.benchmarks.auto_strength [--methods NAME …] [--groups WORD …] [--seeds N] [--evaluations N]
[--workers N] [--part training|validation|all|fresh|later|latest] [--after N …] [--results FILE]`` runs every
method on every task that it can serve (:mod:`.optimizer_tasks`), one after the other in this process, and
ranks them by the best loss or the hypervolume after ``--after`` trials, or when the budget is spent. A
method's rank on a task is one plus, for each other method, the share of pairs of seeds in which the other is
better; a tie is half. Methods that cannot serve all tasks of a group are not ranked in it.

``p`` is of a two-sided Wilcoxon signed-rank test of auto's ranks against those of the best single method over
the tasks, ``p_cells`` of van Elteren's test that auto is worse than it, over the seeds of all tasks. The last
line is JSON. The training tasks chose the rules of ``auto``; docs/search.md says with which reservations. The
fresh ones were run after the rules stood, the later ones after that for several objectives was changed, and
the latest after those about categories and conditions.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from orchestrator.benchmark.task import Task
from tests.benchmarks.default_strength import Comparison, combined
from tests.benchmarks.measuring import print_figures
from tests.benchmarks.optimizer_cells import Cell, Result, run_all, serves
from tests.benchmarks.optimizer_tasks import fresh_tasks, later_tasks, latest_tasks, tasks, validation

AUTO = "auto"
METHODS = (
    AUTO,
    "random",
    "optuna_tpe",
    "optuna_gp",
    "optuna_cmaes",
    "nevergrad_de",
    "optuna_nsga2",
    "smac_hpo",
)

PARTS = ("training", "validation", "all", "fresh", "later", "latest")

Values = Mapping[str, Mapping[str, Sequence[float]]]
"""By task and method, one for each seed; small is better."""


def chosen(group: Mapping[str, Task], part: str) -> list[str]:
    """The tasks of one part of a group."""
    kept = validation(group)
    if part == "training":
        return [name for name in group if name not in kept]
    return kept if part == "validation" else list(group)


def ranks(values: Values, methods: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Each method's rank on each task, 1 is best."""
    return {
        method: np.array([_rank(of_task, method, methods) for of_task in values.values()])
        for method in methods
    }


def _rank(of_task: Mapping[str, Sequence[float]], method: str, methods: Sequence[str]) -> float:
    own = np.asarray(of_task[method])
    others = (np.asarray(of_task[other]) for other in methods if other != method)
    return 1 + sum(float(_ahead(other, own)) for other in others)


def _ahead(other: np.ndarray[Any, Any], own: np.ndarray[Any, Any]) -> float:
    """The share of pairs in which the other is better."""
    pairs = other[:, None], own[None]
    return float(np.mean(np.less(*pairs) + np.equal(*pairs) / 2))


def figures(values: Values) -> dict[str, Any]:
    """Mean ranks, and auto against the best of the others."""
    methods = [
        name for name in dict.fromkeys(m for of in values.values() for m in of) if _complete(values, name)
    ]
    placed = ranks(values, methods)
    means = {name: float(rank.mean()) for name, rank in placed.items()}
    singles = [name for name in methods if name != AUTO]
    best = min(singles, key=means.__getitem__)
    result = {"n": len(values), "best_single": best, **dict(sorted(means.items(), key=lambda item: item[1]))}
    if AUTO not in methods:
        return result
    differences = placed[AUTO] - placed[best]
    same = not differences.any()
    cells = [
        Comparison(AUTO, task, tuple(of[AUTO]), tuple(of[best]), identical=0) for task, of in values.items()
    ]
    result["p"] = 1.0 if same else float(stats.wilcoxon(placed[AUTO], placed[best]).pvalue)
    return result | {"p_cells": combined(cells)}


def _complete(values: Values, method: str) -> bool:
    return all(method in of_task for of_task in values.values())


def values_after(found: Mapping[Cell, Result], names: Sequence[str], after: int) -> Values:
    """What was reached after so many evaluations, on some tasks."""
    values: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for cell, result in found.items():
        if cell.task in values:
            value = result.end if after == cell.evaluations else result.after(after)
            values[cell.task].setdefault(cell.method, []).append(value)
    return values


def cells_of(options: argparse.Namespace) -> dict[str, list[Cell]]:
    """The cells by group."""
    found: dict[str, list[Cell]] = {}
    made = {"fresh": fresh_tasks, "later": later_tasks, "latest": latest_tasks}.get(options.part, tasks)
    for group, members in made(options.evaluations).items():
        if options.groups and not any(word in group for word in options.groups):
            continue
        found[group] = [
            Cell(method, False, name, seed, options.evaluations, options.workers)
            for seed in range(options.seeds)
            for name in chosen(members, options.part)
            for method in options.methods
            if serves(method, members[name])
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), metavar="NAME")
    parser.add_argument("--groups", nargs="*", default=[], metavar="WORD")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1, help="evaluations at a time, simulated")
    parser.add_argument(
        "--after", nargs="*", type=int, default=[], help="evaluations after which they are ranked"
    )
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--results", type=Path, help="a file of results, to go on with and to add to")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    for group, cells in cells_of(options).items():
        found = run_all(cells, options.results)
        for after in options.after or [options.evaluations]:
            values = values_after(found, list(dict.fromkeys(cell.task for cell in cells)), after)
            reached = figures(values)
            print(f"{group}, after {after}: {reached}")
            result |= {f"{group}_{after}_{name}": value for name, value in reached.items()}
    print_figures({"seeds": options.seeds, "workers": options.workers, "part": options.part, **result})


if __name__ == "__main__":
    main()
