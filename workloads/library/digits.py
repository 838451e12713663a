"""Handwritten digits: a small classification task on real data that comes with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.reading import listing
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs, training_steps
from workloads.torch import Batch, ModelFunction, Splits, TorchWorkload, cross_entropy, dropout
from workloads.torch.algorithms import ALGORITHM_KNOBS
from workloads.torch.layers import max_pool

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
}
KNOBS = {
    "learning_rate": Knob(default=1e-3, mutable=True, low=0.0),
    "weight_decay": Knob(default=1e-2, mutable=True, low=0.0),
    "momentum": Knob(default=0.9, mutable=True, low=0.0, high=0.999),
    "label_smoothing": Knob(default=0.0, mutable=True, low=0.0, high=1.0),
    "dropout": Knob(default=0.0, mutable=True, low=0.0, high=0.99),
    "width": Knob(default=64, low=2, whole=True),
    "activation": Knob(default="relu", choices=tuple(_ACTIVATIONS)),
    **ALGORITHM_KNOBS,
}
"""Its hyperparameters."""


class Digits(TorchWorkload):
    """Classify scikit-learn's 1,797 digit images of 8x8 pixels into 10 classes.

    The images are split once and for all, stratified by class, into 1,077 to train on, 360 to validate and
    360 to test; the split depends on no seed.

    Metrics: ``validation_error`` (share of wrong answers, the objective, smaller is better),
    ``validation_loss`` (cross-entropy in nats), ``train_loss``; in the end ``test_error``, ``test_loss``.

    Parameters, with defaults for those that the space leaves out: learning_rate (1e-3), weight_decay (1e-2),
    momentum (0.9; AdamW's and Lion's beta 1), label_smoothing (0), dropout (0; below 1), all of them mutable;
    width (64; hidden units, or channels of the CNN's last convolution), activation (relu, tanh, gelu, silu)
    and optimizer (adamw), fixed when training starts. The optimizer is any of
    ``workloads.torch.algorithms``, whose own hyperparameters are mutable.

    Args:
        space: what varies; None: learning rate, weight decay, label smoothing, dropout, width and activation.
        objectives: None: minimise ``validation_error``.
        model: ``mlp``, two hidden layers; ``cnn``, two convolutions with pooling; ``cnn_batch_norm``, with
            batch normalisation after each.
        batch_size: images per step, up to 1,077.
        steps: training steps at full fidelity.
        mixed_precision: whether models compute in bfloat16 on a GPU.

    Raises:
        ConfigurationError: an argument is none of these, or the space has a parameter that is none of these.
    """

    knobs = Knobs(**KNOBS)
    evaluation: ClassVar[tuple[str, ...]] = ("error", "loss")

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        model: Literal["mlp", "cnn", "cnn_batch_norm"] = "mlp",
        batch_size: int = 64,
        steps: int = 2000,
        mixed_precision: bool = False,
    ) -> None:
        super().__init__(
            space=build_space({"parameters": SPACE}) if space is None else space,
            objectives=(Objective("validation_error", "min"),) if objectives is None else objectives,
            fidelity=training_steps(steps),
            batch_size=batch_size,
        )
        if model not in _MODELS:
            raise ConfigurationError("model", f"one of {listing(_MODELS)}", model)
        if batch_size > _SIZES["train"]:
            raise ConfigurationError("batch_size", f"at most {_SIZES['train']}", batch_size)
        self.model, self.mixed_precision = model, mixed_precision

    def module(self, config: Config) -> nn.Module:
        return _MODELS[self.model](int(config["width"]), str(config["activation"]))

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        logits = model(batch.inputs, hyperparameters["dropout"], key)
        return cross_entropy(logits, batch.targets, hyperparameters["label_smoothing"])

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        logits = model(split.inputs)
        loss = cross_entropy(logits, split.targets)
        error = (logits.argmax(-1) != split.targets).to(logits.dtype).mean()
        # The argmax of NaN is some class, right once in a while; a diverged model must not look like a model.
        return {"error": torch.where(loss.isfinite(), error, torch.nan), "loss": loss}

    def data(self, device: torch.device) -> Splits:
        return _splits(device)


class MLP(nn.Module):
    """64 pixels, two hidden layers of ``width`` units with dropout after each, 10 logits."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.activation = activation
        self.hidden1 = nn.Linear(64, width)
        self.hidden2 = nn.Linear(width, width)
        self.output = nn.Linear(width, 10)

    def forward(self, inputs: Tensor, probability: Tensor | None = None, key: Tensor | None = None) -> Tensor:
        """Logits ``(n, 10)`` of images ``(n, 1, 8, 8)``."""
        activation = _ACTIVATIONS[self.activation]
        features = activation(self.hidden1(inputs.flatten(1)))
        features = activation(self.hidden2(dropout(features, probability, key, layer=0)))
        logits: Tensor = self.output(dropout(features, probability, key, layer=1))
        return logits


class CNN(nn.Module):
    """3x3 convolutions to ``width / 2`` and ``width`` channels, pooling after each; dropout; 10 logits.

    Args:
        batch_norm: whether each convolution is followed by batch normalisation.
    """

    def __init__(self, width: int, activation: str, batch_norm: bool = False) -> None:
        super().__init__()
        self.activation = activation
        # Normalising takes a bias away again; its gradient would be rounding noise, which Adam amplifies.
        self.convolution1 = nn.Conv2d(1, width // 2, 3, padding=1, bias=not batch_norm)
        self.convolution2 = nn.Conv2d(width // 2, width, 3, padding=1, bias=not batch_norm)
        self.norm1 = nn.BatchNorm2d(width // 2) if batch_norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.output = nn.Linear(width * 4, 10)

    def forward(self, inputs: Tensor, probability: Tensor | None = None, key: Tensor | None = None) -> Tensor:
        """Logits ``(n, 10)`` of images ``(n, 1, 8, 8)``."""
        activation = _ACTIVATIONS[self.activation]
        features = max_pool(activation(self.norm1(self.convolution1(inputs))), 2)
        features = max_pool(activation(self.norm2(self.convolution2(features))), 2)
        logits: Tensor = self.output(dropout(features.flatten(1), probability, key, layer=0))
        return logits


_MODELS: dict[str, Callable[[int, str], nn.Module]] = {
    "mlp": MLP,
    "cnn": CNN,
    "cnn_batch_norm": partial(CNN, batch_norm=True),
}
TRAINING_ROWS = 1077
_SIZES = {"train": TRAINING_ROWS, "validation": 360, "test": 360}
_SPLIT_SEED = 0

SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "mutable": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1e-1, "log": True, "mutable": True},
    "label_smoothing": {"type": "float", "low": 0.0, "high": 0.3, "mutable": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.6, "mutable": True},
    "width": {"type": "int", "low": 16, "high": 128, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "tanh", "gelu"]},
}
"""The usual search space."""


@cache
def _splits(device: torch.device) -> Splits:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 1, 8, 8) / 8 - 1).astype(np.float32)
    rows = np.arange(len(labels))
    rest, test = train_test_split(rows, test_size=_SIZES["test"], stratify=labels, random_state=_SPLIT_SEED)
    train, validation = train_test_split(
        rest, test_size=_SIZES["validation"], stratify=labels[rest], random_state=_SPLIT_SEED
    )

    def on_device(chosen: NDArray[np.intp]) -> Batch:
        return Batch(
            torch.from_numpy(images[chosen]).to(device), torch.from_numpy(labels[chosen]).long().to(device)
        )

    return Splits(on_device(train), on_device(validation), on_device(test))
