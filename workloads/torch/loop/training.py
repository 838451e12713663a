"""What a user gives to be trained by a loop of ours: a model, an optimizer, data and a loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError
from workloads.contract import Metrics

Precision = Literal["float32", "bfloat16", "float16"]
Pace = Literal["step", "epoch"]


@dataclass
class Training:
    """The parts of one training, as a function ``build(config)`` returns them.

    Args:
        model: on the CPU; it is moved to the session's device.
        optimizer: of the model's weights.
        data: a ``DataLoader``, over a map-style or an iterable data set, or any other iterable of batches
            that can be gone through again and again.
        evaluate: the model's metrics on validation data. The model is in evaluation mode, without gradients,
            on the device of its weights.
        loss: of ``(model(inputs), targets)``, where each batch is a pair of those, ``()``.
        batch_loss: of ``(model, batch)``, for batches of another form, instead of ``loss``.
        scheduler: of the optimizer, such as one of ``torch.optim.lr_scheduler``.
        schedule: whether the scheduler steps after each step of the optimizer or after each epoch.
            ``ReduceLROnPlateau`` steps after each epoch, by the mean training loss of that epoch.
        precision: what the model computes in where that is safe (autocast); with float16 losses are scaled.
        accumulate: batches of which one step takes the mean gradient; fewer at the end of an epoch.
        clip: the largest norm of the gradient; None: any.
        configure: takes over hyperparameters that change while training runs, where the optimizer has no
            option for them.
        test: the model's metrics on held-out data.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    data: Iterable[Any]
    evaluate: Callable[[nn.Module], Metrics]
    loss: Callable[[Any, Any], Tensor] | None = None
    batch_loss: Callable[[nn.Module, Any], Tensor] | None = None
    scheduler: Any = None
    schedule: Pace = "step"
    precision: Precision = "float32"
    accumulate: int = 1
    clip: float | None = None
    configure: Callable[[Config], None] | None = None
    test: Callable[[nn.Module], Metrics] | None = None

    def __post_init__(self) -> None:
        if (self.loss is None) == (self.batch_loss is None):
            found = "neither" if self.loss is None else "both"
            raise ConfigurationError("Training", "either a loss or a batch_loss", found)
        _check_choice("schedule", self.schedule, get_args(Pace))
        _check_choice("precision", self.precision, get_args(Precision))
        if self.accumulate < 1:
            raise ConfigurationError("Training.accumulate", "at least 1", self.accumulate)
        if self.precision == "float16" and needs_closure(self.optimizer):
            name = type(self.optimizer).__name__
            expected = f"float32 or bfloat16, since {name} computes gradients itself, unscaled"
            raise ConfigurationError("Training.precision", expected, self.precision)
        if iter(self.data) is self.data:
            hint = "give a DataLoader or a list"
            raise ConfigurationError(
                "Training.data", "batches that can be gone through again", self.data, hint
            )

    def loss_of(self, batch: Any) -> Tensor:
        """The training loss of one batch, on the model's device, ``()``."""
        if self.batch_loss is not None:
            return self.batch_loss(self.model, batch)
        assert self.loss is not None
        if not isinstance(batch, list | tuple) or len(batch) != 2:
            raise TypeError(
                f"Training.loss: expected batches of (inputs, targets), got {type(batch).__name__} "
                "(give batch_loss, a function of the model and the batch, instead)"
            )
        inputs, targets = batch
        return self.loss(self.model(inputs), targets)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(f"Training.{name}", f"one of {', '.join(choices)}", value)


def moved(batch: Any, device: torch.device) -> Any:
    """A batch with everything that can be moved on ``device``."""
    to = getattr(batch, "to", None)
    if to is not None:  # first, since containers with one of their own are more than their items
        return to(device) if isinstance(batch, Mapping) else to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: moved(item, device) for name, item in batch.items()}
    if isinstance(batch, list | tuple):
        items = [moved(item, device) for item in batch]
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)
    return batch


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a step computes the gradient itself, once or several times, as L-BFGS does."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty
