"""What a pre-flight tries, what it finds, and how it says what is wrong."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.randomness import stream
from orchestrator.text import first_line
from search_spaces import Config, ConfigurationError
from search_spaces.reading import Nothing, closest
from workloads.contract import Workload

TRIES = 5
"""Configurations that are tried until one of them can be trained."""
_PACKAGES = ("orchestrator", "workloads", "search_spaces")


class Text(str):
    """A found value that reads as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Subject:
    """What is tried.

    Args:
        workload: what is trained.
        key: where it stands in the configuration.
        metrics: what has to be reported: objectives, constraints, recorded time.
        seed: the study's.
        initial: configurations that the study begins with.
        copied: whether the study takes states and loads them.
        gpus: whether the study trains on GPUs; the driver itself uses none.
        perturbed_by: the method that shrinks and perturbs the weights of sessions; None: none does.
    """

    workload: Workload
    key: str
    metrics: tuple[str, ...]
    seed: int
    initial: tuple[Config, ...] = ()
    copied: bool = False
    gpus: bool = False
    perturbed_by: str | None = None

    @property
    def name(self) -> str:
        """The workload in messages."""
        function = getattr(self.workload, "function", None)
        return getattr(function, "__name__", type(self.workload).__name__)

    def configs(self) -> list[Config]:
        """What is tried until one can be trained."""
        space = self.workload.space
        drawn = space.sample(TRIES, stream(self.seed, "pre-flight"))
        return [*self.initial[:1], space.default(), *drawn][:TRIES]

    def refusal(self, what: str, expected: str, found: object, hint: str = "") -> ConfigurationError:
        """The error that says what is wrong with ``what``, a part of the workload."""
        return ConfigurationError(self.key, f"{what} {expected}".strip(), found, hint)


@dataclass
class Findings:
    """What a pre-flight found.

    Attributes:
        checked: what works, in a few words each.
        notes: what a user should know, one line each.
        seconds: how long it took.
    """

    checked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def lines(self) -> list[str]:
        """The notes as the terminal shows them."""
        return [f"pre-flight: {note}" for note in self.notes]


class UntriedError(Exception):
    """The rest cannot be tried in this process."""


def check_call(subject: Subject, method: str, owner: object, arguments: Sequence[str]) -> None:
    """Refuse an object without the method, or with one that cannot be called with these arguments."""
    function = getattr(owner, method, None)
    call = f"{method}({', '.join(arguments)})"
    if not callable(function):
        own = [name for name in dir(owner) if not name.startswith("_")]
        hint = closest(method, own)
        raise subject.refusal(f"{type(owner).__name__} to have a method", call, Nothing(), hint)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C have none
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        found = Text(f"{method}{signature}")
        raise subject.refusal(f"a method {call} of", type(owner).__name__, found) from None


def raised(error: Exception) -> Text:
    """What the user's code raised, in one line, and where."""
    return Text(f"{type(error).__name__}: {first_line(str(error))}{_place(error)}")


def _place(error: Exception) -> str:
    """File and line of the user's code where it was raised; empty where none was involved."""
    frames = traceback.extract_tb(error.__traceback__)
    own = Path(__file__).parents[2]
    foreign = [
        frame
        for frame in frames
        if not any(Path(frame.filename).is_relative_to(own / package) for package in _PACKAGES)
        and "site-packages" not in frame.filename
        and "/lib/python" not in frame.filename
    ]
    return "".join(f" at {frame.filename}:{frame.lineno}" for frame in foreign[-1:])
