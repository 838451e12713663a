"""Known ways to merge networks, and searches for the coefficients, on ``workload=merging``.

``python -m tests.benchmarks.merging [RUN]`` prints for each method the error in each task on the test images
(the mean over ``--seeds`` starts), with the coefficients chosen on the validation images, and how far MAP's
surrogate is from true evaluations of its front. With a run directory of ``+study=merging`` it prints the
hypervolume of each optimizer's front (validation), and of MAP's surrogate after as many evaluations as the
surrogate took. ``--folder`` draws ``merging.png`` there: two of the tasks, one start.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.analysis import statistics
from orchestrator.benchmark.store import Store
from workloads.library.merging.methods import METHODS, Surrogate, surrogate
from workloads.library.merging.models import Models, SplitName
from workloads.library.merging.workload import Merging

mpl.use("Agg")
import matplotlib.pyplot as plt

Floats = NDArray[np.float64]
REFERENCE = 0.9


def errors(models: Models, rows: Floats, split: SplitName) -> Floats:
    """``(n, tasks)`` of coefficients ``(n, tasks)``."""
    merged = (models.errors(torch.tensor(row, dtype=torch.float32), split) for row in rows)
    return np.stack([found.numpy().astype(float) for found in merged])


def single_merges(models: Models, tasks: tuple[str, ...]) -> dict[str, Floats]:
    """Test errors of the start, of each network that is merged, and of each method's merge, ``(tasks,)``."""
    unmerged = {"start": torch.zeros(len(tasks)), **dict(zip(tasks, torch.eye(len(tasks)), strict=True))}
    merges = {name: method(models, "validation") for name, method in METHODS.items()}
    return {
        name: models.errors(coefficients, "test").numpy().astype(float)
        for name, coefficients in {**unmerged, **merges}.items()
    }


def fitted(models: Models, seed: int) -> Surrogate:
    """MAP's surrogate of the validation errors."""
    return surrogate(
        lambda row: errors(models, row[None], "validation")[0], len(models.data), np.random.default_rng(seed)
    )


def volume(found: Floats) -> float:
    """The hypervolume of validation errors, as a share of the most that there can be."""
    return pareto.hypervolume(found, (REFERENCE,) * found.shape[1]) / REFERENCE ** found.shape[1]


def surrogate_figures(models: Models, seed: int, most: int = 100) -> dict[str, float]:
    """How far the surrogate is off on its own front, and the hypervolume of that front, truly evaluated.

    Columns: sampled (merges that it was fitted to), front (points), off (mean absolute error there), volume
    (with the merges that it was fitted to), volume_most (of at most so many evaluations together, the front's
    drawn at random).
    """
    model = fitted(models, seed)
    front = model.front()
    true = errors(models, front, "validation")
    chosen = np.random.default_rng(seed).permutation(len(front))[: most - len(model.errors)]
    return {
        "sampled": len(model.sampled),
        "front": len(front),
        "off": float(np.abs(model.predicted(front) - true).mean()),
        "volume": volume(np.concatenate([model.errors, true])),
        "volume_most": volume(np.concatenate([model.errors, true[chosen]])),
    }


def searches(run: Path) -> dict[str, pd.DataFrame]:
    """Hypervolumes of each task: a row per seed, a column per optimizer."""
    _, evaluations = Store(run / "cells").tables()
    frame = evaluations.select(["task", "method", "seed", "losses"]).to_pandas()
    cells = frame.groupby(["task", "seed", "method"])["losses"]
    volumes = cells.apply(lambda losses: volume(np.stack(losses.to_list()))).rename("volume").reset_index()
    return {
        str(task): own.pivot_table(index="seed", columns="method", values="volume")
        for task, own in volumes.groupby("task")
    }


def draw(models: Models, tasks: tuple[str, ...], path: Path) -> None:
    """Errors in the first two tasks: random merges, MAP's front as predicted and as it is, the methods."""
    model = fitted(models, 0)
    front = model.front()
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    axes.plot(*model.errors[:, :2].T, "o", color="0.75", label="merges that MAP's model is fitted to")
    axes.plot(*model.predicted(front)[:, :2].T, ".", color="C1", alpha=0.4, label="its front, as predicted")
    axes.plot(*errors(models, front, "validation")[:, :2].T, ".", color="C0", label="its front, evaluated")
    named = {name: method(models, "validation") for name, method in METHODS.items()}
    for (name, coefficients), marker in zip(named.items(), "sD^vP", strict=True):
        point = models.errors(coefficients, "validation")[:2]
        axes.plot(*point.numpy(), marker, color="k", markersize=8, label=name)
    axes.set_xlabel(f"validation error, {tasks[0]}")
    axes.set_ylabel(f"validation error, {tasks[1]}")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def print_table(columns: Mapping[str, Floats], tasks: tuple[str, ...]) -> None:
    """Means over seeds; ``columns`` has ``(seeds, tasks)`` of each method."""
    frame = pd.DataFrame({name: values.mean(0) for name, values in columns.items()}, [*tasks]).T
    frame["mean"] = frame.mean(axis=1)
    frame["sd"] = [values.mean(1).std(ddof=1) if len(values) > 1 else np.nan for values in columns.values()]
    print((100 * frame).round(1).to_string())
    means = np.column_stack([values.mean(1) for name, values in columns.items() if name not in tasks])
    if len(means) > 1:
        print(
            f"Friedman over the mean errors: p = {statistics.friedman(means)[1]:.2g}, n = {len(means)} starts"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="run directory of +study=merging")
    parser.add_argument("--seeds", type=int, default=10, help="starts of the known methods")
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    torch.set_num_threads(1)
    workloads = [Merging(start_seed=seed) for seed in range(options.seeds)]
    tasks = workloads[0].recipe.tasks
    rows = [single_merges(workload.models, tasks) for workload in workloads]
    print_table({name: np.stack([row[name] for row in rows]) for name in rows[0]}, tasks)
    over_starts = pd.DataFrame([surrogate_figures(workload.models, 0) for workload in workloads])
    print("MAP, over starts:", over_starts.mean().round(4).to_dict())
    if options.run is not None:
        # The study has one start; what differs between its seeds is the search.
        own = pd.DataFrame([surrogate_figures(workloads[0].models, seed) for seed in range(10)])
        print("MAP, the study's start, over draws:", own.mean().round(4).to_dict())
        for task, volumes in searches(options.run).items():
            ranks = statistics.mean_ranks(-volumes.to_numpy())
            table = pd.DataFrame({"volume": volumes.mean(), "sd": volumes.std(), "rank": ranks})
            p = statistics.friedman(-volumes.to_numpy())[1]
            print(f"{task}: Friedman p = {p:.2g}, n = {len(volumes)} seeds")
            print(table.sort_values("rank").round(4).to_string())
    if options.folder is not None:
        draw(workloads[0].models, tasks, options.folder / "merging.png")


if __name__ == "__main__":
    main()
