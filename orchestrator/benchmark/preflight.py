"""The checks of a benchmark study before it starts, beyond its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.benchmark.assemble import SUITES, BenchmarkParts, prepare_tasks
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
    return tried(config, [_subject(config, task) for task in first.values()])


def _subject(config: Mapping[str, Any], task: Task) -> Subject:
    names = [one.name for one in (*task.objectives, *task.constraints)]
    recorded = [task.facts.seconds] if task.facts.seconds else []
    return Subject(
        task.workload,
        f"{SUITES}.{task.suite}.workload",
        tuple(dict.fromkeys([*names, *recorded])),
        config["seed"],
        gpus=config["cluster"]["gpus_per_trial"] > 0,
    )
