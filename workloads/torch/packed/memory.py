"""How much memory members take that train together, and how many can compute at the same time.

A member's estimate is the sum of two parts::

    resident   weights, moments of the optimizer and buffers: (1 + moments) * P * item size + buffers
    transient  gradients (2 * P * item size), activations and temporary results of one step or evaluation

The transient part is counted, not derived: one step and one evaluation of a pack of two are run while every
live tensor is counted, and the most alive at one time is halved (one member alone is a special case of some
operations). All members of a pack are resident; those that compute at the same time, a chunk, are transient
as well.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from search_spaces import Config
from workloads.contract import Device
from workloads.packing import NoRoomError
from workloads.torch.packed.pack import Pack
from workloads.torch.packed.program import Program
from workloads.torch.pieces import Pieces
from workloads.torch.session import TorchSession

SHARE = 0.8
"""Of the memory that this process may use when a pack is made, at most this much is planned with."""


@dataclass(frozen=True)
class Footprint:
    """One member's memory in bytes (see the module)."""

    resident: int
    transient: int
    operations: int = 0
    """Tensor operations of one step and one evaluation; how long compiling takes goes with their number."""

    @property
    def total(self) -> int:
        return self.resident + self.transient


def footprint(definition: Pieces, config: Config, device: Device) -> Footprint:
    """The estimate for a member of this build."""
    sessions = [TorchSession(definition, config, seed, device) for seed in (0, 1)]
    pack = Pack(sessions, Program(sessions[0]))
    with _LiveTensors() as counter:
        pack.advance(1)
    return Footprint(pack.resident, counter.peak // 2, counter.operations)


def chunk_size(each: Footprint, members: int, available: int) -> int:
    """How many of ``members`` can compute at the same time in ``available`` bytes.

    Raises:
        NoRoomError: not even one, once all of them are resident.
    """
    usable = int(SHARE * available)
    room = usable - members * each.resident
    if room < each.transient:
        fitting = max(0, (usable - each.transient) // each.resident)
        raise NoRoomError(
            "population.size",
            f"at most {fitting} members per island, at {size(each.resident)} each and {size(each.transient)} "
            f"while one computes, in {size(usable)} of memory",
            members,
            "or give the study more islands on more machines",
        )
    return min(members, room // max(1, each.transient))


def available_memory(device: Device) -> int:
    """Bytes that this process can still take.

    On a GPU: what is free there, and no more than is left of the process's share of the whole. On a CPU: its
    share of what the system, or the container, can still give; others may be about to take theirs.
    """
    place = torch.device(device.name)
    if place.type == "cuda":
        used = torch.cuda.memory_allocated(place)
        # What torch keeps to use again counts as taken there.
        spare = torch.cuda.memory_reserved(place) - used
        free, total = torch.cuda.mem_get_info(place)
        return max(0, min(free + spare, int(device.memory * total) - used))
    return int(device.memory * _free_memory())


def _free_memory() -> int:
    """Bytes that the system, or the container, can still give."""
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []
    free = [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free.append(int(limit.read_text()) - int(used.read_text()) + _reclaimable())
    # Where the system does not tell, training is what finds out.
    return max(0, min(free)) if free else 2**62


def _reclaimable() -> int:
    """Bytes of files that the container's system keeps at hand and gives up when asked for memory."""
    statistics = Path("/sys/fs/cgroup/memory.stat")
    lines = statistics.read_text().splitlines() if statistics.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no hints for it
    """Counts operations, and the bytes of tensors made in its context; ``peak`` is the most at one time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no hints for it
        self.peak = self.operations = self._alive = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        known = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs))}
        self.operations += 1
        results = function(*args, **(kwargs or {}))
        for tensor in _tensors(results):
            storage = tensor.untyped_storage()
            # What an operation takes is counted already, or was there before.
            if storage._cdata not in known and storage._cdata not in self._known:
                self._count(storage)
        return results

    def _count(self, storage: torch.UntypedStorage) -> None:
        identity, count = storage._cdata, storage.nbytes()

        def gone(_: object) -> None:
            self._known.pop(identity, None)
            self._alive -= count

        self._known[identity] = weakref.ref(storage, gone)
        self._alive += count
        self.peak = max(self.peak, self._alive)


def _tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]
