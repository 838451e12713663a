"""Monte Carlo tree search over a space as a tree of choices, as in DeepArchitect."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from orchestrator.optimizers.arguments import at_least
from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.unfinished import Worst
from orchestrator.optimizers.untried import untried
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.codec import Codec
from search_spaces.columns import Column, Floats
from search_spaces.values import config_key
from workloads.contract import Fidelity, Objective


class TreeSearch(Optimizer):
    """MCTS with UCT and bisection (Negrinho and Gordon 2017, DeepArchitect, arXiv 1704.08792).

    A configuration is a path from the root of a tree: one parameter after the other, parents before their
    children, and of those alone that the choices so far make active. A category is chosen at once; a number
    or an ordered value by halving its range until one value is left, or the range has been halved
    ``halvings`` times, where what is left is drawn from evenly (the paper's restructured trees). At each node
    a branch that nobody has taken is taken at random; with none left, the one with the largest mean reward
    plus ``exploration * sqrt(2 ln n / k)``, where n trials went through the node and k through the branch.
    Where nobody has been, the rest of the configuration is drawn from the space's priors.

    Differences from the paper: the reward is not the validation score, whose scale would have to be known,
    but the share of the other results that a trial is better than, a tie being half; a pending trial counts
    as the worst, so that suggestions at a time spread; a configuration that has been tried is not suggested
    again while the space has another.

    The tree is not kept: it is what the results say, so that a trial tells as much whoever suggested it.

    Args:
        exploration: how much branches that were taken seldom are preferred.
        halvings: of the range of a number, at most.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        seed: int,
        fidelity: Fidelity | None = None,
        constraints: Sequence[Objective] = (),
        *,
        exploration: float = 1.0,
        halvings: int = 5,
    ) -> None:
        super().__init__(space, objectives, seed, fidelity, constraints)
        if not 0 <= exploration < math.inf:
            raise ConfigurationError("optimizer.exploration", "a number from 0 on", exploration)
        at_least(1, halvings=halvings)
        self._exploration, self._halvings = exploration, halvings
        self._told: list[Trial] = []

    def _suggest(self, token: int) -> tuple[Config, None]:
        codec, rng = self.space.codec, stream(self.seed, "tree search", token)
        taken = self._taken()
        tried = {config_key(config) for config in self._tried()}
        for _ in range(_TRIES):
            point = descent(codec, taken, self._exploration, self._halvings, rng)
            units = codec.repair(point, rng)
            if not codec.legal(units)[0]:
                continue
            (config,) = codec.decode(units)
            if config_key(config) not in tried:
                return config, None
        other = untried(self.space, self._tried(), rng)
        return other or codec.decode(self.space.sample_units(1, rng))[0], None

    def _learn(self, trial: Trial) -> None:
        self._told.append(trial)

    def _tried(self) -> Iterator[Config]:
        yield from (trial.config for trial in self._told)
        yield from (suggestion.config for suggestion in self.pending)

    def _taken(self) -> Taken:
        """The paths of all results and pending trials, with what they were worth."""
        worst = Worst.of(self._told)
        losses = [math.inf if worst is None else worst.imputed(trial).losses[0] for trial in self._told]
        gained = np.zeros(len(self._told) + len(self._pending))
        gained[: len(losses)] = rewards(np.array(losses)) if worst is not None else 0.0
        return Taken(self.space.codec.encode(list(self._tried())), gained)


@dataclass(frozen=True)
class Taken:
    """What is known at a node of the tree: the trials that went through it.

    Args:
        units: ``(n, dim)``.
        rewards: ``(n,)``, from 0 to 1.
    """

    units: Floats
    rewards: Floats

    def __len__(self) -> int:
        return len(self.rewards)

    def among(self, chosen: NDArray[np.bool_]) -> Taken:
        """Those that took a branch."""
        return Taken(self.units[chosen], self.rewards[chosen])


def rewards(losses: Floats) -> Floats:
    """The share of the others that each is better than, a tie being half; ``(n,)`` of ``(n,)``."""
    if len(losses) < 2:
        return np.full(len(losses), 0.5)
    return np.asarray((len(losses) - rankdata(losses)) / (len(losses) - 1))


def descent(
    codec: Codec, taken: Taken, exploration: float, halvings: int, rng: np.random.Generator
) -> Floats:
    """A path from the root to where nobody has been, or to a leaf: ``(1, dim)``; NaN where nothing is chosen.

    Args:
        taken: trials before.
        exploration: the factor of UCT's bonus.
        halvings: of the range of a number, at most.
    """
    point = np.full((1, codec.dim), np.nan)
    for j, column in enumerate(codec.columns):
        if not len(taken):
            return point
        if not codec.active(point)[0, j]:
            continue
        edges = _edges(column, halvings)
        first, last = 0, len(edges) - 1  # the value lies in one of the bins between these edges
        while last - first > 1 and len(taken):
            cuts = np.arange(first, last + 1) if column.kind == "categorical" else _halves(first, last)
            branch = np.searchsorted(edges[cuts[1:-1]], taken.units[:, j], side="right")
            chosen = uct(branch, taken.rewards, len(cuts) - 1, exploration, rng)
            taken, first, last = taken.among(branch == chosen), cuts[chosen], cuts[chosen + 1]
        point[0, j] = _drawn(edges, first, last, rng)
    return point


def uct(
    branch: NDArray[np.intp], gained: Floats, branches: int, exploration: float, rng: np.random.Generator
) -> int:
    """The branch to take: one that nobody has taken, else the one of the largest upper confidence bound.

    Args:
        branch: which one each trial took, ``(n,)``.
        gained: its reward, ``(n,)``.
        branches: how many there are.
        exploration: the factor of the bonus.
        rng: breaks ties.
    """
    visits = np.bincount(branch, minlength=branches)
    if (visits == 0).any():
        return int(rng.choice(np.flatnonzero(visits == 0)))
    means = np.bincount(branch, weights=gained, minlength=branches) / visits
    bounds = means + exploration * np.sqrt(2 * np.log(len(branch)) / visits)
    return int(rng.choice(np.flatnonzero(bounds == bounds.max())))


def _edges(column: Column, halvings: int) -> Floats:
    """Where the bins of a column begin and end in the unit interval, ``(bins + 1,)``."""
    if column.kind == "float" or (column.kind == "int" and column.high - column.low >= 2**halvings):
        return np.linspace(0.0, 1.0, 2**halvings + 1)
    values = np.arange(column.low, column.high + 1)
    middles = column.to_units(values.astype(float))
    inner = (middles[:-1] + middles[1:]) / 2
    return np.concatenate([[0.0], inner, [1.0]])


def _halves(first: int, last: int) -> NDArray[np.intp]:
    return np.array([first, (first + last) // 2, last])


def _drawn(edges: Floats, first: int, last: int, rng: np.random.Generator) -> float:
    """A place in the bins between two edges, each bin as likely as another."""
    bin_ = int(rng.integers(first, last))
    return float(rng.uniform(edges[bin_], edges[bin_ + 1]))


_TRIES = 16
"""Of finding a configuration that is allowed and has not been tried."""
