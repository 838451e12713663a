"""Which events can follow one another in the journal of a benchmark study."""

from __future__ import annotations

from orchestrator.benchmark.history import BenchmarkHistory, BenchmarkStart
from orchestrator.run.journal import Event


class BenchmarkJudge:
    """Says of each event whether it can come next, see :data:`orchestrator.run.soundness.Judge`.

    Any can: the store has the results, the journal tells how they came.
    """

    def __init__(self) -> None:
        self._history: BenchmarkHistory | None = None

    def __call__(self, event: Event) -> str:
        if self._history is not None:
            self._history.extend([event])
        elif event["event"] != "start" or event["kind"] != "benchmark":
            return "no start of a benchmark study"
        else:
            self._history = BenchmarkHistory(BenchmarkStart.of(event))
        return ""
