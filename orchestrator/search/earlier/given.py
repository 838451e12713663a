"""Configurations that are tried because people say so, and what an optimizer learns from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.optimizers.base import Optimizer
from orchestrator.run.journal import Event
from orchestrator.trial import Suggestion, Trial, evaluated
from search_spaces import Config
from workloads.contract import Metrics

INITIAL, ADDED = "initial", "added"


class Given:
    """Configurations that are tried before the optimizer is asked again."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Config, str]] = deque()
        self._begun = 0
        self._files: set[str] = set()
        self._reports: dict[int, dict[int, Metrics]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def files(self) -> frozenset[str]:
        """Those in which configurations were handed over so far."""
        return frozenset(self._files)

    def add(self, event: Event) -> None:
        """Take in an ``added`` event."""
        self._files.add(event["file"])
        self._waiting.extend((dict(config), ADDED) for config in event["configs"])

    def begun(self, source: str) -> None:
        """A journal says that the next configuration of a source has begun."""
        if source == INITIAL:
            self._begun += 1
        else:
            self._waiting.popleft()

    def begin_with(self, configs: Sequence[Config]) -> None:
        """The study's initial configurations; those that have begun are left out."""
        self._waiting.extendleft((dict(config), INITIAL) for config in reversed(configs[self._begun :]))

    def pop(self) -> tuple[Config, str]:
        """The next one, and where it came from."""
        return self._waiting.popleft()

    def reported(self, number: int, fidelity: int, metrics: Metrics) -> None:
        """A trial has come to a rung."""
        self._reports.setdefault(number, {})[fidelity] = metrics

    def results(self, number: int, trial: Trial, optimizer: Optimizer) -> Sequence[Trial]:
        """What the optimizer is told of a trial that has ended.

        A configuration that the optimizer did not suggest is trained fully. If the optimizer chooses
        fidelities, it learns what came of it at each.
        """
        reports = self._reports.pop(number, {})
        suggestion = trial.suggestion
        if optimizer.fidelity is None or suggestion.token is not None or suggestion.fidelity is not None:
            return (trial,)
        return at_its_rungs(trial, reports, optimizer)


def at_its_rungs(trial: Trial, reports: Mapping[int, Metrics], optimizer: Optimizer) -> Sequence[Trial]:
    """A trial of full training as trials at each of its reports; a failed one has failed at the first rung.

    Args:
        reports: metrics by fidelity.
        optimizer: one that chooses fidelities.
    """
    assert optimizer.fidelity is not None
    if not trial.usable:
        first = replace(trial.suggestion, fidelity=optimizer.fidelity.smallest)
        return (replace(trial, suggestion=first),)
    return tuple(
        evaluated(
            Suggestion(trial.config, fidelity),
            metrics,
            optimizer.objectives,
            optimizer.constraints,
            fidelity=fidelity,
        )
        for fidelity, metrics in sorted(reports.items())
    )
