"""Which of an island's sessions train together, as one program."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from search_spaces import Config, ConfigurationError
from workloads.contract import Device, Metrics, Session, Workload
from workloads.devices import breaks_device, lacks_memory
from workloads.outcomes import RAISED
from workloads.packing import EngineChoice, NoRoomError, Pack, PackableWorkload, Packer

Result = Metrics | BaseException
"""What a session's ``advance`` returned or raised."""

PATIENCE = 64
"""Most turns between two tries to find memory for the same members."""


@dataclass
class _Wait:
    """Members for which there was no memory.

    Args:
        turns: between the last try and the next.
        left: of them.
    """

    turns: int = 1
    left: int = 1

    def is_over(self) -> bool:
        """Whether it is time for another try; to be asked once a turn."""
        self.left -= 1
        return self.left <= 0

    def go_on(self) -> None:
        """The try was in vain; wait twice as long for the next."""
        self.turns = self.left = min(2 * self.turns, PATIENCE)


class Packs:
    """Groups sessions by what they must share to train together, and keeps the packs from turn to turn.

    A pack whose program fails trains on one by one; sessions like those in it are then never packed again.
    For lack of memory they train one by one for some turns, and are tried again: members die or move to
    other builds, and other processes end.

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
        self._waits: dict[Hashable, _Wait] = {}
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
        results: list[Result] = [*pack.advance(amount)]
        if pack.fallback is None:
            self._found_room(config, len(sessions))
        elif pack.no_room:
            self._postpone(config, len(sessions), pack.fallback)
        else:
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
        if key in self._waits and not self._waits[key].is_over():
            return None
        try:
            self._packs[key] = self._packer.pack(sessions)
        except (ConfigurationError, RuntimeError) as error:
            if breaks_device(error):
                raise
            may_fit_later = isinstance(error, NoRoomError) or lacks_memory(error)
            (self._postpone if may_fit_later else self._give_up)(config, len(sessions), str(error))
            return None
        self._find_homes()
        return self._packs[key]

    def _give_up(self, config: Config, members: int, reason: str) -> None:
        key = self._key(config)
        self._dissolve(key)
        self._unfit.add(key)
        self.remarks.append(f"{members} members train one after the other: {reason}")

    def _postpone(self, config: Config, members: int, reason: str) -> None:
        key = self._key(config)
        self._dissolve(key)
        if key in self._waits:
            self._waits[key].go_on()
            return
        self._waits[key] = _Wait()
        self.remarks.append(f"{members} members train one after the other for now: {reason}")

    def _found_room(self, config: Config, members: int) -> None:
        if self._waits and self._waits.pop(self._key(config), None) is not None:
            self.remarks.append(f"{members} members train together: there is memory for them now")

    def _dissolve(self, key: Hashable) -> None:
        self._packs.pop(key, None)
        self._find_homes()

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
    except RAISED as error:
        return error
