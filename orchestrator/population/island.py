"""An island: the worker that hosts some of a population's members, resident one beside the other.

Knows nothing of Ray: states of members that live elsewhere come in as values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.population.records import Decision, Report
from orchestrator.randomness import derived_seed
from search_spaces import Config
from workloads.base import Device, Session, State, TestableSession, Workload
from workloads.state import load_state, save_state

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
    """

    number: int
    config: Config
    session: Session | None
    age: int = 0
    generation: int = 0
    failure: str | None = None


class Island:
    """Trains members, and lets them take over weights and hyperparameters.

    Args:
        workload: what is trained.
        interval: units of fidelity between two looks at the population.
        seed: the study's seed; member ``i`` draws everything from ``(seed, "member", i)``, wherever it lives.
        device: where the members compute.
    """

    def __init__(self, workload: Workload, interval: int, seed: int, device: Device) -> None:
        self._workload, self._interval, self._seed, self._device = workload, interval, seed, device
        self.members: dict[int, Member] = {}

    def settle(self, configs: Mapping[int, Config], generations: Mapping[int, int]) -> None:
        """Host these members, with fresh weights, in place of all that lived here."""
        self.members = {
            number: Member(number, config, None, generation=generations[number])
            for number, config in configs.items()
        }
        for member in self.members.values():
            self._start(member)

    def train(self, number: int) -> Report:
        """Train a member for one interval; whatever it raises becomes the report's failure."""
        member = self.members[number]
        member.generation += 1
        began = time.perf_counter()
        metrics: Mapping[str, float] = {}
        if member.session is not None:
            try:
                reported = member.session.advance(self._interval)
                metrics = {name: float(value) for name, value in reported.items()}
            except Exception as error:  # noqa: BLE001 - a user's training may raise anything
                self._fail(member, error)
        member.age += self._interval
        seconds = time.perf_counter() - began
        return Report(number, member.generation, member.age, metrics, seconds, member.failure)

    def snapshot(self, number: int) -> MemberState | None:
        """A member's state, on its device, independent of later training; None while it has failed."""
        member = self.members[number]
        return None if member.session is None else {"age": member.age, "session": member.session.state()}

    def apply(self, decisions: Sequence[Decision], donors: Mapping[int, MemberState | None]) -> None:
        """Let members go on as decided.

        Args:
            decisions: for members of this island.
            donors: the published state of every parent that is copied. Where it is None or missing (lost
                with its island) the member keeps its own weights, or starts afresh if the new configuration
                cannot use them.
        """
        for decision in decisions:
            member = self.members[decision.member]
            donor = donors.get(decision.parent) if decision.copies else None
            if donor is not None:
                self._adopt(member, decision.config, donor)
            elif decision.reborn or self._needs_rebuild(member, decision.config):
                member.config, member.age = decision.config, 0
                self._start(member)
            else:
                self._reconfigure(member, decision.config)

    def save(self, number: int, path: Path) -> None:
        """Write a member's state, durably, under ``path``."""
        save_state(path, self.snapshot(number))

    def load(self, number: int, path: Path) -> None:
        """Go on from a saved state; the member's configuration is the one it was settled with."""
        state = load_state(path)
        if state is not None:
            self._adopt(self.members[number], self.members[number].config, state)

    def _adopt(self, member: Member, config: Config, donor: MemberState) -> None:
        if self._needs_rebuild(member, config):
            member.config = config
            self._start(member)
        else:
            self._reconfigure(member, config)
        if member.session is not None:
            self._attempt(member, lambda session: session.load(donor["session"]))
            member.age = donor["age"]

    def _needs_rebuild(self, member: Member, config: Config) -> bool:
        """Whether the member has no session, or one of another build than ``config`` asks for."""
        fixed = self._workload.space.immutable_part
        return member.session is None or fixed(config) != fixed(member.config)

    def _reconfigure(self, member: Member, config: Config) -> None:
        if config != member.config:
            member.config = config
            self._attempt(member, lambda session: session.configure(config))

    def _start(self, member: Member) -> None:
        member.failure = None
        try:
            seed = derived_seed(self._seed, "member", member.number)
            member.session = self._workload.start(member.config, seed, self._device)
        except Exception as error:  # noqa: BLE001 - as in train
            self._fail(member, error)

    def _attempt(self, member: Member, action: Callable[[Session], None]) -> None:
        assert member.session is not None
        try:
            action(member.session)
        except Exception as error:  # noqa: BLE001 - as in train
            self._fail(member, error)

    @staticmethod
    def _fail(member: Member, error: Exception) -> None:
        member.session = None
        member.failure = f"{type(error).__name__}: {error}".strip()


def judge(workload: Workload, config: Config, seed: int, state: State, device: Device) -> dict[str, float]:
    """Metrics of a trained member on held-out data; empty where the workload keeps none."""
    session = workload.start(config, seed, device)
    if not isinstance(session, TestableSession):
        return {}
    session.load(state)
    return {name: float(value) for name, value in session.test().items()}
