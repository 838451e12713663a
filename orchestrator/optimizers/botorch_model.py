"""One suggestion of BoTorch's: fit a model, maximise an acquisition function."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from botorch import fit_gpytorch_mll
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.multi_objective.parego import qLogNParEGO
from botorch.models.gp_regression import SingleTaskGP
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.optim.optimize import optimize_acqf
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from search_spaces import SearchSpace
from search_spaces.columns import Floats

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
        pending: ``(p, dim)`` in the unit cube.
        reference: ``(m,)``, the worst losses of interest.
    """

    space: SearchSpace
    units: Floats
    losses: Floats
    violations: Floats
    pending: Floats
    reference: Floats


def candidate(
    observations: Observations,
    acquisition: Literal["nehvi", "parego"],
    seed: int,
    effort: Mapping[str, int],
) -> Floats:
    """The point that maximises the acquisition function, shape ``(1, dim)`` in the unit cube; an allowed one.

    A function of its arguments: the global generator of torch is put back as it was.
    """
    space, box = observations.space, _Box(observations.space)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit or a line search that stopped early; the best found is taken
        torch.manual_seed(seed)
        function = _acquisition(observations, box, acquisition, effort)
        units = box.to_units(_maximise(function, box, effort))
        if space.codec.legal(units)[0]:
            return units
        allowed = space.sample_units(effort["raw_samples"], np.random.default_rng(seed))
        with torch.no_grad():
            best = int(function(box.from_units(allowed).unsqueeze(1)).argmax())
        return allowed[[best]]


class _Box:
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


def _model(observations: Observations, box: _Box, fit_steps: int) -> SingleTaskGP:
    """Independent Gaussian processes, one per outcome: the negative losses, then the violations."""
    scale = np.maximum(observations.violations.std(axis=0), 1e-9)
    outcomes = torch.from_numpy(np.hstack([-observations.losses, observations.violations / scale]))
    points, categorical = box.from_units(observations.units), list(box.categorical)
    model = (
        MixedSingleTaskGP(points, outcomes, cat_dims=categorical)
        if categorical
        else SingleTaskGP(points, outcomes)
    )
    fit_gpytorch_mll(
        ExactMarginalLogLikelihood(model.likelihood, model),
        optimizer_kwargs={"options": {"maxiter": fit_steps}},
    )
    return model


def _acquisition(
    observations: Observations, box: _Box, acquisition: Literal["nehvi", "parego"], effort: Mapping[str, int]
) -> AcquisitionFunction:
    objectives = observations.losses.shape[1]
    arguments: dict[str, Any] = {
        "model": _model(observations, box, effort["fit_steps"]),
        "X_baseline": box.from_units(observations.units),
        "sampler": SobolQMCNormalSampler(torch.Size([effort["mc_samples"]])),
        "objective": IdentityMCMultiOutputObjective(outcomes=list(range(objectives))),
        "constraints": [_outcome(objectives + k) for k in range(observations.violations.shape[1])] or None,
        "X_pending": box.from_units(observations.pending) if len(observations.pending) else None,
        "prune_baseline": True,
    }
    if acquisition == "parego":
        return qLogNParEGO(**arguments)
    return qLogNoisyExpectedHypervolumeImprovement(ref_point=(-observations.reference).tolist(), **arguments)


def _maximise(function: AcquisitionFunction, box: _Box, effort: Mapping[str, int]) -> Tensor:
    search: dict[str, Any] = {"num_restarts": effort["restarts"], "raw_samples": effort["raw_samples"]}
    if box.discrete or box.categorical:
        points, _ = optimize_acqf_mixed_alternating(
            function, box.bounds, discrete_dims=box.discrete, cat_dims=box.categorical, q=1, **search
        )
    else:
        # Raw samples in one batch: by default BoTorch takes as few at a time as there are restarts.
        limits = {"batch_limit": effort["restarts"], "init_batch_limit": effort["raw_samples"]}
        search["options"] = {**limits, "maxiter": 200}
        points, _ = optimize_acqf(function, box.bounds, q=1, **search)
    return points.detach()


def _outcome(column: int) -> Callable[[Tensor], Tensor]:
    """Takes one outcome off posterior samples ``(..., outcomes)``."""
    return lambda samples: samples[..., column]
