"""Which of an island's sessions train together, as one program."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from search_spaces import Config, ConfigurationError
from workloads.base import Device, Metrics, Session, Workload
from workloads.devices import breaks_device
from workloads.packing import EngineChoice, Pack, PackableWorkload, Packer

Result = Metrics | Exception
"""What a session's ``advance`` returned or raised."""


class Packs:
    """Groups sessions by what they must share to train together, and keeps the packs from turn to turn.

    A pack whose program fails trains on one by one; sessions like those in it are then never packed again.

    Args:
        workload: what they train.
        device: where.
        choice: the engine; None: the loop, which packs nothing.

    Attributes:
        remarks: lines for people about packs that failed; whoever reads them empties the list.
    """

    def __init__(self, workload: Workload, device: Device, choice: EngineChoice | None = None) -> None:
        self._workload = workload if isinstance(workload, PackableWorkload) else None
        self._packer: Packer | None = None
        self._least = 2
        if self._workload is not None and choice is not None and choice.engine != "loop":
            self._packer, self._least = self._workload.packer(choice.engine, device), choice.least
        self._packs: dict[Hashable, Pack] = {}
        self._homes: dict[int, tuple[Hashable, int]] = {}
        self._unfit: set[Hashable] = set()
        self.remarks: list[str] = []

    def groups(self, members: Iterable[tuple[int, Config, Session | None]]) -> list[list[int]]:
        """Members that are to train together, in the order of their first; one without a session is alone."""
        groups: dict[Hashable, list[int]] = {}
        for number, config, session in members:
            key = None if session is None else self._key(config)
            groups.setdefault((number,) if key is None else (None, key), []).append(number)
        return list(groups.values())

    def release(self, session: Session) -> None:
        """Let go of a session that is trained no more, and of the pack that it was in."""
        if id(session) in self._homes:
            del self._packs[self._homes[id(session)][0]]
            self._find_homes()

    def advance(self, config: Config, sessions: Sequence[Session], amount: int) -> list[Result]:
        """Train sessions of one group, the first of which has ``config``.

        Raises:
            Exception: what has broken the device, where it was in training them together.
        """
        pack = self._pack(config, sessions) if len(sessions) >= self._least else None
        if pack is None:
            return [_alone(session, amount) for session in sessions]
        results = pack.advance(amount)
        if pack.fallback is not None:
            self._give_up(config, len(sessions), pack.fallback)
        return results

    def together(self, one: Session, other: Session) -> bool:
        """Whether a pack holds both."""
        first, second = self._home(one), self._home(other)
        return first is not None and second is not None and first[0] is second[0]

    def copy(self, pairs: Sequence[tuple[Session, Session]]) -> None:
        """Let the first of each pair go on from the second, which trains together with it."""
        places: dict[Hashable, list[tuple[int, int]]] = {}
        for receiver, donor in pairs:
            key, place = self._homes[id(receiver)]
            places.setdefault(key, []).append((place, self._homes[id(donor)][1]))
        for key, own in places.items():
            receivers, donors = zip(*own, strict=True)
            self._packs[key].copy(receivers, donors)

    def _home(self, session: Session) -> tuple[Hashable, int] | None:
        """The key of the pack that holds a session, and its place there."""
        return self._homes.get(id(session))

    def _key(self, config: Config) -> Hashable | None:
        """What sessions must share; None where they train alone."""
        if self._packer is None or self._workload is None:
            return None
        key = self._workload.static_key(config)
        return None if key in self._unfit else key

    def _pack(self, config: Config, sessions: Sequence[Session]) -> Pack | None:
        """The pack of exactly these sessions."""
        key = self._key(config)
        if key is None or self._packer is None:
            return None
        pack = self._packs.get(key)
        if pack is not None and list(map(id, pack.sessions)) == list(map(id, sessions)):
            return pack
        try:
            self._packs[key] = self._packer.pack(sessions)
        except (ConfigurationError, RuntimeError) as error:
            if breaks_device(error):
                raise
            self._give_up(config, len(sessions), str(error))
            return None
        self._find_homes()
        return self._packs[key]

    def _give_up(self, config: Config, members: int, reason: str) -> None:
        key = self._key(config)
        self._unfit.add(key)
        self._packs.pop(key, None)
        self._find_homes()
        self.remarks.append(f"{members} members train one after the other: {reason}")

    def _find_homes(self) -> None:
        # Packs keep their sessions alive, so that no other object can have one's identity.
        self._homes = {
            id(session): (key, place)
            for key, pack in self._packs.items()
            for place, session in enumerate(pack.sessions)
        }


def _alone(session: Session, amount: int) -> Result:
    try:
        return session.advance(amount)
    except Exception as error:  # noqa: BLE001 - a user's training may raise anything
        return error
