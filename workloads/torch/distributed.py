"""One process's part of a torch workload that several processes train together, data parallel."""

from __future__ import annotations

import torch
import torch.distributed
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from search_spaces import Config, ConfigurationError
from workloads.contract import Device, Metrics
from workloads.torch.pieces import Pieces
from workloads.torch.randomness import fold
from workloads.torch.session import TorchSession
from workloads.torch.stream import BatchStream


class DistributedSession(TorchSession):
    """Trains with every ``workers``-th row of each batch; gradients are averaged over the batch's rows.

    Together the processes do the steps of one session with the same seed, up to rounding, where the loss is a
    mean over the batch's rows. Randomness within a batch (dropout) is each process's own, and so are a
    batch's statistics (batch norm). All of them evaluate, on the whole split.

    Args:
        definition, config, seed, device: as for one session.
        rank: this process's number, from 0.
        workers: how many processes there are; ``torch.distributed`` connects them.

    Raises:
        ConfigurationError: a batch has fewer rows than there are workers, or the training algorithm cannot.
    """

    def __init__(
        self,
        definition: Pieces,
        config: Config,
        seed: int,
        device: Device,
        rank: int,
        workers: int,
    ) -> None:
        definition.check_workers(workers)
        super().__init__(definition, config, seed, device)
        if self.rule.one_process:
            expected = f"another where several processes train a member, since {self.rule.one_process}"
            raise ConfigurationError("optimizer", expected, self.rule.name)
        self._rank = rank
        self.stream = _Shard(len(self.splits.train.targets), definition.batch_size, seed, rank, workers)
        shard = len(range(rank, definition.batch_size, workers))
        # DistributedDataParallel takes the mean over processes, whatever the share of each.
        self._weight = shard * workers / definition.batch_size
        self.model = DistributedDataParallel(self.module)

    def advance(self, amount: int) -> Metrics:
        metrics = super().advance(amount)
        total = torch.tensor(metrics["train_loss"], device=self.device, dtype=torch.float64)
        torch.distributed.all_reduce(total)
        return {**metrics, "train_loss": float(total) / torch.distributed.get_world_size()}

    def _loss(self, rows: Tensor, key: Tensor) -> Tensor:
        return super()._loss(rows, key) * self._weight

    def _keys(self, count: int) -> Tensor:
        return fold(super()._keys(count), self._rank)


class _Shard(BatchStream):
    """Some rows of each batch."""

    def __init__(self, rows: int, batch_size: int, seed: int, rank: int, workers: int) -> None:
        super().__init__(rows, batch_size, seed)
        self._part = slice(rank, None, workers)

    def batches(self, first: int, count: int) -> Tensor:
        return super().batches(first, count)[:, self._part]
