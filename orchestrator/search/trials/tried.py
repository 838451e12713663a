"""The results of a workload that gives the same ones for every seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.trial import Suggestion, Trial
from search_spaces.values import config_key
from workloads.capabilities import KnownWorkload
from workloads.contract import Workload


def deterministic(workload: Workload) -> bool:
    """Whether no seed changes what a workload reports of a configuration."""
    return isinstance(workload, KnownWorkload) and workload.facts.deterministic


@dataclass(frozen=True)
class Tried:
    """A trial's result.

    Args:
        number: the trial's.
        trial: how it ended.
        test: metrics on held-out data.
    """

    number: int
    trial: Trial
    test: Mapping[str, float]

    def again(self, suggestion: Suggestion) -> Trial:
        """What becomes of a later suggestion of the same: it took no time."""
        return replace(self.trial, suggestion=suggestion, seconds=0.0)


class Results:
    """What was tried, by configuration and fidelity.

    Args:
        reused: whether results are taken again; else none are kept.
    """

    def __init__(self, reused: bool) -> None:
        self._reused = reused
        self._tried: dict[tuple[str, int | None], Tried] = {}

    def add(self, number: int, trial: Trial, test: Mapping[str, float]) -> None:
        """A trial has ended; its result counts if it came to its end."""
        if self._reused and trial.status == "finished":
            key = config_key(trial.config), trial.suggestion.fidelity
            self._tried.setdefault(key, Tried(number, trial, test))

    def of(self, suggestion: Suggestion) -> Tried | None:
        """The result that a suggestion would have again; None: it is unknown."""
        if not self._tried:
            return None
        return self._tried.get((config_key(suggestion.config), suggestion.fidelity))
