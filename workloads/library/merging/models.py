"""What is merged: a network that has seen several tasks for a while, and one trained further on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from workloads.library.digits import MLP
from workloads.library.fitting import digits, trained, weights_of
from workloads.torch import Batch, Splits, cross_entropy
from workloads.torch.randomness import seeded_initialisation

TASKS: dict[str, Callable[[Tensor], Tensor]] = {
    "upright": lambda images: images,
    "turned": lambda images: images.rot90(1, (-2, -1)),
    "inverted": lambda images: -images,
    "mirrored": lambda images: images.flip(-1),
}
"""What becomes of digits, ``(n, 1, 8, 8)`` with pixels from -1 to 1, in each task. All have one head."""
SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Recipe:
    """All that the models depend on.

    Args:
        tasks: names of :data:`TASKS`.
        width: hidden units of each of the two layers.
        pretraining: steps on a mixture of the tasks.
        finetuning: steps on each task alone.
        seed: of the first weights and of the order of batches.
    """

    tasks: tuple[str, ...]
    width: int
    pretraining: int
    finetuning: int
    seed: int


@dataclass(frozen=True)
class Models:
    """Weights, and what computes with them.

    Args:
        start: by name.
        vectors: of each task (a row) the fine-tuned weights less the start's, ``(tasks, ...)`` by name.
        data: of each task.
    """

    start: Mapping[str, Tensor]
    vectors: Mapping[str, Tensor]
    data: tuple[Splits, ...]
    module: nn.Module

    @property
    def layers(self) -> tuple[str, ...]:
        """Of the network, in order."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in self.start))

    def merged(self, coefficients: Tensor) -> dict[str, Tensor]:
        """``start + sum of coefficient * vector``, by name; differentiable (Ilharco et al. 2023, arXiv
        2212.04089).

        Args:
            coefficients: of each task ``(tasks,)``, or of each task and layer ``(tasks, layers)``.
        """
        each = coefficients if coefficients.ndim == 2 else coefficients.unsqueeze(1)
        by_layer = dict(zip(self.layers, each.expand(-1, len(self.layers)).unbind(1), strict=True))
        return {
            name: weight + torch.tensordot(by_layer[name.partition(".")[0]], self.vectors[name], dims=1)
            for name, weight in self.start.items()
        }

    def logits(self, coefficients: Tensor, images: Tensor) -> Tensor:
        """Of the merged network, ``(n, 10)`` of images ``(n, 1, 8, 8)``."""
        found: Tensor = functional_call(self.module, self.merged(coefficients), (images,))
        return found

    def errors(self, coefficients: Tensor, split: SplitName) -> Tensor:
        """The share of wrong answers in each task, ``(tasks,)``."""
        with torch.no_grad():
            found = [
                (self.logits(coefficients, part.inputs).argmax(-1) != part.targets).float().mean()
                for part in self._parts(split)
            ]
        return torch.stack(found)

    def entropy(self, coefficients: Tensor, split: SplitName) -> Tensor:
        """Of the merged network's answers, the mean over images and tasks, ``()``, nats; differentiable."""
        answers = [torch.log_softmax(self.logits(coefficients, p.inputs), -1) for p in self._parts(split)]
        return torch.stack([-(each.exp() * each).sum(-1).mean() for each in answers]).mean()

    def loss(self, coefficients: Tensor, split: SplitName) -> Tensor:
        """The merged network's cross-entropy, the mean over tasks, ``()``, nats; differentiable."""
        parts = self._parts(split)
        return torch.stack(
            [cross_entropy(self.logits(coefficients, part.inputs), part.targets) for part in parts]
        ).mean()

    def _parts(self, split: SplitName) -> list[Batch]:
        return [getattr(data, split) for data in self.data]


@cache
def models_of(recipe: Recipe) -> Models:
    """The models of a recipe, trained once per process, in seconds, on the CPU."""
    data = tuple(_task(name) for name in recipe.tasks)
    with seeded_initialisation(recipe.seed):
        module = MLP(recipe.width, "relu")
    mixture = Batch(*(torch.cat(parts) for parts in zip(*(each.train for each in data), strict=True)))
    start = trained(module, weights_of(module), mixture, recipe.pretraining, recipe.seed, 0)
    tuned = [
        trained(module, start, each.train, recipe.finetuning, recipe.seed, number)
        for number, each in enumerate(data, start=1)
    ]
    vectors = {name: torch.stack([weights[name] for weights in tuned]) - start[name] for name in start}
    return Models(start, vectors, data, module.eval())


def _task(name: str) -> Splits:
    return Splits(*(Batch(TASKS[name](split.inputs), split.targets) for split in digits()))
