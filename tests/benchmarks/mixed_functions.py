"""Functions over categories, conditions, counts and numbers, each with its search space; small is better."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from search_spaces import Config

Function = tuple[Callable[[Config], float], dict[str, Any]]
"""A function, and the definition of its search space."""


def _ranges(names: str, low: float = -5.0, high: float = 5.0) -> dict[str, Any]:
    return {name: {"type": "float", "low": low, "high": high} for name in names.split()}


_SHIFTS = {"red": 1.2, "green": -2.7, "blue": 3.9, "white": -0.4, "black": 2.2}
_LEVELS = {"low": 2.0, "middle": 0.0, "high": 5.0}


def _shifted(config: Config) -> float:
    """A bowl whose middle a category moves; another category lifts it."""
    shift = _SHIFTS[str(config["colour"])]
    bowl = sum((float(config[name]) - shift * (i - 1)) ** 2 for i, name in enumerate("xyz"))
    size = (math.log2(float(config["size"])) - 4) ** 2
    return bowl + size + _LEVELS[str(config["level"])] + abs(shift) + abs(float(config["step"]) - 4)


def _bumpy(config: Config) -> float:
    """Rastrigin's function whose frequency is a category; a switch adds a valley."""
    frequency = {"slow": 0.5, "usual": 1.0, "fast": 2.0}[str(config["waves"])]
    values = [float(config[name]) - 1.3 for name in "xyzu"]
    bumps = sum(x * x + 4 * (1 - math.cos(2 * math.pi * frequency * x)) for x in values)
    return bumps + (3.0 if config["switch"] else abs(values[0] - values[1])) + int(config["count"]) % 5


def _branches(config: Config) -> float:
    """Each kind has parameters and a function of its own; the best kind is the hardest one."""
    if config["kind"] == "valley":
        x, y = float(config["x"]), float(config["y"])
        return (100 * (y - x * x) ** 2 + (1 - x) ** 2) / 100
    if config["kind"] == "bowl":
        return 1.0 + sum((float(config[name]) - 2) ** 2 for name in ("r", "s", "t"))
    return 4.0 + abs(math.log10(float(config["rate"])) + 3)


def _training(config: Config) -> float:
    """A loss as of training: a rate that fits the optimizer, momentum where there is some, and sizes."""
    kind = str(config["optimizer"])
    best = {"sgd": -1.0, "adam": -3.0, "lion": -4.0}[kind]
    loss = (
        0.3 * (math.log10(float(config["rate"])) - best) ** 2 + {"sgd": 0.0, "adam": 0.1, "lion": 0.2}[kind]
    )
    if kind == "sgd":
        loss += 2 * abs(float(config["momentum"]) - 0.9)
        loss += 0.2 * (not config["nesterov"]) if "nesterov" in config else 0.3
    else:
        loss += 0.05 * abs(math.log10(1 - float(config["beta"])) + 2)
    loss += 0.1 * abs(math.log2(float(config["width"])) - 7) + 0.2 * abs(int(config["depth"]) - 3)
    return loss + 0.5 * (float(config["dropout"]) - 0.2) ** 2


