"""A trial as a schedule, which one model, or a whole study, can train with again."""

from __future__ import annotations

from orchestrator.population.schedule import Schedule, Segment
from orchestrator.population.trajectory import Trajectory
from orchestrator.search.history import SearchHistory, TrialRecord
from search_spaces import Config, ConfigurationError


def trajectory_of_trial(history: SearchHistory, record: TrialRecord, followed: Schedule | None) -> Trajectory:
    """What a trial that has ended was trained with.

    Args:
        history: of the study.
        record: the trial.
        followed: the schedule that the study's trials follow; None: there is none.
    """
    trial = record.trial
    assert trial is not None
    unit, amount = history.start.unit, trial.fidelity or record.fidelity or history.start.rungs[-1]
    if followed is None:
        return Trajectory(unit, (Segment(amount, 1, dict(record.config)),), trial.losses)
    return Trajectory(unit, tuple(_segments(followed, record.config, amount)), trial.losses)


def _segments(schedule: Schedule, config: Config, amount: int) -> list[Segment]:
    """The schedule's segments up to an amount of training, each with all hyperparameters."""
    found: list[Segment] = []
    current = dict(config)
    for segment in schedule.segments:
        length = min(segment.amount, amount - sum(one.amount for one in found))
        if length <= 0:
            break
        current |= segment.config
        intervals = segment.intervals if length == segment.amount else 1
        found.append(Segment(length, intervals, dict(current), segment.change))
    return found


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
