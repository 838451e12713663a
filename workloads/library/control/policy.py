"""What an agent is made of: two small networks, and the distribution of its actions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from workloads.library.control.environments import Environment


class Agent(nn.Module):
    """A policy and a value function, each a network with two hidden layers of tanh units.

    Discrete actions have a softmax over ``choices`` outputs; continuous ones a normal distribution whose mean
    is the output times ``limit`` and whose deviation is a parameter of its own.

    Args:
        environment: what it acts in.
        width: units of a hidden layer.
    """

    _scale: Tensor

    def __init__(self, environment: Environment, width: int) -> None:
        super().__init__()
        self._discrete = environment.choices is not None
        self._limit = environment.limit
        outputs = environment.choices or environment.dimension
        self.policy = _network(environment.observations, width, outputs, 0.01)
        self.value = _network(environment.observations, width, 1, 1.0)
        self.log_deviation = nn.Parameter(torch.zeros(environment.dimension))
        self.register_buffer("_scale", torch.tensor(environment.scale), persistent=False)

    def forward(self, observations: Tensor) -> tuple[Distribution, Tensor]:
        """Distributions of actions and values ``(n,)`` for observations ``(n, d)``."""
        seen = observations / self._scale
        return self._distribution(self.policy(seen)), self.value(seen).squeeze(-1)

    def act(self, observations: Tensor) -> Tensor:
        """The most likely actions, ``(n,)`` or ``(n, dimension)``."""
        outputs: Tensor = self.policy(observations / self._scale)
        return outputs.argmax(-1) if self._discrete else outputs * self._limit

    def _distribution(self, outputs: Tensor) -> Distribution:
        if self._discrete:
            return Categorical(logits=outputs, validate_args=False)
        deviation = self._limit * self.log_deviation.exp()
        normal = Normal(outputs * self._limit, deviation.expand_as(outputs), validate_args=False)
        return Independent(normal, 1, validate_args=False)


def _network(inputs: int, width: int, outputs: int, gain: float) -> nn.Sequential:
    """Orthogonal weights and biases of zero, as on-policy agents usually start (Huang et al. 2022)."""
    layers = [nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, outputs)]
    for layer, own in zip(layers, (np.sqrt(2), np.sqrt(2), gain), strict=True):
        nn.init.orthogonal_(layer.weight, float(own))
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
