"""PBT against the best of as many fixed schedules, at equal training.

``python -m tests.benchmarks.pbt_against_schedules TASK SEEDS [METHOD…]`` prints a JSON line for each run; of
``nanogpt``, which has the size that nanoGPT publishes, one takes 25 minutes or more. Every method trains as
many members for as long and looks at them equally often: PBT; random search over constant hyperparameters;
random search over cosine schedules of the learning rate. The best model that any of them has been at a look,
by validation, is judged once on held-out data.

``python -m tests.benchmarks.pbt_against_schedules FILE…`` reads such lines and prints tables with tests.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import mannwhitneyu

from orchestrator.analysis import statistics
from orchestrator.population.assemble import assemble_method
from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.island.member import judge
from search_spaces import build_space
from tests.conftest import composed
from workloads import Device, Workload
from workloads.library.control.workload import Control
from workloads.library.shakespeare import Shakespeare

METHODS = ("pbt", "random_search", "annealed_search")
OURS = METHODS[0]


@dataclass(frozen=True)
class Task:
    """What is trained, by how many members, in how many intervals of what length; and how it is judged."""

    workload: Callable[[], Workload]
    size: int
    generations: int
    interval: int
    score: str


def small_charlm() -> Workload:
    """The GPT of ``pbt_shakespeare``, narrower and with fewer layers."""
    rates = {"type": "float", "low": 1e-4, "high": 3e-2, "log": True, "mutable": True}
    parameters = {
        "learning_rate": rates,
        "weight_decay": {**rates, "low": 1e-3, "high": 1.0},
        "dropout": {"type": "float", "low": 0.0, "high": 0.3, "mutable": True},
        "layers": {"type": "constant", "value": 2},
        "heads": {"type": "constant", "value": 2},
        "width": {"type": "constant", "value": 32},
    }
    return Shakespeare(build_space({"parameters": parameters}), context=32, evaluated=100)


TASKS = {
    "cartpole": Task(lambda: Control(steps=32, batches=2, rollouts=10), 6, 10, 1, "test_reward"),
    "pendulum": Task(
        lambda: Control(environment="pendulum", batches=2, rollouts=40), 6, 10, 4, "test_reward"
    ),
    "charlm": Task(small_charlm, 6, 10, 40, "test_loss"),
    "nanogpt": Task(Shakespeare, 6, 20, 100, "test_loss"),
}


def trained_population(task: Task, method: str, seed: int) -> dict[str, float]:
    """The best model of one population by validation, and its score on held-out data."""
    workload = task.workload()
    population = composed("+study=pbt", "workload=pbt_toy", f"population={method}")["population"]
    evolution = Evolution(
        workload.space,
        workload.objectives,
        assemble_method(population),
        size=task.size,
        generations=task.generations,
        seed=seed,
    )
    state = evolve(evolution, Island(workload, task.interval, seed, Device()), synchronous=True)
    best = evolution.best()
    assert state is not None and best is not None
    test = judge(workload, best.config, seed, state["session"], Device())
    (objective,) = workload.objectives
    return {"score": test[task.score], "validation": best.metrics[objective.name]}


def run(name: str, method: str, seed: int) -> dict[str, Any]:
    """One population, and its best model on held-out data."""
    task, began = TASKS[name], time.process_time()
    return {
        "task": name,
        "method": method,
        "seed": seed,
        **trained_population(task, method, seed),
        "units": task.size * task.generations * task.interval,
        "seconds": round(time.process_time() - began, 1),
    }


def table(lines: pd.DataFrame) -> Iterator[str]:
    """Means on held-out data, and how PBT compares with each, in Markdown."""
    yield "| task | seeds | method | held-out mean ± sd | median | p, Wilcoxon | p, Mann-Whitney |"
    yield "|---|---|---|---|---|---|---|"
    for name, found in lines.groupby("task", sort=False):
        scores = found.pivot_table(index="seed", columns="method", values="score").dropna()
        for method in [one for one in METHODS if one in scores]:
            own, pbt = scores[method].to_numpy(), scores[OURS].to_numpy()
            tests = " | "
            if method != OURS:
                paired = statistics.wilcoxon(pbt, own)[0]
                tests = f"{paired:.3f} | {mannwhitneyu(pbt, own).pvalue:.3f}"
            spread = f"{own.mean():.3f} ± {own.std(ddof=1):.3f}"
            yield f"| {name} | {len(own)} | {method} | {spread} | {np.median(own):.3f} | {tests} |"


def main(arguments: list[str]) -> None:
    """Run, or read what was run."""
    if arguments[0] not in TASKS:
        read = pd.concat([pd.read_json(Path(name), lines=True) for name in arguments])
        print("\n".join(table(read)))
        return
    torch.set_num_threads(1)
    for seed in range(int(arguments[1])):
        for method in arguments[2:] or METHODS:
            print(json.dumps(run(arguments[0], method, seed)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
