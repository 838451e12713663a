"""Probabilities of a trained network made honest: which map, fitted by which criterion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Metrics, Objective
from workloads.knobs import Knob, Knobs, at_least, checked_seed
from workloads.library.computed import Computed
from workloads.library.fitting import digits, digits_network
from workloads.torch import Batch, cross_entropy

CLASSES = 10


class Calibration(Computed):
    """Recalibrate a network that knows digits: a map of its logits, fitted to images that it has not seen.

    Temperature scaling is the map ``temperature`` by ``likelihood``, vector scaling ``vector`` by
    ``likelihood`` (Guo et al. 2017, arXiv 1706.04599). Correctness-aware calibration fits a temperature for
    each image to whether its answer is right: ``own_temperature`` by ``correctness`` (Liu et al. 2024, arXiv
    2404.13016; the authors also look at transformed images). ``windows`` is the idea of h-calibration (Huang
    et al. 2025, arXiv 2506.17968) in its simplest form, not the authors' own loss.

    The network learns from 300 images; the other training images fit the map. Metrics, on unseen images:
    ``validation_error`` (share of wrong answers), ``validation_ece`` (expected calibration error of the
    answer, 15 bins), ``validation_brier``, ``validation_loss`` (cross-entropy, nats).

    Parameters, with defaults for those that the space leaves out: map (temperature, vector,
    own_temperature), criterion (likelihood, brier, correctness, windows), penalty (0; of the squared distance
    to the map that changes nothing), window (50; images, for ``windows``).

    Args:
        space: what varies; None: all of these.
        objectives: None: ``validation_error`` and ``validation_ece``, to be small.
        width: hidden units of each of the two hidden layers.
        steps: of training.
        start_seed: of the network.

    Raises:
        ConfigurationError: an argument or the space is none of these.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        width: int = 64,
        steps: int = 300,
        start_seed: int = 0,
    ) -> None:
        at_least("width", width, 2)
        at_least("steps", steps, 1)
        self._recipe = (width, _TRAINED_ON, steps, checked_seed(start_seed))
        usual = (Objective("validation_error", reference=0.9), Objective("validation_ece", reference=0.5))
        super().__init__(
            build_space({"parameters": _SPACE}) if space is None else space,
            _KNOBS,
            usual if objectives is None else objectives,
            [f"validation_{name}" for name in SCORES],
        )

    def scores(self, config: Config | None, split: Batch) -> dict[str, float]:
        """Of :data:`SCORES`, after calibration, or of the network as it is."""
        logits = self._logits(split)
        if config is not None:
            logits = self._calibrated(config, logits)
        return {name: float(score(logits, split.targets)) for name, score in SCORES.items()}

    def _calibrated(self, config: Config, logits: Tensor) -> Tensor:
        full = _KNOBS.complete(config)
        held_out = Batch(*(part[_TRAINED_ON:] for part in digits().train))
        criterion = CRITERIA[str(full["criterion"])]
        mapped = MAPS[str(full["map"])]
        window, penalty = int(full["window"]), float(full["penalty"])
        found = fitted(
            mapped,
            lambda changed: criterion(changed, held_out.targets, window),
            self._logits(held_out),
            penalty,
        )
        return mapped(logits, found)

    def _logits(self, split: Batch) -> Tensor:
        with torch.no_grad():
            found: Tensor = digits_network(*self._recipe)(split.inputs)
        return found.double()

    def _metrics(self, config: Config) -> Metrics:
        found = self.scores(config, digits().validation)
        return {f"validation_{name}": value for name, value in found.items()}


Map = Callable[[Tensor, Tensor], Tensor]
"""Of logits ``(n, 10)`` and parameters ``(20,)``, of which it may use some: logits. Zeros change nothing."""


def temperature(logits: Tensor, parameters: Tensor) -> Tensor:
    return logits * parameters[0].exp()


def vector(logits: Tensor, parameters: Tensor) -> Tensor:
    return logits * (1 + parameters[:CLASSES]) + parameters[CLASSES:]


