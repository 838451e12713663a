"""Rules that update every weight by itself: for one member, and in rows for a population as one program."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workloads.contract import State
from workloads.torch.algorithms.contract import TrainingAlgorithm, Weights


def averaging(options: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Of rules with decoupled weight decay and two running means: what the weights keep, the weights of a
    gradient in either mean, and the step's size.
    """
    lr = options["lr"]
    return 1 - lr * options["weight_decay"], 1 - options["momentum"], 1 - options["beta2"], -lr


def bias_corrected(options: Mapping[str, Tensor], steps: Tensor, epsilon: float) -> tuple[Tensor, ...]:
    """Of Adam's kind: what the weights keep, the weights of a gradient in either mean, and epsilon and the
    step's size so that the means need no correction of their own.
    """
    shrink, first_weight, second_weight, rate = averaging(options)
    correction = (1 - options["beta2"] ** steps).sqrt()
    size = rate / (1 - options["momentum"] ** steps) * correction
    return shrink, first_weight, second_weight, epsilon * correction, size


class UpdateRule(TrainingAlgorithm):
    """An algorithm whose options can differ from member to member of one program.

    A new rule gives its ``name``, ``moments`` and ``defaults``, :meth:`coefficients` and :meth:`update`; one
    member is then updated by the same function (:class:`RuleOptimizer`).
    """

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
            weights: ``(K, P)``, or one member's of any shape.
            moments: in the order of :attr:`moments`, each as the weights.
            gradients: as the weights.
            coefficients: of one step, each ``(K, 1)``, or ``()`` for one member.
        """

    def make(self, weights: Weights) -> torch.optim.Optimizer:
        return RuleOptimizer(self, weights)

    def configure(self, optimizer: torch.optim.Optimizer, options: Mapping[str, float]) -> None:
        for group in optimizer.param_groups:
            group.update(self.settings(options))

    def settings(self, options: Mapping[str, float]) -> dict[str, Any]:
        """The same options as the optimizer's parameter groups have them."""
        return dict(options)

    def begin(self, optimizer: torch.optim.Optimizer, age: int) -> None:
        if isinstance(optimizer, RuleOptimizer):
            optimizer.age = age
        for state in optimizer.state.values():
            # Torch's own optimizers count their steps themselves, weight by weight.
            if "step" in state:
                state["step"].fill_(age)

    def state(self, optimizer: torch.optim.Optimizer, weights: Weights) -> dict[str, Any]:
        moments = {name: optimizer.state[weight] for name, weight in weights.items()}
        return {
            "optimizer": {
                name: {kind: own[kind].clone() for kind in self.moments} for name, own in moments.items()
            }
        }

    def load(self, optimizer: torch.optim.Optimizer, weights: Weights, state: State) -> None:
        for name, weight in weights.items():
            for kind in self.moments:
                optimizer.state[weight][kind].copy_(state["optimizer"][name][kind])


class RuleOptimizer(torch.optim.Optimizer):
    """A rule for one member.

    Attributes:
        age: steps that the weights have been trained for.
    """

    def __init__(self, rule: UpdateRule, weights: Weights) -> None:
        super().__init__(weights.values(), dict(rule.defaults))
        self._rule, self.age = rule, 0

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        # torch declares two overloads, one for each kind of closure; a rule needs none.
        del closure
        self.age += 1
        for group in self.param_groups:
            options = {name: torch.tensor(group[name], dtype=torch.float64) for name in self._rule.defaults}
            exact = self._rule.coefficients(options, torch.tensor(float(self.age), dtype=torch.float64))
            first = group["params"][0]
            coefficients = [value.to(first.device, first.dtype) for value in exact]
            for weight in group["params"]:
                if weight.grad is not None:
                    moments = [self.state[weight][kind] for kind in self._rule.moments]
                    self._rule.update(weight, moments, weight.grad, coefficients)
