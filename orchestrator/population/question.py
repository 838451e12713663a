"""What a method is asked: a question can be answered in another thread while the population goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.methods.contract import Choices, Method
from orchestrator.population.past import Past, Rows
from orchestrator.population.records import MemberInterval


@dataclass(frozen=True)
class Question:
    """How do members go on that have just published?

    Args:
        method: who is asked.
        latest: their latest intervals.
        past: the population's past; a copy where the population goes on meanwhile.
        rng: source of randomness; a question is answered once.
    """

    method: Method
    latest: tuple[MemberInterval, ...]
    past: Past
    rng: np.random.Generator

    @property
    def members(self) -> Rows:
        """The members' numbers, ascending, shape ``(k,)``."""
        return np.sort(np.array([interval.member for interval in self.latest], dtype=np.intp))

    def answer(self) -> Choices:
        """The method's choices for these members."""
        return self.method.decide(self.members, self.past, self.rng)
