"""What is asked in a preference study, what is answered, and who can be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from orchestrator.text import number, setting
from search_spaces import Config

Answer = Literal["first", "second", "equal"]
"""Which of two results is better; ``equal``: neither."""
ANSWERS: tuple[Answer, ...] = get_args(Answer)

_CONTROL = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Shown:
    """A result as it is shown to whoever compares it.

    Args:
        option: its number in the study.
        config: what it was made with.
        metrics: what the workload reported, for information: nothing here is optimised.
        text: the result in words, where the workload has any.
    """

    option: int
    config: Config
    metrics: Mapping[str, float] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Question:
    """Which of two results is better?

    Args:
        number: from 0.
        total: how many questions the study has.
    """

    number: int
    total: int
    first: Shown
    second: Shown


@dataclass(frozen=True)
class Comparison:
    """An answered question, by the numbers of its options."""

    first: int
    second: int
    answer: Answer

    @property
    def orders(self) -> tuple[tuple[int, int], ...]:
        """Pairs of a better and a worse option; of equal ones both orders, so that neither is favoured."""
        pair = (self.first, self.second)
        turned = (self.second, self.first)
        return {"first": (pair,), "second": (turned,), "equal": (pair, turned)}[self.answer]


class UnansweredError(Exception):
    """Nobody can answer any more; the message says what to do."""


class Asker(Protocol):
    """Asks whoever compares results."""

    name: str
    """Who answers, for the journal."""

    def ask(self, question: Question) -> Answer:
        """Wait for an answer.

        Raises:
            UnansweredError: there will be none.
        """
        ...

    def wait(self, what: str) -> None:
        """Say what the program does until the next question."""
        ...

    def close(self) -> None:
        """No more questions come."""
        ...


def facts(shown: Shown) -> dict[str, str]:
    """What is told of a result besides its text: metrics, and the configuration where there is no text."""
    told = {} if shown.text else {name: setting(value) for name, value in shown.config.items()}
    return told | {name: number(value) for name, value in shown.metrics.items()}


def harmless(text: str) -> str:
    """Text without control characters: what a model has written must not steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
