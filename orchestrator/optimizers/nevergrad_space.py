"""Translates a search space and its configurations into Nevergrad's terms, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace.hyperparameters import Constant

from search_spaces import Config, SearchSpace
from search_spaces.columns import Column
from search_spaces.domains import choices
from search_spaces.values import Scalar

_FLOATS, _OTHERS = "floats", "others"


def parametrization_of(space: SearchSpace) -> Any:
    """The space in Nevergrad's terms, without its constants."""
    from nevergrad import p

    floats = sum(column.kind == "float" for column in space.codec.columns)
    others = {
        column.name: _parameter(column, choices(space.configuration_space[column.name]))
        for column in space.codec.columns
        if column.kind != "float"
    }
    parts = {}
    if floats:
        middle = p.Array(init=np.full(floats, 0.5)).set_mutation(sigma=1 / 6)
        parts[_FLOATS] = middle.set_bounds(0.0, 1.0, full_range_sampling=True)
    if others:
        parts[_OTHERS] = p.Dict(**others)
    return p.Dict(**parts)


class Terms:
    """Translates between configurations of a space and the values of its parametrization."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._conditional = bool(space.configuration_space.conditions)

    def config(self, value: Mapping[str, Any]) -> Config:
        """The configuration behind a value of the parametrization."""
        numbers = iter(value.get(_FLOATS, ()))
        given: dict[str, Scalar] = {
            column.name: column.from_units(next(numbers)).item()
            if column.kind == "float"
            else _plain(column, value[_OTHERS][column.name])
            for column in self._space.codec.columns
        }
        parameters = self._space.configuration_space
        config = {
            name: one.value if isinstance(one, Constant) else given[name] for name, one in parameters.items()
        }
        if not self._conditional:
            return config
        active = self._space.codec.active_names(config)
        return {name: value for name, value in config.items() if name in active}

    def value(self, config: Config, default: Mapping[str, Any]) -> dict[str, Any]:
        """The opposite; an inactive parameter is in the middle, or as in ``default``."""
        units = np.where(np.isnan(row := self._space.codec.encode([config])[0]), 0.5, row)
        columns = self._space.codec.columns
        value = dict(default)
        if _FLOATS in value:
            chosen = [unit for unit, column in zip(units, columns, strict=True) if column.kind == "float"]
            value[_FLOATS] = np.array(chosen)
        if _OTHERS in value:
            given = {name: config[name] for name in value[_OTHERS] if name in config}
            value[_OTHERS] = {**value[_OTHERS], **given}
        return value


def _parameter(column: Column, known: Sequence[Scalar]) -> Any:
    from nevergrad import p

    if column.kind == "categorical":
        return p.Choice(known)
    if column.kind == "ordinal":
        return p.TransitionChoice(known)
    number = p.Log if column.log else p.Scalar
    return number(lower=column.low, upper=column.high).set_integer_casting()


def _plain(column: Column, value: Any) -> Scalar:
    """A choice, or an integer clipped to its bounds, which rounding may leave."""
    if column.size:
        choice: Scalar = value
        return choice
    return int(min(max(value, column.low), column.high))
