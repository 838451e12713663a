"""What a language model learns from several rewards of its own responses: GRPO, its relatives, and MODPO."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

_LITTLE = 1e-4


def of_the_sum(rewards: Tensor, weights: Tensor) -> Tensor:
    """GRPO's advantages of the weighted sum: less the group's mean, by its standard deviation (Shao et al.
    2024, arXiv 2402.03300), ``(n, group)``.

    Args:
        rewards: ``(n, group, rewards)``.
        weights: ``(rewards,)``.
    """
    return _standardised((rewards * weights).sum(-1), 1)


def of_each(rewards: Tensor, weights: Tensor) -> Tensor:
    """MO-GRPO's advantages: the weighted sum of each reward's own, so that a reward that varies much does not
    drown the others (Ichihara et al. 2025, arXiv 2509.22047); as :func:`of_the_sum`.
    """
    return (_standardised(rewards, 1) * weights).sum(-1)


def of_the_least(rewards: Tensor, weights: Tensor) -> Tensor:
    """PAMA's advantages (He and Maghsudi 2025, arXiv 2508.07768); as :func:`of_the_sum`.

    The convex combination of a response's advantages that is next to zero has a closed form: the projection
    of zero onto the span from the least to the largest. Negative ones count as zero beforehand (*no
    negative*), so this is the least: what is learned from is better than its group in every reward. Weights
    have no part in it. Here the combination is sought for each response, with GRPO's advantages in place of
    those of learned values; the authors' code is not public.
    """
    del weights
    return _standardised(rewards, 1).clamp(min=0).amin(-1)


ADVANTAGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": of_the_sum,
    "each": of_each,
    "least": of_the_least,
}
"""How several rewards become one advantage; a new way is a function and a line."""


class Drawn(NamedTuple):
    """A model's responses to the prompts of a step.

    Args:
        rewards: ``(n, group, rewards)``.
        counted: which characters belong to a response, bool ``(n * group, response)``.
        policy: log-probabilities of its characters by the model that learns, of the same shape.
        expected: by the reference.
    """

    rewards: Tensor
    counted: Tensor
    policy: Tensor
    expected: Tensor


def grpo(drawn: Drawn, advantages: Tensor, beta: Tensor) -> Tensor:
    """GRPO's loss where each group is used for one update, so that no ratio is clipped, ``()``.

    Args:
        advantages: ``(n, group)``.
        beta: the weight of the divergence, whose estimate is GRPO's, which is never negative.
    """
    apart = drawn.expected - drawn.policy
    divergence = apart.exp() - apart - 1
    gain = advantages.reshape(-1, 1) * (drawn.policy - drawn.policy.detach()).exp()
    each = ((beta * divergence - gain) * drawn.counted).sum(-1) / drawn.counted.sum(-1)
    loss: Tensor = each.mean()
    return loss


def modpo(drawn: Drawn, weights: Tensor, beta: Tensor, preferred: int) -> Tensor:
    """MODPO's loss (Zhou et al. 2024, arXiv 2310.03708), ``()``: DPO by one reward, the others are a margin.

    With shares w that sum to 1, k the reward that prefers and r the others:
    ``-log sigmoid((beta * log-ratio gap - w_others @ r gap) / w_k)``. Of each group the best and the worst by
    reward k are the pair, drawn by the model itself, where the paper has data; a group of equals teaches
    nothing.

    Args:
        weights: at least 0, ``(rewards,)``.
        beta: of the divergence from the reference.
        preferred: the place of reward k.
    """
    judged = drawn.rewards[..., preferred]
    pair = judged.argmax(1, keepdim=True), judged.argmin(1, keepdim=True)

    def gap(values: Tensor) -> Tensor:
        best, worst = (values.gather(1, place).squeeze(1) for place in pair)
        return best - worst

    ratios = ((drawn.policy - drawn.expected) * drawn.counted).sum(-1).view(judged.shape)
    shares = (weights + _LITTLE) / (weights + _LITTLE).sum()
    others = (drawn.rewards * shares).sum(-1) - judged * shares[preferred]
    losses = -logsigmoid((beta * gap(ratios) - gap(others)) / shares[preferred])
    apart = gap(judged) > 0
    loss: Tensor = torch.where(apart, losses, 0.0).sum() / apart.sum().clamp(min=1)
    return loss


UPDATES = ("grpo", "modpo")


def _standardised(values: Tensor, dim: int) -> Tensor:
    centred = values - values.mean(dim, keepdim=True)
    return centred / (centred.square().mean(dim, keepdim=True).sqrt() + _LITTLE)
