"""What a network that is trained once says about networks of its sizes that are trained alone.

``python -m tests.benchmarks.elastic [RUN]``: for random sizes and three starts the errors of both on the test
images, their rank correlation, and with a run of ``+study=elastic`` the hypervolumes of its optimizers;
``--folder`` draws ``elastic.png`` there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy.stats import kendalltau, spearmanr

from orchestrator.analysis import statistics
from orchestrator.reporting import style
from tests.benchmarks.post_training import evaluated, volumes
from workloads.library.elastic import (
    BLOCKS,
    MOST,
    Elastic,
    Sizes,
    error_of,
    multiply_adds,
    super_network,
    trained_network,
)
from workloads.library.fitting import digits

STEPS, COUNT, STARTS = 500, 12, 3


def drawn(rng: np.random.Generator) -> list[Sizes]:
    """Sizes of networks, from small to large, the smallest and the largest included."""
    within = [
        tuple(rng.integers(0, most + 1, len(BLOCKS)).tolist()) for most in np.linspace(1, MOST, COUNT - 2)
    ]
    return [(0,) * len(BLOCKS), *within, (MOST,) * len(BLOCKS)]


def pairs(start: int) -> pd.DataFrame:
    """Errors on the test images of each size: within the network that serves all, and trained alone."""
    test, network = digits().test, super_network(STEPS, start)
    rows = []
    for sizes in drawn(np.random.default_rng(start)):
        alone = trained_network([(sizes,)] * STEPS, start)
        rows.append(
            {
                "start": start,
                "multiply_adds": multiply_adds(sizes),
                "once": error_of(network, sizes, test),
                "alone": error_of(alone, sizes, test),
            }
        )
    return pd.DataFrame(rows)


def draw(found: pd.DataFrame, path: Path) -> None:
    """Errors over multiply-adds, a panel for each start."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = figure.subplots(1, found["start"].nunique(), sharey=True)
    for (start, own), axes in zip(found.groupby("start"), panels, strict=True):
        both = 100 * own[["once", "alone"]].to_numpy()
        axes.vlines(own["multiply_adds"], both.min(axis=1), both.max(axis=1), color="0.8", linewidth=1)
        axes.plot(own["multiply_adds"], both[:, 0], "o", label="within the one that serves all")
        axes.plot(own["multiply_adds"], both[:, 1], "s", label="trained alone")
        axes.set(xlabel="multiply-adds", title=f"start {start}")
        style.plain(axes)
    panels[0].set_ylim(0, 1.05 * 100 * found[["once", "alone"]].to_numpy().max())
    panels[0].set_ylabel("test error, %")
    panels[0].legend(frameon=False)
    style.save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="run directory of +study=elastic")
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = pd.concat([pairs(start) for start in range(STARTS)])
    print(
        (found.assign(once=100 * found["once"], alone=100 * found["alone"])).round(1).to_string(index=False)
    )
    p = statistics.wilcoxon(found["once"].to_numpy(), found["alone"].to_numpy())[0]
    print(
        f"means: {found[['once', 'alone']].mean().round(4).to_dict()}, Wilcoxon p = {p:.3g}, n = {len(found)}"
    )
    for start, own in found.groupby("start"):
        rho, tau = spearmanr(own["once"], own["alone"]), kendalltau(own["once"], own["alone"])
        print(
            f"start {start}: Spearman {rho.statistic:.2f} (p = {rho.pvalue:.2g}), Kendall {tau.statistic:.2f}"
        )
    if options.folder is not None:
        draw(found, options.folder / "elastic.png")
    if options.run is not None:
        reference = [float(one.reference or 1) for one in Elastic().objectives]
        volumes(evaluated(options.run), tuple(reference))


if __name__ == "__main__":
    main()
