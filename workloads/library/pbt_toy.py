"""The quadratic toy of the PBT paper, on which only a population that exploits reaches the optimum."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Device, Metrics, Objective, State
from workloads.knobs import Knob, Knobs, check_objectives, training_steps
from workloads.state import independent


class PbtToy:
    """Maximise ``Q = 1.2 - theta0**2 - theta1**2`` by following the gradient of a surrogate.

    The surrogate is ``1.2 - h0 * theta0**2 - h1 * theta1**2``; training starts at theta = (0.9, 0.9). A
    member with h = (1, 0) or (0, 1) moves one coordinate only and ends at Q = 0.39; the optimum is 1.2. The
    seed has no effect. Source: Jaderberg et al. 2017 (arXiv 1711.09846), figure 2.

    Metrics: ``Q`` (the objective, larger is better), ``theta0``, ``theta1``.

    Args:
        space: parameters ``h0`` and ``h1``, at least 0; None: both mutable in [0, 1].
        objectives: None: maximise ``Q``.
        learning_rate: of the gradient ascent.
        steps: training steps at full fidelity.

    Raises:
        ConfigurationError: the space or the objectives do not fit.
    """

    knobs = Knobs(h0=Knob(mutable=True, low=0.0), h1=Knob(mutable=True, low=0.0))
    metrics = ("Q", "theta0", "theta1")

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        learning_rate: float = 0.03,
        steps: int = 200,
    ) -> None:
        self.space = build_space(_SPACE) if space is None else space
        self.objectives = (Objective("Q", "max"),) if objectives is None else tuple(objectives)
        self.fidelity = training_steps(steps)
        self.learning_rate = learning_rate
        self.knobs.check_space(self.space)
        check_objectives(self.objectives, self.metrics)

    def start(self, config: Config, seed: int, device: Device) -> PbtToySession:
        del seed, device
        return PbtToySession(config, self.learning_rate)


class PbtToySession:
    """One worker of the toy."""

    def __init__(self, config: Config, learning_rate: float) -> None:
        self._config = PbtToy.knobs.complete(config)
        self._learning_rate = learning_rate
        self._theta = list(_START)
        self._age = 0

    def advance(self, amount: int) -> Metrics:
        weights = [float(self._config["h0"]), float(self._config["h1"])]
        for _ in range(amount):
            # The gradient of -h * theta**2 is -2 * h * theta.
            self._theta = [
                theta - 2 * self._learning_rate * weight * theta
                for theta, weight in zip(self._theta, weights, strict=True)
            ]
        self._age += amount
        theta0, theta1 = self._theta
        return {"Q": 1.2 - theta0**2 - theta1**2, "theta0": theta0, "theta1": theta1}

    def configure(self, config: Config) -> None:
        self._config = PbtToy.knobs.complete(config)

    @independent
    def state(self) -> State:
        return {"theta": list(self._theta), "age": self._age}

    @independent
    def load(self, state: State) -> None:
        self._theta, self._age = list(state["theta"]), state["age"]

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        """New weights are where training starts, whatever the seed."""
        del seed
        self._theta = [keep * theta + noise * new for theta, new in zip(self._theta, _START, strict=True)]


_START = (0.9, 0.9)

_SPACE = {
    "parameters": {
        "h0": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
        "h1": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
    }
}
