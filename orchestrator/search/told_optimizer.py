"""A search's optimizer and the ended trials that it has yet to be told of."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from orchestrator.optimizers.base import Optimizer
from orchestrator.trial import Suggestion, Trial


@dataclass(frozen=True)
class Thought:
    """An optimizer's answer.

    Args:
        suggestions: one, or none where it wants to be told of pending trials first.
        told: how many ended trials it had been told of in all.
    """

    suggestions: tuple[Suggestion, ...]
    told: int


class ToldOptimizer:
    """Tells an optimizer of ended trials right before it is asked, so that it may think in a thread.

    Args:
        optimizer: freshly constructed.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._untold: deque[Trial] = deque()
        self._told = 0

    @property
    def has_news(self) -> bool:
        """Whether trials have ended that it has not been told of."""
        return bool(self._untold)

    def end(self, trial: Trial) -> None:
        """Tell it of a trial when it is asked next; may be called while it thinks."""
        self._untold.append(trial)

    def think(self) -> Thought:
        """Tell it of the trials that have ended, and ask it for one suggestion.

        Touches nothing else: it may run in a thread beside everything but itself.
        """
        while self._untold:
            trial = self._untold.popleft()
            if trial.suggestion.token is not None:
                self._optimizer.tell([trial])
            elif trial.status != "lost":
                self._optimizer.observe([trial])
            self._told += 1
        return Thought(tuple(self._optimizer.ask(1)), self._told)

    def think_again(self, told: int | None) -> Thought:
        """Think as it did when it had been told of ``told`` trials; None: of all that have ended.

        Trials that ended while it was thinking are told later, as they were then.
        """
        later = [] if told is None else list(self._untold)[told - self._told :]
        for _ in later:
            self._untold.pop()
        thought = self.think()
        self._untold.extend(later)
        return thought

    def withdraw(self, suggestion: Suggestion) -> None:
        """A suggestion will not be tried."""
        self._optimizer.withdraw(suggestion)
