"""Ray Tune's schedulers without Ray: what they decide, and that a resumed study's know what they knew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ray.tune.schedulers import TrialScheduler

from orchestrator.journal import Event
from orchestrator.search.course import Assignment
from orchestrator.search.ray_stopping import remind
from orchestrator.search.ray_trial import ASSIGNMENT, scheduled
from orchestrator.search.records import suggested
from orchestrator.search.rungs import Rungs
from orchestrator.search.stopping import Asha, Hyperband, Median, MoAsha, StoppingRule
from orchestrator.trial import Suggestion
from workloads.base import Objective

RUNGS = Rungs(1, 3, 9)
LOSS, COST, DELAY = Objective("loss"), Objective("cost", "max"), Objective("delay", bound=0.6)
STOP = TrialScheduler.STOP
RULES = {
    "asha": (Asha(), (LOSS,), ()),
    "hyperband": (Hyperband(), (LOSS,), ()),
    "median": (Median(), (LOSS,), ()),
    "mo_asha": (MoAsha(), (LOSS, COST), ()),
    "mo_asha_constrained": (MoAsha(), (LOSS, COST), (DELAY,)),
}
Served = tuple[StoppingRule, tuple[Objective, ...], tuple[Objective, ...]]


@dataclass(frozen=True, eq=False)
class TuneTrial:
    trial_id: str
    config: Mapping[str, Any]


class Tune:
    """What Tune asks and tells a scheduler, and what the course writes of it."""

    def __init__(self, served: Served) -> None:
        rule, self.objectives, self.constraints = served
        self.scheduler = rule.scheduler(RUNGS, 0)
        self.events: list[Event] = []
        self.running: dict[int, TuneTrial] = {}
        self.reports: dict[int, list[dict[str, float]]] = {}

    def start(self, number: int) -> None:
        suggestion = Suggestion({"x": number})
        self.running[number] = TuneTrial(f"{id(self)}-{number}", {ASSIGNMENT: Assignment(number, suggestion)})
        self.reports[number] = []
        self.scheduler.on_trial_add(None, self.running[number])
        self.events.append(suggested(number, suggestion, 0.0))

    def report(self, number: int, metrics: dict[str, float]) -> str:
        """The trial's next report; returns the scheduler's decision."""
        trial, fidelity = self.running[number], RUNGS.up_to()[len(self.reports[number])]
        self.reports[number].append(metrics)
        self.events.append({"event": "report", "trial": number, "fidelity": fidelity, "metrics": metrics})
        result = scheduled(fidelity, metrics, self.objectives, self.constraints)
        decision = str(STOP)
        if fidelity < RUNGS.largest:
            decision = self.scheduler.on_trial_result(None, trial, result)
        if decision == STOP:
            self._complete(number, result)
        return decision

    def fail(self, number: int) -> None:
        self._complete(number, {"report": "its failure", "done": True})

    def lose(self, number: int) -> None:
        """The trial's process dies; it is to begin anew."""
        self.scheduler.forget(self.running.pop(number))
        self.events.append({"event": "lost", "trial": number})

    def _complete(self, number: int, result: Mapping[str, Any]) -> None:
        self.scheduler.on_trial_complete(None, self.running.pop(number), result)
        self.events.append({"event": "ended", "trial": number})


def live(tune: Tune, rng: np.random.Generator, slots: int = 3, steps: int = 40) -> None:
    """A study's life up to some moment: ``slots`` trials at a time, one in ten reports is a failure."""
    for _ in range(steps):
        while len(tune.running) < slots:
            tune.start(len(tune.reports))
        number = int(rng.choice(list(tune.running)))
        if rng.random() < 0.1:
            tune.fail(number)
        else:
            tune.report(number, drawn(rng))


def drawn(rng: np.random.Generator) -> dict[str, float]:
    return dict(zip(("loss", "cost", "delay"), rng.random(3).tolist(), strict=True))


def decisions(tune: Tune, rng: np.random.Generator) -> Iterator[str]:
    """About twelve trials that have not been seen, as far as they get."""
    for number in range(1000, 1012):
        tune.start(number)
        while number in tune.running:
            yield tune.report(number, drawn(rng))


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_a_resumed_study_decides_as_if_it_had_never_been_killed(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lived, resumed = Tune(RULES[name]), Tune(RULES[name])
    live(lived, rng)
    remind(resumed.scheduler, lived.events, resumed.objectives, resumed.constraints)
    for number in lived.running:
        resumed.start(number)
        for metrics in lived.reports[number]:
            assume(number in resumed.running)  # it may be judged otherwise by what came after it
            resumed.report(number, metrics)
    later = rng.integers(1000)
    expected = list(decisions(lived, np.random.default_rng(later)))
    assert list(decisions(resumed, np.random.default_rng(later))) == expected


def test_the_median_of_a_resumed_study_does_not_judge_again() -> None:
    """Without the pending trials' reports, which were bad, the rule would stop a trial that went on."""
    tune = Tune((Median(2), (LOSS,), ()))
    for number, loss in enumerate((10.0, 10.0, 0.1, 0.1, 5.0)):
        tune.start(number)
        assert tune.report(number, {"loss": loss}) != STOP
    tune.report(4, {"loss": 0.01})
    for number in (2, 3, 4):
        tune.fail(number)
    resumed = Tune((Median(2), (LOSS,), ()))
    remind(resumed.scheduler, tune.events, (LOSS,), ())
    resumed.start(5)
    assert resumed.report(5, {"loss": 1.0}) == STOP, "worse than the median of 0.1, 0.1 and 5"


def test_the_median_counts_the_last_result_of_a_stopped_trial_once() -> None:
    tune = Tune((Median(1), (LOSS,), ()))
    for number, loss in enumerate((1.4, 1.0, 0.0)):
        tune.start(number)
        assert tune.report(number, {"loss": loss}) != STOP
    assert tune.report(2, {"loss": 0.0}) != STOP
    assert tune.report(1, {"loss": 4.0}) == STOP
    assert tune.report(0, {"loss": 1.4}) == STOP, "worse than the median of (1 + 4) / 2 and 0"


def test_an_infeasible_trial_does_not_go_on_before_a_feasible_one() -> None:
    tune = Tune(RULES["mo_asha_constrained"])
    feasible = {"loss": 0.9, "cost": 0.1, "delay": 0.5}
    for number in range(4):
        tune.start(number)
        tune.report(number, feasible)
    tune.start(4)
    assert tune.report(4, {"loss": 0.0, "cost": 1.0, "delay": 0.7}) == STOP
    tune.start(5)
    assert tune.report(5, {"loss": 0.0, "cost": 1.0, "delay": 0.6}) != STOP


@pytest.mark.parametrize("name", RULES)
def test_a_rule_forgets_what_a_lost_trial_reported(name: str) -> None:
    lived, spared = Tune(RULES[name]), Tune(RULES[name])
    for tune in (lived, spared):
        live(tune, np.random.default_rng(3))
    lived.start(900)
    assert lived.report(900, {"loss": 0.0, "cost": 1.0, "delay": 0.0}) != STOP
    lived.lose(900)
    expected = list(decisions(spared, np.random.default_rng(4)))
    assert list(decisions(lived, np.random.default_rng(4))) == expected
