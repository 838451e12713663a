"""A search's optimizer, the ended trials that it has yet to be told of, and what it answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.optimizers.base import Optimizer
from orchestrator.run.journal import Event
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

    Attributes:
        waiting: whether it wants to be told of pending trials before it is asked again.
        exhausted: whether it has no more suggestions.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._untold: deque[tuple[Trial, ...]] = deque()
        self._told = 0
        self.waiting = self.exhausted = False
        self._departures: list[int] = []
        self._recalled = 0
        self._kept = deque[Thought]()

    @property
    def may_be_asked(self) -> bool:
        """Whether it has a suggestion, for all that is known."""
        wants = bool(self._kept) and self._kept[-1].suggestion is None
        return not (self.waiting or self.exhausted or wants)

    @property
    def kept(self) -> int:
        """How many of its answers are kept."""
        return len(self._kept)

    @property
    def ready(self) -> int:
        """How many of them are suggestions."""
        return sum(thought.suggestion is not None for thought in self._kept)

    @property
    def departures(self) -> tuple[int, ...]:
        """Trials that it would now suggest otherwise than the journal has them."""
        return tuple(self._departures)

    @property
    def recalled(self) -> int:
        """How many suggestions were taken from the journal in a way that later ones may differ for it."""
        return 0 if self._optimizer.recalls_exactly else self._recalled

    @property
    def remark(self) -> str:
        """How it goes on otherwise than without an interruption; empty where it does not."""
        if self._departures:
            return (
                f"the optimizer would now suggest trial {self._departures[0]} otherwise (another version of "
                "the program or a library?): the journal holds, and the study no longer repeats bit for bit"
            )
        if self.recalled:
            return (
                f"{self.recalled} suggestions are taken from the journal, since computing them again would "
                "take long: the study goes on, but no longer repeats bit for bit"
            )
        return ""

    def end(self, *results: Trial) -> None:
        """Tell it of a trial when it is asked next; may be called while it thinks.

        Args:
            results: the trial; several where it counts at several fidelities.
        """
        self.waiting = False
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

    def keep(self, thoughts: Iterable[Thought]) -> None:
        """Keep answers until they are wanted."""
        self._kept.extend(thoughts)

    def next(self) -> Thought:
        """The first answer that was kept."""
        return self._kept.popleft()

    def answer(self, thought: Thought, pending: bool) -> Suggestion | None:
        """The suggestion in a thought; without one it waits, or has no more.

        Args:
            pending: whether trials are, now.
        """
        if thought.suggestion is not None:
            return thought.suggestion
        # What ended while the optimizer was thinking may be what it waits for.
        self.waiting = pending and not self._untold
        self.exhausted = not pending and not self._untold
        return None

    def suggest_again(self, event: Event, pending: bool) -> Suggestion:
        """The suggestion that the journal has; where the optimizer now makes another, the journal wins.

        Args:
            event: a ``suggested`` event.
            pending: whether trials were, then.
        """
        config, fidelity, told = event["config"], event["fidelity"], event.get("told")
        if recalled := self._recall(told, config, fidelity):
            self._recalled += 1
            return recalled
        asked = self.answer(self._think_again(told), pending)
        if asked is not None and (dict(asked.config), asked.fidelity) == (config, fidelity):
            return asked
        if asked is not None:
            self.withdraw(asked)
        self.waiting = self.exhausted = False
        self._departures.append(event["trial"])
        # Without a token: its result will be observed.
        return Suggestion(config, fidelity)

    def wait_again(self, event: Event, pending: bool) -> None:
        """Wait as the journal says in a ``waited`` event, whatever the optimizer now does."""
        asked = self.answer(self._think_again(event.get("told")), pending)
        if asked is not None:
            self.withdraw(asked)
        self.waiting = pending and not self._untold

    def _think_again(self, told: int | None) -> Thought:
        """Think as it did when it had been told of ``told`` trials; None: of all that have ended.

        Trials that ended while it was thinking are told later, as they were then.
        """
        later = self._put_aside(told)
        (thought,) = self.think()
        self._untold.extend(later)
        return thought

    def _recall(self, told: int | None, config: Config, fidelity: int | None) -> Suggestion | None:
        """A suggestion that it made when it had been told of ``told`` trials, not computed again.

        None where it is to :meth:`_think_again`.
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
