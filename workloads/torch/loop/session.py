"""One member or trial whose parts are the user's and whose loop is ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from search_spaces import Config
from workloads.contract import Device, Metrics, State
from workloads.generators import Purpose, derived_seed, own_generators, seed_generators
from workloads.state import copied, independent
from workloads.torch.loop.batches import Batches
from workloads.torch.loop.options import GroupOptions, check_mutable
from workloads.torch.loop.training import Training, moved, needs_closure
from workloads.torch.perturbation import shrink_and_perturb

Build = Callable[[Config], Training]


@dataclass(frozen=True)
class Recipe:
    """How sessions are made.

    Args:
        build: makes the parts.
        unit: ``step`` of the optimizer, or ``epoch``.
        mutable: names of the hyperparameters that can change.
    """

    build: Build
    unit: str
    mutable: Collection[str]

    def training(self, config: Config, seed: int, device: str) -> Training:
        """The parts, with the initial weights that ``seed`` gives them."""
        with own_generators(device):
            seed_generators(derived_seed(seed, Purpose.START), device)
            training = self.build(dict(config))
        if not isinstance(training, Training):
            raise TypeError(f"build: expected it to return a Training, got {training!r}")
        return training

    def start(self, config: Config, seed: int, device: Device) -> TrainingSession:
        """A session."""
        training = self.training(config, seed, device.name)
        kind = TrainingSession if training.test is None else TestedTrainingSession
        return kind(self, training, config, seed, device)


class TrainingSession:
    """Trains one member; bit-identical on CPU for the same seed, configuration and state.

    Args:
        recipe: how it was made.
        training: its parts.
        config, seed, device: as of any session.
    """

    def __init__(self, recipe: Recipe, training: Training, config: Config, seed: int, device: Device) -> None:
        self._recipe, self._training = recipe, training
        self._config, self._seed, self._device = dict(config), seed, torch.device(device.name)
        training.model.to(self._device)
        self._options = GroupOptions(training.optimizer, recipe.mutable, config)
        if training.configure is None:
            check_mutable(self._options.rest, training.optimizer)
        self._batches = Batches(training.data, seed)
        self._steps, self._unit_loss = 0, _Mean()
        self._epoch_loss = _Mean()
        self._scaler = torch.amp.GradScaler(device.name) if training.precision == "float16" else None
        self._needs_closure = needs_closure(training.optimizer)

    def advance(self, amount: int) -> Metrics:
        """Train ``amount`` units and evaluate.

        Returns:
            What ``evaluate`` does, and ``train_loss``: the mean loss of the steps just trained (NaN where
            there are none).
        """
        self._unit_loss = _Mean()
        with own_generators(str(self._device)):
            self._training.model.train()
            end = self._age + amount
            while self._age < end:
                self._step()
            return {**self._evaluated(self._training.evaluate), "train_loss": self._unit_loss.value}

    @property
    def _age(self) -> int:
        return self._steps if self._recipe.unit == "step" else self._batches.epoch

    def configure(self, config: Config) -> None:
        fixed = {name: value for name, value in self._config.items() if name not in self._recipe.mutable}
        self._config = {
            **fixed,
            **{name: value for name, value in config.items() if name in self._recipe.mutable},
        }
        self._options.set(self._config)
        if self._training.configure is not None:
            self._training.configure(dict(self._config))

    @independent
    def state(self) -> State:
        """``model``, ``options`` (the optimizer), ``scheduler``, ``scaler``, and the place in the data."""
        training = self._training
        parts: dict[str, Any] = {"model": training.model.state_dict(), "options": self._options.state()}
        if training.scheduler is not None:
            parts["scheduler"] = training.scheduler.state_dict()
        if self._scaler is not None:
            parts["scaler"] = self._scaler.state_dict()
        place = {"steps": self._steps, "epoch": self._batches.epoch, "batch": self._batches.batch}
        return copied({**place, "epoch_loss": self._epoch_loss.state(), **parts})

    @independent
    def load(self, state: State) -> None:
        state = copied(state)
        training = self._training
        training.model.load_state_dict(state["model"])
        if training.scheduler is not None:
            training.scheduler.load_state_dict(state["scheduler"])
        # After the scheduler, which some tell to set the groups.
        self._options.load(state["options"])
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])
        self._steps = state["steps"]
        self._batches.go_to(state["epoch"], state["batch"])
        self._epoch_loss = _Mean(*state["epoch_loss"])

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        """As :func:`workloads.torch.perturbation.shrink_and_perturb`; the optimizer's moments stay."""
        fresh = self._recipe.training(self._config, seed, str(self._device))
        shrink_and_perturb(self._training.model, fresh.model, keep, noise)

    def _step(self) -> None:
        """Train one step of the optimizer, or end an epoch."""
        training = self._training
        batches = self._batches.take(training.accumulate)
        if not batches:
            self._end_epoch()
            return
        seed_generators(derived_seed(self._seed, Purpose.TRAINING, self._steps), str(self._device))
        batches = [moved(batch, self._device) for batch in batches]
        if self._needs_closure:
            closure: Any = lambda: self._gradient(batches)  # noqa: E731 - torch declares another type
            loss: Any = training.optimizer.step(closure)
        else:
            loss = self._gradient(batches)
            self._update()
        self._unit_loss.add(loss)
        self._epoch_loss.add(loss)
        self._steps += 1
        if training.scheduler is not None and training.schedule == "step" and not self._is_plateau:
            self._schedule()

    def _gradient(self, batches: list[Any]) -> Tensor:
        """Compute the gradient of the batches' mean loss; that loss, ``()``."""
        training = self._training
        training.optimizer.zero_grad()
        total = torch.zeros((), device=self._device)
        for batch in batches:
            with self._autocast():
                loss = training.loss_of(batch) / len(batches)
            (loss if self._scaler is None else self._scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        if training.clip is not None:
            if self._scaler is not None:
                self._scaler.unscale_(training.optimizer)
            weights = [weight for group in training.optimizer.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(weights, training.clip)
        return total

    def _update(self) -> None:
        if self._scaler is None:
            self._training.optimizer.step()
        else:
            self._scaler.step(self._training.optimizer)
            self._scaler.update()

    def _end_epoch(self) -> None:
        training = self._training
        if training.scheduler is not None and self._is_plateau:
            self._schedule(self._epoch_loss.value)
        elif training.scheduler is not None and training.schedule == "epoch":
            self._schedule()
        self._epoch_loss = _Mean()

    @property
    def _is_plateau(self) -> bool:
        return isinstance(self._training.scheduler, ReduceLROnPlateau)

    def _schedule(self, *metrics: float) -> None:
        self._options.unscheduled()
        self._training.scheduler.step(*metrics)
        self._options.scheduled()

    def _autocast(self) -> AbstractContextManager[None]:
        if self._training.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=getattr(torch, self._training.precision))

    def _evaluated(self, evaluate: Callable[[nn.Module], Metrics]) -> dict[str, float]:
        seed_generators(derived_seed(self._seed, Purpose.EVALUATION, self._steps), str(self._device))
        self._training.model.eval()
        with torch.no_grad(), self._autocast():
            metrics = evaluate(self._training.model)
        if not isinstance(metrics, Mapping):
            raise TypeError(f"Training.evaluate: expected metrics by name, got {metrics!r}")
        return {name: float(value) for name, value in metrics.items()}


class TestedTrainingSession(TrainingSession):
    """Also judged on held-out data."""

    __test__ = False  # no test of pytest's

    def test(self) -> Metrics:
        assert self._training.test is not None
        with own_generators(str(self._device)):
            return self._evaluated(self._training.test)


class _Mean:
    """The mean of losses, which stay on their device until it is asked for."""

    def __init__(self, total: Tensor | float = 0.0, count: int = 0) -> None:
        self._total, self._count = total, count

    def add(self, loss: Any) -> None:
        self._total, self._count = self._total + torch.as_tensor(loss).detach(), self._count + 1

    @property
    def value(self) -> float:
        return float(self._total) / self._count if self._count else float("nan")

    def state(self) -> tuple[float, int]:
        return float(self._total), self._count
