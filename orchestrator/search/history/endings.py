"""What the trials of a search cost, and what became of them: endings, early stopping, repeats, failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.search.history.history import SearchHistory, TrialRecord
from orchestrator.text import setting
from search_spaces import Config
from search_spaces.values import config_key


@dataclass(frozen=True)
class Ending:
    """The trials that ended in one way.

    Args:
        status: ``finished``, ``stopped``, ``failed``, ``lost``, or ``running`` where they have not ended.
        trials: how many.
        units: their own training in the workload's unit, without what a promoted trial went on from.
        seconds: the same by the clock.
    """

    status: str
    trials: int
    units: int
    seconds: float


@dataclass(frozen=True)
class Spared:
    """What stopping trials early saved.

    Args:
        stopped: trials that were stopped.
        units: training that they were spared.
        whole: training of all trials together, had none been stopped.
    """

    stopped: int
    units: int
    whole: int

    @property
    def share(self) -> float:
        """Of the training."""
        return self.units / self.whole if self.whole else 0.0


@dataclass(frozen=True)
class Alike:
    """Trials of one configuration, or that failed for one reason."""

    text: str
    trials: tuple[int, ...]


def endings(history: SearchHistory) -> list[Ending]:
    """The trials by how they ended, in the order in which people read it; those that there are."""
    groups: defaultdict[str, list[TrialRecord]] = defaultdict(list)
    for record in history.records.values():
        groups[record.trial.status if record.trial else "running"].append(record)
    order = ("finished", "stopped", "failed", "lost", "running")
    return [
        Ending(
            status,
            len(groups[status]),
            sum(history.trained.of(record.number) for record in groups[status]),
            sum(_seconds(record) for record in groups[status]),
        )
        for status in order
        if groups[status]
    ]


def spared(history: SearchHistory) -> Spared | None:
    """What early stopping saved; None where no trial was stopped."""
    full = history.start.rungs[-1]
    stopped = [one for one in history.ended if one.trial is not None and one.trial.status == "stopped"]
    if not stopped:
        return None
    units = sum((record.fidelity or full) - reached(record) for record in stopped)
    return Spared(len(stopped), units, history.trained.total + units)


def repeats(history: SearchHistory) -> list[Alike]:
    """Configurations that several trials had at the same fidelity, most trials first."""
    seen: defaultdict[tuple[str, int | None], list[int]] = defaultdict(list)
    for number, record in sorted(history.records.items()):
        seen[config_key(record.config), record.fidelity].append(number)
    found = [(numbers, history.records[numbers[0]].config) for numbers in seen.values() if len(numbers) > 1]
    found.sort(key=lambda entry: -len(entry[0]))
    return [Alike(_text(config), tuple(numbers)) for numbers, config in found]


def _text(config: Config) -> str:
    return ", ".join(f"{name} {setting(value)}" for name, value in config.items())


def reasons(failures: Mapping[int, str]) -> list[Alike]:
    """Reasons by how many trials they ended, most first."""
    trials: defaultdict[str, list[int]] = defaultdict(list)
    for number, reason in sorted(failures.items()):
        trials[reason].append(number)
    found = [Alike(reason, tuple(numbers)) for reason, numbers in trials.items()]
    return sorted(found, key=lambda one: -len(one.trials))


def reached(record: TrialRecord) -> int:
    """The fidelity that a trial has come to, as far as it said."""
    reported = record.reports[-1].fidelity if record.reports else 0
    ended = (record.trial.fidelity or 0) if record.trial else 0
    return max(reported, ended)


def _seconds(record: TrialRecord) -> float:
    if record.trial is not None:
        return record.trial.seconds
    return record.reports[-1].seconds if record.reports else 0.0


def survivors(history: SearchHistory, rungs: Sequence[int]) -> list[int]:
    """How many trials came to each fidelity."""
    came = [reached(record) for record in history.records.values()]
    return [sum(one >= rung for one in came) for rung in rungs]
