"""Logs of a few evaluations, written by hand, on which carps' report and ours are known by calculation.

Each case has the numbers that carps' rules give and those that ours give. ``tests.benchmarks.carps_report``
lets carps itself compute the former; the suite checks the latter without carps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Cell = tuple[str, str, int]
"""Task, optimizer, seed."""
Loss = float | tuple[float, ...]


@dataclass(frozen=True)
class Logged:
    """An evaluation: its loss, or one for each objective; whether it crashed; its fidelity, of 10."""

    loss: Loss
    crashed: bool = False
    fidelity: int | None = None


@dataclass(frozen=True)
class Both:
    """A number as carps' rules have it, and as ours do."""

    theirs: float
    ours: float


def same(value: float) -> Both:
    return Both(value, value)


@dataclass(frozen=True)
class Case:
    """Logs and what is to be found in them.

    Args:
        about: what the case shows.
        cells: evaluations, in order; a plain number is one that succeeded at full fidelity.
        ranks: mean rank by method; NaN where a report leaves the method out.
        scores: mean normalised score by task and method.
    """

    about: str
    cells: Mapping[Cell, Sequence[Loss | Logged]] = field(repr=False)
    ranks: Mapping[str, Both] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], Both] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[object, Both]:
        """Ranks and scores together."""
        return dict([*self.ranks.items(), *self.scores.items()])


# The final losses of the first task are 2 and 4, 5 and 5, 6 and 10; of all its evaluations 2 and 12 are the
# smallest and the largest.
_PLAIN: dict[Cell, Sequence[Loss | Logged]] = {
    ("t1", "a", 1): (4.0, 2.0, 3.0),
    ("t1", "a", 2): (4.0, 7.0, 8.0),
    ("t1", "b", 1): (9.0, 5.0, 5.0),
    ("t1", "b", 2): (5.0, 12.0, 6.0),
    ("t1", "c", 1): (8.0, 6.0, 7.0),
    ("t1", "c", 2): (11.0, 10.0, 11.0),
    ("t2", "a", 1): (0.0, 1.0, 1.0),
    ("t2", "a", 2): (1.0, 1.0, 0.0),
    ("t2", "b", 1): (4.0, 4.0, 3.0),
    ("t2", "b", 2): (3.0, 4.0, 4.0),
    ("t2", "c", 1): (2.0, 3.0, 4.0),
    ("t2", "c", 2): (3.0, 2.0, 1.0),
    ("t3", "a", 1): (10.0, 20.0, 30.0),
    ("t3", "a", 2): (30.0, 20.0, 30.0),
    ("t3", "b", 1): (20.0, 30.0, 30.0),
    ("t3", "b", 2): (30.0, 30.0, 10.0),
    ("t3", "c", 1): (30.0, 20.0, 30.0),
    ("t3", "c", 2): (30.0, 30.0, 30.0),
}

