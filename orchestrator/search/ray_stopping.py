"""Ray Tune's schedulers for :mod:`orchestrator.search.stopping`, and what a resume tells them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from ray.tune.schedulers import (
    AsyncHyperBandScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    TrialScheduler,
)

from orchestrator.journal import Event
from orchestrator.randomness import stream
from orchestrator.search.course import Assignment
from orchestrator.search.mo_asha import goes_on
from orchestrator.search.ray_trial import ASSIGNMENT, scheduled
from orchestrator.search.records import in_force
from orchestrator.search.rungs import Rungs
from orchestrator.trial import Suggestion
from workloads.base import Objective

_TIME, _METRIC, _MODE = "fidelity", "loss", "min"


class Reminded(Protocol):
    """A scheduler of ours."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Tune has a new trial."""

    def remember(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Take in what a trial of an earlier process reported; that trial is not judged any more."""

    def forget(self, trial: Any) -> None:
        """Leave out all that a trial reported: it was lost, and will report it again if it is retried."""


class MoAshaScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Multi-objective ASHA, with constraints; a trial looks at a rung when it reports there.

    Args:
        rungs: where trials report.
    """

    def __init__(self, rungs: Rungs) -> None:
        super().__init__()
        self._rungs = rungs
        self._losses: dict[int, dict[str, Sequence[float]]] = {level: {} for level in rungs.up_to()}
        self._violations: dict[int, dict[str, Sequence[float]]] = {level: {} for level in rungs.up_to()}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Stop or go on."""
        del tune_controller
        self.remember(trial, result)
        tables = self._losses, self._violations
        losses, violations = (np.array([*seen[result["fidelity"]].values()]) for seen in tables)
        on = goes_on(losses, len(losses) - 1, self._rungs.eta, violations)
        return str(TrialScheduler.CONTINUE if on else TrialScheduler.STOP)

    def remember(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Record the result at its rung."""
        self._losses[result["fidelity"]][trial.trial_id] = result["losses"]
        self._violations[result["fidelity"]][trial.trial_id] = result["violations"]

    def forget(self, trial: Any) -> None:
        """Leave its results out of all rungs."""
        for seen in (*self._losses.values(), *self._violations.values()):
            seen.pop(trial.trial_id, None)


class SeededAsha(AsyncHyperBandScheduler):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Tune's asynchronous Hyperband, with brackets drawn from the study's seed and the trial's number.

    Tune draws them from NumPy's global state.
    """

    def __init__(self, rungs: Rungs, brackets: int, seed: int) -> None:
        super().__init__(
            time_attr=_TIME,
            metric=_METRIC,
            mode=_MODE,
            max_t=rungs.largest,
            grace_period=rungs.first,
            reduction_factor=rungs.eta,
            brackets=brackets,
        )
        self._seed = seed

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Draw the trial's bracket, a longer one more often, as Tune does."""
        del tune_controller
        sizes = np.array([len(bracket._rungs) for bracket in self._brackets])
        weights = np.exp(sizes - sizes.max())
        rng = stream(self._seed, "bracket", trial.config[ASSIGNMENT].number)
        self._trial_info[trial.trial_id] = self._brackets[rng.choice(len(sizes), p=weights / weights.sum())]

    def remember(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Record the result in the trial's bracket."""
        self._trial_info[trial.trial_id].on_result(trial, result[_TIME], -result[_METRIC])

    def forget(self, trial: Any) -> None:
        """Leave its results out of its bracket."""
        for _, recorded in self._trial_info.pop(trial.trial_id)._rungs:
            recorded.pop(trial.trial_id, None)


class PatientMedian(MedianStoppingRule):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Tune's median rule, which lets trials go on while it knows too little to judge.

    Tune's own pauses them for others that wait; it stumbles over trials that failed; and of those that it
    stopped it counts the last result twice.

    Args:
        rungs: where trials report.
        trials: how many others must have come as far.
    """

    def __init__(self, rungs: Rungs, trials: int) -> None:
        super().__init__(
            time_attr=_TIME, metric=_METRIC, mode=_MODE, grace_period=rungs.first, min_samples_required=trials
        )

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Remember the result, if there is one and the trial was not asked about it."""
        del tune_controller
        if _METRIC in result and trial not in self._stopped_trials:
            self.remember(trial, result)

    def remember(self, trial: Any, result: Mapping[str, Any]) -> None:
        """Record the result."""
        self._results[trial].append(result)

    def forget(self, trial: Any) -> None:
        """Leave its results out."""
        self._results.pop(trial, None)
        self._stopped_trials.discard(trial)

    def _on_insufficient_samples(self, tune_controller: Any, trial: Any, time: float) -> str:
        del tune_controller, trial, time
        return str(TrialScheduler.CONTINUE)


@dataclass(frozen=True)
class _Remembered:
    """What schedulers ask of a Tune trial, for one of an earlier process."""

    trial_id: str
    config: Mapping[str, Any] = field(hash=False)


def remind(
    scheduler: Reminded,
    past: Sequence[Event],
    objectives: Sequence[Objective],
    constraints: Sequence[Objective],
) -> None:
    """Tell a fresh scheduler what the ended trials of a journal reported, in that order.

    Tune does not save its schedulers' state. Pending trials begin anew, and will report again; judged without
    them, an ended trial could meet another end than it did, so nothing is judged here.
    """
    events = in_force(past)
    ends = {event["trial"]: event.get("status") for event in events if event["event"] == "ended"}
    ended = {number for number, status in ends.items() if status != "lost"}
    trials: dict[int, _Remembered] = {}
    for event in events:
        if event.get("trial") not in ended:
            continue
        number = int(event["trial"])
        if event["event"] == "suggested":
            assignment = Assignment(number, Suggestion(event["config"], event["fidelity"]))
            trials[number] = _Remembered(f"past-{number}", {ASSIGNMENT: assignment})
            scheduler.on_trial_add(None, trials[number])
        elif event["event"] == "report":
            result = scheduled(event["fidelity"], event["metrics"], objectives, constraints)
            scheduler.remember(trials[number], result)
