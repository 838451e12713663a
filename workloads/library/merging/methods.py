"""Known ways to choose the coefficients of a merge; each returns ``(tasks,)`` or ``(tasks, layers)``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import moocore
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import expit, logit
from scipy.stats import qmc
from torch import Tensor

from workloads.library.merging.models import Models, SplitName
from workloads.library.quadratic import quadratic_terms

Floats = NDArray[np.float64]


def average(models: Models, split: SplitName) -> Tensor:
    """The mean of the fine-tuned networks' weights (Wortsman et al. 2022, arXiv 2203.05482)."""
    del split
    return torch.full((len(models.data),), 1 / len(models.data))


def task_arithmetic(models: Models, split: SplitName, scales: int = 20) -> Tensor:
    """The same coefficient for every task, the best of a grid over (0, 1] by the mean error (Ilharco et al.
    2023, arXiv 2212.04089).
    """
    tasks = len(models.data)
    grid = [torch.full((tasks,), float(scale)) for scale in np.arange(1, scales + 1) / scales]
    return min(grid, key=lambda coefficients: float(models.errors(coefficients, split).mean()))


def ada_merging(
    models: Models, split: SplitName, layerwise: bool = False, steps: int = 500, rate: float = 0.001
) -> Tensor:
    """Coefficients in [0, 1] with the least entropy of answers to images without labels, by Adam from 0.3 on,
    with the rate and steps of the authors (Yang et al. 2024, arXiv 2310.02575).
    """
    shape = (len(models.data), len(models.layers)) if layerwise else (len(models.data),)
    raw = torch.full(shape, 0.3, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        models.entropy(raw.clamp(0, 1), split).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return raw.detach().clamp(0, 1)


def frank_wolfe(models: Models, split: SplitName, steps: int = 50) -> Tensor:
    """The least cross-entropy within the hull of the start and the fine-tuned networks, by Frank-Wolfe: each
    step goes ``2 / (step + 2)`` of the way to the corner that the gradient points away from most (Chen et al.
    2025, FW-Merging, arXiv 2503.12649, with exact inner products where the authors' code has cosines).
    """
    corners = torch.cat([torch.zeros(1, len(models.data)), torch.eye(len(models.data))])
    coefficients = torch.full((len(models.data),), 1 / len(models.data))
    for step in range(1, steps + 1):
        at = coefficients.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(models.loss(at, split), at)
        corner = corners[int((corners @ gradient).argmin())]
        coefficients = coefficients + 2 / (step + 2) * (corner - coefficients)
    return coefficients


METHODS: dict[str, Callable[[Models, SplitName], Tensor]] = {
    "average": average,
    "task_arithmetic": task_arithmetic,
    "ada_merging": ada_merging,
    "ada_merging_layerwise": partial(ada_merging, layerwise=True),
    "frank_wolfe": frank_wolfe,
}
"""Methods that find one merge from the images of a split."""


class Surrogate(NamedTuple):
    """MAP's model of errors and what it was fitted to.

    Args:
        weights: of the quadratic's terms for each task, ``(tasks, terms)``.
        sampled: coefficients, ``(n, tasks)``.
        errors: found there, ``(n, tasks)``.
    """

    weights: Floats
    sampled: Floats
    errors: Floats

    def predicted(self, coefficients: Floats) -> Floats:
        """Errors, ``(n, tasks)`` of ``(n, tasks)``."""
        return np.asarray(expit(quadratic_terms(coefficients) @ self.weights.T))

    def front(self, points: int = 2**13) -> Floats:
        """Coefficients that are Pareto-best by the model, among points spread evenly over [0, 1].

        The authors run NSGA-III on the model; as a prediction costs nothing, we take many points.
        """
        tried = qmc.Sobol(self.sampled.shape[1], seed=0).random(points)
        best = moocore.is_nondominated(self.predicted(tried), keep_weakly=False)
        return np.asarray(tried[best])


def surrogate(evaluate: Callable[[Floats], Floats], tasks: int, rng: np.random.Generator) -> Surrogate:
    """MAP: errors as the sigmoid of a quadratic of the coefficients, fitted to ``(n + 1)(n + 2)`` merges of
    ``n`` networks (Li et al. 2024, arXiv 2406.07529).

    Args:
        evaluate: errors ``(tasks,)`` of coefficients ``(tasks,)``.
        tasks: how many.
        rng: draws the merges, evenly from [0, 1].
    """
    sampled = rng.uniform(size=((tasks + 1) * (tasks + 2), tasks))
    errors = np.stack([evaluate(row) for row in sampled])
    terms = quadratic_terms(sampled)
    weights = []
    for observed in errors.T:
        first = np.linalg.lstsq(terms, logit(observed.clip(0.001, 0.999)), rcond=None)[0]

        def residuals(now: Floats, observed: Floats = observed) -> Floats:
            return np.asarray(expit(terms @ now) - observed)

        weights.append(least_squares(residuals, first).x)
    return Surrogate(np.stack(weights), sampled, errors)
