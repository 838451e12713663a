"""Phases of a population that restarts now and then: worked out of the weights that changed in its past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.past import NOTHING, Past, Rows
from orchestrator.population.rules.contract import Floats


@dataclass(frozen=True)
class Phases:
    """In which phase members are and were; each of a member's restarts begins another, with longer steps.

    A member's phase is the number of its own intervals, so far, that trained on changed weights. It is
    independent of whose weights these were and of the order in which members publish.

    Args:
        past: the population's past.
        factor: how many times longer the steps of each phase are than those of the one before.
        of_row: the phase of each interval, shape ``(n,)``.
        latest: by member, the phase of its latest interval, 0 before its first, shape ``(size,)``.
    """

    past: Past
    factor: int
    of_row: Rows
    latest: Rows

    @classmethod
    def of(cls, past: Past, factor: int) -> Phases:
        """The phases of a past."""
        # Each member's rows stand in the order of its life.
        order = np.argsort(past.member, kind="stable")
        total = np.cumsum(past.changed[order])
        members = past.member[order]
        first = np.searchsorted(members, members)
        counts: Rows = total - (total - past.changed[order])[first]
        of_row = np.empty(len(past), dtype=np.intp)
        of_row[order] = counts
        latest = np.where(past.latest == NOTHING, 0, np.append(of_row, 0)[past.latest])
        return cls(past, factor, of_row, latest)

    def length(self, phase: int) -> int:
        """Intervals in a step of a phase."""
        return int(self.factor**phase)

    def starts(self, phase: int) -> Rows:
        """By member, the generation after which it entered a phase; -1 where it has not, ``(size,)``."""
        starts = np.full(self.past.setting.size, np.iinfo(np.intp).max)
        rows = self.of_row == phase
        np.minimum.at(starts, self.past.member[rows], self.past.generation[rows] - 1)
        return np.where(starts == np.iinfo(np.intp).max, -1, starts)

    def due(self, phase: int, start: Rows, generation: Rows) -> Rows:
        """The next generation after which members in a phase are decided on, same shape as the arguments.

        A last step that would be longer than the others, since the life is no multiple of them, is halved.
        """
        length, end = self.length(phase), self.past.setting.generations
        begun = start + (generation - start) // length * length
        middle = begun + (end - begun) // 2
        last = (end - begun > length) & (end - begun < 2 * length)
        halves = np.where(generation < middle, middle, end)
        due: Rows = np.where(last, halves, np.minimum(begun + length, end))
        return due

    def best(self, phase: int) -> Floats:
        """The best loss at the end of each step of a phase that every member has trained, ``(s,)``.

        A step in which everybody failed is left out.
        """
        past, starts = self.past, self.starts(phase)
        if (starts < 0).any():
            return np.empty(0)
        rows = np.flatnonzero(self.of_row == phase)
        start, generation = starts[past.member[rows]], past.generation[rows]
        rows = rows[self.due(phase, start, generation - 1) == generation]
        steps = -(-(past.generation[rows] - starts[past.member[rows]]) // self.length(phase))
        trained = np.zeros(past.setting.size, dtype=np.intp)
        np.maximum.at(trained, past.member[rows], steps)
        best: Floats = np.full(int(steps.max(initial=0)) + 1, np.inf)
        losses = past.losses[rows, 0]
        np.fmin.at(best, steps, losses)
        best = best[1 : int(trained.min()) + 1]
        found: Floats = best[np.isfinite(best)]
        return found

    def roots(self) -> Rows:
        """The row whose weights each interval's descend from within its phase, shape ``(n,)``."""
        begins = self.past.changed | (self.past.origin == NOTHING)
        before = np.where(begins, np.arange(len(self.past)), self.past.origin)
        # Each pass doubles how far back every row looks.
        while not np.array_equal(further := before[before], before):
            before = further
        return before
