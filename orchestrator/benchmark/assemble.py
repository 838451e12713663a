"""From a resolved configuration to the methods and tasks of a benchmark study."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.benchmark.methods import METHODS, Method, methods_of
from orchestrator.benchmark.records import CellKey, LeftOut
from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import Task
from orchestrator.config.schedules import KEY as SCHEDULE
from search_spaces import ConfigurationError
from search_spaces.reading import Nothing, closest
from workloads.capabilities import PreparedWorkload
from workloads.contract import Fidelity

SUITES = "benchmark.suites"


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
    if config[SCHEDULE] is not None:
        expected = "null in a benchmark study, whose methods choose hyperparameters themselves"
        hint = "a population method takes one: benchmark.methods.<its name>.schedule"
        raise ConfigurationError(SCHEDULE, expected, "a schedule", hint)
    methods = methods_of(benchmark["methods"])
    tasks = _chosen({task.name: task for task in _tasks(benchmark["suites"])}, benchmark["tasks"])
    pairings, left_out = _pairings(tasks.values(), list(methods.values()), config["seed"])
    if not pairings:
        first = left_out[0]
        hint = f"{first.method} cannot serve {first.task}: {first.reason}"
        raise ConfigurationError(METHODS, "a method that can serve a task", list(methods), hint)
    seeds = range(config["seed"], config["seed"] + benchmark["seeds"])
    return BenchmarkParts(tasks, methods, tuple(pairings), tuple(left_out), seeds)


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
            key = method.name, task.name if method.by_task else shape
            if key not in known:
                known[key] = method.refusal(task, seed)
            reason = known[key]
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
    return task.type, task.evaluations, *bounded, *columns, *conditions, fidelity
