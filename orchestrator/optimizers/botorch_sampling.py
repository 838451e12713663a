"""Thompson sampling within a box around the best point, with BoTorch."""

from __future__ import annotations

import numpy as np
import torch
from botorch.models.gp_regression import SingleTaskGP
from torch import Tensor

from orchestrator.optimizers.botorch_model import Box, Surrogate, own_randomness
from search_spaces.columns import Floats

_PERTURBED = 20
"""About how many parameters of a candidate differ from the center."""


def thompson(
    learnt: Surrogate, center: Floats, length: float, pending: Floats, seed: int, candidates: int
) -> Floats:
    """The best of ``candidates`` by a draw from the model, ``(1, dim)`` in the unit cube; allowed and new.

    A function of its arguments. Where all candidates have been tried, one of them is tried again; where none
    is allowed, a draw from the priors takes over.

    Args:
        center: ``(1, dim)`` in the unit cube.
        length: of the box's sides, before they are scaled to the model's length scales.
        pending: ``(p, dim)`` in the unit cube.
    """
    space, box = learnt.known.space, learnt.box
    with own_randomness(seed), torch.no_grad():
        middle = box.from_units(center)
        sides = length * _relative_scales(learnt.outcomes, space.codec.dim)
        rng = np.random.default_rng(seed)
        points = _around(middle[0], sides, box, candidates, rng)
        units = box.to_units(points)
        allowed = space.codec.legal(units)
        if not allowed.any():
            return space.sample_units(1, rng)
        tried = torch.cat([box.from_units(learnt.known.units), box.from_units(pending)])
        fresh = allowed & ~(torch.cdist(points, tried).min(dim=1).values < 1e-9).numpy()
        rows = points[torch.from_numpy(fresh if fresh.any() else allowed)]
        return box.to_units(_sampled(learnt, rows))


def _sampled(learnt: Surrogate, points: Tensor) -> Tensor:
    """The point at which one draw of the outcomes is best, shape ``(1, dim)``; feasible, if one is."""
    draw = learnt.outcomes.posterior(points).rsample()
    excess = draw[:, 1:].clamp(min=0).sum(dim=1)
    # The smallest excess is 0 where any point is feasible.
    return points[[int(torch.where(excess == excess.min(), draw[:, 0], -torch.inf).argmax())]]


def _relative_scales(model: SingleTaskGP, dim: int) -> Tensor:
    """The objective's length scales, divided by their geometric mean, shape ``(dim,)``.

    Ones where the model has categories: its kernels then have no common scale.
    """
    scales = getattr(model.covar_module, "lengthscale", None)
    if scales is None:
        return torch.ones(dim, dtype=torch.double)
    first: Tensor = scales.reshape(-1, dim)[0]
    return first / torch.exp(torch.log(first).mean())


def _around(middle: Tensor, sides: Tensor, box: Box, count: int, rng: np.random.Generator) -> Tensor:
    """Candidates ``(count, dim)`` in the box of these sides around ``middle``, cut off at the cube.

    Each differs from it in at least one parameter.
    """
    dim = len(middle)
    low, high = (middle - sides / 2).clamp(0, 1), (middle + sides / 2).clamp(0, 1)
    drawn = torch.from_numpy(rng.random((count, dim)))
    inside = low + (high - low) * drawn
    for j, values in box.discrete.items():
        places = torch.tensor(values, dtype=torch.double)
        inside[:, j] = places[(inside[:, j : j + 1] - places).abs().argmin(dim=1)]
    for j, values in box.categorical.items():
        places = torch.tensor(values, dtype=torch.double)
        inside[:, j] = places[(drawn[:, j] * len(values)).long().clamp(max=len(values) - 1)]
    changed = torch.from_numpy(rng.random((count, dim)) < min(1.0, _PERTURBED / dim))
    changed[torch.arange(count), torch.from_numpy(rng.integers(dim, size=count))] = True
    return torch.where(changed, inside, middle)
