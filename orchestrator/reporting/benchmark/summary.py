"""What a benchmark study says when it begins and when it ends."""

from __future__ import annotations

import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sized
from pathlib import Path
from typing import Any

from orchestrator.benchmark.assemble import BenchmarkParts
from orchestrator.benchmark.history import BenchmarkHistory, BenchmarkStart, cells_event
from orchestrator.benchmark.index import CellIndex
from orchestrator.config.span import up_to
from orchestrator.engine.cluster import Cluster
from orchestrator.reporting.lines import begins, places
from orchestrator.run.journal import Event
from orchestrator.run.provenance import differences
from orchestrator.run.resume_command import resume_command
from orchestrator.text import aligned, number

REPORT = "report.html"
MOST_REASONS = 5
"""How many reasons are shown; the report has all."""


def opening(
    study: Mapping[str, Any],
    parts: BenchmarkParts,
    path: Path,
    cluster: Cluster,
    slots: int,
    resume: bool,
    missing: int,
) -> str:
    """What runs where, and where it is kept; what is left out, and why."""
    total = len(parts.pairings) * len(parts.seeds)
    cells = f"{total:,} cells" if missing == total else f"{missing:,} of {total:,} cells"
    work = (
        f"{_counted(parts.methods, 'method')}, {_counted(parts.tasks, 'task')}, "
        f"{_counted(parts.seeds, 'seed')}, {cells}, {up_to(study['cluster'], slots)} at a time"
    )
    lines = [begins(study, work, path, cluster, resume)]
    reasons = defaultdict(list)
    for one in parts.left_out:
        reasons[one.method, one.reason].append(one.task)
    lines += [
        f"left out: {method} on {_counted(tasks, 'task')} ({why})" for (method, why), tasks in reasons.items()
    ]
    return "\n".join(lines)


def mixed(index: CellIndex, versions: str) -> Iterator[str]:
    """Lines about stored cells that were computed with other versions than the present ones."""
    verdict = "kept (benchmark.mixed_versions=false computes them anew)"
    if not index.mixed_versions:
        verdict = "computed anew"
    for other, count in index.other_versions.most_common(MOST_REASONS):
        how = differences(other, versions) if other else "versions that were not recorded"
        yield f"stored with {how}: {count:,} cell{'' if count == 1 else 's'}, {verdict}"


def started(study: Mapping[str, Any], parts: BenchmarkParts, index: CellIndex, again: bool) -> Event:
    """The journal's event for a start, or for a resume after one."""
    start = BenchmarkStart(
        study=study["study"]["name"],
        seed=study["seed"],
        seeds=len(parts.seeds),
        methods={name: method.definition for name, method in parts.methods.items()},
        tasks=dict(Counter(task.type for task in parts.tasks.values())),
        cells=len(index.cells),
        left_out=len(parts.left_out),
        workers=study["benchmark"]["workers"],
        digest=index.digest,
        time=time.time(),
    )
    if not again:
        return start.event()
    return {**start.event(), **cells_event("resume", index.finished, index.failures)}


def aggregates(results: Path, index: CellIndex) -> dict[str, dict[str, float]]:
    """The final numbers of each method: ``rank.<group>``, ``normalised.<group>``, cells and failures.

    Both are means over the same tasks, those on which all methods of the group are compared.

    Args:
        results: the folder of the report's tables; there is none where no cell has finished.
    """
    finished, failures = index.finished, Counter(failure.method for failure in index.failures)
    methods = dict.fromkeys(key.method for key in index.cells)
    values: dict[str, dict[str, float]] = {
        name: {"cells": finished[name], "failures": failures[name]} for name in methods
    }
    if not finished:
        return values
    import pandas as pd

    for row in pd.read_parquet(results / "ranks.parquet").itertuples():
        values[row.method] |= {f"rank.{row.group}": float(row.rank)}
        values[row.method] |= {f"normalised.{row.group}": float(row.normalised)}
    return values


def headline(results: Path, index: CellIndex) -> dict[str, str | None]:
    """``best``: who may be called the best, several where they tie; or ``unbalanced``: why nobody may."""
    best: dict[str, str | None] = {"best": None, "unbalanced": None}
    if not index.finished:
        return best
    import pandas as pd

    from orchestrator.analysis.groups import ALL, BEST, EQUAL

    ranks, omitted = (pd.read_parquet(results / f"{table}.parquet") for table in ("ranks", "omitted"))
    reasons = omitted[(omitted["group"] == ALL) & (omitted["what"] == BEST)]["reason"]
    if len(reasons):
        return {**best, "unbalanced": str(reasons.iloc[0])}
    ranked = ranks[ranks["group"] == ALL]
    tied = ranked[ranked["rank"] - ranked["rank"].min() < EQUAL]["method"]
    return {**best, "best": ", ".join(tied) or None}


def closing(
    history: BenchmarkHistory, path: Path, view: str | None = None, study: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """How the study ended, what came out, and what to do next; lines of text.

    Args:
        path: the run directory.
        view: how to browse the record in MLflow; None: there is none.
        study: the resolved configuration, which says what the command to go on needs.
    """
    if history.final is None:
        yield f"stopped after {history.ended:,} of {history.start.cells:,} cells"
    else:
        lost = f", {len(history.lost):,} lost" if history.lost else ""
        yield f"cells: {history.finished.total():,} finished, {len(history.failures):,} failed{lost}"
    for verb, failures in (("failed", history.failures), ("lost", history.lost)):
        reasons = Counter(failure.reason for failure in failures)
        for reason, count in reasons.most_common(MOST_REASONS):
            yield f"{verb} ({count:,}): {reason}"
    if history.final is not None:
        yield from _ranking(history.final["methods"])
        if unbalanced := history.final.get("unbalanced"):
            yield f"no method is called the best: {unbalanced}"
    if history.final is not None and history.lost:
        yield f"compute the lost cells with: {resume_command(path, study)}"
    if history.final is None:
        yield f"go on with: {resume_command(path, study)}"
        if history.finished:
            yield f"report on what there is: python -m orchestrator report {shlex.quote(str(path))}"
    yield from places(path, "report", REPORT)
    if view is not None:
        yield f"browse in MLflow: {view}"


def _counted(things: Sized, noun: str) -> str:
    count = len(things)
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _ranking(methods: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Mean ranks by group of tasks, the best method first."""
    prefix = "rank."
    keys = dict.fromkeys(key for values in methods.values() for key in values if key.startswith(prefix))
    if not keys:
        return
    nan = float("nan")
    last = list(keys)[-1]
    order = sorted(methods, key=lambda name: (methods[name].get(last, float("inf")), name))
    yield "mean ranks (1 is best):"
    rows = [["", *(key.removeprefix(prefix) for key in keys)]]
    rows += [[name, *(number(methods[name].get(key, nan)) for key in keys)] for name in order]
    yield from (line.rstrip() for line in aligned(rows))
