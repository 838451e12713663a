"""Run a study from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.api.stored import Run
from orchestrator.cli.answers import import_from
from orchestrator.cli.arguments import parse
from orchestrator.cli.jobs import prepared
from orchestrator.cli.verbs.run import run_job
from orchestrator.run.resume_command import quoted
from search_spaces.errors import ConfigurationError
from workloads import given


def run(
    study: str,
    *overrides: str,
    workload: Any = None,
    search_space: Mapping[str, Any] | None = None,
    config_dir: str | Path | None = None,
) -> Run:
    """Run a study to its end, as ``python -m orchestrator +study=<study> <overrides>`` does.

    Progress is printed as on a terminal. An interruption (the notebook's stop button) ends the study after
    the present interval, saved; :func:`resume` goes on with it.

    Args:
        study: its name, such as ``pbt_digits``.
        overrides: as on the command line, such as ``population.size=8``.
        workload: what is trained, of a study that leaves it open (``pbt``, ``search`` or one's own): what a
            ``_target_`` could name (a class, or a function of ``space``), also one that a notebook's cell
            defines; or a workload, whose space ``search_space`` describes too.
        search_space: its parameters by name, as below ``search_space.parameters`` in YAML.
        config_dir: a directory with studies of one's own.

    Returns:
        What the run left; ``status`` says how it ended.

    Raises:
        ConfigurationError: the study was refused, and nothing was started.

    Example:
        >>> found = run("pbt_digits", "population.size=8")  # doctest: +SKIP
        >>> found.best  # doctest: +SKIP
    """
    own: list[str] = []
    if workload is not None:
        own += [f"+workload._target_={given.TARGET}", f"+workload.of={quoted(given.name_of(workload))}"]
    if search_space is not None:
        own.append(f"++search_space.parameters={_hydra(search_space)}")
    with given.giving(workload):
        return _run(config_dir, f"+study={study}", *own, *overrides)


def resume(run: Run, *overrides: str, workload: Any = None, config_dir: str | Path | None = None) -> Run:
    """Go on with a study, as ``python -m orchestrator resume=<run directory> <overrides>`` does.

    Args:
        workload: as it was given to :func:`run`, where it was; run directories do not hold it.
    """
    # A run made from logs of carps has no configuration; that it cannot go on is the command line's to say.
    kept = run.config.get("run", {}).get("config_dir")
    with given.giving(workload):
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


def _hydra(value: Any) -> str:
    """A value in Hydra's grammar for overrides."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_hydra, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
