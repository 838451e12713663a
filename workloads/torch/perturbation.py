"""Weights that are shrunk and perturbed."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def shrink_and_perturb(model: nn.Module, fresh: nn.Module, keep: float, noise: float) -> None:
    """Let ``model`` go on from ``keep * weights + noise * new weights``, as Ash and Adams (2020) do.

    Their paper is arXiv 1910.08475. Running statistics of normalisation layers start anew, since they
    describe the old weights; weights that are not trained and other buffers stay. ``keep=1, noise=0`` changes
    nothing.

    Args:
        model: in training, on any device.
        fresh: the same model with the new weights, on any device.
        keep: what is left of the present weights, 0 to 1.
        noise: the share of the new weights that is added, at least 0.
    """
    if (keep, noise) == (1, 0):
        return
    new = dict(fresh.named_parameters())
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            # Weights that are dropped altogether may have diverged; 0 times infinity is no number.
            old = keep * weight if keep else torch.zeros_like(weight)
            weight.copy_(old + noise * new[name].to(weight.device, weight.dtype))
    for module in model.modules():
        if callable(reset := getattr(module, "reset_running_stats", None)):
            reset()
