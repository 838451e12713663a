"""What ``python -m orchestrator`` does: list, compose, refuse, start."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import Arguments, parse
from orchestrator.cli.listing import help_text, options, search_path
from orchestrator.faults import storage_failure
from orchestrator.interrupt import INTERRUPTED
from orchestrator.passwords import masked

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from orchestrator.cli.compose import Composed
    from orchestrator.run_directory import RunDirectory
    from orchestrator.trust import Trust


@dataclass(frozen=True)
class Program:
    """How one kind of study is checked and run: ``module:function``, imported when it is needed.

    Attributes:
        assemble: ``(config) -> parts``; raises ``ConfigurationError`` where ``config`` makes no study.
        preflight: ``(config, parts) -> findings``; raises ``ConfigurationError`` where it would fail.
        run: ``(config, run_dir, resume) -> exit code``.
    """

    assemble: str
    preflight: str
    run: str

    @classmethod
    def of(cls, kind: str, assemble: str) -> Program:
        """The program of a kind of study, of which ``assemble`` makes the parts."""
        package = f"orchestrator.{kind}"
        return cls(assemble, f"{package}.preflight:preflight", f"{package}.study:run")


PROGRAMS = {
    "population": Program.of("population", "orchestrator.assemble:assemble_population"),
    "search": Program.of("search", "orchestrator.search.assemble:assemble_search"),
    "benchmark": Program.of("benchmark", "orchestrator.benchmark.assemble:assemble_benchmark"),
}


@dataclass(frozen=True)
class Job:
    """One run that is ready to start: everything about its configuration has been checked.

    Attributes:
        parts: what the study is made of.
    """

    config: Mapping[str, Any]
    overrides: tuple[str, ...]
    resume: bool
    parts: Any


def main(argv: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code: 0 done, 1 failed, 2 refused, 130 interrupted."""
    arguments = parse(argv)
    _import_from(arguments.config_dir)
    if arguments.show == "help":
        sys.stdout.write(help_text(search_path(arguments.config_dir)))
        return 0
    if arguments.show == "version":
        sys.stdout.write(f"orchestrator {_version()}\n")
        return 0
    return _answer(arguments) if arguments.show == "hydra" else _start(arguments)


def _import_from(config_dir: Path | None) -> None:
    """Let workloads be found in the directory of the user's studies, and beside it.

    Behind everything else, so that no folder there hides an installed package.
    """
    if config_dir is None:
        return
    for directory in (config_dir.absolute(), config_dir.absolute().parent):
        if str(directory) not in sys.path:
            sys.path.append(str(directory))


def _answer(arguments: Arguments) -> int:
    """Let Hydra print what was asked for; imports no more than it must, since tab completion waits."""
    from orchestrator.cli.hydra_call import print_with_hydra

    try:
        print_with_hydra(arguments.flags, arguments.overrides)
    except Exception as error:
        from orchestrator.cli.errors import COMPOSITION_ERRORS, translate

        if not isinstance(error, COMPOSITION_ERRORS):
            raise
        return _refuse(translate(error))
    return 0


def _start(arguments: Arguments) -> int:
    from orchestrator.cli.compose import compose
    from search_spaces.errors import ConfigurationError

    try:
        jobs = [_prepare(composed, arguments) for composed in compose(arguments)]
        if arguments.check:
            return _check_all(jobs)
        _check_directories(jobs)
        return _run_all(jobs)
    except ConfigurationError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _refuse(error: Exception) -> int:
    """Say why in one line, however many lines the offending value has."""
    sys.stderr.write(masked(" ".join(f"error: {error}".split())) + "\n")
    return 2


def _prepare(composed: Composed, arguments: Arguments) -> Job:
    """Refuse everything that can be refused before anything is started or written."""
    from omegaconf import OmegaConf

    from orchestrator.cli.compose import resolved
    from orchestrator.cli.runs import resumed_config
    from orchestrator.trust import check_targets
    from orchestrator.validate import check_values
    from search_spaces.errors import ConfigurationError
    from search_spaces.reading import Nothing

    resume = composed.config.resume is not None
    if not resume and OmegaConf.is_missing(composed.config.study, "name"):
        known = ", ".join(options(search_path(arguments.config_dir), "study"))
        raise ConfigurationError("study", f"one of {known}", Nothing(), "choose one with +study=<name>")
    config = resolved(resumed_config(composed) if resume else composed.config)
    given = arguments.config_dir
    config["run"]["config_dir"] = str(given.absolute()) if given else None
    check_values(config)
    kind = config["study"]["kind"]
    if kind not in PROGRAMS:
        raise ConfigurationError("study.kind", f"one of {', '.join(PROGRAMS)}", kind)
    check_targets(config, _trust(config, resume))
    parts = _load(PROGRAMS[kind].assemble)(config)
    return Job(config, composed.overrides, resume, parts)


def _check_all(jobs: Sequence[Job]) -> int:
    """Try every study's workload and say what has been checked; starts nothing."""
    for job in jobs:
        study = job.config["study"]
        findings = _load(PROGRAMS[study["kind"]].preflight)(job.config, job.parts)
        tried = "; ".join(findings.checked) or "no workload tried"
        said = [f"ok: {study['name']} ({study['kind']}): configuration; {tried}", *findings.lines]
        sys.stdout.write(masked("".join(f"{' '.join(line.split())}\n" for line in said)))
    return 0


def _trust(config: Mapping[str, Any], resume: bool) -> Trust:
    from orchestrator.trust import Trust

    run = config["run"]
    folders = (Path.cwd(), *((Path(run["config_dir"]),) if run["config_dir"] else ()))
    return Trust(folders, tuple(config["allow"]), Path(run["dir"]) if resume else None)


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

    worst = 0
    for number, job in enumerate(jobs, start=1):
        if len(jobs) > 1:
            sys.stdout.write(masked(f"[{number}/{len(jobs)}] {' '.join(job.overrides)}\n"))
        try:
            code = _run(job)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: the traceback is for developers
            if full := storage_failure(error):
                sys.stderr.write(f"error: {full}; make room, then go on with resume=<run directory>\n")
            else:
                sys.stderr.write(masked(traceback.format_exc()))
            code = 1
        if code == INTERRUPTED:
            return code
        worst = max(worst, code)
    return worst


def _run(job: Job) -> int:
    from orchestrator.cli.runs import extend_run, start_run
    from search_spaces.errors import ConfigurationError

    run = _load(PROGRAMS[job.config["study"]["kind"]].run)
    if job.resume:
        path = Path(job.config["run"]["dir"])
        extended = extend_run(job.config, path)
        try:
            with _recorded(job, extended.directory):
                return int(run(extended.config, path, True))
        except ConfigurationError:
            extended.discard()
            raise
    new, config = start_run(job.config, datetime.now())
    try:
        with _recorded(job, new.directory):
            return int(run(config, new.directory.path, False))
    except ConfigurationError:
        new.discard()
        raise


def _recorded(job: Job, run: RunDirectory) -> AbstractContextManager[None]:
    """Keep with the run what this start computes with."""
    from orchestrator.provenance import recorded, session

    folders, command = [Path.cwd()], list(job.overrides)
    if given := job.config["run"]["config_dir"]:
        folders.append(Path(given))
        command = ["--config-dir", given, *command]
    return recorded(run, session(command, folders, job.resume))


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _version() -> str:
    from importlib.metadata import version

    return version("orchestrator")
