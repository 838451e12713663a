"""What a network's first gradients say about how well it will learn; a new score is a function and a line."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd import grad

from workloads.library.fitting import digits
from workloads.library.training_free.networks import ARCHITECTURES, fresh
from workloads.torch import Batch, cross_entropy

Floats = NDArray[np.float64]
Score = Callable[[nn.Module, Batch], float]
"""Of a network that has not been trained, on one batch; larger is supposed to be better."""

_BATCH = 64
_LITTLE = 1e-5


def gradient_norm(network: nn.Module, batch: Batch) -> float:
    """The sum of the norms of the loss's gradients by the matrices (Abdelfattah et al. 2021)."""
    return float(sum(one.norm() for one in _gradients(network, batch)))


def snip(network: nn.Module, batch: Batch) -> float:
    """How much the loss would change by the first order if weights went, in absolute values (Lee et al. 2019,
    arXiv 1810.02340).
    """
    pairs = zip(_matrices(network), _gradients(network, batch), strict=True)
    return float(sum((weight * slope).abs().sum().detach() for weight, slope in pairs))


def grasp(network: nn.Module, batch: Batch) -> float:
    """How much the gradient's norm would change if weights went, ``-w * (H g)`` (Wang et al. 2020, arXiv
    2002.07376; the sign is Abdelfattah's).
    """
    weights = _matrices(network)
    slopes = grad(_loss(network, batch), weights, create_graph=True)
    product = sum((slope.detach() * slope).sum() for slope in slopes)
    curved = grad(torch.as_tensor(product), weights)
    return float(-sum((weight * one).sum().detach() for weight, one in zip(weights, curved, strict=True)))


def fisher(network: nn.Module, batch: Batch) -> float:
    """Half the mean square of activations times their gradients, summed over a layer's units and counted once
    for each weight of a unit (Theis et al. 2018, arXiv 1801.05787; so Abdelfattah's code counts).
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    seen: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, __, found: seen.append(found)) for layer in layers]
    loss = _loss(network, batch)
    for hook in hooks:
        hook.remove()
    slopes = grad(loss, seen)
    total = 0.0
    for layer, found, slope in zip(layers, seen, slopes, strict=True):
        total += layer.in_features * float((found.detach() * slope).square().mean(0).sum()) / 2
    return total


def synflow(network: nn.Module, batch: Batch) -> float:
    """The flow through a network of absolute weights whose input is one, ``|w * dR/dw|`` (Tanaka et al. 2020,
    arXiv 2006.05467); it needs no data. Without normalisation, as it is meant.
    """
    network = copy.deepcopy(network).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.LayerNorm):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, nn.Identity())
    weights = _matrices(network)
    flow = network(torch.ones(1, *batch.inputs.shape[1:], dtype=torch.double)).sum()
    slopes = grad(flow, weights)
    pairs = zip(weights, slopes, strict=True)
    return float(sum((weight * slope).abs().sum().detach() for weight, slope in pairs))


def jacobian(network: nn.Module, batch: Batch) -> float:
    """How little the gradients by the images resemble one another: minus the sum of ``log v + 1 / v`` over
    the eigenvalues of their correlations (Mellor et al. 2021, arXiv 2006.04647, first version). NaN where
    there are none.
    """
    inputs = batch.inputs.clone().requires_grad_(True)
    (slopes,) = grad(network(inputs).sum(), [inputs])
    with np.errstate(invalid="ignore"):
        correlations = np.corrcoef(slopes.flatten(1).double().numpy())
    if not np.isfinite(correlations).all():  # an image that moves no logit has no correlations
        return np.nan
    values = np.maximum(np.linalg.eigvalsh(correlations), 0) + _LITTLE
    return float(-np.sum(np.log(values) + 1 / values))


SCORES: dict[str, Score] = {
    "gradient_norm": gradient_norm,
    "snip": snip,
    "grasp": grasp,
    "fisher": fisher,
    "synflow": synflow,
    "jacobian": jacobian,
}


@cache
def table(seed: int) -> Floats:
    """The scores of all architectures, each from 0 (the least) to 1 (the most), ``(architectures, scores)``.

    Made once per process, in seconds, on one batch of training images. What is not finite counts as the
    median of its score, so that no weight prefers it.

    Args:
        seed: of the first weights.
    """
    train = digits().train
    batch = Batch(train.inputs[:_BATCH], train.targets[:_BATCH])
    with torch.enable_grad():
        found = [[score(fresh(one, seed), batch) for score in SCORES.values()] for one in ARCHITECTURES]
    return scaled(np.array(found))


def scaled(values: Floats) -> Floats:
    """Each column from 0 to 1, ``(n, k)`` of ``(n, k)``; 0 where all are equal, the median for what is not
    finite.
    """
    finite = np.where(np.isfinite(values), values, np.nan)
    filled = np.where(np.isnan(finite), np.nanmedian(finite, 0), finite)
    low, span = filled.min(0), np.ptp(filled, 0)
    return np.asarray((filled - low) / np.where(span > 0, span, 1.0))


def order(scores: Floats, weights: Sequence[float]) -> NDArray[np.intp]:
    """Architectures by a weighted sum of their scores, the best first; of equals the first comes first."""
    return np.argsort(-(scores @ np.asarray(weights, dtype=float)), kind="stable")


def _matrices(network: nn.Module) -> list[Tensor]:
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear)]


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    return cross_entropy(network(batch.inputs), batch.targets)


def _gradients(network: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    return grad(_loss(network, batch), _matrices(network))
