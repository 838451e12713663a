"""Writes the results of a stored run again, from its journal and its configuration alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestrator.benchmark.results import has_results
from orchestrator.config.schedules import KEY
from orchestrator.config.yaml_text import parse
from orchestrator.population.schedule import Followed, Schedule, followed
from orchestrator.reporting.benchmark.report import make_folder, write_report
from orchestrator.reporting.population.results import PAGE as POPULATION_PAGE
from orchestrator.reporting.population.results import write_results as write_population
from orchestrator.reporting.preference.results import write_results as write_preference
from orchestrator.reporting.preference.summary import PAGE as PREFERENCE_PAGE
from orchestrator.reporting.search.results import PAGE as SEARCH_PAGE
from orchestrator.reporting.search.results import write_results as write_search
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, read_journal
from orchestrator.search.finals.models import StoredModels
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.trials.scheduled import tuned_space
from search_spaces import ConfigurationError, build_space
from workloads.contract import Fidelity

_DAMAGED = (ValueError, LookupError, TypeError, AttributeError)
"""What reading a file raises that something else than this program has changed."""
_KEY = "run directory"


def report_again(run_dirs: Sequence[Path], output: Path) -> Path:
    """Write the tables, pictures and page of a run of any kind, or of several benchmark runs together.

    Args:
        run_dirs: one or more.
        output: the folder, made where it is missing.

    Returns:
        Where the page is.

    Raises:
        ConfigurationError: a directory holds no run, its files are damaged, or there are several runs and
            not all are benchmark studies.
    """
    stored = [(RunDirectory(path), configuration(RunDirectory(path))) for path in run_dirs]
    kinds = [config["study"]["kind"] if config else "benchmark" for _, config in stored]
    others = [str(run.path) for (run, _), kind in zip(stored, kinds, strict=True) if kind != "benchmark"]
    if not others:
        return write_report(run_dirs, output)
    if len(run_dirs) > 1:
        raise ConfigurationError(_KEY, "benchmark runs alone where there are several", others[0])
    (run, config), kind = stored[0], kinds[0]
    events = read_events(run)
    make_folder(output)
    try:
        if kind == "population":
            from orchestrator.population.history.history import PopulationHistory

            return write_population(output, PopulationHistory.from_events(events), run.path) / POPULATION_PAGE
        if kind == "preference":
            from orchestrator.preference.history import PreferenceHistory

            return write_preference(output, PreferenceHistory.from_events(events)) / PREFERENCE_PAGE
        return _search(run, config, events, output)
    except ConfigurationError:
        raise
    except _DAMAGED as error:
        expected = f"a {kind} study that can be read"
        raise ConfigurationError(
            f"{_KEY} {run.path}", expected, f"{type(error).__name__}: {error}"
        ) from error


def _search(run: RunDirectory, config: Mapping[str, Any], events: Sequence[Event], output: Path) -> Path:
    space = tuned_space(config)
    history = SearchHistory.from_events(events)
    schedule = _schedule(config, history)
    if config["search"]["export_optuna"]:
        from orchestrator.search.history.optuna_file import export

        export(events, space, output / run.optuna.name)
    return write_search(output, history, space, schedule, StoredModels.of(run, config)) / SEARCH_PAGE


def _schedule(config: Mapping[str, Any], history: SearchHistory) -> Followed | None:
    """What the trials of a stored search followed."""
    if config.get(KEY) is None:
        return None
    fidelity = Fidelity(history.start.unit, largest=history.start.rungs[-1])
    space = build_space(config["search_space"], "search_space")
    return followed(Schedule.from_data(config[KEY], KEY), space, fidelity, KEY, fixed=False)


def read_events(run: RunDirectory) -> list[Event]:
    """The run's journal.

    Raises:
        ConfigurationError: it has not begun, or a line of it is damaged.
    """
    try:
        events = read_journal(run.journal)
    except ValueError as error:
        raise ConfigurationError(_KEY, "a journal that can be read", str(run.journal), str(error)) from error
    if not events:
        raise ConfigurationError(_KEY, "a run that has begun", str(run.path), f"{run.journal.name} is empty")
    return events


def configuration(run: RunDirectory) -> Mapping[str, Any]:
    """The run's configuration; empty where there is none, as in a run made from logs of carps."""
    if not run.path.is_dir():
        raise ConfigurationError(_KEY, "an existing directory", str(run.path))
    if not run.config.is_file():
        if not has_results(run.path):
            expected = f"a run directory, with {run.config.name} or a benchmark study's results"
            raise ConfigurationError(_KEY, expected, str(run.path))
        return {}
    try:
        config = parse(run.config.read_text(encoding="utf-8"))
        if config["study"]["kind"] not in ("population", "search", "benchmark", "preference"):
            raise ValueError(f"study.kind is {config['study']['kind']!r}")
    except (yaml.YAMLError, *_DAMAGED) as error:
        raise ConfigurationError(
            _KEY, "a run with a valid config.yaml", str(run.path), " ".join(str(error).split())
        ) from error
    return dict(config)
