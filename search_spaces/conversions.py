"""Search spaces in Optuna's terms.

A parameter keeps its name, range and scale. An ordinal one is an integer there, the index of its value, so
that Optuna knows the order. Constants, priors and weights have no counterpart and are left out.
"""

from __future__ import annotations

from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.columns import Column
from search_spaces.domains import choices
from search_spaces.space import SearchSpace
from search_spaces.values import Config, Scalar


def suggest(trial: Trial, space: SearchSpace) -> dict[str, Scalar]:
    """Optuna's suggestion for every parameter that varies, by define-by-run.

    Parameters come in ConfigSpace's order, parents before their children; Optuna is asked only for those
    that the values so far make active. Forbidden clauses are ignored.
    """
    codec, config = space.codec, dict[str, Scalar]()
    conditional = bool(space.configuration_space.conditions)
    for j, column in enumerate(codec.columns):
        if conditional and not codec.active(codec.encode([config]))[0, j]:
            continue
        known = choices(space.configuration_space[column.name])
        config[column.name] = _suggest(trial, column, known)
    return config


def to_distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's distribution of every parameter that varies, by name."""
    parameters = space.configuration_space
    return {
        column.name: _distribution(column, choices(parameters[column.name])) for column in space.codec.columns
    }


def to_params(config: Config, space: SearchSpace) -> dict[str, Any]:
    """The values of a configuration as Optuna's ``params``, for ``optuna.create_trial``."""
    params = dict[str, Any]()
    for column in space.codec.columns:
        if column.name in config:
            value = config[column.name]
            known = choices(space.configuration_space[column.name])
            params[column.name] = known.index(value) if column.kind == "ordinal" else value
    return params


def _suggest(trial: Trial, column: Column, known: tuple[Scalar, ...]) -> Scalar:
    if column.kind == "float":
        return trial.suggest_float(column.name, column.low, column.high, log=column.log)
    if column.kind == "categorical":
        return known[known.index(trial.suggest_categorical(column.name, known))]
    whole = trial.suggest_int(column.name, int(column.low), int(column.high), log=column.log)
    return known[whole] if column.kind == "ordinal" else whole


def _distribution(column: Column, known: tuple[Scalar, ...]) -> BaseDistribution:
    if column.kind == "float":
        return FloatDistribution(column.low, column.high, log=column.log)
    if column.kind == "categorical":
        return CategoricalDistribution(known)
    return IntDistribution(int(column.low), int(column.high), log=column.log)
