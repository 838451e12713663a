"""The model in training: it also computes its own loss, which is fixed when training starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workloads.library.language.gpt import GPT
from workloads.library.language.sampling import sampled
from workloads.library.preferences.losses import LOSSES, Scores
from workloads.library.preferences.start import Judge, log_probabilities


class Policy(nn.Module):
    """A GPT that learns from preferences.

    Args:
        network: with the weights that it starts from.
        loss: the name of the loss.
        judge: says where a response ends.
        prompt: characters of a prompt.
    """

    def __init__(self, network: GPT, loss: str, judge: Judge, prompt: int) -> None:
        super().__init__()
        self.network = network
        self._loss, self._judge, self._prompt = loss, judge, prompt

    def forward(self, what: Literal["logits", "loss", "sampled"], *arguments: Any) -> Tensor:
        """What the method of that name returns; the only way in for what runs a module's ``forward``."""
        found: Tensor = getattr(self, what)(*arguments)
        return found

    def logits(self, tokens: Tensor) -> Tensor:
        """``(n, length, 65)`` of characters, int64 ``(n, length)``."""
        found: Tensor = self.network(tokens)
        return found

    def sampled(self, prompts: Tensor, length: int, key: Tensor) -> Tensor:
        """Responses, int64 ``(n, length)``; see :func:`workloads.library.language.sampling.sampled`."""
        return sampled(self.network, prompts, length, key)

    def loss(self, tokens: Tensor, reference: Tensor, hyperparameters: Mapping[str, Tensor]) -> Tensor:
        """The mean loss of ranked lists, ``()``.

        Args:
            tokens: prompts with responses, the best first, int64 ``(n, k, prompt + response)``.
            reference: its log-probabilities at each character, ``(n, k, response, 65)``.
            hyperparameters: of every loss, as ``<loss>_<name>``.
        """
        definition = LOSSES[self._loss]
        if not definition.lists:
            tokens, reference = ends(tokens), ends(reference)
        policy = log_probabilities(self.network(tokens.flatten(0, 1)), self._prompt)
        responses = tokens[..., self._prompt :]
        policy, counted = policy.view(reference.shape), self._judge.inside(responses)
        options = {name: hyperparameters[f"{self._loss}_{name}"] for name in definition.hyperparameters}
        return definition.function(score(policy, reference, responses, counted), **options).mean()


def ends(lists: Tensor) -> Tensor:
    """The best and the worst of each list, ``(n, 2, ...)`` of ``(n, k, ...)``."""
    return torch.stack([lists[:, 0], lists[:, -1]], dim=1)


def score(policy: Tensor, reference: Tensor, responses: Tensor, counted: Tensor) -> Scores:
    """What losses know of responses.

    Args:
        policy, reference: log-probabilities at each character, ``(n, k, response, 65)``.
        responses: int64 ``(n, k, response)``.
        counted: which of their characters belong to them, bool of that shape.
    """
    own, theirs = (each.gather(-1, responses.unsqueeze(-1)).squeeze(-1) for each in (policy, reference))
    divergences = (reference.exp() * (reference - policy)).sum(-1)
    lengths = counted.sum(-1).to(policy.dtype)
    return Scores(
        (own * counted).sum(-1), (theirs * counted).sum(-1), lengths, (divergences * counted).sum(-1)
    )
