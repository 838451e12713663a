"""A member of a population: resident on an island, as a state that travels, and judged in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from orchestrator.randomness import user_seed
from search_spaces import Config
from workloads.capabilities import TestableSession
from workloads.contract import Device, Session, State, Workload
from workloads.state import restore

MemberState = dict[str, Any]
"""A member as it is copied, sent and saved: ``age`` (training steps in its weights), ``session`` (state)."""


@dataclass
class Member:
    """One resident member.

    Args:
        number: its number in the population.
        config: the hyperparameters it trains with.
        session: its training; None after a failure, until it is replaced.
        age: training steps in its weights.
        generation: intervals that it has trained in its own life.
        failure: why it has no session, in one line.
        traceback: where that was raised; empty once it has been reported.
    """

    number: int
    config: Config
    session: Session | None
    age: int = 0
    generation: int = 0
    failure: str | None = None
    traceback: str = ""


Watch = Callable[[Sequence[Member]], AbstractContextManager[None]]
"""Makes what is entered while members start or train."""


def unwatched(members: Sequence[Member]) -> AbstractContextManager[None]:
    """Nothing watches these members."""
    del members
    return nullcontext()


def judge(workload: Workload, config: Config, seed: int, state: State, device: Device) -> dict[str, float]:
    """Metrics of a trained member on held-out data; empty where the workload keeps none."""
    meant = workload.space.meant(config)
    session = workload.start(meant, user_seed(seed), device)
    if not isinstance(session, TestableSession):
        return {}
    restore(session, state, meant)
    return {name: float(value) for name, value in session.test().items()}
