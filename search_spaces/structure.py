"""Which parameters are active and which configurations are forbidden, for many configurations at once."""

from __future__ import annotations

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.conditions import AndConjunction, Condition, Conjunction, OrConjunction
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Vectors = NDArray[np.float64]
"""ConfigSpace's own array form, transposed: ``(parameters, n)``, NaN where inactive."""


class Structure:
    """Conditions and forbidden clauses of a space.

    Args:
        space: its order of parameters is kept, with parents before their children.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self._conditions = tuple(
            (row, condition)
            for name, row in space.index_of.items()
            for condition in space.parent_conditions_of[name]
        )
        self._clauses = tuple(space.forbidden_clauses)

    def deactivate(self, vectors: Vectors) -> Mask:
        """Set inactive entries of ``vectors`` to NaN, in place.

        Returns the active entries, shape ``(parameters, n)``; True also where an active value was NaN.
        """
        active = np.ones(vectors.shape, dtype=np.bool_)
        for row, condition in self._conditions:
            active[row] &= _holds(condition, vectors)
            vectors[row, ~active[row]] = np.nan
        return active

    def legal(self, vectors: Vectors) -> Mask:
        """Where no forbidden clause holds, shape ``(n,)``; ``vectors`` are NaN where inactive."""
        legal = np.ones(vectors.shape[1], dtype=np.bool_)
        for clause in self._clauses:
            legal &= ~clause.is_forbidden_vector_array(vectors)
        return legal

    def violated(self, vectors: Vectors) -> str:
        """The first clause that the first of ``vectors`` violates, in words; empty if it violates none."""
        for clause in self._clauses:
            if clause.is_forbidden_vector_array(vectors)[0]:
                return str(clause)
        return ""


def _holds(condition: Condition | Conjunction, vectors: Vectors) -> Mask:
    if isinstance(condition, Condition):
        # ConfigSpace compares NaN like any number, so that "not equal" would hold for an inactive parent.
        known = ~np.isnan(vectors[condition.parent_vector_id])
        return np.asarray(known & condition.satisfied_by_vector_array(vectors))
    masks = [_holds(component, vectors) for component in condition.components]
    if isinstance(condition, AndConjunction):
        return np.asarray(np.logical_and.reduce(masks))
    if isinstance(condition, OrConjunction):
        return np.asarray(np.logical_or.reduce(masks))
    raise TypeError(f"expected conditions joined by and or or, got {type(condition).__name__}")
