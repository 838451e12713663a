"""What is checked of a search study before it starts, besides its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config.workload import prepare_workload
from orchestrator.preflight.session import tried
from orchestrator.preflight.subject import Findings, Subject
from orchestrator.run.journal import Event
from orchestrator.search.assemble import SearchParts
from orchestrator.search.earlier.earlier import Needs, earlier


def earlier_results(config: Mapping[str, Any], parts: SearchParts) -> tuple[list[Event], list[str]]:
    """What the optimizer of a new study learns from earlier ones, and a line for each.

    Raises:
        ConfigurationError: one of ``search.from`` cannot be read.
    """
    needs = Needs(parts.optimizer, parts.constraints, parts.rungs, parts.workload.fidelity.unit)
    return earlier(config["search"]["from"], needs)


def preflight(config: Mapping[str, Any], parts: SearchParts) -> Findings:
    """Read what earlier studies found, let the workload get what it needs, and try it.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: the study would fail; nothing has been started.
    """
    _, lines = earlier_results(config, parts)
    return tried_workload(config, parts, lines)


def tried_workload(config: Mapping[str, Any], parts: SearchParts, earlier_lines: Sequence[str]) -> Findings:
    """What is left of :func:`preflight` once the lines of :func:`earlier_results` are known."""
    prepare_workload(parts.workload)
    metrics = dict.fromkeys(one.name for one in (*parts.objectives, *parts.constraints))
    gpus = config["cluster"]["gpus_per_trial"] > 0
    changes = parts.followed is not None and parts.followed.schedule.changes
    subject = Subject(
        parts.workload,
        "workload",
        tuple(metrics),
        config["seed"],
        gpus=gpus,
        perturbed_by="the schedule" if changes else None,
    )
    found = tried(config, [subject])
    found.notes.extend(earlier_lines)
    return found
