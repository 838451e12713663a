"""What the weights of every member were trained with as YAML, which a click on its point shows."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.history.trajectory import trajectory_to
from orchestrator.population.records import MemberInterval
from orchestrator.reporting.configurations import block, flow

MOST_SEGMENTS = 20_000
"""Segments of all schedules together, so that a page stays small; beyond, most points show what the interval
alone was trained with."""


def key(member: int, generation: int) -> str:
    """What a point of a member is called."""
    return f"member {member}, generation {generation}"


def configurations(history: PopulationHistory) -> Mapping[str, str]:
    """By member and generation the schedule of the weights that it had then, oldest generation first.

    Of a large study only the best, the last of every member and the models that are kept have their schedule.
    """
    records = [record for record in history.records() if record.failure is None]
    segments = sum(record.generation for record in records)
    whole = segments <= MOST_SEGMENTS
    best, last = history.best(), {record.place for record in history.latest()}
    kept = {(int(one["member"]), int(one["generation"])) for one in history.models}
    shown = last | kept | ({best.place} if best else set())
    return {
        key(record.member, record.generation): _schedule(history, record)
        if whole or record.place in shown
        else _interval(history, record)
        for record in records
    }


def _schedule(history: PopulationHistory, record: MemberInterval) -> str:
    trajectory = trajectory_to(history, record)
    segments = "".join(f"- {flow(segment.to_data())}\n" for segment in trajectory.segments)
    return (
        f"# {key(record.member, record.generation)} of {history.start.study}: {_reached(record)}\n"
        "# one model with this schedule: schedule=<this file> in a search\n"
        f"unit: {trajectory.unit}\nsegments:\n{segments}"
    )


def _interval(history: PopulationHistory, record: MemberInterval) -> str:
    return (
        f"# {key(record.member, record.generation)} of {history.start.study}: {_reached(record)}\n"
        "# of this interval; the whole schedule of the best is in results/schedule.yaml\n"
        f"{block(record.config)}"
    )


def _reached(record: MemberInterval) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in record.metrics.items())
