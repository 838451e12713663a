"""Descendants of Adam that update every weight by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from workloads.torch.algorithms.contract import options
from workloads.torch.algorithms.rules import UpdateRule, bias_corrected


class AdaBelief(UpdateRule):
    """AdaBelief (Zhuang et al., 2020, arXiv 2010.07468) with decoupled weight decay, as the authors have it.

    It divides by how far gradients are from their running mean, not by their size.
    """

    name = "adabelief"
    moments = ("exp_avg", "exp_avg_var")
    defaults = options(lr=1e-3, weight_decay=1e-2, momentum=0.9, beta2=0.999)
    epsilon = 1e-16

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        return bias_corrected(options, steps, self.epsilon)

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, first_weight, second_weight, epsilon, rate = coefficients
        mean, variance = moments
        mean.lerp_(gradients, first_weight)
        variance.lerp_((gradients - mean).square_(), second_weight).add_(self.epsilon)
        weights.mul_(shrink).addcdiv_(mean * rate, variance.sqrt().add_(epsilon))


class EXAdam(UpdateRule):
    """EXAdam (Adly, 2024, arXiv 2412.20302), as ``pytorch_optimizer`` has it: moments correct one another."""

    name = "exadam"
    moments = ("exp_avg", "exp_avg_sq")
    defaults = options(lr=1e-3, weight_decay=0.0, momentum=0.9, beta2=0.999)
    epsilon = 1e-8

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        lr, beta1, beta2 = options["lr"], options["momentum"], options["beta2"]
        left1, left2 = beta1**steps, beta2**steps
        return (
            1 - lr * options["weight_decay"],
            1 - beta1,
            1 - beta2,
            left1,
            left2,
            1 / (1 - left2),
            -lr / (1 - left1),
        )

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, first_weight, second_weight, left1, left2, correction, rate = coefficients
        first, second = moments
        first.lerp_(gradients, first_weight)
        second.lerp_(gradients.square(), second_weight)
        by_second = 1 + left2 * second / (second + self.epsilon)
        squared = first.square()
        by_first = 1 + left1 * squared / (squared + self.epsilon)
        size = (by_first * second * correction).sqrt_().add_(self.epsilon)
        weights.mul_(shrink).addcdiv_((first + gradients) * by_second * rate, size)


class Spam(UpdateRule):
    """SPAM (Huang et al., 2025, arXiv 2501.06842): Adam that clips spikes and forgets its moments at times.

    As ``pytorch_optimizer`` has it with all weights updated at every step. A gradient whose square is more
    than ``threshold`` times the second moment is clipped to that, from 20 steps after a reset on; moments
    start anew every ``interval`` steps, and the learning rate then grows from nearly 0 by a cosine.
    """

    name = "spam"
    moments = ("exp_avg", "exp_avg_sq")
    defaults = options(lr=1e-3, weight_decay=0.0, momentum=0.9, beta2=0.999, threshold=5000.0, interval=500.0)
    epsilon = 1e-6
    warmup, unclipped = 50, 20

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        lr, beta1, beta2, interval = (options[name] for name in ("lr", "momentum", "beta2", "interval"))
        resets = torch.floor(steps / interval)
        since = steps - resets * interval
        kept = (resets == torch.floor((steps - 1) / interval)).to(steps.dtype)
        growing = (resets > 0) & (since < self.warmup)
        death = 0.99 * (1 + torch.cos(math.pi * (since + 1) / (self.warmup + 1))) / 2
        rate = torch.where(growing, 1 - death, 1.0) * lr / (1 - beta1**steps) * (1 - beta2**steps).sqrt()
        limit = torch.where(since >= self.unclipped, options["threshold"], torch.inf)
        return 1 - lr * options["weight_decay"], 1 - beta1, 1 - beta2, kept, limit, -rate

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, first_weight, second_weight, kept, limit, rate = coefficients
        first, second = moments
        first.mul_(kept)
        second.mul_(kept)
        # No limit times a moment of zero is no number, which no gradient is larger than.
        most = limit * second
        spike = gradients.square() > most
        gradients = torch.where(spike, gradients.sign() * most.sqrt(), gradients)
        first.lerp_(gradients, first_weight)
        second.lerp_(gradients.square(), second_weight)
        weights.addcdiv_(first * rate, second.sqrt().add_(self.epsilon)).mul_(shrink)
