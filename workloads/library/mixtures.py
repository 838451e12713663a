"""How much of each of several texts a small GPT should read to predict them and another text best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs, at_least, training_steps
from workloads.library.language.gpt import GPT
from workloads.library.language.sources import SOURCES, TARGET, texts
from workloads.library.language.windows import mean_loss, spread, windows
from workloads.library.quadratic import quadratic_terms
from workloads.torch import Batch, ModelFunction, Splits, TorchWorkload, cross_entropy
from workloads.torch.algorithms import ALGORITHM_KNOBS
from workloads.torch.randomness import uniform

Floats = NDArray[np.float64]


class Mixtures(TorchWorkload):
    """Train a small GPT on a mixture of three texts, to predict them and a fourth.

    Each window of a batch comes from one text: Python's modules (``code``), the reference of the language
    (``prose``) or tables of character encodings (``tables``). Which one is drawn at every step, by the
    weights at that step, so that a population can change the mixture while it trains. What counts is the mean
    over unseen parts of these texts and a text that is never trained on: scikit-learn's descriptions of data
    sets (``datasets``), one half of which is for validation and one for the test.

    Metrics: ``validation_code``, ``validation_prose``, ``validation_tables``, ``validation_datasets``
    (cross-entropy in nats per character), ``validation_loss`` (their mean, the objective), ``train_loss``; in
    the end the same as ``test_``.

    Parameters, with defaults for those that the space leaves out: code_weight, prose_weight and tables_weight
    (1 each; a text's share is its weight over their sum), learning_rate (1e-2), weight_decay (0.1), momentum
    (0.9), mutable; optimizer (adamw), fixed at the start.

    Args:
        space: what varies; None: the weights.
        objectives: None: minimise ``validation_loss``.
        context: characters that the model sees.
        batch_size: windows per step.
        steps: training steps at full fidelity.
        layers, heads, width: of the model.
        length: characters of each source, at most.
        evaluated: most windows of each text to evaluate on.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    knobs = Knobs(
        learning_rate=Knob(default=1e-2, mutable=True, low=0.0),
        weight_decay=Knob(default=0.1, mutable=True, low=0.0),
        momentum=Knob(default=0.9, mutable=True, low=0.0, high=0.999),
        # A share of 0 / 0 is none; with a weight above 0 every mixture is one.
        **{f"{name}_weight": Knob(default=1.0, mutable=True, low=1e-6) for name in SOURCES},
        **ALGORITHM_KNOBS,
    )
    evaluation = ("loss", *SOURCES, TARGET)

    def __init__(  # noqa: PLR0913, PLR0917 - the keys of the configuration
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        context: int = 32,
        batch_size: int = 16,
        steps: int = 100,
        layers: int = 1,
        heads: int = 2,
        width: int = 32,
        length: int = 300_000,
        evaluated: int = 100,
    ) -> None:
        super().__init__(
            space=build_space({"parameters": _SPACE}) if space is None else space,
            objectives=(Objective("validation_loss"),) if objectives is None else objectives,
            fidelity=training_steps(steps),
            batch_size=batch_size,
        )
        given = {"context": context, "layers": layers, "heads": heads, "width": width, "evaluated": evaluated}
        for name, value in given.items():
            at_least(name, value, 1)
        if width % heads:
            raise ConfigurationError("width", f"a multiple of heads = {heads}", width)
        at_least("length", length, 40 * context)
        self._context, self._layers, self._heads, self._width = context, layers, heads, width
        self._length, self._evaluated = length, evaluated

    def module(self, config: Config) -> GPT:
        del config
        return GPT(self._context, self._layers, self._heads, self._width)

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        weights = torch.stack([hyperparameters[f"{name}_weight"] for name in SOURCES])
        chosen = drawn(weights, uniform((len(batch.targets),), key, _SOURCE_DRAW)).view(-1, 1, 1)
        inputs, targets = (part.take_along_dim(chosen, 1).squeeze(1) for part in batch)
        return cross_entropy(model(inputs), targets)

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        parts = zip(*(part.unbind(1) for part in split), strict=True)
        losses = [mean_loss(model, Batch(*part)) for part in parts]
        return {**dict(zip((*SOURCES, TARGET), losses, strict=True)), "loss": torch.stack(losses).mean()}

    def data(self, device: torch.device) -> Splits:
        return _splits(self._context, self._length, self._evaluated, device)


def drawn(weights: Tensor, numbers: Tensor) -> Tensor:
    """Sources drawn in proportion to their weights, int64 ``(n,)``.

    Args:
        weights: above 0, ``(sources,)``.
        numbers: uniform in [0, 1), ``(n,)``.
    """
    limits = (weights.cumsum(0) / weights.sum())[:-1]
    return (numbers.unsqueeze(-1) >= limits).sum(-1)


class Predictor(NamedTuple):
    """MoDoMoDo's model of a loss, a quadratic of the shares (Liang et al. 2025, arXiv 2505.24871).

    The terms are 1, each share and each product of two. As shares sum to 1 some say the same, and of the
    coefficients that fit equally well the smallest are taken.

    Args:
        coefficients: ``(terms,)``.
    """

    coefficients: Floats

    def loss(self, shares: Floats) -> Floats:
        """Predicted, ``(n,)`` of ``(n, sources)``."""
        return np.asarray(quadratic_terms(shares) @ self.coefficients)

    def best(self, sources: int, divisions: int = 100) -> Floats:
        """The shares with the least predicted loss, ``(sources,)``, on a grid over the simplex.

        The authors climb to an optimum; a grid of three shares is small, and has no local ones.
        """
        grid = simplex(sources, divisions)
        return np.asarray(grid[int(self.loss(grid).argmin())])


def predictor(shares: Floats, losses: Floats) -> Predictor:
    """Fitted by least squares to losses ``(n,)`` of trained mixtures ``(n, sources)``."""
    return Predictor(np.asarray(np.linalg.lstsq(quadratic_terms(shares), losses, rcond=None)[0], dtype=float))


def simplex(sources: int, divisions: int) -> Floats:
    """All shares that are multiples of ``1 / divisions``, ``(n, sources)``."""
    axes = np.meshgrid(*[np.arange(divisions + 1)] * (sources - 1), indexing="ij")
    free = np.stack([axis.ravel() for axis in axes], axis=1)
    free = free[free.sum(1) <= divisions]
    return np.column_stack([free, divisions - free.sum(1)]) / divisions


@cache
def _splits(context: int, length: int, evaluated: int, device: torch.device) -> Splits:
    """``inputs`` and ``targets`` are ``(n, sources, context)``; the last text judged on is the target."""
    codes = {name: found.to(device) for name, found in texts(length).items()}
    parts = [
        codes[name].tensor_split([len(codes[name]) * share // 20 for share in (18, 19)]) for name in SOURCES
    ]
    held_out = list(zip(*(part[1:] for part in parts), strict=True))
    halves = codes[TARGET].tensor_split(2)
    return Splits(
        _beside([windows(part[0], context, max(1, context // 2)) for part in parts]),
        *(
            _beside([spread(windows(part, context, context), evaluated) for part in (*unseen, half)])
            for unseen, half in zip(held_out, halves, strict=True)
        ),
    )


def _beside(found: Sequence[Batch]) -> Batch:
    """As many windows of each text as the shortest has, one beside the other."""
    rows = min(len(each.targets) for each in found)
    return Batch(*(torch.stack([part[:rows] for part in parts], 1) for parts in zip(*found, strict=True)))


_SOURCE_DRAW = 1 << 20  # tells the draw apart from those of the model's layers
_SPACE = {
    f"{name}_weight": {"type": "float", "low": 0.01, "high": 1.0, "log": True, "mutable": True}
    for name in SOURCES
}
"""The usual search space."""
