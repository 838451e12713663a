"""Results of earlier studies that a search begins with (``search.from``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.objective import MissingMetricError
from orchestrator.optimizers.base import Optimizer
from orchestrator.optimizers.rungs import Rungs
from orchestrator.run.journal import Event
from orchestrator.search.earlier.files import read_source
from orchestrator.search.earlier.result import Result
from orchestrator.search.history.records import observed
from orchestrator.trial import Status, Suggestion, Trial, evaluated, failed
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.domains import choices
from search_spaces.fitting import fitted
from workloads.contract import Objective

KEY = "search.from"


@dataclass
class Dropped:
    """What of a source cannot be used, and why.

    Attributes:
        reasons: of results that are left out.
        unknown: parameters that are left out of configurations, since the space does not have them.
        assumed: parameters that have their defaults, since the source has no values for them.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    assumed: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Needs:
    """What an earlier result must fit.

    Args:
        optimizer: knows the space, the objectives and whether it chooses fidelities.
        constraints: metrics that must keep a bound, besides the objectives' own bounds.
        rungs: where trials report.
        unit: the workload's unit of fidelity.
    """

    optimizer: Optimizer
    constraints: Sequence[Objective]
    rungs: Rungs
    unit: str


def earlier(sources: Iterable[str], needs: Needs) -> tuple[list[Event], list[str]]:
    """The results of the sources as the journal's events, and one line for each that says what was taken.

    Args:
        sources: the configured ``search.from``.

    Raises:
        ConfigurationError: a source cannot be read.
    """
    events, lines = [], []
    for place, source in enumerate(sources):
        results = read_source(source, f"{KEY}[{place}]", needs.optimizer.objectives)
        dropped, trials, used = Dropped(), list[Trial](), 0
        for result in results:
            found = _trials(result, needs, dropped)
            trials += found
            used += bool(found)
        events.append(observed(source, trials))
        lines.append(_line(source, used, len(results), dropped))
    return events, lines


def _line(source: str, used: int, of: int, dropped: Dropped) -> str:
    parts = [f"{KEY}: the optimizer learns from {used} of {of} results of {source}"]
    if dropped.reasons:
        counts = ", ".join(f"{reason} {count}" for reason, count in dropped.reasons.most_common())
        parts.append(f"left out: {counts}")
    if dropped.unknown:
        parts.append(f"ignored, since not in the search space: {', '.join(sorted(dropped.unknown))}")
    if dropped.assumed:
        parts.append(f"at their defaults, since missing there: {', '.join(sorted(dropped.assumed))}")
    return "; ".join(parts)


def _trials(result: Result, needs: Needs, dropped: Dropped) -> list[Trial]:
    """A result as the optimizer takes it; none where it does not fit, one per rung where it has several."""
    try:
        space = needs.optimizer.space
        fit = fitted(_with_values(result, space) if result.indices else result.config, space)
    except ConfigurationError as error:
        dropped.reasons[_out_of(error)] += 1
        return []
    try:
        trials = _as_trials(fit.config, result, needs, dropped)
    except MissingMetricError:
        dropped.reasons["without an objective or a constraint"] += 1
        return []
    if trials:
        dropped.unknown.update(fit.unknown)
        dropped.assumed.update(fit.assumed)
    return trials


def _with_values(result: Result, space: SearchSpace) -> dict[str, Any]:
    """The configuration with an ordinal parameter's value in the place of its index."""
    config = dict(result.config)
    for column in space.codec.columns:
        index = config.get(column.name)
        if column.kind == "ordinal" and isinstance(index, int):
            known = choices(space.configuration_space[column.name])
            config[column.name] = known[index] if 0 <= index < len(known) else None
    return config


def _out_of(error: ConfigurationError) -> str:
    name = error.key.removeprefix("config.")
    return "forbidden" if name == "config" else f"{name} out of its range"


def _as_trials(config: Config, result: Result, needs: Needs, dropped: Dropped) -> list[Trial]:
    optimizer, constraints = needs.optimizer, needs.constraints
    chooses = optimizer.fidelity is not None
    if result.failed:
        fidelity = needs.rungs.first if chooses else None
        return [failed(Suggestion(config, fidelity), result.failed, optimizer.objectives, constraints)]
    curve = _in_our_terms(result, needs)
    levels = [level for level in sorted(curve) if level <= needs.rungs.largest]
    if not levels:
        dropped.reasons["trained further, or in other units"] += 1
        return []
    if chooses:
        return [
            evaluated(Suggestion(config, level), curve[level], optimizer.objectives, constraints)
            for level in levels
            if level >= needs.rungs.first
        ]
    last = levels[-1]
    status: Status = "finished" if last == needs.rungs.largest else "stopped"
    return [evaluated(Suggestion(config), curve[last], optimizer.objectives, constraints, status=status)]


def _in_our_terms(result: Result, needs: Needs) -> Mapping[int, Mapping[str, float]]:
    """Metrics by fidelity. Without one, or in other units, only what was trained fully can be compared."""
    if result.unit == needs.unit:
        return result.curve
    return {needs.rungs.largest: result.curve[max(result.curve)]} if result.full else {}
