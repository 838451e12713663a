"""Cells and evaluations as Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from orchestrator.benchmark.records import CellResult, Evaluation

_TEXT = pa.string()
_WHOLE = pa.int64()
_NUMBER = pa.float64()

KEY_NAMES = ("task", "method", "seed")
"""The columns that identify a row's cell."""

_KEY = [pa.field("task", _TEXT), pa.field("method", _TEXT), pa.field("seed", _WHOLE)]

_CELL = [
    *_KEY,
    pa.field("digest", _TEXT),
    pa.field("status", _TEXT),
    pa.field("reason", _TEXT),
    pa.field("seconds", _NUMBER),
    pa.field("versions", _TEXT),
    pa.field("thinking", _NUMBER),
    pa.field("test", _TEXT),
]

_EVALUATION = [
    pa.field("number", _WHOLE),
    pa.field("asked", _WHOLE),
    pa.field("worker", _WHOLE),
    pa.field("fidelity", _WHOLE),
    pa.field("cost", _NUMBER),
    pa.field("spent", _NUMBER),
    pa.field("start", _NUMBER),
    pa.field("end", _NUMBER),
    pa.field("status", _TEXT),
    pa.field("reason", _TEXT),
    pa.field("losses", pa.list_(_NUMBER)),
    pa.field("violations", pa.list_(_NUMBER)),
    # 32 bits cannot count the text of millions of evaluations.
    pa.field("config", pa.large_string()),
]

RECORD = pa.schema([*_CELL, pa.field("evaluations", pa.list_(pa.struct(_EVALUATION)))])
"""One row per cell, with its evaluations."""

CELLS = pa.schema([*_CELL, pa.field("evaluations", _WHOLE)])
"""One row per cell; evaluations: how many."""

EVALUATIONS = pa.schema([*_KEY, *_EVALUATION])
"""One row per evaluation (see :class:`~orchestrator.benchmark.records.Results`)."""

LATER_COLUMNS: Mapping[str, Any] = {"versions": "", "thinking": None, "test": ""}
"""Columns that early stores lack, and what is read instead."""

_as_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def record_of(result: CellResult) -> pa.RecordBatch:
    """The record of a cell."""
    key = result.key
    how = (result.digest, result.status, result.reason, result.seconds, result.versions)
    test = _as_json(dict(result.test)) if result.test else ""
    cell = (key.task, key.method, key.seed, *how, result.thinking, test)
    columns = [pa.array([value], field.type) for value, field in zip(cell, _CELL, strict=True)]
    rows = pa.StructArray.from_arrays(_columns(result.evaluations), fields=_EVALUATION)
    offsets = pa.array([0, len(rows)], pa.int32())
    return pa.record_batch([*columns, pa.ListArray.from_arrays(offsets, rows)], schema=RECORD)


def _columns(evaluations: Sequence[Evaluation]) -> list[pa.Array]:
    trials = [evaluation.trial for evaluation in evaluations]
    costs = [evaluation.cost for evaluation in evaluations]
    values: list[Sequence[Any]] = [
        range(len(trials)),
        [trial.suggestion.token for trial in trials],
        [evaluation.worker for evaluation in evaluations],
        [1 if trial.fidelity is None else trial.fidelity for trial in trials],
        costs,
        list(accumulate(costs)),
        [evaluation.start for evaluation in evaluations],
        [evaluation.end for evaluation in evaluations],
        [trial.status for trial in trials],
        [trial.reason for trial in trials],
        [trial.losses for trial in trials],
        [trial.violations for trial in trials],
        [_as_json(trial.suggestion.config) for trial in trials],
    ]
    return [pa.array(column, field.type) for column, field in zip(values, _EVALUATION, strict=True)]
