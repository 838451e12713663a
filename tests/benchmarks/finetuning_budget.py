"""How a budget is best split between supervised and preference examples, by ``+study=finetuning_budget``.

``python -m tests.benchmarks.finetuning_budget RUN ...``, runs with different ``workload.steps``, prints for
each budget (examples) and supervised share the win rate and KL at its best learning rate: the mean over
seeds, and the standard deviation. Below, for each budget, Friedman's test of whether shares differ, with the
learning rates as blocks. One run makes one budget. ``--folder`` draws ``finetuning_budget.png`` there.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import yaml

from orchestrator.analysis.statistics import friedman
from orchestrator.api import Run

mpl.use("agg")
import matplotlib.pyplot as plt

WIN_RATE, KL, SHARE, RATE = (
    "validation_win_rate",
    "validation_kl",
    "config.supervised",
    "config.learning_rate",
)


def by_share(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per share, at the learning rate with the highest win rate: share, rate, win_rate, sd, kl.

    Args:
        trials: a search's, in the columns of :func:`orchestrator.search.history.frames.trials`. A trial that
            has diverged counts as one that never wins.
    """
    wins = trials.assign(**{WIN_RATE: trials[WIN_RATE].fillna(0.0)})
    best = wins.loc[wins.groupby(SHARE)[WIN_RATE].idxmax()]
    kl = best[KL] if KL in best else best[f"metrics.{KL}"]
    return pd.DataFrame(
        {
            "share": best[SHARE],
            "rate": best[RATE],
            "win_rate": best[WIN_RATE],
            "sd": best[f"std.{WIN_RATE}"],
            "kl": kl,
        }
    ).reset_index(drop=True)


def difference(trials: pd.DataFrame) -> tuple[float, float, int]:
    """Friedman's statistic and p over the shares, and the number of blocks (learning rates)."""
    wins = trials.assign(loss=-trials[WIN_RATE].fillna(0.0))
    matrix = wins.pivot_table(index=RATE, columns=SHARE, values="loss").dropna()
    return (*friedman(matrix.to_numpy()), len(matrix))


def budget(run: Path) -> int:
    """Its examples."""
    workload = yaml.safe_load((run / "config.yaml").read_text())["workload"]
    return int(workload["steps"]) * int(workload["batch_size"])


def draw(ended: Mapping[int, pd.DataFrame], path: Path) -> None:
    """Win rate over share: a coloured line for each learning rate, black at the best of each share."""
    figure, panels = plt.subplots(1, len(ended), figsize=(4.2 * len(ended), 3.2), sharey=True, squeeze=False)
    for panel, (examples, trials) in zip(panels[0], sorted(ended.items()), strict=True):
        by_rate = list(trials.sort_values(SHARE).groupby(RATE))
        for place, (rate, own) in enumerate(by_rate):
            color = plt.get_cmap("viridis_r")((place + 0.5) / len(by_rate))
            panel.plot(own[SHARE], own[WIN_RATE], color=color, linewidth=1.1, label=f"{rate:.2g}")
        best = by_share(trials)
        panel.errorbar(
            best["share"],
            best["win_rate"],
            best["sd"],
            color="black",
            marker="o",
            markersize=4,
            capsize=3,
            label="best, ± sd",
        )
        panel.set_title(f"{examples:,} examples", fontsize=10)
        panel.set_xlabel("share that imitates best responses")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("win rate over the reference (validation)")
    panels[0][-1].legend(title="learning rate", fontsize=7.5, title_fontsize=7.5, loc="lower left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, one for each budget")
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    ended = {budget(run): Run(run).frames["trials"] for run in options.runs}
    for examples, trials in ended.items():
        print(f"{examples} examples")
        print(by_share(trials).to_string(index=False, float_format="{:.3g}".format))
        print("Friedman: {:.1f}, p = {:.2g}, n = {} learning rates".format(*difference(trials)))
    if options.folder is not None:
        draw(ended, options.folder / "finetuning_budget.png")


if __name__ == "__main__":
    main()
