"""The values that a parameter can take, as plain Python values."""

from __future__ import annotations

from typing import Any, TypeAlias

from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    FloatHyperparameter,
    Hyperparameter,
    IntegerHyperparameter,
    OrdinalHyperparameter,
)

from search_spaces.errors import ConfigurationError
from search_spaces.reading import as_real, as_whole, closest, listing
from search_spaces.values import Scalar

Parameter: TypeAlias = Hyperparameter[Any, Any]


def choices(parameter: Parameter) -> tuple[Scalar, ...]:
    """The values of a categorical, ordinal or constant parameter in their order; empty for numbers."""
    if isinstance(parameter, CategoricalHyperparameter):
        return tuple(parameter.choices)
    if isinstance(parameter, OrdinalHyperparameter):
        return tuple(parameter.sequence)
    if isinstance(parameter, Constant):
        return (parameter.value,)
    return ()


def describe(parameter: Parameter) -> str:
    """The domain as a noun phrase for an error message."""
    if isinstance(parameter, FloatHyperparameter):
        return f"a number in [{parameter.lower}, {parameter.upper}]"
    if isinstance(parameter, IntegerHyperparameter):
        return f"an integer in [{parameter.lower}, {parameter.upper}]"
    if isinstance(parameter, Constant):
        return f"the constant {parameter.value!r}"
    return f"one of {listing(choices(parameter))}"


def legal_value(parameter: Parameter, value: object, key: str) -> Scalar:
    """``value`` as the parameter's own plain Python value.

    Raises:
        ConfigurationError: the parameter cannot take it.
    """
    expected = describe(parameter)
    if isinstance(parameter, FloatHyperparameter | IntegerHyperparameter):
        whole = isinstance(parameter, IntegerHyperparameter)
        number = as_whole(value, key, expected) if whole else as_real(value, key, expected)
        # ConfigSpace rounds the bounds of a float, so the user's bound may lie just outside them.
        slack = 0.0 if whole else 1e-14 * max(abs(parameter.lower), abs(parameter.upper))
        if parameter.lower - slack <= number <= parameter.upper + slack:
            return min(max(number, parameter.lower), parameter.upper)
        raise ConfigurationError(key, expected, value)
    known = choices(parameter)
    for choice in known:
        # By equality alone: ConfigSpace hands the choice False of (False, 5, 10) back as NumPy's 0.
        if choice == value:
            return choice
    raise ConfigurationError(key, expected, value, closest(value, [str(choice) for choice in known]))
