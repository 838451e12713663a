"""One parameter of the YAML definition as a ConfigSpace hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ConfigSpace.hyperparameters import (
    BetaFloatHyperparameter,
    BetaIntegerHyperparameter,
    CategoricalHyperparameter,
    Constant,
    NormalFloatHyperparameter,
    NormalIntegerHyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from search_spaces.domains import Parameter, legal_value
from search_spaces.errors import ConfigurationError
from search_spaces.exploring import Explore
from search_spaces.exploring_definition import read_explore
from search_spaces.reading import Section, as_list, as_real, as_scalar
from search_spaces.values import Scalar

LARGEST_INTEGER = 2**40
"""Beyond this, an integer's bin in the unit interval is no longer far wider than a float's rounding."""

LARGEST_FLOAT = 1e100
"""Far from where differences and ConfigSpace's rounding overflow."""

DECIMALS = 13
"""ConfigSpace rounds floats to this many decimals; bounds are rounded first, so that both agree on them."""


MOST_STEPS = 1000
"""Models that treat each value as a choice of its own take long with more."""

LARGEST_ROUNDING = 1e-2
"""The share of a value by which rounding may change it unnoticed."""


class Definition(NamedTuple):
    """What the definition of a parameter says.

    Args:
        parameter: the hyperparameter.
        mutable: whether training may go on with another value.
        explore: how it changes then.
        meanings: what the labels of its choices stand for; empty where the choices stand for themselves.
    """

    parameter: Parameter
    mutable: bool
    explore: Explore
    meanings: Mapping[str, Any]


def read_parameter(name: str, definition: Any, path: str) -> Definition:
    """The hyperparameter that ``definition`` describes.

    Raises:
        ConfigurationError: the definition is wrong; the error names the key below ``path``.
    """
    section = Section.of(definition, path, "a mapping like {type: float, low: 0, high: 1}")
    kind = section.one_of("type", _READERS)
    parameter = _READERS[kind](name, section)
    explore = read_explore(section, parameter)
    return Definition(parameter, section.flag("mutable"), explore, _meanings(section))


def _meanings(section: Section) -> Mapping[str, Any]:
    given = section.entries.get(_CHOICES.get(section.entries["type"], ""))
    return dict(given) if isinstance(given, Mapping) else {}


def _number(name: str, section: Section) -> Parameter:
    section.only("type", "low", "high", "log", "step", "default", "mutable", "prior", "explore")
    whole = section.entries["type"] == "int"
    bounds = _bounds(section, whole)
    if section.has("step"):
        return _stepped(name, section, bounds, whole)
    arguments: dict[str, Any] = {"name": name, **bounds}
    uniform = UniformIntegerHyperparameter if whole else UniformFloatHyperparameter
    if section.has("default"):
        arguments["default_value"] = _default(section, uniform(**arguments))
    if not section.has("prior"):
        return uniform(**arguments)
    return _with_prior(section, arguments, whole)


