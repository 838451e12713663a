"""Programs that compare results, in place of a person: for tests, and to try a study before people do."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from orchestrator.preference.questions import ANSWERS, Answer, Question, UnansweredError
from orchestrator.randomness import stream
from orchestrator.text import first_line
from search_spaces import ConfigurationError


class Judge(Protocol):
    """A program that says which of two results is better."""

    def prefer(self, question: Question) -> Answer:
        """The better one of ``question.first`` and ``question.second``."""
        ...


@runtime_checkable
class MetricJudge(Protocol):
    """A judge that needs some of the workload's metrics."""

    @property
    def metrics(self) -> tuple[str, ...]: ...


class ByMetric:
    """Prefers the better value of a metric; with noise more surely the more they differ.

    With ``noise`` above 0, the first wins with the probability ``1 / (1 + exp(-gain / noise))`` (Bradley and
    Terry 1952), a draw that comes from the seed and the question alone.

    Args:
        metric: one that the workload reports.
        direction: ``min`` or ``max``.
        noise: in the metric's units; 0: it never errs.
        seed: of its errors.
    """

    def __init__(
        self, metric: str, direction: Literal["min", "max"] = "min", noise: float = 0.0, seed: int = 0
    ) -> None:
        if direction not in ("min", "max"):
            raise ConfigurationError("direction", "'min' or 'max'", direction)
        if not 0 <= noise < math.inf:
            raise ConfigurationError("noise", "a number from 0 on", noise)
        self.metrics = (metric,)
        self._sign, self._noise, self._seed = 1 if direction == "max" else -1, noise, seed

    def prefer(self, question: Question) -> Answer:
        (metric,) = self.metrics
        gain = self._sign * (question.first.metrics[metric] - question.second.metrics[metric])
        if self._noise:
            chance = 1 / (1 + math.exp(-max(-700.0, min(700.0, gain / self._noise))))
            return "first" if stream(self._seed, "judge", question.number).random() < chance else "second"
        return _better(gain)


class Mentions:
    """Prefers the text that has more of the given words, and of two with as many the shorter one.

    Args:
        words: it looks for them whole and in any case.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if not words or not all(isinstance(word, str) and word for word in words):
            raise ConfigurationError("words", "at least one word", list(words))
        self._words = {word.lower() for word in words}

    def prefer(self, question: Question) -> Answer:
        first, second = (self.value(shown.text) for shown in (question.first, question.second))
        return _better(float(first > second) - float(first < second))

    def value(self, text: str) -> tuple[int, int]:
        """What it orders texts by: words that were found, then how short the text is."""
        return len(self._words & set(re.findall(r"\w+", text.lower()))), -len(text)


class ProgramAsker:
    """Asks a program, see :class:`orchestrator.preference.questions.Asker`."""

    name = "program"

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def ask(self, question: Question) -> Answer:
        name = type(self._judge).__name__
        try:
            answer = self._judge.prefer(question)
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(str(error))}"
            raise UnansweredError(
                f"the judge {name} failed at question {question.number}: {reason}"
            ) from error
        if answer not in ANSWERS:
            raise UnansweredError(f"expected one of {', '.join(ANSWERS)} of the judge {name}, got {answer!r}")
        return answer

    def wait(self, what: str) -> None:
        """It does not look."""

    def close(self) -> None:
        """Nothing is open."""


def _better(gain: float) -> Answer:
    if gain == 0 or math.isnan(gain):
        return "equal"
    return "first" if gain > 0 else "second"
