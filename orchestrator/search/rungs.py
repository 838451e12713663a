"""The fidelities at which trials report, and may be stopped."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import ConfigurationError
from workloads.base import Fidelity


@dataclass(frozen=True)
class Rungs:
    """A geometric ladder of fidelities, as successive halving has it (Jamieson and Talwalkar 2016).

    Args:
        first: the smallest.
        eta: ratio between two of them, at least 2.
        largest: full training.
    """

    first: int
    eta: int
    largest: int

    @classmethod
    def of(cls, fidelity: Fidelity, first: int | None, eta: int) -> Rungs:
        """The ladder of a workload.

        Args:
            first: the configured ``search.first_rung``.
            eta: the configured ``search.eta``.

        Raises:
            ConfigurationError: the workload cannot be trained that little.
        """
        if first is not None and not fidelity.smallest <= first <= fidelity.largest:
            expected = f"{fidelity.smallest} to {fidelity.largest} {fidelity.unit}s, as the workload has them"
            raise ConfigurationError("search.first_rung", expected, first)
        return cls(first or fidelity.smallest, eta, fidelity.largest)

    def up_to(self, target: int | None = None) -> tuple[int, ...]:
        """``first``, ``first * eta``, … below ``target`` (None: the largest), then ``target`` itself."""
        end = self.largest if target is None else target
        levels = []
        level = self.first
        while level < end:
            levels.append(level)
            level *= self.eta
        return (*levels, end)
