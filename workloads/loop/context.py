"""What a training loop sees of the study: one object, by which it reports and goes on from checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.reading import closest, listing
from workloads.contract import Device, Metrics, State
from workloads.generators import Purpose, derived_seed, seed_generators
from workloads.loop.thread import TurnTaker

Checkpoint = State | Path | Callable[[], Any]
"""What a loop can go on from: a state, the path of a folder, or a function that returns either."""


@dataclass(frozen=True)
class Step:
    """What a generator yields after each unit of training.

    Args:
        metrics: numbers by name.
        checkpoint: what training can go on from; None: nothing.
    """

    metrics: Mapping[str, float]
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Rules:
    """What reports have to keep to.

    Args:
        objectives: metrics of each report that ends an interval.
        unit: of progress.
        progress: the metric that counts units; None: each report is one.
    """

    objectives: tuple[str, ...]
    unit: str
    progress: str | None = None


class Context:
    """Passed to ``train(config, ctx)``.

    Attributes:
        seed: of this member or trial, 0 to 2**63 - 1. The global generators of Python, NumPy and torch are
            seeded before the loop starts, when :attr:`checkpoint` is read, and by each report.
        device: where to train, as torch names it.
        threads: CPU threads that training may use.
        age: units of training in the weights: where the loop begins or goes on.
        target: units at which the present interval ends; only the report there needs a checkpoint.
        latest: what was reported last.
    """

    def __init__(
        self, rules: Rules, seed: int, device: Device, age: int, given: State, turns: TurnTaker
    ) -> None:
        self.seed, self.device, self.threads = seed, device.name, device.threads
        self.age = self.target = age
        self._rules, self._given, self._turns = rules, given, turns
        self.latest = Step({})

    @property
    def checkpoint(self) -> Any:
        """What to go on from, as it was reported: a state, or the path of a folder; None: begin anew.

        Read it when everything is built, right before training. Reading it seeds the generators by the age,
        so that a loop which is started again draws what it would have drawn without the break. A folder is
        the loop's own copy, to which it may write, and lasts until the loop ends.
        """
        self.reseed()
        return self._given

    def report(
        self, metrics: Mapping[str, Any] | None = None, /, checkpoint: Checkpoint | None = None, **named: Any
    ) -> None:
        """Say how training goes, and wait until it is to go on.

        Args:
            metrics: numbers by name, for names that are no identifiers, such as ``{"val/loss": 0.1}``.
            checkpoint: what training can go on from: a state (nested ``dict``/``list``/``tuple`` of tensors,
                arrays, numbers, strings, booleans and None), the path of a folder, or a function without
                arguments that returns one of these, which is called only if somebody wants it. References are
                enough, and a folder may be written again after this call.
            named: more numbers by name.

        Raises:
            LoopStopped: training ends here.
            TypeError: a metric is no number.
            ValueError: an objective is missing, or progress has gone wrong.
        """
        self._turns.check()
        own = {name: _number(name, value) for name, value in {**(metrics or {}), **named}.items()}
        self._grow(own)
        self.latest = Step(own, checkpoint)
        if self.age == self.target:
            for name in self._rules.objectives:
                _require(name, own)
            self._turns.pause()
        self._given = None
        self.reseed()

    def _grow(self, metrics: Metrics) -> None:
        """Take over how far training is."""
        name, before = self._rules.progress, self.age
        if name is None:
            self.age += 1
            return
        _require(name, metrics)
        if not (metrics[name] > before and float(metrics[name]).is_integer()):
            raise ValueError(
                f"report: expected {name!r} to be a whole number above {before}, got {metrics[name]:g}"
            )
        self.age = int(metrics[name])
        if self.age > self.target:
            wanted = f"report: expected one at {self._rules.unit} {self.target}, where the interval ends"
            raise ValueError(
                f"{wanted}, got one at {self.age} after {before} (ctx.target says where it ends)"
            )

    def reseed(self) -> None:
        """Seed the generators by the age, as a report does, for loops that draw before they train on."""
        seed_generators(derived_seed(self.seed, Purpose.TRAINING, self.age), self.device)


def _require(name: str, metrics: Metrics) -> None:
    if name not in metrics:
        found, hint = listing(metrics) or "none", closest(name, metrics)
        raise ValueError(
            f"report: expected {name!r} among the metrics, got {found}" + (f" ({hint})" if hint else "")
        )


def _number(name: str, value: Any) -> float:
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise TypeError(f"report: expected {name!r} to be a number, got {value!r}")
