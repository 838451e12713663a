"""AlgoPerf's score of training algorithms, by a run of ``+study=training_algorithms``.

``python -m tests.benchmarks.algoperf <run directory>`` prints, for the methods that were tuned and for those
with their default hyperparameters (``_default``), by steps and by seconds: a row for each method with its
score, its performance profile at some ratios, how many studies reached the target, and its median time to
the target of each task. Below, Friedman's test over the tasks. ``--folder`` draws the profiles by steps
there, ``training_algorithms.png``.

The protocol is that of Dahl et al. (2023, arXiv 2306.07179): a study's time is that of its fastest trial, a
task's the median over studies, infinite where the target was not reached. With ``r`` the time divided by the
fastest method's, the profile is the share of tasks with ``r <= tau``, and the score its mean over ``tau``
from 1 to 4. Where no method reached the target no ratio is finite, and the task counts against all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import friedmanchisquare

from orchestrator.reporting import style

Array = NDArray[np.float64]
LARGEST = 4.0
TAUS = (1.0, 1.5, 2.0, 4.0)
DEFAULT = "_default"


def study_times(evaluations: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Of the fastest trial in each study that ran: task, method, seed, time; infinite without a target.

    Args:
        evaluations: of a benchmark's results.
        measure: ``steps`` or ``seconds``.
    """
    reached = (evaluations["status"] == "finished").to_numpy()
    steps = np.array([losses[0] for losses in evaluations["losses"]], dtype=float)
    seconds = (evaluations["end"] - evaluations["start"]).to_numpy(dtype=float)
    times = np.where(reached, steps if measure == "steps" else seconds, np.inf)
    keyed = evaluations[["task", "method", "seed"]].assign(time=times)
    return keyed.groupby(["task", "method", "seed"], sort=False, as_index=False)["time"].min()


def complete(studies: pd.DataFrame) -> pd.DataFrame:
    """Those of tasks that every method has run on as often as any other; a study may not have ended yet."""
    counts = studies.groupby(["task", "method"], sort=False).size().unstack("method", fill_value=0)
    even = counts.index[counts.nunique(axis=1) == 1]
    return studies[studies["task"].isin(even)]


def task_times(studies: pd.DataFrame) -> pd.DataFrame:
    """The median over studies: a row for each task, a column for each method."""
    medians = studies.groupby(["task", "method"], sort=False)["time"].median()
    return medians.unstack("method")


def ratios(times: Array) -> Array:
    """Times ``(tasks, methods)`` divided by the fastest method's; infinite where no target was reached."""
    best = times.min(axis=1, keepdims=True)
    return np.where(np.isfinite(times), times / np.where(np.isfinite(best), best, 1.0), np.inf)


def profile(found: Array, tau: float) -> Array:
    """The share of the tasks on which each method's ratio is at most ``tau``, ``(methods,)``."""
    return np.asarray((found <= tau).mean(axis=0))


def scores(found: Array, largest: float = LARGEST) -> Array:
    """The mean of the profile over ``tau`` from 1 to ``largest``, ``(methods,)``; exact, by steps."""
    return np.asarray(np.clip((largest - found) / (largest - 1), 0.0, 1.0).mean(axis=0))


def table(studies: pd.DataFrame) -> pd.DataFrame:
    """A row for each method, by falling score."""
    times = task_times(studies)
    found = ratios(times.to_numpy())
    reached = studies.assign(reached=np.isfinite(studies["time"])).groupby("method")["reached"]
    rows = pd.DataFrame({"score": scores(found)}, index=times.columns)
    for tau in TAUS:
        rows[f"tau={tau:g}"] = profile(found, tau)
    rows["studies"] = reached.sum().astype(str) + "/" + reached.count().astype(str)
    return rows.join(times.T).sort_values("score", ascending=False)


def friedman(times: pd.DataFrame) -> tuple[float, float]:
    """Statistic and p of Friedman's test over tasks; what reached no target ties for the last rank."""
    found = friedmanchisquare(*times.rank(axis=1).to_numpy().T)
    return float(found.statistic), float(found.pvalue)


def draw(evaluations: pd.DataFrame, path: Path) -> None:
    """The profiles by steps of the tuned methods and of those with their defaults."""
    names = evaluations["method"].str.removesuffix(DEFAULT)
    tuned = names == evaluations["method"]
    colors = {name: f"C{place}" for place, name in enumerate(sorted(names.unique()))}
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    taus = np.linspace(1, LARGEST, 200)
    titles = ("tuned, five trials", "without tuning")
    for axes, rows, title in zip(panels, (tuned, ~tuned), titles, strict=True):
        times = task_times(complete(study_times(evaluations[rows].assign(method=names), "steps")))
        shares = np.array([profile(ratios(times.to_numpy()), tau) for tau in taus])
        for place, (name, color) in enumerate(colors.items()):
            # Ten lines on six heights: each is a little higher than the one before.
            own = shares[:, times.columns.get_loc(name)] + 0.004 * place
            axes.step(taus, own, color, where="post", label=name)
        axes.set(xlabel="τ: steps to the target over the fewest", title=title)
        style.plain(axes)
    panels[0].set_ylabel("share of tasks")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    style.save(figure, path)


def _print(evaluations: pd.DataFrame) -> None:
    tuned = ~evaluations["method"].str.endswith(DEFAULT)
    for rules, rows in (("tuned", evaluations[tuned]), ("defaults", evaluations[~tuned])):
        for measure in ("steps", "seconds"):
            studies = complete(study_times(rows, measure))
            print(f"{rules}, {measure}")
            if studies.empty:
                print("there is no task yet that all methods have ended\n")
                continue
            print(table(studies).to_string(float_format="{:.2f}".format))
            times = task_times(studies)
            statistic, p = friedman(times)
            print(f"Friedman: {statistic:.1f}, p = {p:.2g}, {len(times)} tasks, {times.shape[1]} methods\n")


def main() -> None:
    from orchestrator.benchmark.results import load_results

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory of +study=training_algorithms")
    parser.add_argument("--folder", type=Path, help="where to draw")
    options = parser.parse_args()
    evaluations = load_results(options.run).evaluations
    _print(evaluations)
    if options.folder is not None:
        draw(evaluations, options.folder / "training_algorithms.png")


if __name__ == "__main__":
    main()
