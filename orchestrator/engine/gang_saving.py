"""Checkpoints of trials that several processes train together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.search.trials.checkpoints import Checkpoint
from orchestrator.search.trials.saving import TrialSaving
from search_spaces import Config
from workloads.contract import Session
from workloads.outcomes import RAISED


class GangSaving(TrialSaving):
    """The first process saves its session at rungs; all go on from that, or none does.

    The first one's state is enough: all have the same weights. Between two rungs nothing is saved, since
    every process has to train the same pieces, and each has a clock of its own.

    Args:
        folder, interval: as of :class:`TrialSaving`.
        rank: this process's number, from 0.
        agreed: whether all processes say yes; each calls it at the same place.
    """

    def __init__(
        self, folder: Path, interval: float | None, rank: int, agreed: Callable[[bool], bool]
    ) -> None:
        super().__init__(folder, interval if rank == 0 else None)
        self._agreed = agreed

    def piece(self, left: int) -> int:
        return left

    def restore(self, session: Session, origin: Checkpoint, config: Config) -> None:
        failure: BaseException | None = None
        try:
            super().restore(session, origin, config)
        except RAISED as error:
            failure = error
        if not self._agreed(failure is None):
            raise failure or OSError("another of the processes could not read it")


def agreed(own: bool) -> bool:
    """Whether all processes of this one's ``torch.distributed`` group say yes."""
    from torch.distributed import all_gather_object, get_world_size

    said: list[bool] = [False] * get_world_size()
    all_gather_object(said, own)
    return all(said)
