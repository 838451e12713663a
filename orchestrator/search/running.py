"""The trials of a search that were suggested and have not ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.search.trial_run import Repeats, Report
from orchestrator.trial import Suggestion


@dataclass(frozen=True)
class Assignment:
    """A trial to run.

    Args:
        number: the trial's number in the study.
        suggestion: what is to be tried.
        attempt: how often it was lost before, since the study was last started.
        repeat: how often the same configuration was suggested to the same fidelity before.
    """

    number: int
    suggestion: Suggestion
    attempt: int = 0
    repeat: int = 0


class RunningTrials:
    """The trials that are pending, by number, and those that stayed lost.

    Attributes:
        count: how many trials were suggested in all.
    """

    def __init__(self) -> None:
        self.count = 0
        self._suggestions: dict[int, Suggestion] = {}
        self._lost: dict[int, Suggestion] = {}
        self._attempts: Counter[int] = Counter()
        self._repeats, self._repeat = Repeats(), dict[int, int]()
        self._last: dict[int, Report] = {}

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

    def begin(self, suggestion: Suggestion) -> Assignment:
        """Give a suggestion the next number."""
        number = self.count
        self._suggestions[number] = suggestion
        self._repeat[number] = self._repeats.count(suggestion.config, suggestion.fidelity)
        self.count += 1
        return self.assignment(number)

    def assignment(self, number: int) -> Assignment:
        """A pending trial as work."""
        return Assignment(number, self._suggestions[number], self._attempts[number], self._repeat[number])

    def reported(self, number: int, report: Report) -> None:
        """A trial has come to a rung."""
        self._last[number] = report

    def last(self, number: int) -> Report | None:
        """What a trial reported last, in this attempt; None: nothing."""
        return self._last.get(number)

    def lose(self, number: int) -> int:
        """A trial was lost; returns how often it was since the study was last started."""
        self._last.pop(number, None)
        self._attempts[number] += 1
        return self._attempts[number]

    def end(self, number: int, lost: bool) -> None:
        """A trial has ended."""
        self._last.pop(number, None)
        suggestion = self._suggestions.pop(number)
        if lost:
            self._lost[number] = suggestion

    def revive(self, numbers: Iterable[int] | None = None) -> None:
        """Trials that stayed lost are pending again; None: all of them."""
        for number in self._lost.keys() & set(self._lost if numbers is None else numbers):
            self._suggestions[number] = self._lost.pop(number)
