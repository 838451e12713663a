"""Made-up results of benchmark studies, with methods of known quality."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from orchestrator.benchmark.records import LeftOut, Plan, Results, TaskRecord
from orchestrator.benchmark.rows import EVALUATIONS
from orchestrator.benchmark.task import TaskType
from orchestrator.randomness import stream

METHODS = {"good": 3.0, "fair": 1.5, "poor": 0.6}
"""Methods by the rate at which they come nearer to the optimum."""

_FULL = 9
_FIDELITIES = (1, 3, 9)
_SUITES: dict[TaskType, str] = {"BB": "bbob", "MF": "hartmann", "MO": "zdt", "MOMF": "surrogate"}


def task(kind: TaskType = "BB", number: int = 1, *, evaluations: int = 40, timed: bool = False) -> TaskRecord:
    """A task of a type; black boxes have a known optimum, MO ones their own reference, MOMF ones none."""
    several, cheaper = kind in ("MO", "MOMF"), kind in ("MF", "MOMF")
    return TaskRecord(
        name=f"{_SUITES[kind]}/function={number},dimension={number + 1}",
        suite=_SUITES[kind],
        type=kind,
        dimension=number + 1,
        objectives=("f1", "f2") if several else ("value",),
        directions=("min", "min") if several else ("min",),
        evaluations=evaluations,
        full=_FULL if cheaper else 1,
        unit="epoch" if cheaper else "call",
        optimum=10.0 * number if kind == "BB" else None,
        reference=(2.0, 2.0) if kind == "MO" else None,
        timed=timed,
    )


def four_types(each: int = 3) -> tuple[TaskRecord, ...]:
    """``each`` tasks of every type; those of type MF and MOMF have recorded run times."""
    kinds: tuple[TaskType, ...] = ("BB", "MF", "MO", "MOMF")
    return tuple(
        task(kind, number, timed=kind in ("MF", "MOMF")) for kind in kinds for number in range(1, each + 1)
    )


def results(
    tasks: Sequence[TaskRecord] | None = None,
    methods: Mapping[str, float] = METHODS,
    seeds: Sequence[int] = range(5),
    *,
    workers: int = 1,
    left_out: Sequence[LeftOut] = (),
    failed: Sequence[tuple[str, str, int]] = (),
    failing: float = 0.05,
) -> Results:
    """Results of ``methods`` on ``tasks``; the greater a method's rate, the faster its losses fall.

    Args:
        tasks: three of every type where None.
        methods: rates by name.
        seeds: of the cells.
        workers: simulated workers.
        left_out: pairings without cells.
        failed: cells (task, method, seed) that failed, with the half of their evaluations.
        failing: probability that an evaluation fails.
    """
    tasks = four_types() if tasks is None else tasks
    absent = {(one.task, one.method) for one in left_out}
    cells, tables = [], []
    for one in tasks:
        for method, rate in methods.items():
            for seed in seeds if (one.name, method) not in absent else ():
                table = evaluations(one, method, rate, seed, workers=workers, failing=failing)
                broken = (one.name, method, seed) in failed
                table = table.iloc[: len(table) // 2] if broken else table
                tables.append(table)
                status, reason = ("failed", "ValueError: no further points") if broken else ("finished", "")
                cells.append((one.name, method, seed, status, reason, len(table), 0.5))
    columns = ["task", "method", "seed", "status", "reason", "evaluations", "seconds"]
    return Results(
        name="made",
        tasks={one.name: one for one in tasks},
        methods=tuple(methods),
        seeds=tuple(seeds),
        workers=workers,
        left_out=tuple(left_out),
        plans={
            (one.name, method): Plan(tuple(seeds))
            for one in tasks
            for method in methods
            if (one.name, method) not in absent
        },
        cells=_ordered(pd.DataFrame(cells, columns=columns)),
        evaluations=_ordered(pd.concat(tables, ignore_index=True)),
    )


def evaluations(
    one: TaskRecord, method: str, rate: float, seed: int, *, workers: int = 1, failing: float = 0.05
) -> pd.DataFrame:
    """The rows of one cell, in the columns of :class:`Results`."""
    rng = stream(0, one.name, method, seed)
    cheaper = one.type in ("MF", "MOMF")
    n = one.evaluations * (4 if cheaper else 1)
    fidelity = rng.choice(_FIDELITIES, n) if cheaper else np.ones(n, dtype=int)
    spent = np.cumsum(fidelity / one.full)
    n = int(np.searchsorted(spent, one.evaluations + 1e-9, side="right"))
    fidelity, spent = fidelity[:n], spent[:n]
    duration = fidelity / one.full * (rng.uniform(20, 60, n) if one.timed else 1.0)
    end = np.cumsum(duration) / workers
    failing_rows = rng.random(n) < failing
    return pd.DataFrame(
        {
            "task": one.name,
            "method": method,
            "seed": seed,
            "number": np.arange(n),
            "asked": np.arange(n),
            "worker": np.arange(n) % workers,
            "fidelity": fidelity,
            "cost": fidelity / one.full,
            "spent": spent,
            "start": end - duration / workers,
            "end": end,
            "status": np.where(failing_rows, "failed", "finished"),
            "reason": np.where(failing_rows, "ValueError: diverged", ""),
            "losses": _losses(one, rate, fidelity, spent, failing_rows, rng),
            "violations": [[] for _ in range(n)],
            "config": [json.dumps({"x": round(float(x), 6)}) for x in rng.random(n)],
        }
    )


def without_cells(made: Results, method: str, task_name: str) -> Results:
    """The results of a study that was interrupted before it came to a method's cells on a task."""

    def rest(frame: pd.DataFrame) -> pd.DataFrame:
        gone = (frame["method"] == method) & (frame["task"] == task_name)
        return frame[~gone].reset_index(drop=True)

    return replace(made, cells=rest(made.cells), evaluations=rest(made.evaluations))


