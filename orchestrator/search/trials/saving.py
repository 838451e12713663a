"""A worker's side of checkpoints: when a trial is saved, and how it goes on from what was saved."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from orchestrator.search.trials.checkpoints import Checkpoint
from orchestrator.search.trials.sessions import begins_anew, go_on, state_with_age
from search_spaces import Config
from workloads.checksums import label_checksum
from workloads.contract import Session
from workloads.state_files import load_state, remove_state, save_state

_KEPT = 2
"""A trial's newest checkpoints, of which the journal may not have the very newest yet."""


class TrialSaving:
    """Saves a worker's trials, one after another, and restores them.

    A trial is saved once it has been trained for ``interval`` seconds since it was last: at a rung, or where
    the next rung is farther, before it. How far that is, the speed of the training so far tells.

    Args:
        folder: of the checkpoints, on storage that every node sees; made where it is missing.
        interval: seconds of training; None: nothing is saved.
        clock: seconds.
        hurry: whether this process is about to end, so that the trial is saved at once.
    """

    def __init__(
        self,
        folder: Path,
        interval: float | None,
        clock: Callable[[], float] = time.perf_counter,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        self._folder, self._interval, self._clock, self._hurry = folder, interval, clock, hurry
        self._trial, self._since = -1, 0.0
        self._pace = math.nan
        self._written: list[Checkpoint] = []
        self._able = interval is not None

    @classmethod
    def nothing(cls) -> Self:
        """Saves nothing."""
        return cls(Path(), None)

    def begin(self, trial: int, origin: Checkpoint | None) -> None:
        """Another trial begins; it goes on from ``origin``, or from nothing where that is None."""
        self._trial, self._since = trial, 0.0
        self._written = [origin] if origin is not None and origin.trial == trial else []

    @contextmanager
    def training(self, amount: int) -> Iterator[None]:
        """Train ``amount`` units within this block."""
        began = self._clock()
        yield
        seconds = self._clock() - began
        self._since, self._pace = self._since + seconds, seconds / amount

    @property
    def due(self) -> bool:
        """Whether the trial is to be saved now."""
        if not self._able or self._interval is None:
            return False
        return self._since >= self._interval or (self._hurry() and self._since > 0)

    @property
    def able(self) -> bool:
        """Whether trials are saved at all."""
        return self._able

    def piece(self, left: int) -> int:
        """How many of the ``left`` units up to the next rung to train before the trial is saved again."""
        if not self._able or self._interval is None or not self._pace > 0:
            return left
        return min(left, max(1, math.ceil((self._interval - self._since) / self._pace)))

    def save(self, session: Session, fidelity: int, seconds: float) -> Checkpoint:
        """Write the trial's training so far, and remove what was written before the last time.

        Raises:
            OSError: it cannot be written; the trial is saved again when that is due again.
            Exception: the session gives no state that could be. Nothing is due from then on.
        """
        self._since = 0.0
        file = Checkpoint(self._trial, fidelity, seconds, None).file(self._folder)
        try:
            if begins_anew(session):
                raise TypeError("a plain function begins anew at every call")
            self._folder.mkdir(parents=True, exist_ok=True)
            save_state(file, state_with_age(session, fidelity))
        except OSError:
            raise
        except Exception:
            self._able = False
            raise
        saved = Checkpoint(self._trial, fidelity, seconds, label_checksum(file))
        self._written.append(saved)
        for old in self._written[:-_KEPT]:
            remove_state(old.file(self._folder))
        del self._written[:-_KEPT]
        return saved

    def restore(self, session: Session, origin: Checkpoint, config: Config) -> None:
        """Let a fresh session go on from a checkpoint.

        Raises:
            OSError: its file cannot be read.
            ValueError: its file is damaged, or another one.
            Exception: what the session raises.
        """
        go_on(session, load_state(origin.file(self._folder), origin.checksum), config)
