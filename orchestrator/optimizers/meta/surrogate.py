"""What the network makes of a study's results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orchestrator.optimizers.meta.buckets import expected_improvement, median
from orchestrator.optimizers.meta.network import NeuralProcess
from orchestrator.optimizers.meta.prior import Mask
from orchestrator.optimizers.meta.scale import LossScale
from search_spaces.columns import Floats

MOST = 100
"""Results that the network is shown at most, since attention grows with their square."""


@dataclass(frozen=True)
class Evidence:
    """Results as the network sees them.

    Args:
        units: the configurations, ``(n, dim)``, NaN where inactive.
        scaled: their losses on their scale, ``(n,)``.
        categorical: which parameters are, ``(dim,)``.
    """

    units: Floats
    scaled: Floats
    categorical: Mask

    @classmethod
    def of(cls, units: Floats, losses: Floats, categorical: Mask) -> Evidence:
        """Of all results, in any order, ``(n, dim)`` and ``(n,)``.

        Of more than 100 it is the better half of 100, and others evenly spaced by their rank.
        """
        scaled = LossScale.of(losses[None]).scaled(losses[None])[0]
        rows = shown(losses)
        return cls(units[rows], scaled[rows], categorical)

    def logits(self, network: NeuralProcess, queries: Floats) -> Tensor:
        """Of the distributions of losses at ``(m, dim)`` configurations."""
        tensors = [torch.from_numpy(array).float() for array in (self.units, self.scaled[None], queries)]
        with torch.no_grad():
            result: Tensor = network(*tensors, torch.from_numpy(self.categorical))[0]
        return result

    def improvement(self, network: NeuralProcess, queries: Floats) -> Floats:
        """By how much each is expected to improve on the best result, ``(m,)``."""
        return np.asarray(expected_improvement(self.logits(network, queries)).double().numpy())

    def believing(self, network: NeuralProcess, pending: Floats) -> Evidence:
        """With pending configurations, as if they had given their predicted medians, but nothing better.

        A kriging believer (Ginsbourger, Le Riche and Carraro 2010): no further one looks good next to them.
        """
        if not len(pending):
            return self
        expected = median(self.logits(network, pending)).clamp(min=0.0).double().numpy()
        units, scaled = np.concatenate([self.units, pending]), np.concatenate([self.scaled, expected])
        return Evidence(units, scaled, self.categorical)


def shown(losses: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which results the network is shown."""
    order = np.argsort(losses, kind="stable")
    if len(losses) <= MOST:
        return np.arange(len(losses))
    others = np.linspace(MOST // 2, len(losses) - 1, MOST - MOST // 2).round().astype(np.int64)
    return np.concatenate([order[: MOST // 2], order[others]])
