"""What is checked of a search study before it starts, besides its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.config.workload import prepare_workload
from orchestrator.preflight.session import tried
from orchestrator.preflight.subject import Findings, Subject
from orchestrator.search.assemble import SearchParts


def preflight(config: Mapping[str, Any], parts: SearchParts) -> Findings:
    """Let the workload get what it needs, and try it.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: the study would fail; nothing has been started.
    """
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
    return tried(config, [subject])
