"""An island: the worker that hosts some of a population's members, resident one beside the other.

Knows nothing of Ray: states of members that live elsewhere come in as values.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.population.device_faults import BrokenDeviceError, Fault, Faults
from orchestrator.population.member import Member, MemberState
from orchestrator.population.packs import Packs
from orchestrator.population.records import Decision, Report
from orchestrator.randomness import user_seed
from orchestrator.text import first_line
from search_spaces import Config
from workloads.contract import Device, Metrics, PerturbableSession, Session, State, Workload
from workloads.devices import breaks_device
from workloads.packing import Course, EngineChoice, NoRoomError, PackableWorkload
from workloads.state import load_state, restore, save_state, take_state


class Island:
    """Trains members, and lets them take over weights and hyperparameters.

    Args:
        workload: what is trained.
        interval: units of fidelity between two looks at the population.
        seed: the study's seed; member ``i`` draws everything from ``(seed, "member", i)``, wherever it lives.
        device: where the members compute.
        works_on: told of the members whose sessions are called next.

    Attributes:
        members: those that live here, by number.
        faults: what is known of members in whose training a device has broken.

    Every method that lets a session work raises ``BrokenDeviceError`` where that breaks the device.
    """

    def __init__(
        self,
        workload: Workload,
        interval: int,
        seed: int,
        device: Device,
        works_on: Callable[[Sequence[int]], None] = lambda _: None,
    ) -> None:
        self._works_on = works_on
        self._workload, self._interval, self._seed, self._device = workload, interval, seed, device
        self.members: dict[int, Member] = {}
        self.faults = Faults()
        self.packs = Packs(workload, device)

    def settle(self, configs: Mapping[int, Config], generations: Mapping[int, int]) -> None:
        """Host these members, with fresh weights, in place of all that lived here."""
        for member in self.members.values():
            self._drop(member)
        self.members = {
            number: Member(number, config, None, generation=generations[number])
            for number, config in configs.items()
        }
        for member in self.members.values():
            self._start(member)

    def use(self, choice: EngineChoice) -> None:
        """Train with this engine from now on."""
        self.packs = Packs(self._workload, self._device, choice)

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
                raise self._broken((), error) from error
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
            self._heed(member)
        self._works_on(group)
        sessions = [member.session for member in members if member.session is not None]
        began = time.perf_counter()
        try:
            results = iter(self.packs.advance(members[0].config, sessions, self._interval))
        except Exception as error:
            if breaks_device(error):
                raise self._broken(members, error) from error
            raise
        seconds = (time.perf_counter() - began) / len(members)
        return [self._report(member, next(results) if member.session else {}, seconds) for member in members]

    def _report(self, member: Member, result: Metrics | Exception, seconds: float) -> Report:
        if isinstance(result, Exception) and breaks_device(result):
            raise self._broken([member], result) from result
        member.generation += 1
        member.age += self._interval
        metrics: Mapping[str, float] = {}
        try:
            if isinstance(result, Exception):
                raise result
            metrics = {name: float(value) for name, value in result.items()}
        except Exception as error:  # noqa: BLE001 - a user's training may raise anything, and return it
            self._fail(member, error)
        where, member.traceback = member.traceback, ""
        return Report(member.number, member.generation, member.age, metrics, seconds, member.failure, where)

    def snapshot(self, number: int) -> MemberState | None:
        """A member's state, on its device, independent of later training; None while it has failed."""
        return self._state(number, take_state)

    def _state(self, number: int, take: Callable[[Session], State]) -> MemberState | None:
        member = self.members[number]
        if member.session is not None:
            try:
                return {"age": member.age, "session": take(member.session)}
            except Exception as error:
                if breaks_device(error):
                    raise self._broken([member], error, ahead=0) from error
                self._fail(member, error)  # as in training, where it is the member's failure
        return None

    def apply(
        self, decisions: Sequence[Decision], donors: Mapping[int, MemberState | None]
    ) -> list[Decision]:
        """Let members go on as decided.

        Args:
            decisions: for members of this island, at most one for each.
            donors: published states of parents that are copied. A parent of this island that is not among
                them is copied as it is now.

        Returns:
            Copies that could not be made because the state is None or missing; their members are as before.
        """
        donors = dict(donors)
        ages = {number: member.age for number, member in self.members.items()}
        for decision in decisions:
            missing = decision.parent in self.members and decision.parent not in donors
            if decision.copies and not self._is_direct(decision, donors) and missing:
                donors[decision.parent] = self.snapshot(decision.parent)
        # Only now: a parent whose state cannot be taken has failed and left its pack.
        direct = {decision.member for decision in decisions if self._is_direct(decision, donors)}
        self._copy(decision for decision in decisions if decision.member in direct)
        failed = []
        for decision in decisions:
            member = self.members[decision.member]
            donor = donors.get(decision.parent) if decision.copies else None
            if decision.copies and donor is None and member.number not in direct:
                failed.append(decision)
            elif member.number in direct:
                member.age = ages[decision.parent]
                self._reconfigure(member, decision.config)
            elif donor is not None:
                self._adopt(member, decision.config, donor)
            elif decision.reborn:
                member.config, member.age = decision.config, 0
                self._start(member)
            else:
                self._reconfigure(member, decision.config)
            self._perturb(member, decision)
        return failed

    def _is_direct(self, decision: Decision, donors: Mapping[int, MemberState | None]) -> bool:
        """Whether the parent trains together with its copy, which then takes no state in between."""
        if not decision.copies or decision.parent in donors or decision.parent not in self.members:
            return False
        own, parent = self.members[decision.member], self.members[decision.parent]
        if own.session is None or parent.session is None or self._needs_rebuild(own, decision.config):
            return False
        return self.packs.together(own.session, parent.session)

    def _copy(self, decisions: Iterable[Decision]) -> None:
        pairs = ((self.members[d.member].session, self.members[d.parent].session) for d in decisions)
        self.packs.copy([(own, parent) for own, parent in pairs if own is not None and parent is not None])

    def save(self, number: int, path: Path) -> bool:
        """Write a member's state, durably, under ``path``; whether there was one."""
        # Written before anything trains on, so references do.
        state = self._state(number, lambda session: session.state())
        save_state(path, state)
        return state is not None

    def load(self, number: int, path: Path) -> None:
        """Go on from a saved state; the member's configuration is the one it was settled with.

        One that had failed when it was saved has failed again, so that it is replaced as it would have been.
        """
        member, state = self.members[number], load_state(path)
        if state is not None:
            self._adopt(member, member.config, state)
        else:
            self._drop(member)
            member.failure = "it had failed before the snapshot that it comes from"

    def _adopt(self, member: Member, config: Config, donor: MemberState) -> None:
        rebuild = self._needs_rebuild(member, config)
        member.config = config
        if self._heed(member):
            return
        if rebuild:
            self._start(member)
        if member.session is not None:
            self._attempt(member, lambda session: restore(session, donor["session"], config))
            member.age = donor["age"]

    def _needs_rebuild(self, member: Member, config: Config) -> bool:
        """Whether the member has no session, or one of another build than ``config`` asks for."""
        fixed = self._workload.space.immutable_part
        return member.session is None or fixed(config) != fixed(member.config)

    def _reconfigure(self, member: Member, config: Config) -> None:
        if config != member.config:
            member.config = config
            if not self._heed(member) and member.session is not None:
                self._attempt(member, lambda session: session.configure(config))

    def _start(self, member: Member) -> None:
        self._drop(member)
        member.failure = None
        if self._heed(member):
            return
        self._works_on([member.number])
        try:
            seed = user_seed(self._seed, "member", member.number)
            device = replace(self._device, unit=f"member-{member.number:03d}")
            member.session = self._workload.start(member.config, seed, device)
        except Exception as error:  # noqa: BLE001 - as in train
            self._fail(member, error)

    def _perturb(self, member: Member, decision: Decision) -> None:
        """Shrink and perturb weights as decided; donors have been taken before."""
        change = decision.change
        if change is None or member.session is None:
            return
        seed = user_seed(self._seed, "perturb", member.number, decision.generation)

        def perturb(session: Session) -> None:
            if not isinstance(session, PerturbableSession):
                raise TypeError("the workload's session cannot perturb its weights")
            session.perturb(change.keep, change.noise, seed)

        self._attempt(member, perturb)

    def _attempt(self, member: Member, action: Callable[[Session], None]) -> None:
        assert member.session is not None
        try:
            action(member.session)
        except Exception as error:  # noqa: BLE001 - as in train
            self._fail(member, error)

    def _heed(self, member: Member) -> bool:
        """Do not train a member with what has broken the device twice; whether it is so."""
        verdict = self.faults.verdict(member.number, member.generation + 1, member.config)
        if verdict is not None:
            self._drop(member)
            member.failure = verdict
        return verdict is not None

    def _broken(self, members: Iterable[Member], error: Exception, ahead: int = 1) -> BrokenDeviceError:
        """The members' fault in the interval that is ``ahead`` of those that they have trained."""
        reason = f"{type(error).__name__}: {first_line(str(error))}"
        faults = (Fault(m.number, m.generation + ahead, m.config, reason) for m in members)
        return BrokenDeviceError(tuple(faults), reason)

    def _fail(self, member: Member, error: Exception) -> None:
        if breaks_device(error):
            raise self._broken([member], error) from error
        self._drop(member)
        member.failure = f"{type(error).__name__}: {first_line(str(error))}"
        member.traceback = "".join(traceback.format_exception(error))

    def _drop(self, member: Member) -> None:
        if member.session is not None:
            self.packs.release(member.session)
        member.session = None
