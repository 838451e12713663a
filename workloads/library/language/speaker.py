"""A language model as the module that a workload trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from workloads.library.language.gpt import GPT
from workloads.library.language.sampling import sampled


class Speaker(nn.Module):
    """A GPT that is asked for one thing or another, as workloads and ``vmap`` can only call a module.

    Args:
        network: the GPT.
        prompt: characters of a prompt.
    """

    def __init__(self, network: GPT, prompt: int) -> None:
        super().__init__()
        self.network, self.prompt = network, prompt

    def forward(self, what: str, *arguments: Any) -> Tensor:
        """What the method of that name returns; the only way in for what runs a module's ``forward``."""
        found: Tensor = getattr(self, what)(*arguments)
        return found

    def sampled(self, prompts: Tensor, length: int, key: Tensor) -> Tensor:
        """Responses, int64 ``(n, length)``; see :func:`workloads.library.language.sampling.sampled`."""
        return sampled(self.network, prompts, length, key)

    def log_probabilities(self, tokens: Tensor) -> Tensor:
        """Of each character of responses; see :func:`log_probabilities`."""
        return log_probabilities(self.network, tokens, self.prompt)


def log_probabilities(network: GPT, tokens: Tensor, prompt: int) -> Tensor:
    """What a model expects at each character of responses, ``(..., response, 65)``, nats.

    Args:
        tokens: prompts with responses, int64 ``(..., prompt + response)``.
        prompt: characters of a prompt.
    """
    logits = network(tokens.flatten(0, -2))[:, prompt - 1 : -1]
    found = torch.log_softmax(logits, dim=-1)
    return found.view(*tokens.shape[:-1], *found.shape[1:])
