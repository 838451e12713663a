"""Random search spaces for property tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from search_spaces import ConfigurationError, SearchSpace, build_space

Definition = dict[str, Any]

CHOICES = st.one_of(
    st.lists(st.text("abcxyz-_ 1", min_size=1, max_size=4), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(-5, 50), min_size=1, max_size=5, unique=True),
    st.just([False, 5, "auto", 0.25]),
    st.just([True, False]),
)


@st.composite
def floats(draw: st.DrawFn) -> Definition:
    """A float parameter, with or without log scale and prior."""
    if draw(st.booleans()):
        low = 10.0 ** draw(st.floats(-10, 2))
        high = low * 10.0 ** draw(st.floats(0.1, 8))
        definition: Definition = {"type": "float", "low": low, "high": high, "log": True}
    else:
        low = round(draw(st.floats(-1e6, 1e6)), 13)  # smaller ones are refused
        high = low + 10.0 ** draw(st.floats(-3, 6))
        definition = {"type": "float", "low": low, "high": high}
    if draw(st.booleans()):
        definition["prior"] = {"type": "beta", "alpha": 2, "beta": 3}
    return definition


@st.composite
def integers(draw: st.DrawFn) -> Definition:
    """An integer parameter, from two values to a billion."""
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -1000, 1000))
    return {"type": "int", "low": low, "high": low + draw(st.integers(1, 10**9)), "log": log}


@st.composite
def parameters(draw: st.DrawFn) -> Definition:
    """A parameter of any type."""
    kind = draw(st.sampled_from(["float", "int", "categorical", "ordinal", "constant"]))
    if kind == "float":
        return draw(floats())
    if kind == "int":
        return draw(integers())
    if kind == "constant":
        return {"type": kind, "value": draw(CHOICES)[0]}
    return {"type": kind, "choices" if kind == "categorical" else "values": draw(CHOICES)}


def _value(draw: st.DrawFn, definition: Definition) -> Any:
    """A value that the parameter can take."""
    if definition["type"] == "float":
        return definition["low"] + draw(st.floats(0.1, 0.9)) * (definition["high"] - definition["low"])
    if definition["type"] == "int":
        return draw(st.integers(definition["low"], definition["high"]))
    if definition["type"] == "constant":
        return definition["value"]
    return draw(st.sampled_from(definition.get("choices") or definition["values"]))


@st.composite
def conditions(draw: st.DrawFn, definitions: dict[str, Definition]) -> list[Definition]:
    """Conditions whose parents come before their children, so that there is no cycle; chains are likely."""
    names = list(definitions)
    drawn = []
    for child in range(1, len(names)):
        for _ in range(draw(st.integers(0, 2))):
            parent = names[draw(st.integers(0, child - 1))]
            ordered = definitions[parent]["type"] in ("float", "int", "ordinal")
            operators = ["equals", "not_equals", "in"] + ["greater", "less"] * ordered
            operator = draw(st.sampled_from(operators))
            value = _value(draw, definitions[parent])
            drawn.append(
                {"child": names[child], "parent": parent, operator: [value] if operator == "in" else value}
            )
    return drawn


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """A whole definition: one to six parameters, conditions, forbidden clauses."""
    drawn = draw(st.lists(parameters(), min_size=1, max_size=6))
    named = {f"{'qpdxab'[index]}{index}": one for index, one in enumerate(drawn)}
    for one in named.values():
        if one["type"] != "constant":
            one["mutable"] = False
    forbidden = []
    for _ in range(draw(st.integers(0, 2))):
        chosen = draw(st.lists(st.sampled_from(list(named)), min_size=1, max_size=3, unique=True))
        forbidden.append({name: _value(draw, named[name]) for name in chosen})
    return {"parameters": named, "conditions": draw(conditions(named)), "forbidden": forbidden}


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """A random search space of which something is left by its forbidden clauses."""
    try:
        return build_space(draw(definitions()))
    except ConfigurationError as error:
        assume("forbidden" not in error.key)
        raise


@st.composite
def samples(draw: st.DrawFn) -> tuple[SearchSpace, np.ndarray]:
    """A random space and some points of its unit cube, legal or not, no entry missing."""
    space = draw(spaces())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    units = rng.random((draw(st.integers(0, 20)), space.codec.dim))
    corners = rng.random(units.shape)
    return space, np.where(corners < 0.1, 0.0, np.where(corners > 0.9, 1.0, units))
