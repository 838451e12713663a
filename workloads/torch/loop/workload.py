"""A model, an optimizer, data and a loss of the user's own as a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces import Config, ConfigurationError, SearchSpace
from workloads.contract import Device, Fidelity, Objective
from workloads.function import objective_of
from workloads.torch.loop.session import Build, Recipe, TrainingSession


class TorchLoop:
    """Trains what ``build(config)`` returns, a :class:`Training`.

    Args:
        build: makes the parts of one training. Picklable: a function of a module.
        space: what may vary. Mutable can be what the optimizer has an option for (``learning_rate``,
            ``weight_decay``, ``momentum``, ``beta1``, ``beta2``, and options by their own name), and what the
            training's ``configure`` takes over.
        objectives: what is optimised, out of what ``evaluate`` returns and ``train_loss``; a name is enough
            for a metric that is to be small.
        epochs: of a full training; or
        steps: of a full training. Whole epochs go on most cheaply where an iterable data set is copied.

    Raises:
        ConfigurationError: both or neither of ``epochs`` and ``steps``, or no objective.
    """

    def __init__(
        self,
        build: Build,
        space: SearchSpace,
        objectives: Sequence[Objective | str | Mapping[str, Any]],
        epochs: int | None = None,
        steps: int | None = None,
    ) -> None:
        _check(build)
        self.space = space
        self.objectives = tuple(objective_of(given) for given in objectives)
        if not self.objectives:
            raise ConfigurationError("objectives", "at least one objective", ())
        if (epochs is None) == (steps is None):
            raise ConfigurationError("epochs", "epochs or steps of a full training", (epochs, steps))
        unit, largest = ("epoch", epochs) if steps is None else ("step", steps)
        if largest is None or largest < 1:
            raise ConfigurationError(f"{unit}s", "at least 1", largest)
        self.fidelity = Fidelity(unit, largest=largest)
        self._recipe = Recipe(build, unit, space.mutable)

    def start(self, config: Config, seed: int, device: Device) -> TrainingSession:
        return self._recipe.start(config, seed, device)


def _check(build: Any) -> None:
    if not callable(build):
        hint = "write {_target_: my_module.build, _partial_: true}"
        raise ConfigurationError("build", "a function of the configuration", build, hint)
