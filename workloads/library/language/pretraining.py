"""A small GPT that has learned a text, for workloads that start from one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from workloads.library.language.gpt import GPT
from workloads.torch import cross_entropy
from workloads.torch.randomness import Purpose, generator_seed, seeded_initialisation

_RATE, _BATCH = 3e-3, 16
_FIRST_BATCHES = 10  # the number of a draw; those that start from the model have others


def pretrained(
    text: Tensor, context: int, layers: int, heads: int, width: int, *, steps: int, seed: int
) -> GPT:
    """The model after its steps on a text, by AdamW and a cosine from 3e-3 to 0; frozen.

    Args:
        text: codes of its characters, int64 ``(length,)``, more than ``context``.
        seed: of the first weights and of the batches of 16 windows.
    """
    with seeded_initialisation(seed):
        model = GPT(context, layers, heads, width)
    generator = torch.Generator().manual_seed(generator_seed(seed, Purpose.ORDER, _FIRST_BATCHES))
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE)
    windows = text.unfold(0, context + 1, 1)
    with torch.enable_grad():
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = _RATE * (1 + math.cos(math.pi * step / steps)) / 2
            batch = windows[torch.randint(len(windows), (_BATCH,), generator=generator)]
            loss = cross_entropy(model(batch[:, :-1]), batch[:, 1:])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model.eval().requires_grad_(False)
