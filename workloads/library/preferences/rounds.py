"""Training in rounds: the reference of each is the model that the round before has come to."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from workloads.library.language.gpt import GPT


class Rounds(nn.Module):
    """A reference that moves while the model trains, and travels with its state.

    It moves within the first step of a round, so that a member that goes on as another, or is resumed in the
    middle of a round, needs nothing else. An algorithm that computes two losses for one step counts it once.

    Args:
        network: the model before training.
        first: the step with which round 0 begins.
        length: steps of a round.
        extrapolated: whether references overshoot, by a momentum that each step is given.

    Attributes:
        reference: the model of the present round, frozen.
        step: the present one, from 0, int64 ``()``; -1 before the first.
    """

    step: Tensor
    _key: Tensor

    def __init__(self, network: GPT, first: int, length: int, extrapolated: bool) -> None:
        super().__init__()
        self.reference = _frozen(network)
        self.last = _frozen(network) if extrapolated else None
        self.first, self.length = first, length
        self.register_buffer("step", torch.tensor(-1))
        self.register_buffer("_key", torch.tensor(0))

    def begin_step(self, network: GPT, momentum: Tensor | None, key: Tensor) -> Tensor:
        """Move the reference if a round begins, and return the number of the round, int64 ``()``: negative
        before round 0.

        Args:
            network: the model in training.
            momentum: how far the reference goes beyond the model, as a share of the model's own way through
                the last round, ``()``; None: not at all. Round 0 has no last one.
            key: tells steps apart, int64 ``()``.
        """
        with torch.no_grad():
            new = key != self._key
            self._key.copy_(key)
            self.step.add_(new)
            since = self.step - self.first
            number, begins = since // self.length, new & (since >= 0) & (since % self.length == 0)
            own = [weight.detach() for weight in network.parameters()]
            targets = own
            if self.last is not None and momentum is not None:
                last = list(self.last.parameters())
                ahead = momentum * (since > 0)
                targets = [now + ahead * (now - then) for now, then in zip(own, last, strict=True)]
                _move(last, own, begins)
            _move(list(self.reference.parameters()), targets, begins)
        return number


def _frozen(network: GPT) -> GPT:
    return copy.deepcopy(network).requires_grad_(False)


def _move(weights: list[nn.Parameter] | list[Tensor], targets: list[Tensor], where: Tensor) -> None:
    for weight, target in zip(weights, targets, strict=True):
        weight.copy_(torch.where(where, target, weight))
