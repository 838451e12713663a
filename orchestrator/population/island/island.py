"""An island: the worker that hosts some of a population's members, resident one beside the other.

Knows nothing of Ray: states of members that live elsewhere come in as values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.population.decision import Decision, ShrinkPerturb
from orchestrator.population.island.device_faults import Faults
from orchestrator.population.island.member import Member, MemberState, Watch, unwatched
from orchestrator.population.island.member_sessions import MemberSessions
from orchestrator.population.island.packs import Packs
from orchestrator.population.records import Report
from search_spaces import Config
from workloads.contract import Device, Metrics, Workload
from workloads.devices import breaks_device
from workloads.outcomes import RAISED, numbers
from workloads.packing import Course, EngineChoice, NoRoomError, PackableWorkload
from workloads.state import take_state
from workloads.state_files import load_state, save_state


class Island:
    """Trains members, and lets them take over weights and hyperparameters.

    Args:
        workload: what is trained.
        interval: units of fidelity between two looks at the population.
        seed: the study's seed; member ``i`` draws everything from ``(seed, "member", i)``, wherever it lives.
        device: where the members compute.
        works_on: told of the members whose sessions are called next.
        at_birth: how new weights are changed before they train; None: not at all.
        watch: makes what is entered while members start or train.

    Attributes:
        members: those that live here, by number.

    Every method that lets a session work raises ``BrokenDeviceError`` where that breaks the device.
    """

    def __init__(
        self,
        workload: Workload,
        interval: int,
        seed: int,
        device: Device,
        works_on: Callable[[Sequence[int]], None] = lambda _: None,
        at_birth: ShrinkPerturb | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self._works_on, self._watch = works_on, watch
        self._workload, self._interval, self._device = workload, interval, device
        self._sessions = MemberSessions(workload, seed, device, works_on, at_birth, watch)
        self.members: dict[int, Member] = {}

    @property
    def packs(self) -> Packs:
        """Which members train together."""
        return self._sessions.packs

    @property
    def faults(self) -> Faults:
        """What is known of members in whose training a device has broken."""
        return self._sessions.faults

    @faults.setter
    def faults(self, known: Faults) -> None:
        self._sessions.faults = known

    def settle(self, configs: Mapping[int, Config], generations: Mapping[int, int]) -> None:
        """Host these members, with fresh weights, in place of all that lived here."""
        for member in self.members.values():
            self._sessions.drop(member)
        self.members = {
            number: Member(number, config, None, generation=generations[number])
            for number, config in configs.items()
        }
        for member in self.members.values():
            self._sessions.start(member)

    def use(self, choice: EngineChoice) -> None:
        """Train with this engine from now on."""
        self._sessions.packs = Packs(self._workload, self._device, choice)

    def choose_engine(self, configs: Sequence[Config], intervals: int, *, may_loop: bool) -> EngineChoice:
        """The engine that trains members with these configurations fastest for so many intervals.

        To be asked before they live here, since those that are tried take as much memory.

        Raises:
            NoRoomError: they do not fit into memory.
        """
        if not isinstance(self._workload, PackableWorkload):
            return EngineChoice("loop", "the workload cannot be packed")
        course = Course(self._interval, intervals)
        try:
            return self._workload.choose_engine(configs, self._device, course, may_loop=may_loop)
        except NoRoomError:
            raise
        except Exception as error:
            if breaks_device(error):
                raise self._sessions.broken((), error) from error
            # As in training, where it is the member's failure.
            return EngineChoice("loop", f"trying the engines failed: {type(error).__name__}: {error}")

    def groups(self, numbers: Iterable[int]) -> list[list[int]]:
        """These members as groups that train together; a suspect of :mod:`.device_faults` trains alone."""
        members = [self.members[number] for number in numbers]
        suspects = {
            m.number for m in members if self.faults.suspects_now(m.number, m.generation + 1, m.config)
        }
        together = [(m.number, m.config, m.session) for m in members if m.number not in suspects]
        return [*([number] for number in suspects), *self.packs.groups(together)]

    def train(self, number: int) -> Report:
        """Train one member for one interval; whatever it raises becomes the report's failure."""
        return self._train([number])[0]

    def train_all(self, numbers: Iterable[int]) -> list[Report]:
        """Train members for one interval, those together that can be; one report each, in order."""
        numbers = list(numbers)
        reports = {report.member: report for group in self.groups(numbers) for report in self._train(group)}
        return [reports[number] for number in numbers]

    def _train(self, group: Sequence[int]) -> list[Report]:
        """Train members of one group, which share the time that it takes equally."""
        members = [self.members[number] for number in group]
        for member in members:
            self._sessions.heed(member)
        self._works_on(group)
        sessions = [member.session for member in members if member.session is not None]
        began = time.perf_counter()
        try:
            with self._watch(members):
                results = iter(self.packs.advance(members[0].config, sessions, self._interval))
        except Exception as error:
            if breaks_device(error):
                raise self._sessions.broken(members, error) from error
            raise
        seconds = (time.perf_counter() - began) / len(members)
        return [self._report(member, next(results) if member.session else {}, seconds) for member in members]

    def _report(self, member: Member, result: Metrics | BaseException, seconds: float) -> Report:
        if isinstance(result, BaseException) and breaks_device(result):
            raise self._sessions.broken([member], result) from result
        member.generation += 1
        member.age += self._interval
        metrics: Mapping[str, float] = {}
        try:
            if isinstance(result, BaseException):
                raise result
            metrics = numbers(result)
        except RAISED as error:
            self._sessions.fail(member, error)
        where, member.traceback = member.traceback, ""
        return Report(member.number, member.generation, member.age, metrics, seconds, member.failure, where)

    def snapshot(self, number: int) -> MemberState | None:
        """A member's state, on its device, independent of later training; None while it has failed."""
        return self._sessions.state(self.members[number], take_state)

    def apply(
        self, decisions: Sequence[Decision], donors: Mapping[int, MemberState | None]
    ) -> list[Decision]:
        """Let members go on as decided.

        Args:
            decisions: for members of this island, at most one for each.
            donors: published states of parents that are copied. A parent of this island that is not among
                them is copied as it is now.

        Returns:
            Copies that could not be made because a state is None or missing; their members are as before.
        """
        donors = dict(donors)
        ages = {number: member.age for number, member in self.members.items()}
        for decision in decisions:
            if not self._is_direct(decision, donors):
                missing = (decision.donors & self.members.keys()) - donors.keys()
                donors.update((number, self.snapshot(number)) for number in sorted(missing))
        # Only now: a parent whose state cannot be taken has failed and left its pack.
        direct = {decision.member for decision in decisions if self._is_direct(decision, donors)}
        self._copy(decision for decision in decisions if decision.member in direct)
        failed = []
        for decision in decisions:
            member = self.members[decision.member]
            found = {number: donors.get(number) for number in decision.donors}
            states = {number: state for number, state in found.items() if state is not None}
            if member.number in direct:
                member.age = ages[decision.parent]
                self._sessions.reconfigure(member, decision.config)
            elif len(states) < len(found):
                failed.append(decision)
                continue
            elif decision.copies:
                self._sessions.inherit(member, decision, states)
            elif decision.reborn:
                member.config, member.age = decision.config, 0
                self._sessions.start(member)
            else:
                self._sessions.reconfigure(member, decision.config)
            self._sessions.perturb(member, decision)
        return failed

    def _is_direct(self, decision: Decision, donors: Mapping[int, MemberState | None]) -> bool:
        """Whether the parent trains together with its copy, which then takes no state in between."""
        if not decision.copies or decision.crossover is not None:
            return False
        if decision.parent in donors or decision.parent not in self.members:
            return False
        own, parent = self.members[decision.member], self.members[decision.parent]
        if own.session is None or parent.session is None:
            return False
        if self._sessions.needs_rebuild(own, decision.config):
            return False
        return self.packs.together(own.session, parent.session)

    def _copy(self, decisions: Iterable[Decision]) -> None:
        pairs = ((self.members[d.member].session, self.members[d.parent].session) for d in decisions)
        self.packs.copy([(own, parent) for own, parent in pairs if own is not None and parent is not None])

    def save(self, number: int, path: Path) -> bool:
        """Write a member's state, durably, under ``path``; whether there was one."""
        # Written before anything trains on, so references do.
        state = self._sessions.state(self.members[number], lambda session: session.state())
        save_state(path, state)
        return state is not None

    def load(self, number: int, path: Path) -> None:
        """Go on from a saved state; the member's configuration is the one it was settled with.

        One that had failed when it was saved has failed again, so that it is replaced as it would have been.
        """
        member, state = self.members[number], load_state(path)
        if state is not None:
            self._sessions.adopt(member, member.config, state)
        else:
            self._sessions.drop(member)
            member.failure = "it had failed before the snapshot that it comes from"
