"""Handwritten digits by networks of blocks, whose architecture can change while a population trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs
from workloads.library.digits import KNOBS as DIGITS_KNOBS
from workloads.library.digits import Digits
from workloads.torch import dropout
from workloads.torch.algorithms import ALGORITHM_KNOBS
from workloads.torch.blocks import Blocks

WIDTH = 48
"""Features between blocks."""
BLOCKS = ("block1", "block2", "block3", "block4")


def _layers(hidden: int, activation: nn.Module, *, doubled: bool = False) -> nn.Module:
    first = nn.Linear(WIDTH, 2 * hidden if doubled else hidden)
    return nn.Sequential(first, activation, nn.Linear(hidden, WIDTH))


KINDS: Mapping[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "narrow": lambda: _Residual(_layers(12, nn.ReLU())),
    "wide": lambda: _Residual(_layers(96, nn.ReLU())),
    "tanh": lambda: _Residual(_layers(48, nn.Tanh())),
    "gated": lambda: _Residual(_layers(48, nn.GLU(), doubled=True)),
}
"""What a block can be."""

_SHARED = ("learning_rate", "weight_decay", "momentum", "label_smoothing", "dropout", *ALGORITHM_KNOBS)
KNOBS = {
    **{name: DIGITS_KNOBS[name] for name in _SHARED},
    **{name: Knob(default="wide", choices=tuple(KINDS)) for name in BLOCKS},
}
"""Its hyperparameters."""

SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "mutable": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1e-1, "log": True, "mutable": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.6, "mutable": True},
    **{name: {"type": "categorical", "choices": list(KINDS)} for name in BLOCKS},
}
"""The usual search space."""


class DigitsBlocks(Blocks, Digits):
    """The task of :class:`workloads.library.digits.Digits`, for residual networks of four blocks.

    64 pixels, 48 features, four blocks (none: nothing; narrow, wide: 12 or 96 hidden units with ReLU;
    tanh: 48; gated: 48 of a gated linear unit), dropout, 10 logits. Every block fits in every place, so
    that methods such as PBT-NAS can mix two networks.

    Metrics: those of ``Digits``.

    Parameters, with defaults for those that the space leaves out: those of ``Digits`` but width and
    activation, and block1 to block4 (wide), fixed when training starts.

    Args:
        space: what varies; None: learning rate, weight decay, dropout and the blocks.
        objectives: None: minimise ``validation_error``.
        batch_size: images per step, up to 1,077.
        steps: training steps at full fidelity.

    Raises:
        ConfigurationError: an argument is none of these, or the space has a parameter that is none of these.
    """

    knobs = Knobs(**KNOBS)
    blocks: ClassVar[Mapping[str, tuple[str, ...]]] = {name: (name,) for name in BLOCKS}

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        batch_size: int = 64,
        steps: int = 2000,
    ) -> None:
        space = build_space({"parameters": SPACE}) if space is None else space
        super().__init__(space, objectives, batch_size=batch_size, steps=steps)

    def module(self, config: Config) -> nn.Module:
        return BlockNetwork([str(config[name]) for name in BLOCKS])


class _Residual(nn.Module):
    """Adds what its layers make of the features ``(n, 48)`` to them."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.layers(features)
        return result


class BlockNetwork(nn.Module):
    """See :class:`DigitsBlocks`.

    Args:
        kinds: of its four blocks, each one of :data:`KINDS`.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self.stem = nn.Linear(64, WIDTH)
        for name, kind in zip(BLOCKS, kinds, strict=True):
            self.add_module(name, KINDS[kind]())
        self.output = nn.Linear(WIDTH, 10)

    def forward(self, inputs: Tensor, probability: Tensor | None = None, key: Tensor | None = None) -> Tensor:
        """Logits ``(n, 10)`` of images ``(n, 1, 8, 8)``."""
        features = torch.relu(self.stem(inputs.flatten(1)))
        for name in BLOCKS:
            features = self.get_submodule(name)(features)
        logits: Tensor = self.output(dropout(features, probability, key, layer=0))
        return logits
