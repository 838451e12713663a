"""Reinforcement learning of a small GPT from several rewards at once, which may contradict one another."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Objective
from workloads.knobs import Knob, Knobs, at_least
from workloads.library.language.rewards import REWARDS
from workloads.library.language.speaker import Speaker, log_probabilities
from workloads.library.language.text import text_folder
from workloads.library.preferences.pretrained import Pretrained
from workloads.library.preferences.start import Judge, Recipe, start_of
from workloads.library.reward_updates import ADVANTAGES, UPDATES, Drawn, grpo, modpo
from workloads.torch import Batch, ModelFunction, Splits
from workloads.torch.algorithms import ALGORITHM_KNOBS

NAMES = ("ended", "pronounceable", "brief")
"""The rewards: one that is verified, one graded, and one for length."""
_PREFERRED = NAMES.index("pronounceable")


class SeveralRewards(Pretrained):
    """Train a small GPT to end its line, to write what can be pronounced, and to be brief.

    The model is first trained on a text, the same for every member of a study. It continues pieces of the
    text, each several times, and learns from what is better than the rest of its group, by GRPO or MODPO.

    Metrics, on prompts of the validation text: ``validation_ended``, ``validation_pronounceable``,
    ``validation_brief`` (the means of the rewards, each from 0 to 1; the objectives), ``validation_kl``
    (KL(model || reference) of a response, nats), ``train_loss``; in the end the same as ``test_``.

    Parameters, with defaults for those that the space leaves out: learning_rate (1e-3), weight_decay (0),
    momentum (0.9), beta (0.02: of the divergence in the loss), ended_weight, pronounceable_weight and
    brief_weight (1), update (``grpo`` or ``modpo``, which prefers what can be pronounced), of GRPO advantages
    (``sum``: of the weighted rewards, ``each``: of each reward by itself, ``least``: PAMA's) and gain (1: a
    factor of them), mutable; optimizer (adamw), fixed at the start.

    Args:
        space: what varies; None: the rewards' weights and the learning rate.
        objectives: None: the three rewards, each to be large.
        batch_size: prompts per step.
        group: responses to each of them.
        steps: training steps at full fidelity.
        prompt: characters of a prompt.
        response: characters of a response, at most.
        layers, heads, width: of the model.
        pretraining: steps on the text.
        prompts: to train on, at most.
        evaluated: prompts to validate on, and as many to test on.
        start_seed: of the model that training starts from, and of the prompts.
        data: as :class:`workloads.library.shakespeare.Shakespeare` has it.

    Raises:
        ConfigurationError: an argument or the space is none of these, or the text is not there.
    """

    knobs = Knobs(
        learning_rate=Knob(default=1e-3, mutable=True, low=0.0),
        weight_decay=Knob(default=0.0, mutable=True, low=0.0),
        momentum=Knob(default=0.9, mutable=True, low=0.0, high=0.999),
        beta=Knob(default=0.02, mutable=True, low=0.0),
        **{f"{name}_weight": Knob(default=1.0, mutable=True, low=0.0) for name in NAMES},
        update=Knob(default="grpo", mutable=True, choices=UPDATES),
        advantages=Knob(default="sum", mutable=True, choices=tuple(ADVANTAGES)),
        gain=Knob(default=1.0, mutable=True, low=0.0),
        **ALGORITHM_KNOBS,
    )
    evaluation = (*NAMES, "kl")

    def __init__(  # noqa: PLR0913, PLR0917 - the keys of the configuration
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        batch_size: int = 16,
        group: int = 4,
        steps: int = 100,
        prompt: int = 12,
        response: int = 20,
        layers: int = 2,
        heads: int = 4,
        width: int = 48,
        pretraining: int = 300,
        prompts: int = 512,
        evaluated: int = 128,
        start_seed: int = 0,
        data: str | None = None,
    ) -> None:
        if objectives is None:
            objectives = [Objective(f"validation_{name}", "max", reference=0.0) for name in NAMES]
        own = build_space({"parameters": _SPACE}) if space is None else space
        super().__init__(own, objectives, steps, batch_size)
        self._group = at_least("group", group, 2)
        self._recipe = Recipe(
            folder=text_folder(data),
            prompt=prompt,
            response=response,
            layers=layers,
            heads=heads,
            width=width,
            pretraining=pretraining,
            lists=at_least("prompts", prompts, batch_size),
            list_size=2,
            noise=0.0,
            reward="pronounceable",
            evaluated=evaluated,
            seed=start_seed,
        )

    def module(self, config: Config) -> Speaker:
        """The model that training starts from, whatever the session's seed."""
        del config
        start = start_of(self._recipe, torch.device("cpu"))
        return Speaker(copy.deepcopy(start.reference).requires_grad_(True), self._recipe.prompt)

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        start, length = start_of(self._recipe, batch.inputs.device), self._recipe.response
        prompts = batch.inputs[:, 0, : self._recipe.prompt].repeat_interleave(self._group, 0)
        weights = torch.stack([hyperparameters[f"{name}_weight"] for name in NAMES])
        with torch.no_grad():
            responses = model("sampled", prompts, length, key)
            counted, tokens = start.judge.inside(responses), torch.cat([prompts, responses], -1)
            rewards = rewards_of(start.judge, responses).view(-1, self._group, len(NAMES))
            ways = torch.stack([way(rewards, weights) for way in ADVANTAGES.values()])
            chosen = torch.arange(len(ways), device=ways.device) == hyperparameters["advantages"]
            advantages = hyperparameters["gain"] * torch.tensordot(chosen.to(ways.dtype), ways, dims=1)
            expected = _chosen(log_probabilities(start.reference, tokens, self._recipe.prompt), responses)
        drawn = Drawn(rewards, counted, _chosen(model("log_probabilities", tokens), responses), expected)
        beta = hyperparameters["beta"]
        # Both are computed; the one that does not count has no gradient, be it as large as it may.
        pairs = hyperparameters["update"] == UPDATES.index("modpo")
        idle = drawn.policy.detach()
        by_grpo = grpo(drawn._replace(policy=torch.where(pairs, idle, drawn.policy)), advantages, beta)
        paired = drawn._replace(policy=torch.where(pairs, drawn.policy, idle))
        return torch.where(pairs, modpo(paired, weights, beta, _PREFERRED), by_grpo)

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        start, prompt = start_of(self._recipe, split.inputs.device), self._recipe.prompt
        prompts = split.inputs[:, 0, :prompt]
        key = torch.zeros((), dtype=torch.int64, device=prompts.device)
        responses = model("sampled", prompts, self._recipe.response, key)
        tokens, counted = torch.cat([prompts, responses], -1), start.judge.inside(responses)
        policy = model("log_probabilities", tokens)
        reference = log_probabilities(start.reference, tokens, prompt)
        divergence = ((policy.exp() * (policy - reference)).sum(-1) * counted).sum(-1).mean()
        # A model that has diverged still draws something; its divergence is no number then.
        means = rewards_of(start.judge, responses).mean(0) + 0 * divergence
        return {**dict(zip(NAMES, means.unbind(), strict=True)), "kl": divergence}

    def data(self, device: torch.device) -> Splits:
        return start_of(self._recipe, device).splits


def rewards_of(judge: Judge, responses: Tensor) -> Tensor:
    """Every reward of each response, ``(..., rewards)`` of int64 ``(..., response)``."""
    counted = judge.inside(responses)
    found = [REWARDS[name](responses, counted, judge.alphabet) for name in NAMES]
    return torch.stack([each.to(torch.float32) for each in found], -1)


def _chosen(log_probabilities: Tensor, responses: Tensor) -> Tensor:
    """At the characters that were drawn, ``(n, response)``."""
    found: Tensor = log_probabilities.gather(-1, responses.unsqueeze(-1)).squeeze(-1)
    return found


_SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True, "mutable": True},
    **{
        f"{name}_weight": {"type": "float", "low": 0.01, "high": 1.0, "log": True, "mutable": True}
        for name in NAMES
    },
}
"""The usual search space."""
