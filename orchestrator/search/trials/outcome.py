"""From a trial's last report to the record of how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.objective import MissingMetricError
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion, Trial, evaluated, failed, lost
from workloads.contract import Objective


@dataclass(frozen=True)
class Outcomes:
    """Makes the records of a study's trials.

    Args:
        objectives: what is optimised.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        largest: the fidelity of full training.
    """

    objectives: Sequence[Objective]
    constraints: Sequence[Objective]
    largest: int

    def of(self, suggestion: Suggestion, report: Report, stopped_by: str) -> Trial:
        """A trial that trains no further.

        Args:
            report: its last.
            stopped_by: what stopped it, if it has not come to its end.
        """
        complete = report.fidelity >= (suggestion.fidelity or self.largest)
        return self.ended(suggestion, report, "" if complete else f"{stopped_by} after {report.fidelity}")

    def ended(self, suggestion: Suggestion, report: Report, stopped: str = "") -> Trial:
        """A trial that trains no further; failed where its report says so or lacks a metric.

        Args:
            report: its last.
            stopped: why it ended before it was trained fully; empty where it was.
        """
        if report.failure:
            return self._failed(suggestion, report.failure, report)
        try:
            return evaluated(
                suggestion,
                report.metrics,
                self.objectives,
                self.constraints,
                status="stopped" if stopped else "finished",
                fidelity=report.fidelity,
                reason=stopped,
                seconds=report.seconds,
            )
        except MissingMetricError as error:
            return self._failed(suggestion, str(error), report)

    def lost(self, suggestion: Suggestion, reason: str, seconds: float) -> Trial:
        """A trial that stays lost with its process, node or memory."""
        return lost(suggestion, reason, self.objectives, self.constraints, seconds=seconds)

    def _failed(self, suggestion: Suggestion, reason: str, report: Report) -> Trial:
        return failed(
            suggestion,
            reason,
            self.objectives,
            self.constraints,
            fidelity=report.fidelity,
            metrics=report.metrics,
            seconds=report.seconds,
        )
