"""Preference training of a small GPT as a workload."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from search_spaces import Config, SearchSpace, build_space
from workloads.contract import Objective
from workloads.function import objective_of
from workloads.knobs import Knob, Knobs, at_least
from workloads.library.language.speaker import log_probabilities
from workloads.library.language.text import text_folder
from workloads.library.preferences.losses import LOSSES
from workloads.library.preferences.model import Policy, ends, score
from workloads.library.preferences.pretrained import Pretrained
from workloads.library.preferences.start import Recipe, start_of
from workloads.torch import Batch, ModelFunction, Splits
from workloads.torch.algorithms import ALGORITHM_KNOBS

_WIN_RATE = Objective("validation_win_rate", "max")
_OWN = {
    f"{loss}_{name}": values
    for loss, definition in LOSSES.items()
    for name, values in definition.hyperparameters.items()
}
"""Every loss's own hyperparameters."""


class Preferences(Pretrained):
    """Teach a small GPT to write what a program rewards, from ranked lists of its own responses.

    The model is first trained on a text, the same for every trial of a study; that model is the reference.
    It continues pieces of the text, each several times and up to the end of the line. The reward ranks the
    responses, and a share of the lists is turned round. Losses for pairs learn from the best and the worst
    of a list, ``lipo`` from all of it, which takes ``list_size / 2`` times as long. Losses that train in
    rounds compute their reference at every step; ``dno`` draws and ranks lists of its own as well.

    Metrics, on prompts of the validation text: ``validation_win_rate`` (how often a response has a higher
    true reward than one of the reference, ties counting half; the objective), ``validation_reward`` (mean),
    ``validation_kl`` (KL(model || reference) of a response, nats), ``validation_length`` (characters),
    ``validation_chosen`` (log-likelihood of the reference's best responses, nats per character),
    ``validation_accuracy`` (how often the log-ratio to the reference ranks its best above its worst),
    ``train_loss``; in the end the same as ``test_``.

    Parameters, with defaults for those that the space leaves out: learning_rate (3e-4), weight_decay (0),
    momentum (0.9) and ``<loss>_<name>`` for every loss's own, mutable; loss (dpo), optimizer (adamw) and
    supervised (0: the share of the steps of a full training, from the first on, that learn to write the best
    responses instead; the model after them is the reference of the others), fixed at the start.

    In several processes ``bco`` and ``kto`` take means over each process's own rows.

    Args:
        space: what varies; None: the loss, its own hyperparameters and the learning rate.
        objectives: what is optimised; a name is enough for a metric that is to be small.
        batch_size: lists per step.
        steps: training steps at full fidelity.
        prompt: characters of a prompt.
        response: characters of a response, at most.
        layers, heads, width: of the model.
        pretraining: steps on the text.
        lists: prompts to train on, at most; lists of equals are left out.
        list_size: responses to each prompt.
        noise: the share of the training lists that are turned round.
        reward: ``pronounceable``, ``varied``, ``ended`` or ``brief``.
        evaluated: prompts to validate on, and as many to test on.
        start_seed: of the model that training starts from, the prompts, the responses and the noise.
        data: as :class:`workloads.library.shakespeare.Shakespeare` has it.

    Raises:
        ConfigurationError: an argument or the space is none of these, or the text is not there.
    """

    knobs = Knobs(
        learning_rate=Knob(default=3e-4, mutable=True, low=0.0),
        weight_decay=Knob(default=0.0, mutable=True, low=0.0),
        momentum=Knob(default=0.9, mutable=True, low=0.0, high=0.999),
        loss=Knob(default="dpo", choices=tuple(LOSSES)),
        supervised=Knob(default=0.0, low=0.0, high=1.0),
        **{name: Knob(default=values.default, mutable=True, low=1e-9) for name, values in _OWN.items()},
        **ALGORITHM_KNOBS,
    )
    evaluation = ("win_rate", "reward", "kl", "length", "chosen", "accuracy")

    def __init__(  # noqa: PLR0913, PLR0917 - the keys of the configuration
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective | str | Mapping[str, Any]] = (_WIN_RATE,),
        batch_size: int = 16,
        steps: int = 150,
        prompt: int = 12,
        response: int = 20,
        layers: int = 2,
        heads: int = 4,
        width: int = 48,
        pretraining: int = 300,
        lists: int = 512,
        list_size: int = 4,
        noise: float = 0.1,
        reward: str = "pronounceable",
        evaluated: int = 128,
        start_seed: int = 0,
        data: str | None = None,
    ) -> None:
        chosen = tuple(objective_of(given) for given in objectives)
        super().__init__(build_space(_space()) if space is None else space, chosen, steps, batch_size)
        self._recipe = Recipe(
            folder=text_folder(data),
            prompt=prompt,
            response=response,
            layers=layers,
            heads=heads,
            width=width,
            pretraining=pretraining,
            lists=at_least("lists", lists, batch_size),
            list_size=list_size,
            noise=noise,
            reward=reward,
            evaluated=evaluated,
            seed=start_seed,
        )

    def module(self, config: Config) -> Policy:
        """The model that training starts from, whatever the session's seed."""
        start = start_of(self._recipe, torch.device("cpu"))
        network = copy.deepcopy(start.reference).requires_grad_(True)
        loss, supervised = str(config["loss"]), float(config["supervised"])
        return Policy(network, loss, start.judge, self._recipe, self.fidelity.largest, supervised)

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        return model("loss", batch.inputs, batch.targets, hyperparameters, key)

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        start, prompt = start_of(self._recipe, split.inputs.device), self._recipe.prompt
        prompts, others = split.inputs[:, 0, :prompt], split.inputs[..., prompt:]
        own = model("sampled", prompts, self._recipe.response, _key(split.inputs))
        tokens, counted = torch.cat([prompts, own], -1), start.judge.inside(own)
        policy = model("log_probabilities", tokens)
        reference = log_probabilities(start.reference, tokens, prompt)
        divergence = ((policy.exp() * (policy - reference)).sum(-1) * counted).sum(-1).mean()
        rewards, theirs = start.judge.rewards(own), start.judge.rewards(others)
        ahead = rewards.unsqueeze(-1) - theirs
        return {
            # A model that has diverged still draws something; its divergence is no number then.
            "win_rate": (0.5 + 0.5 * ahead.sign()).mean() + 0 * divergence,
            "reward": rewards.mean() + 0 * divergence,
            "kl": divergence,
            "length": counted.sum(-1).to(divergence.dtype).mean() + 0 * divergence,
            **self._ranking(model, split, theirs),
        }

    def data(self, device: torch.device) -> Splits:
        return start_of(self._recipe, device).splits

    def _ranking(self, model: ModelFunction, split: Batch, rewards: Tensor) -> dict[str, Tensor]:
        """What the model makes of the reference's best and worst responses."""
        start, prompt = start_of(self._recipe, split.inputs.device), self._recipe.prompt
        tokens, reference = ends(split.inputs), ends(split.targets)
        policy = model("log_probabilities", tokens)
        responses = tokens[..., prompt:]
        scores = score(policy, reference, responses, start.judge.inside(responses))
        distinct = rewards[:, 0] > rewards[:, -1]
        right = 0.5 + 0.5 * scores.margin.sign()
        return {
            "chosen": scores.policy[:, 0].sum() / scores.lengths[:, 0].sum(),
            "accuracy": (right * distinct).sum() / distinct.sum().clamp(min=1),
        }


def _key(inputs: Tensor) -> Tensor:
    """Of the noise that draws a model's responses, the same for every model."""
    return torch.zeros((), dtype=torch.int64, device=inputs.device)


def _space() -> dict[str, Any]:
    """The loss, its own hyperparameters, and the learning rate."""
    scale = {"type": "float", "log": True, "mutable": True}
    own = {name: {**scale, "low": values.low, "high": values.high} for name, values in _OWN.items()}
    conditions = [
        {"child": f"{loss}_{name}", "parent": "loss", "equals": loss}
        for loss, definition in LOSSES.items()
        for name in definition.hyperparameters
    ]
    return {
        "parameters": {
            "loss": {"type": "categorical", "choices": list(LOSSES)},
            "learning_rate": {**scale, "low": 1e-5, "high": 1e-2},
            **own,
        },
        "conditions": conditions,
    }
