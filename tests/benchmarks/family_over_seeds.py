"""A family study with its seeds as blocks: ``python -m tests.benchmarks.family_over_seeds RUN [FOLDER]``.

The report of a benchmark tests over tasks, of which a family study has one or two. Here each seed of each
task is a block, so the tests speak of other seeds of the same tasks, not of other tasks. Prints a table, and
with a folder draws ``family_intervals.png``, ``family_ranks.png`` and ``family_course.png`` there.
Of several objectives it prints hypervolumes, as :mod:`tests.benchmarks.pareto_populations` has them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from orchestrator import pareto
from orchestrator.analysis import statistics
from orchestrator.benchmark.store import Store
from tests.benchmarks.pareto_populations import hypervolumes

mpl.use("Agg")
import matplotlib.pyplot as plt

GENERATIONS = (5, 20, 50)
BASELINES = ("random", "random_members")


def courses(run: Path) -> pd.DataFrame:
    """All evaluations of complete blocks: ``block``, ``method``, ``spent`` (full trainings), ``loss``."""
    _, evaluations = Store(run / "cells").tables()
    frame = evaluations.select(["task", "method", "seed", "number", "spent", "losses"]).to_pandas()
    frame["loss"] = [losses[0] for losses in frame["losses"]]
    frame["block"] = frame["task"] + " " + frame["seed"].astype(str)
    methods = frame.groupby("block")["method"].nunique()
    return frame[frame["block"].isin(methods.index[methods == methods.max()])]


def several(frame: pd.DataFrame) -> bool:
    """Whether the study has several objectives."""
    return len(frame["losses"].iloc[0]) > 1


def best(frame: pd.DataFrame, spent: float = np.inf) -> pd.DataFrame:
    """The best loss of each method (columns) in each block (rows) by the time that so much is spent."""
    chosen = frame[frame["spent"] <= spent + 1e-9]
    return chosen.pivot_table(index="block", columns="method", values="loss", aggfunc="min")


def table(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean rank, mean, deviation, and Wilcoxon's p against each baseline, also corrected by Holm."""
    matrix = scores.to_numpy()
    rows = pd.DataFrame(
        {
            "rank": statistics.mean_ranks(matrix),
            "mean": matrix.mean(axis=0),
            "sd": matrix.std(axis=0, ddof=1),
        },
        scores.columns,
    )
    for baseline in BASELINES:
        others = [name for name in scores if name != baseline]
        p = [statistics.wilcoxon(scores[name], scores[baseline])[0] for name in others]
        rows[f"p {baseline}"] = pd.Series(p, others)
        rows[f"Holm {baseline}"] = pd.Series(statistics.holm(p), others)
    return rows.sort_values("rank")


def family(scores: pd.DataFrame) -> Mapping[str, list[str]]:
    """The columns of each population method, by decisions in a life (:data:`GENERATIONS`)."""
    stems = [name.removesuffix("_20") for name in scores if name.endswith("_20")]
    return {stem: [f"{stem}_{generations}" for generations in GENERATIONS] for stem in stems}


