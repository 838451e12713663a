"""The ``explore`` of a parameter's YAML definition."""

from __future__ import annotations

from typing import cast, get_args

from ConfigSpace.hyperparameters import FloatHyperparameter, IntegerHyperparameter

from search_spaces.domains import Parameter, describe
from search_spaces.errors import ConfigurationError
from search_spaces.exploring import AS_THE_RULE, Explore, Transform
from search_spaces.reading import Section, as_list, as_real


def read_explore(section: Section, parameter: Parameter) -> Explore:
    """The ``explore`` of a parameter's definition.

    Raises:
        ConfigurationError: it is wrong, or the parameter does not change; the error names the key.
    """
    if not section.has("explore"):
        return AS_THE_RULE
    if not section.flag("mutable"):
        hint = "only what is mutable is explored"
        raise ConfigurationError(section.key("mutable"), "true, since explore is given", False, hint)
    entries = Section.of(
        section.entries["explore"], section.key("explore"), "a mapping like {factors: [0.8, 1.25]}"
    )
    if not isinstance(parameter, FloatHyperparameter | IntegerHyperparameter):
        entries.only("resample")
        return Explore(resample=_resample(entries))
    entries.only("factors", "resample", "transform")
    return Explore(_factors(entries), _resample(entries), _transform(entries, parameter))


def _factors(entries: Section) -> tuple[float, ...] | None:
    if not entries.has("factors"):
        return None
    key, expected = entries.key("factors"), "a list of positive numbers"
    given = as_list(entries.entries["factors"], key, expected)
    factors = tuple(as_real(factor, f"{key}[{index}]") for index, factor in enumerate(given))
    if min(factors) <= 0:
        raise ConfigurationError(key, expected, given)
    return factors


def _resample(entries: Section) -> float | None:
    if not entries.has("resample"):
        return None
    probability = entries.real("resample")
    if not 0 <= probability <= 1:
        raise ConfigurationError(entries.key("resample"), "a probability between 0 and 1", probability)
    return probability


def _transform(entries: Section, parameter: FloatHyperparameter | IntegerHyperparameter) -> Transform | None:
    if not entries.has("transform"):
        return None
    name, key = entries.one_of("transform", get_args(Transform)), entries.key("transform")
    if name == "log" and parameter.lower <= 0:
        hint = "linear needs no positive range"
        raise ConfigurationError(key, "another transform, since low is not positive", name, hint)
    odds = name in ("logit", "one_minus")
    inside = parameter.lower >= 0 and parameter.upper <= 1 and isinstance(parameter, FloatHyperparameter)
    if odds and not inside:
        hint = f"the parameter is {describe(parameter)}"
        raise ConfigurationError(key, "linear or log, unless it is a float within [0, 1]", name, hint)
    return cast(Transform, name)