def own_temperature(logits: Tensor, parameters: Tensor) -> Tensor:
    """A temperature for each row, whose logarithm is linear in the row's three largest probabilities."""
    largest = torch.softmax(logits, -1).topk(3).values
    return logits * (parameters[0] + largest @ parameters[1:4]).exp().unsqueeze(-1)


MAPS: dict[str, Map] = {"temperature": temperature, "vector": vector, "own_temperature": own_temperature}
"""A new map is a function and a line."""


def likelihood(logits: Tensor, targets: Tensor, window: int) -> Tensor:
    del window
    return cross_entropy(logits, targets)


def squares(logits: Tensor, targets: Tensor, window: int) -> Tensor:
    del window
    return brier(logits, targets)


def correctness(logits: Tensor, targets: Tensor, window: int) -> Tensor:
    """The squared difference between the answer's probability and whether it is right (Liu et al. 2024)."""
    del window
    confidence, right = _answers(logits, targets)
    return (confidence - right).square().mean()


def windows(logits: Tensor, targets: Tensor, window: int) -> Tensor:
    """Mean confidence less accuracy, squared, over all windows of images with neighbouring confidences."""
    confidence, right = _answers(logits, targets)
    excess = (confidence - right)[confidence.argsort()].cumsum(0)
    width = min(window, len(excess))
    sums = excess[width - 1 :] - torch.cat([excess.new_zeros(1), excess[:-width]])
    return (sums / width).square().mean()


Criterion = Callable[[Tensor, Tensor, int], Tensor]
"""Of logits ``(n, 10)``, classes ``(n,)`` and a number of images: ``()``, smaller is better."""
CRITERIA: dict[str, Criterion] = {
    "likelihood": likelihood,
    "brier": squares,
    "correctness": correctness,
    "windows": windows,
}
"""A new criterion is a function and a line."""


def fitted(mapped: Map, loss: Callable[[Tensor], Tensor], logits: Tensor, penalty: float) -> Tensor:
    """The parameters with the least loss and penalty, by L-BFGS from none, ``(20,)``."""
    parameters = torch.zeros(2 * CLASSES, dtype=logits.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = loss(mapped(logits, parameters)) + penalty * parameters.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return parameters.detach()


def error(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.argmax(-1) != targets).double().mean()


def ece(logits: Tensor, targets: Tensor, bins: int = 15) -> Tensor:
    """Mean confidence less accuracy of equally wide bins of confidence, weighted (Guo et al. 2017)."""
    confidence, right = _answers(logits, targets)
    chosen = (confidence * bins).ceil().long().clamp(1, bins) - 1
    sums = torch.zeros(bins, dtype=confidence.dtype).index_add_(0, chosen, confidence - right)
    return sums.abs().sum() / len(targets)


def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """The squared distance between probabilities and classes, from 0 to 2 (Brier 1950)."""
    wanted = torch.nn.functional.one_hot(targets, logits.shape[-1])
    return (torch.softmax(logits, -1) - wanted).square().sum(-1).mean()


SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "error": error,
    "ece": ece,
    "brier": brier,
    "loss": cross_entropy,
}


def _answers(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The probability of each answer, and whether it is right, each ``(n,)``."""
    confidence, answers = torch.softmax(logits, -1).max(-1)
    return confidence, (answers == targets).to(confidence.dtype)


_TRAINED_ON, _ITERATIONS = 300, 50
_KNOBS = Knobs(
    map=Knob(default="temperature", choices=tuple(MAPS)),
    criterion=Knob(default="likelihood", choices=tuple(CRITERIA)),
    penalty=Knob(default=0.0, low=0.0),
    window=Knob(default=50, low=1, whole=True),
)
_SPACE = {
    "map": {"type": "categorical", "choices": list(MAPS)},
    "criterion": {"type": "categorical", "choices": list(CRITERIA)},
    "penalty": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
    "window": {"type": "int", "low": 5, "high": 200, "log": True},
}
"""The usual search space."""