def draw_intervals(scores: pd.DataFrame, path: Path) -> None:
    """Mean loss over the number of decisions, a line for each method; others are level lines."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    members = family(scores)
    for marker, (stem, names) in zip("osD^vP*", members.items(), strict=False):
        axes.errorbar(
            range(len(names)),
            scores[names].mean(),
            scores[names].sem(),
            marker=marker,
            capsize=3,
            label=stem,
        )
    inside = {name for names in members.values() for name in names}
    others = scores.drop(columns=list(inside)).mean().sort_values()
    for style, (name, mean) in zip(
        ("-", "--", "-.", ":", (0, (1, 3)), (0, (6, 3))), others.items(), strict=False
    ):
        axes.axhline(mean, color="0.45", linestyle=style, linewidth=1.2, label=str(name))
    axes.set_xticks(range(len(GENERATIONS)), [str(generations) for generations in GENERATIONS])
    axes.set_xlabel("decisions in a member's life")
    axes.set_ylabel(f"best validation loss, mean and standard error ({len(scores)} seeds)")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_ranks(scores: pd.DataFrame, path: Path) -> None:
    """Mean ranks, best first, and the critical difference from the best."""
    ranks = table(scores)["rank"][::-1]
    difference = statistics.critical_difference(len(scores), len(ranks))
    figure, axes = plt.subplots(figsize=(8, 0.24 * len(ranks) + 1), layout="constrained")
    axes.axvspan(
        ranks.min(), ranks.min() + difference, color="0.9", label="no difference from the best (Nemenyi)"
    )
    axes.plot(ranks, range(len(ranks)), "o")
    axes.set_yticks(range(len(ranks)), list(ranks.index))
    axes.set_xlabel(f"mean rank over {len(scores)} seeds; critical difference {difference:.1f}")
    axes.legend(loc="upper right", frameon=False)
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_course(frame: pd.DataFrame, path: Path, budgets: int = 16) -> None:
    """Mean rank over the budget, of optimizers and of populations that decide 20 times."""
    last = best(frame)
    shown = [name for name in last if not name.endswith(("_5", "_50"))]
    points = np.arange(2, budgets + 1)
    ranks = []
    for spent in points:
        now = best(frame, float(spent)).reindex(index=last.index, columns=shown).fillna(np.inf)
        ranks.append(statistics.mean_ranks(now.to_numpy()))
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    lines = sorted(zip(shown, np.transpose(ranks), strict=True), key=lambda pair: float(pair[1][-1]))
    for place, (name, line) in enumerate(lines):
        style = {"color": plt.get_cmap("tab20")(place), "linestyle": "-" if name.endswith("_20") else "--"}
        axes.plot(points, line, marker=".", label=name, **style)
    axes.invert_yaxis()
    axes.set_xlabel("training so far, in full trainings")
    axes.set_ylabel(f"mean rank over {len(last)} seeds (1 is best)")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def print_hypervolumes(frame: pd.DataFrame) -> None:
    """Of each method: mean, deviation and Wilcoxon's p against MO-PBT, also corrected by Holm."""
    for task, cells in frame.groupby("task"):
        found: dict[str, list[statistics.Array]] = {}
        for (method, _), cell in cells.groupby(["method", "seed"]):
            losses = np.stack(cell["losses"].to_list())
            losses = losses[np.isfinite(losses).all(axis=1)]
            found.setdefault(str(method), []).append(losses[pareto.nondominated(losses)])
        volumes = pd.DataFrame(hypervolumes(found))
        others = [name for name in volumes if name != "mo_pbt"]
        p = [statistics.wilcoxon(volumes[name], volumes["mo_pbt"])[0] for name in others]
        rows = pd.DataFrame({"mean": volumes.mean(), "sd": volumes.std(), "p": pd.Series(p, others)})
        rows["Holm"] = pd.Series(statistics.holm(p), others)
        print(f"{task}, {len(volumes)} seeds; Friedman p = {statistics.friedman(-volumes.to_numpy())[1]:.2g}")
        print(rows.sort_values("mean", ascending=False).round(4).to_string())


def main() -> None:
    run, *folder = map(Path, sys.argv[1:])
    frame = courses(run)
    if several(frame):
        print_hypervolumes(frame)
        return
    scores = best(frame)
    statistic, p = statistics.friedman(scores.to_numpy())
    print(f"{len(scores)} blocks, {scores.shape[1]} methods; Friedman {statistic:.1f}, p = {p:.2g}")
    print(table(scores).round(4).to_string())
    means = {name: scores[columns].mean(axis=1) for name, columns in family(scores).items()}
    by_interval = [
        scores[list(columns)].mean(axis=1) for columns in zip(*family(scores).values(), strict=True)
    ]
    print(
        "methods over intervals: Friedman p =",
        f"{statistics.friedman(pd.DataFrame(means).to_numpy())[1]:.2g}",
    )
    print("intervals over methods: Friedman p =", f"{statistics.friedman(np.transpose(by_interval))[1]:.2g}")
    for target in folder:
        target.mkdir(parents=True, exist_ok=True)
        draw_intervals(scores, target / "family_intervals.png")
        draw_ranks(scores, target / "family_ranks.png")
        draw_course(frame, target / "family_course.png")


if __name__ == "__main__":
    main()
