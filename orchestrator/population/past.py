"""A population's past as arrays, which is all that a method sees of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orchestrator.population.records import MemberInterval
from orchestrator.population.rules.contract import Floats, Mask
from search_spaces import Config, SearchSpace
from workloads.contract import Objective

Rows = NDArray[np.intp]
"""Rows of a past, or numbers of members."""

NOTHING = -1
"""In place of a row: new weights, or a publication that a restart has taken back."""


@dataclass(frozen=True)
class Setting:
    """What a method knows of its study beforehand.

    Args:
        space: the search space; column ``j`` of all units is its ``codec.columns[j]``.
        objectives: what is optimised.
        size: members in the population.
        generations: intervals in each member's life; nothing is decided after the last.
        blocks: parts of the models that can move from one to another, by name, each with the hyperparameters
            that it is built by; some of these may not be in the space.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    size: int
    generations: int
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Past:
    """What members have published, a row for each interval in the order of arrival; arrays grow in place.

    Rows of intervals that a restart takes back are gone; the others then stand by generation and member.

    Args:
        setting: the study.
        born: the configuration that each member is born with.

    Attributes:
        setting: the study.
        latest: by member, the row of its latest interval (:data:`NOTHING` before its first), shape
            ``(size,)``.
        running: by member, the hyperparameters that it trains with now, in unit coordinates (NaN where
            inactive), shape ``(size, dim)``.
        due: by member, the generation after which it is decided on next, shape ``(size,)``.
    """

    def __init__(self, setting: Setting, born: Sequence[Config]) -> None:
        self.setting = setting
        self._type = np.dtype(
            [
                ("member", np.intp),
                ("generation", np.intp),
                ("origin", np.intp),
                ("weights", np.intp),
                ("age", np.float64),
                ("lost", np.bool_),
                ("changed", np.bool_),
                ("losses", np.float64, (len(setting.objectives),)),
                ("units", np.float64, (len(setting.space.codec.columns),)),
            ]
        )
        self._born = setting.space.codec.encode(born)
        self._rows = np.empty(max(64, 4 * setting.size), dtype=self._type)
        self._length = 0
        self.latest: Rows = np.empty(setting.size, dtype=np.intp)
        self.running: Floats = self._born.copy()
        self.due: Rows = np.empty(setting.size, dtype=np.intp)
        self._changing: Mask = np.zeros(setting.size, dtype=bool)
        self._clear()

    def __len__(self) -> int:
        """The number of intervals, ``n`` below."""
        return self._length

    @property
    def member(self) -> Rows:
        """Whose interval it was, shape ``(n,)``."""
        return self._column("member")

    @property
    def generation(self) -> Rows:
        """Intervals in the member's own life, this one included, shape ``(n,)``."""
        return self._column("generation")

    @property
    def age(self) -> Floats:
        """Training steps in the weights at its end, shape ``(n,)``."""
        return self._column("age")

    @property
    def units(self) -> Floats:
        """The hyperparameters that it trained with, in unit coordinates, shape ``(n, dim)``."""
        return self._column("units")

    @property
    def losses(self) -> Floats:
        """What it reached, minimised; NaN where it failed, shape ``(n, m)``."""
        return self._column("losses")

    @property
    def origin(self) -> Rows:
        """The row whose weights it trained on, or :data:`NOTHING`, shape ``(n,)``."""
        return self._column("origin")

    @property
    def changed(self) -> Mask:
        """Whether any of those weights had been shrunk and perturbed before it, shape ``(n,)``."""
        return self._column("changed")

    @property
    def lost(self) -> Mask:
        """Whether the weights that it published can no longer be copied, shape ``(n,)``."""
        return self._column("lost")

    @property
    def failed(self) -> Mask:
        """Whether it failed, shape ``(n,)``."""
        return np.isnan(self.losses).any(axis=1, keepdims=False).astype(bool)

    @property
    def before(self) -> Floats:
        """The losses of the weights that it trained on; NaN for new weights, shape ``(n, m)``."""
        origin = self.origin
        losses = self.losses[origin]
        losses[origin == NOTHING] = np.nan
        return losses

    def copy(self) -> Past:
        """A past of its own, which stays as it is."""
        kept = copy(self)
        kept._rows = self._rows[: self._length].copy()
        kept.latest, kept.running, kept.due = self.latest.copy(), self.running.copy(), self.due.copy()
        kept._changing = self._changing.copy()
        return kept

    def life(self, member: int) -> Rows:
        """The rows of a member's own intervals, oldest first."""
        return np.flatnonzero(self.member == member)

    def append(self, interval: MemberInterval) -> None:
        """A member has published."""
        member = interval.member
        before = self.latest[member]
        row = self._length
        if row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._length += 1
        # In the order of the type: a row at once costs a fraction of its fields one by one.
        self._rows[row] = (
            member,
            interval.generation,
            self._rows["weights"][before] if before != NOTHING else NOTHING,
            row,
            interval.age,
            False,
            self._changing[member],
            interval.losses,
            self.running[member],
        )
        self.latest[member] = row
        self._changing[member] = False

    def settle(self, intervals: Sequence[MemberInterval]) -> None:
        """Members' latest intervals say how they go on."""
        fresh = []
        weights, units = self._rows["weights"], self._rows["units"]
        for interval, own in zip(
            intervals, self.latest[[one.member for one in intervals]].tolist(), strict=True
        ):
            decision, member = interval.decision, interval.member
            row = self._row(decision.parent, decision.parent_generation) if decision.copies else own
            row = NOTHING if decision.reborn else row
            weights[own] = row
            self.due[member] = interval.generation + decision.wait
            self._changing[member] = decision.change is not None
            if decision.config == interval.config:
                self.running[member] = units[own]
            else:
                fresh.append(interval)
        if fresh:
            changed = self.setting.space.codec.encode([interval.next_config for interval in fresh])
            self.running[[interval.member for interval in fresh]] = changed

    def lose(self, member: int) -> None:
        """The weights of a member's latest publication can no longer be copied."""
        self._rows[self.latest[member]]["lost"] = True

    def rebuild(self, lives: Sequence[Sequence[MemberInterval]]) -> None:
        """Hold these lives and nothing else; ``lives[member][generation - 1]``."""
        self._clear()
        ordered = sorted(
            (one for life in lives for one in life), key=lambda one: (one.generation, one.member)
        )
        encoded = self._encoded(ordered)
        rows = {interval.place: row for row, interval in enumerate(ordered)}
        for interval in ordered:
            self.running[interval.member] = encoded[_key(interval.config)]
            self.append(interval)
            row, origin = rows[interval.place], interval.origin
            at = NOTHING if origin is None else rows.get(origin.place, NOTHING)
            # What was published there since is other weights.
            held = origin is not None and at != NOTHING and ordered[at].is_publication_of(origin)
            self._rows[row]["origin"] = at if held else NOTHING
            self._changing[interval.member] = interval.change is not None
        for last in (life[-1] for life in lives if life):
            place = last.parent, last.generation if last.parent_generation is None else last.parent_generation
            self._rows[rows[last.place]]["weights"] = NOTHING if last.reborn else rows.get(place, NOTHING)
            self.due[last.member] = last.generation + last.wait
            self.running[last.member] = encoded[_key(last.next_config)]

    def _encoded(self, intervals: Sequence[MemberInterval]) -> dict[object, Floats]:
        """Every configuration of these intervals in unit coordinates, each encoded once."""
        configs = {_key(config): config for one in intervals for config in (one.config, one.next_config)}
        units = self.setting.space.codec.encode(list(configs.values()))
        return dict(zip(configs, units, strict=True))

    def _row(self, member: int, generation: int | None) -> int:
        """The row of one publication, which is seldom another than the latest."""
        latest = int(self.latest[member])
        if self._rows["generation"][latest] == generation:
            return latest
        return int(np.flatnonzero((self.member == member) & (self.generation == generation))[-1])

    def _column(self, name: str) -> NDArray:  # type: ignore[type-arg]
        return self._rows[name][: self._length]

    def _clear(self) -> None:
        self._length = 0
        self.latest[:] = NOTHING
        self.running[:] = self._born
        self.due[:] = 1
        self._changing[:] = False


def _key(config: Config) -> object:
    return tuple(sorted(config.items()))
