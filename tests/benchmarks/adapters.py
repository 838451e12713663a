"""What a run of ``+study=adapters`` found.

``python -m tests.benchmarks.adapters RUN [--folder FOLDER]`` prints the hypervolumes of its optimizers, the
least loss within some numbers of trained parameters, and which adapters the best fronts of each text are made
of; ``--folder`` draws ``adapters.png`` there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from orchestrator import pareto
from tests.benchmarks.post_training import evaluated, volumes
from workloads.library.adapters import Adapters

mpl.use("Agg")
import matplotlib.pyplot as plt

SIZES = (100, 300, 1000, 3000, 10_000)
"""Trained parameters."""


def within(frame: pd.DataFrame) -> pd.DataFrame:
    """The least loss within each size: means over seeds, by text and optimizer; NaN: one has none."""
    rows = []
    for (task, method, seed), own in frame.groupby(["task", "method", "seed"]):
        losses = np.stack(own["losses"].to_list())
        best = [losses[losses[:, 1] <= size, 0].min(initial=np.inf) for size in SIZES]
        rows.append((task, method, seed, *best))
    table = pd.DataFrame(rows, columns=["task", "method", "seed", *SIZES]).replace(np.inf, np.nan)
    return table.groupby(["task", "method"])[[*SIZES]].agg(lambda values: values.mean(skipna=False))


def front(frame: pd.DataFrame) -> pd.DataFrame:
    """What no other evaluation of the text dominates: its configuration, loss and parameters."""
    losses = np.stack(frame["losses"].to_list())
    kept = pareto.nondominated(losses)
    configs = pd.DataFrame([json.loads(config) for config in frame["config"][kept]])
    configs["loss"], configs["parameters"] = losses[kept].T
    return configs.drop_duplicates().sort_values("parameters")


def draw(frame: pd.DataFrame, path: Path) -> None:
    """The front of each optimizer over all seeds, one panel for each text."""
    tasks = sorted(frame["task"].unique())
    figure, panels = plt.subplots(1, len(tasks), figsize=(10, 4), layout="constrained", squeeze=False)
    for task, axes in zip(tasks, panels[0], strict=True):
        for method, own in frame[frame["task"] == task].groupby("method"):
            found = front(own.reset_index(drop=True))
            axes.step(found["parameters"], found["loss"], where="post", label=method)
        axes.set(xscale="log", xlabel="trained parameters", ylabel="validation loss", title=task)
    panels[0][0].legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory of +study=adapters")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    frame = evaluated(options.run)
    volumes(frame, tuple(float(one.reference or 1) for one in Adapters().objectives))
    print(within(frame).round(3).to_string())
    for task, own in frame.groupby("task"):
        print(f"{task}: the front of all evaluations")
        print(front(own.reset_index(drop=True)).round(3).to_string(index=False))
    if options.folder is not None:
        draw(frame, options.folder / "adapters.png")


if __name__ == "__main__":
    main()
