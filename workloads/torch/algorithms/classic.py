"""Rules that step by the gradient, its running mean or its sign; and AdamW."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workloads.torch.algorithms.contract import Weights, options
from workloads.torch.algorithms.rules import UpdateRule, averaging, bias_corrected


class AdamW(UpdateRule):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as ``torch.optim.AdamW`` has it."""

    name = "adamw"
    moments = ("exp_avg", "exp_avg_sq")
    defaults = options(lr=1e-3, weight_decay=1e-2, momentum=0.9, beta2=0.999)
    epsilon = 1e-8

    def make(self, weights: Weights) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(weights.values(), eps=self.epsilon)
        for weight in optimizer.param_groups[0]["params"]:
            # Torch starts a state that is empty, and only that, with its own step count and moments.
            optimizer.state[weight]["step"] = torch.zeros(())
        return optimizer

    def settings(self, options: Mapping[str, float]) -> dict[str, Any]:
        betas = options["momentum"], options["beta2"]
        return {"lr": options["lr"], "weight_decay": options["weight_decay"], "betas": betas}

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
        first, second = moments
        first.lerp_(gradients, first_weight)
        second.lerp_(gradients.square(), second_weight)
        weights.mul_(shrink).addcdiv_(first * rate, second.sqrt().add_(epsilon))


class SGD(UpdateRule):
    """Stochastic gradient descent with momentum and L2 regularisation, as ``torch.optim.SGD`` has it."""

    name = "sgd"
    moments = ("momentum_buffer",)
    defaults = options(lr=1e-2, weight_decay=0.0, momentum=0.9)

    def make(self, weights: Weights) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights.values())

    def settings(self, options: Mapping[str, float]) -> dict[str, Any]:
        # At zero torch would leave the buffer as it was, and find it stale once there is momentum again.
        return {**options, "momentum": max(options["momentum"], torch.finfo(torch.float64).tiny)}

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        del steps
        return options["weight_decay"], options["momentum"], -options["lr"]

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        decay, momentum, rate = coefficients
        (buffer,) = moments
        buffer.mul_(momentum).add_(gradients).addcmul_(weights, decay)
        weights.addcmul_(buffer, rate)


class ClippedSGD(UpdateRule):
    """SGD that clips each coordinate of the averaged gradient to ``threshold`` (Zhang et al., 2020).

    CClip of "Why are adaptive methods good for attention models?", arXiv 1912.03194, with one threshold for
    all coordinates and with decoupled weight decay.
    """

    name = "clipped_sgd"
    moments = ("exp_avg",)
    defaults = options(lr=0.1, weight_decay=0.0, momentum=0.9, threshold=0.01)

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        del steps
        lr = options["lr"]
        return 1 - lr * options["weight_decay"], 1 - options["momentum"], options["threshold"], -lr

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, weight, threshold, rate = coefficients
        (mean,) = moments
        mean.lerp_(gradients, weight)
        weights.mul_(shrink).addcmul_(mean.clamp(-threshold, threshold), rate)


class AdaptiveClippedSGD(UpdateRule):
    """SGD that clips each coordinate to the running mean of its gradient's size (Zhang et al., 2020).

    ACClip of arXiv 1912.03194, algorithm 2, with alpha 1; weight decay is decoupled.
    """

    name = "acclip"
    moments = ("exp_avg", "exp_size")
    defaults = options(lr=0.1, weight_decay=0.0, momentum=0.9, beta2=0.99)

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        del steps
        return averaging(options)

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, first_weight, second_weight, rate = coefficients
        mean, size = moments
        mean.lerp_(gradients, first_weight)
        size.lerp_(gradients.abs(), second_weight)
        weights.mul_(shrink).addcmul_(mean.clamp(-size, size), rate)


class Lion(UpdateRule):
    """Lion (Chen et al., 2023, arXiv 2302.06675, program 1): steps by the sign of the momentum."""

    name = "lion"
    moments = ("exp_avg",)
    defaults = options(lr=1e-4, weight_decay=0.0, momentum=0.9, beta2=0.99)

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        del steps
        return averaging(options)

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, first_weight, second_weight, rate, *own = coefficients
        (momentum,) = moments
        direction = self.direction(momentum.lerp(gradients, first_weight), *own)
        weights.mul_(shrink).addcmul_(direction, rate)
        momentum.lerp_(gradients, second_weight)

    def direction(self, mean: Tensor, *own: Tensor) -> Tensor:
        """Where a step goes; it may overwrite ``mean``."""
        del own
        return mean.sign_()


class LionK(Lion):
    """Lion-K (Chen et al., 2024, arXiv 2310.05898) with the Huber function as K.

    Lion's sign is a subgradient of K's, the 1-norm; here coordinates smaller than ``smoothing`` take smaller
    steps in proportion: clip(x / smoothing, -1, 1).
    """

    name = "lion_k"
    defaults = options(**Lion.defaults, smoothing=1e-3)

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        return *super().coefficients(options, steps), 1 / options["smoothing"]

    def direction(self, mean: Tensor, *own: Tensor) -> Tensor:
        (scale,) = own
        return mean.mul_(scale).clamp_(-1, 1)
