"""Characters of Shakespeare: a small GPT on the text that nanoGPT and char-rnn made a common yardstick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs, training_steps
from workloads.library.language.gpt import GPT
from workloads.library.language.text import DATA_VARIABLE, read_text, text_folder
from workloads.library.language.windows import mean_loss, spread, windows
from workloads.torch import Batch, ModelFunction, Splits, TorchWorkload, cross_entropy
from workloads.torch.algorithms import ALGORITHM_KNOBS


class Shakespeare(TorchWorkload):
    """Predict the next character of 1.1 MB of Shakespeare's plays with a decoder-only transformer.

    The text is cut into 90 % to train on, 5 % to validate and 5 % to test, in its order. Training takes
    windows of ``context`` characters that overlap by half, in an order of the member's own; validation and
    test take windows that do not overlap, at most ``evaluated`` of them, evenly spaced.

    Metrics: ``validation_loss`` (cross-entropy in nats per character, the objective), ``train_loss``; in the
    end ``test_loss``.

    Parameters, with defaults for those that the space leaves out: learning_rate (1e-3), weight_decay (0.1),
    dropout (0; below 1) and momentum (0.9), mutable; layers (4), heads (4), width (128; divisible by the
    heads) and optimizer (adamw), fixed when training starts. The optimizer is any of
    ``workloads.torch.algorithms``, whose own hyperparameters are mutable.

    Args:
        space: what varies; None: learning rate, weight decay and dropout.
        objectives: None: minimise ``validation_loss``.
        context: characters that the model sees.
        batch_size: windows per step.
        steps: training steps at full fidelity.
        evaluated: most windows of a split to evaluate on.
        mixed_precision: whether models compute in bfloat16 on a GPU.
        data: folder with ``input.txt``; None: the environment variable TINYSHAKESPEARE_DIR says it;
            ``python``: the sources of this Python's standard library instead, which need no download. Their
            64 most frequent characters keep their own codes, and all others share one.

    Raises:
        ConfigurationError: an argument is none of these, the space has a parameter that is none of these,
            or the text is not there.
    """

    knobs = Knobs(
        learning_rate=Knob(default=1e-3, mutable=True, low=0.0),
        weight_decay=Knob(default=0.1, mutable=True, low=0.0),
        momentum=Knob(default=0.9, mutable=True, low=0.0, high=0.999),
        dropout=Knob(default=0.0, mutable=True, low=0.0, high=0.99),
        layers=Knob(default=4, low=1, whole=True),
        heads=Knob(default=4, low=1, whole=True),
        width=Knob(default=128, low=1, whole=True),
        **ALGORITHM_KNOBS,
    )
    evaluation = ("loss",)
    environment = (DATA_VARIABLE,)

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        context: int = 64,
        batch_size: int = 12,
        steps: int = 2000,
        evaluated: int = 200,
        mixed_precision: bool = False,
        data: str | None = None,
    ) -> None:
        super().__init__(
            space=build_space(_SPACE) if space is None else space,
            objectives=(Objective("validation_loss", "min"),) if objectives is None else objectives,
            fidelity=training_steps(steps),
            batch_size=batch_size,
        )
        for key, value in {"context": context, "evaluated": evaluated}.items():
            if value < 1:
                raise ConfigurationError(key, "at least 1", value)
        self.context, self.evaluated, self.mixed_precision = context, evaluated, mixed_precision
        self._folder = text_folder(data)

    def module(self, config: Config) -> nn.Module:
        width, heads = int(config["width"]), int(config["heads"])
        if width % heads:
            raise ConfigurationError("width", f"a multiple of heads = {heads}", width)
        return GPT(self.context, int(config["layers"]), heads, width)

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        return cross_entropy(model(batch.inputs, hyperparameters["dropout"], key), batch.targets)

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        return {"loss": mean_loss(model, split)}

    def data(self, device: torch.device) -> Splits:
        return _splits(self._folder, self.context, self.evaluated, device)


_SPACE = {
    "parameters": {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True, "mutable": True},
        "weight_decay": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "mutable": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5, "mutable": True},
    }
}


@cache
def _splits(folder: Path | None, context: int, evaluated: int, device: torch.device) -> Splits:
    train, validation, test = (part.to(device) for part in read_text(folder).parts())
    if context >= min(len(validation), len(train)):
        raise ConfigurationError("context", f"below {len(validation)}, a split's length", context)
    return Splits(
        windows(train, context, max(1, context // 2)),
        *(spread(windows(part, context, context), evaluated) for part in (validation, test)),
    )
