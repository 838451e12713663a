"""Classic control problems as a workload: an agent that learns by proximal policy optimization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.reading import listing
from workloads.contract import Device, Objective
from workloads.function import objective_of
from workloads.knobs import check_objectives
from workloads.library.control.environments import ENVIRONMENTS
from workloads.library.control.session import KNOBS, SPACE, ControlSession, Practice, training


class Control:
    """Learn to control a cart with a pole, an acrobot or a pendulum.

    The environments are Gymnasium's ``CartPole-v1``, ``Acrobot-v1`` and ``Pendulum-v1`` as functions over
    arrays, so they need nothing installed and their state is part of a member's. The agent is PPO with two
    networks of two layers.

    Metrics: ``reward`` (mean return of episodes of the most likely actions from first states that are the
    same for everybody; the objective, larger is better); for ``pendulum`` also its parts ``balance`` and
    ``effort``; in the end ``test_reward`` and ``test_<part>`` over ten times as many other episodes.

    Parameters, with defaults for those that the space leaves out: learning_rate (3e-4), entropy (0),
    clip (0.2), discount (0.99), gae_lambda (0.95), epochs (4 passes over a rollout) and effort_weight (1; how
    much more than in Gymnasium the effort counts in training), mutable; width (64 units in a hidden layer),
    fixed when training starts.

    Args:
        space: what varies; None: learning rate, entropy, clip, discount and GAE's lambda.
        objectives: what is optimised; a name is enough for a metric that is to be small.
        environment: ``cartpole``, ``acrobot`` or ``pendulum``.
        environments: episodes that go on at a time.
        steps: of each in a rollout.
        batches: parts of a pass over a rollout.
        rollouts: training at full fidelity.
        evaluated: episodes of an evaluation.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    knobs = KNOBS

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective | str | Mapping[str, Any]] = (Objective("reward", "max"),),
        environment: str = "cartpole",
        environments: int = 16,
        steps: int = 64,
        batches: int = 4,
        rollouts: int = 60,
        evaluated: int = 16,
    ) -> None:
        if environment not in ENVIRONMENTS:
            raise ConfigurationError("environment", f"one of {listing(ENVIRONMENTS)}", environment)
        own = ENVIRONMENTS[environment]()
        self._practice = Practice(own, environments, steps, batches, evaluated)
        self.space = build_space(SPACE) if space is None else space
        self.objectives = tuple(objective_of(given) for given in objectives)
        self.fidelity = training(rollouts)
        self.knobs.check_space(self.space)
        parts = own.rewards
        check_objectives(self.objectives, ("reward", *(parts if len(parts) > 1 else ())))

    def start(self, config: Config, seed: int, device: Device) -> ControlSession:
        del device
        return ControlSession(self._practice, config, seed)
