"""Rules that stop trials early: what can be configured, and what each can serve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from orchestrator.search.rungs import Rungs
from orchestrator.trial import with_bounds
from search_spaces import ConfigurationError
from workloads.base import Objective

_KEY = "search.stopping"


class StoppingRule(ABC):
    """A rule that looks at trials when they report at a rung, and stops those that promise little."""

    name: ClassVar[str]
    most_objectives: ClassVar[int | None] = 1
    constraints: ClassVar[bool] = False

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
                _KEY, f"a rule for {len(names)} objectives ({', '.join(names)})", self.name, "mo_asha is one"
            )
        bounded = with_bounds(objectives, constraints)
        if bounded and not self.constraints:
            names = [one.name for one in bounded]
            expected = f"a rule that heeds constraints (on {', '.join(names)})"
            raise ConfigurationError(_KEY, expected, self.name, "mo_asha is one")
        if len(rungs.up_to()) < 2:
            expected = "none, since the workload reports only once"
            raise ConfigurationError(_KEY, expected, self.name, "search/stopping=none")

    @abstractmethod
    def scheduler(self, rungs: Rungs, seed: int) -> Any:
        """Ray Tune's scheduler that follows the rule, for results as ``ray_trial`` reports them.

        Args:
            seed: of what the rule draws at random, if anything.
        """


class Asha(StoppingRule):
    """Asynchronous successive halving (Li et al. 2020) by Ray Tune: the best ``1 / eta`` of a rung go on."""

    name = "asha"

    def scheduler(self, rungs: Rungs, seed: int) -> Any:
        from orchestrator.search.ray_stopping import SeededAsha

        return SeededAsha(rungs, 1, seed)


class Hyperband(StoppingRule):
    """Hyperband (Li et al. 2018) by Ray Tune: brackets of successive halving that begin at higher and higher
    rungs.

    Tune's asynchronous one, in which brackets are drawn at random and no trial waits for another. Its
    synchronous one pauses trials, and what it knows of them is lost when the study is killed.

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

    def scheduler(self, rungs: Rungs, seed: int) -> Any:
        from orchestrator.search.ray_stopping import SeededAsha

        return SeededAsha(rungs, self.brackets, seed)


class Median(StoppingRule):
    """The median stopping rule (Golovin et al. 2017) by Ray Tune.

    A trial stops whose best result so far is worse than the median of the others' running averages.

    Args:
        trials: how many others must have come as far.
    """

    name = "median"

    def __init__(self, trials: int = 3) -> None:
        if trials < 1:
            raise ConfigurationError("trials", "at least 1", trials)
        self.trials = trials

    def scheduler(self, rungs: Rungs, seed: int) -> Any:
        del seed
        from orchestrator.search.ray_stopping import PatientMedian

        return PatientMedian(rungs, self.trials)


class MoAsha(StoppingRule):
    """Asynchronous successive halving for any number of objectives (:mod:`orchestrator.search.mo_asha`).

    A trial that violates a constraint when it reports comes after all that do not.
    """

    name = "mo_asha"
    most_objectives = None
    constraints = True

    def scheduler(self, rungs: Rungs, seed: int) -> Any:
        del seed
        from orchestrator.search.ray_stopping import MoAshaScheduler

        return MoAshaScheduler(rungs)
