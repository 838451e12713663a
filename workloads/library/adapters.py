"""Small trained parts in a transformer that otherwise stays as it is: where they are, and how large."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Self, cast

import torch
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs, at_least, checked_seed, training_steps
from workloads.library.language.gpt import GPT, Block
from workloads.library.language.pretraining import pretrained
from workloads.library.language.sources import SOURCES, texts
from workloads.library.language.windows import mean_loss, spread, windows
from workloads.torch import Batch, ModelFunction, Splits, TorchWorkload, cross_entropy
from workloads.torch.algorithms import ALGORITHM_KNOBS
from workloads.torch.epochs import SizedWorkload

FIRST, LAYERS, WIDTH, HEADS = "code", 4, 32, 2
"""The text that the model knows, and the model."""
PARTS = ("serial", "parallel", "prefix")
_CHOSEN = tuple(f"layer{number + 1}" for number in range(LAYERS))


class Adapters(SizedWorkload):
    """Choose adapters for a small GPT that knows Python's sources and is to learn another text.

    The space is AutoPEFT's (Zhou et al. 2024, arXiv 2301.12132): for each layer, whether it has adapters, and
    for all of these together the sizes of three kinds of them, where 0 leaves a kind out: a bottleneck after
    the feed-forward network (serial; Pfeiffer et al. 2021), one beside it, whose outputs count four times
    (parallel; He et al. 2022), and trained keys and values before those of the text (prefix; Li and Liang
    2021; here without the network that makes them while they are trained). Nothing else is trained but the
    last normalisation, as the classifier is in the paper.

    Metrics: ``validation_loss`` (cross-entropy in nats per character of the other text), ``parameters``
    (that are trained), ``train_loss``; in the end ``test_loss``.

    Parameters, with defaults for those that the space leaves out: serial, parallel and prefix (0 to 32; 4),
    layer1 to layer4 (1 or 0; 1), fixed at the start; learning_rate (1e-2), weight_decay (0), momentum (0.9),
    mutable; optimizer (adamw), fixed at the start.

    Args:
        space: what varies; None: sizes and layers.
        objectives: None: ``validation_loss`` and ``parameters``, both to be small.
        text: ``prose`` (the reference of Python) or ``tables`` (of character encodings).
        context: characters that the model sees.
        batch_size: windows per step.
        steps: training steps at full fidelity.
        pretraining: steps on Python's sources, once per process.
        length: characters of each text, at most.
        evaluated: most windows to evaluate on.
        start_seed: of the model that is adapted.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the keys of the configuration
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        text: str = "prose",
        context: int = 32,
        batch_size: int = 16,
        steps: int = 100,
        pretraining: int = 300,
        length: int = 300_000,
        evaluated: int = 200,
        start_seed: int = 0,
    ) -> None:
        others = [name for name in SOURCES if name != FIRST]
        if text not in others:
            raise ConfigurationError("text", f"one of {', '.join(others)}", text)
        for name, value in {"context": context, "evaluated": evaluated}.items():
            at_least(name, value, 1)
        at_least("pretraining", pretraining, 0)
        at_least("length", length, 40 * context)
        own = build_space({"parameters": _SPACE}) if space is None else space
        definition = _Adapted(own, (Objective("validation_loss"),), training_steps(steps), batch_size)
        definition.text, definition.start_seed = text, checked_seed(start_seed)
        definition.context, definition.length = context, length
        definition.pretraining, definition.evaluated = pretraining, evaluated
        super().__init__(definition, definition.fidelity, _OBJECTIVES if objectives is None else objectives)

    def rehearsal(self) -> Self:
        """With a model that knows no text."""
        made = copy.copy(self)
        made.definition = copy.copy(self.definition)
        cast(_Adapted, made.definition).pretraining = 0
        return made