def _stepped(name: str, section: Section, bounds: dict[str, Any], whole: bool) -> Parameter:
    """A number in steps, as an ordinal parameter: ConfigSpace has no steps, and models know its order."""
    for other in ("log", "prior"):
        if section.entries.get(other):
            hint = "an ordinal parameter can list the values"
            expected = f"no {other} beside step"
            raise ConfigurationError(section.key(other), expected, section.entries[other], hint)
    step = section.whole("step") if whole else section.real("step")
    low, span = bounds["lower"], bounds["upper"] - bounds["lower"]
    count = round(span / step) if step > 0 else 0
    if not 1 <= count < MOST_STEPS or abs(count * step - span) > 1e-9 * span:
        expected = f"a number above 0 that divides high - low = {span:g} into fewer than {MOST_STEPS} steps"
        raise ConfigurationError(section.key("step"), expected, section.entries["step"])
    values = [
        low + place * step if whole else round(low + place * step, DECIMALS) for place in range(count + 1)
    ]
    middle = OrdinalHyperparameter(name, values, default_value=values[count // 2])
    if not section.has("default"):
        return middle
    return OrdinalHyperparameter(name, values, default_value=_default(section, middle))


def _bounds(section: Section, whole: bool) -> dict[str, Any]:
    log = section.flag("log")
    low, high = (
        section.whole(end) if whole else rounded(section.real(end), section.key(end))
        for end in ("low", "high")
    )
    limit = LARGEST_INTEGER if whole else LARGEST_FLOAT
    for end, value in (("low", low), ("high", high)):
        if abs(value) > limit:
            raise ConfigurationError(section.key(end), f"a number between {-limit} and {limit}", value)
    if low >= high:
        raise ConfigurationError(
            section.key("low"),
            f"less than high ({high})",
            section.entries["low"],
            "use a constant for one value",
        )
    if log and low <= 0:
        least = "at least 1" if whole else f"at least 1e-{DECIMALS}"
        raise ConfigurationError(section.key("low"), f"{least}, since log is true", section.entries["low"])
    return {"lower": low, "upper": high, "log": log}


def rounded(value: float, key: str) -> float:
    """``value`` as ConfigSpace keeps it.

    Raises:
        ConfigurationError: rounding would leave so little of it that another value would be tried.
    """
    kept = round(value, DECIMALS)
    if abs(kept - value) > LARGEST_ROUNDING * abs(value):
        hint = f"ConfigSpace would make it {kept:g}; give the parameter in a smaller unit"
        expected = f"0 or a number that {DECIMALS} decimals can hold, from 1e-{DECIMALS} on"
        raise ConfigurationError(key, expected, value, hint)
    return kept


def _with_prior(section: Section, arguments: dict[str, Any], whole: bool) -> Parameter:
    prior = Section.of(section.entries["prior"], section.key("prior"), "a mapping like {type: normal, ...}")
    if prior.one_of("type", ("normal", "beta")) == "beta":
        prior.only("type", "alpha", "beta")
        alpha, beta = _at_least_one(prior, "alpha"), _at_least_one(prior, "beta")
        bell = BetaIntegerHyperparameter if whole else BetaFloatHyperparameter
        return bell(**arguments, alpha=alpha, beta=beta)
    prior.only("type", "mean", "std")
    mean, std = prior.real("mean"), prior.real("std")
    if not whole:
        rounded(mean, prior.key("mean"))
    low, high = arguments["lower"], arguments["upper"]
    if not low <= mean <= high:
        raise ConfigurationError(prior.key("mean"), f"a number in [{low}, {high}]", mean)
    widest = 100.0 if arguments["log"] else LARGEST_FLOAT
    if not 0 < std <= widest:
        raise ConfigurationError(prior.key("std"), f"greater than 0 and at most {widest}", std)
    # ConfigSpace takes |log(lower + sigma)| for the width of a log parameter's prior.
    sigma = math.exp(std) - low if arguments["log"] else std
    normal = NormalIntegerHyperparameter if whole else NormalFloatHyperparameter
    return normal(**arguments, mu=mean, sigma=sigma)


def _at_least_one(prior: Section, name: str) -> float:
    value = prior.real(name)
    if value < 1:
        raise ConfigurationError(prior.key(name), "at least 1, so that the density is finite", value)
    return value


def _categorical(name: str, section: Section) -> Parameter:
    section.only("type", "choices", "weights", "default", "mutable", "explore")
    choices = _distinct(section, "choices")
    weights = _weights(section, len(choices)) if section.has("weights") else None
    parameter = CategoricalHyperparameter(name, choices, weights=weights)
    if not section.has("default"):
        return parameter
    return CategoricalHyperparameter(
        name, choices, weights=weights, default_value=_default(section, parameter)
    )


def _ordinal(name: str, section: Section) -> Parameter:
    section.only("type", "values", "default", "mutable", "explore")
    values = _distinct(section, "values")
    parameter = OrdinalHyperparameter(name, values)
    if not section.has("default"):
        return parameter
    return OrdinalHyperparameter(name, values, default_value=_default(section, parameter))


def _constant(name: str, section: Section) -> Parameter:
    if section.entries.get("mutable"):
        raise ConfigurationError(
            section.key("mutable"),
            "no mutable constant",
            section.entries["mutable"],
            "a constant never changes",
        )
    section.only("type", "value", "mutable")
    expected = "a string, a finite number or a boolean"
    return Constant(name, as_scalar(section.get("value", expected), section.key("value")))


def _default(section: Section, parameter: Parameter) -> Scalar:
    value = legal_value(parameter, section.entries["default"], section.key("default"))
    return rounded(value, section.key("default")) if isinstance(value, float) else value


def _distinct(section: Section, name: str) -> list[Scalar]:
    expected = "a list of different values, not empty, or a mapping from labels to values"
    given = section.get(name, expected)
    if isinstance(given, Mapping) and given:
        return _labels(given, section.key(name))
    values = as_list(given, section.key(name), expected)
    scalars = [as_scalar(value, f"{section.key(name)}[{index}]") for index, value in enumerate(values)]
    for index, value in enumerate(scalars):
        if value in scalars[:index]:
            raise ConfigurationError(
                f"{section.key(name)}[{index}]", "a value that is not in the list already", value
            )
        if str(value) in map(str, scalars[:index]):
            hint = "tables and MLflow could not tell the two apart"
            expected = "a value that is not in the list as a text or number already"
            raise ConfigurationError(f"{section.key(name)}[{index}]", expected, value, hint)
    return scalars


def _labels(given: Mapping[Any, Any], key: str) -> list[Scalar]:
    """The labels of choices, whose values may be anything that YAML can say."""
    for label in given:
        if not isinstance(label, str) or not label:
            hint = "put it in quotes" if isinstance(label, bool | int | float) else ""
            raise ConfigurationError(key, "labels that are strings", label, hint)
    return list(given)


def _weights(section: Section, count: int) -> Sequence[float]:
    key, expected = section.key("weights"), f"{count} numbers that are not negative, one per choice"
    given = as_list(section.entries["weights"], key, expected)
    weights = [as_real(weight, f"{key}[{index}]") for index, weight in enumerate(given)]
    if len(weights) != count or min(weights) < 0 or max(weights) == 0:
        raise ConfigurationError(key, expected + ", not all 0", given)
    return weights


_CHOICES = {"categorical": "choices", "ordinal": "values"}

_READERS: dict[str, Callable[[str, Section], Parameter]] = {
    "float": _number,
    "int": _number,
    "categorical": _categorical,
    "ordinal": _ordinal,
    "constant": _constant,
}