CASES: Mapping[str, Case] = {
    "plain": Case(
        "ranks of 1 2 3, of 1 3 2 and of 1.5 1.5 3",
        _PLAIN,
        {"a": same(3.5 / 3), "b": same(6.5 / 3), "c": same(8 / 3)},
        {
            ("t1", "a"): same(0.1),
            ("t1", "b"): same(0.3),
            ("t1", "c"): same(0.6),
            ("t2", "a"): same(0.0),
            ("t2", "b"): same(0.75),
            ("t2", "c"): same(0.375),
            ("t3", "a"): same(0.25),
            ("t3", "b"): same(0.25),
            ("t3", "c"): same(0.75),
        },
    ),
    "volumes": Case(
        "volumes are bounded by the worst losses; carps scales them to .375, and adds 1e-8 to that range",
        {
            # The corner is (2, 4). Volumes are 0, 2 and 3 for a, 0 and 0 for b.
            ("t1", "a", 1): ((0.0, 4.0), (1.0, 2.0), (0.0, 3.0)),
            ("t1", "b", 1): ((2.0, 0.0), (2.0, 4.0), (2.0, 1.0)),
        },
        {"a": same(1.0), "b": same(2.0)},
        {("t1", "a"): same(0.0), ("t1", "b"): Both(0.375 / (0.375 + 1e-8), 1.0)},
    ),
    "a missing seed": Case(
        "carps takes the mean over the seeds that there are; we over those that all methods have",
        {("t1", "a", 1): (5.0,), ("t1", "b", 1): (6.0,), ("t1", "b", 2): (2.0,)},
        {"a": Both(2.0, 1.0), "b": Both(1.0, 2.0)},
    ),
    "a missing task": Case(
        "carps leaves out tasks that some method lacks; we leave out the method",
        {
            ("t1", "a", 1): (3.0,),
            ("t1", "b", 1): (2.0,),
            ("t1", "c", 1): (1.0,),
            ("t2", "a", 1): (1.0,),
            ("t2", "b", 1): (2.0,),
        },
        {"a": Both(3.0, 1.5), "b": Both(2.0, 1.5), "c": Both(1.0, math.nan)},
    ),
    "a crash": Case(
        "to carps the loss of an evaluation that crashed is a result",
        {("t1", "a", 1): (Logged(0.0, crashed=True), 5.0), ("t1", "b", 1): (4.0, 8.0)},
        {"a": Both(1.0, 2.0), "b": Both(2.0, 1.0)},
        {("t1", "a"): Both(0.0, 0.25), ("t1", "b"): Both(0.5, 0.0)},
    ),
    "an infinite loss": Case(
        "one infinite loss is the largest, and so all normalised scores are 0 to carps",
        {("t1", "a", 1): (math.inf, 3.0), ("t1", "b", 1): (1.0, 2.0)},
        {"a": same(2.0), "b": same(1.0)},
        {("t1", "a"): Both(0.0, 1.0), ("t1", "b"): same(0.0)},
    ),
    "a low fidelity": Case(
        "carps counts losses at any fidelity alike; we count those at the full one",
        {
            ("t1", "a", 1): (Logged(1.0, fidelity=1), Logged(6.0, fidelity=10)),
            ("t1", "b", 1): (Logged(8.0, fidelity=1), Logged(4.0, fidelity=10)),
        },
        {"a": Both(1.0, 2.0), "b": Both(2.0, 1.0)},
    ),
    "equal means": Case(
        "the same three losses in another order: their sums differ in the last digit",
        {
            **{("t1", "a", seed): (loss,) for seed, loss in ((1, 0.1), (2, 0.2), (3, 0.3))},
            **{("t1", "b", seed): (loss,) for seed, loss in ((1, 0.3), (2, 0.2), (3, 0.1))},
        },
        {"a": Both(2.0, 1.5), "b": Both(1.0, 1.5)},
    ),
}


def write(case: Case, folder: Path) -> None:
    """The case's logs, as carps' file logger would write them."""
    for (task, method, seed), entries in case.cells.items():
        cell = folder / method / task / str(seed)
        (cell / ".hydra").mkdir(parents=True)
        logged = [one if isinstance(one, Logged) else Logged(one) for one in entries]
        config = _config(task, method, seed, logged)
        (cell / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
        overrides: dict[str, Any] = {"hydra": {"overrides": {"task": [], "hydra": []}}}
        (cell / ".hydra/hydra.yaml").write_text(yaml.safe_dump(overrides))
        (cell / "trial_logs.jsonl").write_text("".join(_lines(logged)))


def _lines(entries: Sequence[Logged]) -> list[str]:
    lines, spent = [], 0.0
    for number, entry in enumerate(entries, start=1):
        spent += _share(entry)
        cost = list(entry.loss) if isinstance(entry.loss, tuple) else entry.loss
        info = {"config": [0.5], "budget": entry.fidelity, "normalized_budget": None}
        value = {
            **{"cost": cost, "status": 2 if entry.crashed else 1, "virtual_time": 0.0},
            **{"starttime": float(number), "endtime": number + 0.5},
        }
        lines.append(json.dumps({"n_trials": spent, "trial_info": info, "trial_value": value}) + "\n")
    return lines


def _share(entry: Logged) -> float:
    return 1.0 if entry.fidelity is None else entry.fidelity / 10


def _config(task: str, method: str, seed: int, entries: Sequence[Logged]) -> dict[str, Any]:
    objectives = len(entries[0].loss) if isinstance(entries[0].loss, tuple) else 1
    several_fidelities = entries[0].fidelity is not None
    return {
        "benchmark_id": "hand",
        "task_id": task,
        "optimizer_id": method,
        "seed": seed,
        "task": {
            "name": task,
            "objective_function": {"_target_": "by.hand"},
            "input_space": {
                "fidelity_space": {
                    "is_multifidelity": several_fidelities,
                    "fidelity_type": "epochs" if several_fidelities else None,
                    "max_fidelity": 10 if several_fidelities else None,
                }
            },
            "output_space": {
                "n_objectives": objectives,
                "objectives": [f"objective_{number}" for number in range(objectives)],
            },
            "optimization_resources": {"n_trials": int(sum(map(_share, entries))), "time_budget": None},
            "metadata": {"dimensions": 1, "deterministic": True},
        },
    }
