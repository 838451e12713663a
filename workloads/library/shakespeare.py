"""Characters of Shakespeare: a small GPT on the text that nanoGPT and char-rnn made a common yardstick."""

from __future__ import annotations

import os
import sysconfig
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs, training_steps
from workloads.torch import Batch, ModelFunction, Splits, TorchWorkload, cross_entropy, dropout
from workloads.torch.optimizers import UPDATE_RULES

DATA_VARIABLE = "TINYSHAKESPEARE_DIR"
SOURCE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
VOCABULARY = 65
PYTHON = "python"
"""Names the text that is always there."""


class Shakespeare(TorchWorkload):
    """Predict the next character of 1.1 MB of Shakespeare's plays with a decoder-only transformer.

    The text is cut into 90 % to train on, 5 % to validate and 5 % to test, in its order. Training takes
    windows of ``context`` characters that overlap by half, in an order of the member's own; validation and
    test take windows that do not overlap, at most ``evaluated`` of them, evenly spaced.

    Metrics: ``validation_loss`` (cross-entropy in nats per character, the objective), ``train_loss``; in the
    end ``test_loss``.

    Parameters, with defaults for those that the space leaves out: learning_rate (1e-3), weight_decay (0.1),
    dropout (0; below 1) and momentum (0.9), mutable; layers (4), heads (4), width (128; divisible by the
    heads) and optimizer (adamw, sgd, lion), fixed when training starts.

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
        optimizer=Knob(default="adamw", choices=tuple(UPDATE_RULES)),
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
        self._folder = _folder(data)

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
        # In parts, since the attention of all windows at once is large.
        parts = zip(*(torch.split(part, _EVALUATED_AT_ONCE) for part in split), strict=True)
        total = sum(cross_entropy(model(inputs), targets) * len(targets) for inputs, targets in parts)
        return {"loss": torch.as_tensor(total) / len(split.targets)}

    def data(self, device: torch.device) -> Splits:
        return _splits(self._folder, self.context, self.evaluated, device)


class GPT(nn.Module):
    """A decoder-only transformer with pre-normalisation, learned positions and tied embeddings (GPT-2).

    Attention is written out: under ``vmap`` on a CPU torch's own falls back to a loop.
    """

    def __init__(self, context: int, layers: int, heads: int, width: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        blocks = [Block(heads, width, layer) for layer in range(layers)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, VOCABULARY, bias=False)
        self.output.weight = self.characters.weight
        self.dropout_layer = 3 * layers
        nn.init.normal_(self.characters.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        for block in blocks:
            for projection in (block.attention_output, block.narrow):
                # Keeps the variance of the residual stream as it was with fewer layers (GPT-2).
                nn.init.normal_(projection.weight, std=0.02 / (2 * layers) ** 0.5)

    def forward(self, inputs: Tensor, probability: Tensor | None = None, key: Tensor | None = None) -> Tensor:
        """Logits ``(n, length, 65)`` of characters, int64 ``(n, length)``."""
        features = self.characters(inputs) + self.positions[: inputs.shape[-1]]
        features = dropout(features, probability, key, self.dropout_layer)
        for block in self.blocks:
            features = block(features, probability, key)
        logits: Tensor = self.output(self.norm(features))
        return logits


class Block(nn.Module):
    """Causal self-attention and a feed-forward network, each added to the residual stream."""

    def __init__(self, heads: int, width: int, layer: int) -> None:
        super().__init__()
        self.heads, self.layer = heads, layer
        self.attention_norm = nn.LayerNorm(width)
        self.attention_input = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        for projection in (self.attention_input, self.attention_output, self.widen, self.narrow):
            nn.init.normal_(projection.weight, std=0.02)
            nn.init.zeros_(projection.bias)

    def forward(self, features: Tensor, probability: Tensor | None, key: Tensor | None) -> Tensor:
        """Features ``(n, length, width)`` from such."""
        attended = self.attention_output(self._attend(self.attention_norm(features), probability, key))
        features = features + dropout(attended, probability, key, 3 * self.layer)
        hidden = nn.functional.gelu(self.widen(self.norm(features)), approximate="tanh")
        outputs: Tensor = features + dropout(self.narrow(hidden), probability, key, 3 * self.layer + 1)
        return outputs

    def _attend(self, features: Tensor, probability: Tensor | None, key: Tensor | None) -> Tensor:
        count, length, width = features.shape
        parts = self.attention_input(features).view(count, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind()
        scores = queries @ keys.transpose(-2, -1) * (width // self.heads) ** -0.5
        future = torch.ones(length, length, dtype=torch.bool, device=features.device).triu(1)
        shares = torch.softmax(scores.masked_fill(future, -torch.inf), dim=-1)
        shares = dropout(shares, probability, key, 3 * self.layer + 2)
        attended: Tensor = (shares @ values).transpose(1, 2).reshape(count, length, width)
        return attended


_EVALUATED_AT_ONCE = 50
_PYTHON_LENGTH = 1_115_394
"""As many characters as tinyshakespeare has."""
_SPACE = {
    "parameters": {
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True, "mutable": True},
        "weight_decay": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "mutable": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5, "mutable": True},
    }
}


def _folder(data: str | None) -> Path | None:
    """The folder with the text; None: the standard library's sources."""
    if data == PYTHON:
        return None
    given = data if data is not None else os.environ.get(DATA_VARIABLE)
    hint = f"download {SOURCE} and set workload.data or {DATA_VARIABLE} to its folder"
    if given is None:
        raise ConfigurationError("data", "the folder with tinyshakespeare's input.txt", None, hint)
    folder = Path(given).expanduser()
    if not (folder / "input.txt").is_file():
        raise ConfigurationError("data", "the folder with tinyshakespeare's input.txt", str(folder), hint)
    return folder


