"""Proximal policy optimization (Schulman et al. 2017, arXiv 1707.06347): episodes in, better weights out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workloads.library.control.environments import Environment, Floats, Mask
from workloads.library.control.policy import Agent

LARGEST_GRADIENT = 0.5
"""Norm to which gradients are clipped."""
VALUE_SHARE = 0.5
"""Weight of the value function's loss."""


@dataclass(frozen=True)
class Rules:
    """How an agent learns from a rollout.

    Args:
        clip: how far the probability of an action may move, as a share.
        entropy: weight of the policy's entropy.
        discount: of a reward one step later.
        gae_lambda: of generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438).
        epochs: passes over a rollout.
        batches: parts of a pass.
    """

    clip: float
    entropy: float
    discount: float
    gae_lambda: float
    epochs: int
    batches: int


@dataclass
class Episodes:
    """Episodes that go on from rollout to rollout.

    Args:
        state: of the environments, ``(n, d)``.
        elapsed: steps since each began, ``(n,)``.
    """

    state: Floats
    elapsed: NDArray[np.int64]

    @classmethod
    def begin(cls, environment: Environment, count: int, rng: np.random.Generator) -> Episodes:
        """New ones."""
        return cls(environment.reset(count, rng), np.zeros(count, dtype=np.int64))

    def begin_again(self, over: Mask, environment: Environment, rng: np.random.Generator) -> None:
        """Put new episodes in the place of those that are over."""
        self.state[over] = environment.reset(int(over.sum()), rng)
        self.elapsed[over] = 0


@dataclass(frozen=True)
class Rollout:
    """What an agent has seen and done, ``b`` steps of all episodes.

    Args:
        observations: ``(b, d)``.
        actions: ``(b,)`` or ``(b, dimension)``.
        log_probabilities: of those actions, ``(b,)``.
        advantages: ``(b,)``.
        returns: what the value function should have said, ``(b,)``.
    """

    observations: Tensor
    actions: Tensor
    log_probabilities: Tensor
    advantages: Tensor
    returns: Tensor


@torch.no_grad()
def collect(
    agent: Agent,
    environment: Environment,
    episodes: Episodes,
    steps: int,
    weights: Floats,
    rules: Rules,
    rng: np.random.Generator,
) -> Rollout:
    """Let the agent act; ``episodes`` move on in place. Actions are drawn from torch's global generator.

    An episode that is cut off at its horizon counts as if it went on (Pardo et al. 2018, arXiv 1712.00378).

    Args:
        weights: of the reward's parts, ``(r,)``.
    """
    taken = [_step(agent, environment, episodes, weights, rules, rng) for _ in range(steps)]
    seen, done, likely, values, rewards, ends = map(torch.stack, zip(*taken, strict=True))
    last = agent(_tensor(environment.observe(episodes.state)))[1]
    advantages = estimate(rewards, ends, values, last, rules)
    kept = (seen, done, likely, advantages, advantages + values)
    return Rollout(*(one.flatten(0, 1) for one in kept))


def _step(
    agent: Agent,
    environment: Environment,
    episodes: Episodes,
    weights: Floats,
    rules: Rules,
    rng: np.random.Generator,
) -> tuple[Tensor, ...]:
    """One step of all episodes, in place: observations, actions, their log-probabilities, values, rewards,
    and which are over.
    """
    observations = _tensor(environment.observe(episodes.state))
    actions, value = agent(observations)
    action: Tensor = actions.sample()
    episodes.state, parts, ended = environment.step(episodes.state, action.numpy())
    episodes.elapsed += 1
    cut = ~ended & (episodes.elapsed >= environment.horizon)
    reward = parts @ weights / environment.reward_scale
    if cut.any():
        goes_on = agent(_tensor(environment.observe(episodes.state[cut])))[1]
        reward[cut] += rules.discount * goes_on.numpy()
    over = ended | cut
    if over.any():
        episodes.begin_again(over, environment, rng)
    return observations, action, actions.log_prob(action), value, _tensor(reward), _tensor(over)


def estimate(rewards: Tensor, ends: Tensor, values: Tensor, last: Tensor, rules: Rules) -> Tensor:
    """Generalised advantage estimates, ``(t, n)``.

    Args:
        rewards: ``(t, n)``.
        ends: 1 where an episode was over after the step, ``(t, n)``.
        values: of what was seen before each step, ``(t, n)``.
        last: values of what was seen in the end, ``(n,)``.
    """
    advantages, following, advantage = torch.empty_like(rewards), last, torch.zeros_like(last)
    for step in reversed(range(len(rewards))):
        goes_on = 1 - ends[step]
        surprise = rewards[step] + rules.discount * goes_on * following - values[step]
        advantage = surprise + rules.discount * rules.gae_lambda * goes_on * advantage
        advantages[step], following = advantage, values[step]
    return advantages


def learn(agent: Agent, optimizer: torch.optim.Optimizer, rollout: Rollout, rules: Rules) -> None:
    """Improve the agent in place; the order of batches is drawn from torch's global generator."""
    count = len(rollout.advantages)
    for _ in range(rules.epochs):
        for rows in torch.randperm(count).chunk(rules.batches):
            loss = _loss(agent, rollout, rows, rules)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(agent.parameters(), LARGEST_GRADIENT)
            optimizer.step()


def _loss(agent: Agent, rollout: Rollout, rows: Tensor, rules: Rules) -> Tensor:
    """Of one batch, ``()``."""
    actions, values = agent(rollout.observations[rows])
    advantages = rollout.advantages[rows]
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratios = (actions.log_prob(rollout.actions[rows]) - rollout.log_probabilities[rows]).exp()
    kept = ratios.clamp(1 - rules.clip, 1 + rules.clip)
    gain = torch.minimum(ratios * advantages, kept * advantages).mean()
    errors = (values - rollout.returns[rows]).square().mean()
    loss: Tensor = VALUE_SHARE * errors - gain - rules.entropy * actions.entropy().mean()
    return loss


@torch.no_grad()
def returns(agent: Agent, environment: Environment, episodes: int, rng: np.random.Generator) -> Floats:
    """What whole episodes of the most likely actions bring, part by part: means, ``(r,)``."""
    now = Episodes.begin(environment, episodes, rng)
    total = np.zeros((episodes, len(environment.rewards)))
    running = np.ones(episodes, dtype=bool)
    state = now.state
    for _ in range(environment.horizon):
        actions = agent.act(_tensor(environment.observe(state))).numpy()
        state, parts, ended = environment.step(state, actions)
        total[running] += parts[running]
        running &= ~ended
        if not running.any():
            break
    means: Floats = total.mean(axis=0)
    return means


def _tensor(values: NDArray[np.generic]) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
