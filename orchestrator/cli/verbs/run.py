"""``run``: run the studies that the overrides compose, one after another."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.answers import answer
from orchestrator.cli.arguments import Arguments, parse
from orchestrator.config.passwords import masked
from orchestrator.run.faults import storage_failure
from orchestrator.run.interrupt import INTERRUPTED

if TYPE_CHECKING:
    from orchestrator.cli.jobs import Job
    from orchestrator.run.directory import RunDirectory


def main(argv: Sequence[str]) -> int:
    """Run the studies; returns the worst exit code."""
    return carry_out(parse(argv))


def carry_out(arguments: Arguments) -> int:
    """Answer what is asked instead of a study, or run the studies; returns the worst exit code."""
    if answer(arguments):
        return 0
    from orchestrator.cli.jobs import prepared

    jobs = prepared(arguments)
    _check_directories(jobs)
    return _run_all(jobs)


def _check_directories(jobs: Sequence[Job]) -> None:
    from search_spaces.errors import ConfigurationError

    given = [job.config["run"]["dir"] for job in jobs if job.config["run"]["dir"] is not None]
    if len(set(given)) < len(given):
        hint = "put what differs into it, as in run.dir='runs/seed-${seed}'"
        raise ConfigurationError(
            "run.dir", "a directory of its own for every run of the sweep", given[0], hint
        )


def _run_all(jobs: Sequence[Job]) -> int:
    """Run one after another, also where one fails; returns the worst exit code."""
    from search_spaces.errors import ConfigurationError

    worst, ran = 0, []
    for number, job in enumerate(jobs, start=1):
        if len(jobs) > 1:
            sys.stdout.write(masked(f"[{number}/{len(jobs)}] {' '.join(job.overrides)}\n"))
        path = None
        try:
            code, path = run_job(job)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: the traceback is for developers
            if full := storage_failure(error):
                sys.stderr.write(f"error: {full}; make room, then go on with resume=<run directory>\n")
            else:
                sys.stderr.write(masked(traceback.format_exc()))
            code = 1
        ran.append((job.overrides, code, path))
        worst = max(worst, code)
        if code == INTERRUPTED:
            break
    if len(ran) > 1:
        _summarise(ran)
    return worst


def _summarise(ran: Sequence[tuple[tuple[str, ...], int, Path | None]]) -> None:
    """Say what the runs of a sweep reached."""
    from orchestrator.reporting.sweep import SweepRun, summary
    from orchestrator.text import folded, terminal_width

    lines = (folded(line, terminal_width()) for line in summary([SweepRun(*one) for one in ran]))
    sys.stdout.write(masked("".join(f"{line}\n" for line in lines)))


def run_job(job: Job) -> tuple[int, Path]:
    """Run one study; returns the exit code and the run directory.

    Raises:
        ConfigurationError: it is refused after all; nothing has been trained, and nothing is left behind.
    """
    from orchestrator.config.environment import taken_over

    with taken_over(job.config["cluster"]["env"], os.environ):
        return _run_job(job)


def _run_job(job: Job) -> tuple[int, Path]:
    from orchestrator.cli.jobs import PROGRAMS, load
    from orchestrator.cli.new_run import start_run
    from orchestrator.cli.resumed_run import extend_run
    from search_spaces.errors import ConfigurationError

    run = load(PROGRAMS[job.config["study"]["kind"]].run)
    if job.resume:
        path = Path(job.config["run"]["dir"])
        extended = extend_run(job.config, path)
        try:
            with _recorded(job, extended.directory):
                return int(run(extended.config, path, True)), path
        except ConfigurationError:
            extended.discard()
            raise
    new, config = start_run(job.config, datetime.now())
    try:
        with _recorded(job, new.directory):
            return int(run(config, new.directory.path, False)), new.directory.path
    except ConfigurationError:
        new.discard()
        raise


def _recorded(job: Job, run: RunDirectory) -> AbstractContextManager[None]:
    """Keep with the run what this start computes with."""
    from orchestrator.run.provenance import recorded, session

    folders, command = [Path.cwd()], list(job.overrides)
    if given := job.config["run"]["config_dir"]:
        folders.append(Path(given))
        command = ["--config-dir", given, *command]
    return recorded(run, session(command, folders, job.resume))
