"""How weights are updated: each rule for one member by ``torch.optim``, and for a population in rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class UpdateRule(ABC):
    """An optimizer whose options can differ from member to member and change while training runs.

    Options are ``lr``, ``weight_decay`` and ``momentum`` (the decay of the first moment, which Adam calls
    beta 1), and ``beta2`` if there is one.
    """

    name: ClassVar[str]
    moments: ClassVar[tuple[str, ...]]
    """What it remembers of each weight; zero at first."""
    defaults: ClassVar[Mapping[str, float]]
    """Its options, with the values that hold where a workload sets none."""

    @abstractmethod
    def make(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer for one member; the caller puts the moments into its state, at zero."""

    @abstractmethod
    def settings(self, options: Mapping[str, float]) -> dict[str, Any]:
        """The same options as the optimizer's parameter groups have them."""

    @abstractmethod
    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        """What :meth:`update` multiplies with, for many steps at once.

        Args:
            options: each float64 ``(K,)``.
            steps: number of each update in its member's training, counted from 1, float64 ``(S, K)``.

        Returns:
            Tensors that broadcast with ``(S, K)``.
        """

    @abstractmethod
    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        """One step of all members, in place.

        Args:
            weights: ``(K, P)``.
            moments: in the order of :attr:`moments`, each ``(K, P)``.
            gradients: ``(K, P)``.
            coefficients: of one step, each ``(K, 1)``.
        """


class AdamW(UpdateRule):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as ``torch.optim.AdamW`` has it."""

    name = "adamw"
    moments = ("exp_avg", "exp_avg_sq")
    defaults: ClassVar = {"lr": 1e-3, "weight_decay": 1e-2, "momentum": 0.9, "beta2": 0.999}
    epsilon = 1e-8

    def make(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(weights, eps=self.epsilon)
        for weight in optimizer.param_groups[0]["params"]:
            # Torch starts a state that is empty, and only that, with its own step count and moments.
            optimizer.state[weight]["step"] = torch.zeros(())
        return optimizer

    def settings(self, options: Mapping[str, float]) -> dict[str, Any]:
        return _with_betas(options)

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        lr, beta1, beta2 = options["lr"], options["momentum"], options["beta2"]
        correction = (1 - beta2**steps).sqrt()
        return (
            1 - lr * options["weight_decay"],
            1 - beta1,
            1 - beta2,
            self.epsilon * correction,
            -lr / (1 - beta1**steps) * correction,
        )

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
    defaults: ClassVar = {"lr": 1e-2, "weight_decay": 0.0, "momentum": 0.9}

    def make(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(weights)

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


class Lion(UpdateRule):
    """Lion (Chen et al., 2023, arXiv 2302.06675, program 1): steps by the sign of the momentum."""

    name = "lion"
    moments = ("exp_avg",)
    defaults: ClassVar = {"lr": 1e-4, "weight_decay": 0.0, "momentum": 0.9, "beta2": 0.99}

    def make(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return LionOptimizer(weights)

    def settings(self, options: Mapping[str, float]) -> dict[str, Any]:
        return _with_betas(options)

    def coefficients(self, options: Mapping[str, Tensor], steps: Tensor) -> tuple[Tensor, ...]:
        del steps
        lr = options["lr"]
        return 1 - lr * options["weight_decay"], 1 - options["momentum"], 1 - options["beta2"], -lr

    def update(
        self,
        weights: Tensor,
        moments: Sequence[Tensor],
        gradients: Tensor,
        coefficients: Sequence[Tensor],
    ) -> None:
        shrink, first_weight, second_weight, rate = coefficients
        (momentum,) = moments
        direction = momentum.lerp(gradients, first_weight).sign_()
        weights.mul_(shrink).addcmul_(direction, rate)
        momentum.lerp_(gradients, second_weight)


class LionOptimizer(torch.optim.Optimizer):
    """:class:`Lion` for one member; torch has none."""

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(weights, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        # torch declares two overloads, one for each kind of closure.
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["exp_avg"] = torch.zeros_like(weight)
                momentum = state["exp_avg"]
                direction = momentum.lerp(weight.grad, 1 - beta1).sign_()
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"])
                momentum.lerp_(weight.grad, 1 - beta2)
        return loss


UPDATE_RULES: dict[str, UpdateRule] = {rule.name: rule for rule in (AdamW(), SGD(), Lion())}


def _with_betas(options: Mapping[str, float]) -> dict[str, Any]:
    return {
        "lr": options["lr"],
        "weight_decay": options["weight_decay"],
        "betas": (options["momentum"], options["beta2"]),
    }
