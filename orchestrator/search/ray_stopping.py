"""Ray Tune's schedulers for :mod:`orchestrator.search.stopping`, and what a resume tells them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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

_TIME, _METRIC, _MODE = "fidelity", "loss", "min"


class MoAshaScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Multi-objective ASHA; a trial looks at a rung when it reports there.

    Args:
        rungs: where trials report.
    """

    def __init__(self, rungs: Rungs) -> None:
        super().__init__()
        self._rungs = rungs
        self._recorded: dict[int, list[Sequence[float]]] = {level: [] for level in rungs.up_to()}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Stop or go on."""
        del tune_controller, trial
        recorded = self._recorded[result["fidelity"]]
        recorded.append(result["losses"])
        on = goes_on(np.array(recorded), len(recorded) - 1, self._rungs.eta)
        return str(TrialScheduler.CONTINUE if on else TrialScheduler.STOP)


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


class PatientMedian(MedianStoppingRule):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Tune's median rule, which lets trials go on while it knows too little to judge.

    Tune's own pauses them for others that wait; and it stumbles over trials that failed.

    Args:
        rungs: where trials report.
        trials: how many others must have come as far.
    """

    def __init__(self, rungs: Rungs, trials: int) -> None:
        super().__init__(
            time_attr=_TIME, metric=_METRIC, mode=_MODE, grace_period=rungs.first, min_samples_required=trials
        )

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Remember the result, if there is one."""
        if _METRIC in result:
            super().on_trial_complete(tune_controller, trial, result)

    def _on_insufficient_samples(self, tune_controller: Any, trial: Any, time: float) -> str:
        del tune_controller, trial, time
        return str(TrialScheduler.CONTINUE)


@dataclass(frozen=True)
class _Remembered:
    """What schedulers ask of a Tune trial, for one of an earlier process."""

    trial_id: str
    config: Mapping[str, Any] = field(hash=False)


def remind(scheduler: TrialScheduler, past: Sequence[Event], largest: int) -> None:
    """Tell a fresh scheduler what the ended trials of a journal reported, in that order.

    Tune does not save its schedulers' state.

    Args:
        largest: the fidelity of full training.
    """
    events = in_force(past)
    ended = {event["trial"] for event in events if event["event"] == "ended"}
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
            result = scheduled(event["fidelity"], event["losses"])
            # Tune asks no scheduler about a trial that is done.
            tell = scheduler.on_trial_result if event["fidelity"] < largest else scheduler.on_trial_complete
            tell(None, trials[number], result)
