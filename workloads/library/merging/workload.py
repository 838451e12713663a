"""The coefficients of a merge as a search space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.reading import listing
from workloads.contract import Metrics, Objective
from workloads.knobs import Knob, Knobs, at_least, checked_seed
from workloads.library.computed import Computed
from workloads.library.merging.models import TASKS, Models, Recipe, models_of

LAYERS = ("hidden1", "hidden2", "output")


class Merging(Computed):
    """Merge networks that were fine-tuned from one start: digits upright, turned, with inverted colours.

    The start has seen a mixture of the tasks for a while; each network has then seen one task alone. A merge
    is the start and a weighted sum of what each has learned since. Every task counts as one objective.

    Metrics, of the merge: ``validation_<task>`` (share of wrong answers), ``validation_error`` (their mean),
    ``validation_entropy`` (of its answers, nats, which needs no labels).

    Parameters: a coefficient for each task, named as the task, or ``<task>_<layer>`` for each of its layers;
    0 where the space leaves it out.

    Args:
        space: what varies; None: all coefficients from 0 to 1.
        objectives: None: the error in each task.
        tasks: at least two of ``upright``, ``turned``, ``inverted``, ``mirrored``.
        layerwise: whether each layer (``hidden1``, ``hidden2``, ``output``) has coefficients of its own.
        width: hidden units of each layer.
        pretraining: steps on a mixture of the tasks.
        finetuning: steps on each task alone.
        start_seed: of the models.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        tasks: Sequence[str] = ("upright", "turned", "inverted"),
        layerwise: bool = False,
        width: int = 32,
        pretraining: int = 100,
        finetuning: int = 300,
        start_seed: int = 0,
    ) -> None:
        if len(set(tasks)) < 2 or len(set(tasks)) < len(tasks) or not set(tasks) <= set(TASKS):
            raise ConfigurationError("tasks", f"at least two of {listing(TASKS)}, each once", list(tasks))
        at_least("width", width, 2)
        at_least("pretraining", pretraining, 0)
        at_least("finetuning", finetuning, 1)
        checked_seed(start_seed)
        self.recipe = Recipe(tuple(tasks), width, pretraining, finetuning, start_seed)
        self.layerwise = layerwise
        layers = [f"_{layer}" for layer in LAYERS] if layerwise else [""]
        self._names = [f"{task}{layer}" for task in tasks for layer in layers]
        each = tuple(Objective(f"validation_{task}", "min", reference=0.9) for task in tasks)
        super().__init__(
            build_space({"parameters": dict.fromkeys(self._names, _UNIT)}) if space is None else space,
            Knobs(**dict.fromkeys(self._names, Knob(default=0.0))),
            each if objectives is None else objectives,
            [*(one.name for one in each), "validation_error", "validation_entropy"],
        )

    @property
    def models(self) -> Models:
        """What is merged."""
        return models_of(self.recipe)

    def coefficients(self, config: Config) -> Tensor:
        """``(tasks,)``, or ``(tasks, layers)``."""
        values = torch.tensor([float(config.get(name, 0.0)) for name in self._names])
        return values.view(len(self.recipe.tasks), -1) if self.layerwise else values

    def _metrics(self, config: Config) -> Metrics:
        coefficients = self.coefficients(config)
        errors = self.models.errors(coefficients, "validation")
        with torch.no_grad():
            doubt = self.models.entropy(coefficients, "validation")
        each = {f"validation_{task}": float(e) for task, e in zip(self.recipe.tasks, errors, strict=True)}
        return {**each, "validation_error": float(errors.mean()), "validation_entropy": float(doubt)}


_UNIT = {"type": "float", "low": 0.0, "high": 1.0}
