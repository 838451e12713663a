"""A benchmark study's coordinator as a Ray actor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from orchestrator.benchmark.desk import CellDesk
from orchestrator.benchmark.index import CellIndex
from orchestrator.engine.actor import StudyActor
from orchestrator.engine.benchmark_metrics import BenchmarkMetrics
from orchestrator.engine.coordinator import Coordinator
from orchestrator.engine.metrics import Labels, MeasuredJournal
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal


class BenchmarkCoordinator(Coordinator, StudyActor):
    """Lets workers compute the cells that are missing.

    Args:
        study: the resolved configuration.
        run: the run directory; its journal tells already that the study has begun, or goes on.
        workers: how many compute at a time.
        index: the study's cells; nothing of its workloads, which may fit the workers' machines alone.
        evaluations: of each task.
    """

    def __init__(
        self,
        study: Mapping[str, Any],
        run: RunDirectory,
        workers: int,
        index: CellIndex,
        evaluations: Mapping[str, int],
    ) -> None:
        self.study_name = study["study"]["name"]
        seconds = study["benchmark"]["block_seconds"]
        metrics = BenchmarkMetrics(Labels.of(study, run))
        journal = MeasuredJournal(run.journal, metrics)
        metrics.feed(read_journal(run.journal))
        desk = CellDesk(index.missing, evaluations, workers, seconds, index, journal, time.time)
        super().__init__(desk, workers)
