"""The checks of a benchmark study before it starts, beyond its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.benchmark.assemble import SUITES, BenchmarkParts, prepare_tasks
from orchestrator.benchmark.methods import PopulationMethod
from orchestrator.benchmark.task import Task
from orchestrator.preflight.session import tried
from orchestrator.preflight.subject import Findings, Subject


def preflight(config: Mapping[str, Any], parts: BenchmarkParts) -> Findings:
    """Let workloads fetch what they need, and try the first task of every suite.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: the study would fail; nothing has been started.
    """
    prepare_tasks(parts.tasks.values())
    first: dict[str, Task] = {}
    for task in parts.tasks.values():
        first.setdefault(task.suite, task)
    served = {suite: _populations(parts, suite) for suite in first}
    return tried(config, [_subject(config, task, served[task.suite]) for task in first.values()])


def _populations(parts: BenchmarkParts, suite: str) -> list[PopulationMethod]:
    """The population methods that serve a task of a suite."""
    names = {method for task, method in parts.pairings if parts.tasks[task].suite == suite}
    methods = [parts.methods[name] for name in names]
    return [method for method in methods if isinstance(method, PopulationMethod)]


def _subject(config: Mapping[str, Any], task: Task, populations: Sequence[PopulationMethod]) -> Subject:
    perturbing = sorted(method.name for method in populations if method.perturbs)
    names = [one.name for one in (*task.objectives, *task.constraints)]
    recorded = [task.facts.seconds] if task.facts.seconds else []
    return Subject(
        task.workload,
        f"{SUITES}.{task.suite}.workload",
        tuple(dict.fromkeys([*names, *recorded])),
        config["seed"],
        copied=bool(populations),
        gpus=config["cluster"]["gpus_per_trial"] > 0,
        perturbed_by=perturbing[0] if perturbing else None,
    )
