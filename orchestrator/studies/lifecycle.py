"""The one way in which studies of every kind run: check, connect, record, work, conclude."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.engine.address import check_address
from orchestrator.engine.crew import COMPLETE
from orchestrator.engine.losses import StudyEndedError
from orchestrator.engine.processes import end_with_parent
from orchestrator.engine.travelling import check_travelling, declared_variables, with_variables
from orchestrator.run.anew import is_program
from orchestrator.run.attended import Lost, attendable, attended
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.run.restarts import Restarts
from orchestrator.run.resume_command import resume_command
from orchestrator.run.room import require_room
from orchestrator.studies.kind import Kind, Study, StudyRun
from orchestrator.studies.repair import repair
from orchestrator.studies.restarting import Restarting, wait_for
from orchestrator.studies.saying import plain_console, say
from orchestrator.studies.working import Going, until_done
from orchestrator.text import first_line
from orchestrator.tracking.credentials import revealed
from orchestrator.tracking.phases import Phases
from orchestrator.tracking.recording import Recording


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
    console = plain_console()
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
        say(console, repair(study["study"]["kind"], run))
    phases = Phases(console, study["tracking"]["terminal"])
    with phases("checking the study" if resume else "checking the study and trying its workload"):
        remarks = list(this.check(resume))
    say(console, remarks)
    going = Going(kind, study, run, settings, console, phases, restarting, stuck, resume)
    try:
        return _carry_out(going, this)
    except StudyEndedError as error:
        console.print(f"failed: {error}")
        console.print(f"go on with: {resume_command(run.path, study)}")
        return 1
    except KeyboardInterrupt:
        console.print(f"ended at once; go on with: {resume_command(run.path, study)}")
        raise


def _settings(this: StudyRun, study: Study, run: RunDirectory) -> Mapping[str, Any]:
    """The configuration's ``cluster`` part with the variables of workers, which only who connects may see."""
    cluster = study["cluster"]
    revealing = {**cluster, "env": revealed(cluster["env"], run)}
    return with_variables(revealing, declared_variables(this.workloads), os.environ)


def _carry_out(going: Going, this: StudyRun) -> int:
    study, run, console, phases = going.study, going.run, going.console, going.phases
    with Recording(study, run) as recording:
        if this.complete:
            recording.start()
            say(console, this.begin(0))
            standing = COMPLETE
        else:
            this, standing = until_done(going, this, recording)
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
    say(console, this.closing(recording.view))
    if recording.event_files is not None:
        say(console, [f"browse in TensorBoard: {recording.event_files}"])
    return status


def _results(this: StudyRun, run: RunDirectory, console: Console) -> Path | None:
    """Tables and pictures; a study that is trained is not lost with one of them."""
    try:
        return this.results()
    except Exception as error:  # noqa: BLE001 - a full disk, or whatever a plotting library raises
        console.print(f"results are incomplete: {type(error).__name__}: {first_line(str(error))}")
        return run.results if run.results.exists() else None
