"""All evaluations of a study by column: a frame for each of thousands of tasks would take long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orchestrator import pareto
from orchestrator.benchmark.records import TaskRecord

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Names:
    """A column of few different texts; ``codes`` are places in ``names``."""

    codes: Whole
    names: Sequence[str]

    @classmethod
    def of(cls, column: pd.Series) -> Names:
        """The texts of a table's column."""
        codes, names = column.factorize()
        return cls(codes.astype(np.int64), [str(name) for name in names])


@dataclass(frozen=True)
class Lists:
    """A column of lists, one after the other; ``starts`` has one entry more than there are lists."""

    values: Array
    starts: Whole

    @classmethod
    def of(cls, column: pd.Series) -> Lists:
        """The lists of a table's column."""
        lists = pa.array(column, type=pa.list_(pa.float64()))
        array = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
        starts = array.offsets.to_numpy().astype(np.int64)
        return cls(array.flatten().to_numpy(zero_copy_only=False), starts - starts[:1].sum())

    def matrix(self, rows: slice) -> Array:
        """Lists of one length as rows."""
        starts = self.starts[rows.start : rows.stop + 1]
        return self.values[starts[0] : starts[-1]].reshape(rows.stop - rows.start, -1)


@dataclass(frozen=True)
class Evaluations:
    """The columns that count, ordered by task, then by cell."""

    task: Names
    method: Names
    seed: Whole
    spent: Array
    end: Array
    fidelity: Array
    failed: NDArray[np.bool_]
    losses: Lists
    violations: Lists

    @classmethod
    def of(cls, table: pd.DataFrame) -> Evaluations:
        """The columns of :attr:`.Results.evaluations`."""
        return cls(
            task=Names.of(table["task"]),
            method=Names.of(table["method"]),
            seed=table["seed"].to_numpy(),
            spent=table["spent"].to_numpy(dtype=float),
            end=table["end"].to_numpy(dtype=float),
            fidelity=table["fidelity"].to_numpy(dtype=float, na_value=np.nan),
            failed=(table["status"] == "failed").to_numpy(dtype=bool),
            losses=Lists.of(table["losses"]),
            violations=Lists.of(table["violations"]),
        )

    def tasks(self) -> Iterator[tuple[str, slice]]:
        """Each task with its rows."""
        for rows in _stretches(slice(0, len(self.task.codes)), self.task.codes):
            yield self.task.names[self.task.codes[rows.start]], rows

    def cells(self, rows: slice) -> Iterator[tuple[str, int, slice]]:
        """Method, seed and rows, counted from the task's first one, of the cells of a task."""
        for own in _stretches(rows, self.method.codes, self.seed):
            method, seed = self.method.names[self.method.codes[own.start]], int(self.seed[own.start])
            yield method, seed, slice(own.start - rows.start, own.stop - rows.start)

    def counted(self, task: TaskRecord, rows: slice) -> tuple[Array, Array, Array]:
        """Spent, end and losses (NaN where the evaluation does not count) of a task's evaluations."""
        losses = self.losses.matrix(rows)
        # An unknown fidelity is that of a workload with one.
        partial = (self.fidelity[rows] < task.full) & (not task.anytime)
        feasible = pareto.feasible(losses, self.violations.matrix(rows))
        counts = feasible & ~self.failed[rows] & ~partial
        return self.spent[rows], self.end[rows], np.where(counts[:, None], losses, np.nan)


def _stretches(rows: slice, *columns: NDArray[Any]) -> Iterator[slice]:
    """The longest stretches of rows in which no column changes."""
    own = [column[rows] for column in columns]
    changes = np.any([column[1:] != column[:-1] for column in own], axis=0)
    starts = [rows.start, *(rows.start + 1 + np.flatnonzero(changes)).tolist()]
    for start, end in zip(starts, [*starts[1:], rows.stop], strict=True):
        if start < end:
            yield slice(start, end)
