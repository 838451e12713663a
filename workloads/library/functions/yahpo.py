"""YAHPO Gym's surrogates: networks that predict what tuning real models on real data would give."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.extras import needs_extra
from search_spaces.reading import closest, listing
from search_spaces.values import Scalar
from workloads.capabilities import Facts
from workloads.contract import Device, Fidelity, Metrics, Objective
from workloads.function import FunctionSession, FunctionWorkload
from workloads.knobs import check_objectives, extremes
from workloads.library.functions.yahpo_scenarios import LARGER_IS_BETTER, SCENARIOS, WORST, Scenario

VARIABLE = "YAHPO_DATA_DIR"
FILES = ("config_space.json", "encoding.json", "model.onnx")
_SOURCE = "github.com/slds-lmu/yahpo_data, release v1.0.2"
_MISSING = "#na#"


class Yahpo:
    """One data set of a scenario of YAHPO Gym 1.0, such as ``lcbench``. Deterministic; run times are
    predicted.

    Metrics: all that the scenario reports, in its own units; for ``lcbench`` val_accuracy (percent),
    val_cross_entropy, time (seconds) and so on, for ``rbv2_*`` acc (0 to 1), logloss, timetrain (seconds),
    memory and so on.

    The fidelity is the scenario's: epochs, or the share of the training data in whole percent. ``repl``, how
    many repetitions of the cross-validation are averaged, is held at its largest. What a condition switches
    off is told to the surrogate as YAHPO Gym does: the code of ``#na#``, or 0 for a number.

    Args:
        space: what varies, among the scenario's parameters; None: all of them, with their conditions.
        objectives: None: those of ``targets``.
        scenario: its name, a folder of ``data_dir``.
        instance: the data set: an OpenML id (``CIFAR10`` for nb301); None: the scenario's default.
        targets: metrics that are optimised, in the direction that is better for each; None: val_accuracy,
            acc or mmce.
        data_dir: folder that has a folder for each scenario with config_space.json, encoding.json and
            model.onnx, from github.com/slds-lmu/yahpo_data; None: what the environment's YAHPO_DATA_DIR says.

    Raises:
        ConfigurationError: an argument is none of these, the files are missing or damaged, or onnxruntime is
            missing.
    """

    environment = (VARIABLE,)

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        scenario: str = "lcbench",
        instance: str | int | None = None,
        targets: Sequence[str] | None = None,
        data_dir: str | None = None,
    ) -> None:
        if scenario not in SCENARIOS:
            raise ConfigurationError(
                "scenario", f"one of {listing(SCENARIOS)}", scenario, closest(scenario, SCENARIOS)
            )
        self.scenario, self._names = scenario, SCENARIOS[scenario]
        self._folder = _folder(scenario, data_dir)
        with _intact(self._folder):
            files = _files(self._folder)
            files.check(self._names)
            known, instances = files.space(self._names), files.parameters[self._names.instance]
            self.fidelity, self._scale = _fidelity(files.parameters[self._names.fidelity])
        self.instance = _instance(instances, instance)
        self.space = known if space is None else space
        if space is not None:
            _check_space(space, known)
        usual = _objectives(self._names, targets)
        self.objectives = usual if objectives is None else tuple(objectives)
        check_objectives(self.objectives, self._names.metrics)

    @property
    def facts(self) -> Facts:
        return Facts(deterministic=True, seconds=self._names.seconds)

    def prepare(self) -> None:
        """Make sure that the surrogate can be computed."""
        _surrogate(self._folder, self.scenario)

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        """A session that predicts; ``seed`` has no effect."""
        workload = FunctionWorkload(self.predict, self.space, self.objectives, self.fidelity, ("fidelity",))
        return workload.start(config, seed, device)

    def predict(self, config: Config, fidelity: int) -> Metrics:
        """The metrics of a configuration.

        Args:
            config: a value for each of its active parameters.
            fidelity: in the units of ``fidelity``.
        """
        codes, numbers = self.encode(config, fidelity)
        surrogate = _surrogate(self._folder, self.scenario)
        (values,) = surrogate.run(["output"], {"x_cat": codes, "x_cont": numbers})
        return dict(zip(self._names.metrics, values[0].tolist(), strict=True))

    def encode(self, config: Config, fidelity: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """What the surrogate takes: codes, shape ``(1, categories)``, and numbers, ``(1, numbers)``."""
        names, files = self._names, _files(self._folder)
        given: dict[str, Scalar] = {**files.full(names), **config, names.instance: self.instance}
        given[names.fidelity] = min(fidelity, self.fidelity.largest) * self._scale
        codes = [files.encoding[name][str(given.get(name, _MISSING))] for name in names.categories]
        numbers = [float(given.get(name, 0)) for name in names.numbers]
        return np.array([codes], dtype=np.int32), np.array([numbers], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class _Files:
    """What the two JSON files of a scenario say: parameters by name, conditions, codes by parameter."""

    parameters: Mapping[str, Mapping[str, Any]]
    conditions: Sequence[Mapping[str, Any]]
    encoding: Mapping[str, Mapping[str, int]]

    def space(self, names: Scenario) -> SearchSpace:
        """The space without the data set and the fidelities."""
        fixed = {names.instance, names.fidelity, *names.full}
        parameters = {name: _parameter(one) for name, one in self.parameters.items() if name not in fixed}
        conditions = [part for one in self.conditions for part in _conditions(one)]
        return build_space({"parameters": parameters, "conditions": conditions})

    def check(self, names: Scenario) -> None:
        """Look up what :meth:`Yahpo.encode` will, for the default configuration.

        Raises:
            LookupError, TypeError: something is not there.
        """
        self.full(names)
        for name in names.categories:
            self.encoding[name][str(self.parameters[name]["default"])]

    def full(self, names: Scenario) -> dict[str, float]:
        """The largest values of the further fidelities."""
        return {name: self.parameters[name]["upper"] for name in names.full}


@contextmanager
def _intact(folder: Path) -> Iterator[None]:
    """Whatever goes wrong inside is the fault of the files."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        expected = f"{FILES[0]} and {FILES[1]} as in {_SOURCE}"
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        hint = f"get them again: they cannot be read ({reason})"
        raise ConfigurationError("data_dir", expected, str(folder), hint) from error


