"""Do methods that choose fidelities pay off where a promotion trains the difference alone, as in a search?

``python -m tests.benchmarks.fidelity_strength [--methods NAME …] [--part seen|fresh|all] [--tasks WORD …]
[--seeds N] [--budgets N …] --results FILE`` runs every method on every task, one after the
other in this process. A trial costs the training that its configuration has not had yet: what a search
charges, and what the benchmarks of this program, like carps, do not (there every evaluation begins from
nothing). The
methods are ranked by the best loss of a full training once the budget is spent, as in
:mod:`.auto_strength`: one line for each budget, in full trainings. ``p`` is of a two-sided Wilcoxon
signed-rank test of each method's ranks against ``optuna_tpe``'s, over the tasks. The last line is JSON.

``seen`` are the tasks of :mod:`.optimizer_tasks` with fidelities, from which the rules of ``optimizer=auto``
were chosen; ``fresh`` are others, which nothing was chosen by before 28 November 2026.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from orchestrator.benchmark.task import Task
from orchestrator.config.targets import instantiate, target_of
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.randomness import derived_seed
from orchestrator.search.trials.trial_run import Repeats, trial_seed
from orchestrator.trial import Suggestion, Trial, evaluated
from search_spaces.values import config_key
from tests.benchmarks.auto_strength import Values, ranks
from tests.benchmarks.measuring import keep_row, kept_rows, print_figures, progress
from tests.benchmarks.optimizer_cells import definition_of
from tests.benchmarks.optimizer_tasks import fresh_fidelities, tasks
from workloads.contract import Device
from workloads.outcomes import numbers

METHODS = ("random", "optuna_tpe", "optuna_gp", "asha_random", "hyperband_random")
AGAINST = "optuna_tpe"


def made(method: str, task: Task, seed: int) -> Optimizer:
    """A method as a search would make it."""
    definition = definition_of(method)
    capabilities = target_of(definition, "optimizer").capabilities  # type: ignore[attr-defined]
    assert isinstance(capabilities, Capabilities)
    optimizer: Optimizer = instantiate(
        definition,
        "optimizer",
        space=task.space,
        objectives=task.objectives,
        seed=seed,
        fidelity=task.workload.fidelity if capabilities.fidelity else None,
        constraints=task.constraints,
    )
    return optimizer


class Charged:
    """Trains configurations, and counts what they have not been trained yet."""

    def __init__(self, task: Task, seed: int) -> None:
        self._task, self._seed, self._repeats = task, seed, Repeats()
        self._trained: dict[tuple[str, int], int] = {}
        self.units = 0

    def train(self, suggestion: Suggestion) -> Trial:
        """The trial of a suggestion."""
        workload, config = self._task.workload, suggestion.config
        fidelity = suggestion.fidelity or workload.fidelity.largest
        repeat = self._repeats.count(config, fidelity)
        training = config_key(config), repeat
        before = self._trained.get(training, 0)
        self.units += fidelity - (before if before < fidelity else 0)
        self._trained[training] = max(before, fidelity)
        session = workload.start(
            self._task.space.meant(config), trial_seed(self._seed, config, repeat), Device()
        )
        metrics = numbers(session.advance(fidelity))
        return evaluated(
            suggestion, metrics, self._task.objectives, self._task.constraints, fidelity=fidelity
        )


def course(method: str, task: Task, seed: int, trainings: int) -> Iterator[tuple[float, float]]:
    """After each trial what was spent, in full trainings, and the best loss of a full training so far."""
    own = derived_seed(seed, task.name) % 2**31
    optimizer, charged = made(method, task, own), Charged(task, own)
    full, best = task.workload.fidelity.largest, np.inf
    while charged.units < trainings * full:
        suggestions = optimizer.ask()
        if not suggestions:
            return
        trial = charged.train(suggestions[0])
        optimizer.tell([trial])
        if trial.fidelity == full and trial.feasible:
            best = min(best, trial.losses[0])
        if charged.units <= trainings * full:
            yield charged.units / full, float(best)


def measured(
    methods: Sequence[str], on: Mapping[str, Task], seeds: int, trainings: int, file: Path
) -> list[dict[str, Any]]:
    """All results that ``file`` has in the end."""
    known = kept_rows(file)
    done = {(one["method"], one["task"], one["seed"]) for one in known}
    for seed in range(seeds):
        for task in on.values():
            for method in methods:
                if (method, task.name, seed) in done:
                    continue
                began = time.perf_counter()
                found = list(course(method, task, seed, trainings))
                seconds = time.perf_counter() - began
                known.append(
                    {"method": method, "task": task.name, "seed": seed, "course": found, "s": seconds}
                )
                keep_row(file, known[-1])
                progress(f"{method} on {task.name}, seed {seed}: {found[-1]}, {seconds:.1f} s")
    return known


def chosen(part: str, words: Sequence[str] = ()) -> Mapping[str, Task]:
    """The tasks of a part by name; where words are given, those with one in their names."""
    seen, fresh = tasks(1)["fidelities"], {task.name: task for task in fresh_fidelities()}
    found = {"seen": seen, "fresh": fresh, "all": {**seen, **fresh}}[part]
    return {name: task for name, task in found.items() if not words or any(one in name for one in words)}


def values_at(known: Sequence[Mapping[str, Any]], names: Sequence[str], budget: float) -> Values:
    """What was reached when ``budget`` full trainings were spent."""
    values: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for one in sorted(known, key=lambda one: one["seed"]):
        if one["task"] in values:
            reached = [best for spent, best in one["course"] if spent <= budget]
            values[one["task"]].setdefault(one["method"], []).append(reached[-1] if reached else np.inf)
    return values


def figures(values: Values) -> dict[str, Any]:
    """Mean ranks, and each method against :data:`AGAINST`."""
    names = dict.fromkeys(method for of_task in values.values() for method in of_task)
    methods = [name for name in names if all(name in of_task for of_task in values.values())]
    placed = ranks(values, methods)
    means = {name: float(place.mean()) for name, place in placed.items()}
    found: dict[str, Any] = {"n": len(values), **dict(sorted(means.items(), key=lambda item: item[1]))}
    for name in methods if AGAINST in methods else ():
        if name != AGAINST and (placed[name] - placed[AGAINST]).any():
            found[f"p_{name}"] = float(stats.wilcoxon(placed[name], placed[AGAINST]).pvalue)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), metavar="NAME")
    parser.add_argument("--part", choices=("seen", "fresh", "all"), default="all")
    parser.add_argument("--tasks", nargs="*", default=[], metavar="WORD", help="those with it in their names")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budgets", type=int, nargs="*", default=[10, 15, 20, 24], metavar="N")
    parser.add_argument("--results", type=Path, required=True, help="to go on with and to add to")
    options = parser.parse_args()
    on = chosen(options.part, options.tasks)
    known = measured(options.methods, on, options.seeds, max(options.budgets), options.results)
    result: dict[str, Any] = {"seeds": options.seeds, "part": options.part}
    for budget in options.budgets:
        inside = [one for one in known if one["method"] in options.methods and one["seed"] < options.seeds]
        reached = figures(values_at(inside, list(on), budget))
        print(f"after {budget} full trainings: {reached}")
        result |= {f"{budget}_{name}": value for name, value in reached.items()}
    print_figures(result)


if __name__ == "__main__":
    main()
