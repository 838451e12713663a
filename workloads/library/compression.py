"""A network made smaller after its training: how many bits and how many weights each layer keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Metrics, Objective
from workloads.knobs import Knob, Knobs, at_least, checked_seed
from workloads.library.computed import Computed
from workloads.library.digits import MLP, TRAINING_ROWS
from workloads.library.fitting import digits, digits_network, wrong
from workloads.torch import Batch

LAYERS = ("hidden1", "hidden2", "output")
FULL_BITS = 32
"""Of a number that is not quantised: biases, scales, and weights of 32 bits."""


class Compression(Computed):
    """Prune and quantise a network that knows digits, without training it again.

    In each layer the smallest weights become zero (magnitude pruning; Han et al. 2015, arXiv 1506.02626), and
    the others are rounded to equal steps between plus and minus the largest of their row (symmetric
    quantisation with a scale for each output channel; Jacob et al. 2018, arXiv 1712.05877).

    Metrics: ``validation_error`` (share of wrong answers), ``kilobytes`` (see :func:`bits_of`; the network
    before takes 4 bytes a number).

    Parameters, with defaults for those that the space leaves out: ``<layer>_bits`` (2 to 32; 32: as trained)
    and ``<layer>_keep`` (the share of weights that stay, 1) of hidden1, hidden2 and output.

    Args:
        space: what varies; None: 2 to 8 bits, and 5 % to all of the weights.
        objectives: None: both metrics, to be small.
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
        self._recipe = (width, TRAINING_ROWS, steps, checked_seed(start_seed))
        rows = 2 * width + 10
        whole = (64 * width + width**2 + 10 * width + rows) * FULL_BITS / _KILOBYTE
        usual = (Objective("validation_error", reference=0.9), Objective("kilobytes", reference=whole))
        super().__init__(
            build_space({"parameters": _SPACE}) if space is None else space,
            _KNOBS,
            usual if objectives is None else objectives,
            ["validation_error", "kilobytes"],
        )

    @property
    def network(self) -> MLP:
        """What is made smaller."""
        return digits_network(*self._recipe)

    def error(self, config: Config, split: Batch) -> float:
        """The share of wrong answers of the compressed network."""
        full = _KNOBS.complete(config)
        weights: dict[str, Tensor] = dict(self.network.named_parameters())
        for layer in LAYERS:
            name = f"{layer}.weight"
            kept = pruned(weights[name], float(full[f"{layer}_keep"]))
            weights[name] = quantised(kept, int(full[f"{layer}_bits"]))
        with torch.no_grad():
            return wrong(functional_call(self.network, weights, (split.inputs,)), split.targets)

    def kilobytes(self, config: Config) -> float:
        """Of all layers."""
        full = _KNOBS.complete(config)
        each = (
            bits_of(
                self.network.get_parameter(f"{layer}.weight"),
                int(full[f"{layer}_bits"]),
                float(full[f"{layer}_keep"]),
            )
            for layer in LAYERS
        )
        return sum(each) / _KILOBYTE

    def _metrics(self, config: Config) -> Metrics:
        error = self.error(config, digits().validation)
        return {"validation_error": error, "kilobytes": self.kilobytes(config)}


def pruned(weight: Tensor, keep: float) -> Tensor:
    """The weight whose largest entries stay, at least one, and whose others are zero."""
    count = kept(weight, keep)
    chosen = weight.abs().flatten().topk(count).indices
    mask = torch.zeros(weight.numel(), dtype=torch.bool).index_fill_(0, chosen, value=True)
    return weight * mask.view_as(weight)


def quantised(weight: Tensor, bits: int) -> Tensor:
    """``(rows, columns)`` rounded to ``2**bits - 1`` equal steps around zero, by a scale for each row."""
    if bits >= FULL_BITS:
        return weight
    steps = 2 ** (bits - 1) - 1
    scale = (weight.abs().amax(1, keepdim=True) / steps).clamp(min=torch.finfo(weight.dtype).tiny)
    rounded: Tensor = (weight / scale).round() * scale
    return rounded


def kept(weight: Tensor, keep: float) -> int:
    """How many entries stay."""
    return max(1, math.ceil(keep * weight.numel()))


def bits_of(weight: Tensor, bits: int, keep: float) -> int:
    """What a layer takes: kept weights, a bit for each place where some are gone, scales, biases."""
    rows = weight.shape[0]
    places = weight.numel() if kept(weight, keep) < weight.numel() else 0
    scales = rows * FULL_BITS if bits < FULL_BITS else 0
    return kept(weight, keep) * bits + places + scales + rows * FULL_BITS


_KILOBYTE = 8 * 1024
_KNOBS = Knobs(
    **{f"{layer}_bits": Knob(default=FULL_BITS, low=2, high=FULL_BITS, whole=True) for layer in LAYERS},
    **{f"{layer}_keep": Knob(default=1.0, low=0.0, high=1.0) for layer in LAYERS},
)
_SPACE = {
    **{f"{layer}_bits": {"type": "int", "low": 2, "high": 8} for layer in LAYERS},
    **{f"{layer}_keep": {"type": "float", "low": 0.05, "high": 1.0} for layer in LAYERS},
}
"""The usual search space."""
