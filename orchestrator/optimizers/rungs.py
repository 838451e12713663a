"""The fidelities at which trials report and may be stopped."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import ConfigurationError
from workloads.contract import Fidelity


@dataclass(frozen=True)
class Rungs:
    """A geometric ladder of fidelities, as in successive halving (Jamieson and Talwalkar 2016).

    Args:
        first: the smallest.
        eta: the ratio between two neighbours, at least 2.
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


def steps_between(smallest: int, largest: int, eta: int) -> int:
    """How often ``smallest`` can be multiplied by ``eta`` without passing ``largest``, counted exactly.

    ``floor(log(largest / smallest) / log(eta))`` gives 4 for 1, 243 and 3, where 5 is right.
    """
    steps = 0
    while smallest * eta <= largest:
        smallest, steps = smallest * eta, steps + 1
    return steps


def narrow(smallest: int, largest: int, eta: int, unit: str) -> str:
    """The remark where the fidelities span less than one step of ``eta``; empty where they span more."""
    if smallest == largest or steps_between(smallest, largest, eta):
        return ""
    return (
        f"from {smallest} to {largest} {unit}s is less than one step of search.eta={eta}: one trial in {eta} "
        f"goes on from {smallest}, which spares little training"
    )


def never_full(before: int, trials: int, *, exact: bool = True) -> str:
    """The remark of an optimizer that trains fully only after ``before`` trials; empty if it gets there.

    Args:
        exact: whether that is certain, or only expected.
    """
    if trials > before:
        return ""
    none, about = ("none", "") if exact else ("few or none", "about ")
    return (
        f"{none} of these {trials} trials will be trained fully: {about}{before} come before the first "
        f"that is (more search.trials or a larger search.first_rung changes that)"
    )
