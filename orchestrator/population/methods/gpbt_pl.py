"""GPBT-PL, generalized PBT with pairwise learning (Bai and Cheng 2024, arXiv 2404.08233)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.population.comparison import compare
from orchestrator.population.methods.contract import Choices, going_on, require_mutable, require_objectives
from orchestrator.population.past import NOTHING, Past, Rows, Setting
from orchestrator.population.rules.contract import Evaluations, Floats, Parents, is_number
from orchestrator.population.rules.exploit import Truncation, choose_parents
from orchestrator.population.rules.explore import explore, redrawn
from search_spaces import ConfigurationError, SearchSpace


@dataclass(frozen=True)
class GpbtPl:
    """Members that lose to another take its weights, and learn from its hyperparameters with momentum.

    Losers and winners are paired by truncation. A number ``h`` of the loser becomes ``h + v`` with the
    velocity ``v <- inertia * r1 * v + attraction * r2 * (h_winner - h)``, where r1 and r2 are uniform on
    [0, 1], and the ``v`` before is what the loser's own last lesson changed. With ``resample_probability`` it
    is drawn from its prior instead. Rule and defaults are those of the authors' code (EMI-Group/gpbt-pl).
    Differences:

    - Numbers are learned in unit coordinates: a log parameter's in its logarithm.
    - The velocity before is read off the past: what the range left of it, and of a redraw the change that it
      made. The authors keep it unclipped, and after a redraw have the winner's.
    - An ordinal takes the value next to the winner's, a categorical the winner's.

    Args:
        quantile: the share of the population at each end that loses and wins.
        resample_probability: chance of a redraw, 0 to 1.
        inertia: weight of the velocity before, at least 0.
        attraction: weight of the difference from the winner, at least 0.
    """

    quantile: float = 0.25
    resample_probability: float = 0.25
    inertia: float = 1.0
    attraction: float = 1.0

    def __post_init__(self) -> None:
        Truncation(self.quantile)
        if not (is_number(self.resample_probability) and 0 <= self.resample_probability <= 1):
            expected = "a probability between 0 and 1"
            raise ConfigurationError("resample_probability", expected, self.resample_probability)
        for name in ("inertia", "attraction"):
            if not (is_number(value := getattr(self, name)) and value >= 0):
                raise ConfigurationError(name, "a number of at least 0", value)

    def serves(self, setting: Setting) -> None:
        """Studies of one objective without constraints, with two members or more."""
        require_objectives(setting, 1, "GPBT-PL")
        require_mutable(setting, "GPBT-PL changes hyperparameters while members train")
        if setting.size < 2:
            raise ConfigurationError("population.size", "at least 2 members", setting.size)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Pair the newcomers that lose with winners, and let them learn."""
        now, space = compare(arrived, past), past.setting.space
        own = np.arange(len(now.members))
        chosen = choose_parents(Truncation(self.quantile), now.losses, now.evaluations, rng)
        chosen = np.where(now.arrived, chosen, own)
        kept = np.where(chosen < 0, own, chosen)
        lesson = _Lesson(self, now.units, velocities(now.members, past))
        units = explore(lesson, now.units[kept], kept, now.evaluations, space, rng)
        return going_on(now, arrived, chosen, units)


def velocities(members: Rows, past: Past) -> Floats:
    """What the last lesson of each member changed in unit coordinates; 0 before any, shape ``(k, dim)``.

    A lesson shows as an interval on another member's weights: its hyperparameters minus those that the member
    itself had trained with just before. Starting afresh ends what a member has learned.
    """
    setting = past.setting
    member, generation, origin = past.member, past.generation, past.origin
    at = np.full((setting.size, setting.generations + 2), NOTHING)
    at[member, generation] = np.arange(len(past))
    turns = np.flatnonzero((generation > 1) & ((origin == NOTHING) | (member[origin] != member)))
    last = np.full(setting.size, NOTHING)
    last[member[turns]] = turns  # a later row takes the place of an earlier one
    after = last[members]
    learned = (after != NOTHING) & (origin[after] != NOTHING)
    before = at[members, np.where(learned, generation[after] - 1, 0)]
    changes = past.units[after] - past.units[before]
    return np.where(learned[:, None] & (before != NOTHING)[:, None] & ~np.isnan(changes), changes, 0.0)


@dataclass(frozen=True)
class _Lesson:
    """The explore rule of losers.

    Args:
        method: its settings.
        own: the hyperparameters that members trained with themselves, shape ``(n, dim)``.
        velocities: of members, shape ``(n, dim)``.
    """

    method: GpbtPl
    own: Floats
    velocities: Floats
    window: int = 1

    def __call__(
        self,
        units: Floats,
        parents: Parents,
        _evaluations: Evaluations,
        space: SearchSpace,
        rng: np.random.Generator,
    ) -> Floats:
        losers = np.flatnonzero(parents != np.arange(len(parents)))
        winners = units[losers]
        # What is inactive in one of the two has nothing to learn from: the winner's value holds.
        own = np.where(np.isnan(self.own[losers]), winners, self.own[losers])
        pull = self.method.attraction * rng.random(winners.shape) * (winners - own)
        learned = own + self.method.inertia * rng.random(winners.shape) * self.velocities[losers] + pull
        sides = rng.choice([-1, 1], size=winners.shape)
        for j, column in enumerate(space.codec.columns):
            if column.kind == "ordinal":
                index = np.clip(column.from_units(winners[:, j]) + sides[:, j], column.low, column.high)
                learned[:, j] = column.to_units(index)
            elif column.kind == "categorical":
                learned[:, j] = winners[:, j]
        proposal = units.copy()
        proposal[losers] = redrawn(np.clip(learned, 0, 1), self.method.resample_probability, space, rng)
        return proposal