def _losses(
    one: TaskRecord,
    rate: float,
    fidelity: np.ndarray,
    spent: np.ndarray,
    failing: np.ndarray,
    rng: np.random.Generator,
) -> list[list[float]]:
    # How far from the optimum: falling exponentially, noisy; at less than full fidelity it looks better.
    gap = np.exp(-4 * rate * spent / one.evaluations) * rng.lognormal(0, 0.5, len(spent))
    gap = gap * np.where(fidelity < one.full, 0.1, 1.0)
    if len(one.objectives) == 1:
        matrix = (one.optimum or 0.0) + 20 * gap[:, None]
    else:
        share = rng.random(len(spent))
        matrix = np.column_stack([share + gap, 1 - np.sqrt(share) + gap])
    matrix[failing] = np.nan
    return matrix.tolist()


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    keys = [key for key in ("task", "method", "seed", "number") if key in frame]
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def of_losses(losses: Mapping[tuple[str, str, int], Sequence[float]], tasks: Sequence[TaskRecord]) -> Results:
    """Finished cells whose evaluations at full fidelity had these losses; NaN: it failed."""
    full = {one.name: one.full for one in tasks}
    rows = [
        (
            *key,
            number,
            number,
            0,
            full[key[0]],
            1.0,
            number + 1.0,
            number,
            number + 1.0,
            *_outcome(loss),
            [],
            "{}",
        )
        for key, values in losses.items()
        for number, loss in enumerate(values)
    ]
    cells = [(*key, "finished", "", len(values), 0.5) for key, values in losses.items()]
    names, methods, seeds = (dict.fromkeys(key[place] for key in losses) for place in range(3))
    columns = ["task", "method", "seed", "status", "reason", "evaluations", "seconds"]
    return Results(
        name="made",
        tasks={one.name: one for one in tasks if one.name in names},
        methods=tuple(methods),
        seeds=tuple(seeds),
        workers=1,
        left_out=(),
        plans={(task, method): Plan(tuple(seeds)) for task in names for method in methods},
        cells=_ordered(pd.DataFrame(cells, columns=columns)),
        evaluations=_ordered(pd.DataFrame(rows, columns=EVALUATIONS.names)),
    )


def _outcome(loss: float) -> tuple[str, str, list[float]]:
    broken = bool(np.isnan(loss))
    return "failed" if broken else "finished", "ValueError: diverged" if broken else "", [loss]