class _Adapted(TorchWorkload):
    """The training; its attributes are the arguments of :class:`Adapters`."""

    knobs = Knobs(
        **{name: Knob(default=4, low=0, high=WIDTH, whole=True) for name in PARTS},
        **{name: Knob(default=1, low=0, high=1, whole=True) for name in _CHOSEN},
        learning_rate=Knob(default=1e-2, mutable=True, low=0.0),
        weight_decay=Knob(default=0.0, mutable=True, low=0.0),
        momentum=Knob(default=0.9, mutable=True, low=0.0, high=0.999),
        **ALGORITHM_KNOBS,
    )
    evaluation = ("loss",)
    text: str
    context: int
    pretraining: int
    length: int
    evaluated: int
    start_seed: int

    def module(self, config: Config) -> AdaptedGPT:
        base = _base(self.context, self.length, self.pretraining, self.start_seed)
        sizes = [int(config[name]) for name in PARTS]
        return AdaptedGPT(copy.deepcopy(base), [bool(config[name]) for name in _CHOSEN], *sizes)

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        del hyperparameters, key
        return cross_entropy(model(batch.inputs), batch.targets)

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        return {"loss": mean_loss(model, split)}

    def data(self, device: torch.device) -> Splits:
        return _splits(self.text, self.context, self.length, self.evaluated, device)


class AdaptedGPT(nn.Module):
    """A GPT of which only its adapters and its last normalisation are trained.

    It begins as the GPT itself but for its prefixes: bottlenecks add nothing at first.

    Args:
        base: the GPT.
        chosen: of each of its layers, whether it is adapted.
        serial, parallel: hidden units of the bottlenecks; 0: none.
        prefix: keys and values of each head; 0: none.
    """

    def __init__(self, base: GPT, chosen: Sequence[bool], serial: int, parallel: int, prefix: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        base.norm.requires_grad_(True)
        width, heads = base.positions.shape[1], cast(Block, base.blocks[0]).heads
        self.layers = nn.ModuleList(
            _Layer(width, heads, *((serial, parallel, prefix) if adapted else (0, 0, 0)))
            for adapted in chosen
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``(n, length, 65)`` of characters, int64 ``(n, length)``."""
        features = self.base.characters(inputs) + self.base.positions[: inputs.shape[-1]]
        for block, layer in zip(self.base.blocks, self.layers, strict=True):
            features = layer(block, features)
        logits: Tensor = self.base.output(self.base.norm(features))
        return logits


class _Layer(nn.Module):
    """The adapters of one layer."""

    def __init__(self, width: int, heads: int, serial: int, parallel: int, prefix: int) -> None:
        super().__init__()
        self.serial = _Bottleneck(width, serial) if serial else None
        self.parallel = _Bottleneck(width, parallel) if parallel else None
        self.prefix = nn.Parameter(torch.empty(2, heads, prefix, width // heads)) if prefix else None
        if self.prefix is not None:
            nn.init.normal_(self.prefix, std=0.02)

    def forward(self, block: Block, features: Tensor) -> Tensor:
        """Features ``(n, length, width)`` from such, by a block of the GPT."""
        memory = None
        if self.prefix is not None:
            keys, values = self.prefix.unsqueeze(1).expand(-1, len(features), -1, -1, -1).unbind()
            memory = {block.layer: (keys, values)}
        features = features + block.attended(features, memory=memory)
        normed = block.norm(features)
        fed = block.fed(normed)
        if self.parallel is not None:
            fed = fed + _PARALLEL_SCALE * self.parallel(normed)
        if self.serial is not None:
            fed = fed + self.serial(fed)
        return features + fed


class _Bottleneck(nn.Module):
    """Down to a few hidden units and up again, to zero at first."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, features: Tensor) -> Tensor:
        outputs: Tensor = self.up(torch.relu(self.down(features)))
        return outputs


@cache
def _base(context: int, length: int, pretraining: int, seed: int) -> GPT:
    """The GPT that knows Python's sources."""
    known = texts(length)[FIRST]
    return pretrained(known, context, LAYERS, HEADS, WIDTH, steps=pretraining, seed=seed)


@cache
def _splits(text: str, context: int, length: int, evaluated: int, device: torch.device) -> Splits:
    codes = texts(length)[text].to(device)
    train, validation, test = codes.tensor_split([len(codes) * share // 20 for share in (18, 19)])
    return Splits(
        windows(train, context, max(1, context // 2)),
        *(spread(windows(part, context, context), evaluated) for part in (validation, test)),
    )


_PARALLEL_SCALE = 4.0
_SIZES = [0, 1, 2, 4, 8, 16, 32]
_SPACE = {
    **{name: {"type": "ordinal", "values": _SIZES} for name in PARTS},
    **{name: {"type": "int", "low": 0, "high": 1} for name in _CHOSEN},
}
"""The usual search space."""
_OBJECTIVES = (Objective("validation_loss", reference=3.0), Objective("parameters", reference=25_152))
"""The references are a little above the loss without adapters, and the largest sizes in all layers."""
