"""Kernels of Gaussian processes that forget: what was seen long ago says little about now.

Time-varying GP bandits (Bogunovic et al. 2016, arXiv 1601.06650) as PB2 (Parker-Holder et al. 2020, arXiv
2002.02518) and its mixed variant (Parker-Holder et al. 2021, arXiv 2106.15883) use them. Imports torch, so
import it where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

Bounds = tuple[tuple[float, float], ...]

VARIANCE, LENGTHSCALE, FORGETTING = (0.05, 20.0), (1e-3, 1.0), (0.0, 0.5)
"""Bounds of hyperparameters. The authors' forgetting rate is at most .5, their lengthscale at most 1."""


@dataclass(frozen=True)
class Inputs:
    """Where a process is observed or asked.

    Args:
        times: rounds, shape ``(n,)``.
        points: numbers on comparable scales, usually in [0, 1], shape ``(n, d)``.
        choices: categories by number, shape ``(n, c)``; no columns where all inputs are numbers.
    """

    times: Tensor
    points: Tensor
    choices: Tensor

    @classmethod
    def of(cls, times: ArrayLike, points: ArrayLike, choices: ArrayLike | None = None) -> Inputs:
        """Inputs from arrays of these shapes."""
        rounds = torch.as_tensor(np.asarray(times, dtype=np.float64))
        kinds = np.empty((len(rounds), 0)) if choices is None else np.asarray(choices, dtype=np.float64)
        return cls(rounds, torch.as_tensor(np.asarray(points, dtype=np.float64)), torch.as_tensor(kinds))

    def __len__(self) -> int:
        return len(self.times)

    def last(self, n: int) -> Inputs:
        """The last ``n`` rows."""
        return Inputs(self.times[-n:], self.points[-n:], self.choices[-n:])

    def joined(self, other: Inputs) -> Inputs:
        """These rows and then those of another."""
        return Inputs(
            torch.cat([self.times, other.times]),
            torch.cat([self.points, other.points]),
            torch.cat([self.choices, other.choices]),
        )


class Kernel(Protocol):
    """A covariance function with hyperparameters, differentiable in these and in the points."""

    @property
    def start(self) -> tuple[float, ...]:
        """The hyperparameters before they are fitted, shape ``(k,)``."""
        ...

    @property
    def bounds(self) -> Bounds:
        """The lowest and the highest value of each."""
        ...

    def __call__(self, values: Tensor, a: Inputs, b: Inputs) -> Tensor:
        """Covariances ``(n_a, n_b)`` at hyperparameters ``(k,)``."""
        ...

    def diagonal(self, values: Tensor, a: Inputs) -> Tensor:
        """Covariances of inputs with themselves, shape ``(n_a,)``."""
        ...


@dataclass(frozen=True)
class TimeVarying:
    """PB2's kernel, ``s * exp(-|x - x'|^2 / l) * (1 - e) ** (|t - t'| / 2)``.

    Hyperparameters: the variance ``s``, the lengthscale ``l`` (of squared distances, as the authors have it)
    and the forgetting rate ``e``.
    """

    start: ClassVar[tuple[float, ...]] = (1.0, 1.0, 0.1)
    bounds: ClassVar[Bounds] = (VARIANCE, LENGTHSCALE, FORGETTING)

    def __call__(self, values: Tensor, a: Inputs, b: Inputs) -> Tensor:
        variance, lengthscale, forgetting = values.unbind()
        return variance * similar(a, b, lengthscale) * recent(a, b, forgetting)

    def diagonal(self, values: Tensor, a: Inputs) -> Tensor:
        variances: Tensor = values[0].expand(len(a))
        return variances


@dataclass(frozen=True)
class TimeVaryingMixed:
    """PB2-Mix's kernel of numbers and categories, ``(1 - m) * (k1 + k2) / 2 + m * k1 * k2``.

    ``k1`` is PB2's kernel of the numbers and
    ``k2 = s2 * (share of equal choices) * (1 - e2) ** (|t - t'| / 2)``,
    as in CoCaBO (Ru et al. 2020, arXiv 1906.08878). Hyperparameters: ``s1, l, e1, s2, e2, m``.
    """

    start: ClassVar[tuple[float, ...]] = (1.0, 1.0, 0.1, 1.0, 0.1, 0.5)
    bounds: ClassVar[Bounds] = (VARIANCE, LENGTHSCALE, FORGETTING, VARIANCE, FORGETTING, (0.0, 1.0))

    def __call__(self, values: Tensor, a: Inputs, b: Inputs) -> Tensor:
        variance, lengthscale, forgetting, variance_2, forgetting_2, mix = values.unbind()
        numbers = variance * similar(a, b, lengthscale) * recent(a, b, forgetting)
        categories = variance_2 * equal(a, b) * recent(a, b, forgetting_2)
        return (1 - mix) * (numbers + categories) / 2 + mix * numbers * categories

    def diagonal(self, values: Tensor, a: Inputs) -> Tensor:
        variance, variance_2, mix = values[0], values[3], values[5]
        variances: Tensor = ((1 - mix) * (variance + variance_2) / 2 + mix * variance * variance_2).expand(
            len(a)
        )
        return variances


def similar(a: Inputs, b: Inputs, lengthscale: Tensor) -> Tensor:
    """``exp(-|x - x'|^2 / lengthscale)`` of the points, shape ``(n_a, n_b)``."""
    return torch.exp(-(a.points[:, None] - b.points[None]).square().sum(dim=2) / lengthscale)


def equal(a: Inputs, b: Inputs) -> Tensor:
    """The share of equal categories, shape ``(n_a, n_b)``."""
    return (a.choices[:, None] == b.choices[None]).double().mean(dim=2)


def recent(a: Inputs, b: Inputs, forgetting: Tensor) -> Tensor:
    """``(1 - forgetting) ** (|t - t'| / 2)``, shape ``(n_a, n_b)``."""
    return torch.exp(torch.log1p(-forgetting) * (a.times[:, None] - b.times[None]).abs() / 2)
