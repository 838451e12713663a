"""What classifiers of table rows share: the network, its hyperparameters, and how tables become tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, training_steps
from workloads.torch import Batch, Splits, TorchWorkload, dropout
from workloads.torch.algorithms import ALGORITHM_KNOBS

KNOBS = {
    "learning_rate": Knob(default=1e-3, mutable=True, low=0.0),
    "weight_decay": Knob(default=1e-2, mutable=True, low=0.0),
    "dropout": Knob(default=0.0, mutable=True, low=0.0, high=0.99),
    "positive_weight": Knob(default=1.0, mutable=True, low=0.0),
    "width": Knob(default=32, low=2, whole=True),
    **ALGORITHM_KNOBS,
}
"""Hyperparameters of every such classifier; ``positive_weight`` is how much a positive row counts."""

SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "mutable": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1e-1, "log": True, "mutable": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.6, "mutable": True},
    "positive_weight": {"type": "float", "low": 0.01, "high": 100.0, "log": True, "mutable": True},
    "width": {"type": "int", "low": 4, "high": 64, "log": True},
}
_SPLIT_SEED = 0
_CONSTANT = 1e-9


class TabularClassifier(TorchWorkload):
    """Rows of numbers into two classes with a network of two hidden layers.

    Args:
        space: what varies; None: all of its hyperparameters.
        objectives: None: the workload's own.
        batch_size: rows per step.
        steps: training steps at full fidelity.
    """

    default_objectives: ClassVar[tuple[Objective, ...]]
    default_space: ClassVar[dict[str, dict[str, object]]] = SPACE
    columns: ClassVar[int]
    """Numbers in a row."""
    training_rows: ClassVar[int]

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        batch_size: int = 64,
        steps: int = 500,
    ) -> None:
        super().__init__(
            space=build_space({"parameters": self.default_space}) if space is None else space,
            objectives=self.default_objectives if objectives is None else objectives,
            fidelity=training_steps(steps),
            batch_size=batch_size,
        )
        if batch_size > self.training_rows:
            raise ConfigurationError("batch_size", f"at most {self.training_rows}", batch_size)

    def module(self, config: Config) -> nn.Module:
        return Network(self.columns, int(config["width"]))


class Network(nn.Module):
    """``columns`` numbers, two hidden layers of ``width`` units with dropout after each, one logit."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(columns, width)
        self.hidden2 = nn.Linear(width, width)
        self.output = nn.Linear(width, 1)

    def forward(self, inputs: Tensor, probability: Tensor | None = None, key: Tensor | None = None) -> Tensor:
        """Logits ``(n,)`` of rows ``(n, columns)``; positive for the positive class."""
        features = torch.relu(self.hidden1(inputs))
        features = torch.relu(self.hidden2(dropout(features, probability, key, layer=0)))
        logits: Tensor = self.output(dropout(features, probability, key, layer=1))
        return logits.squeeze(-1)


def weighted_loss(logits: Tensor, positive: Tensor, positive_weight: Tensor) -> Tensor:
    """Cross-entropy in nats, ``()``: the mean over rows, of which positive ones count ``positive_weight``
    times.

    Args:
        logits: ``(n,)``.
        positive: 0 or 1, ``(n,)``.
        positive_weight: ``()``.
    """
    each = nn.functional.softplus(torch.where(positive > 0, -logits, logits))
    weights = torch.where(positive > 0, positive_weight, torch.ones_like(positive_weight))
    return (weights * each).sum() / weights.sum()


def unless_diverged(value: Tensor, logits: Tensor) -> Tensor:
    """``value``, or NaN where a logit is not finite: a diverged model must not look like a model."""
    return torch.where(logits.isfinite().all(), value, torch.nan)


def split(
    inputs: NDArray[np.float32], targets: NDArray[np.int64], sizes: tuple[int, int], device: torch.device
) -> Splits:
    """Rows split once and for all, stratified by target, and scaled to mean 0, deviation 1 of the training
    rows.

    Args:
        inputs: ``(n, columns)``.
        targets: ``(n,)``.
        sizes: rows to validate and to test with; the rest is trained with.
    """
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(targets))
    rest, test = train_test_split(rows, test_size=sizes[1], stratify=targets, random_state=_SPLIT_SEED)
    train, validation = train_test_split(
        rest, test_size=sizes[0], stratify=targets[rest], random_state=_SPLIT_SEED
    )
    trained = inputs[train].astype(np.float64)
    mean, deviation = trained.mean(axis=0), trained.std(axis=0)
    # A column without variation keeps its rounding errors to itself.
    scaled = (inputs - mean) / np.where(deviation > _CONSTANT, deviation, 1.0)

    def on_device(chosen: NDArray[np.intp]) -> Batch:
        return Batch(
            torch.from_numpy(scaled[chosen].astype(np.float32)).to(device),
            torch.from_numpy(targets[chosen]).to(device),
        )

    return Splits(on_device(train), on_device(validation), on_device(test))
