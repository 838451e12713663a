"""Rewards of texts that are programs; a new one is a function and a line below."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Reward = Callable[[Tensor, Tensor, str], Tensor]
"""Of responses, int64 ``(..., length)``, which of their characters count, bool of that shape, and the
alphabet: ``(...)``, from 0 to 1, larger is better. Under ``vmap`` it computes with tensors alone.
"""


def pronounceable(responses: Tensor, counted: Tensor, alphabet: str) -> Tensor:
    """The share of neighbours that are a vowel and a consonant; 0 for a response of one character."""
    kinds = torch.tensor([_kind(character) for character in alphabet], device=responses.device)[responses]
    alternate = kinds[..., 1:] * kinds[..., :-1] == -1
    return _share(alternate, counted[..., 1:])


def varied(responses: Tensor, counted: Tensor, alphabet: str) -> Tensor:
    """The share of different characters among as many as a response may have, so long ones can be better."""
    codes = torch.arange(len(alphabet), device=responses.device)
    found = ((responses.unsqueeze(-1) == codes) & counted.unsqueeze(-1)).any(-2)
    return found.sum(-1) / responses.shape[-1]


def ended(responses: Tensor, counted: Tensor, alphabet: str) -> Tensor:
    """1 for a response that ends its line, else 0: a reward that is verified, not graded."""
    del counted
    return (responses == alphabet.find("\n")).any(-1).to(torch.float32)


def brief(responses: Tensor, counted: Tensor, alphabet: str) -> Tensor:
    """The share of what a response may have that it leaves out."""
    del alphabet
    return 1 - counted.sum(-1) / responses.shape[-1]


def _kind(character: str) -> int:
    """1: a vowel; -1: a consonant; 0: no letter."""
    if not character.isalpha():
        return 0
    return 1 if character.lower() in "aeiouy" else -1


def _share(found: Tensor, counted: Tensor) -> Tensor:
    return (found & counted).sum(-1) / counted.sum(-1).clamp(min=1)


REWARDS: dict[str, Reward] = {
    "pronounceable": pronounceable,
    "varied": varied,
    "ended": ended,
    "brief": brief,
}
