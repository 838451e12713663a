"""Several agents at once, each for its own weighting of the reward's parts: together they are a front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Device, Metrics, Objective, State
from workloads.generators import Purpose, derived_seed
from workloads.knobs import Knobs
from workloads.library.control.environments import Floats, Pendulum
from workloads.library.control.session import LEARNING, SPACE, ControlSession, Practice, training

PARTS = Pendulum.rewards
"""What the agents trade off, of which each is better the larger it is, and at most 0."""


class ControlFront:
    """Learn a set of agents for a pendulum, from those that balance to those that spare the motor.

    Tuning multi-objective reinforcement learning, as Felten et al. (2023, arXiv 2310.16487) do it: a trial
    trains agents for all trade-offs with the same hyperparameters, and is scored by the hypervolume that
    they reach with a fixed reference point; a search takes the mean over seeds (``search.repeats``) and runs
    the winner again with unseen ones (``search.finalists``). They train algorithms of morl-baselines on
    mo-gymnasium; here each trade-off is one agent that learns by PPO from a weighted sum, on Gymnasium's
    ``Pendulum-v1``, whose reward is a sum of two parts.

    Metrics: ``hypervolume`` (the objective, larger is better): the share of the box between ``reference``
    and 0 that the agents' mean returns dominate; ``best_balance`` and ``best_effort``, the largest of any
    agent; ``efficient``, how many agents no other dominates; in the end ``test_hypervolume`` and
    ``test_<each>`` over ten times as many other episodes.

    Parameters: those of :class:`.workload.Control` but ``effort_weight``.

    Args:
        space: what varies; None: learning rate, entropy, clip, discount and GAE's lambda.
        effort_weights: how much more than in Gymnasium the effort counts in the training of each agent.
        reference: the worst returns of interest, for balance and effort.
        environments, steps, batches, rollouts, evaluated: of each agent, as of :class:`.workload.Control`.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    knobs = Knobs(**LEARNING)

    def __init__(
        self,
        space: SearchSpace | None = None,
        effort_weights: Sequence[float] = (1.0, 100.0, 1000.0),
        reference: Sequence[float] = (-1600.0, -0.8),
        environments: int = 16,
        steps: int = 64,
        batches: int = 4,
        rollouts: int = 60,
        evaluated: int = 16,
    ) -> None:
        self._weights = tuple(float(weight) for weight in effort_weights)
        if not self._weights or min(self._weights) < 0:
            raise ConfigurationError("effort_weights", "at least one number from 0 on", list(effort_weights))
        self._reference = np.array(reference, dtype=float)
        if self._reference.shape != (len(PARTS),) or not (self._reference < 0).all():
            expected = f"a negative number for each of {' and '.join(PARTS)}"
            raise ConfigurationError("reference", expected, list(reference))
        self._practice = Practice(Pendulum(), environments, steps, batches, evaluated)
        self.space = build_space(SPACE) if space is None else space
        self.objectives = (Objective("hypervolume", "max"),)
        self.fidelity = training(rollouts)
        self.knobs.check_space(self.space)

    def start(self, config: Config, seed: int, device: Device) -> FrontSession:
        del device
        return FrontSession(self._practice, self._weights, self._reference, config, seed)


class FrontSession:
    """The agents of a front, which learn one after another.

    Args:
        practice: what each learns from.
        weights: of the effort, one for each agent.
        reference: the worst returns of interest.
        config, seed: as of any session; every agent has a seed of its own.
    """

    def __init__(
        self, practice: Practice, weights: Sequence[float], reference: Floats, config: Config, seed: int
    ) -> None:
        self._weights, self._reference = weights, reference
        self._agents = [
            ControlSession(
                practice, {**config, "effort_weight": weight}, derived_seed(seed, Purpose.START, number)
            )
            for number, weight in enumerate(weights)
        ]

    def advance(self, amount: int) -> Metrics:
        """Train every agent on ``amount`` rollouts; metrics as of :class:`ControlFront`."""
        return self._judged([agent.advance(amount) for agent in self._agents])

    def test(self) -> Metrics:
        """``test_`` and the same names, of other episodes, ten times as many."""
        found = [agent.test() for agent in self._agents]
        judged = self._judged([{name: own[f"test_{name}"] for name in PARTS} for own in found])
        return {f"test_{name}": value for name, value in judged.items()}

    def configure(self, config: Config) -> None:
        for agent, weight in zip(self._agents, self._weights, strict=True):
            agent.configure({**config, "effort_weight": weight})

    def state(self) -> State:
        """``agents``: each one's state, in the order of their weights."""
        return {"agents": [agent.state() for agent in self._agents]}

    def load(self, state: State) -> None:
        for agent, own in zip(self._agents, state["agents"], strict=True):
            agent.load(own)

    def _judged(self, returns: Sequence[Metrics]) -> Metrics:
        found = np.array([[own[name] for name in PARTS] for own in returns])
        best = dict(zip((f"best_{name}" for name in PARTS), found.max(axis=0).tolist(), strict=True))
        return {
            "hypervolume": share_dominated(found, self._reference),
            **best,
            "efficient": float(len(efficient(found))),
        }


def efficient(points: Floats) -> Floats:
    """The points that no other dominates, shape ``(k, 2)``: falling in the first number, larger is better."""
    ordered = points[np.lexsort((-points[:, 1], -points[:, 0]))]
    ahead = np.concatenate([[-np.inf], np.maximum.accumulate(ordered[:-1, 1])])
    return ordered[ordered[:, 1] > ahead]


def share_dominated(points: Floats, reference: Floats) -> float:
    """The share of the box from ``reference`` to 0 that ``points``, ``(k, 2)`` and at most 0, dominate."""
    front = efficient(np.maximum(points, reference))
    width, height = (front - reference).T
    below = np.concatenate([[0.0], height[:-1]])
    return float(np.sum(width * (height - below)) / np.prod(-reference))
