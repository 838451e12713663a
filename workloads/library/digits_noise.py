"""Handwritten digits, accuracy against robustness to noise, as training that a population can share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from search_spaces import ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs
from workloads.library.digits import KNOBS, SPACE
from workloads.library.digits_trade_off import NoisyDigits
from workloads.torch import Batch, ModelFunction
from workloads.torch.randomness import uniform


class DigitsNoise(NoisyDigits):
    """The task of :class:`workloads.library.digits.Digits`, judged on clean and on noisy images.

    Metrics: those of ``Digits``; ``validation_noisy_error`` (share of wrong answers when Gaussian noise,
    always the same, is added to the images). Both errors are objectives, smaller is better.

    Parameters: those of ``Digits``; training_noise (0; standard deviation of the Gaussian noise that is added
    to the images in training, always new), mutable. Much of it costs clean images and gains noisy ones.

    Args:
        space: what varies; None: as ``Digits`` has it, and training_noise.
        objectives: None: minimise ``validation_error`` and ``validation_noisy_error``.
        model: as ``Digits`` has them.
        batch_size: images per step, up to 1,077.
        steps: training steps at full fidelity.
        noise: standard deviation of the noise in validation; pixels are between -1 and 1.

    Raises:
        ConfigurationError: an argument is none of these, or the space does not fit.
    """

    knobs = Knobs(**KNOBS, training_noise=Knob(default=0.0, mutable=True, low=0.0))

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        model: Literal["mlp", "cnn", "cnn_batch_norm"] = "mlp",
        batch_size: int = 64,
        steps: int = 2000,
        noise: float = 0.5,
    ) -> None:
        if not noise >= 0:
            raise ConfigurationError("noise", "at least 0", noise)
        space = (
            build_space({"parameters": {**SPACE, "training_noise": _TRAINING_NOISE}})
            if space is None
            else space
        )
        super().__init__(space, _OBJECTIVES if objectives is None else objectives, model, batch_size, steps)
        self.noise = noise

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        noise = _normal(tuple(batch.inputs.shape), key).to(batch.inputs.dtype)
        noisy = batch.inputs + hyperparameters["training_noise"] * noise
        return super().loss(model, batch._replace(inputs=noisy), hyperparameters, key)


_TRAINING_NOISE = {"type": "float", "low": 0.0, "high": 1.0, "mutable": True}
_OBJECTIVES = (
    Objective("validation_error", "min", reference=0.9),
    Objective("validation_noisy_error", "min", reference=0.9),
)
"""The references are what guessing achieves."""
_RADIUS_LAYER, _ANGLE_LAYER = 10, 11
"""Draws with a step's key; the models' dropout has the lower numbers."""


def _normal(shape: tuple[int, ...], key: Tensor) -> Tensor:
    """Standard normal numbers by Box and Muller, float32 of ``shape``."""
    radius = torch.sqrt(-2 * torch.log1p(-uniform(shape, key, _RADIUS_LAYER)))
    return radius * torch.cos(2 * math.pi * uniform(shape, key, _ANGLE_LAYER))
