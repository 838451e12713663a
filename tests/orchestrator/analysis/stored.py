"""Run directories of benchmark studies, as the report finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.benchmark.records import CellKey, CellResult, Evaluation, Results
from orchestrator.benchmark.results import save_study
from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from orchestrator.trial import Suggestion, Trial


def save(run_dir: Path, results: Results) -> Path:
    """Store ``results`` below ``run_dir``, which is returned."""
    tasks = list(results.tasks.values())
    seeds = sorted({seed for plan in results.plans.values() for seed in plan.seeds})
    save_study(run_dir, results.name, tasks, results.methods, results.workers, results.left_out, seeds)
    groups = dict(list(results.evaluations.groupby(["task", "method", "seed"])))
    with Store(RunDirectory(run_dir).cells) as store:
        for cell in results.cells.itertuples():
            key = (cell.task, cell.method, cell.seed)
            evaluations = tuple(_evaluation(row) for row in groups[key].itertuples()) if key in groups else ()
            store.append(CellResult(CellKey(*key), "1", evaluations, cell.status, cell.reason, cell.seconds))
        store.compact()
    return run_dir


def _evaluation(row: Any) -> Evaluation:
    suggestion = Suggestion(json.loads(row.config), row.fidelity, row.asked)
    trial = Trial(
        suggestion,
        tuple(row.losses),
        tuple(row.violations),
        row.status,
        fidelity=row.fidelity,
        reason=row.reason,
    )
    return Evaluation(trial, row.cost, row.start, row.end, row.worker)
