"""The tables that a report leaves as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from orchestrator.analysis.analysis import Analysis
from orchestrator.benchmark.records import Results
from orchestrator.run.results import replacing, write_table
from orchestrator.text import first_line

_CELLS = {"failed": "cell", "lost": "lost cell", "finished": "ended early"}
FAILURES = ["task", "method", "seed", "what", "count", "reason"]


def tables(results: Results, analysis: Analysis) -> Mapping[str, pd.DataFrame]:
    """All tables by name: those of the analysis, and ``failures``.

    They hold neither times by the clock nor paths: the same results make the same tables, byte for byte.
    """
    found = {one.name: getattr(analysis, one.name) for one in fields(analysis)}
    return {**found, "failures": failures(results)}


def failures(results: Results) -> pd.DataFrame:
    """What failed. Columns: task, method, seed, what, count, reason.

    ``what`` is "cell", "lost cell" or "ended early" (a finished cell that did not spend its budget), with the
    evaluations before as the count, or "evaluations", with how many of the cell's failed and the most
    frequent of their reasons.
    """
    evaluations = results.evaluations[results.evaluations["status"] == "failed"]
    rows = [
        (row.task, row.method, row.seed, _CELLS[row.status], row.evaluations, first_line(row.reason))
        for row in results.cells[results.cells["reason"] != ""].itertuples()
    ]
    rows += [
        (*key, "evaluations", len(reasons), first_line(reasons.mode().iloc[0]))
        for key, reasons in evaluations.groupby(["task", "method", "seed"], observed=True)["reason"]
    ]
    tasks, methods = list(results.tasks), list(results.methods)
    rows.sort(key=lambda row: (tasks.index(row[0]), methods.index(row[1]), *row[2:4]))
    return pd.DataFrame(rows, columns=FAILURES)


def write_tables(folder: Path, found: Mapping[str, pd.DataFrame]) -> None:
    """Write each as ``<name>.csv`` and ``<name>.parquet``."""
    for name, frame in found.items():
        write_table(folder / f"{name}.parquet", frame)
        with replacing(folder / f"{name}.csv") as path:
            _write_csv(path, frame)


def _write_csv(path: Path, frame: pd.DataFrame) -> None:
    """By Arrow, which takes a tenth of the time that pandas does."""
    whole = [name for name in frame.columns if frame[name].dtype == float and _whole(frame[name].to_numpy())]
    # Arrow writes 1.0 as 1, so that a column of such numbers would be read as integers.
    texts = {name: [None if np.isnan(one) else repr(one) for one in frame[name].tolist()] for name in whole}
    table = pa.Table.from_pandas(frame.assign(**texts), preserve_index=False)
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_header="none"))


def _whole(values: np.ndarray) -> bool:
    """Whether there are numbers, and all of them are whole."""
    known = values[np.isfinite(values)]
    return bool(known.size) and not (known % 1).any()
