"""Monte Carlo tree search over a space as a tree of choices, as in DeepArchitect."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from orchestrator.optimizers.base import Capabilities, Optimizer
from orchestrator.optimizers.choice_tree import ChoiceTree, Decisions, Taken
from orchestrator.optimizers.unfinished import Worst
from orchestrator.optimizers.untried import untried
from orchestrator.randomness import stream
from orchestrator.trial import Trial
from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.columns import Floats
from search_spaces.values import config_key
from workloads.contract import Fidelity, Objective


class TreeSearch(Optimizer):
    """MCTS with UCT and bisection (Negrinho and Gordon 2017, DeepArchitect, arXiv 1704.08792).

    A configuration is a path from the root of a tree: one parameter after the other, parents before their
    children, and of those alone that the choices so far make active. A category is chosen at once; a number
    or an ordered value by halving its range until one value is left, or the range has been halved
    ``halvings`` times (the paper's restructured trees). At each node a branch that nobody has taken is taken
    at random; with none left, the one with the largest mean reward plus ``exploration * sqrt(2 ln n / k)``,
    where n trials went through the node and k through the branch. Where nobody has been, the rest is drawn
    from the space's priors.

    Differences from the paper: the reward is not the validation score, whose scale would have to be known,
    but the share of the other results that a trial is better than, a tie being half. What was drawn below a
    new node counts as chosen from then on. A pending trial counts as the worst, so that suggestions at a time
    spread. A branch below which all has been tried, or is forbidden, is closed.

    The tree is not kept: it is what the results say, so that a trial tells as much whoever suggested it.

    Args:
        exploration: how much branches that were taken seldom are preferred.
        halvings: of the range of a number, 1 to 16, at most.
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
        if not 1 <= halvings <= _MOST_HALVINGS:
            raise ConfigurationError("optimizer.halvings", f"1 to {_MOST_HALVINGS}", halvings)
        self._tree = ChoiceTree(space.codec, exploration, halvings)
        self._told: list[Trial] = []
        self._units: list[Floats] = []
        self._tried: set[str] = set()

    def _suggest(self, token: int) -> tuple[Config, None]:
        codec, rng = self.space.codec, stream(self.seed, "tree search", token)
        taken, closed = self._taken(), set[Decisions]()
        tried = self._tried | {config_key(suggestion.config) for suggestion in self.pending}
        drawn = codec.draw(_DRAWS, rng)
        for _ in range(_TRIES):
            path = self._tree.descent(taken, closed, drawn, rng)
            if path is None:
                break
            open_ended = (np.isnan(path.point) & codec.active(path.point)).any()
            units = codec.repair(np.repeat(path.point, _FILLED if open_ended else 1, axis=0), rng)
            for config in codec.decode(units[codec.legal(units)]):
                if config_key(config) not in tried:
                    return config, None
            closed.add(path.decisions)
        other = untried(self.space, self._known(), rng)
        return other or codec.decode(self.space.sample_units(1, rng))[0], None

    def _learn(self, trial: Trial) -> None:
        self._told.append(trial)
        self._units.append(self.space.codec.encode([trial.config])[0])
        self._tried.add(config_key(trial.config))

    def _known(self) -> list[Config]:
        told = [trial.config for trial in self._told]
        return [*told, *(suggestion.config for suggestion in self.pending)]

    def _taken(self) -> Taken:
        """The paths of all results and pending trials, with what they were worth."""
        worst = Worst.of(self._told)
        gained = np.zeros(len(self._told) + len(self._pending))
        if worst is not None:
            losses = [worst.imputed(trial).losses[0] for trial in self._told]
            gained[: len(losses)] = rewards(np.array(losses))
        pending = self.space.codec.encode([suggestion.config for suggestion in self.pending])
        units = np.array([*self._units, *pending]).reshape(len(gained), self.space.codec.dim)
        return Taken(units, gained)


def rewards(losses: Floats) -> Floats:
    """The share of the others that each is better than, a tie being half; ``(n,)`` of ``(n,)``."""
    if len(losses) < 2:
        return np.full(len(losses), 0.5)
    return np.asarray((len(losses) - rankdata(losses)) / (len(losses) - 1))


_TRIES, _FILLED, _DRAWS = 256, 8, 64
"""Descents for a suggestion, how often each fills in what it leaves open, and draws for what it narrows."""
_MOST_HALVINGS = 16
