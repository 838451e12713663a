"""What is checked of a population study before it starts, besides its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config.workload import prepare_workload
from orchestrator.population.assemble import PopulationParts
from orchestrator.population.methods.contract import perturbs
from orchestrator.preflight.session import tried
from orchestrator.preflight.subject import Findings, Subject
from search_spaces import Config, ConfigurationError


def preflight(config: Mapping[str, Any], parts: PopulationParts) -> Findings:
    """Let the workload get what it needs, and try it.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: the study would fail; nothing has been started.
    """
    check_training(config["population"], parts)
    prepare_workload(parts.workload)
    return tried(config, [_subject(config, parts)])


def check_training(population: Mapping[str, Any], parts: PopulationParts) -> None:
    """Hold a member's training against the workload's fidelity.

    Full training is the whole life of a member. A workload with one unit does not count its training.

    Raises:
        ConfigurationError: an interval is shorter than the smallest training, or a life longer than the full
            one.
    """
    fidelity = parts.workload.fidelity
    interval, generations = parts.interval, population["generations"]
    if interval < fidelity.smallest:
        expected = f"at least {fidelity.smallest} {fidelity.unit}s, the workload's smallest fidelity"
        raise ConfigurationError("population.interval", expected, interval)
    if interval * generations > fidelity.largest > 1:
        most = fidelity.largest // interval
        key = "population.generations" if most else "population.interval"
        expected = (
            f"at most {most or fidelity.largest}, since full training is {fidelity.largest} {fidelity.unit}s"
        )
        found = generations if most else interval
        longer = "to train longer, raise the workload's largest fidelity"
        hint = f"generations * interval is {interval * generations}; {longer}"
        raise ConfigurationError(key, expected, found, hint)


def _subject(config: Mapping[str, Any], parts: PopulationParts) -> Subject:
    return Subject(
        parts.workload,
        "workload",
        tuple(objective.name for objective in parts.objectives),
        config["seed"],
        initial=_initial(config["population"]["initial"], parts),
        copied=True,
        gpus=config["cluster"]["gpus_per_island"] > 0,
        perturbed_by=_perturbed_by(parts),
    )


def _initial(configured: Sequence[Mapping[str, Any]], parts: PopulationParts) -> tuple[Config, ...]:
    """Configurations that are sure to be trained."""
    initial = tuple(parts.space.check(one) for one in configured)
    if parts.followed is None:
        return initial
    return tuple(parts.followed.config(one, 0) for one in (*initial, parts.space.default()))


def _perturbed_by(parts: PopulationParts) -> str | None:
    """What shrinks and perturbs weights in this study; None: nothing does."""
    if parts.followed is not None and parts.followed.schedule.changes:
        return "the schedule"
    return type(parts.method).__name__ if perturbs(parts.method) else None
