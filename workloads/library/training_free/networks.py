"""Small networks for digits that differ in depth, width, activation, normalisation and skips."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from workloads.library.fitting import digits, trained, weights_of, wrong
from workloads.torch.randomness import seeded_initialisation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class Architecture(NamedTuple):
    """What tells two networks apart.

    Args:
        depth: hidden layers.
        width: units of each.
        activation: after each.
        normalised: whether each is normalised before it.
        skips: whether each but the first is added to what comes in.
    """

    depth: int
    width: int
    activation: str
    normalised: bool
    skips: bool


ARCHITECTURES = tuple(
    Architecture(*choice)
    for choice in product((1, 2, 3, 4, 6), (4, 8, 16, 32), ACTIVATIONS, (False, True), (False, True))
)
"""All 320."""


class Network(nn.Module):
    """64 pixels, hidden layers of one architecture, 10 logits."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        depth, width = architecture.depth, architecture.width
        self.architecture = architecture
        self.hidden = nn.ModuleList(nn.Linear(width if layer else 64, width) for layer in range(depth))
        norms = (nn.LayerNorm(width) if architecture.normalised else nn.Identity() for _ in range(depth))
        self.norms = nn.ModuleList(norms)
        self.output = nn.Linear(width, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``(n, 10)`` of images ``(n, 1, 8, 8)``."""
        features, activate = inputs.flatten(1), ACTIVATIONS[self.architecture.activation]
        for layer, (linear, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            hidden = activate(norm(linear(features)))
            features = features + hidden if layer and self.architecture.skips else hidden
        logits: Tensor = self.output(features)
        return logits


def fresh(architecture: Architecture, seed: int) -> Network:
    """A network that has not been trained."""
    with seeded_initialisation(seed):
        return Network(architecture)


class Errors(NamedTuple):
    """Shares of wrong answers."""

    validation: float
    test: float


@cache
def errors(architecture: Architecture, steps: int, seed: int) -> Errors:
    """Of a network after its training by AdamW at 3e-3, once per process.

    Args:
        seed: of the first weights and the order of batches.
    """
    network, splits = fresh(architecture, seed), digits()
    network.load_state_dict(trained(network, weights_of(network), splits.train, steps, seed, 0))
    with torch.no_grad():
        return Errors(*(wrong(network(part.inputs), part.targets) for part in splits[1:]))
