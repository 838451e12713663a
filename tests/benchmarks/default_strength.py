"""Is an optimizer as it ships any weaker than its library with the library's own defaults?

``python -m tests.benchmarks.default_strength [--optimizers NAME …] [--tasks WORD …] [--seeds N]
[--evaluations N] [--results FILE]`` runs every configuration of conf/optimizer that has a library behind it,
and the bare library (:mod:`.bare_libraries`), one after the other in this process: no Ray. Tasks are those of
:mod:`.optimizer_tasks`, where both sides can serve them; ``--tasks`` keeps those whose group or name has one
of the words. With ``--results``, what is done is remembered, and the same command goes on.

For each task a one-sided Mann-Whitney test asks whether the shipped one is worse after all evaluations: the
best loss, or the hypervolume. Its p-values are corrected by Holm's method over the optimizer's tasks.
``p_worse`` combines the tasks by van Elteren's method (rank sums, standardised together), ``p_better`` is the
other side. ``identical`` counts the pairs of runs with the same seed that do the same in every evaluation.

A method may be followed by changes of its arguments (``optuna_nsga2:population_size=50``): such a variant is
compared with the same library. The last line is JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from orchestrator.analysis.statistics import holm
from tests.benchmarks.bare_libraries import BARE
from tests.benchmarks.measuring import print_figures
from tests.benchmarks.optimizer_cells import Cell, Result, chooses_fidelities, run_all, serves
from tests.benchmarks.optimizer_tasks import tasks

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """One optimizer on one task: values after all evaluations, small is better.

    Args:
        identical: how many pairs of runs with the same seed took the same course.
    """

    method: str
    task: str
    ours: tuple[float, ...]
    bare: tuple[float, ...]
    identical: int

    def p_value(self, alternative: str = "greater") -> float:
        """Of the one-sided test; ``greater``: that ours are worse."""
        if sorted(self.ours) == sorted(self.bare):
            return 1.0
        return float(stats.mannwhitneyu(self.ours, self.bare, alternative=alternative).pvalue)


def compared(found: Mapping[Cell, Result]) -> list[Comparison]:
    """The comparisons that the results allow."""
    ours: dict[tuple[str, str], dict[int, Result]] = {}
    bare: dict[tuple[str, str], dict[int, Result]] = {}
    for cell, result in found.items():
        side = bare if cell.bare else ours
        side.setdefault((cell.method, cell.task), {})[cell.seed] = result
    return [
        _compared(method, task, runs, bare[library(method), task]) for (method, task), runs in ours.items()
    ]


def library(method: str) -> str:
    """The method without changes."""
    return method.partition(":")[0]


def combined(comparisons: Sequence[Comparison], worse: bool = True) -> float:
    """Van Elteren's test over several tasks, one-sided, by the normal approximation."""
    surplus = variance = 0.0
    for one in comparisons:
        n, m = len(one.ours), len(one.bare)
        ranks = stats.rankdata([*one.ours, *one.bare])
        weight = 1 / (n + m + 1)
        surplus += weight * (ranks[:n].sum() - n * (n + m + 1) / 2)
        variance += weight**2 * n * m / (n + m) * float(ranks.var(ddof=1))
    if variance == 0:
        return 1.0
    z = surplus / np.sqrt(variance)
    return float(stats.norm.sf(z if worse else -z))


def figures(comparisons: Sequence[Comparison]) -> dict[str, float | int]:
    """What the last line says of each method."""
    result: dict[str, float | int] = {}
    for method in dict.fromkeys(one.method for one in comparisons):
        own = [one for one in comparisons if one.method == method]
        corrected = holm([one.p_value() for one in own])
        result |= {
            f"{method}_tasks": len(own),
            f"{method}_seeds": min(len(one.ours) for one in own),
            f"{method}_identical": sum(one.identical for one in own),
            f"{method}_worse": int(np.sum(np.asarray(corrected) < ALPHA)),
            f"{method}_p_worse": combined(own),
            f"{method}_p_better": combined(own, worse=False),
        }
    return result


def print_table(comparisons: Sequence[Comparison]) -> None:
    """Medians and p-values by method and task."""
    print(f"{'':>62}{'ours':>12}{'library':>12}{'p worse':>10}{'p better':>10}{'same':>6}")
    for one in comparisons:
        medians = f"{np.median(one.ours):>12.5g}{np.median(one.bare):>12.5g}"
        tests = f"{one.p_value():>10.3g}{one.p_value('less'):>10.3g}{one.identical:>6}"
        print(f"{one.method[:28]:>28} {one.task[-32:]:>33}{medians}{tests}")


def _compared(method: str, task: str, ours: Mapping[int, Result], bare: Mapping[int, Result]) -> Comparison:
    same = sum(seed in bare and result.trace == bare[seed].trace for seed, result in ours.items())
    ends = [tuple(result.end for result in side.values()) for side in (ours, bare)]
    return Comparison(method, task, *ends, same)


def cells_of(
    methods: Sequence[str], words: Sequence[str], seeds: Sequence[int], evaluations: int
) -> list[Cell]:
    """All cells of both sides, where the shipped one can serve the task."""
    cells: dict[Cell, None] = {}
    for group, members in tasks(evaluations).items():
        for name, task in members.items():
            if words and not any(word in group or word in name for word in words):
                continue
            for method in methods:
                # To one that chooses no fidelities, a task with several is the same as with one.
                if not serves(method, task) or chooses_fidelities(method) != task.multi_fidelity:
                    continue
                for bare in (False, True):
                    side = library(method) if bare else method
                    cells |= dict.fromkeys(Cell(side, bare, name, seed, evaluations) for seed in seeds)
    return sorted(cells, key=lambda cell: cell.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--optimizers", nargs="*", default=list(BARE), metavar="NAME")
    parser.add_argument("--tasks", nargs="*", default=[], metavar="WORD")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--results", type=Path, help="a file of results, to go on with and to add to")
    options = parser.parse_args()
    for method in options.optimizers:
        if library(method) not in BARE:
            parser.error(f"{method}: expected one of {', '.join(BARE)}")
    cells = cells_of(options.optimizers, options.tasks, range(options.seeds), options.evaluations)
    comparisons = compared(run_all(cells, options.results))
    print_table(comparisons)
    print_figures({"evaluations": options.evaluations, **figures(comparisons)})


if __name__ == "__main__":
    main()
