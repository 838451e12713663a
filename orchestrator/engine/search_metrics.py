"""A search study's figures for Prometheus and Grafana, exported by Ray."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.engine.metrics import Labels
from orchestrator.objective import in_own_direction
from orchestrator.search.finals.finals import Finals
from workloads.contract import Objective

STATES = ("running", "finished", "stopped", "failed", "lost")
"""A trial's state is exported as its place here."""

ALL_NAMED = 100
"""Trials that are exported one by one. Of later ones every second is, twice as far every fourth, and so on:
Ray forgets no series, so a study of 20,000 trials with one each would burden every Prometheus that reads it.
"""


def named(number: int) -> bool:
    """Whether a trial is exported by its name; about 50 trials are for each doubling of their number."""
    return number % (1 << (number // ALL_NAMED).bit_length()) == 0


class SearchMetrics:
    """Figures of a search, folded from its journal; Ray exports each as ``ray_<name>``.

    Evaluations of finalists are not among them.

    Trials that are left out (:func:`named`) still count in the best values and in the numbers of trials. A
    trial that takes the lead in an objective is exported whatever its number is.
    """

    def __init__(self, labels: Labels) -> None:
        self._value = labels.gauge("trial_value", "Latest value of a trial", "trial", "objective")
        self._fidelity = labels.gauge("trial_fidelity", "How far a trial is trained", "trial")
        places = ", ".join(f"{place} {state}" for place, state in enumerate(STATES))
        self._state = labels.gauge("trial_state", f"State of a trial: {places}", "trial")
        self._count = labels.gauge("trials", "Trials in a state", "state")
        best = "Best value of a fully trained feasible trial"
        self._best = labels.gauge("search_best", best, "objective")
        self.exported = (self._value, self._fidelity, self._state, self._count, self._best)
        self._objectives: tuple[Objective, ...] = ()
        self._full = 0
        self._least: dict[str, float] = {}
        self._states: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        self._finals = Finals()

    def feed(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in further events of the journal, in their order."""
        for event in events:
            if self._finals.take(dict(event)):
                continue
            match event["event"]:
                case "start":
                    self._start(event)
                case "suggested":
                    self._enter(event["trial"], "running")
                case "report" if named(event["trial"]):
                    self._show(event["trial"], event["fidelity"], event["losses"])
                case "ended":
                    self._end(event)
                case "resume":
                    for number in self._states.keys() & set(event["pending"]):
                        self._enter(number, "running")

    def _start(self, event: Mapping[str, Any]) -> None:
        self._objectives = tuple(Objective(**entry) for entry in event["objectives"])
        self._full = event["rungs"][-1]
        self._least = {objective.name: math.inf for objective in self._objectives}

    def _enter(self, number: int, state: str) -> None:
        before = self._states.get(number)
        if before is not None:
            self._counts[before] -= 1
            self._count.set(self._counts[before], {"state": before})
        self._states[number] = state
        self._counts[state] += 1
        self._count.set(self._counts[state], {"state": state})
        if named(number):
            self._state.set(STATES.index(state), {"trial": _name(number)})

    def _end(self, event: Mapping[str, Any]) -> None:
        number, losses = event["trial"], event["losses"]
        self._enter(number, event["status"])
        leads = self._complete(event) and self._take_lead(losses)
        if leads and not named(number):
            self._state.set(STATES.index(event["status"]), {"trial": _name(number)})
        if leads or named(number):
            self._show(number, event["fidelity"], losses)

    def _complete(self, event: Mapping[str, Any]) -> bool:
        """Whether a trial's losses can be compared with those of others."""
        trained = event["fidelity"] is None or event["fidelity"] >= self._full
        feasible = all(violation <= 0 for violation in event["violations"])
        return (
            event["status"] == "finished"
            and trained
            and feasible
            and all(map(math.isfinite, event["losses"]))
        )

    def _take_lead(self, losses: Sequence[float]) -> bool:
        leads = False
        for objective, loss in zip(self._objectives, losses, strict=True):
            if loss < self._least[objective.name]:
                self._least[objective.name], leads = loss, True
                self._best.set(in_own_direction(loss, objective), {"objective": objective.name})
        return leads

    def _show(self, number: int, fidelity: int | None, losses: Sequence[float]) -> None:
        trial = {"trial": _name(number)}
        if fidelity is not None:
            self._fidelity.set(fidelity, trial)
        for objective, loss in zip(self._objectives, losses, strict=True):
            if math.isfinite(loss):
                self._value.set(in_own_direction(loss, objective), trial | {"objective": objective.name})


def _name(number: int) -> str:
    """As the trial is called in MLflow."""
    return f"trial-{number:04d}"
