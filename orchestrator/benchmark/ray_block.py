"""A block of cells as a Ray Tune trainable; one process computes many, with nothing of Ray between cells."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from ray import tune

from orchestrator.benchmark.bench import Bench
from orchestrator.benchmark.course import Block, Ended
from orchestrator.benchmark.store import Store
from orchestrator.cluster import Share, prepare_device
from orchestrator.faults import storage_failure
from orchestrator.run_directory import RunDirectory
from orchestrator.worker_output import Workplace

BLOCK, ENDED, FULL = "block", "ended", "full"
"""Keys of a Tune trial's config, which holds the :class:`Block`, and of its results."""
STEP_SECONDS = 1.0
"""About how often a block tells which of its cells have ended."""


class BlockTrial(tune.Trainable):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Computes one block after another; each cell is stored before it is told of.

    Config: ``block``. Parameters: ``study`` (resolved configuration), ``run`` (directory), ``workplace``,
    ``versions`` (kept with each cell).
    """

    def setup(
        self,
        config: dict[str, Any],
        study: Mapping[str, Any],
        run: RunDirectory,
        workplace: Workplace,
        versions: str = "",
    ) -> None:
        self._output = workplace.enter(f"worker-{config[BLOCK].number}")
        device = prepare_device(Share.of(study["cluster"], "trial"), study["deterministic"])
        self._bench = Bench(study, device, versions)
        self._store = Store(run.cells)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        block: Block = new_config[BLOCK]
        self._cells = deque(block.cells)
        return True

    def step(self) -> dict[str, Any]:
        """Compute at least one cell, and more for about a second; on a full disk say so instead."""
        began = time.monotonic()
        ended: list[Ended] = []
        while self._cells and (not ended or time.monotonic() - began < STEP_SECONDS):
            key = self._cells.popleft()
            self._output.unit = ("cell", key.method, "on", key.task, "seed", key.seed)
            result = self._bench.compute(key)
            try:
                self._store.append(result)
            except OSError as error:
                if not (reason := storage_failure(error)):
                    raise
                return {ENDED: tuple(ended), FULL: reason, "done": True}
            ended.append(Ended.of(result.key, result.status, result.seconds, result.reason))
        return {ENDED: tuple(ended), "done": not self._cells}

    def cleanup(self) -> None:
        self._output.close()
        try:
            self._store.close()
        except OSError as error:
            # Its cells are in the file; what cannot be written is the end of the stream.
            if not storage_failure(error):
                raise
