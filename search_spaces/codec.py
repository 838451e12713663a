"""Configurations as arrays in the unit cube, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    FloatHyperparameter,
    IntegerHyperparameter,
    NumericalHyperparameter,
)
from numpy.typing import ArrayLike

from search_spaces.columns import Column, Floats, Kind
from search_spaces.domains import Parameter, choices
from search_spaces.exploring import AS_THE_RULE, Explore
from search_spaces.structure import Mask, Structure, Vectors
from search_spaces.values import Config, Scalar


class Codec:
    """Maps configurations to ``(n, dim)`` arrays in [0, 1] and back; an inactive parameter is NaN there.

    Columns are in ConfigSpace's order: parents before their children, then by name. Constants have no column.

    Args:
        space: the parameters, conditions and forbidden clauses.
        mutable: names of the parameters that may change in training.
        exploring: how some of them change, by name.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        mutable: frozenset[str] = frozenset(),
        exploring: Mapping[str, Explore] | None = None,
    ) -> None:
        explore = exploring or {}
        self._parameters: tuple[Parameter, ...] = tuple(space.values())
        self._structure = Structure(space)
        self._rows = [i for i, one in enumerate(self._parameters) if not isinstance(one, Constant)]
        varying = [self._parameters[row] for row in self._rows]
        self.columns: tuple[Column, ...] = tuple(
            _column(one, one.name in mutable, explore.get(one.name, AS_THE_RULE)) for one in varying
        )
        """The parameter behind each coordinate."""
        self.mutable: Mask = np.array([column.mutable for column in self.columns], dtype=bool)
        """Which of them may change in training, shape ``(dim,)``."""

    @property
    def dim(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def encode(self, configs: Sequence[Config]) -> Floats:
        """Coordinates of configurations, shape ``(n, dim)``; NaN where inactive or missing.

        Raises:
            ValueError: a value is not one that its parameter can take.
        """
        units = np.full((len(configs), self.dim), np.nan)
        for j, (row, column) in enumerate(zip(self._rows, self.columns, strict=True)):
            values = [config.get(column.name) for config in configs]
            units[:, j] = column.to_units(_numbers(self._parameters[row], column, values))
        units[~self.active(units)] = np.nan
        return units

    def decode(self, units: ArrayLike) -> list[Config]:
        """Configurations at ``(n, dim)`` coordinates, as plain Python values.

        Only the conditions decide what is active; values in inactive entries are ignored.

        Raises:
            ValueError: an active entry is NaN or outside [0, 1].
        """
        units = self._shaped(units)
        numbers, _, active = self._resolve(units)
        wrong = active[self._rows].T & ~_inside(units)
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise ValueError(
                f"expected a number in [0, 1] for {self.columns[j].name!r} in row {i}, got {units[i, j]}"
            )
        return self._configs(numbers, active)

    def active(self, units: ArrayLike) -> Mask:
        """Which entries the conditions make active, shape ``(n, dim)``, whether or not they hold a number.

        A parent that is NaN or outside [0, 1] satisfies no condition.
        """
        return self._resolve(self._shaped(units))[2][self._rows].T

    def legal(self, units: ArrayLike) -> Mask:
        """Which configurations no forbidden clause excludes, shape ``(n,)``."""
        return self._structure.legal(self._resolve(self._shaped(units))[1])

    def violated(self, config: Config) -> str:
        """The first forbidden clause that a configuration violates, in words; empty if it violates none."""
        return self._structure.violated(self._resolve(self.encode([config]))[1])

    def active_names(self, config: Config) -> frozenset[str]:
        """Names of the parameters that a configuration's conditions make active, constants included."""
        active = self._resolve(self.encode([config]))[2][:, 0]
        return frozenset(one.name for one, on in zip(self._parameters, active, strict=True) if on)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """``(n, dim)`` independent draws from the priors, regardless of conditions and clauses."""
        # ConfigSpace wants NumPy's older class. Wrapped around the same bits, it keeps no state of its own.
        random = np.random.RandomState(rng.bit_generator)
        units = np.empty((n, self.dim))
        for j, (row, column) in enumerate(zip(self._rows, self.columns, strict=True)):
            parameter = self._parameters[row]
            vector = parameter.sample_vector(n, seed=random)
            units[:, j] = column.to_units(_from_vector(parameter, vector))
        return units

    def log_priors(self, units: ArrayLike) -> Floats:
        """Logarithms of the priors' densities, shape ``(n, dim)``, relative to the column's uniform density.

        NaN where the entry is NaN; minus infinity where a prior excludes the value.
        """
        units = self._shaped(units)
        logs = np.full(units.shape, np.nan)
        for j, (row, column) in enumerate(zip(self._rows, self.columns, strict=True)):
            parameter, known = self._parameters[row], ~np.isnan(units[:, j])
            vector = _to_vector(parameter, column.from_units(units[known, j]))
            count = 1.0 if column.kind == "float" else column.high - column.low + 1
            with np.errstate(divide="ignore"):
                logs[known, j] = np.log(count * parameter.pdf_vector(vector))
        return logs

    def repair(self, units: ArrayLike, rng: np.random.Generator) -> Floats:
        """A copy of ``(n, dim)`` coordinates with NaN exactly where the conditions make a parameter inactive.

        An active entry that is NaN becomes a draw from the prior; other entries stay as they are.
        """
        units = self._shaped(units)
        repaired = np.where(np.isnan(units), self.draw(len(units), rng), units)
        repaired[~self.active(repaired)] = np.nan
        return repaired

    def _shaped(self, units: ArrayLike) -> Floats:
        array = np.asarray(units, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != self.dim:
            raise ValueError(f"expected units of shape (n, {self.dim}), got {array.shape}")
        return array

    def _resolve(self, units: Floats) -> tuple[list[Floats], Vectors, Mask]:
        """Numbers per column, and ConfigSpace vectors and activity per parameter ``(parameters, n)``."""
        vectors = np.ones((len(self._parameters), len(units)))  # ConfigSpace's vector of a constant is 1.
        numbers = []
        for row, column, coordinates in zip(self._rows, self.columns, units.T, strict=True):
            inside = _inside(coordinates)
            numbers.append(column.from_units(np.where(inside, coordinates, 0.5)))
            vector = _to_vector(self._parameters[row], numbers[-1])
            vectors[row] = np.where(inside, vector, np.nan)
        return numbers, vectors, self._structure.deactivate(vectors)

    def _configs(self, numbers: list[Floats], active: Mask) -> list[Config]:
        n = active.shape[1]
        values: list[list[Scalar]] = [list(choices(one)[:1]) * n for one in self._parameters]
        for row, column, column_numbers in zip(self._rows, self.columns, numbers, strict=True):
            values[row] = _plain(self._parameters[row], column, column_numbers)
        names = [one.name for one in self._parameters]
        configs = zip(*values, strict=True)
        if active.all():
            return [dict(zip(names, config, strict=True)) for config in configs]
        return [
            {name: value for name, value, on in zip(names, config, flags, strict=True) if on}
            for config, flags in zip(configs, active.T.tolist(), strict=True)
        ]


def _column(parameter: Parameter, mutable: bool, explore: Explore) -> Column:
    """The column of a parameter that is not a constant."""
    if isinstance(parameter, FloatHyperparameter | IntegerHyperparameter):
        kind: Kind = "float" if isinstance(parameter, FloatHyperparameter) else "int"
        low, high = parameter.lower, parameter.upper
        return Column(parameter.name, kind, low, high, bool(parameter.log), 0, mutable, explore)
    size = len(choices(parameter))
    kind = "categorical" if isinstance(parameter, CategoricalHyperparameter) else "ordinal"
    return Column(parameter.name, kind, 0, size - 1, False, size, mutable, explore)


def _inside(units: Floats) -> Mask:
    return np.asarray((units >= 0) & (units <= 1))


def _numbers(parameter: Parameter, column: Column, values: Sequence[Scalar | None]) -> Floats:
    """Values as numbers (indices of choices), NaN for None."""
    if column.size:
        index: dict[Scalar | None, float] = {one: float(i) for i, one in enumerate(choices(parameter))}
        numbers = np.array([np.nan if value is None else index.get(value, -1.0) for value in values])
    else:
        numbers = np.array([np.nan if value is None else float(value) for value in values])
    wrong = (numbers < column.low) | (numbers > column.high)
    if column.kind == "int":
        wrong |= numbers != np.floor(numbers)
    wrong &= ~np.isnan(numbers)
    if wrong.any():
        value = values[int(np.flatnonzero(wrong)[0])]
        raise ValueError(f"expected a value that {column.name!r} can take, got {value!r}")
    return numbers


def _plain(parameter: Parameter, column: Column, numbers: Floats) -> list[Scalar]:
    if column.kind == "float":
        return list(numbers.tolist())
    whole = numbers.astype(np.int64).tolist()
    if column.kind == "int":
        return list(whole)
    known = choices(parameter)
    return [known[index] for index in whole]


def _to_vector(parameter: Parameter, numbers: Floats) -> Floats:
    """ConfigSpace's vector of numbers; for choices it is the index itself."""
    return parameter.to_vector(numbers) if isinstance(parameter, NumericalHyperparameter) else numbers


def _from_vector(parameter: Parameter, vector: Floats) -> Floats:
    if isinstance(parameter, NumericalHyperparameter):
        return np.asarray(parameter.to_value(vector), dtype=np.float64)
    return vector
