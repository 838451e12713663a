"""How a study that was lost with its coordinator or its Ray begins again from its journal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from rich.console import Console

from orchestrator.engine.address import check_address
from orchestrator.run.anew import begin_anew, is_program
from orchestrator.run.directory import RunDirectory
from orchestrator.run.interrupt import INTERRUPTED
from orchestrator.run.journal import Journal, read_journal
from orchestrator.run.restarts import Restart, Restarts, patiently
from orchestrator.run.resume_command import resume_arguments, resume_command

RECONNECT_SECONDS = 600.0
"""How long a cluster that was lost may take to answer again."""

UNLOCK_SECONDS = 90.0
"""How long processes that are at their end may keep the journal: Ray ends those of a lost head after 60 s."""

RESULTS = frozenset({"interval", "report", "ended", "cells"})
"""Events of the journals that say that a study got on."""


@dataclass(frozen=True)
class Restarting:
    """Lets a study begin again, but not for ever.

    Args:
        study: its resolved configuration.
        run: the run directory.
        resumed: whether the program was told to go on with it.
        again: whether this program began only to let it begin again.
        restarts: counts them.
        console: where that is said.
        stopping: set where people have asked for the study's end; then it does not begin again.
    """

    study: Mapping[str, Any]
    run: RunDirectory
    resumed: bool
    again: bool
    restarts: Restarts
    console: Console
    stopping: threading.Event = field(default_factory=threading.Event)

    def unless_stopping(self, lost: str) -> None:
        """Nothing, where the study is wanted on.

        A signal to a whole process group takes Ray along: what people have stopped is lost by that.

        Raises:
            KeyboardInterrupt: people have asked for its end; what is lost has been said.
        """
        if self.stopping.is_set():
            self.console.print(f"{lost} before the study had stopped")
            raise KeyboardInterrupt

    def next(self, lost: str) -> Restart | None:
        """Leave to begin again, said in one line; None: there were too many restarts.

        Args:
            lost: what is gone, in one line.
        """
        results = sum(event["event"] in RESULTS for event in read_journal(self.run.journal))
        restart = self.restarts.next(results)
        if restart is not None:
            self.console.print(
                f"{lost}; beginning again from the journal in {restart.pause:g} s "
                f"({restart.left} more restarts within the hour)"
            )
        return restart

    def anew(self, lost: str) -> None:
        """Begin again in a new program, since a Ray that is gone keeps this one; may be called in a thread.

        A process that is not the program's own, such as a notebook, is left to Ray.
        """
        if not is_program():
            return
        try:
            self.unless_stopping(lost)
        except KeyboardInterrupt:
            self._end(INTERRUPTED)
        if (restart := self.next(lost)) is None:
            self.console.print(f"failed: {lost}")
            self._end(1)
        time.sleep(restart.pause)
        self.restarts.hand_over(os.environ)
        begin_anew(sys.argv[1:] if self.resumed else resume_arguments(self.run.path, self.study))

    def _end(self, status: int) -> NoReturn:
        """Say how to go on, and end the process, whatever its threads wait for."""
        self.console.print(f"go on with: {resume_command(self.run.path, self.study)}")
        sys.stdout.flush()
        os._exit(status)


def wait_for(study: Mapping[str, Any], run: RunDirectory) -> None:
    """Wait for a cluster that was lost, and for the journal.

    Raises:
        ConfigurationError: one of them cannot be had.
    """
    patiently(lambda: check_address(study["cluster"]), RECONNECT_SECONDS)
    # A coordinator that is on its way out may still hold it.
    patiently(lambda: Journal(run.journal).close(), UNLOCK_SECONDS)
