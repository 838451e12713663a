"""From a resolved configuration to the methods and tasks of a benchmark study."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.benchmark.records import CellKey, LeftOut
from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import Task
from orchestrator.config.targets import instantiate, target_of
from orchestrator.optimizers.base import Capabilities, Optimizer
from search_spaces import ConfigurationError
from search_spaces.reading import Nothing, closest
from workloads.contract import Fidelity, PreparedWorkload

METHODS, SUITES = "benchmark.methods", "benchmark.suites"
_PLANNED = "n_trials"
"""The argument that tells an optimizer how many trials it will have."""
_CANNOT = ("optimizer", "search_space", "constraints")
"""The keys that optimizers name when they cannot serve a task, whatever their own arguments."""


@dataclass(frozen=True)
class Method:
    """An optimizer that is compared, under the name that the study gives it.

    Args:
        definition: ``_target_`` and its arguments, as plain data.
    """

    name: str
    definition: Mapping[str, Any]
    capabilities: Capabilities

    @classmethod
    def of(cls, name: str, definition: object) -> Method:
        """The method that the configuration defines.

        Raises:
            ConfigurationError: it is no optimizer.
        """
        key = f"{METHODS}.{name}"
        if not isinstance(definition, Mapping) or not definition:
            hint = f"add one with +optimizer@{key}=<name>"
            raise ConfigurationError(key, "an optimizer", definition or Nothing(), hint)
        try:
            capabilities = getattr(target_of(definition, key), "capabilities", None)
        except ConfigurationError as error:
            raise _placed(error, key) from error
        if not isinstance(capabilities, Capabilities):
            expected = "a class of optimizers (orchestrator.search.Optimizer)"
            raise ConfigurationError(f"{key}._target_", expected, definition["_target_"])
        return cls(name, definition, capabilities)

    def make(self, task: Task, seed: int) -> Optimizer:
        """A new optimizer for a cell.

        If the definition plans a number of trials (``n_trials``), it gets the task's evaluations.

        Raises:
            ConfigurationError: it cannot serve the task, or an argument is wrong; the key begins with
                ``optimizer``, ``search_space`` or ``constraints``.
        """
        planned = {_PLANNED: task.evaluations} if _PLANNED in self.definition else {}
        optimizer: Optimizer = instantiate(
            {**self.definition, **planned},
            "optimizer",
            space=task.space,
            objectives=task.objectives,
            seed=seed,
            fidelity=task.workload.fidelity if self.capabilities.fidelity else None,
            constraints=task.constraints,
        )
        return optimizer


@dataclass(frozen=True)
class BenchmarkParts:
    """What a benchmark study is made of.

    Args:
        tasks, methods: by name, in the configuration's order.
        pairings: (task, method) of all cells, by task.
        left_out: the other pairings, each with its reason.
        seeds: of each pairing's cells.
    """

    tasks: Mapping[str, Task]
    methods: Mapping[str, Method]
    pairings: tuple[tuple[str, str], ...]
    left_out: tuple[LeftOut, ...]
    seeds: range

    @property
    def cells(self) -> Iterator[CellKey]:
        """All cells, seed by seed, so that incomplete results cover every task and method."""
        return (CellKey(task, method, seed) for seed in self.seeds for task, method in self.pairings)


def assemble_benchmark(config: Mapping[str, Any]) -> BenchmarkParts:
    """Build and check the objects that a benchmark study's configuration describes.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: a method or a task cannot be made, or no method serves any task; the key is
            absolute.
    """
    benchmark = config["benchmark"]
    methods = methods_of(benchmark["methods"])
    tasks = _chosen({task.name: task for task in _tasks(benchmark["suites"])}, benchmark["tasks"])
    pairings, left_out = _pairings(tasks.values(), list(methods.values()), config["seed"])
    if not pairings:
        first = left_out[0]
        hint = f"{first.method} cannot serve {first.task}: {first.reason}"
        raise ConfigurationError(METHODS, "a method that can serve a task", list(methods), hint)
    seeds = range(config["seed"], config["seed"] + benchmark["seeds"])
    return BenchmarkParts(tasks, methods, tuple(pairings), tuple(left_out), seeds)


def methods_of(definitions: Mapping[str, Any]) -> dict[str, Method]:
    """The methods that the configuration defines, by name.

    Raises:
        ConfigurationError: there are none, or one is no optimizer.
    """
    if not definitions:
        hint = f"add one with +optimizer@{METHODS}.<its name>=<name>"
        raise ConfigurationError(METHODS, "at least one method", Nothing(), hint)
    return {name: Method.of(name, definition) for name, definition in definitions.items()}


def prepare_tasks(tasks: Iterable[Task]) -> None:
    """Let workloads fetch what they need.

    Raises:
        ConfigurationError: it cannot be had.
    """
    for task in tasks:
        if isinstance(task.workload, PreparedWorkload):
            try:
                task.workload.prepare()
            except ConfigurationError as error:
                raise error.within(f"{SUITES}.{task.suite}.workload") from error


def _tasks(suites: Mapping[str, Any]) -> Iterator[Task]:
    if not suites:
        hint = f"add one with +suite@{SUITES}.<its name>=<name>"
        raise ConfigurationError(SUITES, "at least one suite", Nothing(), hint)
    names: set[str] = set()
    for name, definition in suites.items():
        for task in tasks_of(name, definition, f"{SUITES}.{name}"):
            if task.name in names:
                raise ConfigurationError(f"{SUITES}.{name}.instances", "tasks that differ in name", task.name)
            names.add(task.name)
            yield task


def _chosen(tasks: dict[str, Task], names: Sequence[str] | None) -> dict[str, Task]:
    """The suites' tasks that the study uses, in the suites' order."""
    if names is None:
        return tasks
    key = "benchmark.tasks"
    for name in names:
        if name not in tasks:
            expected = f"names of the {len(tasks)} tasks of benchmark.suites"
            raise ConfigurationError(key, expected, name, closest(name, list(tasks)))
    if not names:
        raise ConfigurationError(key, "at least one task, or null for all", names)
    return {name: task for name, task in tasks.items() if name in names}


def _pairings(
    tasks: Iterable[Task], methods: Sequence[Method], seed: int
) -> tuple[list[tuple[str, str]], list[LeftOut]]:
    """Which methods serve which tasks: each method is made for one task of every shape."""
    pairings, left_out = [], []
    known: dict[Hashable, str] = {}
    for task in tasks:
        shape = _shape(task)
        for method in methods:
            if (method.name, shape) not in known:
                known[method.name, shape] = _refusal(method, task, seed)
            reason = known[method.name, shape]
            if reason:
                left_out.append(LeftOut(task.name, method.name, reason))
            else:
                pairings.append((task.name, method.name))
    return pairings, left_out


def _shape(task: Task) -> Hashable:
    """Everything about a task that decides whether a method serves it."""
    space = task.space
    bounded = [(one.name, one.bound is None) for one in (*task.objectives, *task.constraints)]
    conditions = [bool(space.configuration_space.parent_conditions_of[name]) for name in space.names]
    fidelity: Fidelity = task.workload.fidelity
    columns = [column.kind for column in space.codec.columns]
    return task.type, *bounded, *columns, *conditions, fidelity


def _refusal(method: Method, task: Task, seed: int) -> str:
    """Why the method cannot serve the task; empty if it can.

    Raises:
        ConfigurationError: the method could serve no task, since its definition is wrong.
    """
    if method.capabilities.fidelity and not task.multi_fidelity:
        return "it chooses fidelities, and the task has one"
    try:
        method.make(task, seed)
    except ConfigurationError as error:
        # A refusal with a cause is about the installation or the options, not about the task.
        if error.key in _CANNOT and error.__cause__ is None:
            return f"expected {error.expected}, got {error.found!r}"
        raise _placed(error, f"{METHODS}.{method.name}") from error
    return ""


def _placed(error: ConfigurationError, key: str) -> ConfigurationError:
    """The error under the method's key instead of ``optimizer``."""
    if error.key.startswith(key):
        return error
    rest = error.key.removeprefix("optimizer").removeprefix(".")
    return ConfigurationError(f"{key}.{rest}" if rest else key, error.expected, error.found, error.hint)
