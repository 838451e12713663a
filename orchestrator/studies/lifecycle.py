"""The one way in which studies of every kind run: check, connect, record, work, conclude."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from orchestrator.engine.address import check_address
from orchestrator.engine.cluster import Cluster
from orchestrator.engine.connection import connect
from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import COMPLETE
from orchestrator.engine.losses import StudyEndedError, StudyLostError
from orchestrator.engine.processes import end_with_parent
from orchestrator.engine.travelling import check_travelling, declared_variables, with_variables
from orchestrator.run.anew import is_program
from orchestrator.run.attended import Lost, attendable, attended
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.run.restarts import Restarts
from orchestrator.run.resume_command import resume_command
from orchestrator.run.room import require_room
from orchestrator.studies.repair import repair
from orchestrator.studies.restarting import Restarting, wait_for
from orchestrator.text import first_line, folded
from orchestrator.tracking.credentials import revealed
from orchestrator.tracking.phases import Phases
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.terminal import TerminalFollower
from search_spaces import ConfigurationError
from workloads.contract import Workload

Study = Mapping[str, Any]


class StudyRun(Protocol):
    """One run of a study, as its kind goes about it. The lifecycle calls the methods in their order here."""

    def check(self, resume: bool) -> Iterable[str]:
        """Refuse what cannot run, before anything is started; returns lines that people should read.

        Raises:
            ConfigurationError: something that the study needs cannot be had.
        """
        ...

    @property
    def workloads(self) -> Iterable[Workload]:
        """What is trained."""
        ...

    @property
    def complete(self) -> bool:
        """Whether no work is left, so that no cluster is needed."""
        ...

    def place(self, cluster: Cluster) -> int:
        """How many workers the study has on this cluster.

        Raises:
            ConfigurationError: there is room for none.
        """
        ...

    def opening(self, cluster: Cluster, workers: int, resume: bool) -> str:
        """What runs where, and where it is kept."""
        ...

    def begin(self, workers: int) -> Iterable[str]:
        """Write down what the study is from now on; returns lines that people should read.

        Args:
            workers: 0 where no work is left.
        """
        ...

    def work(self, workers: int) -> Standing:
        """Do the work until there is none left, it is interrupted or it fails."""
        ...

    def conclude(self, standing: Standing) -> int:
        """Complete the journal; returns the exit status."""
        ...

    def results(self) -> Path | None:
        """Write tables and pictures; returns their folder, None where there is none."""
        ...

    def closing(self, view: str | None) -> Iterable[str]:
        """How the study ended, what came out and what to do next.

        Args:
            view: how to browse the record in MLflow; None: there is none.
        """
        ...


Kind = Callable[[Study, RunDirectory, Console], StudyRun]
"""Makes the run of a study from its resolved configuration; refuses a configuration that makes none."""


def carry_out(kind: Kind, study: Study, path: Path, resume: bool) -> int:
    """Run or resume a study.

    Args:
        study: the resolved configuration.
        path: the run directory; holds the configuration, and when resumed a journal.
        resume: whether the run directory's study goes on.

    Returns:
        The exit status: 0 complete, 1 failed, 130 interrupted.

    Raises:
        ConfigurationError: something that the study needs cannot be had; nothing has been trained.
    """
    restarts, again = Restarts.taken_over(study["run"]["restarts"], time.monotonic, os.environ)
    run = RunDirectory(path)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    restarting = Restarting(study, run, resume, again, restarts, console)
    if study["cluster"]["address"] is None or not (is_program() and attendable()):
        return _checked(kind, restarting, restarting.anew)
    with attended(restarting.anew) as give_up:
        end_with_parent()
        return _checked(kind, restarting, give_up)


def _checked(kind: Kind, restarting: Restarting, stuck: Lost) -> int:
    """The same, where Ray is to be left by ``stuck`` if it keeps this process."""
    study, run, resume, console = restarting.study, restarting.run, restarting.resumed, restarting.console
    if restarting.again:
        wait_for(study, run)
    check_address(study["cluster"])
    this = kind(study, run, console)
    check_travelling(study["cluster"], run.path)
    settings = _settings(this, study, run)
    require_room(run.path)
    if resume and study.get("repair"):
        _say(console, repair(study["study"]["kind"], run))
    phases = Phases(console, study["tracking"]["terminal"])
    with phases("checking the study" if resume else "checking the study and trying its workload"):
        remarks = list(this.check(resume))
    _say(console, remarks)
    going = Going(kind, study, run, settings, console, phases, restarting, stuck)
    try:
        return _carry_out(going, this, resume)
    except StudyEndedError as error:
        console.print(f"failed: {error}")
        console.print(f"go on with: {resume_command(run.path, study)}")
        return 1
    except KeyboardInterrupt:
        console.print(f"ended at once; go on with: {resume_command(run.path, study)}")
        raise


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


def _settings(this: StudyRun, study: Study, run: RunDirectory) -> Mapping[str, Any]:
    """The configuration's ``cluster`` part with the variables of workers, which only who connects may see."""
    cluster = study["cluster"]
    revealing = {**cluster, "env": revealed(cluster["env"], run)}
    return with_variables(revealing, declared_variables(this.workloads), os.environ)


