"""Functions over spaces with choices whose options have parameters of their own, drawn at random.

Small is better. Each number gives another space and another function: some parameters are always there, and
one or two choices have two to four options, with up to three parameters each. So any number of tasks can be
had that nobody has seen, with few or many of the parameters on conditions, or with none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from search_spaces import Config, SearchSpace, build_space
from tests.benchmarks.mixed_functions import Function

_RANGES: tuple[Mapping[str, Any], ...] = (
    {"type": "float", "low": -1.0, "high": 1.0},
    {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    {"type": "int", "low": 1, "high": 16},
)


@dataclass(frozen=True)
class _Term:
    """What one number adds: its weighted distance from an optimum, with waves on it or none.

    Args:
        weight: of the squared distance, in the unit interval.
        optimum: in the unit interval.
        shift: how far each option of the first choice moves it.
        waves: their height, as a share of the weight.
    """

    weight: float
    optimum: float
    shift: tuple[float, ...]
    waves: float

    def at(self, place: float, option: int) -> float:
        distance = place - min(max(self.optimum + self.shift[option], 0.0), 1.0)
        return self.weight * (distance**2 + self.waves * (1 - np.cos(8 * np.pi * distance)))


@dataclass(frozen=True)
class _Branched:
    space: SearchSpace
    floors: Mapping[str, Mapping[str, float]]
    terms: Mapping[str, _Term]

    def __call__(self, config: Config) -> float:
        first = next(iter(self.floors))
        option = list(self.floors[first]).index(str(config[first]))
        places = self.space.codec.encode([config])[0]
        loss = float(sum(floors[str(config[choice])] for choice, floors in self.floors.items()))
        for column, place in zip(self.space.codec.columns, places, strict=True):
            if column.name in self.terms and not np.isnan(place):
                loss += self.terms[column.name].at(float(place), option)
        return loss


def branched(number: int, most: int = 3) -> Function:
    """The function of a number, and the definition of its search space.

    Args:
        most: how many parameters of its own an option may have; 0: there are no conditions, and at least two
            numbers.
    """
    rng = np.random.default_rng([2026, number])
    parameters = {f"shared{i}": _range(rng) for i in range(rng.integers(0 if most else 2, 5))}
    conditions, floors = list[dict[str, Any]](), dict[str, dict[str, float]]()
    for choice in [f"choice{i}" for i in range(rng.integers(1, 3))]:
        options = [f"option{i}" for i in range(rng.integers(2, 5))]
        parameters[choice] = {"type": "categorical", "choices": options}
        floors[choice] = {option: float(rng.uniform()) for option in options}
        for option in options:
            own = {f"{choice}_{option}_{i}": _range(rng) for i in range(rng.integers(0, most + 1))}
            parameters |= own
            conditions += [{"child": name, "parent": choice, "equals": option} for name in own]
    definition = {"parameters": parameters, "conditions": conditions}
    numbers = [name for name, made in parameters.items() if made["type"] != "categorical"]
    terms = {name: _term(rng, len(floors["choice0"])) for name in numbers}
    return _Branched(build_space(definition), floors, terms), definition


def _range(rng: np.random.Generator) -> dict[str, Any]:
    return dict(_RANGES[rng.integers(len(_RANGES))])


def _term(rng: np.random.Generator, options: int) -> _Term:
    shift = tuple(rng.normal(0, 0.15, size=options).tolist())
    waves = 0.05 if rng.uniform() < 0.4 else 0.0
    return _Term(float(rng.uniform(0.5, 3)), float(rng.uniform()), shift, waves)
