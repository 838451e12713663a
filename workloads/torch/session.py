"""One member of a torch workload in training: the loop engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import torch
from torch import Tensor

from search_spaces import Config
from workloads.contract import Device, Metrics, State
from workloads.state import independent
from workloads.torch.algorithms import Step
from workloads.torch.perturbation import shrink_and_perturb
from workloads.torch.pieces import Batch, Pieces, Splits
from workloads.torch.randomness import Purpose, member_keys
from workloads.torch.stream import BatchStream

# Row indices and keys are made for this many steps at once: one small tensor operation per step saved.
BLOCK = 256


class TorchSession:
    """Trains one member; bit-identical on CPU for the same seed, configuration and state.

    Divergence is no error: metrics are then NaN or infinite. The number of CPU threads is left as it is.

    Args:
        definition: the workload.
        config: hyperparameters; those left out take the workload's defaults.
        seed: of initial weights, batch order and dropout.
        device: where it trains.
        dtype: of weights and inputs.

    Attributes:
        definition, config, seed, device, dtype: as above, ``config`` with a value for every knob.
        age: training steps in the weights.
        rule: the training algorithm, which updates them.
        splits: the data.
        stream: which rows of the training split each step takes.
        module: the model.
        model: what computes with it while it trains: itself, or what wraps it.
        weights: what is trained, by name.
        moments: what the rule remembers, by kind and then by weight; none where the optimizer does.
    """

    def __init__(
        self,
        definition: Pieces,
        config: Config,
        seed: int,
        device: Device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.definition, self.seed = definition, seed
        self.device, self.dtype = torch.device(device.name), dtype
        self.config = definition.knobs.complete(config)
        self.rule = definition.optimizer(self.config)
        self.splits = Splits(*(_cast(split, dtype) for split in definition.data(self.device)))
        self.stream = BatchStream(len(self.splits.train.targets), definition.batch_size, seed)
        self.module = definition.build(self.config, seed).to(self.device, dtype)
        self.model = self.module
        self.weights = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
        self.moments = {
            kind: {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
            for kind in self.rule.moments
        }
        self.age = 0
        self._optimizer = self.rule.make(self.weights)
        for name, weight in self.weights.items():
            own = {kind: moments[name] for kind, moments in self.moments.items()}
            self._optimizer.state[weight].update(own)
        self.configure(self.config)

    def advance(self, amount: int) -> Metrics:
        """Train ``amount`` steps and evaluate.

        Returns:
            ``validation_<name>`` for each metric of the workload's evaluation, and ``train_loss``: the mean
            loss of the batches just trained on, dropout and label smoothing included (NaN where ``amount``
            is 0).
        """
        self.module.train()
        self.rule.begin(self._optimizer, self.age)
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        end = self.age + amount
        while self.age < end:
            total += self._train_block(min(BLOCK, end - self.age))
        metrics = self._evaluate("validation", self.splits.validation)
        return {**metrics, "train_loss": float(total) / amount if amount else float("nan")}

    def test(self) -> Metrics:
        """``test_<name>`` for each metric of the workload's evaluation, on the held-out test split."""
        return self._evaluate("test", self.splits.test)

    def configure(self, config: Config) -> None:
        """Take over the mutable hyperparameters of ``config``; others in it are ignored.

        Those that it lacks, since its conditions make them inactive, take their defaults.
        """
        knobs = self.definition.knobs
        fixed = {name: value for name, value in self.config.items() if name not in knobs.mutable}
        mutable = {name: config[name] for name in knobs.mutable if name in config}
        self.config = knobs.complete({**fixed, **mutable})
        self.rule.configure(self._optimizer, self.options)
        self._hyperparameters = {
            name: torch.tensor(value, device=self.device, dtype=self.dtype if knobs.is_number(name) else None)
            for name, value in self.hyperparameters.items()
        }

    @property
    def options(self) -> dict[str, float]:
        """The algorithm's options: from its own hyperparameters, from shared ones, or else by default."""
        names = {**self.definition.optimizer_options, **self.rule.own_options}
        own = {option: float(self.config[name]) for name, option in names.items() if name in self.config}
        return {option: own.get(option, default) for option, default in self.rule.defaults.items()}

    @property
    def hyperparameters(self) -> dict[str, float]:
        """What the loss takes, as numbers."""
        definition = self.definition
        return {name: definition.knobs.number(name, self.config[name]) for name in definition.loss_names}

    @independent
    def state(self) -> State:
        """``age``, ``model`` (weights and buffers by name), ``optimizer`` (moments by weight and kind).

        Some training algorithms remember more, in ``algorithm``. Their options are not in it: they are the
        member's own, not the weights'.
        """
        return {
            "age": self.age,
            "model": _cloned(self.module.state_dict()),
            **self.rule.state(self._optimizer, self.weights),
        }

    @independent
    def load(self, state: State) -> None:
        self.module.load_state_dict(state["model"])
        self.rule.load(self._optimizer, self.weights, state)
        self.age = state["age"]

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        """Go on from ``keep * weights + noise * new weights``, new ones as a member with that seed has them.

        Running statistics of normalisation layers start anew, since they describe the old weights; weights
        that are not trained and other buffers stay. So do age and moments, as in the authors' code of IPBT
        (arXiv 2511.09190): Adam corrects moments of zero by their age, and would take them for well averaged
        ones. ``keep=1, noise=0`` changes nothing.
        """
        fresh = self.definition.build(self.config, seed)
        shrink_and_perturb(self.module, fresh.to(dtype=self.dtype), keep, noise)

    def perturb_blocks(self, blocks: Collection[str], keep: float, noise: float, seed: int) -> None:
        """As :meth:`perturb`, for these submodules alone (``contract.BlockSession``)."""
        fresh = self.definition.build(self.config, seed).to(dtype=self.dtype)
        for name in blocks:
            shrink_and_perturb(self.module.get_submodule(name), fresh.get_submodule(name), keep, noise)

    def _train_block(self, count: int) -> Tensor:
        """Train ``count`` steps; the sum of their losses, ``()``."""
        batches = self.stream.batches(self.age, count).to(self.device)
        keys = self._keys(count).to(self.device)
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        for rows, key in zip(batches.unbind(), keys.unbind(), strict=True):
            step = Step(self.weights, partial(self._loss, rows, key), key)
            total += self.rule.step(self._optimizer, step)
        self.age += count
        return total

    def _loss(self, rows: Tensor, key: Tensor) -> Tensor:
        """Of the batch that has these rows, ``()``."""
        inputs, targets = self.splits.train
        batch = Batch(inputs.index_select(0, rows), targets.index_select(0, rows))
        with self.definition.autocast(self.device):
            return self.definition.loss(self.model, batch, self._hyperparameters, key)

    def _keys(self, count: int) -> Tensor:
        """Of the randomness in the next ``count`` steps, int64 ``(count,)``."""
        return member_keys(self.seed, Purpose.NOISE, self.age, count)

    def _evaluate(self, split_name: str, split: Batch) -> Metrics:
        self.module.eval()
        averaged = self.rule.evaluating(self._optimizer, self.weights.values())
        with averaged, torch.inference_mode(), self.definition.autocast(self.device):
            values = self.definition.evaluate(self.module, split)
            # One transfer for all of them: each would wait for the device on its own.
            numbers = torch.stack([value.to(torch.float64) for value in values.values()]).tolist()
        return {f"{split_name}_{name}": number for name, number in zip(values, numbers, strict=True)}


def _cast(split: Batch, dtype: torch.dtype) -> Batch:
    return Batch(*(part.to(dtype) if part.is_floating_point() else part for part in split))


def _cloned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
