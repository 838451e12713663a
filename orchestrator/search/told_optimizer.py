"""A search's optimizer and the ended trials that it has yet to be told of."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.optimizers.base import Optimizer
from orchestrator.trial import Suggestion, Trial
from search_spaces import Config


@dataclass(frozen=True)
class Thought:
    """An optimizer's answer.

    Args:
        suggestion: None where it wants to be told of pending trials first.
        told: how many ended trials it had been told of in all.
    """

    suggestion: Suggestion | None
    told: int


class ToldOptimizer:
    """Tells an optimizer of ended trials right before it is asked, so that it may think in a thread.

    Args:
        optimizer: freshly constructed.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._untold: deque[tuple[Trial, ...]] = deque()
        self._told = 0

    @property
    def has_news(self) -> bool:
        """Whether trials have ended that it has not been told of."""
        return bool(self._untold)

    def end(self, *results: Trial) -> None:
        """Tell it of a trial when it is asked next; may be called while it thinks.

        Args:
            results: the trial; several where it counts at several fidelities.
        """
        self._untold.append(results)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Let it learn from trials that are none of this study's; not while it thinks."""
        self._optimizer.observe(trials)

    def think(self, count: int = 1) -> list[Thought]:
        """Tell it of the trials that have ended, and ask it for suggestions.

        Touches nothing else: it may run in a thread beside everything but itself.

        Returns:
            ``count`` answers; fewer where the last one is that it wants to be told more first.
        """
        self._tell()
        thoughts = [Thought(suggestion, self._told) for suggestion in self._optimizer.ask(count)]
        if len(thoughts) < count:
            thoughts.append(Thought(None, self._told))
        return thoughts

    def think_again(self, told: int | None) -> Thought:
        """Think as it did when it had been told of ``told`` trials; None: of all that have ended.

        Trials that ended while it was thinking are told later, as they were then.
        """
        later = self._put_aside(told)
        (thought,) = self.think()
        self._untold.extend(later)
        return thought

    def recall(self, told: int | None, config: Config, fidelity: int | None) -> Suggestion | None:
        """A suggestion that it made when it had been told of ``told`` trials, not computed again.

        None where it is to :meth:`think_again`.
        """
        later = self._put_aside(told)
        self._tell()
        suggestion = self._optimizer.recall(config, fidelity)
        self._untold.extend(later)
        return suggestion

    def withdraw(self, suggestion: Suggestion) -> None:
        """A suggestion will not be tried."""
        self._optimizer.withdraw(suggestion)

    def _tell(self) -> None:
        while self._untold:
            for trial in self._untold.popleft():
                if trial.suggestion.token is not None:
                    self._optimizer.tell([trial])
                else:
                    self._optimizer.observe([trial])
            self._told += 1

    def _put_aside(self, told: int | None) -> list[tuple[Trial, ...]]:
        """Take away the trials that it was not to be told of yet."""
        later = [] if told is None else list(self._untold)[told - self._told :]
        for _ in later:
            self._untold.pop()
        return later
