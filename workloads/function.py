"""Any Python function as a workload of one step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.contract import Device, Fidelity, Metrics, Objective, State

Function = Callable[..., Metrics | float]

_ARGUMENTS = ("seed", "fidelity")
_ONE_CALL = Fidelity("call")


def from_function(
    function: Function,
    space: SearchSpace,
    objectives: Sequence[Objective | str | Mapping[str, Any]],
    fidelity: Fidelity = _ONE_CALL,
) -> FunctionWorkload:
    """A workload that calls ``function(config)`` whenever it is to advance.

    Args:
        function: takes the configuration, and by name, where its signature has them, ``seed`` and
            ``fidelity`` (all units that the session was given so far). Returns metrics by name, or one number
            where there is one objective. The workload is picklable where the function is.
        space: what may vary.
        objectives: what is optimised, at least one; the function must report each. A name is enough for a
            metric that is to be small; a mapping has the arguments of :class:`Objective`.
        fidelity: more than one unit only for a function that takes ``fidelity``.

    Raises:
        ConfigurationError: the signature or the fidelity is not as above, or there is no objective.
    """
    metrics = tuple(objective_of(given) for given in objectives)
    if not metrics:
        raise ConfigurationError("objectives", "at least one objective", metrics)
    arguments = _arguments(function)
    if fidelity.largest > 1 and "fidelity" not in arguments:
        raise ConfigurationError(
            "fidelity", "one unit for a function without an argument 'fidelity'", fidelity.largest
        )
    return FunctionWorkload(function, space, metrics, fidelity, arguments)


@dataclass(frozen=True)
class FunctionWorkload:
    """Made by :func:`from_function`."""

    function: Function
    space: SearchSpace
    objectives: tuple[Objective, ...]
    fidelity: Fidelity
    arguments: tuple[str, ...]

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        """A session; ``device`` is the function's own business."""
        del device
        return FunctionSession(self, config, seed)


class FunctionSession:
    """One configuration of a function; its state is its age alone."""

    def __init__(self, workload: FunctionWorkload, config: Config, seed: int) -> None:
        self._workload, self._config, self._seed = workload, dict(config), seed
        self._age = 0

    def advance(self, amount: int) -> Metrics:
        self._age += amount
        given = {"seed": self._seed, "fidelity": self._age}
        chosen = {name: given[name] for name in self._workload.arguments}
        return self._metrics(self._workload.function(dict(self._config), **chosen))

    def configure(self, config: Config) -> None:
        mutable = self._workload.space.mutable
        fixed = {name: value for name, value in self._config.items() if name not in mutable}
        self._config = {**fixed, **{name: value for name, value in config.items() if name in mutable}}

    def state(self) -> State:
        return {"age": self._age}

    def load(self, state: State) -> None:
        self._age = state["age"]

    def _metrics(self, result: Any) -> Metrics:
        objectives = self._workload.objectives
        if isinstance(result, Real) and len(objectives) == 1:
            return {objectives[0].name: float(result)}
        if isinstance(result, dict):
            return {name: self._number(name, value) for name, value in result.items()}
        expected = "a dict of metrics" + (" or a number" if len(objectives) == 1 else "")
        raise TypeError(f"{_name(self._workload.function)}: expected it to return {expected}, got {result!r}")

    def _number(self, name: str, value: Any) -> float:
        try:
            if not isinstance(value, str):
                return float(value)
        except (TypeError, ValueError):
            pass
        function = _name(self._workload.function)
        raise TypeError(f"{function}: expected {name!r} to be a number, got {value!r}")


def _arguments(function: Function) -> tuple[str, ...]:
    """Those of ``seed`` and ``fidelity`` that the function takes besides its first argument."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # some functions written in C have no signature
        return ()
    unknown = [
        parameter.name
        for parameter in parameters[1:]
        if parameter.name not in _ARGUMENTS
        and parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if not parameters or unknown:
        signature = f"{_name(function)}{inspect.signature(function)}"
        raise ConfigurationError(
            "function", "arguments (config), and 'seed' and 'fidelity' if wanted", signature
        )
    return tuple(parameter.name for parameter in parameters[1:] if parameter.name in _ARGUMENTS)


def objective_of(given: Objective | str | Mapping[str, Any]) -> Objective:
    """A metric as a configuration gives it.

    Raises:
        ConfigurationError: it is no metric.
    """
    if isinstance(given, str):
        return Objective(given)
    if not isinstance(given, Mapping):
        return given
    try:
        return Objective(**given)
    except TypeError as error:
        expected = "metrics, each with a name and, if wanted, direction, reference and bound"
        raise ConfigurationError("objectives", expected, dict(given)) from error


def _name(function: Function) -> str:
    return getattr(function, "__name__", repr(function))
