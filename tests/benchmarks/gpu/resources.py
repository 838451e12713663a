"""Checks of GPU memory: what is planned is what is taken, and what happens where it is short."""

from __future__ import annotations

from typing import Any

import torch

from orchestrator.population.island.island import Island
from search_spaces import Config
from workloads.contract import Device
from workloads.library.digits import Digits
from workloads.packing import EngineChoice
from workloads.torch import TorchSession
from workloads.torch.packed import Packer
from workloads.torch.packed.memory import footprint

MEMBERS = 64
SPARE = 512 * 1024**2
"""Bytes: room for one member's step and the kernels it loads, not for everybody's."""
CONFIG: Config = {"width": 256, "dropout": 0.1, "learning_rate": 1e-3}


def estimate(device: str) -> dict[str, Any]:
    """The planned memory of a pack against what torch counts while it trains, evaluates and is captured."""
    workload = Digits(model="cnn", batch_size=64)
    each = footprint(workload, CONFIG, Device(device))
    before = torch.cuda.memory_allocated()
    pack = Packer("packed", Device(device), trace_after=40).pack(_sessions(workload, device, MEMBERS))
    torch.cuda.reset_peak_memory_stats()
    pack.advance(20)
    ratio = (torch.cuda.max_memory_allocated() - before) / (MEMBERS * each.total)
    pack.advance(60)
    captured = (torch.cuda.max_memory_allocated() - before) / (MEMBERS * each.total)
    assert 0.6 <= ratio <= 1.4, f"takes {ratio:.2f} of what was planned"
    assert captured <= 1.8, f"takes {captured:.2f} of what was planned once captured"
    return {"of_planned": ratio, "of_planned_once_captured": captured}


def chunks(device: str) -> dict[str, Any]:
    """A pack that has a small share of the GPU computes in parts, with the same numbers."""
    workload = Digits(model="cnn", batch_size=64)
    each = footprint(workload, CONFIG, Device(device))
    _, total = torch.cuda.mem_get_info()
    small = (MEMBERS * each.resident + 16 * each.transient) / 0.8 / total
    whole = Packer("packed", Device(device)).pack(_sessions(workload, device, MEMBERS))
    metrics = whole.advance(10)
    del whole
    parts = Packer("packed", Device(device, memory=small)).pack(_sessions(workload, device, MEMBERS))
    others = parts.advance(10)
    assert len(parts.sizes) > 1, f"computes in parts of {parts.sizes}"
    differences = [
        abs(one["validation_loss"] - other["validation_loss"])  # type: ignore[index]
        for one, other in zip(metrics, others, strict=True)
    ]
    assert max(differences) < 1e-3, f"losses differ by {max(differences)}"
    return {"parts": list(parts.sizes), "largest_difference": max(differences)}


def out_of_memory(device: str) -> dict[str, Any]:
    """Members train one by one while others hold the GPU's memory, and together once it is free again."""
    island = Island(Digits(model="cnn", batch_size=64), 5, 0, Device(device))
    configs = {member: {**CONFIG, "activation": "relu"} for member in range(MEMBERS)}
    island.settle(configs, dict.fromkeys(configs, 0))
    island.use(EngineChoice("packed", "asked for"))
    reports = island.train_all(configs)
    # Training alone loads kernels of its own, which take memory for good.
    island.members[0].session.advance(1)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(free - SPARE, dtype=torch.uint8, device=device)
    reports += island.train_all(configs)
    short = list(island.packs.remarks)
    del taken
    torch.cuda.empty_cache()
    for _ in range(3):
        reports += island.train_all(configs)
    later = island.packs.remarks[len(short) :]
    failures = {report.failure for report in reports if report.failure}
    assert not failures, f"{len(failures)} members failed: {next(iter(failures))}"
    assert short and "one after the other" in short[0], f"said {short}"
    assert later and "train together" in later[0], f"said {short} and then {later}"
    return {"said": [*short, *later]}


def _sessions(workload: Digits, device: str, count: int) -> list[TorchSession]:
    return [TorchSession(workload, CONFIG, seed, Device(device)) for seed in range(count)]
