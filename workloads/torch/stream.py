"""Which rows a member trains on at which step: a function of its seed and the step alone."""

from __future__ import annotations

import torch
from torch import Tensor

from search_spaces import ConfigurationError
from workloads.torch.randomness import Purpose, generator_seed


class BatchStream:
    """Shuffled epochs cut into whole batches; rows left over at the end of an epoch are skipped in it.

    Any step can be asked for at any time, in any order: a member that resumes, or takes over another's age,
    needs no generator state. The newest epoch's order is kept, so that going on costs nothing.

    Args:
        rows: how many rows the training split has.
        batch_size: rows per step.
        seed: the member's seed.
    """

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        if not 1 <= batch_size <= rows:
            raise ConfigurationError("batch_size", f"1 to {rows}, the training rows", batch_size)
        self.steps_per_epoch = rows // batch_size
        self._rows, self._batch_size, self._seed = rows, batch_size, seed
        self._epoch = -1
        self._order = torch.empty(0)

    def batches(self, first: int, count: int) -> Tensor:
        """Row indices for the steps ``first`` to ``first + count - 1``, int64 ``(count, batch_size)``."""
        chunks = []
        step, end = first, first + count
        while step < end:
            epoch, position = divmod(step, self.steps_per_epoch)
            take = min(end - step, self.steps_per_epoch - position)
            chunks.append(self._epoch_batches(epoch)[position : position + take])
            step += take
        return torch.cat(chunks)

    def _epoch_batches(self, epoch: int) -> Tensor:
        """One epoch's batches, ``(steps_per_epoch, batch_size)``."""
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(generator_seed(self._seed, Purpose.ORDER, epoch))
            order = torch.randperm(self._rows, generator=generator)
            whole = order[: self.steps_per_epoch * self._batch_size]
            self._epoch, self._order = epoch, whole.view(self.steps_per_epoch, self._batch_size)
        return self._order
