"""What a workload lets a study set and optimise, declared once and checked in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ConfigSpace.hyperparameters import FloatHyperparameter, IntegerHyperparameter

from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.domains import Parameter, choices
from search_spaces.reading import Nothing, closest, listing
from search_spaces.values import Scalar
from workloads.contract import Fidelity, Objective


@dataclass(frozen=True)
class Knob:
    """One hyperparameter that a workload understands: a word out of ``choices``, or else a number.

    Args:
        default: the value where a space does not have it; None: every space must have it.
        mutable: whether it can change while training runs.
        low: the smallest number allowed.
        high: the largest number allowed.
        whole: whether the number is an integer.
        choices: the words allowed.
        optional: whether it is left out where a space does not have it; then it needs no default.
    """

    default: Scalar | None = None
    mutable: bool = False
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False

    def allows(self, value: object) -> bool:
        """Whether the workload can train with ``value``."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.whole or float(value).is_integer())

    def describe(self) -> str:
        """What it allows, as a noun phrase for an error message."""
        if self.choices:
            return f"one of {listing(self.choices)}"
        noun = "an integer" if self.whole else "a number"
        low = f" from {self.low:g}" if math.isfinite(self.low) else ""
        return noun + low + (f" to {self.high:g}" if math.isfinite(self.high) else "")


class Knobs:
    """All hyperparameters of a workload, by name.

    Args:
        knobs: in the order in which messages list them.
    """

    def __init__(self, **knobs: Knob) -> None:
        self._knobs = knobs
        self._listed = [name for name, knob in knobs.items() if not knob.optional]
        self.mutable = tuple(name for name, knob in knobs.items() if knob.mutable)
        """Names of the hyperparameters that can change while training runs."""
        self.fixed = tuple(name for name, knob in knobs.items() if not knob.mutable)
        """Names of the hyperparameters that are fixed when training starts."""

    def check_space(self, space: SearchSpace) -> None:
        """Refuse a space that the workload cannot train with.

        Raises:
            ConfigurationError: a parameter that the workload does not know, a mutable one that it
                fixes at the start, a value that it does not allow, or none where it has no default.
        """
        for name, parameter in space.configuration_space.items():
            key = f"search_space.parameters.{name}"
            knob = self._known(name, key)
            if name in space.mutable and not knob.mutable:
                fixed = "false, since it is fixed when training starts"
                listed = [each for each in self.mutable if each in self._listed]
                hint = f"mutable can be {listing(listed)}" if listed else ""
                raise ConfigurationError(f"{key}.mutable", fixed, True, hint)
            if knob.whole and isinstance(parameter, FloatHyperparameter):
                raise ConfigurationError(f"{key}.type", "int", "float")
            for field, value in extremes(parameter):
                if not knob.allows(space.meant({name: value})[name]):
                    raise ConfigurationError(f"{key}.{field}", knob.describe(), value)
        for name, knob in self._knobs.items():
            if knob.default is None and not knob.optional and name not in space.configuration_space:
                found = tuple(space.configuration_space)
                raise ConfigurationError("search_space.parameters", f"{name!r} among them", found)

    def complete(self, config: Config) -> dict[str, Scalar]:
        """``config`` with defaults for what it leaves out and is not optional, in the declared order.

        Raises:
            ConfigurationError: a name or a value is unknown to the workload, or missing without a default.
        """
        for name, given in config.items():
            if not self._known(name, name).allows(given):
                raise ConfigurationError(name, self._knobs[name].describe(), given)
        full: dict[str, Scalar] = {}
        for name, knob in self._knobs.items():
            value = config.get(name, knob.default)
            if value is None and knob.optional:
                continue
            if value is None:
                raise ConfigurationError(name, knob.describe(), Nothing())
            full[name] = value
        return full

    def is_number(self, name: str) -> bool:
        """Whether a knob's values are numbers, not words."""
        return not self._knobs[name].choices

    def number(self, name: str, value: Scalar) -> float:
        """A knob's value as a number: a word's is its index among the choices."""
        choices = self._knobs[name].choices
        return choices.index(str(value)) if choices else float(value)

    def _known(self, name: str, key: str) -> Knob:
        if name in self._knobs:
            return self._knobs[name]
        hint = closest(name, self._knobs)
        raise ConfigurationError(key, f"a parameter of the workload ({listing(self._listed)})", name, hint)


def check_objectives(objectives: Sequence[Objective], metrics: Sequence[str]) -> None:
    """Refuse objectives that the workload does not report.

    Args:
        objectives: what the study optimises.
        metrics: the names of what the workload reports.

    Raises:
        ConfigurationError: there is none, or one is not among ``metrics``.
    """
    if not objectives:
        raise ConfigurationError("objectives", f"at least one of {listing(metrics)}", ())
    for objective in objectives:
        if objective.name not in metrics:
            hint = closest(objective.name, metrics)
            raise ConfigurationError("objectives", f"names among {listing(metrics)}", objective.name, hint)


def training_steps(steps: int) -> Fidelity:
    """The fidelity of a workload whose full training takes ``steps`` steps.

    Raises:
        ConfigurationError: that is below 1.
    """
    if steps < 1:
        raise ConfigurationError("steps", "at least 1", steps)
    return Fidelity("step", largest=steps)


def at_least(name: str, value: int, least: int) -> int:
    """The value of a workload's argument.

    Raises:
        ConfigurationError: it is below ``least``.
    """
    if value < least:
        raise ConfigurationError(name, f"at least {least}", value)
    return value


def checked_seed(value: int) -> int:
    """A workload's argument ``start_seed``.

    Raises:
        ConfigurationError: it is none that torch's generators take.
    """
    if not 0 <= value < 2**63:
        raise ConfigurationError("start_seed", "0 to 2**63 - 1", value)
    return value


def extremes(parameter: Parameter) -> list[tuple[str, Scalar]]:
    """Values that stand for a whole domain, each with the key that the user set it by."""
    if values := choices(parameter):
        return [("value" if len(values) == 1 else "choices", value) for value in values]
    if isinstance(parameter, FloatHyperparameter | IntegerHyperparameter):
        return [("low", parameter.lower), ("high", parameter.upper)]
    raise TypeError(f"expected a parameter with bounds or choices, got {type(parameter).__name__}")
