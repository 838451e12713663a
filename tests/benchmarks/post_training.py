"""What becomes of trained networks on ``workload=compression`` and ``workload=calibration``.

``python -m tests.benchmarks.post_training compression [RUN]``: the least error on the validation images
within some sizes, and the test error of the same network, where all layers share bits and ratio (a grid),
and with a run of ``+study=compression`` for each optimizer; ``--folder`` draws ``compression.png`` there.
``calibration [RUN]``: each map by each criterion on the test images, over ten starts, and the hypervolumes
of the study's optimizers; ``--folder`` draws ``calibration.png`` there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch

from orchestrator import pareto
from orchestrator.analysis import statistics
from orchestrator.benchmark.store import Store
from search_spaces import Config
from tests.benchmarks.dots import draw_dots
from workloads.library.calibration import CRITERIA, MAPS, Calibration
from workloads.library.compression import LAYERS, Compression
from workloads.library.fitting import digits

mpl.use("Agg")
import matplotlib.pyplot as plt

SIZES = (2.0, 2.5, 3.0, 4.0, 6.0)
"""Kilobytes."""
SCORES = ("error", "ece", "brier", "loss")


def shared() -> list[Config]:
    """The same bits and ratio in every layer."""
    ratios = np.linspace(0.05, 1.0, 20)
    return [
        {f"{layer}_bits": bits for layer in LAYERS} | {f"{layer}_keep": float(keep) for layer in LAYERS}
        for bits, keep in product(range(2, 9), ratios)
    ]


def chosen(workload: Compression, configs: Sequence[Config], size: float) -> tuple[float, float]:
    """The least validation error within a size, and the test error of that network; NaN: none is so small."""
    within = [config for config in configs if workload.kilobytes(config) <= size]
    if not within:
        return np.nan, np.nan
    best = min(within, key=lambda config: workload.error(config, digits().validation))
    return workload.error(best, digits().validation), workload.error(best, digits().test)


def evaluated(run: Path) -> pd.DataFrame:
    """All evaluations of a study: task, method, seed, losses, config."""
    _, evaluations = Store(run / "cells").tables()
    return evaluations.to_pandas()


def volumes(frame: pd.DataFrame, reference: tuple[float, ...]) -> None:
    """Print the hypervolumes of the optimizers' fronts, as shares of the most, with Friedman's test."""
    cells = frame.groupby(["task", "seed", "method"])["losses"]
    found = cells.apply(lambda losses: pareto.hypervolume(np.stack(losses.to_list()), reference))
    table = (found / np.prod(reference)).unstack("method").dropna()
    ranks = statistics.mean_ranks(-table.to_numpy())
    columns = {"volume": table.mean(), "sd": table.groupby("task").std().mean(), "rank": ranks}
    p = statistics.friedman(-table.to_numpy())[1]
    print(f"Friedman p = {p:.2g}, n = {len(table)} tasks and seeds")
    print(pd.DataFrame(columns).sort_values("rank").round(4).to_string())


def compression(run: Path | None, folder: Path | None) -> None:
    """Print, and draw, what sizes cost."""
    rows = []
    frame = None if run is None else evaluated(run)
    for start in range(3):
        workload = Compression(start_seed=start)
        groups = {"shared (140)": shared()}
        if frame is not None:
            own = frame[frame["task"].str.contains(f"{start}$")]
            for name, found in own.groupby(["method", "seed"]):
                groups[" ".join(map(str, name))] = [json.loads(config) for config in found["config"]]
        for name, configs in groups.items():
            for size in SIZES:
                validation, test = chosen(workload, configs, size)
                rows.append((name.split(" ")[0], start, size, validation, test))
    table = pd.DataFrame(rows, columns=["way", "start", "size", "validation", "test"])
    means = table.groupby(["way", "size"])[["validation", "test"]].mean().unstack("size")
    print((100 * means).round(1).to_string())
    for start in range(3):
        workload = Compression(start_seed=start)
        test = workload.error({}, digits().test)
        print(f"start {start}: as trained {workload.kilobytes({}):.1f} KB, test {test:.4f}")
    if frame is not None:
        volumes(frame, (0.9, workload.kilobytes({})))
    if folder is not None:
        draw(frame, folder / "compression.png")


def draw(frame: pd.DataFrame | None, path: Path) -> None:
    """Validation errors and kilobytes of the first start: the shared grid, each optimizer's first seed."""
    workload = Compression()
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    grid = [(workload.kilobytes(one), workload.error(one, digits().validation)) for one in shared()]
    axes.plot(*np.array(grid).T, ".", color="0.75", label="the same bits and ratio in all layers")
    if frame is not None:
        own = frame[frame["task"].str.contains("0$") & (frame["seed"] == frame["seed"].min())]
        for method, found in own.groupby("method"):
            losses = np.stack(found["losses"].to_list())
            front = losses[pareto.nondominated(losses)]
            front = front[front[:, 1].argsort()]
            axes.step(front[:, 1], front[:, 0], where="post", label=method)
    axes.set(xlabel="kilobytes", ylabel="validation error", xlim=(1, 10), ylim=(0, 0.6))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def calibration(run: Path | None, folder: Path | None) -> None:
    """Print each way to calibrate, over ten starts."""
    ways: dict[str, Config | None] = {"none": None}
    ways |= {f"{m} by {c}": {"map": m, "criterion": c} for m, c in product(MAPS, CRITERIA)}
    test = digits().test
    each = [[Calibration(start_seed=start).scores(way, test) for way in ways.values()] for start in range(10)]
    found = np.array([[[scores[one] for one in SCORES] for scores in row] for row in each])
    print(pd.DataFrame(found.mean(0), index=[*ways], columns=[*SCORES]).round(4).to_string())
    print("sd of ece:", dict(zip(ways, found[:, :, 1].std(0, ddof=1).round(4).tolist(), strict=True)))
    for number, score in enumerate(SCORES):
        p = statistics.friedman(found[:, :, number])[1]
        ranks = dict(zip(ways, statistics.mean_ranks(found[:, :, number]).round(1).tolist(), strict=True))
        print(f"{score}: Friedman p = {p:.2g}, n = {len(found)} starts, ranks {ranks}")
    for number, way in enumerate(ways):
        if number:
            p = statistics.wilcoxon(found[:, 0, 1], found[:, number, 1])[0]
            print(f"ece, none against {way}: p = {p:.3f}")
    if run is not None:
        volumes(evaluated(run), (0.9, 0.5))
    if folder is not None:
        names = ("error", "calibration error (ECE)")
        panels = {
            name: dict(zip(ways, 100 * found[:, :, place].T, strict=True)) for place, name in enumerate(names)
        }
        draw_dots(panels, "%, on the test images", folder / "calibration.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["compression", "calibration"])
    parser.add_argument("run", nargs="?", type=Path, help="run directory of the study")
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "compression":
        compression(options.run, options.folder)
    else:
        calibration(options.run, options.folder)


if __name__ == "__main__":
    main()
