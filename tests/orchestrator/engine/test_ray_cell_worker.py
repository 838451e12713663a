"""What a process computes its cells with."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark.desk import Block, Progress
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.store import Store
from orchestrator.engine import cell_worker
from orchestrator.engine import worker as engine
from orchestrator.engine.cell_worker import CellWorker
from orchestrator.engine.cluster import Share
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from search_spaces import Config
from tests.conftest import composed
from tests.orchestrator.search.troubled import Troubled
from workloads.contract import Device

CONF = str(Path(__file__).parents[1] / "benchmark" / "conf")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[CellWorker]:
    """Without what Ray needs of it, and without a coordinator."""
    monkeypatch.setattr(engine, "find_actor", lambda name: None)
    monkeypatch.setattr(engine, "end_with_parent", lambda: None)
    made = CellWorker.__new__(CellWorker)
    yield made
    made.cleanup()


def start(worker: CellWorker, run_dir: Path, *overrides: str) -> None:
    study = composed("--config-dir", CONF, "+study=tiny", "cluster.heartbeat=null", *overrides)
    run = RunDirectory(run_dir)
    given = {"study": study, "run": run, "coordinator": "nobody", "workplace": Workplace.of(run)}
    worker.setup({"worker": 3, "workers": 4}, **given)


def test_cells_compute_on_the_processes_share_of_the_cluster(
    worker: CellWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[Share] = []
    devices: set[Device] = set()
    begin = Troubled.start

    def prepared(share: Share, deterministic: bool) -> Device:
        shares.append(share)
        return Device("cuda", 3)

    def told(self: Troubled, config: Config, seed: int, device: Device) -> Any:
        devices.add(device)
        return begin(self, config, seed, device)

    monkeypatch.setattr(cell_worker, "prepare_device", prepared)
    monkeypatch.setattr(Troubled, "start", told)
    start(worker, tmp_path, "cluster.cpus_per_trial=3", "cluster.gpus_per_trial=1")
    worker.begin(Block(0, (CellKey("steps", "random", 0),)))
    (ended,) = worker.advance().ended
    run, unit = RunDirectory(tmp_path), "worker-3"
    own = Device("cuda", 3, scratch=run.scratch / unit, logs=run.logs / unit, unit="programs")
    assert (ended.failure, devices) == ("", {own})
    assert [(share.cpus, share.gpus) for share in shares] == [(3, 1)]


def test_a_full_disk_ends_the_block_and_says_why(
    worker: CellWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Store, result: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    start(worker, tmp_path)
    block = Block(0, (CellKey("steps", "random", 0), CellKey("steps", "random", 1)), "{}")
    worker.begin(block)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        assert worker.advance() == Progress((), "No space left on device")
    worker.begin(block)
    assert len(worker.advance().ended) == 2
    cells = Store(tmp_path / "cells").cells().to_pylist()
    assert [cell["versions"] for cell in cells] == ["{}", "{}"]


def test_each_cell_is_stored_before_it_is_reported(
    worker: CellWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(worker, tmp_path)
    monkeypatch.setattr(cell_worker, "STEP_SECONDS", 0.0)
    keys = tuple(CellKey("steps", "random", seed) for seed in range(3))
    worker.begin(Block(0, keys))
    for count, key in enumerate(keys, start=1):
        (one,) = worker.advance().ended
        assert one.key == key and one.score is not None and math.isfinite(one.score)
        assert len(Store(tmp_path / "cells").finished()) == count
