"""Gaussian processes of BoTorch's over what was observed, in BoTorch's unit cube."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from botorch import fit_gpytorch_mll
from botorch.models.gp_regression import SingleTaskGP
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.models.map_saas import AdditiveMapSaasSingleTaskGP
from botorch.models.transforms.input import (
    ChainedInputTransform,
    Normalize,
    NumericToCategoricalEncoding,
    Round,
)
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor
from torch.nn.functional import one_hot

from search_spaces import SearchSpace
from search_spaces.columns import Floats

ModelKind = Literal["plain", "sparse"]
"""``plain``: BoTorch's standard model; ``sparse``: one that expects few parameters to matter (SAAS)."""

# Beyond so many values, an integer parameter is treated as continuous and rounded.
_MOST_DISCRETE_VALUES = 50


@dataclass(frozen=True)
class Observations:
    """What is known when a suggestion is wanted.

    Args:
        space: without conditional parameters.
        units: ``(n, dim)`` in the unit cube.
        losses: ``(n, m)``, to be minimised.
        violations: ``(n, c)``, positive where violated.
        seconds: ``(n,)``, how long the training took; NaN where it is unknown or was cut short.
    """

    space: SearchSpace
    units: Floats
    losses: Floats
    violations: Floats
    seconds: Floats


class Box:
    """The unit cube as BoTorch wants it: the values of a discrete parameter reach from 0 to 1.

    In the codec's cube they are the middles of their bins, the first one and the last one half a bin inside.
    """

    def __init__(self, space: SearchSpace) -> None:
        columns = space.codec.columns
        ends = np.array(
            [column.to_units(np.array([column.low, column.high], dtype=float)) for column in columns]
        )
        self._first, self._width = ends[:, 0], ends[:, 1] - ends[:, 0]
        self.bounds = torch.stack([torch.zeros(len(columns)), torch.ones(len(columns))]).double()
        self.discrete: dict[int, list[float]] = {}
        self.categorical: dict[int, list[float]] = {}
        for j, column in enumerate(columns):
            count = column.high - column.low + 1
            if (
                column.kind == "float"
                or count == 1
                or (column.kind == "int" and count > _MOST_DISCRETE_VALUES)
            ):
                continue
            middles = column.to_units(np.arange(column.low, column.high + 1, dtype=float))
            values = ((middles - self._first[j]) / self._width[j]).tolist()
            (self.categorical if column.kind == "categorical" else self.discrete)[j] = values

    def from_units(self, units: Floats) -> Tensor:
        """From the codec's cube."""
        return torch.from_numpy((units - self._first) / np.where(self._width > 0, self._width, 1.0))

    def to_units(self, points: Tensor) -> Floats:
        """To the codec's cube."""
        return np.asarray(np.clip(self._first + points.numpy() * self._width, 0.0, 1.0))


@dataclass(frozen=True)
class Surrogate:
    """What the observations taught; suggestions that come of the same observations share it.

    Args:
        known: the observations.
        box: their cube.
        outcomes: independent processes for the negative losses, then the violations in units of their spread.
        log_seconds: of the training time's logarithm; None where it is not asked for, or nothing is known.
    """

    known: Observations
    box: Box
    outcomes: SingleTaskGP
    log_seconds: SingleTaskGP | None


def surrogate(
    known: Observations, seed: int, fit_steps: int, *, kind: ModelKind = "plain", timed: bool = False
) -> Surrogate:
    """Fit the models; a function of its arguments.

    Args:
        fit_steps: the most steps of L-BFGS-B.
        timed: whether to fit one of the training time, too.
    """
    box = Box(known.space)
    with own_randomness(seed):
        scale = np.maximum(known.violations.std(axis=0), 1e-9)
        outcomes = torch.from_numpy(np.hstack([-known.losses, known.violations / scale]))
        model = _fitted(box.from_units(known.units), outcomes, box, kind, fit_steps)
        seconds = _log_seconds(known, box, fit_steps) if timed else None
    return Surrogate(known, box, model, seconds)


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch's global generator for a while; it is put back as it was. Warnings are left out."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit or a line search that stopped early; the best found is taken
        torch.manual_seed(seed)
        yield


def _log_seconds(known: Observations, box: Box, fit_steps: int) -> SingleTaskGP | None:
    rows = known.seconds > 0
    if rows.sum() < 2:
        return None
    logs = torch.from_numpy(np.log(known.seconds[rows]))[:, None]
    return _fitted(box.from_units(known.units[rows]), logs, box, "plain", fit_steps)


def _fitted(points: Tensor, outcomes: Tensor, box: Box, kind: ModelKind, fit_steps: int) -> SingleTaskGP:
    model = _unfitted(points, outcomes, box, kind)
    fit_gpytorch_mll(
        ExactMarginalLogLikelihood(model.likelihood, model),
        optimizer_kwargs={"options": {"maxiter": fit_steps}},
    )
    return model


def _unfitted(points: Tensor, outcomes: Tensor, box: Box, kind: ModelKind) -> SingleTaskGP:
    if kind == "sparse":
        return AdditiveMapSaasSingleTaskGP(points, outcomes, input_transform=_one_hot(box, points.shape[-1]))
    if box.categorical:
        return MixedSingleTaskGP(points, outcomes, cat_dims=list(box.categorical))
    return SingleTaskGP(points, outcomes)


def _one_hot(box: Box, dim: int) -> ChainedInputTransform | None:
    """Turns each category of more than two into a coordinate of its own; None where there is none."""
    sizes = {j: len(values) for j, values in box.categorical.items() if len(values) > 2}
    if not sizes:
        return None
    tops = torch.ones(dim, dtype=torch.double)
    for j, size in sizes.items():
        tops[j] = 1 / (size - 1)
    return ChainedInputTransform(
        numbers=Normalize(dim, bounds=torch.stack([torch.zeros_like(tops), tops])),  # 0, 1, 2 …
        rounded=Round(integer_indices=list(sizes)),
        encoded=NumericToCategoricalEncoding(
            dim, sizes, {j: partial(one_hot, num_classes=size) for j, size in sizes.items()}
        ),
    )
