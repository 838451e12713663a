"""The rules that stop trials early: their settings, and the studies that they can serve.

A rule judges a trial whenever it reports at a rung below its last. Rules use neither global state nor the
clock: given the same reports in the same order, a :class:`Judge` gives the same verdicts, so a resume is a
replay.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np

from orchestrator.optimizers.rungs import Rungs
from orchestrator.randomness import stream
from orchestrator.stopping import median
from orchestrator.stopping.halving import Rung
from orchestrator.trial import with_bounds
from search_spaces import ConfigurationError
from workloads.contract import Objective

_KEY = "search.stopping"


class Judge(Protocol):
    """A stopping rule during one study."""

    def goes_on(
        self, trial: int, fidelity: int, losses: Sequence[float], violations: Sequence[float]
    ) -> bool:
        """Take in a report and say whether the trial goes on; the verdict at its last rung is not used.

        Args:
            trial: its number in the study.
            fidelity: the rung.
            losses: shape ``(m,)``, minimised and finite.
            violations: shape ``(c,)``, positive where a constraint is violated.
        """
        ...


class StoppingRule(ABC):
    """A rule that judges trials when they report at a rung, and stops those that promise little."""

    name: ClassVar[str]
    most_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = True

    def serves(
        self, objectives: Sequence[Objective], rungs: Rungs, constraints: Sequence[Objective] = ()
    ) -> None:
        """Check that the rule can decide in such a study.

        Args:
            constraints: metrics with a bound that are not optimised.

        Raises:
            ConfigurationError: it takes fewer objectives, heeds no constraints, or has nothing to stop early.
        """
        if self.most_objectives is not None and len(objectives) > self.most_objectives:
            names = [objective.name for objective in objectives]
            raise ConfigurationError(
                _KEY, f"a rule for {len(names)} objectives ({', '.join(names)})", self.name, "asha is one"
            )
        bounded = with_bounds(objectives, constraints)
        if bounded and not self.constraints:
            names = [one.name for one in bounded]
            expected = f"a rule that heeds constraints (on {', '.join(names)})"
            raise ConfigurationError(_KEY, expected, self.name, "asha is one")
        if len(rungs.up_to()) < 2:
            expected = "none, since the workload reports only once"
            raise ConfigurationError(_KEY, expected, self.name, "search/stopping=none")

    @abstractmethod
    def judge(self, rungs: Rungs, seed: int) -> Judge:
        """A judge for a new study.

        Args:
            rungs: where trials report.
            seed: of the rule's random draws, if it makes any.
        """


class Hyperband(StoppingRule):
    """Asynchronous Hyperband (Li et al. 2018, 2020): brackets of successive halving that start at higher and
    higher rungs.

    Each trial is drawn into a bracket, a longer one more often (as Ray Tune does), and goes on if it is among
    the best ``1 / eta`` of its bracket at that rung (:mod:`orchestrator.stopping.halving`). No trial waits.

    Args:
        brackets: how many, up to the number of rungs.
    """

    name = "hyperband"

    def __init__(self, brackets: int = 3) -> None:
        if brackets < 1:
            raise ConfigurationError("brackets", "at least 1", brackets)
        self.brackets = brackets

    def serves(
        self, objectives: Sequence[Objective], rungs: Rungs, constraints: Sequence[Objective] = ()
    ) -> None:
        super().serves(objectives, rungs, constraints)
        most = len(rungs.up_to())
        if self.brackets > most:
            raise ConfigurationError(
                f"{_KEY}.brackets", f"at most {most}, the number of rungs", self.brackets
            )

    def judge(self, rungs: Rungs, seed: int) -> Judge:
        return _Brackets(rungs, self.brackets, seed)


class Asha(Hyperband):
    """Asynchronous successive halving (Li et al. 2020): the best ``1 / eta`` of a rung go on.

    Serves any number of objectives, and constraints (:mod:`orchestrator.stopping.halving`).
    """

    name = "asha"

    def __init__(self) -> None:
        super().__init__(brackets=1)


class MoAsha(Asha):
    """The same rule under its name for several objectives (Schmucker et al. 2021)."""

    name = "mo_asha"


class Median(StoppingRule):
    """The median stopping rule (Golovin et al. 2017): a trial stops if its best result so far is worse than
    the median of the others' running averages.

    Args:
        trials: how many others must have come as far.
    """

    name = "median"
    most_objectives = 1
    constraints = False

    def __init__(self, trials: int = 3) -> None:
        if trials < 1:
            raise ConfigurationError("trials", "at least 1", trials)
        self.trials = trials

    def judge(self, rungs: Rungs, seed: int) -> Judge:
        del rungs, seed
        return _Courses(self.trials)


class _Brackets:
    """Reports by bracket and rung."""

    def __init__(self, rungs: Rungs, brackets: int, seed: int) -> None:
        self._eta, self._seed = rungs.eta, seed
        self._starts = rungs.up_to()[:brackets]
        # Softmax over the number of rungs, as Ray Tune's AsyncHyperBandScheduler draws brackets.
        weights = np.exp(-np.arange(brackets, dtype=float))
        self._weights = weights / weights.sum()
        self._rungs: dict[tuple[int, int], Rung] = {}

    def goes_on(
        self, trial: int, fidelity: int, losses: Sequence[float], violations: Sequence[float]
    ) -> bool:
        bracket = self._bracket(trial)
        if fidelity < self._starts[bracket]:
            return True
        place = (bracket, fidelity)
        if place not in self._rungs:
            self._rungs[place] = Rung(len(losses))
        return self._rungs[place].add(losses, violations, self._eta)

    def _bracket(self, trial: int) -> int:
        if len(self._starts) == 1:
            return 0
        return int(stream(self._seed, "bracket", trial).choice(len(self._starts), p=self._weights))


class _Courses:
    """Each trial's best loss, and the running averages at each fidelity, ascending."""

    def __init__(self, fewest: int) -> None:
        self._fewest = fewest
        self._averages: defaultdict[int, list[float]] = defaultdict(list)
        self._sums: defaultdict[int, float] = defaultdict(float)
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._best: dict[int, float] = {}

    def goes_on(
        self, trial: int, fidelity: int, losses: Sequence[float], violations: Sequence[float]
    ) -> bool:
        del violations
        loss = losses[0]
        self._sums[trial] += loss
        self._counts[trial] += 1
        self._best[trial] = min(loss, self._best.get(trial, loss))
        others = self._averages[fidelity]
        verdict = median.goes_on(self._best[trial], others, self._fewest)
        insort(others, self._sums[trial] / self._counts[trial])
        return verdict
