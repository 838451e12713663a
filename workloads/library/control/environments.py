"""Classic control problems, many episodes at a time: pure functions over arrays.

The dynamics, rewards and ends of episodes are those of Gymnasium 1.x (Towers et al. 2024, arXiv 2407.17032),
in float64 throughout; a test holds them against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Environment(Protocol):
    """A control problem without memory: all that an episode is stands in one row of numbers.

    Attributes:
        observations: numbers that an agent sees.
        scale: a typical size of each, by which an agent divides.
        choices: number of discrete actions, of which an agent takes one; None: actions are continuous.
        dimension: numbers of a continuous action; 1 for discrete ones.
        limit: the largest size of each number of a continuous action.
        horizon: steps after which an episode is cut off.
        rewards: names of the parts of the reward, whose sum is the environment's reward.
        reward_scale: a typical size of a step's reward, by which an agent divides.
    """

    observations: int
    scale: tuple[float, ...]
    choices: ClassVar[int | None]
    dimension: int
    limit: float
    horizon: int
    rewards: tuple[str, ...]
    reward_scale: float

    def reset(self, count: int, rng: np.random.Generator) -> Floats:
        """States of new episodes, ``(count, d)``."""
        ...

    def observe(self, state: Floats) -> Floats:
        """What an agent sees of states ``(n, d)``, ``(n, observations)``."""
        ...

    def step(self, state: Floats, action: NDArray[np.generic]) -> tuple[Floats, Floats, Mask]:
        """One step of all episodes.

        Args:
            state: ``(n, d)``.
            action: of each, integers ``(n,)`` or numbers ``(n, dimension)``.

        Returns:
            The next states ``(n, d)``, the parts of the reward ``(n, r)``, larger is better, and which
            episodes have ended, ``(n,)``.
        """
        ...


class CartPole:
    """``CartPole-v1``: push a cart left or right so that the pole on it stays upright; at most 500.

    Source: Barto, Sutton and Anderson 1983.
    """

    observations = 4
    scale: tuple[float, ...] = (2.4, 2.0, 0.2, 2.0)
    choices: ClassVar[int | None] = 2
    dimension = 1
    limit = 1.0
    horizon = 500
    rewards: tuple[str, ...] = ("upright",)
    reward_scale = 1.0

    def reset(self, count: int, rng: np.random.Generator) -> Floats:
        return rng.uniform(-0.05, 0.05, (count, 4))

    def observe(self, state: Floats) -> Floats:
        return state

    def step(self, state: Floats, action: NDArray[np.generic]) -> tuple[Floats, Floats, Mask]:
        x, speed, angle, turning = state.T
        force = np.where(action == 1, 10.0, -10.0)
        cosine, sine = np.cos(angle), np.sin(angle)
        push = (force + 0.05 * turning**2 * sine) / 1.1
        turn = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        acceleration = push - 0.05 * turn * cosine / 1.1
        after = np.column_stack(
            [x + 0.02 * speed, speed + 0.02 * acceleration, angle + 0.02 * turning, turning + 0.02 * turn]
        )
        ended = (np.abs(after[:, 0]) > 2.4) | (np.abs(after[:, 2]) > 12 * 2 * np.pi / 360)
        return after, np.ones((len(state), 1)), ended


class Acrobot:
    """``Acrobot-v1``: swing two links up by the joint between them; -1 a step until the tip is high.

    Source: Sutton 1996; the equations are those of Sutton and Barto's book.
    """

    observations = 6
    scale: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 4 * np.pi, 9 * np.pi)
    choices: ClassVar[int | None] = 3
    dimension = 1
    limit = 1.0
    horizon = 500
    rewards: tuple[str, ...] = ("time",)
    reward_scale = 1.0

    def reset(self, count: int, rng: np.random.Generator) -> Floats:
        return rng.uniform(-0.1, 0.1, (count, 4))

    def observe(self, state: Floats) -> Floats:
        first, second, *speeds = state.T
        return np.column_stack([np.cos(first), np.sin(first), np.cos(second), np.sin(second), *speeds])

    def step(self, state: Floats, action: NDArray[np.generic]) -> tuple[Floats, Floats, Mask]:
        after = _runge_kutta(state, np.asarray(action, dtype=np.float64) - 1)
        after[:, :2] = _wrapped(after[:, :2])
        after[:, 2] = np.clip(after[:, 2], -4 * np.pi, 4 * np.pi)
        after[:, 3] = np.clip(after[:, 3], -9 * np.pi, 9 * np.pi)
        ended = -np.cos(after[:, 0]) - np.cos(after[:, 0] + after[:, 1]) > 1
        return after, np.where(ended, 0.0, -1.0)[:, None], ended


class Pendulum:
    """``Pendulum-v1``: swing a pendulum up with a weak motor and hold it there, for 200 steps.

    Its reward has two parts: ``balance``, against the angle and the speed, and ``effort``, against the
    torque.

    Source: the classic swing-up problem (Doya 2000), as Gymnasium has it.
    """

    observations = 3
    scale: tuple[float, ...] = (1.0, 1.0, 8.0)
    choices: ClassVar[int | None] = None
    dimension = 1
    limit = 2.0
    horizon = 200
    rewards: tuple[str, ...] = ("balance", "effort")
    reward_scale = 8.0

    def reset(self, count: int, rng: np.random.Generator) -> Floats:
        return rng.uniform((-np.pi, -1.0), (np.pi, 1.0), (count, 2))

    def observe(self, state: Floats) -> Floats:
        angle, speed = state.T
        return np.column_stack([np.cos(angle), np.sin(angle), speed])

    def step(self, state: Floats, action: NDArray[np.generic]) -> tuple[Floats, Floats, Mask]:
        angle, speed = state.T
        torque = np.clip(np.asarray(action, dtype=np.float64)[:, 0], -self.limit, self.limit)
        rewards = np.column_stack([-(_wrapped(angle) ** 2) - 0.1 * speed**2, -0.001 * torque**2])
        faster = np.clip(speed + (15 * np.sin(angle) + 3 * torque) * 0.05, -8, 8)
        after = np.column_stack([angle + 0.05 * faster, faster])
        return after, rewards, np.zeros(len(state), dtype=bool)


ENVIRONMENTS: Mapping[str, type[Environment]] = {
    "cartpole": CartPole,
    "acrobot": Acrobot,
    "pendulum": Pendulum,
}


def _wrapped(angle: Floats) -> Floats:
    """The same angles in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _runge_kutta(state: Floats, torque: Floats) -> Floats:
    """Acrobot's states ``(n, 4)`` after 0.2 seconds, by one step of fourth order."""
    first = _acrobot(state, torque)
    second = _acrobot(state + 0.1 * first, torque)
    third = _acrobot(state + 0.1 * second, torque)
    fourth = _acrobot(state + 0.2 * third, torque)
    return state + 0.2 / 6 * (first + 2 * second + 2 * third + fourth)


def _acrobot(state: Floats, torque: Floats) -> Floats:
    """Acrobot's derivative in time, ``(n, 4)``: links of 1 kg and 1 m, inertia 1, centres in their middle."""
    angle, bend, turning, bending = state.T
    cosine, sine = np.cos(bend), np.sin(bend)
    inertia = 3.5 + cosine
    coupling = 1.25 + 0.5 * cosine
    lower = 4.9 * np.cos(angle + bend - np.pi / 2)
    upper = -0.5 * bending**2 * sine - bending * turning * sine + 14.7 * np.cos(angle - np.pi / 2) + lower
    bent = (torque + coupling / inertia * upper - 0.5 * turning**2 * sine - lower) / (
        1.25 - coupling**2 / inertia
    )
    return np.column_stack([turning, bending, -(coupling * bent + upper) / inertia, bent])
