"""The results that unfinished trials count as, by the rule that :class:`.Optimizer` states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from orchestrator.trial import Trial


@dataclass(frozen=True)
class Worst:
    """The worst value of the finished trials in each loss and violation."""

    losses: tuple[float, ...]
    violations: tuple[float, ...]

    @classmethod
    def of(cls, trials: Iterable[Trial]) -> Self | None:
        """The corner of those among ``trials`` that finished; None where none has."""
        known = [trial for trial in trials if finished(trial)]
        if not known:
            return None
        losses, violations = ([getattr(one, name) for one in known] for name in ("losses", "violations"))
        return cls(_columnwise_max(losses), _columnwise_max(violations))

    def joined(self, other: Worst) -> Worst:
        """The corner of both."""
        return Worst(
            _columnwise_max([self.losses, other.losses]), _columnwise_max([self.violations, other.violations])
        )

    def imputed(self, trial: Trial) -> Trial:
        """``trial`` with the losses and violations that it counts as; all of them are finite."""
        if finished(trial):
            return trial
        if not trial.usable:
            return replace(trial, losses=self.losses, violations=self.violations)
        return replace(trial, losses=_columnwise_max([trial.losses, self.losses]))


class Imputation:
    """Turns trials, one at a time, into final results, for a library that cannot revise what it was told."""

    def __init__(self) -> None:
        self.worst: Worst | None = None
        self._held_back: list[Trial] = []

    @property
    def holds_back(self) -> bool:
        """Whether trials have ended but none has finished."""
        return bool(self._held_back)

    def take(self, trial: Trial) -> list[Trial]:
        """The trials to tell the library now, in this order; all of their values are finite.

        Empty if ``trial`` did not finish and no other has finished yet: it follows the first that does.
        """
        if not finished(trial):
            if self.worst is None:
                self._held_back.append(trial)
                return []
            return [self.worst.imputed(trial)]
        worst = Worst(trial.losses, trial.violations)
        self.worst = worst if self.worst is None else self.worst.joined(worst)
        held_back, self._held_back = self._held_back, []
        return [trial, *map(self.worst.imputed, held_back)]


def finished(trial: Trial) -> bool:
    """Whether the trial was trained as far as asked, with a usable result."""
    return trial.status == "finished" and trial.usable


def _columnwise_max(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(max(column) for column in zip(*rows, strict=True))
