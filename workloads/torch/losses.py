"""Losses whose hyperparameters are tensors, so that each member of a population can have its own."""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: Tensor | None = None) -> Tensor:
    """Mean cross-entropy in nats, as ``torch.nn.functional.cross_entropy`` computes it.

    Differs from torch's in that ``label_smoothing`` may be a tensor that ``vmap`` batches.

    Args:
        logits: ``(..., classes)``.
        targets: class indices, int64 ``(...)``.
        label_smoothing: the share of the target spread evenly over all classes, ``()``; None: 0.

    Returns:
        ``()``.
    """
    log_probabilities = torch.log_softmax(logits, dim=-1)
    hit = -log_probabilities.gather(-1, targets.unsqueeze(-1)).mean()
    if label_smoothing is None:
        return hit
    return torch.lerp(hit, -log_probabilities.mean(), label_smoothing)
