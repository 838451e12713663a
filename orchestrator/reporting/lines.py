"""Lines that a study of every kind prints when it begins and when it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from orchestrator.engine.cluster import Cluster
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import printed


def begins(
    study: Mapping[str, Any], work: str, path: Path, cluster: Cluster, resume: bool, idle: str = ""
) -> str:
    """What runs where, and where it is kept.

    Args:
        study: the resolved configuration.
        work: what there is to do, and how much of it at a time.
        path: the run directory.
        resume: whether the study goes on.
        idle: GPUs that nothing uses (:func:`idle_gpus`).
    """
    where = study["cluster"]["address"] or "local Ray"
    dashboard = f", dashboard {cluster.dashboard} (token: ray get-auth-token)" if cluster.dashboard else ""
    verb = "resuming" if resume else "study"
    return f"{verb} {study['study']['name']}: {work} ({where}{dashboard}{idle}); run directory {path}"


def idle_gpus(
    settings: Mapping[str, Any], unit: Literal["island", "trial"], count: int, cluster: Cluster
) -> str:
    """Whole GPUs of the cluster that nothing uses, as a part of the opening line; empty where all are used.

    Args:
        settings: the configuration's ``cluster`` part.
        unit: what uses GPUs.
        count: how many processes of it run at a time.
    """
    each = settings[f"gpus_per_{unit}"]
    idle = math.floor(cluster.gpus - count * each + 1e-9)
    if idle < 1:
        return ""
    return f", nothing uses {idle} of {cluster.gpus:g} GPUs with cluster.gpus_per_{unit}={each:g}"


def places(path: Path, label: str, page: str) -> Iterator[str]:
    """Where what the study leaves lies.

    Args:
        path: the run directory.
        label: what people call its page.
        page: the page's file among the results.
    """
    run = RunDirectory(path)
    if line := printed(run):
        yield line
    yield f"run directory: {path}"
    if (run.results / page).exists():
        yield f"{label}: {run.results / page}"
