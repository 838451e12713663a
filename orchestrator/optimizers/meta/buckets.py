"""Distributions over scaled losses as shares of buckets, "Riemann distributions" (Müller et al. 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from orchestrator.optimizers.meta.scale import SHARPNESS

LOW, HIGH, COUNT = -3.6, 4.2, 60
"""The buckets' range and their number; the first and the last one go on as halves of normal distributions."""
TAIL = 0.5
"""Standard deviation of those halves."""
_WIDTH = (HIGH - LOW) / COUNT
_EDGES = torch.linspace(LOW, HIGH, COUNT + 1)
_MEDIAN_OF_HALF_NORMAL = 0.6745
_HALF_NORMAL = 0.5 * math.log(2 / math.pi) - math.log(TAIL)


def log_density(logits: Tensor, scaled: Tensor) -> Tensor:
    """The logarithm of the density at scaled losses.

    Args:
        logits: of the buckets' shares, with both tails, ``(..., COUNT + 2)``.
        scaled: ``(...)``.
    """
    bucket = torch.bucketize(scaled.contiguous(), _EDGES)
    beyond = torch.clamp(torch.maximum(LOW - scaled, scaled - HIGH), min=0.0)
    inside = torch.full_like(scaled, -math.log(_WIDTH))
    within = torch.where(beyond > 0, _HALF_NORMAL - 0.5 * (beyond / TAIL) ** 2, inside)
    return torch.log_softmax(logits, -1).gather(-1, bucket[..., None])[..., 0] + within


def cumulative(logits: Tensor, scaled: Tensor) -> Tensor:
    """How probable a smaller loss is at each query, ``(...)``."""
    shares = torch.softmax(logits, -1)
    before = torch.cumsum(shares, -1) - shares
    lower = 1 - torch.erf(torch.clamp(LOW - scaled, min=0.0) / (TAIL * math.sqrt(2)))
    upper = torch.erf(torch.clamp(scaled - HIGH, min=0.0) / (TAIL * math.sqrt(2)))
    linear = torch.clamp((scaled - LOW) / _WIDTH - torch.bucketize(scaled.contiguous(), _EDGES) + 1, 0.0, 1.0)
    part = torch.where(scaled <= LOW, lower, torch.where(scaled > HIGH, upper, linear))
    bucket = torch.bucketize(scaled.contiguous(), _EDGES)[..., None]
    return before.gather(-1, bucket)[..., 0] + shares.gather(-1, bucket)[..., 0] * part


def median(logits: Tensor) -> Tensor:
    """The medians, to the middle of a bucket, ``(...)``."""
    reached = torch.cumsum(torch.softmax(logits, -1), -1) >= 0.5
    return _centres()[reached.int().argmax(-1)]


def expected_improvement(logits: Tensor) -> Tensor:
    """By how much the loss is expected to fall below the best one, in the unit of its scale, ``(...)``."""
    return torch.softmax(logits, -1) @ _improvements()


def _centres() -> Tensor:
    ends = TAIL * _MEDIAN_OF_HALF_NORMAL
    middles = (_EDGES[:-1] + _EDGES[1:]) / 2
    return torch.cat([torch.tensor([LOW - ends]), middles, torch.tensor([HIGH + ends])])


def _improvements() -> Tensor:
    """The mean improvement within each bucket; the tail of the best ones counts by its median."""
    best = _EDGES.clamp(max=0.0)
    length = (best[1:] - best[:-1]) / _WIDTH
    mean = (torch.exp(-best[:-1]) - torch.exp(-best[1:])) / _WIDTH - length
    tail = torch.expm1(-_centres()[:1])
    return SHARPNESS * torch.cat([tail, mean, torch.zeros(1)])
