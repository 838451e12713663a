"""One agent in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from search_spaces import Config, ConfigurationError
from workloads.contract import Fidelity, Metrics, State
from workloads.generators import Purpose, derived_seed, own_generators, seed_generators
from workloads.knobs import Knob, Knobs
from workloads.library.control import ppo
from workloads.library.control.environments import Environment, Floats
from workloads.library.control.policy import Agent
from workloads.state import independent

LEARNING: Mapping[str, Knob] = {
    "learning_rate": Knob(default=3e-4, mutable=True, low=0.0),
    "entropy": Knob(default=0.0, mutable=True, low=0.0),
    "clip": Knob(default=0.2, mutable=True, low=0.0),
    "discount": Knob(default=0.99, mutable=True, low=0.0, high=1.0),
    "gae_lambda": Knob(default=0.95, mutable=True, low=0.0, high=1.0),
    "epochs": Knob(default=4, mutable=True, low=1, whole=True),
    "width": Knob(default=64, low=1, whole=True),
}
"""How an agent learns."""
KNOBS = Knobs(effort_weight=Knob(default=1.0, mutable=True, low=0.0), **LEARNING)
"""An agent's hyperparameters: how it learns, and what."""
SPACE = {
    "parameters": {
        "learning_rate": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True, "mutable": True},
        "entropy": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True, "mutable": True},
        "clip": {"type": "float", "low": 0.05, "high": 0.5, "mutable": True},
        "discount": {"type": "float", "low": 0.9, "high": 0.999, "mutable": True},
        "gae_lambda": {"type": "float", "low": 0.8, "high": 0.99, "mutable": True},
    }
}
"""What varies unless somebody says otherwise."""

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
_VALIDATION, _TEST = 1, 2


@dataclass(frozen=True)
class Practice:
    """What an agent learns from.

    Args:
        environment: what it acts in.
        environments: episodes that go on at a time.
        steps: of each in a rollout.
        batches: parts of a pass over a rollout.
        evaluated: episodes of an evaluation.

    Raises:
        ConfigurationError: a number is too small.
    """

    environment: Environment
    environments: int
    steps: int
    batches: int
    evaluated: int

    def __post_init__(self) -> None:
        for key in ("environments", "batches", "evaluated"):
            if getattr(self, key) < 1:
                raise ConfigurationError(key, "at least 1", getattr(self, key))
        if self.steps * self.environments < 2 * self.batches:
            expected = f"at least 2 steps for each of {self.batches} batches"
            raise ConfigurationError("steps", expected, self.steps * self.environments)


def training(rollouts: int) -> Fidelity:
    """How much agents can be trained.

    Raises:
        ConfigurationError: not at all.
    """
    if rollouts < 1:
        raise ConfigurationError("rollouts", "at least 1", rollouts)
    return Fidelity("rollout", largest=rollouts)


class ControlSession:
    """Learns from one rollout after another, on the CPU, where networks of this size are fastest.

    Args:
        practice: what it learns from.
        config, seed: as of any session.
    """

    def __init__(self, practice: Practice, config: Config, seed: int) -> None:
        self._practice, self._seed = practice, seed
        self._environment = practice.environment
        self._config = KNOBS.complete(config)
        self.age = 0
        with own_generators():
            seed_generators(derived_seed(seed, Purpose.START))
            self.agent = Agent(self._environment, int(self._config["width"]))
        self._optimizer = torch.optim.Adam(self.agent.parameters(), eps=1e-5, fused=True)
        self._episodes = ppo.Episodes.begin(
            self._environment, practice.environments, self._rng(Purpose.START)
        )
        self.configure(config)

    def advance(self, amount: int) -> Metrics:
        """Train on ``amount`` rollouts and play the validation's episodes.

        Returns:
            ``reward``, the mean return of an episode of the most likely actions, and its parts by name.
        """
        practice, rules = self._practice, self._rules()
        agent, weights = self.agent, self._weights()
        with own_generators():
            for _ in range(amount):
                seed_generators(derived_seed(self._seed, Purpose.TRAINING, self.age))
                rng = self._rng(Purpose.DATA)
                rollout = ppo.collect(
                    agent, self._environment, self._episodes, practice.steps, weights, rules, rng
                )
                ppo.learn(agent, self._optimizer, rollout, rules)
                self.age += 1
        return self._judged(_VALIDATION, practice.evaluated)

    def test(self) -> Metrics:
        """``test_`` and the same names, of other episodes, ten times as many."""
        judged = self._judged(_TEST, 10 * self._practice.evaluated)
        return {f"test_{name}": value for name, value in judged.items()}

    def configure(self, config: Config) -> None:
        mutable = {name: config[name] for name in KNOBS.mutable if name in config}
        self._config = KNOBS.complete({**{name: self._config[name] for name in KNOBS.fixed}, **mutable})
        for group in self._optimizer.param_groups:
            group["lr"] = float(self._config["learning_rate"])

    @independent
    def state(self) -> State:
        """``age``, ``model`` (weights by name), ``optimizer`` (moments by number of the weight), and where
        the ``episodes`` are.
        """
        moments = self._optimizer.state_dict()["state"].items()
        return {
            "age": self.age,
            "model": {name: weight.clone() for name, weight in self.agent.state_dict().items()},
            "optimizer": {
                str(number): {name: own[name].clone() for name in _MOMENTS} for number, own in moments
            },
            "episodes": {"state": self._episodes.state.copy(), "elapsed": self._episodes.elapsed.copy()},
        }

    @independent
    def load(self, state: State) -> None:
        self.agent.load_state_dict(state["model"])
        moments = {
            int(number): {name: own[name].clone() for name in _MOMENTS}
            for number, own in state["optimizer"].items()
        }
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})
        episodes = state["episodes"]
        self._episodes = ppo.Episodes(episodes["state"].copy(), episodes["elapsed"].copy())
        self.age = state["age"]

    def _rules(self) -> ppo.Rules:
        config = self._config
        return ppo.Rules(
            clip=float(config["clip"]),
            entropy=float(config["entropy"]),
            discount=float(config["discount"]),
            gae_lambda=float(config["gae_lambda"]),
            epochs=int(config["epochs"]),
            batches=self._practice.batches,
        )

    def _weights(self) -> Floats:
        """How much each part of the reward counts in training, ``(r,)``."""
        own = {"effort": float(self._config["effort_weight"])}
        return np.array([own.get(name, 1.0) for name in self._environment.rewards])

    def _judged(self, split: int, episodes: int) -> Metrics:
        # The same first states for everybody, whatever the seed.
        rng = np.random.default_rng(split)
        parts = ppo.returns(self.agent, self._environment, episodes, rng)
        names = self._environment.rewards
        own = {} if len(names) == 1 else dict(zip(names, parts.tolist(), strict=True))
        return {"reward": float(parts.sum()), **own}

    def _rng(self, purpose: Purpose) -> np.random.Generator:
        return np.random.default_rng(derived_seed(self._seed, purpose, self.age))
