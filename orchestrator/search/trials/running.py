"""The trials of a search that were suggested and have not ended."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.search.finals.finalists import NONE_WANTED, Wanted
from orchestrator.search.trials.checkpoints import Checkpoint, Checkpoints
from orchestrator.search.trials.trial_run import Repeats, Report
from orchestrator.trial import Suggestion


@dataclass(frozen=True)
class Assignment:
    """A trial to run.

    Args:
        number: the trial's number in the study.
        suggestion: what is to be tried.
        attempt: how often it was lost before, since the study was last started.
        repeat: how often the same configuration was suggested to the same fidelity before.
        origin: the checkpoint that it goes on from; None: it begins from nothing.
        finalist: the trial that it evaluates again; None: it is one of the search itself.
    """

    number: int
    suggestion: Suggestion
    attempt: int = 0
    repeat: int = 0
    origin: Checkpoint | None = None
    finalist: int | None = None


@dataclass(frozen=True)
class Handling:
    """How a search deals with its trials.

    Args:
        retries: how often one that was lost is tried again.
        checkpoints: the folder of what they go on from; None: they begin from nothing.
        reuses: whether a trial takes the result of an earlier one with the same configuration, which no seed
            would change.
        repeats: with how many seeds each is trained.
        finalists: which of them are evaluated again.
    """

    retries: int = 3
    checkpoints: Path | None = None
    reuses: bool = False
    repeats: int = 1
    finalists: Wanted = NONE_WANTED


USUAL = Handling()


class RunningTrials:
    """The trials that are pending, by number, and those that stayed lost.

    Args:
        checkpoints: what they may go on from.

    Attributes:
        count: how many trials were suggested in all.
        again: those that wait to be handed out anew, in this order.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.count = 0
        self.again: deque[int] = deque()
        self._checkpoints = checkpoints
        self._suggestions: dict[int, Suggestion] = {}
        self._lost: dict[int, Suggestion] = {}
        self._attempts: Counter[int] = Counter()
        self._repeats, self._repeat = Repeats(), dict[int, int]()
        self._reports: dict[int, list[Report]] = {}

    def __len__(self) -> int:
        return len(self._suggestions)

    def __getitem__(self, number: int) -> Suggestion:
        return self._suggestions[number]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those that are pending, ascending."""
        return tuple(sorted(self._suggestions))

    @property
    def configurations(self) -> int:
        """How many different configurations were suggested."""
        return self._repeats.configurations

    def begin(self, suggestion: Suggestion) -> int:
        """Give a suggestion the next number."""
        number = self.count
        self._suggestions[number] = suggestion
        self._repeat[number] = self._repeats.count(suggestion.config, suggestion.fidelity)
        self.count += 1
        return number

    def assignment(self, number: int) -> Assignment:
        """A pending trial as work."""
        suggestion, origin = self._suggestions[number], self._checkpoints.start(number)
        return Assignment(number, suggestion, self._attempts[number], self._repeat[number], origin)

    def repeat(self, number: int) -> int:
        """How often a trial's configuration was suggested to the same fidelity before."""
        return self._repeat[number]

    def inherits(self, number: int, largest: int) -> Checkpoint | None:
        """What another trial has left that a new one can go on from.

        Args:
            largest: the fidelity of full training.
        """
        suggestion = self._suggestions[number]
        return self._checkpoints.lower(
            suggestion.config, self._repeat[number], suggestion.fidelity or largest
        )

    def goes_on_from(self, number: int) -> int:
        """The fidelity that a pending trial goes on from; 0: it begins from nothing."""
        origin = self._checkpoints.start(number)
        return origin.fidelity if origin else 0

    @property
    def starts(self) -> dict[int, int]:
        """The same of all of them, by number."""
        return {number: self.goes_on_from(number) for number in self.numbers}

    def reported(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        self._reports.setdefault(number, []).append(report)

    def last(self, number: int) -> Report | None:
        """What a trial reported last, of what is in force; None: nothing."""
        return self._reports[number][-1] if self._reports.get(number) else None

    def go_back(self, number: int, fidelity: int) -> None:
        """What a trial reported beyond a fidelity is void."""
        kept = [report for report in self._reports.pop(number, ()) if report.fidelity <= fidelity]
        if kept:
            self._reports[number] = kept

    def lose(self, number: int) -> int:
        """A trial was lost; returns how often it was since the study was last started."""
        self._attempts[number] += 1
        return self._attempts[number]

    def end(self, number: int, lost: bool) -> None:
        """A trial has ended."""
        self._reports.pop(number, None)
        suggestion = self._suggestions.pop(number)
        if lost:
            self._lost[number] = suggestion

    def revive(self, numbers: Iterable[int] | None = None) -> None:
        """Trials that stayed lost are pending again; None: all of them."""
        for number in self._lost.keys() & set(self._lost if numbers is None else numbers):
            self._suggestions[number] = self._lost.pop(number)
