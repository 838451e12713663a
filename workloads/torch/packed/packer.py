"""Makes packs for one host of members."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from search_spaces import ConfigurationError
from workloads.contract import Device, Session
from workloads.packing import Engine
from workloads.torch.packed.equivalence import find_obstacle
from workloads.torch.packed.memory import Footprint, available_memory, chunk_size, footprint
from workloads.torch.packed.pack import Pack
from workloads.torch.packed.program import TRACE_AFTER, Program
from workloads.torch.session import TorchSession


class Packer:
    """Keeps programs and estimates, since members move from pack to pack.

    Compiling takes tens of seconds for each number of members: only the first pack's is compiled, and packs
    that form later, as members move between builds or fail, train without.

    Args:
        engine: ``packed`` or ``compiled``.
        device: of all sessions.
        trace_after: as programs have it.
        checked: static keys whose members are known to train together as they do alone; others are tried.
    """

    def __init__(
        self,
        engine: Engine,
        device: Device,
        trace_after: int = TRACE_AFTER,
        checked: Iterable[Hashable] = (),
    ) -> None:
        self._may_compile, self._device, self._trace_after = engine == "compiled", device, trace_after
        self._checked = set(checked)
        self._programs: dict[Hashable, Program] = {}
        self._footprints: dict[Hashable, Footprint] = {}

    def pack(self, sessions: Sequence[Session], beside: Pack | None = None) -> Pack:
        """See :meth:`workloads.packing.Packer.pack`.

        Args:
            beside: another pack of the same sessions, whose memory both use; they train by turns.
        """
        members = [_torch_session(session) for session in sessions]
        first = members[0]
        key = first.definition.static_key(first.config)
        if key not in self._checked:
            self._check(members)
            self._checked.add(key)
        if key not in self._programs:
            self._programs[key] = Program(first, self._trace_after)
        each, free = self.footprint(first), available_memory(self._device)
        if beside is not None:
            each = replace(each, resident=0)
        chunk = chunk_size(each, len(members), free)
        pack = Pack(members, self._programs[key], chunk, beside.arena if beside else None)
        if self._may_compile:
            self._programs[key].compile(pack.sizes)
            self._may_compile = False
        return pack

    def _check(self, members: Sequence[TorchSession]) -> None:
        # One more than there may be, since a pack of one proves nothing.
        configs = [member.config for member in (*members, members[0])[:2]]
        obstacle = find_obstacle(members[0].definition, configs, self._device)
        if obstacle is not None:
            raise RuntimeError(f"this build cannot be packed: {obstacle}")

    def footprint(self, member: TorchSession) -> Footprint:
        """What it takes to train such a member."""
        key = member.definition.static_key(member.config)
        if key not in self._footprints:
            self._footprints[key] = footprint(member.definition, member.config, self._device)
        return self._footprints[key]


def _torch_session(session: Session) -> TorchSession:
    if not isinstance(session, TorchSession):
        raise ConfigurationError(
            "population.engine", "sessions of workloads.torch to pack", type(session).__name__
        )
    return session
