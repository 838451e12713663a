"""Adds configurations to a search from outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from orchestrator.search.earlier.inbox import Inbox, configurations
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.trials.scheduled import tuned_space
from search_spaces import ConfigurationError


def add_to_run(path: Path, given: Any, source: str) -> str:
    """Hand over configurations to the search in ``path``; returns one line that says what happens to them.

    Args:
        given: one configuration, or a list of them, as plain data.
        source: where they stand; error messages begin with it.

    Raises:
        ConfigurationError: there is no search, it has no trials left for them, or they do not fit its space.
    """
    run = RunDirectory(path)
    study = _study(run)
    space = tuned_space(study)
    inbox = Inbox(run.added, space)
    listed = [given] if isinstance(given, Mapping) or given == "default" else given
    configs = configurations(listed, space, source)
    if not configs:
        raise ConfigurationError(source, "at least one configuration", given)
    events = read_journal(run.journal)
    history = SearchHistory.from_events(events) if events else None
    trials = history.start.trials if history else study["search"]["trials"]
    left = trials - (len(history.records) if history else 0) - inbox.count()
    if len(configs) > left:
        hint = f"a study that is not running has more trials with resume={path} search.trials=<number>"
        raise ConfigurationError(source, f"at most {max(left, 0)}, the trials left", len(configs), hint)
    inbox.put(configs)
    noun = "configuration" if len(configs) == 1 else "configurations"
    return f"{len(configs)} {noun} added to {path}: the search tries what is added next, once it runs"


def _study(run: RunDirectory) -> Mapping[str, Any]:
    """The configuration of a search's run."""
    expected = "the run directory of a search"
    try:
        study = yaml.safe_load(run.config.read_text(encoding="utf-8"))
        kind = study["study"]["kind"]
    except FileNotFoundError as error:
        hint = f"it has no {run.config.name}"
        raise ConfigurationError("add", expected, str(run.path), hint) from error
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
        hint = f"its {run.config.name} cannot be read"
        raise ConfigurationError("add", expected, str(run.path), hint) from error
    if kind != "search":
        raise ConfigurationError("add", expected, str(run.path), f"it holds a {kind} study")
    return dict(study)
