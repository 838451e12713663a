"""PB2-Mix and PB2-Mult (Parker-Holder et al. 2021, arXiv 2106.15883): PB2 that chooses categories as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from orchestrator.population.methods.contract import Choices, require_objectives
from orchestrator.population.methods.exp3 import Bandit
from orchestrator.population.methods.improvements import (
    CATEGORIES,
    NUMBERS,
    Configurations,
    Improvements,
    mutable_columns,
)
from orchestrator.population.methods.pb2 import Replaced, replace_worst, require_pair
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.rules.contract import Floats
from orchestrator.population.rules.exploit import Truncation
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class Pb2Mix:
    """PB2 whose categories are chosen first, each parameter's by a bandit, and then the numbers given these.

    The bandit is TV.EXP3.M (:class:`~orchestrator.population.methods.exp3.Bandit`), rewarded with the gain of
    an interval between the worst and the best so far. One process predicts gains from numbers and categories
    (:class:`~orchestrator.population.methods.kernels.TimeVaryingMixed`). Otherwise it is PB2. Unlike the
    authors' code (github jparkerholder/procgen_autorl) it asks for the best numbers with the categories that
    were chosen, not with those of the parent.

    Args:
        quantile: the share of the population that is replaced, and that it copies from.
    """

    quantile: float = 0.25
    thinks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Truncation(self.quantile)

    def serves(self, setting: Setting) -> None:
        """Studies of one objective, two members at least and a mutable categorical parameter."""
        name = type(self).__name__
        require_objectives(setting, 1, name)
        require_pair(setting, name)
        if not len(mutable_columns(setting.space, CATEGORIES)):
            expected = "at least one categorical parameter with 'mutable: true'"
            hint = "population=pb2 is for numbers alone"
            raise ConfigurationError("search_space.parameters", expected, sorted(setting.space.mutable), hint)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Replace the worst newcomers by the best members, each with a configuration of its own."""

        def propose(replaced: Replaced) -> Floats:
            space, seen = past.setting.space, Improvements.of(past)
            categories = chosen_categories(seen, len(replaced.members), past, rng)
            numbers = self._numbers(seen, replaced, categories, past, rng)
            proposals = replaced.units.copy()
            proposals[:, mutable_columns(space, CATEGORIES)] = (categories + 0.5) / arms_of(past)
            proposals[:, mutable_columns(space, NUMBERS)] = numbers
            return proposals

        return replace_worst(self.quantile, arrived, past, rng, propose)

    def _numbers(
        self, seen: Improvements, replaced: Replaced, categories: Floats, past: Past, rng: np.random.Generator
    ) -> Floats:
        """Mutable numbers given categories ``(k, c)``, shape ``(k, d)``; NaN: to be drawn from the prior."""
        from orchestrator.population.methods.kernels import TimeVaryingMixed
        from orchestrator.population.methods.surrogate import Surrogate

        space = past.setting.space
        known = Configurations.of(past.units[seen.rows], space)
        if not len(seen) or not known.numbers.shape[1]:
            return np.full((len(categories), known.numbers.shape[1]), np.nan)
        surrogate = Surrogate.fit(TimeVaryingMixed(), seen, known, replaced.before)
        running = Configurations.of(replaced.running, space)
        return surrogate.several(replaced.contexts, categories, running, rng)


@dataclass(frozen=True)
class Pb2Mult(Pb2Mix):
    """PB2-Mix with a process for each choice of categories, fitted to the intervals trained with it.

    Without any such interval, the numbers of the parent stay.

    Args:
        quantile: the share of the population that is replaced, and that it copies from.
    """

    def _numbers(
        self, seen: Improvements, replaced: Replaced, categories: Floats, past: Past, rng: np.random.Generator
    ) -> Floats:
        from orchestrator.population.methods.kernels import TimeVarying
        from orchestrator.population.methods.surrogate import Surrogate

        space = past.setting.space
        known = Configurations.of(past.units[seen.rows], space)
        running = Configurations.of(replaced.running, space)
        numbers = replaced.units[:, mutable_columns(space, NUMBERS)]
        numbers[:] = numbers if len(seen) else np.nan
        surrogates: dict[tuple[float, ...], Surrogate] = {}
        for row, (context, chosen) in enumerate(zip(replaced.contexts, categories, strict=True)):
            alike, key = (known.categories == chosen).all(axis=1), tuple(chosen.tolist())
            if numbers.shape[1] and alike.any():
                if key not in surrogates:
                    own = known.of_categories(chosen)
                    surrogates[key] = Surrogate.fit(TimeVarying(), seen[alike], own, replaced.before)
                near = running.of_categories(chosen)
                numbers[row] = surrogates[key].best(context, np.empty(0), near, rng)
            running = running.joined(np.nan_to_num(numbers[row], nan=0.5), chosen)
        return numbers


def chosen_categories(seen: Improvements, plays: int, past: Past, rng: np.random.Generator) -> Floats:
    """The category of every mutable categorical parameter for some members, by number, ``(plays, c)``."""
    setting = past.setting
    played = Configurations.of(past.units[seen.rows], setting.space, CATEGORIES).categories
    rewards = seen.rewards
    chosen = np.empty((plays, played.shape[1]))
    for column, arms in enumerate(arms_of(past)):
        active = played[:, column] >= 0
        bandit = Bandit(int(arms), setting.size, setting.generations)
        weights = bandit.weights(seen.rounds[active], played[active, column].astype(np.intp), rewards[active])
        chosen[:, column] = bandit.draw(weights, plays, rng)
    return chosen


def arms_of(past: Past) -> Rows:
    """How many categories each mutable categorical parameter has, shape ``(c,)``."""
    space = past.setting.space
    return np.array([space.codec.columns[j].size for j in mutable_columns(space, CATEGORIES)], dtype=np.intp)
