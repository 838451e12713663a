"""What functions of numbers within bounds share: ``x1``, ``x2``, … in, metrics out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.capabilities import Facts
from workloads.contract import Device, Fidelity, Metrics, Objective
from workloads.function import FunctionSession, FunctionWorkload
from workloads.knobs import check_objectives

ONE_CALL = Fidelity("call")


class BoxFunction(ABC):
    """A function of numbers ``x1``, ``x2``, …, each within bounds.

    Args:
        space: floats or integers of these names within the bounds; None: all of the bounds.
        objectives: None: the usual ones.
        bounds: lowest and highest value of each number.
        usual: the usual objectives.
        further: metrics that it reports besides the usual objectives.
        fidelity: one call, unless the function has more.

    Raises:
        ConfigurationError: the space does not fit the bounds, or an objective is not reported.
    """

    def __init__(
        self,
        space: SearchSpace | None,
        objectives: Sequence[Objective] | None,
        bounds: Sequence[tuple[float, float]],
        usual: Sequence[Objective],
        further: Sequence[str] = (),
        fidelity: Fidelity = ONE_CALL,
    ) -> None:
        self._names = tuple(f"x{i + 1}" for i in range(len(bounds)))
        self.space = _box(self._names, bounds) if space is None else space
        self._check_space(bounds)
        self.objectives = tuple(usual if objectives is None else objectives)
        check_objectives(self.objectives, [*(one.name for one in usual), *further])
        self.fidelity = fidelity

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What is known of it."""

    @abstractmethod
    def metrics(self, x: list[float], fidelity: int, seed: int) -> Metrics:
        """The metrics at a point.

        Args:
            x: as many numbers as it has parameters.
            fidelity: units that the session was given so far.
            seed: the session's.
        """

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        """A session that evaluates ``config``."""
        workload = FunctionWorkload(
            self._call, self.space, self.objectives, self.fidelity, ("seed", "fidelity")
        )
        return workload.start(config, seed, device)

    def _call(self, config: Config, seed: int, fidelity: int) -> Metrics:
        return self.metrics([float(config[name]) for name in self._names], fidelity, seed)

    def _check_space(self, bounds: Sequence[tuple[float, float]]) -> None:
        columns = {column.name: column for column in self.space.codec.columns}
        if set(self.space.names) != set(self._names):
            expected = f"the parameters {self._names[0]} to {self._names[-1]}"
            raise ConfigurationError("search_space.parameters", expected, list(self.space.names))
        for name, (low, high) in zip(self._names, bounds, strict=True):
            column = columns.get(name)
            fits = column is not None and column.kind in ("float", "int")
            if column is None or not fits or not low <= column.low < column.high <= high:
                expected = f"a number within [{low}, {high}]"
                raise ConfigurationError(f"search_space.parameters.{name}", expected, column)


def _box(names: Sequence[str], bounds: Sequence[tuple[float, float]]) -> SearchSpace:
    return build_space(
        {
            "parameters": {
                name: {"type": "float", "low": low, "high": high}
                for name, (low, high) in zip(names, bounds, strict=True)
            }
        }
    )
