"""A population study's figures for Prometheus and Grafana, exported by Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from orchestrator.engine.metrics import Labels
from orchestrator.objective import in_own_direction
from orchestrator.population.evolution import Evolution
from orchestrator.population.records import MemberInterval

SPEED_SECONDS = 2.0
"""Training that a figure of steps per second is an average over, at least."""


class PopulationMetrics:
    """Observes a population; Ray exports each metric as ``ray_<name>``."""

    def __init__(self, labels: Labels, interval: int) -> None:
        self._generation = labels.gauge("generation", "Generations all members have trained")
        self._best = labels.gauge("best", "Best latest value", "objective")
        self._score = labels.gauge("member_score", "Latest value", "objective", "member")
        self._exploits = labels.counter("exploits_total", "Copies of one member by another")
        self._speed = labels.gauge("steps_per_second", "Steps of all members together")
        self.exported = (self._generation, self._best, self._score, self._exploits, self._speed)
        self._interval = interval
        self._since, self._steps = time.monotonic(), 0

    def __call__(self, evolution: Evolution, intervals: Sequence[MemberInterval]) -> None:
        self._generation.set(min(map(len, evolution.lives)))
        self._measure(len(intervals) * self._interval)
        # Of those before, which have been made: the present ones may not come about.
        lives = [evolution.lives[interval.member] for interval in intervals]
        copies = sum(len(life) > 1 and life[-2].copies for life in lives)
        if copies:
            self._exploits.inc(copies)
        for column, objective in enumerate(evolution.objectives):
            latest = [life[-1].losses[column] for life in evolution.lives if life]
            if not np.isnan(latest).all():
                best = in_own_direction(float(np.nanmin(latest)), objective)
                self._best.set(best, {"objective": objective.name})
            for interval in intervals:
                value = float(interval.losses[column])
                if np.isfinite(value):
                    tags = {"objective": objective.name, "member": str(interval.member)}
                    self._score.set(in_own_direction(value, objective), tags)

    def _measure(self, steps: int) -> None:
        """Over whole seconds: single reports of an asynchronous study come microseconds apart."""
        self._steps += steps
        elapsed = time.monotonic() - self._since
        if elapsed >= SPEED_SECONDS:
            self._speed.set(self._steps / elapsed)
            self._since, self._steps = time.monotonic(), 0
