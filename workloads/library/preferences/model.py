"""The model in training: it also computes its own loss, which is fixed when training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.library.language.gpt import GPT
from workloads.library.language.sampling import sampled
from workloads.library.language.speaker import Speaker, log_probabilities
from workloads.library.preferences.losses import LOSSES, Characters, Scores
from workloads.library.preferences.rounds import Rounds
from workloads.library.preferences.start import Judge, Recipe
from workloads.torch.randomness import uniform


class Policy(Speaker):
    """A GPT that learns from preferences, and before that from their best responses if it is told to.

    Args:
        network: with the weights that it starts from.
        loss: the name of the loss.
        judge: says where a response ends, and how good it is.
        recipe: of the lists.
        steps: of a full training, which a loss may cut into rounds.
        supervised: the share of these steps that learn from best responses, as from a text; the model after
            them is the reference of the others.
    """

    def __init__(
        self, network: GPT, loss: str, judge: Judge, recipe: Recipe, steps: int = 1, supervised: float = 0.0
    ) -> None:
        super().__init__(network, recipe.prompt)
        self._loss, self._definition = loss, LOSSES[loss]
        self._judge, self._noise = judge, recipe.noise
        first, self._supervised = round(supervised * steps), supervised > 0
        length = max(1, math.ceil((steps - first) / self._definition.rounds))
        extrapolated = "momentum" in self._definition.hyperparameters
        moves = self._supervised or self._definition.rounds > 1
        self.rounds = Rounds(network, first, length, extrapolated) if moves else None

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
        own, number = self._definition.hyperparameters, torch.zeros((), dtype=torch.int64)
        options = {name: hyperparameters[f"{self._loss}_{name}"] for name in own}
        if self.rounds is not None:
            number = self.rounds.begin_step(self.network, options.get("momentum"), key)
        learned = self._learned(tokens, number, key)
        if self.rounds is not None:
            with torch.no_grad():
                reference = log_probabilities(self.rounds.reference, learned, self.prompt)
        elif self._definition.learns == "ends":
            reference = ends(reference)
        scores = self._scores(learned, self.log_probabilities(learned), reference)
        losses = self._definition.function(scores, **options)
        if self._definition.learns == "drawn":
            rewards = self._judge.rewards(learned[..., self.prompt :])
            distinct = rewards[:, 0] != rewards[:, -1]
            loss = (losses * distinct).sum() / distinct.sum().clamp(min=1)
        else:
            loss = losses.mean()
        return torch.where(number < 0, self._imitation(tokens[:, :1]), loss) if self._supervised else loss

    def _imitation(self, tokens: Tensor) -> Tensor:
        """Minus the log-likelihood of a response's characters, the mean over responses, ``()``."""
        policy = self.log_probabilities(tokens)
        scores = self._scores(tokens, policy, policy)
        return -(scores.policy / scores.lengths).mean()

    def _scores(self, tokens: Tensor, policy: Tensor, reference: Tensor) -> Scores:
        responses = tokens[..., self.prompt :]
        return score(policy, reference, responses, self._judge.inside(responses))

    def _learned(self, tokens: Tensor, number: Tensor, key: Tensor) -> Tensor:
        """What this round learns from, ``(n, 2 or k, prompt + response)``."""
        match self._definition.learns:
            case "list":
                return tokens
            case "harder":
                return _harder(tokens, number)
            case "drawn" if self.rounds is not None:
                return self._drawn(self.rounds.reference, tokens, key)
        return ends(tokens)

    def _drawn(self, network: GPT, tokens: Tensor, key: Tensor) -> Tensor:
        """The best and the worst of as many responses of this model as the lists have."""
        count, size, length = tokens.shape[0], tokens.shape[1], tokens.shape[2] - self.prompt
        prompts = tokens[..., : self.prompt].flatten(0, 1)
        with torch.no_grad():
            drawn = torch.cat([prompts, sampled(network, prompts, length, key)], -1).view(count, size, -1)
            rewards = self._judge.rewards(drawn[..., self.prompt :])
            places = torch.stack([rewards.argmax(-1), rewards.argmin(-1)], -1)
            pairs = drawn.gather(1, places.unsqueeze(-1).expand(-1, -1, drawn.shape[-1]))
            # Sampling has drawn as layers 0 to length - 1.
            wrong = uniform((count,), key, length) < self._noise
            return torch.where(wrong.view(-1, 1, 1), pairs.flip(1), pairs)


def _harder(lists: Tensor, number: Tensor) -> Tensor:
    """The best of each list, and its worst in round 0, its second worst in round 1, and so on."""
    place = (lists.shape[1] - 1 - number).clamp(min=1, max=lists.shape[1] - 1)
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
