"""Windows of a text: what language models read, and how well they predict it."""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.torch import Batch, ModelFunction, cross_entropy

EVALUATED_AT_ONCE = 50
"""Windows."""


def windows(codes: Tensor, context: int, stride: int) -> Batch:
    """Every ``stride`` characters a window, and the same one character further on; views."""
    return Batch(codes[:-1].unfold(0, context, stride), codes[1:].unfold(0, context, stride))


def spread(windows: Batch, most: int) -> Batch:
    """At most that many of the windows, evenly spaced."""
    count = len(windows.targets)
    chosen = torch.linspace(0, count - 1, min(most, count)).round().long().to(windows.targets.device)
    return Batch(*(part.index_select(0, chosen) for part in windows))


def mean_loss(model: ModelFunction, split: Batch) -> Tensor:
    """The cross-entropy over all windows, nats per character, ``()``.

    In parts, since the attention of all windows at once is large.

    Args:
        model: gives logits ``(n, context, 65)`` of characters, int64 ``(n, context)``.
    """
    parts = zip(*(torch.split(part, EVALUATED_AT_ONCE) for part in split), strict=True)
    total = sum(cross_entropy(model(inputs), targets) * len(targets) for inputs, targets in parts)
    return torch.as_tensor(total) / len(split.targets)
