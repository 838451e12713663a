"""What does ``optimizer=meta`` gain and lose against models that are fitted to each study?

``python -m tests.benchmarks.meta_learned [--methods NAME …] [--seeds N] [--evaluations N] [--after N …]
[--results FILE] [--picture FILE]`` runs the methods on tasks of :mod:`.optimizer_tasks`, in this process:
those of families that the network never saw, and, apart from them, instances and data sets that it never saw
of families that it did. (Families of training: :mod:`orchestrator.optimizers.meta.families`.)

A method's rank on a task is one plus, for each other method, the share of pairs of seeds in which the other
is better. Of each part, and after each number of evaluations, it prints mean ranks over the tasks, the
p-value of Friedman's test, and those of Wilcoxon's signed-rank tests of ``meta`` against each other method,
two-sided, over the tasks' ranks, corrected by Holm's method. Seconds are those of a run, evaluations
included, divided by its evaluations. The last line is JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from orchestrator.analysis.statistics import friedman, holm, wilcoxon
from orchestrator.optimizers.meta.families import BBOB, LCBENCH_KEPT
from orchestrator.reporting.style import plain, save
from tests.benchmarks.auto_strength import Values, ranks, values_after
from tests.benchmarks.measuring import print_figures
from tests.benchmarks.optimizer_cells import Cell, Result, run_all
from tests.benchmarks.optimizer_tasks import tasks

mpl.use("Agg")
import matplotlib.pyplot as plt

META = "meta"
METHODS = (META, "optuna_gp", "optuna_tpe", "random")
IN_FAMILY = ("function=8,", "function=3,", "function=15,", f"={LCBENCH_KEPT[0]}")
XGBOOST = "=12"
"""The data set of XGBoost: of it, and of LCBench, one each, since a Gaussian process takes long on them."""
PARTS = {"held out": "families that the network never saw", "in family": "families that it was trained on"}


def part_of(task: str) -> str:
    """Whether the network was trained on the task's family; empty: the task is left out."""
    function = int(task.partition("function=")[2].partition(",")[0] or 0)
    if function in BBOB or task.startswith("lcbench"):
        return "in family" if any(word in task for word in IN_FAMILY) else ""
    return "" if task.startswith("rbv2") and not task.endswith(XGBOOST) else "held out"


def compared(values: Values, methods: Sequence[str]) -> dict[str, Any]:
    """Mean ranks, and the tests over the tasks."""
    placed = ranks(values, methods)
    others = [name for name in methods if name != META]
    p = holm([wilcoxon(placed[META], placed[name])[0] for name in others])
    return {
        "tasks": len(values),
        **{name: float(placed[name].mean()) for name in methods},
        "p_friedman": friedman(np.column_stack([placed[name] for name in methods]))[1],
        **{f"p_{name}": float(value) for name, value in zip(others, p, strict=True)},
    }


def figures(found: Mapping[Cell, Result], methods: Sequence[str], after: Sequence[int]) -> dict[str, Any]:
    """What the last line says, and the table before it."""
    result: dict[str, Any] = {}
    for part in PARTS:
        names = [name for name in dict.fromkeys(cell.task for cell in found) if part_of(name) == part]
        for count in after:
            one = compared(values_after(found, names, count), methods)
            print(
                f"{part}, after {count}: " + ", ".join(f"{name} {value:.3g}" for name, value in one.items())
            )
            result |= {f"{part} {count} {name}".replace(" ", "_"): value for name, value in one.items()}
    for method in methods:
        own = [result.seconds / cell.evaluations for cell, result in found.items() if cell.method == method]
        result[f"seconds_{method}"] = float(np.mean(own))
    return result


def print_tasks(found: Mapping[Cell, Result], methods: Sequence[str]) -> None:
    """Medians over the seeds when the budget is spent."""
    print(f"{'':>45}" + "".join(f"{name:>13}" for name in methods))
    for task in dict.fromkeys(cell.task for cell in found):
        of = values_after(found, [task], max(cell.evaluations for cell in found))[task]
        print(f"{task[-44:]:>45}" + "".join(f"{np.median(of[name]):>13.5g}" for name in methods))


def draw(found: Mapping[Cell, Result], methods: Sequence[str], path: Path) -> None:
    """Mean ranks after each evaluation, one panel for each part."""
    evaluations = max(cell.evaluations for cell in found)
    counts = range(2, evaluations + 1)
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, (part, words) in zip(panels, PARTS.items(), strict=True):
        names = [name for name in dict.fromkeys(cell.task for cell in found) if part_of(name) == part]
        placed = [ranks(values_after(found, names, count), methods) for count in counts]
        for method in methods:
            axis.plot(counts, [one[method].mean() for one in placed], label=method)
        axis.set_title(f"{len(names)} tasks of {words}", fontsize=10)
        axis.set_xlabel("evaluations")
        plain(axis)
    panels[0].set_ylabel("mean rank (1 is best)")
    panels[1].legend(frameon=False)
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=30)
    parser.add_argument("--after", nargs="*", type=int, default=[10, 20, 30], metavar="N")
    parser.add_argument("--results", type=Path, help="a file of results, to go on with and to add to")
    parser.add_argument("--picture", type=Path, help="where to draw mean ranks")
    options = parser.parse_args()
    known = [name for group in ("numbers", "mixed") for name in tasks(options.evaluations)[group]]
    cells = [
        Cell(method, False, name, seed, options.evaluations)
        for seed in range(options.seeds)
        for name in filter(part_of, known)
        for method in options.methods
    ]
    found = run_all(cells, options.results)
    print_tasks(found, options.methods)
    if options.picture:
        draw(found, options.methods, options.picture)
    print_figures({"seeds": options.seeds, **figures(found, options.methods, options.after)})


if __name__ == "__main__":
    main()
