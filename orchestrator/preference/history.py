"""What happened in a preference study, read from its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from orchestrator.preference.duel import Compared
from orchestrator.preference.questions import ANSWERS, Comparison, Shown
from orchestrator.run.history import StudyHistory
from orchestrator.run.journal import Event
from search_spaces import Config


@dataclass(frozen=True)
class PreferenceStart:
    """The study, as the journal's first line has it.

    Args:
        study: its name.
        judge: the class of the program that answers; empty: a person does.
        questions: how many are asked.
        parameters: of the search space, parents before children.
        time: seconds since the epoch.
    """

    study: str
    seed: int
    judge: str
    questions: int
    parameters: tuple[str, ...]
    time: float

    def event(self) -> Event:
        """The journal's first line."""
        return {
            "event": "start",
            "kind": "preference",
            **vars(self),
            "parameters": list(self.parameters),
        }

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """The study that a ``start`` event describes."""
        values = {key: value for key, value in event.items() if key not in ("event", "kind")}
        return cls(**{**values, "parameters": tuple(values["parameters"])})


@dataclass(frozen=True)
class Option:
    """A configuration with its result.

    Args:
        number: in the order of their training, from 0.
        failure: why there is no result; empty where there is one.
        seconds: of training.
        time: seconds since the epoch.
    """

    number: int
    config: Config
    metrics: Mapping[str, float]
    text: str
    failure: str
    seconds: float
    time: float

    def event(self) -> Event:
        """The line of the journal that keeps it."""
        values = {key: value for key, value in vars(self).items() if key != "number"}
        return {
            "event": "result",
            "option": self.number,
            **values,
            "config": dict(self.config),
            "metrics": dict(self.metrics),
        }

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """The option that a ``result`` event describes."""
        values = {key: value for key, value in event.items() if key not in ("event", "option")}
        return cls(number=event["option"], **values)

    @property
    def shown(self) -> Shown:
        """As people see it."""
        return Shown(self.number, self.config, self.metrics, self.text)


@dataclass(frozen=True)
class Standing:
    """What answers tell of the options that were compared, the best first.

    Args:
        options: their numbers.
        utilities: means of the posterior. Only differences mean anything: their own mean is 0.
        deviations: the standard deviations of these.
        chance: how likely the first is better than the second.
        answers: how many there were.
    """

    options: tuple[int, ...]
    utilities: tuple[float, ...]
    deviations: tuple[float, ...]
    chance: float
    answers: int

    def event(self, time: float) -> Event:
        """The line of the journal that keeps it."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        return {"event": "standing", **plain, "time": time}

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """What a ``standing`` event describes."""
        options, utilities, deviations = (tuple(event[key]) for key in ("options", "utilities", "deviations"))
        return cls(options, utilities, deviations, event["chance"], event["answers"])


class PreferenceHistory(StudyHistory):
    """A preference study as far as its journal goes; grows by :meth:`extend`.

    Attributes:
        start: what the study is.
        options: configurations that have a result or have failed, by number.
        comparisons: what was answered, in that order.
        standing: what was last believed of the options; None: nothing yet.
        asked: the options of the question that has no answer yet; None: there is none.
        stopped: why the study was interrupted, unless it went on since.
        final: the event of that name once the study is complete.
    """

    kind = "preference"

    def __init__(self, start: PreferenceStart) -> None:
        self.start = start
        self.options: list[Option] = []
        self.comparisons: list[Comparison] = []
        self.standing: Standing | None = None
        self.asked: tuple[int, int] | None = None
        self.stopped: str | None = None
        self.final: Event | None = None

    @classmethod
    def begun(cls, event: Event) -> Self:
        """The history of a study that has only begun, with this event."""
        return cls(PreferenceStart.of(event))

    def take(self, event: Event) -> None:
        """Take in the next event."""
        match event["event"]:
            case "result":
                self.options.append(Option.of(event))
            case "asked":
                self.asked = event["first"], event["second"]
            case "answered":
                assert self.asked is not None, "a question comes before its answer"
                self.comparisons.append(Comparison(*self.asked, event["answer"]))
                self.asked = None
            case "standing":
                self.standing = Standing.of(event)
            case "resume":
                self.stopped, self.final = None, None
                self.start = replace(self.start, questions=event["questions"])
            case "stopped":
                self.stopped = event["reason"]
            case "final":
                self.final, self.stopped = event, None

    @property
    def compared(self) -> Compared:
        """What a duel needs to know."""
        failed = frozenset(option.number for option in self.options if option.failure)
        return Compared([option.config for option in self.options], tuple(self.comparisons), failed)


class PreferenceJudge:
    """Says of each event whether it can come next, see :data:`orchestrator.run.soundness.Judge`."""

    def __init__(self) -> None:
        self._history: PreferenceHistory | None = None

    def __call__(self, event: Event) -> str:
        if self._history is None:
            if event["event"] != "start" or event["kind"] != "preference":
                return "no start of a preference study"
            self._history = PreferenceHistory.from_events([event])
            return ""
        problem = _problem(event, self._history)
        if not problem:
            self._history.extend([event])
        return problem


def _problem(event: Event, history: PreferenceHistory) -> str:
    results = len(history.options)
    match event["event"]:
        case "start":
            return "a second start"
        case "result":
            wrong = event["option"] != results
            return f"option {event['option']}, where option {results} is next" if wrong else ""
        case "asked" | "answered":
            return _problem_of_a_question(event, history)
    return ""


def _problem_of_a_question(event: Event, history: PreferenceHistory) -> str:
    if event["event"] == "answered":
        if history.asked is None:
            return "an answer without a question"
        return "" if event["answer"] in ANSWERS else f"the answer {event['answer']!r}"
    if history.asked is not None:
        return "a question before the answer to the one before it"
    known = range(len(history.options))
    return "" if event["first"] in known and event["second"] in known else "a question without its results"
