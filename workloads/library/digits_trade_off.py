"""Handwritten digits with more than one wish: few errors, a small network, and robustness against noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from search_spaces import ConfigurationError, SearchSpace
from workloads.contract import Objective
from workloads.library.digits import TRAINING_ROWS, Digits
from workloads.torch import Batch, ModelFunction
from workloads.torch.epochs import EpochWorkload

_NOISE_SEED = 0


class DigitsTradeOff(EpochWorkload):
    """The task of :class:`workloads.library.digits.Digits`, trained for epochs, with three objectives.

    Metrics: those of ``Digits``; ``parameters`` (trained weights of the network); ``validation_noisy_error``
    (share of wrong answers when Gaussian noise, always the same, is added to the images).

    Args:
        space: what varies; None: as ``Digits`` has it.
        objectives: None: minimise ``validation_error``, ``parameters`` and ``validation_noisy_error``.
        model: ``mlp`` or ``cnn``.
        batch_size: images per step; an epoch has 1,077 // batch_size steps.
        epochs: at full fidelity.
        noise: standard deviation of the noise; pixels are between -1 and 1.

    Raises:
        ConfigurationError: an argument is none of these, or the space does not fit.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        model: Literal["mlp", "cnn"] = "mlp",
        batch_size: int = 64,
        epochs: int = 27,
        noise: float = 0.5,
    ) -> None:
        if not noise >= 0:
            raise ConfigurationError("noise", "at least 0", noise)
        definition = NoisyDigits(space, None, model, batch_size)
        definition.noise = noise
        super().__init__(definition, TRAINING_ROWS, epochs, _OBJECTIVES if objectives is None else objectives)


_OBJECTIVES = (
    Objective("validation_error", "min", reference=0.9),
    Objective("parameters", "min", reference=30_000),
    Objective("validation_noisy_error", "min", reference=0.9),
)
"""The references are what guessing achieves, and about what the widest network of the search space has."""


class NoisyDigits(Digits):
    """Digits that are looked at a second time through noise, whose standard deviation is ``noise``."""

    evaluation = (*Digits.evaluation, "noisy_error")
    noise = 0.0

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        inputs = split.inputs
        noisy = inputs + self.noise * _noise(tuple(inputs.shape), inputs.device, inputs.dtype)
        again = super().evaluate(model, Batch(noisy, split.targets))
        return {**super().evaluate(model, split), "noisy_error": again["error"]}


@cache
def _noise(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """The same standard normal numbers everywhere."""
    numbers = np.random.default_rng(_NOISE_SEED).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(numbers).to(device, dtype)
