"""A torch workload whose training is counted in epochs, and which reports how large its model is."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import Config, ConfigurationError
from workloads.contract import Device, Fidelity, Metrics, Objective, State
from workloads.knobs import check_objectives
from workloads.torch.definition import TorchWorkload
from workloads.torch.session import TorchSession


class EpochWorkload:
    """Another workload with a fidelity of epochs and one more metric: ``parameters``, the model's trained
    weights.

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
        self.definition, self.space = definition, definition.space
        self.objectives = tuple(objectives)
        self.fidelity = Fidelity("epoch", largest=epochs)
        self._steps = rows // definition.batch_size
        metrics = [f"validation_{name}" for name in definition.evaluation]
        check_objectives(self.objectives, [*metrics, "train_loss", "parameters"])

    def start(self, config: Config, seed: int, device: Device) -> EpochSession:
        return EpochSession(self.definition.start(config, seed, device), self._steps)

    def check_workers(self, workers: int) -> None:
        self.definition.check_workers(workers)

    def start_worker(
        self, config: Config, seed: int, device: Device, rank: int, workers: int
    ) -> EpochSession:
        session = self.definition.start_worker(config, seed, device, rank, workers)
        return EpochSession(session, self._steps)


class EpochSession:
    """A session that advances by epochs.

    Args:
        session: advances by steps.
        steps: in an epoch.
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
