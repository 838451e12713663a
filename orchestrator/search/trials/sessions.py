"""What a trial trains: one session, or several with different seeds, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from orchestrator.search.trials.scheduled import ScheduledSession
from search_spaces import Config
from workloads.capabilities import TestableSession
from workloads.contract import Metrics, Session, State
from workloads.function import FunctionSession
from workloads.outcomes import numbers
from workloads.state import take_state


class RepeatedSession:
    """Sessions of one configuration that differ in their seeds; its metrics are their means.

    Attributes:
        sessions: those sessions, the first seed's first.
        each: what each of them reported last.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = tuple(sessions)
        self.each: tuple[Mapping[str, float], ...] = ()

    def advance(self, amount: int) -> Metrics:
        """Train each of them; of what all report the mean."""
        self.each = tuple(numbers(session.advance(amount)) for session in self.sessions)
        return _means(self.each)

    def configure(self, config: Config) -> None:
        for session in self.sessions:
            session.configure(config)

    def state(self) -> State:
        return {"sessions": [session.state() for session in self.sessions]}

    def load(self, state: State) -> None:
        for session, own in zip(self.sessions, state["sessions"], strict=True):
            session.load(own)

    def test(self) -> Metrics:
        tested = [session for session in self.sessions if isinstance(session, TestableSession)]
        return _means([numbers(session.test()) for session in tested]) if tested else {}


def _means(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        name: float(np.mean([metrics[name] for metrics in each]))
        for name in each[0]
        if all(name in metrics for metrics in each)
    }


def together(start: Callable[[int], Session], seeds: Sequence[int]) -> Session:
    """The session of a trial.

    Args:
        start: makes the session of a seed.
        seeds: one, or several that are trained side by side.
    """
    if len(seeds) == 1:
        return start(seeds[0])
    return RepeatedSession([start(seed) for seed in seeds])


def first(session: Session) -> Session:
    """The session of a trial's first seed."""
    return session.sessions[0] if isinstance(session, RepeatedSession) else session


def begins_anew(session: Session) -> bool:
    """Whether a trial is a plain function, which begins anew at every call."""
    return isinstance(first(session), FunctionSession)


def state_with_age(session: Session, age: int) -> State:
    """The state of a trial's session, with how far it has been trained; all have the same form."""
    state = take_state(session)
    return state if isinstance(session, ScheduledSession) else {"session": state, "age": age}


def go_on(session: Session, state: State, config: Config) -> None:
    """Let a fresh session of a trial go on from what :func:`state_with_age` gave.

    Args:
        state: nobody else's.
        config: what the search chose.
    """
    if isinstance(session, ScheduledSession):
        session.load(state)
        return
    session.load(state["session"])
    # A schedule's values come with the age in its own state.
    if not isinstance(first(session), ScheduledSession):
        session.configure(config)
