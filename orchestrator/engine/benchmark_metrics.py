"""A benchmark study's figures for Prometheus and Grafana, exported by Ray."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.benchmark.history import BenchmarkHistory
from orchestrator.engine.metrics import Labels


class BenchmarkMetrics:
    """Figures of a benchmark, folded from its journal; Ray exports each as ``ray_<name>``.

    Cells have no series of their own, since Ray forgets none and there may be 240,000.
    """

    def __init__(self, labels: Labels) -> None:
        self._planned = labels.gauge("cells_planned", "Cells that the study has")
        self._cells = labels.gauge("cells", "Cells of a method that ended so", "method", "state")
        self._rank = labels.gauge("mean_rank", "Mean rank on the cells that all methods have", "method")
        self._left = labels.gauge("benchmark_seconds_left", "Seconds that the rest will take")
        self.exported = (self._planned, self._cells, self._rank, self._left)
        self._history: BenchmarkHistory | None = None

    def feed(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in further events of the journal, in their order."""
        new = [dict(event) for event in events]
        if self._history is None and new:
            self._history = BenchmarkHistory.from_events(new)
        elif self._history is not None:
            self._history.extend(new)
        if self._history is not None:
            self._show(self._history)

    def _show(self, history: BenchmarkHistory) -> None:
        self._planned.set(history.start.cells)
        for method in history.start.methods:
            ended = (history.finished[method], history.failed(method), history.lost_of(method))
            for state, count in zip(("finished", "failed", "lost"), ended, strict=True):
                self._cells.set(count, {"method": method, "state": state})
        for method, rank in history.standings.ranks.items():
            self._rank.set(rank, {"method": method})
        if history.seconds_left >= 0:  # NaN while it is unknown
            self._left.set(history.seconds_left)
