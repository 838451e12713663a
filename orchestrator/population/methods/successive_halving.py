"""Successive halving in the engine of populations, to compare others with at equal training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.objective import sign
from orchestrator.optimizers.rungs import Rungs
from orchestrator.population.methods.contract import Choices
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import Floats, Mask
from orchestrator.population.trials import next_trials, require_intervals, trained
from orchestrator.stopping.halving import goes_on, order
from search_spaces import ConfigurationError
from workloads.contract import Objective


@dataclass(frozen=True)
class SuccessiveHalving:
    """Each member trains one configuration after another; at each rung only the best ``1 / eta`` go on.

    Asynchronous successive halving (Li et al. 2020), with several objectives MO-ASHA (Schmucker et al. 2021),
    by the same rule as ``search/stopping=asha`` (:mod:`orchestrator.stopping.halving`): a trial goes on if it
    is among the best ``1 / eta`` of all that have come as far, those that arrive with it included. Trials are
    stopped and never resumed; the slot of one that ends starts another from new weights, drawn from the
    space. Failed trials do not count at a rung.

    Args:
        eta: ratio of two rungs, and one in how many goes on, at least 2 (MO-ASHA's 3).
        first: intervals to the first rung; the others are ``first * eta``, ``first * eta**2``, …
        length: intervals of a full trial; None: as long as the member lives.
    """

    eta: int = 3
    first: int = 1
    length: int | None = None

    def __post_init__(self) -> None:
        require_intervals("eta", self.eta, 2)
        require_intervals("first", self.first, 1)
        if self.length is not None:
            require_intervals("length", self.length, 2)

    def serves(self, setting: Setting) -> None:
        """Any number of objectives, and bounds; a full trial must fit a member's life and have a rung."""
        if self.length is not None and self.length > setting.generations:
            expected = f"null or at most {setting.generations}, population.generations"
            raise ConfigurationError("length", expected, self.length)
        most = self.length or setting.generations
        if self.first >= most:
            hint = "no trial would be judged before its end"
            raise ConfigurationError("first", f"less than {most}, a full trial", self.first, hint)

    def decide(self, arrived: Rows, past: Past, _rng: np.random.Generator) -> Choices:
        """Stop what is not good enough for its rung, and start trials in the slots of those that ended."""
        latest, lengths = past.latest[arrived], trained(past)
        rungs = np.array(Rungs(self.first, self.eta, self.length or past.setting.generations).up_to())
        reached = lengths[latest]
        ended = past.failed[latest] | (reached >= rungs[-1])
        for rung in np.intersect1d(rungs[:-1], reached[~ended]):
            at_rung = np.flatnonzero((lengths == rung) & ~past.failed)
            judged = np.flatnonzero(~ended & (reached == rung))
            newcomers = np.searchsorted(at_rung, latest[judged])
            ended[judged] = ~self._verdicts(past.losses[at_rung], newcomers, past.setting.objectives)
        reached = np.where(ended, 0, reached)
        return next_trials(arrived, past, ended, rungs[np.searchsorted(rungs, reached, "right")] - reached)

    def _verdicts(self, losses: Floats, newcomers: Rows, objectives: Sequence[Objective]) -> Mask:
        """Whether each newcomer goes on, among all losses ``(n, m)`` at the rung, its own included."""
        violations = _violations(losses, objectives)
        if len(objectives) > 1:
            return np.array([goes_on(losses, int(row), self.eta, violations) for row in newcomers])
        # The same rule, but everything is sorted once.
        kept = order(losses, violations)[: max(1, len(losses) // self.eta)]
        return np.isin(newcomers, kept)


def _violations(losses: Floats, objectives: Sequence[Objective]) -> Floats | None:
    """How far bounded objectives are beyond their bounds, shape ``(n, c)``; None: there are no bounds."""
    bounds = {j: sign(one) * one.bound for j, one in enumerate(objectives) if one.bound is not None}
    return losses[:, list(bounds)] - np.array(list(bounds.values())) if bounds else None
