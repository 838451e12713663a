"""The memory estimate holds, and what does not fit is cut into chunks or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.workloads.torch.packed.cases import CASES
from workloads.contract import Device
from workloads.packing import NoRoomError
from workloads.torch import TorchSession
from workloads.torch.packed import Pack, Program, memory
from workloads.torch.packed.memory import Footprint, available_memory, chunk_size, footprint, size


def peak_memory(pack: Pack) -> int:
    """Most bytes that torch's allocator held at one time beyond what it held before, by its own record."""
    with torch.profiler.profile(profile_memory=True) as profiler:
        pack.advance(1)
    held = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


@pytest.mark.parametrize("trace_after", [0, 99])
@pytest.mark.parametrize("name", ["mlp", "cnn", "cnn_batch_norm", "gpt"])
def test_the_estimate_holds_for_64_members(name: str, trace_after: int, text: Path) -> None:
    case = CASES[name]
    workload, config = case.make(text), case.config(1)
    each = footprint(workload, config, Device())
    sessions = [TorchSession(workload, config, seed, Device()) for seed in range(64)]
    pack = Pack(sessions, Program(sessions[0], trace_after))
    if trace_after == 0:
        pack.advance(1)
    weights = sum(weight.numel() for weight in sessions[0].weights.values())
    assert each.resident >= 4 * 3 * weights
    peak = 64 * pack.resident + peak_memory(pack)
    # A recorded step keeps less; the estimate is for both.
    assert (0.3 if trace_after == 0 else 0.7) * 64 * each.total <= peak <= 1.3 * 64 * each.total


def test_chunks_bound_the_peak(text: Path) -> None:
    workload, config = CASES["cnn"].make(text), CASES["cnn"].config(1)
    sessions = [TorchSession(workload, config, seed, Device()) for seed in range(16)]
    program = Program(sessions[0])
    whole = peak_memory(Pack(sessions, program))
    assert peak_memory(Pack(sessions, program, chunk=4)) < 0.3 * whole


@pytest.mark.parametrize(("available", "chunk"), [(10**9, 10), (2_000_000, 6), (1_400_000, 1)])
def test_as_many_compute_at_once_as_there_is_room_for(available: int, chunk: int) -> None:
    assert chunk_size(Footprint(100_000, 100_000), 10, available) == chunk


def test_what_does_not_fit_is_refused_with_the_figures() -> None:
    with pytest.raises(
        NoRoomError,
        match=r"population\.size: expected at most 7 members per island, at 100 KB each and 100 KB while one "
        r"computes, in 800 KB of memory, got 10 \(or give the study more islands",
    ):
        chunk_size(Footprint(100_000, 100_000), 10, 1_000_000)


def test_the_machine_has_memory() -> None:
    assert available_memory(Device()) > 10**7


def test_a_process_plans_with_its_share_of_what_the_machine_can_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_free_memory", lambda: 8000)
    assert [available_memory(Device(memory=share)) for share in (1.0, 0.5, 0.25)] == [8000, 4000, 2000]


@pytest.mark.parametrize(
    ("share", "free", "used", "available"),
    [
        (1.0, 850, 100, 900),  # with what torch keeps to use again
        (0.5, 850, 100, 400),  # its half of 1000, of which it has 100
        (0.5, 200, 100, 250),  # others took more than is left of that
        (0.25, 900, 300, 0),
    ],
)
def test_on_a_gpu_with_its_share_of_the_whole(
    share: float, free: int, used: int, available: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: used)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: used + 50)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 1000))
    assert available_memory(Device("cuda", memory=share)) == available


@pytest.mark.parametrize(
    ("count", "text_"), [(0, "0 B"), (999, "999 B"), (12_345_678, "12.3 MB"), (2e12, "2 TB")]
)
def test_sizes_for_people(count: float, text_: str) -> None:
    assert size(count) == text_
