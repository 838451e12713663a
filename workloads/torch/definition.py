"""One definition of a training workload: its pieces, and how they are run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces import Config
from workloads.contract import Device
from workloads.torch.pieces import Pieces
from workloads.torch.session import TorchSession

if TYPE_CHECKING:
    from workloads.packing import Course, Engine, EngineChoice, Packer
    from workloads.torch.distributed import DistributedSession


class TorchWorkload(Pieces):
    """A workload trained by torch: one member, a whole population as one program, or in several processes.

    What runs a whole population, or several processes, is imported where it is needed.
    """

    def choose_engine(
        self, configs: Sequence[Config], device: Device, course: Course, *, may_loop: bool
    ) -> EngineChoice:
        """How members with these configurations train fastest."""
        from workloads.torch.packed.probe import choose_engine

        return choose_engine(self, configs, device, course, may_loop=may_loop)

    def packer(self, engine: Engine, device: Device) -> Packer:
        """Puts sessions together that train as one program."""
        from workloads.torch.packed.packer import Packer

        return Packer(engine, device)

    def start(self, config: Config, seed: int, device: Device) -> TorchSession:
        """A session that trains this one member."""
        return TorchSession(self, config, seed, device)

    def start_worker(
        self, config: Config, seed: int, device: Device, rank: int, workers: int
    ) -> DistributedSession:
        """This process's part of a training run that several share (``contract.DistributedWorkload``)."""
        from workloads.torch.distributed import DistributedSession

        return DistributedSession(self, config, seed, device, rank, workers)
