"""Tries which engine trains these members fastest, in a small part of the time that it can save."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

from search_spaces import Config
from workloads.contract import Device
from workloads.devices import breaks_device
from workloads.packing import Course, Engine, EngineChoice, NoRoomError
from workloads.torch.packed.equivalence import alone_because, find_obstacle, strangers
from workloads.torch.packed.pack import Pack
from workloads.torch.packed.packer import Packer
from workloads.torch.pieces import Pieces
from workloads.torch.session import TorchSession

SHORT_COURSE = 3.0
"""Seconds of training that are not worth any trying."""
COMPILING = 0.06
"""Seconds that ``torch.compile`` takes for each tensor operation of a step and an evaluation, about."""
WORTH_COMPILING = 3.0
"""How many times longer than compiling the training must be.

Compiling saves between a third and two thirds of it; what each island repeats takes a quarter as long."""
SHARE = 0.03
"""Of the training that lies ahead, at most about this much is spent on timing."""
ROUNDS = 3, 8
"""How often engines are timed in turns: at least, and at most while it is a close race."""
CLOSE = 1.1
"""A ratio between the two fastest that calls for more rounds."""


def choose_engine(
    definition: Pieces, configs: Sequence[Config], device: Device, course: Course, *, may_loop: bool
) -> EngineChoice:
    """See :meth:`workloads.packing.PackableWorkload.choose_engine`.

    The members that are tried are strangers to the study: same hyperparameters, other seeds, thrown away.
    Where builds differ all that are tried have the most frequent one whose training algorithm can train many,
    since members gather in groups as they copy one another; then the smallest group that is worth packing is
    estimated as well.
    """
    if len(configs) < 2:
        return EngineChoice("loop", "there is one member here")
    groups = _groups(definition, configs)
    fitting = [group for group in groups if not alone_because(definition, group[0])]
    if not fitting:
        reasons = dict.fromkeys(alone_because(definition, group[0]) for group in groups)
        return EngineChoice("loop", f"each member trains alone: {', '.join(reasons)}")
    tried = configs if len(groups) == 1 else [max(fitting, key=len)[0]] * len(configs)
    if (obstacle := find_obstacle(definition, tried[:2], device)) is not None:
        return EngineChoice("loop", f"the model cannot be packed: {obstacle}")
    for members in _fewer_and_fewer(len(tried)):
        try:
            choice = _race(
                definition, tried[:members], device, course, may_loop=may_loop, alike=len(groups) == 1
            )
        except NoRoomError as error:
            if not may_loop:
                raise
            no_room = error
            continue
        if members == len(tried) or choice.engine == "loop":
            return choice
        return replace(choice, reason=f"{choice.reason}; {len(tried)} did not fit into memory when tried")
    return EngineChoice("loop", f"they do not fit into memory together: {no_room}")


def _fewer_and_fewer(members: int) -> Iterator[int]:
    """All members, then half as many each time, down to two: fewer may train together later."""
    while members >= 2:
        yield members
        members //= 2


def _race(
    definition: Pieces,
    tried: Sequence[Config],
    device: Device,
    course: Course,
    *,
    may_loop: bool,
    alike: bool,
) -> EngineChoice:
    """The engine that wins; ``alike``: whether all members have the build that is tried."""
    race = _Race(course, len(tried))
    pair = strangers(definition, tried[:2], device)
    if may_loop:
        race.enter("loop", _alone(pair), members=2)
        if race.seconds("loop") < SHORT_COURSE:
            reason = f"{race.seconds('loop'):.1f} s of training are too few to try other engines"
            return EngineChoice("loop", reason)
        race.budget = SHARE * race.seconds("loop")
    checked, members = [definition.static_key(tried[0])], strangers(definition, tried, device)
    packer = Packer("packed", device, trace_after=0, checked=checked)
    pack = packer.pack(members)
    race.enter("packed", _together(pack), len(members))
    race.run()
    if not alike:
        return race.choice(race.least(_together(packer.pack(pair))) if may_loop else 2)
    compiling = COMPILING * packer.footprint(members[0]).operations
    if race.seconds(race.fastest) > WORTH_COMPILING * compiling:
        try:
            # In the same memory: members that are tried take no more than those that are trained.
            compiler = Packer("compiled", device, checked=checked)
            race.enter("compiled", _together(compiler.pack(members, beside=pack)), len(members))
        except (RuntimeError, NoRoomError) as error:
            if breaks_device(error):
                raise
            return race.choice(remark=f"; it cannot be compiled: {error}")
        race.run()
    return race.choice()


class _Race:
    """Times engines by turns; the fastest round of each counts, since noise only ever adds.

    Args:
        course: of the members.
        members: how many there are.

    Attributes:
        budget: seconds that rounds after the first few may take.
    """

    def __init__(self, course: Course, members: int) -> None:
        self._course, self._members, self.budget = course, members, 0.0
        self._steps = min(10, course.interval)
        self._advance: dict[Engine, Callable[[int], None]] = {}
        self._interval: dict[Engine, float] = {}
        self._scale: dict[Engine, float] = {}

    def enter(self, engine: Engine, advance: Callable[[int], None], members: int) -> None:
        """Take in an engine that advances this many members at each call; warm it up and time it once."""
        self._advance[engine], self._scale[engine] = advance, self._members / members
        advance(self._steps)
        self._time(engine)

    def run(self) -> None:
        """Time all engines by turns, longer while they are close to each other."""
        began = time.perf_counter()
        for number in range(ROUNDS[1]):
            if number >= ROUNDS[0] and (not self._close or time.perf_counter() - began > self.budget):
                return
            for engine in self._advance:
                self._time(engine)

    def seconds(self, engine: Engine) -> float:
        """What the whole course would take."""
        return self._course.intervals * self._interval[engine]

    @property
    def fastest(self) -> Engine:
        return min(self._interval, key=self._interval.__getitem__)

    def least(self, advance: Callable[[int], None]) -> int:
        """How many members a pack must have to be faster than the loop, ``advance`` being that of two.

        The time of a pack is taken to be that of its operations, plus that of each member.
        """
        advance(self._steps)
        two = min(self._measure(advance) for _ in range(ROUNDS[0]))
        each = max(0.0, self._interval["packed"] - two) / max(1, self._members - 2)
        alone = self._interval["loop"] / self._members
        return 2 if alone <= each else max(2, math.ceil((two - 2 * each) / (alone - each)))

    def choice(self, least: int = 2, remark: str = "") -> EngineChoice:
        """The fastest, and why."""
        steps = self._members * self._course.interval
        rates = {str(engine): steps / seconds for engine, seconds in self._interval.items()}
        others = [
            f"{self._interval[engine] / self._interval[self.fastest]:.3g} times as fast as {engine}"
            for engine in self._interval
            if engine != self.fastest
        ]
        text = f"{self._members} members train " + (" and ".join(others) or "together") + remark
        if least > 2 and self.fastest != "loop":
            text += f", once {least} or more have the same build"
        return EngineChoice(self.fastest, text, rates, least)

    @property
    def _close(self) -> bool:
        first, *others = sorted(self._interval.values())
        return bool(others) and others[0] < CLOSE * first

    def _time(self, engine: Engine) -> None:
        seconds = self._scale[engine] * self._measure(self._advance[engine])
        self._interval[engine] = min(seconds, self._interval.get(engine, math.inf))

    def _measure(self, advance: Callable[[int], None]) -> float:
        """Seconds for an interval; a few steps stand for it, and an evaluation, which is timed apart."""
        moments = [time.perf_counter()]
        for amount in (self._steps, 0):
            advance(amount)
            moments.append(time.perf_counter())
        both, evaluation = moments[1] - moments[0], moments[2] - moments[1]
        return evaluation + self._course.interval * max(0.0, both - evaluation) / self._steps


def _alone(sessions: Sequence[TorchSession]) -> Callable[[int], None]:
    def advance(amount: int) -> None:
        for session in sessions:
            session.advance(amount)

    return advance


def _together(pack: Pack) -> Callable[[int], None]:
    def advance(amount: int) -> None:
        pack.advance(amount)
        if pack.fallback is not None:
            raise RuntimeError(pack.fallback)

    return advance


def _groups(definition: Pieces, configs: Sequence[Config]) -> list[list[Config]]:
    groups: dict[Hashable, list[Config]] = {}
    for config in configs:
        groups.setdefault(definition.static_key(config), []).append(config)
    return list(groups.values())