@cache
def _splits(folder: Path | None, context: int, evaluated: int, device: torch.device) -> Splits:
    codes = torch.tensor(_python_codes() if folder is None else _codes(folder), device=device)
    cuts = len(codes) * 9 // 10, len(codes) * 19 // 20
    train, validation, test = codes.tensor_split(cuts)
    if context >= min(len(validation), len(train)):
        raise ConfigurationError("context", f"below {len(validation)}, a split's length", context)
    return Splits(
        _windows(train, context, max(1, context // 2)),
        *(_spread(_windows(part, context, context), evaluated) for part in (validation, test)),
    )


def _codes(folder: Path) -> list[int]:
    """Of the characters of Shakespeare, in their order in Unicode."""
    text = (folder / "input.txt").read_text()
    alphabet = sorted(set(text))
    if len(alphabet) != VOCABULARY:
        raise ConfigurationError("data", f"a text of {VOCABULARY} characters", len(alphabet), f"see {SOURCE}")
    number = {character: index for index, character in enumerate(alphabet)}
    return [number[character] for character in text]


def _python_codes() -> list[int]:
    """Of the characters of the standard library's top modules, by frequency; the last for the rare ones."""
    library = Path(sysconfig.get_path("stdlib"))
    modules = (path.read_text(encoding="utf-8") for path in sorted(library.glob("*.py")))
    text = "".join(modules)[:_PYTHON_LENGTH]
    frequent = sorted(Counter(text).items(), key=lambda found: (-found[1], found[0]))[: VOCABULARY - 1]
    number = {character: index for index, (character, _) in enumerate(frequent)}
    return [number.get(character, VOCABULARY - 1) for character in text]


def _windows(codes: Tensor, context: int, stride: int) -> Batch:
    """Every ``stride`` characters a window, and the same one character further on; views."""
    return Batch(codes[:-1].unfold(0, context, stride), codes[1:].unfold(0, context, stride))


def _spread(windows: Batch, most: int) -> Batch:
    """At most that many of the windows, evenly spaced."""
    count = len(windows.targets)
    chosen = torch.linspace(0, count - 1, min(most, count)).round().long().to(windows.targets.device)
    return Batch(*(part.index_select(0, chosen) for part in windows))
