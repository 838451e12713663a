"""Which preference loss is robust to its hyperparameters, by a run of ``+study=preference_losses``.

``python -m tests.benchmarks.preference_losses <run directory>`` prints a row for each loss: its trials; the
best, median and lower quartile of their win rates against the reference model; the best one's KL and its
responses' length; the hypervolume of its front of win rate (from 0.5 on) and KL (up to 20 nats), as a share
of the most that there can be. Below, the Kruskal-Wallis test of whether win rates differ between losses, and
each against DPO. With a folder after the run it draws ``preference_losses.png`` there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from scipy.stats import kruskal, mannwhitneyu

from orchestrator.analysis.statistics import holm
from orchestrator.api import Run
from orchestrator.pareto import hypervolume, nondominated

mpl.use("Agg")
import matplotlib.pyplot as plt

WIN_RATE, KL = "validation_win_rate", "validation_kl"
WORST_WIN_RATE, WORST_KL = 0.5, 20.0


def by_loss(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per loss, by falling median.

    Columns: loss, trials, best, median, quartile (win rates), best_kl (nats), best_length (characters),
    front (0 to 1). A trial without a win rate, since it has diverged, counts as one that never wins.

    Args:
        trials: a search's, in the columns of :func:`orchestrator.search.history.frames.trials`.
    """
    rows = []
    for loss, own in trials.groupby("config.loss"):
        wins = own[WIN_RATE].fillna(0.0)
        best = own.loc[wins.idxmax()]
        points = own[[WIN_RATE, KL]].dropna().to_numpy() * (-1, 1)
        volume = hypervolume(points, (-WORST_WIN_RATE, WORST_KL)) if len(points) else 0.0
        rows.append(
            {
                "loss": loss,
                "trials": len(own),
                "best": wins.max(),
                "median": wins.median(),
                "quartile": wins.quantile(0.25),
                "best_kl": best[KL],
                "best_length": best["metrics.validation_length"],
                "front": volume / ((1 - WORST_WIN_RATE) * WORST_KL),
            }
        )
    return pd.DataFrame(rows).sort_values("median", ascending=False, ignore_index=True)


def difference(trials: pd.DataFrame) -> tuple[float, float]:
    """H and p of the Kruskal-Wallis test over the losses' win rates."""
    groups = [own[WIN_RATE].fillna(0.0) for _, own in trials.groupby("config.loss")]
    found = kruskal(*groups)
    return float(found.statistic), float(found.pvalue)


def against_dpo(trials: pd.DataFrame) -> pd.DataFrame:
    """Of each other loss p of the Mann-Whitney test of its win rates against DPO's, and as corrected by Holm.

    Columns: p, holm; by loss, the smallest first.
    """
    wins = {str(loss): own[WIN_RATE].fillna(0.0) for loss, own in trials.groupby("config.loss")}
    dpo = wins.pop("dpo")
    found = pd.DataFrame({"p": {loss: mannwhitneyu(own, dpo).pvalue for loss, own in wins.items()}})
    return found.assign(holm=holm(found["p"].to_list())).sort_values("p")


def draw(trials: pd.DataFrame, path: Path, shown: int = 5) -> None:
    """Every trial's win rate, by loss; and the fronts of the losses that have the best."""
    table = by_loss(trials)
    figure, (rates, fronts) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for place, loss in enumerate(table["loss"][::-1]):
        own = trials[trials["config.loss"] == loss]
        wins = own[WIN_RATE].fillna(0.0)
        rates.plot(wins, [place] * len(wins), "o", color="0.45", alpha=0.5, markersize=4)
        rates.plot(wins.median(), place, "|", color="C3", markersize=16, markeredgewidth=2.5)
    rates.set_yticks(range(len(table)), table["loss"][::-1])
    rates.axvline(WORST_WIN_RATE, color="0.7", linewidth=1)
    rates.set_xlabel("win rate against the reference: each trial, and the median (bar)")
    for loss, marker in zip(
        table.sort_values("front", ascending=False)["loss"][:shown], "osD^v", strict=True
    ):
        points = trials[trials["config.loss"] == loss][[KL, WIN_RATE]].dropna().sort_values(KL)
        front = points[nondominated(points.to_numpy() * (1, -1))]
        fronts.plot(front[KL], front[WIN_RATE], marker=marker, drawstyle="steps-post", label=loss)
    fronts.set_xlim(0, WORST_KL)
    fronts.set_xlabel("KL from the reference, nats per response")
    fronts.set_ylabel(f"win rate: the {shown} best fronts")
    fronts.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    run, *folder = sys.argv[1:]
    ended = Run(run).frames["trials"]
    print(by_loss(ended).to_string(index=False, float_format="{:.3f}".format))
    print("Kruskal-Wallis: H = {:.1f}, p = {:.2g}, n = {}".format(*difference(ended), len(ended)))
    print(against_dpo(ended).to_string(float_format="{:.2g}".format))
    for target in folder:
        draw(ended, Path(target) / "preference_losses.png")
