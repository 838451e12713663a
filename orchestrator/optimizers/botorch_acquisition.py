"""Which point BoTorch suggests: acquisition functions, what weighs them, and their maximisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei as hypervolume
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.multi_objective.parego import qLogNParEGO
from botorch.acquisition.objective import LinearMCObjective
from botorch.acquisition.prior_guided import PriorGuidedAcquisitionFunction
from botorch.models.gp_regression import SingleTaskGP
from botorch.optim.optimize import optimize_acqf
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.sampling.normal import SobolQMCNormalSampler
from torch import Tensor

from orchestrator.optimizers.botorch_model import Box, Surrogate, own_randomness
from search_spaces.columns import Floats
from search_spaces.space import SearchSpace

Acquisition = Literal["logei", "nehvi", "parego"]

# When it first needs one, BoTorch would compile a kernel in C++: a minute in every new environment,
# suggestions that depend on the compiler's rounding, and a lock that a process killed meanwhile leaves for
# all others to wait on.
hypervolume._load_attempted = True

_LEAST_DENSITY = 1e-12
_GRID = 257
"""Points of a number's prior between which its logarithm is taken for linear."""


def candidate(
    learnt: Surrogate,
    pending: Floats,
    acquisition: Acquisition,
    seed: int,
    effort: Mapping[str, int],
    *,
    reference: Floats | None = None,
    prior_exponent: float = 0.0,
) -> Floats:
    """The point that maximises the acquisition function, shape ``(1, dim)`` in the unit cube; an allowed one.

    A function of its arguments.

    Args:
        pending: ``(p, dim)`` in the unit cube.
        reference: ``(m,)``, the worst losses of interest, for ``nehvi``.
        prior_exponent: the power of the space's priors that weighs the acquisition function.
    """
    space, box = learnt.known.space, learnt.box
    with own_randomness(seed):
        function = _acquisition(learnt, pending, acquisition, effort, reference)
        function = _weighed(function, learnt, prior_exponent)
        units = box.to_units(_maximise(function, box, effort))
        if space.codec.legal(units)[0]:
            return units
        allowed = space.sample_units(effort["raw_samples"], np.random.default_rng(seed))
        with torch.no_grad():
            best = int(function(box.from_units(allowed).unsqueeze(1)).argmax())
        return allowed[[best]]


def _acquisition(
    learnt: Surrogate,
    pending: Floats,
    acquisition: Acquisition,
    effort: Mapping[str, int],
    reference: Floats | None,
) -> AcquisitionFunction:
    known, box = learnt.known, learnt.box
    objectives = known.losses.shape[1]
    arguments: dict[str, Any] = {
        "model": learnt.outcomes,
        "X_baseline": box.from_units(known.units),
        "sampler": SobolQMCNormalSampler(torch.Size([effort["mc_samples"]])),
        "constraints": [_outcome(objectives + k) for k in range(known.violations.shape[1])] or None,
        "X_pending": box.from_units(pending) if len(pending) else None,
        "prune_baseline": True,
    }
    if acquisition == "logei":
        only = LinearMCObjective(torch.eye(objectives + known.violations.shape[1], dtype=torch.double)[0])
        return qLogNoisyExpectedImprovement(objective=only, **arguments)
    arguments["objective"] = IdentityMCMultiOutputObjective(outcomes=list(range(objectives)))
    if acquisition == "parego":
        return qLogNParEGO(**arguments)
    assert reference is not None
    return qLogNoisyExpectedHypervolumeImprovement(ref_point=(-reference).tolist(), **arguments)


def _weighed(function: AcquisitionFunction, learnt: Surrogate, prior_exponent: float) -> AcquisitionFunction:
    """``function``, a logarithm, with the logarithms of its weights; itself where there are none."""
    priors = _LogPriors(learnt.known.space, learnt.box) if prior_exponent else None
    if priors is not None and priors.informative:
        function = PriorGuidedAcquisitionFunction(function, priors, log=True, prior_exponent=prior_exponent)
    if learnt.log_seconds is not None:
        time = _MinusLogSeconds(learnt.log_seconds)
        function = PriorGuidedAcquisitionFunction(function, time, log=True)
    return function


class _LogPriors(torch.nn.Module):
    """The logarithm of the space's prior density; ``(…, q, dim)`` to ``(…, q)``.

    Between points of a grid, or two values of a discrete parameter, it is linear.
    """

    def __init__(self, space: SearchSpace, box: Box) -> None:
        super().__init__()
        self._tables: dict[int, Tensor] = {}
        for j, _ in enumerate(space.codec.columns):
            values = box.discrete.get(j) or box.categorical.get(j)
            places = torch.tensor(values or np.linspace(0.0, 1.0, _GRID), dtype=torch.double)
            points = torch.full((len(places), space.codec.dim), 0.5, dtype=torch.double)
            points[:, j] = places
            logs = space.codec.log_priors(box.to_units(points))[:, j]
            if np.ptp(np.maximum(logs, np.log(_LEAST_DENSITY))) > 1e-9:
                self._tables[j] = torch.from_numpy(np.maximum(logs, np.log(_LEAST_DENSITY)))

    @property
    def informative(self) -> bool:
        """Whether the priors prefer any point to another."""
        return bool(self._tables)

    def forward(self, points: Tensor) -> Tensor:
        total = torch.zeros(points.shape[:-1], dtype=points.dtype)
        for j, table in self._tables.items():
            place = points[..., j].clamp(0, 1) * (len(table) - 1)
            left = place.detach().floor().long().clamp(max=len(table) - 2)
            share = place - left
            total = total + (1 - share) * table[left] + share * table[left + 1]
        return total


class _MinusLogSeconds(torch.nn.Module):
    """Less where training is expected to take longer; ``(…, q, dim)`` to ``(…, q)``."""

    def __init__(self, model: SingleTaskGP) -> None:
        super().__init__()
        self._model = model

    def forward(self, points: Tensor) -> Tensor:
        return -self._model.posterior(points).mean.squeeze(-1)


def _maximise(function: AcquisitionFunction, box: Box, effort: Mapping[str, int]) -> Tensor:
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
