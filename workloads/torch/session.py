"""One member of a torch workload in training: the loop engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from search_spaces import Config
from workloads.base import Device, Metrics, State
from workloads.torch.definition import Batch, TorchWorkload
from workloads.torch.randomness import Purpose, member_keys
from workloads.torch.stream import BatchStream

# Row indices and keys are made for this many steps at once: one small tensor operation per step saved.
_BLOCK = 256


class TorchSession:
    """Trains one member; bit-identical on CPU for the same seed, configuration and state.

    Divergence is no error: metrics are then NaN or infinite. The number of CPU threads is left as it is.

    Args:
        definition: the workload.
        config: hyperparameters; those left out take the workload's defaults.
        seed: of initial weights, batch order and dropout.
        device: where it trains.
        dtype: of weights and inputs.
    """

    def __init__(
        self,
        definition: TorchWorkload,
        config: Config,
        seed: int,
        device: Device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._definition, self._seed = definition, seed
        self._device, self._dtype = torch.device(device.name), dtype
        self._config = definition.knobs.complete(config)
        splits = definition.data(self._device)
        self._train, self._validation, self._test = (self._cast(split) for split in splits)
        self._stream = BatchStream(len(self._train.targets), definition.batch_size, seed)
        self._module = definition.build(self._config, seed).to(self._device, dtype)
        self._names = [name for name, _ in self._module.named_parameters()]
        self._optimizer = definition.optimizer_class(self._module.parameters())
        self._age = 0
        self.configure({})

    def advance(self, amount: int) -> Metrics:
        """Train ``amount`` steps and evaluate.

        Returns:
            ``validation_<name>`` for each metric of the workload's evaluation, and ``train_loss``: the mean
            loss of the batches just trained on, dropout and label smoothing included (NaN where ``amount``
            is 0).
        """
        self._module.train()
        total = torch.zeros((), device=self._device, dtype=self._dtype)
        end = self._age + amount
        while self._age < end:
            total += self._train_block(min(_BLOCK, end - self._age))
        metrics = self._evaluate("validation", self._validation)
        return {**metrics, "train_loss": float(total) / amount if amount else float("nan")}

    def test(self) -> Metrics:
        """``test_<name>`` for each metric of the workload's evaluation, on the held-out test split."""
        return self._evaluate("test", self._test)

    def configure(self, config: Config) -> None:
        """Take over the mutable hyperparameters of ``config``; others in it are ignored."""
        definition = self._definition
        mutable = {name: config[name] for name in definition.knobs.mutable if name in config}
        self._config = definition.knobs.complete({**self._config, **mutable})
        for group in self._optimizer.param_groups:
            for name, option in definition.optimizer_options.items():
                group[option] = float(self._config[name])
        self._hyperparameters = {
            name: torch.tensor(float(self._config[name]), device=self._device, dtype=self._dtype)
            for name in definition.knobs.mutable
            if name not in definition.optimizer_options
        }

    def state(self) -> State:
        """``age``, ``model`` (weights and buffers by name), ``optimizer`` (moments by weight and kind).

        The optimizer's settings are not in it: they are the member's own, not the weights'.
        """
        moments = self._optimizer.state_dict()["state"]
        return {
            "age": self._age,
            "model": _cloned(self._module.state_dict()),
            "optimizer": {self._names[index]: _cloned(values) for index, values in moments.items()},
        }

    def load(self, state: State) -> None:
        moments = {self._names.index(name): _cloned(values) for name, values in state["optimizer"].items()}
        own_settings = self._optimizer.state_dict()["param_groups"]
        self._module.load_state_dict(state["model"])
        self._optimizer.load_state_dict({"state": moments, "param_groups": own_settings})
        self._age = state["age"]

    def _train_block(self, count: int) -> Tensor:
        """Train ``count`` steps; the sum of their losses, ``()``."""
        batches = self._stream.batches(self._age, count).to(self._device)
        keys = member_keys(self._seed, Purpose.NOISE, self._age, count).to(self._device)
        total = torch.zeros((), device=self._device, dtype=self._dtype)
        inputs, targets = self._train
        for rows, key in zip(batches.unbind(), keys.unbind(), strict=True):
            batch = Batch(inputs.index_select(0, rows), targets.index_select(0, rows))
            loss = self._definition.loss(self._module, batch, self._hyperparameters, key)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            total += loss.detach()
        self._age += count
        return total

    def _evaluate(self, split_name: str, split: Batch) -> Metrics:
        self._module.eval()
        with torch.inference_mode():
            values = self._definition.evaluate(self._module, split)
            # One transfer for all of them: each would wait for the device on its own.
            numbers = torch.stack([value.to(torch.float64) for value in values.values()]).tolist()
        return {f"{split_name}_{name}": number for name, number in zip(values, numbers, strict=True)}

    def _cast(self, split: Batch) -> Batch:
        inputs = split.inputs.to(self._dtype) if split.inputs.is_floating_point() else split.inputs
        targets = split.targets.to(self._dtype) if split.targets.is_floating_point() else split.targets
        return Batch(inputs, targets)


def _cloned(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
