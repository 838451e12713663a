"""The numbers behind carps' own report, computed by carps 1.1.0 and run in its Python.

``python carps_numbers.py LOGS OUTPUT [LOGS OUTPUT]...``: for each folder of logs what
``carps.analysis.gather_data`` and ``carps.analysis.generate_report`` compute, as Parquet files in the output
folder. carps draws most of these numbers and stores few; so this calls the functions that its pictures call,
with the same arguments:

- ``trials``: every evaluation as carps normalised it;
- ``final``: mean over seeds of the final incumbents by task and optimizer, raw and normalised
  (``plot_critical_difference`` and ``plot_performance_per_task``);
- ``budget``: what share of its budget a cell has used (``plot_budget_used``);
- ``ranks``: mean ranks, Friedman's p and the critical difference (``plot_critical_difference``);
- ``curves``: incumbents at 21 shares of the budget, mean over tasks and seeds, and the mean ranks there
  (``plot_performance_over_time``, ``plot_ranks_over_time``).

It knows nothing of this project, whose packages need not be installed there.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from carps.analysis.gather_data import gather_and_check
from carps.analysis.gather_data_utils import get_interpolated_performance_df
from carps.analysis.generate_report import load_results
from carps.analysis.run_autorank import cd_evaluation, get_df_crit
from carps.analysis.utils import percent_budget_used
from statsmodels.stats.libqsturng import qsturng

KEY = ["task_id", "optimizer_id", "seed"]
RAW, NORMALISED, SHARE = "trial_value__cost_inc", "trial_value__cost_inc_norm", "n_trials_norm"
ENOUGH = 3


def main(arguments: list[str]) -> None:
    warnings.simplefilter("ignore")
    for logs, output in zip(arguments[::2], arguments[1::2], strict=True):
        folder = Path(output).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in numbers(Path(logs).absolute()).items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)


def numbers(logs: Path) -> dict[str, pd.DataFrame]:
    """All tables of one folder of logs, by name."""
    here = Path.cwd()
    # carps keeps hypervolumes in ./tmp and takes what an earlier call left there for its own.
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(scratch)
        try:
            gather_and_check(str(logs), n_processes=1, outdir=scratch)
            # gather_data has normalised them; generate_report, by default, would fail on volumes of volumes.
            frame = load_results(Path(scratch) / "logs.parquet", normalize=False)
            return {
                "trials": trials(frame),
                "final": final(frame),
                "budget": percent_budget_used(frame)["percent_budget_used"].droplevel(3).reset_index(),
                "ranks": ranks(frame),
                "curves": curves(frame),
            }
        finally:
            os.chdir(here)


def trials(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[*KEY, "task_type", "n_trials", SHARE, "trial_value__cost", RAW, NORMALISED]]


def final(frame: pd.DataFrame) -> pd.DataFrame:
    raw, normalised = (
        get_df_crit(frame, nan_handling="keep", perf_col=column).stack() for column in (RAW, NORMALISED)
    )
    return pd.DataFrame({"raw": raw, "normalised": normalised}).reset_index()


def ranks(frame: pd.DataFrame) -> pd.DataFrame:
    parts = [_ranks(get_df_crit(own, perf_col=RAW), kind) for kind, own in frame.groupby("task_type")]
    return pd.concat(parts, ignore_index=True)


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for kind, own in get_interpolated_performance_df(frame).groupby("task_type"):
        means = own.groupby(["optimizer_id", SHARE])[NORMALISED].mean()
        for share in np.unique(own[SHARE]):
            found = _ranks(get_df_crit(own, max_fidelity=share, perf_col=RAW), kind)
            found["mean"] = [means[optimizer, share] for optimizer in found["optimizer_id"]]
            parts.append(found.assign(share=share))
    return pd.concat(parts, ignore_index=True)


def _ranks(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """One row per optimizer; without p where carps' tests need more tasks or optimizers."""
    found = {"task_type": kind, "p": np.nan, "cd": np.nan, "quantile": np.nan}
    if min(table.shape) < ENOUGH:
        order = table.rank(axis="columns").mean().rename("meanrank")
    else:
        result = cd_evaluation(table, maximize_metric=False, ignore_non_significance=True, plot_diagram=False)
        order, found["p"], found["cd"] = result.rankdf["meanrank"], result.pvalue, result.cd
        found["quantile"] = qsturng(0.95, table.shape[1], np.inf)
    return order.rename_axis("optimizer_id").reset_index().assign(**found)


if __name__ == "__main__":
    main(sys.argv[1:])
