"""One suggestion of BoTorch's: fit a model, maximise an acquisition function."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from botorch import fit_gpytorch_mll
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.multi_objective.parego import qLogNParEGO
from botorch.models import MixedSingleTaskGP, SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.sampling import SobolQMCNormalSampler
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
    """The point that maximises the acquisition function, shape ``(1, dim)``; an allowed one.

    A function of its arguments: the global generator of torch is put back as it was.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit or a line search that stopped early; the best found is taken
        torch.manual_seed(seed)
        function = _acquisition(observations, _model(observations), acquisition, effort["mc_samples"])
        units = _maximise(function, observations.space, effort).numpy()
        codec = observations.space.codec
        if codec.legal(units)[0]:
            return np.asarray(units)
        allowed = observations.space.sample_units(effort["raw_samples"], np.random.default_rng(seed))
        with torch.no_grad():
            best = int(function(torch.from_numpy(allowed).unsqueeze(1)).argmax())
        return allowed[[best]]


def _model(observations: Observations) -> SingleTaskGP:
    """Independent Gaussian processes, one per outcome: the negative losses, then the violations."""
    scale = np.maximum(observations.violations.std(axis=0), 1e-9)
    outcomes = torch.from_numpy(np.hstack([-observations.losses, observations.violations / scale]))
    units = torch.from_numpy(observations.units)
    categorical = [j for j, column in enumerate(observations.space.codec.columns) if column.kind == "categorical"]
    model = MixedSingleTaskGP(units, outcomes, cat_dims=categorical) if categorical else SingleTaskGP(units, outcomes)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def _acquisition(
    observations: Observations, model: SingleTaskGP, acquisition: Literal["nehvi", "parego"], mc_samples: int
) -> AcquisitionFunction:
    objectives = observations.losses.shape[1]
    arguments = {
        "model": model,
        "X_baseline": torch.from_numpy(observations.units),
        "sampler": SobolQMCNormalSampler(torch.Size([mc_samples])),
        "objective": IdentityMCMultiOutputObjective(outcomes=list(range(objectives))),
        "constraints": [_outcome(objectives + k) for k in range(observations.violations.shape[1])] or None,
        "X_pending": torch.from_numpy(observations.pending) if len(observations.pending) else None,
        "prune_baseline": True,
    }
    if acquisition == "parego":
        return qLogNParEGO(**arguments)
    return qLogNoisyExpectedHypervolumeImprovement(ref_point=(-observations.reference).tolist(), **arguments)


def _maximise(function: AcquisitionFunction, space: SearchSpace, effort: Mapping[str, int]) -> Tensor:
    columns = space.codec.columns
    bounds = torch.stack([torch.zeros(len(columns)), torch.ones(len(columns))]).double()
    discrete: dict[int, list[float]] = {}
    categorical: dict[int, list[float]] = {}
    for j, column in enumerate(columns):
        values = column.high - column.low + 1
        if column.kind == "categorical" or (column.kind != "float" and values <= _MOST_DISCRETE_VALUES):
            units = column.to_units(np.arange(column.low, column.high + 1)).tolist()
            (categorical if column.kind == "categorical" else discrete)[j] = units
    search: dict[str, int] = {"num_restarts": effort["restarts"], "raw_samples": effort["raw_samples"]}
    if discrete or categorical:
        units, _ = optimize_acqf_mixed_alternating(
            function, bounds, discrete_dims=discrete, cat_dims=categorical, q=1, **search
        )
    else:
        units, _ = optimize_acqf(function, bounds, q=1, options={"batch_limit": 5, "maxiter": 200}, **search)
    return units.detach().clamp(0.0, 1.0)


def _outcome(column: int) -> Callable[[Tensor], Tensor]:
    """Takes one outcome off posterior samples ``(..., outcomes)``."""
    return lambda samples: samples[..., column]
