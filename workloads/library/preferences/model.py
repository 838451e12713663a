"""The model in training: it also computes its own loss, which is fixed when training starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workloads.library.language.gpt import GPT
from workloads.library.language.sampling import sampled
from workloads.library.preferences.losses import LOSSES, Characters, Scores
from workloads.library.preferences.rounds import Rounds
from workloads.library.preferences.start import Judge, log_probabilities
from workloads.torch.randomness import uniform


class Policy(nn.Module):
    """A GPT that learns from preferences.

    Args:
        network: with the weights that it starts from.
        loss: the name of the loss.
        judge: says where a response ends, and how good it is.
        prompt: characters of a prompt.
        noise: the share of lists drawn while it trains that are ranked the wrong way round.
        steps: of a full training, which a loss may cut into rounds.
    """

    def __init__(
        self, network: GPT, loss: str, judge: Judge, prompt: int, noise: float = 0.0, steps: int = 1
    ) -> None:
        super().__init__()
        self.network, self._definition = network, LOSSES[loss]
        self._loss, self._judge, self._prompt, self._noise = loss, judge, prompt, noise
        count, extrapolated = self._definition.rounds, "momentum" in self._definition.hyperparameters
        self.rounds = Rounds(network, -(-steps // count), extrapolated) if count > 1 else None

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

    def loss(
        self, tokens: Tensor, reference: Tensor, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        """The mean loss of ranked lists, ``()``.

        Args:
            tokens: prompts with responses, the best first, int64 ``(n, k, prompt + response)``.
            reference: its log-probabilities at each character, ``(n, k, response, 65)``.
            hyperparameters: of every loss, as ``<loss>_<name>``.
            key: of what is drawn at this step, int64 ``()``.
        """
        learns, own = self._definition.learns, self._definition.hyperparameters
        options = {name: hyperparameters[f"{self._loss}_{name}"] for name in own}
        if self.rounds is None:
            if learns == "ends":
                tokens, reference = ends(tokens), ends(reference)
        else:
            number = self.rounds.begin_step(self.network, options.get("momentum"))
            tokens = self._pairs(self.rounds, tokens, number, key)
            with torch.no_grad():
                reference = self._log_probabilities(self.rounds.reference, tokens)
        policy, responses = self._log_probabilities(self.network, tokens), tokens[..., self._prompt :]
        counted = self._judge.inside(responses)
        losses = self._definition.function(score(policy, reference, responses, counted), **options)
        if learns != "drawn":
            return losses.mean()
        rewards = self._judge.rewards(responses)
        distinct = rewards[:, 0] != rewards[:, -1]
        return (losses * distinct).sum() / distinct.sum().clamp(min=1)

    def _pairs(self, rounds: Rounds, tokens: Tensor, number: Tensor, key: Tensor) -> Tensor:
        """What is learned from in this round, ``(n, 2, prompt + response)``."""
        if self._definition.learns == "harder":
            return _harder(tokens, number)
        if self._definition.learns == "drawn":
            return self._drawn(rounds.reference, tokens, key)
        return ends(tokens)

    def _drawn(self, network: GPT, tokens: Tensor, key: Tensor) -> Tensor:
        """The best and the worst of as many responses of this model as the lists have."""
        count, size, length = tokens.shape[0], tokens.shape[1], tokens.shape[2] - self._prompt
        prompts = tokens[..., : self._prompt].flatten(0, 1)
        with torch.no_grad():
            drawn = torch.cat([prompts, sampled(network, prompts, length, key)], -1).view(count, size, -1)
            rewards = self._judge.rewards(drawn[..., self._prompt :])
            places = torch.stack([rewards.argmax(-1), rewards.argmin(-1)], -1)
            pairs = drawn.gather(1, places.unsqueeze(-1).expand(-1, -1, drawn.shape[-1]))
            # Sampling has drawn as layers 0 to length - 1.
            wrong = uniform((count,), key, length) < self._noise
            return torch.where(wrong.view(-1, 1, 1), pairs.flip(1), pairs)

    def _log_probabilities(self, network: GPT, tokens: Tensor) -> Tensor:
        """Of each character of the responses, ``(n, k, response, 65)``."""
        found = log_probabilities(network(tokens.flatten(0, 1)), self._prompt)
        return found.view(*tokens.shape[:2], *found.shape[1:])


def _harder(lists: Tensor, number: Tensor) -> Tensor:
    """The best of each list, and its worst in round 0, its second worst in round 1, and so on."""
    place = (lists.shape[1] - 1 - number).clamp(min=1)
    rejected = lists.gather(1, place.expand(lists.shape[0], 1, lists.shape[2]))
    return torch.cat([lists[:, :1], rejected], dim=1)


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
    expected = reference.exp()
    divergences, doubts = (expected * (reference - policy)).sum(-1), -(expected * reference).sum(-1)
    sums = ((own * counted).sum(-1), (theirs * counted).sum(-1), counted.sum(-1).to(policy.dtype))
    characters = Characters(own - theirs, divergences, doubts, counted)
    return Scores(*sums, (divergences * counted).sum(-1), characters)
