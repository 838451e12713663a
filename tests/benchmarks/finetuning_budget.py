"""How a budget is best split between supervised and preference examples, by ``+study=finetuning_budget``.

``python -m tests.benchmarks.finetuning_budget RUN ...``, runs with different ``workload.steps``, prints for
each budget (examples) and supervised share the win rate and KL at its best learning rate: the mean over
seeds, and the standard deviation. Below, for each budget, Friedman's test of whether shares differ, with the
learning rates as blocks. One run makes one budget.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import yaml

from orchestrator.analysis.statistics import friedman
from orchestrator.api import Run

WIN_RATE, KL, SHARE, RATE = (
    "validation_win_rate",
    "validation_kl",
    "config.supervised",
    "config.learning_rate",
)


def by_share(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per share, at the learning rate with the highest win rate: share, rate, win_rate, sd, kl.

    Args:
        trials: a search's, in the columns of :func:`orchestrator.search.frames.trials`. A trial that has
            diverged counts as one that never wins.
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


if __name__ == "__main__":
    for run in map(Path, sys.argv[1:]):
        ended = Run(run).frames["trials"]
        print(f"{budget(run)} examples")
        print(by_share(ended).to_string(index=False, float_format="{:.3g}".format))
        print("Friedman: {:.1f}, p = {:.2g}, n = {} learning rates".format(*difference(ended)))
