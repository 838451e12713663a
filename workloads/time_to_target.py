"""Another workload's training, scored by how soon it reaches a target."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.reading import listing
from workloads.capabilities import Facts
from workloads.contract import Device, Metrics, Objective, Session, State, Workload
from workloads.knobs import check_objectives
from workloads.state import independent, restore, take_state

METRICS = ("steps_to_target", "seconds_to_target")


class TimeToTarget:
    """Trains until a metric has reached a target, as AlgoPerf scores training algorithms.

    Dahl et al. (2023), "Benchmarking neural network training algorithms", arXiv 2306.07179. The metric is
    looked at every ``interval`` units of training; a session that has reached the target trains no further.

    Metrics: ``steps_to_target``, the training that the first look at or beyond the target came after, in the
    workload's unit, and ``seconds_to_target``, how long that took; both infinite without one, and smaller is
    better. ``seconds``, the training so far, evaluations included; and the metric at the last look.

    Args:
        workload: makes the workload, given ``space``.
        metric: one of its metrics.
        target: the value to reach.
        direction: ``min`` where the metric is to be at most the target, ``max`` where at least.
        interval: units of training between looks.
        space: what varies; None: what the workload has.
        objectives: None: minimise ``steps_to_target``.
        clock: seconds by the clock.

    Raises:
        ConfigurationError: the target is no number, the direction is another word, the interval is not within
            the workload's fidelity, or an objective is none of the two.
    """

    def __init__(
        self,
        workload: Callable[..., Workload],
        metric: str,
        target: float,
        direction: str = "min",
        interval: int = 10,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.workload = workload() if space is None else workload(space=space)
        self.space, self.fidelity = self.workload.space, self.workload.fidelity
        self.objectives = (Objective(METRICS[0], "min"),) if objectives is None else tuple(objectives)
        check_objectives(self.objectives, METRICS)
        if direction not in ("min", "max"):
            raise ConfigurationError("direction", "'min' or 'max'", direction)
        if not math.isfinite(target):
            raise ConfigurationError("target", "a finite number", target)
        if not 1 <= interval <= self.fidelity.largest:
            expected = f"1 to {self.fidelity.largest}, the workload's training"
            raise ConfigurationError("interval", expected, interval)
        sign = 1.0 if direction == "min" else -1.0
        self._goal = Goal(metric, sign, sign * target, interval)
        self._clock = clock
        self.facts = Facts(seconds="seconds")

    def start(self, config: Config, seed: int, device: Device) -> TimedSession:
        return TimedSession(self.workload.start(config, seed, device), self._goal, config, self._clock)


@dataclass(frozen=True)
class Goal:
    """What a training is to reach.

    Args:
        metric: the metric.
        sign: -1 where it is to be large, else 1.
        target: what ``sign`` times the metric must not be above.
        interval: units of training between looks.
    """

    metric: str
    sign: float
    target: float
    interval: int

    def value(self, metrics: Metrics) -> float:
        """The metric.

        Raises:
            ConfigurationError: the workload does not report it.
        """
        if self.metric not in metrics:
            raise ConfigurationError("metric", f"one of {listing(metrics)}", self.metric)
        return metrics[self.metric]

    def is_met(self, value: float) -> bool:
        """Whether the metric has reached the target; never where it is no number."""
        return self.sign * value <= self.target


class TimedSession:
    """See :class:`TimeToTarget`.

    Args:
        session: what is trained.
        goal: what for.
        config: of the session.
        clock: seconds by the clock.
    """

    def __init__(self, session: Session, goal: Goal, config: Config, clock: Callable[[], float]) -> None:
        self._session, self._goal, self._config, self._clock = session, goal, config, clock
        self._age, self._reached, self._seconds, self._value = 0, 0, 0.0, math.nan

    def advance(self, amount: int) -> Metrics:
        """Train ``amount`` units, or up to the target."""
        end = self._age + amount
        while self._age < end and not self._reached:
            interval = self._goal.interval
            chunk = min(end, (self._age // interval + 1) * interval) - self._age
            began = self._clock()
            metrics = self._session.advance(chunk)
            self._seconds += self._clock() - began
            self._age += chunk
            if self._age % interval == 0:
                self._value = self._goal.value(metrics)
                self._reached = self._age if self._goal.is_met(self._value) else 0
        times = (float(self._reached), self._seconds) if self._reached else (math.inf, math.inf)
        known = {self._goal.metric: self._value, "seconds": self._seconds}
        return {**known, **dict(zip(METRICS, times, strict=True))}

    def configure(self, config: Config) -> None:
        self._config = config
        self._session.configure(config)

    @independent
    def state(self) -> State:
        """``session``, and how far it is: ``age``, ``reached`` (0: not yet), ``seconds``, ``value``."""
        own = {"age": self._age, "reached": self._reached, "seconds": self._seconds, "value": self._value}
        return {**own, "session": take_state(self._session)}

    @independent
    def load(self, state: State) -> None:
        restore(self._session, state["session"], self._config)
        self._age, self._reached = state["age"], state["reached"]
        self._seconds, self._value = state["seconds"], state["value"]
