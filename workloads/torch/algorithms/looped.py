"""Algorithms that need more than each weight by itself: members train alone, by an optimizer of a library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.extras import needs_extra
from workloads.contract import State
from workloads.state import copied
from workloads.torch.algorithms.contract import Step, TrainingAlgorithm, Weights
from workloads.torch.randomness import uniform

_PROBE_LAYER = 1000
"""Draws with a step's key for the first weight; models and losses have lower numbers."""


@dataclass(frozen=True)
class Looped(TrainingAlgorithm):
    """An optimizer of torch or ``pytorch_optimizer``; a new one is a function that makes it, and a line.

    Args:
        name, defaults, alone, one_process: as of any algorithm.
        build: makes the optimizer for the weights.
        keys: what options are called in parameter groups, where that is not their own name; ``momentum`` and
            ``beta2`` are ``betas`` where there is no such key.
        library: whether it needs ``pytorch_optimizer``.
    """

    name: str
    build: Callable[[Weights], torch.optim.Optimizer]
    defaults: Mapping[str, float]
    alone: str
    keys: Mapping[str, str] = field(default_factory=dict)
    library: bool = True
    one_process: str = ""

    def check(self, key: str) -> None:
        if self.library:
            with needs_extra(key, "algorithms", f"optimizer={self.name}"):
                import pytorch_optimizer  # noqa: F401

    def make(self, weights: Weights) -> torch.optim.Optimizer:
        self.check("optimizer")
        return self.build(weights)

    def configure(self, optimizer: torch.optim.Optimizer, options: Mapping[str, float]) -> None:
        for group in optimizer.param_groups:
            group.update(self.settings(group, options))

    def settings(self, group: Mapping[str, Any], options: Mapping[str, float]) -> dict[str, Any]:
        """The options as this parameter group has them; those that it does not have are left out."""
        named = {self.keys.get(option, option): value for option, value in options.items()}
        found: dict[str, Any] = {key: value for key, value in named.items() if key in group}
        if "betas" in group:
            betas = (named.get("momentum", group["betas"][0]), named.get("beta2", group["betas"][1]))
            found["betas"] = betas
        return found

    def state(self, optimizer: torch.optim.Optimizer, weights: Weights) -> dict[str, Any]:
        """Beside ``optimizer``, ``algorithm``: what the optimizer remembers that is no single weight's."""
        saved = copied(optimizer.state_dict())
        names = _names(optimizer, weights)
        own = {names[place]: saved["state"].pop(place, {}) for place in range(len(names))}
        groups = [self._memory(group) for group in saved.pop("param_groups")]
        return {"optimizer": own, "algorithm": {**saved, "groups": groups}}

    def load(self, optimizer: torch.optim.Optimizer, weights: Weights, state: State) -> None:
        names, memory = _names(optimizer, weights), copied(state["algorithm"])
        groups = [
            {**self._kept(group, optimizer), **saved}
            for group, saved in zip(optimizer.state_dict()["param_groups"], memory.pop("groups"), strict=True)
        ]
        own = {place: copied(state["optimizer"][name]) for place, name in enumerate(names)}
        own = {place: value for place, value in own.items() if value}
        optimizer.load_state_dict({**memory, "state": {**memory["state"], **own}, "param_groups": groups})

    def _memory(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in a group and is neither its weights nor an option."""
        options = {self.keys.get(option, option) for option in self.defaults} | {"betas", "params"}
        return {key: value for key, value in group.items() if key not in options}

    def _kept(self, group: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """What stays in a group while another's memory is loaded: counters do not."""
        forgotten = self._memory(group).keys() - optimizer.defaults.keys()
        return {key: value for key, value in group.items() if key not in forgotten}


@dataclass(frozen=True)
class SharpnessAware(Looped):
    """SAM (Foret et al., 2021, arXiv 2010.01412): steps by the gradient where the loss nearby is largest.

    The place is ``rho`` away along the gradient; there the base optimizer's gradient is taken. Running
    statistics of normalisation layers see both places.
    """

    def step(self, optimizer: torch.optim.Optimizer, step: Step) -> Tensor:
        loss = step.gradient()
        slopes = [(weight, weight.grad) for weight in step.weights.values() if weight.grad is not None]
        before = [weight.detach().clone() for weight, _ in slopes]
        norm = torch.stack([slope.norm() for _, slope in slopes]).norm()
        scale = optimizer.param_groups[0]["rho"] / (norm + 1e-12)
        with torch.no_grad():
            for weight, slope in slopes:
                weight.addcmul_(slope, scale)
        step.gradient()
        with torch.no_grad():
            for (weight, _), old in zip(slopes, before, strict=True):
                weight.copy_(old)
        optimizer.step()
        return loss


@dataclass(frozen=True)
class SecondOrder(Looped):
    """Takes an estimate of the Hessian's diagonal, by Hutchinson's method, whenever the optimizer wants one.

    z * Hz for a vector z of random signs (Yao et al., 2021, arXiv 2006.00719), one at a time; drawn from the
    step's key, where libraries draw from global state.
    """

    one_process: str = "its second derivatives are not averaged over processes"

    def step(self, optimizer: torch.optim.Optimizer, step: Step) -> Tensor:
        period = getattr(optimizer, "update_period", 1)
        if optimizer.param_groups[0].get("step", 0) % period:
            return super().step(optimizer, step)
        loss, weights = step.loss(), list(step.weights.values())
        found = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
        signs = [
            torch.where(uniform(weight.shape, step.key, _PROBE_LAYER + place) < 0.5, -1.0, 1.0).to(
                weight.dtype
            )
            for place, weight in enumerate(weights)
        ]
        products = torch.autograd.grad(found, weights, signs, materialize_grads=True)
        for weight, gradient in zip(weights, found, strict=True):
            weight.grad = gradient.detach()
        hessian = [product * sign for product, sign in zip(products, signs, strict=True)]
        optimizer.step(hessian=hessian)  # type: ignore[call-overload]  # torch declares no more than a closure
        return loss.detach()


@dataclass(frozen=True)
class Averaged(Looped):
    """Judges an average of the weights, which the optimizer's ``eval`` puts into their place."""

    def evaluating(
        self, optimizer: torch.optim.Optimizer, weights: Iterable[nn.Parameter]
    ) -> AbstractContextManager[None]:
        return _averaged(optimizer, list(weights))


@contextmanager
def _averaged(optimizer: Any, weights: list[nn.Parameter]) -> Iterator[None]:
    # Going there and back by interpolation would round the weights.
    before = [weight.detach().clone() for weight in weights]
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()
        with torch.no_grad():
            for weight, old in zip(weights, before, strict=True):
                weight.copy_(old)


def _names(optimizer: torch.optim.Optimizer, weights: Weights) -> list[str]:
    """Of the weights, in the order in which the optimizer's groups have them."""
    names = {id(weight): name for name, weight in weights.items()}
    return [names[id(weight)] for group in optimizer.param_groups for weight in group["params"]]
