"""The pieces of a training workload, which fit one member as well as a vectorised population."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from search_spaces import Config, ConfigurationError, SearchSpace
from search_spaces.domains import choices
from workloads.contract import Fidelity, Objective
from workloads.knobs import Knobs, check_objectives
from workloads.torch.algorithms import ALGORITHMS, OWN_KNOBS, TrainingAlgorithm
from workloads.torch.randomness import seeded_initialisation


class Batch(NamedTuple):
    """Examples: ``inputs`` and ``targets`` share their first axis."""

    inputs: Tensor
    targets: Tensor


class Splits(NamedTuple):
    """A data set, whole and in memory. ``test`` is for the end of a study."""

    train: Batch
    validation: Batch
    test: Batch


ModelFunction = Callable[..., Tensor]
"""A model with its weights, called as its module's ``forward``: the module, or a functional call of it."""


class Pieces(ABC):
    """What a subclass gives and a session or a packed population runs.

    What a piece must keep to, so that ``torch.func.vmap`` can run it for many members at once:
    hyperparameters and keys are tensors of shape ``()`` per member and stay tensors (no ``.item()``, no
    ``if`` on a value); randomness comes from ``workloads.torch.randomness`` alone; no piece keeps state.

    Args:
        space: what varies; every parameter must be one of :attr:`knobs`.
        objectives: what is optimised, out of the metrics ``validation_<name>`` and ``train_loss``.
        fidelity: training steps.
        batch_size: rows of the training split per step.

    Raises:
        ConfigurationError: the space or the objectives do not fit, or the batch size is below 1.
    """

    knobs: ClassVar[Knobs]
    """Every hyperparameter. The fixed ones decide the architecture."""
    optimizer_options: ClassVar[Mapping[str, str]] = {
        "learning_rate": "lr",
        "weight_decay": "weight_decay",
        "momentum": "momentum",
        "beta2": "beta2",
    }
    """Mutable hyperparameters that training algorithms share, with their names for them.

    An algorithm's own come first (:mod:`workloads.torch.algorithms`); the loss takes the rest.
    """
    mixed_precision: bool = False
    """Whether models compute in bfloat16 where that is safe; on a GPU only, elsewhere it is ignored."""
    evaluation: ClassVar[tuple[str, ...]]
    """Names of what :meth:`evaluate` returns."""

    def __init__(
        self, space: SearchSpace, objectives: Sequence[Objective], fidelity: Fidelity, batch_size: int
    ) -> None:
        self.space, self.objectives, self.fidelity = space, tuple(objectives), fidelity
        self.batch_size = batch_size
        if batch_size < 1:
            raise ConfigurationError("batch_size", "at least 1", batch_size)
        self.knobs.check_space(space)
        self._check_algorithms()
        check_objectives(self.objectives, [*(f"validation_{name}" for name in self.evaluation), "train_loss"])

    @abstractmethod
    def module(self, config: Config) -> nn.Module:
        """A freshly initialised module on the CPU; its ``forward`` is what ``loss`` and ``evaluate`` call.

        Args:
            config: a value for every knob; only the fixed ones may matter.
        """

    @abstractmethod
    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        """The training loss of one member on one batch, ``()``.

        Args:
            model: in training mode.
            batch: ``batch_size`` rows.
            hyperparameters: the mutable ones that are not the optimizer's, each ``()``; a word is given as
                its index among the choices of its knob, int64.
            key: of the member and the step, int64 ``()``; see ``workloads.torch.randomness``.
        """

    @abstractmethod
    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        """One member's metrics on a whole split, each ``()``; not finite where the model has diverged.

        Args:
            model: in evaluation mode, without gradients.
            split: all its rows.
        """

    @abstractmethod
    def data(self, device: torch.device) -> Splits:
        """The data set on ``device``, the same for every member; loaded once per process and device."""

    def optimizer(self, config: Config) -> TrainingAlgorithm:
        """How weights are updated: as the hyperparameter ``optimizer`` says, or AdamW without one.

        Args:
            config: a value for every knob.
        """
        return ALGORITHMS[str(config.get("optimizer", "adamw"))]

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The mutable hyperparameters that the loss takes."""
        others = (*self.optimizer_options, *OWN_KNOBS)
        return tuple(name for name in self.knobs.mutable if name not in others)

    def build(self, config: Config, seed: int) -> nn.Module:
        """The member's module on the CPU with the initial weights that ``seed`` gives it.

        Torch's global random state is left as it was.
        """
        with seeded_initialisation(seed):
            return self.module(self.knobs.complete(config))

    def check_workers(self, workers: int) -> None:
        """Refuse more processes than a batch has rows (``contract.CheckedDistribution``)."""
        if workers > self.batch_size:
            raise ConfigurationError(
                "batch_size", f"at least {workers}, one row for each worker", self.batch_size
            )

    def _check_algorithms(self) -> None:
        """Refuse training algorithms in the space whose library is missing."""
        name = "optimizer"
        if name in self.space.configuration_space:
            for choice in choices(self.space.configuration_space[name]):
                if choice in ALGORITHMS:
                    ALGORITHMS[str(choice)].check(f"search_space.parameters.{name}")

    def autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """The context in which models compute on ``device``."""
        if not self.mixed_precision or device.type == "cpu":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)

    def static_key(self, config: Config) -> Hashable:
        """What members of this workload must share to be trained as one program.

        Optimizer, batch size and architecture.
        """
        full = self.knobs.complete(config)
        return (
            self.optimizer(full).name,
            self.batch_size,
            tuple((name, full[name]) for name in self.knobs.fixed),
        )
