"""Two processes train as one would."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing

from search_spaces import ConfigurationError
from tests.workloads.torch.regression import Regression
from workloads.capabilities import DistributedWorkload
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.library.digits_trade_off import DigitsTradeOff

SEED, STEPS = 5, 20
CONFIG = {"learning_rate": 3e-3, "label_smoothing": 0.1, "dropout": 0.0, "width": 16}
BATCHES = (64, 33)
"""The second one is not the same for both."""


def test_two_workers_take_the_steps_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(worker, args=(2, tmp_path), nprocs=2)
    for batch_size in BATCHES:
        alone = Digits(batch_size=batch_size).start(CONFIG, SEED, Device())
        metrics = alone.advance(STEPS)
        model = alone.state()["model"]
        both = [torch.load(tmp_path / f"{batch_size}-{rank}.pt") for rank in range(2)]
        for ours in both:
            for name, weight in model.items():
                torch.testing.assert_close(ours["model"][name], weight, rtol=1e-4, atol=1e-5)
            assert ours["metrics"]["validation_loss"] == pytest.approx(metrics["validation_loss"], rel=1e-4)
            assert ours["metrics"]["train_loss"] == pytest.approx(metrics["train_loss"], rel=1e-4)
        for name in model:
            assert torch.equal(both[0]["model"][name], both[1]["model"][name])


def worker(rank: int, workers: int, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=workers
    )
    for batch_size in BATCHES:
        workload: Any = Digits(batch_size=batch_size)
        session = workload.start_worker(CONFIG, SEED, Device(), rank, workers)
        metrics = session.advance(STEPS)
        torch.save(
            {"model": session.state()["model"], "metrics": metrics}, folder / f"{batch_size}-{rank}.pt"
        )
    torch.distributed.destroy_process_group()
    # Without the interpreter's finalization, in which a thread of gloo's that lets go of a tensor aborts.
    os._exit(0)


def test_torch_workloads_can_be_distributed() -> None:
    assert isinstance(Digits(), DistributedWorkload)
    assert isinstance(DigitsTradeOff(), DistributedWorkload)


def test_second_derivatives_of_several_processes_are_refused() -> None:
    pytest.importorskip("pytorch_optimizer")
    with pytest.raises(ConfigurationError, match="optimizer: expected another where several processes"):
        Digits().start_worker({"optimizer": "sophia"}, 0, Device(), 0, 1)


def test_more_workers_than_rows_in_a_batch_are_refused() -> None:
    workload = Regression()
    with pytest.raises(ConfigurationError, match="batch_size: expected at least 100"):
        workload.start_worker({}, 0, Device(), 0, 100)
