"""Faster Improvement Rate PBT (Dalibard and Jaderberg 2021, arXiv 2109.13800)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.population.comparison import Comparison, compare
from orchestrator.population.evaluators import (
    EVALUATOR,
    GREEDY,
    Evaluation,
    evaluations,
    roles,
    waiting,
)
from orchestrator.population.improvement import Race
from orchestrator.population.methods.contract import Choices, going_on, require_mutable, require_objectives
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.proposals import inherited, inside
from orchestrator.population.rules.contract import Floats, Mask, Parents, is_number
from orchestrator.population.rules.explore import Perturb, explore
from orchestrator.population.subpopulations import ranking, rescued
from orchestrator.population.trials import require_intervals
from search_spaces import ConfigurationError

FEWEST = 8
"""Members, so that there are two evaluators to compare."""

MOST_COMPARED = 12
"""Patient members compared at once, each with each; of more under evaluation, these many are drawn."""


@dataclass(frozen=True)
class FirePbt:
    """A greedy sub-population, a patient one, and evaluators that tell which patient member improves faster.

    Members have their roles by number: greedy ones, as many patient ones (or one fewer), then evaluators.

    - **Greedy** members are PBT's: the worst copy the best and explore.
    - An **evaluator** takes the weights of the patient member that has waited longest and the mutable
      hyperparameters of the best greedy one, its child, and trains on. Of the patient members under
      evaluation the fitness is the sum of leads (:class:`~orchestrator.population.improvement.Race`) of
      their evaluator's curve over the others' from where they are equally good; the unfittest copy the
      fittest and explore. So a member that is worse now survives if settled hyperparameters soon make it
      better.
    - An evaluator **succeeds** when it leads over its child and the sign test agrees: its child takes its
      weights. It **stops** when child or patient member have been replaced, when after ``patience`` intervals
      it has not come as far as its child, or when the sign test's p-value exceeds
      ``alpha + max(0, 1 - intervals / patience)``. Either way it goes to the next patient member.

    Shares, factors and tests are those of the code in github AwesomeLemon/IPBT. Differences: two
    sub-populations, where the paper has a chain of any length; one point of a curve for each interval, and
    simpler smoothing; waiting counts from a member's last evaluation or replacement, whichever is later; an
    evaluator that has nobody to evaluate trains on; of many under evaluation some are drawn; failed members
    are replaced. All of it is read off the past: a child is the greedy member that still trains with its
    evaluator's hyperparameters.

    Args:
        quantile: the share of a sub-population at each end that copies and is copied.
        evaluators: the share of the population that evaluates.
        pace: intervals between two times that greedy and patient members copy and explore; curves gain a
            point with each interval, so that the tests have something to go by.
        patience: intervals that an evaluator has to come as far as its child.
        alpha: level of the sign test.
        factors: what exploring multiplies hyperparameters by.
    """

    quantile: float = 0.34
    evaluators: float = 0.25
    pace: int = 5
    patience: int = 10
    alpha: float = 0.01
    factors: Sequence[float] = (0.5, 2.0)

    def __post_init__(self) -> None:
        for name in ("quantile", "evaluators"):
            if not (is_number(value := getattr(self, name)) and 0 < value <= 0.5):
                raise ConfigurationError(name, "a share above 0 and at most 0.5", value)
        require_intervals("pace", self.pace, 1)
        require_intervals("patience", self.patience, 1)
        if not (is_number(self.alpha) and 0 < self.alpha < 1):
            raise ConfigurationError("alpha", "a significance level between 0 and 1", self.alpha)
        Perturb(self.factors)
        object.__setattr__(self, "factors", tuple(self.factors))

    def serves(self, setting: Setting) -> None:
        """Studies of one objective without constraints, with eight members or more."""
        require_objectives(setting, 1, "FIRE PBT")
        require_mutable(setting, "FIRE PBT changes hyperparameters while members train")
        if setting.size < FEWEST:
            hint = "greedy and patient members, and at least two evaluators"
            raise ConfigurationError("population.size", f"at least {FEWEST}", setting.size, hint)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Compare the greedy by loss and the patient by their evaluators, and see to the evaluators."""
        now, role = compare(arrived, past), roles(past.setting.size, self.evaluators)
        losses, own = now.losses[:, 0], np.arange(len(now.members))
        ranked, part, running = ranking(losses, rng), role[now.members], evaluations(past, role)
        parents = own.copy()
        self._exploit(ranked[part[ranked] == GREEDY], parents, rng)
        self._exploit(self._by_fitness(now, running, rng), parents, rng)
        parents = np.where(past.generation[past.latest[now.members]] % self.pace == 0, parents, own)
        parents = np.where(now.arrived, rescued(parents, losses, part, ranked, rng), own)
        copies = parents != own
        donors = np.where(parents < 0, own, parents)
        busy = self._settle(now, running, copies, parents)
        free = np.flatnonzero(now.arrived & (part == EVALUATOR) & ~np.isin(now.members, list(busy)))
        evaluated = [one.patient for one in running if one.evaluator in busy]
        queue = now.rows_of(waiting(past, role))
        queue = queue[~copies[queue] & ~np.isnan(losses[queue]) & ~np.isin(now.members[queue], evaluated)]
        best = ranked[(part[ranked] == GREEDY) & ~np.isnan(losses[ranked])][:1]
        if len(best):
            for evaluator, patient in zip(free, queue, strict=False):
                parents[evaluator], donors[evaluator], copies[evaluator] = patient, best[0], False
        units = self._units(now, parents, donors, copies, past.setting, rng)
        return going_on(now, arrived, parents, units)

    def _exploit(self, best_first: Rows, parents: Parents, rng: np.random.Generator) -> None:
        """Rows at the end of a ranking get parents from its beginning."""
        ends = min(int(np.ceil(round(self.quantile * len(best_first), 9))), len(best_first) // 2)
        if ends:
            parents[best_first[-ends:]] = rng.choice(best_first[:ends], size=ends)

    def _by_fitness(self, now: Comparison, running: list[Evaluation], rng: np.random.Generator) -> Rows:
        """Rows of the patient members under evaluation, from the fittest."""
        compared = [one for one in running if len(one.curve) > 1]
        if len(compared) > MOST_COMPARED:
            drawn = np.sort(rng.choice(len(compared), size=MOST_COMPARED, replace=False))
            compared = [compared[number] for number in drawn]
        fitness = [sum(Race(one.curve, other.curve).lead for other in compared) for one in compared]
        patients = np.array([one.patient for one in compared], dtype=np.intp)
        return now.rows_of(patients)[ranking(-np.array(fitness), rng)]

    def _settle(self, now: Comparison, running: list[Evaluation], copies: Mask, parents: Parents) -> set[int]:
        """Which evaluators go on; children of those that have succeeded get them as parents."""
        busy, given = set[int](), set[int]()
        row = dict(zip(now.members.tolist(), range(len(now.members)), strict=True))
        failed = np.isnan(now.losses[:, 0])
        for one in running:
            if one.child is None or one.taken:
                continue
            evaluator, patient, child = row[one.evaluator], row[one.patient], row[one.child]
            if copies[patient] or copies[child] or failed[evaluator] or child in given:
                continue
            race = Race(one.curve, one.child_curve)
            if race.lead > 0 and race.chance < self.alpha:
                if now.arrived[child]:
                    parents[child] = evaluator
                    given.add(child)
                else:
                    busy.add(one.evaluator)  # until the child comes for its weights
            elif not self._stops(race):
                busy.add(one.evaluator)
        return busy

    def _stops(self, race: Race) -> bool:
        intervals = len(race.ours)
        if race.overlap is None:
            return intervals >= self.patience
        return race.chance > self.alpha + max(0.0, 1 - intervals / self.patience)

    def _units(
        self,
        now: Comparison,
        parents: Parents,
        donors: Parents,
        copies: Mask,
        setting: Setting,
        rng: np.random.Generator,
    ) -> Floats:
        """Hyperparameters to go on with, shape ``(n, dim)``: those of donors; ``copies`` explore."""
        space, own = setting.space, np.arange(len(parents))
        kept = np.where(parents < 0, own, parents)
        units = inherited(now.units[donors], now.units[kept], space, mutable=False)
        settled = (kept != own) & ~copies
        if settled.any():
            units[settled], _ = inside(units[settled], now.units[kept[settled]], space, rng)
        explored = np.where(copies, kept, own)
        return explore(Perturb(self.factors, 0.0), units, explored, now.evaluations, space, rng)
