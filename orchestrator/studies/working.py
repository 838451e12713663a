"""Works until a study is done; where the study is lost with its Ray, begins again from its journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rich.console import Console

from orchestrator.engine.cluster import Cluster
from orchestrator.engine.connection import connect
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import COMPLETE
from orchestrator.engine.losses import StudyLostError
from orchestrator.run.attended import Lost
from orchestrator.run.directory import RunDirectory
from orchestrator.studies.kind import Kind, Study, StudyRun
from orchestrator.studies.restarting import Restarting, wait_for
from orchestrator.studies.saying import say
from orchestrator.tracking.phases import Phases
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.terminal import TerminalFollower
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class Going:
    """What does not change while a study goes on, however often it begins again."""

    kind: Kind
    study: Study
    run: RunDirectory
    settings: Mapping[str, Any]
    console: Console
    phases: Phases
    restarting: Restarting
    stuck: Lost
    resume: bool


def until_done(going: Going, this: StudyRun, recording: Recording) -> tuple[StudyRun, Standing]:
    """Work until the study is done; where it is lost, begin again from its journal, but not for ever.

    Raises:
        StudyLostError: it was lost too often, or what is lost is not ours to start.
        KeyboardInterrupt: people ended it at once, or it was lost while it stopped.
    """
    opened = False
    with ExitStack() as shown:
        while True:
            try:
                with ExitStack() as held:
                    with nullcontext() if opened else going.phases("starting Ray"):
                        connected = connect(going.settings, going.run.path, going.stuck)
                        cluster = held.enter_context(connected)
                    workers = _begin(going, this, cluster, None if opened else recording)
                    if going.study["tracking"]["terminal"] and not opened:
                        shown.enter_context(TerminalFollower(going.run.path, going.console))
                    opened = True
                    _prepare_drawing()
                    standing = this.work(workers, going.restarting.stopping)
                    shown.close()
                    with going.phases("ending Ray"):
                        held.close()
                    return this, standing
            except StudyLostError as error:
                going.restarting.unless_stopping(str(error))
                if error.ray and not cluster.ours:
                    raise
                lost = error
            except ConfigurationError as error:
                if not opened and not going.restarting.again:
                    raise
                lost = StudyLostError(str(error), ray=True)
            this = _begun_again(going, lost)
            if this.complete:
                say(going.console, this.begin(0))
                return this, COMPLETE


def _begin(going: Going, this: StudyRun, cluster: Cluster, recording: Recording | None) -> int:
    """Say what begins; returns how many workers it has.

    Args:
        recording: begins now, too; None where it has begun, and where the study begins again.
    """
    say(going.console, cluster.leftovers)
    workers = this.place(cluster)
    if recording is not None:
        with going.phases("opening the record in MLflow"):
            recording.start()
        say(going.console, [this.opening(cluster, workers, going.resume)])
    say(going.console, this.begin(workers))
    return workers


def _begun_again(going: Going, lost: StudyLostError) -> StudyRun:
    """Another run of the same study, as a resume makes it, once its cluster and its journal can be had.

    Raises:
        StudyLostError: there were too many restarts, or the cluster or the journal cannot be had.
    """
    restart = going.restarting.next(str(lost))
    if restart is None:
        raise lost
    time.sleep(restart.pause)
    try:
        wait_for(going.study, going.run)
        this = going.kind(going.study, going.run, going.console)
        list(this.check(True))
    except ConfigurationError as error:
        raise StudyLostError(f"{lost}; {error}", ray=True) from error
    return this


def _prepare_drawing() -> None:
    """Import what draws the results while workers start and train: it takes as long as drawing them."""
    figures = ("orchestrator.reporting.figures",)
    threading.Thread(target=import_module, args=figures, name="figures", daemon=True).start()
