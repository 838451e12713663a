"""A trial as a schedule, which one model, or a whole study, can train with again."""

from __future__ import annotations

from orchestrator.population.history.trajectory import Trajectory
from orchestrator.population.schedule import Followed, Segment
from orchestrator.search.history.history import SearchHistory, TrialRecord
from search_spaces import ConfigurationError


def trajectory_of_trial(history: SearchHistory, record: TrialRecord, schedule: Followed | None) -> Trajectory:
    """What a trial that has ended was trained with.

    Args:
        history: of the study.
        record: the trial.
        schedule: what the study's trials follow; None: nothing.
    """
    trial = record.trial
    assert trial is not None
    unit, amount = history.start.unit, trial.fidelity or record.fidelity or history.start.rungs[-1]
    if schedule is None:
        return Trajectory(unit, (Segment(amount, 1, dict(record.config)),), trial.losses)
    segments = tuple(
        Segment(
            end - begin,
            _intervals(schedule.schedule.at(begin), end - begin),
            dict(schedule.config(record.config, begin)),
            schedule.schedule.change_at(begin),
        )
        for begin, end in schedule.schedule.spans(0, amount)
    )
    return Trajectory(unit, segments, trial.losses)


def _intervals(segment: Segment, amount: int) -> int:
    """How often a model is looked at in a segment, or in the part of it that a trial got to."""
    return segment.intervals if amount == segment.amount else 1


def chosen(history: SearchHistory, number: int | None) -> TrialRecord:
    """A trial that can be repeated: the one asked for, else the best one, or the best trade-off.

    Raises:
        ConfigurationError: there is none.
    """
    if number is None:
        best = history.knee()
        if best is None:
            raise ConfigurationError("replay", "a study in which a trial succeeded", history.start.study)
        return best
    record = history.records.get(number)
    if record is None or record.trial is None or not record.trial.usable:
        expected = "the number of a trial that was trained, as in results/trials.parquet"
        raise ConfigurationError("--trial", expected, number)
    return record
