"""Whole searches in this process: all that a study does, and its workers train, but without Ray."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine.cluster import Cluster
from orchestrator.engine.coordinator import Coordinator, Standing
from orchestrator.engine.crew import Crew
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from orchestrator.studies import search, working
from tests.conftest import composed

CONF = str(Path(__file__).parents[1] / "search" / "conf")


def search_in_process(path: Path, *overrides: str, study: str = "troubled", resume: bool = False) -> int:
    """Run a search with workers that take turns, up to its results; returns the study's exit status."""
    path.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(((2.0, 0.0),), None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(working, "connect", lambda *_: nullcontext(cluster))
        patch.setattr(search, "pull", _pull)
        patch.setattr(search, "write_results", lambda *_: None)  # seconds, and nothing of them is looked at
        return search.run(composed("--config-dir", CONF, f"+study={study}", *overrides), path, resume)


def _pull(study: Any, run: RunDirectory, crew: Crew, console: Any, stopping: object) -> Standing:
    async def work() -> Standing:
        coordinator = crew.coordinator(study, run, crew.count, *pickle.loads(pickle.dumps(crew.arguments)))
        await asyncio.gather(*(_live(coordinator, crew, number, study, run) for number in range(crew.count)))
        return await coordinator.close()

    return asyncio.run(work())


async def _live(coordinator: Coordinator, crew: Crew, number: int, study: Any, run: RunDirectory) -> None:
    """A worker's life, without what Ray needs of it."""
    worker: PullingWorker = crew.worker.__new__(crew.worker)
    worker._output = SimpleNamespace(unit=())  # type: ignore[assignment]  # what it prints is not kept
    worker._number, worker._scratch, worker._logs = number, run.scratch, run.logs
    worker._workplace = Workplace.of(run)
    worker.prepare(study, run)
    order = await coordinator.exchange(number, "process")
    while worker._obey(order):
        report = worker.advance() if worker._working else None
        holds = report is not None and worker.holds(report)
        order = await coordinator.exchange(number, "process", report, holds)
        await asyncio.sleep(0)
