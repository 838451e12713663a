"""Members' sessions on one island: how they start, go on from states, change and end."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.config.passwords import masked
from orchestrator.population.decision import Crossover, Decision, ShrinkPerturb
from orchestrator.population.island.device_faults import BrokenDeviceError, Fault, Faults
from orchestrator.population.island.member import Member, MemberState, Watch, unwatched
from orchestrator.population.island.packs import Packs
from orchestrator.randomness import user_seed
from orchestrator.text import first_line
from search_spaces import Config
from workloads.capabilities import BlockSession, BlockWorkload, PerturbableSession
from workloads.contract import Device, Session, State, Workload
from workloads.devices import breaks_device
from workloads.outcomes import RAISED
from workloads.state import restore


class MemberSessions:
    """What an island does to the sessions of its members; whatever one raises is its member's failure.

    Args:
        workload: what is trained.
        seed: the study's seed.
        device: where the members compute.
        works_on: told of the members whose sessions are called next.
        at_birth: how new weights are changed before they train; None: not at all.
        watch: makes what is entered while a member starts.

    Attributes:
        packs: which sessions train together.
        faults: what is known of members in whose training a device has broken.

    Every method that lets a session work raises ``BrokenDeviceError`` where that breaks the device.
    """

    def __init__(
        self,
        workload: Workload,
        seed: int,
        device: Device,
        works_on: Callable[[Sequence[int]], None],
        at_birth: ShrinkPerturb | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self._at_birth, self._watch = at_birth, watch
        self._workload, self._seed, self._device, self._works_on = workload, seed, device, works_on
        self.packs = Packs(workload, device)
        self.faults = Faults()

    def state(self, member: Member, take: Callable[[Session], State]) -> MemberState | None:
        """A member's state, as ``take`` takes it; None while it has failed."""
        if member.session is not None:
            try:
                return {"age": member.age, "session": take(member.session)}
            except RAISED as error:
                if breaks_device(error):
                    raise self.broken([member], error, ahead=0) from error
                self.fail(member, error)  # as in training, where it is the member's failure
        return None

    def inherit(self, member: Member, decision: Decision, states: Mapping[int, MemberState]) -> None:
        """Let a member go on from its parents' states, as decided."""
        donor, crossover = states[decision.parent], decision.crossover
        if crossover is not None:
            second = states[crossover.parent]
            try:
                if not isinstance(self._workload, BlockWorkload):
                    raise TypeError("the workload's models have no blocks that can cross")
                crossed = self._workload.crossed(donor["session"], second["session"], crossover.blocks)
            except RAISED as error:
                member.config = decision.config
                self.fail(member, error)
                return
            donor = {"age": donor["age"], "session": crossed}
        self.adopt(member, decision.config, donor)

    def adopt(self, member: Member, config: Config, donor: MemberState) -> None:
        """Let a member go on from a state, with these hyperparameters."""
        rebuild = self.needs_rebuild(member, config)
        member.config = config
        if self.heed(member):
            return
        if rebuild:
            self.start(member)
        if member.session is not None:
            meant = self._workload.space.meant(config)
            self._attempt(member, lambda session: restore(session, donor["session"], meant))
            member.age = donor["age"]

    def needs_rebuild(self, member: Member, config: Config) -> bool:
        """Whether the member has no session, or one of another build than ``config`` asks for."""
        fixed = self._workload.space.immutable_part
        return member.session is None or fixed(config) != fixed(member.config)

    def reconfigure(self, member: Member, config: Config) -> None:
        """Let a member train on with these hyperparameters, of the same build."""
        if config != member.config:
            member.config = config
            if not self.heed(member) and member.session is not None:
                meant = self._workload.space.meant(config)
                self._attempt(member, lambda session: session.configure(meant))

    def start(self, member: Member) -> None:
        """Give a member new weights, by its configuration."""
        self.drop(member)
        member.failure = None
        if self.heed(member):
            return
        self._works_on([member.number])
        try:
            seed = user_seed(self._seed, "member", member.number)
            device = replace(self._device, unit=f"member-{member.number:03d}")
            with self._watch([member]):
                member.session = self._workload.start(self._workload.space.meant(member.config), seed, device)
        except RAISED as error:
            self.fail(member, error)
            return
        if self._at_birth is not None:
            self._change(member, self._at_birth, 0)

    def perturb(self, member: Member, decision: Decision) -> None:
        """Shrink and perturb weights as decided; donors have been taken before."""
        if decision.change is not None and member.session is not None:
            self._change(member, decision.change, decision.generation, decision.crossover)

    def _change(
        self, member: Member, change: ShrinkPerturb, generation: int, crossover: Crossover | None = None
    ) -> None:
        seed = user_seed(self._seed, "perturb", member.number, generation)

        def perturb(session: Session) -> None:
            if crossover is not None:
                if not isinstance(session, BlockSession):
                    raise TypeError("the workload's session cannot perturb single blocks")
                session.perturb_blocks(crossover.blocks, change.keep, change.noise, seed)
                return
            if not isinstance(session, PerturbableSession):
                raise TypeError("the workload's session cannot perturb its weights")
            session.perturb(change.keep, change.noise, seed)

        self._attempt(member, perturb)

    def _attempt(self, member: Member, action: Callable[[Session], None]) -> None:
        assert member.session is not None
        try:
            action(member.session)
        except RAISED as error:
            self.fail(member, error)

    def heed(self, member: Member) -> bool:
        """Do not train a member with what has broken the device twice; whether it is so."""
        verdict = self.faults.verdict(member.number, member.generation + 1, member.config)
        if verdict is not None:
            self.drop(member)
            member.failure = verdict
        return verdict is not None

    def broken(self, members: Iterable[Member], error: BaseException, ahead: int = 1) -> BrokenDeviceError:
        """The members' fault in the interval that is ``ahead`` of those that they have trained."""
        reason = masked(f"{type(error).__name__}: {first_line(str(error))}")
        faults = (Fault(m.number, m.generation + ahead, m.config, reason) for m in members)
        return BrokenDeviceError(tuple(faults), reason)

    def fail(self, member: Member, error: BaseException) -> None:
        """The member has failed; it has no session until it is replaced."""
        if breaks_device(error):
            raise self.broken([member], error) from error
        self.drop(member)
        member.failure = masked(f"{type(error).__name__}: {first_line(str(error))}")
        member.traceback = "".join(traceback.format_exception(error))

    def drop(self, member: Member) -> None:
        """End a member's session."""
        if member.session is not None:
            self.packs.release(member.session)
        member.session = None
