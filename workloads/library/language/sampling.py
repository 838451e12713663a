"""Text from a language model."""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.library.language.gpt import GPT, Memory
from workloads.torch.randomness import uniform


def sampled(model: GPT, prompts: Tensor, length: int, key: Tensor) -> Tensor:
    """Continue each prompt by ``length`` characters, drawn at temperature 1, int64 ``(n, length)``.

    Draws are the Gumbel-max trick over counter-based noise: models in one ``vmap`` share the noise of a key,
    and models that agree draw the same.

    Args:
        model: in evaluation mode.
        prompts: int64 ``(n, characters of a prompt)``; with the length no more than the model can see.
        key: of the noise, int64 ``()``.
    """
    memory: Memory = {}
    latest, drawn = prompts, []
    for position in range(length):
        logits = model(latest, memory=memory)[:, -1]
        noise = -torch.log(-torch.log(uniform(logits.shape, key, position)))
        latest = (logits + noise).argmax(-1, keepdim=True)
        drawn.append(latest)
    return torch.cat(drawn, dim=-1)


def inside(responses: Tensor, end: int) -> Tensor:
    """Which characters belong to a response: those up to its first ``end``, bool of the same shape."""
    ends = (responses == end).to(torch.int64)
    return ends.cumsum(-1) - ends == 0
