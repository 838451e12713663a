"""What is checked of a preference study before it starts, besides its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.config.workload import prepare_workload
from orchestrator.preference.assemble import PreferenceParts
from orchestrator.preference.judges import MetricJudge
from orchestrator.preflight.session import tried
from orchestrator.preflight.subject import Findings, Subject


def preflight(config: Mapping[str, Any], parts: PreferenceParts) -> Findings:
    """Let the workload get what it needs, and try it.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: the study would fail; nothing has been started.
    """
    prepare_workload(parts.workload)
    metrics = parts.judge.metrics if isinstance(parts.judge, MetricJudge) else ()
    return tried(config, [Subject(parts.workload, "workload", metrics, config["seed"])])