@lru_cache
def _files(folder: Path) -> _Files:
    space, encoding = (json.loads((folder / name).read_text(encoding="utf-8")) for name in FILES[:2])
    parameters = {one["name"]: one for one in space["hyperparameters"]}
    return _Files(parameters, space["conditions"], encoding)


@lru_cache
def _surrogate(folder: Path, scenario: str) -> Any:
    """The session of onnxruntime, one per process and scenario: it cannot be pickled.

    Raises:
        ConfigurationError: the model cannot be read, or takes and reports other things than the scenario's.
    """
    with needs_extra("_target_", "benchmark", "Yahpo"):
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = str(folder / FILES[2])
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, InvalidProtobuf) as error:
        expected = f"models that onnxruntime can read, as in {_SOURCE}"
        raise ConfigurationError("data_dir", expected, model, str(error)) from error
    names = SCENARIOS[scenario]
    sizes = [len(names.categories), len(names.numbers), len(names.metrics)]
    found = [one.shape[1] for one in (*session.get_inputs(), *session.get_outputs())]
    if found != sizes:
        expected = f"the model of {_SOURCE}, with {sizes} categories, numbers and metrics"
        raise ConfigurationError("data_dir", expected, found, f"look at {model}")
    return session


def _folder(scenario: str, data_dir: str | None) -> Path:
    given = data_dir or os.environ.get(VARIABLE)
    expected = f"a folder with {scenario}/{{{','.join(FILES)}}}"
    hint = f"get it from {_SOURCE}, and set this key or {VARIABLE}"
    if not given:
        raise ConfigurationError("data_dir", expected, given, hint)
    folder = Path(given).expanduser().absolute() / scenario
    if not all((folder / name).is_file() for name in FILES):
        raise ConfigurationError("data_dir", expected, given, hint)
    return folder


def _instance(parameter: Mapping[str, Any], instance: str | int | None) -> str:
    known: list[str] = parameter["choices"]
    chosen = str(parameter["default"] if instance is None else instance)
    if chosen not in known:
        raise ConfigurationError("instance", f"one of {', '.join(known)}", instance, closest(chosen, known))
    return chosen


def _fidelity(parameter: Mapping[str, Any]) -> tuple[Fidelity, float]:
    """The fidelity in whole units, and what one of them is to the surrogate."""
    low, high = parameter["lower"], parameter["upper"]
    if parameter["type"] == "uniform_int":
        return Fidelity(parameter["name"], low, high), 1.0
    return Fidelity("percent", math.ceil(round(100 * low, 6)), round(100 * high)), 0.01


def _objectives(names: Scenario, targets: Sequence[str] | None) -> tuple[Objective, ...]:
    chosen = (names.usual,) if targets is None else targets
    for name in chosen:
        if name not in names.metrics:
            hint = closest(name, names.metrics)
            raise ConfigurationError("targets", f"names among {listing(names.metrics)}", name, hint)
    return tuple(
        Objective(name, "max" if name in LARGER_IS_BETTER else "min", reference=WORST.get(name))
        for name in chosen
    )


def _check_space(space: SearchSpace, known: SearchSpace) -> None:
    """Refuse parameters that the scenario does not have, and values outside of what it was trained on."""
    for name in space.names:
        if name not in known.names:
            hint = closest(name, known.names)
            expected = f"a parameter of the scenario ({listing(known.names)})"
            raise ConfigurationError(f"search_space.parameters.{name}", expected, name, hint)
    missing = [name for name in known.names if name not in space.names]
    if missing:
        expected = f"all parameters of the scenario, also {listing(missing)}"
        raise ConfigurationError("search_space.parameters", expected, list(space.names))
    for name, parameter in space.configuration_space.items():
        for field, value in extremes(parameter):
            key = f"search_space.parameters.{name}.{field}"
            known.value(name, value, key)


def _parameter(one: Mapping[str, Any]) -> dict[str, Any]:
    """ConfigSpace 0.4's JSON as a definition of ours."""
    if one["type"] == "categorical":
        return {"type": "categorical", "choices": one["choices"], "default": one["default"]}
    kind = {"uniform_int": "int", "uniform_float": "float"}[one["type"]]
    return {
        "type": kind,
        "low": one["lower"],
        "high": one["upper"],
        "log": one["log"],
        "default": one["default"],
    }


def _conditions(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    if one["type"] == "AND":
        return [part for condition in one["conditions"] for part in _conditions(condition)]
    operator, value = {"EQ": ("equals", one.get("value")), "IN": ("in", one.get("values"))}[one["type"]]
    return [{"child": one["child"], "parent": one["parent"], operator: value}]
