"""A preference study in step with its journal: it makes what a question needs, asks, keeps the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.preference.duel import Duel
from orchestrator.preference.history import Option, PreferenceHistory
from orchestrator.preference.making import HopelessError, Maker
from orchestrator.preference.questions import Asker, Question
from orchestrator.run.journal import Event, Journal
from search_spaces import Config

MOST_FAILURES = 5
"""So many configurations in a row without a result end the study: something is wrong with all of them."""


class Course:
    """Asks the study's questions; the journal has everything before anybody acts on it.

    Args:
        maker: makes the results that are compared.
        duel: says which two configurations come next.
        asker: who compares them.
        journal: open.
        history: of the events that are in it; extended meanwhile.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        maker: Maker,
        duel: Duel,
        asker: Asker,
        journal: Journal,
        history: PreferenceHistory,
        clock: Callable[[], float],
    ) -> None:
        self._maker, self._duel, self._asker = maker, duel, asker
        self._journal, self._history, self._clock = journal, history, clock

    def run(self) -> bool:
        """Ask until all questions are answered; returns whether that was so: False, no pair was left.

        Raises:
            UnansweredError: nobody can answer any more.
            HopelessError: nothing can be trained.
        """
        history = self._history
        while len(history.comparisons) < history.start.questions:
            if history.asked is None and not self._choose():
                return False
            assert history.asked is not None
            first, second = (history.options[option].shown for option in history.asked)
            number = len(history.comparisons)
            answer = self._asker.ask(Question(number, history.start.questions, first, second))
            event = {"event": "answered", "question": number, "answer": answer, "by": self._asker.name}
            self._write({**event, "time": self._clock()})
        return True

    def _choose(self) -> bool:
        """Journal the next question, once both of its options have a result; False: there is none left."""
        while True:
            self._asker.wait("choosing the next two")
            pair = self._duel.next(self._history.compared)
            if pair is None:
                return False
            options = [self._option(config) for config in pair]
            if not any(self._history.options[option].failure for option in options):
                question = {"event": "asked", "question": len(self._history.comparisons)}
                first, second = options
                self._write({**question, "first": first, "second": second, "time": self._clock()})
                return True
            _check_failures(self._history.options)

    def _option(self, config: Config) -> int:
        """The number of the option with this configuration; it is trained where it has no result yet."""
        known = self._history.compared.number(config)
        if known is not None:
            return known
        number, began = len(self._history.options), self._clock()
        self._asker.wait(f"making result {number}")
        metrics, text, failure = self._maker.make(config, number)
        now = self._clock()
        self._write(Option(number, config, metrics, text, failure, now - began, now).event())
        return number

    def _write(self, event: Event) -> None:
        self._journal.append(event)
        self._journal.sync()
        self._history.extend([event])


def _check_failures(options: Sequence[Option]) -> None:
    last = options[-MOST_FAILURES:]
    if len(last) == MOST_FAILURES and all(option.failure for option in last):
        raise HopelessError(f"the last {MOST_FAILURES} configurations failed: {last[-1].failure}")
