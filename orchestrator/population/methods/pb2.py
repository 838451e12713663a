"""Population Based Bandits (Parker-Holder et al. 2020, arXiv 2002.02518): PBT that explores with a GP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from orchestrator.population.comparison import compare
from orchestrator.population.methods.contract import Choices, require_objectives
from orchestrator.population.methods.improvements import (
    NUMBERS,
    Configurations,
    Context,
    Improvements,
    mutable_columns,
)
from orchestrator.population.past import Past, Rows, Setting
from orchestrator.population.proposals import inside
from orchestrator.population.rules.contract import NOBODY, Floats
from orchestrator.population.rules.exploit import Truncation, choose_parents
from search_spaces import ConfigurationError


@dataclass(frozen=True)
class Replaced:
    """Members that take another's weights, and what their next interval begins with; rows match.

    Args:
        members: their numbers, shape ``(k,)``.
        rounds: the number of the coming interval in each one's life, shape ``(k,)``.
        before: the loss of the weights that each takes, shape ``(k,)``.
        units: the hyperparameters that come with the weights, shape ``(k, dim)``.
        running: the hyperparameters that all others train with now, shape ``(r, dim)``.
    """

    members: Rows
    rounds: Rows
    before: Floats
    units: Floats
    running: Floats

    @property
    def contexts(self) -> list[Context]:
        """What each one's next interval begins with."""
        return [Context(*both) for both in zip(self.rounds.tolist(), self.before.tolist(), strict=True)]


@dataclass(frozen=True)
class Pb2:
    """The worst members copy the best, with hyperparameters that a surrogate expects to gain most.

    A Gaussian process that forgets (:class:`~orchestrator.population.methods.kernels.TimeVarying`) predicts
    the gain per training step from the round, the loss before it and the mutable numbers of a configuration.
    A new configuration maximises ``mean + sqrt(0.2 * log(0.4 * n)) * variance`` after ``n`` intervals, with
    the variance that is left once those now running have published. Categories are inherited.

    The authors' code (github jparkerholder/PB2) is followed, except that: gradients are right; time is
    counted in rounds (scaled to [0, 1] it never forgets); the coming interval is asked about, not the
    parent's last one; fantasies keep the hyperparameters of the process; a failed interval counts as the
    worst; until gains are known, new values are drawn from their priors (as in their procgen_autorl); and
    more than 16 members at once choose among random candidates
    (:meth:`~orchestrator.population.methods.surrogate.Surrogate.several`).

    Args:
        quantile: the share of the population that is replaced, and that it copies from.
    """

    quantile: float = 0.25
    thinks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Truncation(self.quantile)

    def serves(self, setting: Setting) -> None:
        """Studies of one objective, two members at least and a mutable number."""
        require_objectives(setting, 1, "PB2")
        require_pair(setting, "PB2")
        if not len(mutable_columns(setting.space, NUMBERS)):
            expected, names = "at least one number with 'mutable: true'", sorted(setting.space.mutable)
            hint = "PB2 inherits categories; population=pb2_mix chooses them"
            raise ConfigurationError("search_space.parameters", expected, names, hint)

    def decide(self, arrived: Rows, past: Past, rng: np.random.Generator) -> Choices:
        """Replace the worst newcomers by the best members, each with a configuration of its own."""

        def propose(replaced: Replaced) -> Floats:
            proposals = replaced.units.copy()
            columns = mutable_columns(past.setting.space, NUMBERS)
            proposals[:, columns] = proposed(Improvements.of(past), replaced, past, rng)
            return proposals

        return replace_worst(self.quantile, arrived, past, rng, propose)


def require_pair(setting: Setting, name: str) -> None:
    """Refuse a population in which nobody can be copied.

    Raises:
        ConfigurationError: it has a single member.
    """
    if setting.size < 2:
        raise ConfigurationError(
            "population.size", f"at least 2 members for {name}", setting.size, "nobody could be copied"
        )


def replace_worst(
    quantile: float,
    arrived: Rows,
    past: Past,
    rng: np.random.Generator,
    propose: Callable[[Replaced], Floats],
) -> Choices:
    """Let the worst newcomers copy the best members, each with proposed hyperparameters.

    Args:
        quantile: the share of the population that is replaced, and that it copies from.
        arrived: the newcomers, shape ``(k,)``.
        past: the population's past.
        rng: source of randomness.
        propose: unit coordinates for those who are replaced, if anybody is, row by row.
    """
    parents, replaced = truncated(quantile, arrived, past, rng)
    units = replaced.units
    if len(replaced.members):
        units, _ = inside(propose(replaced), units, past.setting.space, rng)
    return keeping(arrived, parents, replaced, units, past)


def truncated(quantile: float, arrived: Rows, past: Past, rng: np.random.Generator) -> tuple[Rows, Replaced]:
    """Truncation selection among newcomers: whom each copies, shape ``(k,)``, and who does so."""
    now = compare(arrived, past)
    rows = now.rows_of(arrived)
    chosen = choose_parents(Truncation(quantile), now.losses, now.evaluations, rng)[rows]
    parents = np.where(chosen == NOBODY, NOBODY, now.members[chosen])
    moved = (parents != arrived) & (parents != NOBODY)
    members, latest = arrived[moved], past.latest[parents[moved]]
    others = np.ones(past.setting.size, dtype=bool)
    others[members] = False
    return parents, Replaced(
        members=members,
        rounds=past.generation[past.latest[members]] + 1,
        before=past.losses[latest, 0],
        units=past.units[latest],
        running=past.running[others],
    )


def keeping(arrived: Rows, parents: Rows, replaced: Replaced, units: Floats, past: Past) -> Choices:
    """What newcomers go on with: what they trained with, and these units for those who are replaced."""
    kept = past.units[past.latest[arrived]].copy()
    kept[np.searchsorted(arrived, replaced.members)] = units
    kept[parents == NOBODY] = np.nan
    return Choices.of(parents, kept)


def proposed(seen: Improvements, replaced: Replaced, past: Past, rng: np.random.Generator) -> Floats:
    """Mutable numbers for members that are replaced, shape ``(k, d)``; NaN: to be drawn from the prior."""
    space = past.setting.space
    if not len(seen):
        return np.full((len(replaced.members), len(mutable_columns(space, NUMBERS))), np.nan)
    from orchestrator.population.methods.kernels import TimeVarying
    from orchestrator.population.methods.surrogate import Surrogate

    configurations = Configurations.of(past.units[seen.rows], space, NUMBERS)
    surrogate = Surrogate.fit(TimeVarying(), seen, configurations, replaced.before)
    running = Configurations.of(replaced.running, space, NUMBERS)
    return surrogate.several(replaced.contexts, np.empty((len(replaced.members), 0)), running, rng)
