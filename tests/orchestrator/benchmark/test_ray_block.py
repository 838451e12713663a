"""What a process computes its cells with."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark import ray_block
from orchestrator.benchmark.course import Block
from orchestrator.benchmark.ray_block import BLOCK, ENDED, FULL, BlockTrial
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.store import Store
from orchestrator.cluster import Share
from orchestrator.run_directory import RunDirectory
from orchestrator.worker_output import Workplace
from search_spaces import Config
from tests.conftest import composed
from tests.orchestrator.search.troubled import Troubled
from workloads.base import Device

CONF = str(Path(__file__).parent / "conf")


def test_cells_compute_on_the_processes_share_of_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[Share] = []
    devices: set[Device] = set()
    start = Troubled.start

    def prepared(share: Share, deterministic: bool) -> Device:
        shares.append(share)
        return Device("cuda", 3)

    def told(self: Troubled, config: Config, seed: int, device: Device) -> Any:
        devices.add(device)
        return start(self, config, seed, device)

    monkeypatch.setattr(ray_block, "prepare_device", prepared)
    monkeypatch.setattr(Troubled, "start", told)
    study = composed(
        "--config-dir", CONF, "+study=tiny", "cluster.cpus_per_trial=3", "cluster.gpus_per_trial=1"
    )
    run = RunDirectory(tmp_path)
    trial = BlockTrial.__new__(BlockTrial)  # without what Ray needs of it
    trial.setup({BLOCK: Block(0, (CellKey("steps", "random", 0),))}, study, run, Workplace.of(run))
    (ended,) = trial.step()[ENDED]
    trial.cleanup()
    assert (ended.failure, devices) == ("", {Device("cuda", 3)})
    assert [(share.cpus, share.gpus) for share in shares] == [(3, 1)]


def test_a_full_disk_ends_the_block_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Store, result: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    study = composed("--config-dir", CONF, "+study=tiny")
    run = RunDirectory(tmp_path)
    trial = BlockTrial.__new__(BlockTrial)
    block = Block(0, (CellKey("steps", "random", 0), CellKey("steps", "random", 1)))
    trial.setup({BLOCK: block}, study, run, Workplace.of(run), "{}")
    monkeypatch.setattr(Store, "append", full)
    assert trial.step() == {ENDED: (), FULL: "No space left on device", "done": True}
    monkeypatch.undo()
    trial.reset_config({BLOCK: block})
    assert len(trial.step()[ENDED]) == 2
    trial.cleanup()
    cells = Store(tmp_path / "cells").cells().to_pylist()
    assert [cell["versions"] for cell in cells] == ["{}", "{}"]
