"""Run a study from Python."""

from __future__ import annotations

from pathlib import Path

from orchestrator.api.stored import Run
from orchestrator.cli.answers import import_from
from orchestrator.cli.arguments import parse
from orchestrator.cli.jobs import prepared
from orchestrator.cli.verbs.run import run_job
from orchestrator.run.resume_command import quoted
from search_spaces.errors import ConfigurationError


def run(study: str, *overrides: str, config_dir: str | Path | None = None) -> Run:
    """Run a study to its end, as ``python -m orchestrator +study=<study> <overrides>`` does.

    Progress is printed as on a terminal. An interruption (the notebook's stop button) ends the study after
    the present interval, saved; :func:`resume` goes on with it.

    Args:
        study: its name, such as ``pbt_digits``.
        overrides: as on the command line, such as ``population.size=8``.
        config_dir: a directory with studies of one's own.

    Returns:
        What the run left; ``status`` says how it ended.

    Raises:
        ConfigurationError: the study was refused, and nothing was started.

    Example:
        >>> found = run("pbt_digits", "population.size=8")  # doctest: +SKIP
        >>> found.best  # doctest: +SKIP
    """
    return _run(config_dir, f"+study={study}", *overrides)


def resume(run: Run, *overrides: str, config_dir: str | Path | None = None) -> Run:
    """Go on with a study, as ``python -m orchestrator resume=<run directory> <overrides>`` does."""
    # A run made from logs of carps has no configuration; that it cannot go on is the command line's to say.
    kept = run.config.get("run", {}).get("config_dir")
    return _run(config_dir or kept, f"resume={quoted(str(run.path))}", *overrides)


def _run(config_dir: str | Path | None, *overrides: str) -> Run:
    for flag in (one for one in overrides if one.startswith("-")):
        raise ConfigurationError("overrides", "key=value", flag, "flags are for the command line")
    own = ("--config-dir", str(config_dir)) if config_dir is not None else ()
    arguments = parse([*own, *overrides])
    import_from(arguments.config_dir)
    jobs = prepared(arguments)
    if len(jobs) != 1:
        raise ConfigurationError("overrides", "those of one run", list(overrides), "call run in a loop")
    status, path = run_job(jobs[0])
    return Run(path, status)