_RATE = {"type": "float", "low": 1e-6, "high": 1.0, "log": True}
MIXED: Mapping[str, Function] = {
    "mixed/shifted": (
        _shifted,
        {
            "parameters": {
                **_ranges("x y z"),
                "size": {"type": "int", "low": 1, "high": 256, "log": True},
                "step": {"type": "ordinal", "values": [1, 2, 4, 8]},
                "colour": {"type": "categorical", "choices": list(_SHIFTS)},
                "level": {"type": "categorical", "choices": list(_LEVELS)},
            }
        },
    ),
    "mixed/branches": (
        _branches,
        {
            "parameters": {
                "kind": {"type": "categorical", "choices": ["valley", "bowl", "rate"]},
                **_ranges("x y r s t"),
                "rate": _RATE,
            },
            "conditions": [
                {"child": child, "parent": "kind", "equals": kind}
                for kind, children in {"valley": "xy", "bowl": "rst"}.items()
                for child in children
            ]
            + [{"child": "rate", "parent": "kind", "equals": "rate"}],
        },
    ),
    "mixed/training": (
        _training,
        {
            "parameters": {
                "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "lion"]},
                "rate": _RATE,
                "momentum": {"type": "float", "low": 0.0, "high": 0.99},
                "nesterov": {"type": "categorical", "choices": [True, False]},
                "beta": {"type": "float", "low": 0.5, "high": 0.999},
                "width": {"type": "int", "low": 8, "high": 512, "log": True},
                "depth": {"type": "int", "low": 1, "high": 8},
                "dropout": {"type": "float", "low": 0.0, "high": 0.6},
            },
            "conditions": [
                {"child": "momentum", "parent": "optimizer", "equals": "sgd"},
                {"child": "nesterov", "parent": "momentum", "greater": 0.3},
                {"child": "beta", "parent": "optimizer", "in": ["adam", "lion"]},
            ],
        },
    ),
    "mixed/bumpy": (
        _bumpy,
        {
            "parameters": {
                **_ranges("x y z u"),
                "count": {"type": "int", "low": 0, "high": 40},
                "waves": {"type": "categorical", "choices": ["slow", "usual", "fast"]},
                "switch": {"type": "categorical", "choices": [True, False]},
            }
        },
    ),
}
"""Those that the rules of ``optimizer=auto`` were chosen with."""


_PLACES, _CHOICES, _LINKS = 10, 4, 3
_EFFECTS = np.random.default_rng(20_26).uniform(size=(_PLACES, *[_CHOICES] * _LINKS))


def _linked(config: Config) -> float:
    """An NK landscape (Kauffman 1993): what a choice is worth depends on those of its two neighbours."""
    chosen = [int(config[f"place{i}"]) for i in range(_PLACES)]
    triples = [[chosen[(i + j) % _PLACES] for j in range(_LINKS)] for i in range(_PLACES)]
    return float(np.mean([_EFFECTS[i, a, b, c] for i, (a, b, c) in enumerate(triples)]))


def _pipeline(config: Config) -> float:
    """A preparation, then a model, each with parameters of its own; what is best depends on both."""
    loss = {"raw": 0.4, "scaled": 0.1, "projected": 0.0}[str(config["prepare"])]
    if config["prepare"] == "projected":
        loss += abs(int(config["components"]) - 12) / 20 + 0.2 * bool(config["whiten"])
    if config["model"] == "kernel":
        rate, width = math.log10(float(config["penalty"])), math.log10(float(config["bandwidth"]))
        loss += 0.1 * (rate - 1) ** 2 + 0.2 * (width + 2 - (config["prepare"] == "raw")) ** 2
    elif config["model"] == "trees":
        loss += 0.15 + 2 / int(config["trees"]) + 0.03 * abs(int(config["leaf"]) - 3)
    else:
        loss += 0.3 + 0.05 * abs(math.log10(float(config["penalty"])))
    return loss


FRESH: Mapping[str, Function] = {
    "mixed/linked": (
        _linked,
        {
            "parameters": {
                f"place{i}": {"type": "categorical", "choices": list(range(_CHOICES))} for i in range(_PLACES)
            }
        },
    ),
    "mixed/pipeline": (
        _pipeline,
        {
            "parameters": {
                "prepare": {"type": "categorical", "choices": ["raw", "scaled", "projected"]},
                "components": {"type": "int", "low": 2, "high": 40},
                "whiten": {"type": "categorical", "choices": [True, False]},
                "model": {"type": "categorical", "choices": ["kernel", "trees", "linear"]},
                "penalty": {"type": "float", "low": 1e-4, "high": 1e4, "log": True},
                "bandwidth": {"type": "float", "low": 1e-5, "high": 10.0, "log": True},
                "trees": {"type": "int", "low": 4, "high": 400, "log": True},
                "leaf": {"type": "int", "low": 1, "high": 20},
            },
            "conditions": [
                {"child": "components", "parent": "prepare", "equals": "projected"},
                {"child": "whiten", "parent": "prepare", "equals": "projected"},
                {"child": "penalty", "parent": "model", "in": ["kernel", "linear"]},
                {"child": "bandwidth", "parent": "model", "equals": "kernel"},
                {"child": "trees", "parent": "model", "equals": "trees"},
                {"child": "leaf", "parent": "model", "equals": "trees"},
            ],
        },
    ),
}
"""Those that it was validated with, after its rules stood."""