def _carry_out(going: Going, this: StudyRun, resume: bool) -> int:
    study, run, console, phases = going.study, going.run, going.console, going.phases
    with Recording(study, run) as recording:
        if this.complete:
            recording.start()
            _say(console, this.begin(0))
            standing = COMPLETE
        else:
            this, standing = _until_done(going, this, recording, resume)
            shutil.rmtree(run.scratch, ignore_errors=True)
        if standing.failure and not read_journal(run.journal):
            console.print(f"failed: {standing.failure}")
            console.print(f"go on with: {resume_command(run.path, study)}")
            recording.finish(1, None)
            return 1
        with phases("writing results"):
            status = this.conclude(standing)
            results = _results(this, run, console)
        with phases("completing the record"):
            recording.finish(status, results)
    _say(console, this.closing(recording.view))
    if recording.event_files is not None:
        _say(console, [f"browse in TensorBoard: {recording.event_files}"])
    return status


def _until_done(
    going: Going, this: StudyRun, recording: Recording, resume: bool
) -> tuple[StudyRun, Standing]:
    """Work until the study is done; where it is lost, begin again from its journal, but not for ever.

    Raises:
        StudyLostError: it was lost too often, or what is lost is not ours to start.
    """
    study, run, console, phases = going.study, going.run, going.console, going.phases
    opened = False
    with ExitStack() as shown:
        while True:
            try:
                with ExitStack() as held:
                    with nullcontext() if opened else phases("starting Ray"):
                        connected = connect(going.settings, run.path, going.stuck)
                        cluster = held.enter_context(connected)
                    _say(console, cluster.leftovers)
                    workers = this.place(cluster)
                    if not opened:
                        with phases("opening the record in MLflow"):
                            recording.start()
                        _say(console, [this.opening(cluster, workers, resume)])
                    _say(console, this.begin(workers))
                    if study["tracking"]["terminal"] and not opened:
                        shown.enter_context(TerminalFollower(run.path, console))
                    opened = True
                    _prepare_drawing()
                    standing = this.work(workers)
                    shown.close()
                    with phases("ending Ray"):
                        held.close()
                    return this, standing
            except StudyLostError as error:
                if error.ray and not cluster.ours:
                    raise
                lost = error
            except ConfigurationError as error:
                if not opened and not going.restarting.again:
                    raise
                lost = StudyLostError(str(error), ray=True)
            this = _begun_again(going, lost)
            if this.complete:
                _say(console, this.begin(0))
                return this, COMPLETE


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


def _results(this: StudyRun, run: RunDirectory, console: Console) -> Path | None:
    """Tables and pictures; a study that is trained is not lost with one of them."""
    try:
        return this.results()
    except Exception as error:  # noqa: BLE001 - a full disk, or whatever a plotting library raises
        console.print(f"results are incomplete: {type(error).__name__}: {first_line(str(error))}")
        return run.results if run.results.exists() else None


def _say(console: Console, lines: Iterable[str]) -> None:
    width = console.width if console.is_terminal else None
    for line in lines:
        console.print(folded(line, width))
