"""The workers of a benchmark study: each computes one cell after another, with nothing of Ray inside."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.benchmark.assemble import assemble_benchmark, prepare_tasks
from orchestrator.benchmark.desk import Block, Ended, Progress
from orchestrator.benchmark.runner import CellRunner
from orchestrator.benchmark.store import Store
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.engine.node import once_on_node
from orchestrator.engine.worker import STEP_SECONDS, PullingWorker
from orchestrator.run.directory import RunDirectory
from orchestrator.run.faults import storage_failure


class CellWorker(PullingWorker):
    """Computes block after block in this process. Each cell is stored before it is reported."""

    def prepare(self, study: Mapping[str, Any], run: RunDirectory) -> None:
        device = self.own(prepare_device(Share.of(study["cluster"], "trial"), study["deterministic"]))
        # Populations of several cells at once have members of the same names.
        self._runner = CellRunner(study, replace(device, logs=run.logs / f"worker-{self._number}"))
        self._store = Store(run.cells)
        once_on_node(study, self._workplace, lambda: prepare_tasks(assemble_benchmark(study).tasks.values()))

    def begin(self, work: Block) -> None:
        self._cells, self._versions = deque(work.cells), work.versions

    def advance(self) -> Progress:
        """Compute at least one cell, and more for about a second; on a full disk say so instead."""
        until = time.monotonic() + STEP_SECONDS
        ended: list[Ended] = []
        while self._cells and (not ended or time.monotonic() < until):
            key = self._cells.popleft()
            self._output.unit = ("cell", key.method, "on", key.task, "seed", key.seed)
            result = replace(self._runner.compute(key), versions=self._versions)
            try:
                self._store.append(result)
            except OSError as error:
                if not (reason := storage_failure(error)):
                    raise
                return Progress(tuple(ended), reason)
            score = self._runner.score(result)
            ended.append(Ended.of(result.key, result.status, result.seconds, result.reason, score))
        return Progress(tuple(ended))

    def cleanup(self) -> None:
        super().cleanup()
        try:
            self._store.close()
        except OSError as error:
            # Its cells are in the file; what cannot be written is the end of the stream.
            if not storage_failure(error):
                raise
