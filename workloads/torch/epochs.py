"""Torch workloads that also report how large their model is; the unit of training may be several steps."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import Config, ConfigurationError
from workloads.contract import Device, Fidelity, Metrics, Objective, State
from workloads.knobs import check_objectives
from workloads.torch.definition import TorchWorkload
from workloads.torch.session import TorchSession


class SizedWorkload:
    """Another workload with one more metric: ``parameters``, the model's trained weights.

    Args:
        definition: the workload.
        fidelity: in units of ``steps`` training steps each.
        objectives: out of the definition's metrics and ``parameters``.
        steps: of a unit.

    Raises:
        ConfigurationError: an objective is not among the metrics.
    """

    def __init__(
        self, definition: TorchWorkload, fidelity: Fidelity, objectives: Sequence[Objective], steps: int = 1
    ) -> None:
        self.definition, self.space = definition, definition.space
        self.objectives, self.fidelity = tuple(objectives), fidelity
        self._steps = steps
        metrics = [f"validation_{name}" for name in definition.evaluation]
        check_objectives(self.objectives, [*metrics, "train_loss", "parameters"])

    def start(self, config: Config, seed: int, device: Device) -> SizedSession:
        return SizedSession(self.definition.start(config, seed, device), self._steps)

    def check_workers(self, workers: int) -> None:
        self.definition.check_workers(workers)

    def start_worker(
        self, config: Config, seed: int, device: Device, rank: int, workers: int
    ) -> SizedSession:
        session = self.definition.start_worker(config, seed, device, rank, workers)
        return SizedSession(session, self._steps)


class EpochWorkload(SizedWorkload):
    """A sized workload with a fidelity of epochs.

    Args:
        definition: the workload.
        rows: of its training split; an epoch is as many whole batches as there are in it.
        epochs: at full fidelity.
        objectives: out of the definition's metrics and ``parameters``.

    Raises:
        ConfigurationError: there is no epoch, or an objective is not among the metrics.
    """

    def __init__(
        self, definition: TorchWorkload, rows: int, epochs: int, objectives: Sequence[Objective]
    ) -> None:
        if epochs < 1:
            raise ConfigurationError("epochs", "at least 1", epochs)
        fidelity = Fidelity("epoch", largest=epochs)
        super().__init__(definition, fidelity, objectives, steps=rows // definition.batch_size)


class SizedSession:
    """A session that advances by units of several steps, and says how large its model is.

    Args:
        session: advances by steps.
        steps: in a unit.
    """

    def __init__(self, session: TorchSession, steps: int) -> None:
        self._session, self._steps = session, steps
        self._size = float(sum(weight.numel() for weight in session.weights.values()))

    def advance(self, amount: int) -> Metrics:
        return {**self._session.advance(amount * self._steps), "parameters": self._size}

    def configure(self, config: Config) -> None:
        self._session.configure(config)

    def state(self) -> State:
        return self._session.state()

    def load(self, state: State) -> None:
        self._session.load(state)

    def test(self) -> Metrics:
        return self._session.test()

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        self._session.perturb(keep, noise, seed)
