"""What preference training starts from: a model trained on a text, and ranked lists of its own responses."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from search_spaces import ConfigurationError
from search_spaces.reading import listing
from workloads.knobs import at_least, checked_seed
from workloads.library.language.gpt import GPT
from workloads.library.language.pretraining import pretrained
from workloads.library.language.rewards import REWARDS
from workloads.library.language.sampling import inside, sampled
from workloads.library.language.speaker import log_probabilities
from workloads.library.language.text import read_text
from workloads.torch import Batch, Splits
from workloads.torch.randomness import Purpose, generator_seed, member_keys

_END = "\n"
_AT_ONCE = 256
_NOISE = 20  # the number of a draw; splits have 0 to 2
_LEAST = {
    "prompt": 1,
    "response": 2,
    "layers": 1,
    "heads": 1,
    "width": 1,
    "pretraining": 0,
    "lists": 1,
    "list_size": 2,
    "evaluated": 1,
}


@dataclass(frozen=True)
class Recipe:
    """All that a start depends on.

    Args:
        folder: of the text; None: Python's own sources.
        prompt: characters of a prompt.
        response: characters of a response, at most.
        layers, heads, width: of the model.
        pretraining: steps on the text.
        lists: prompts to train on, at most.
        list_size: responses to each prompt.
        noise: the share of the training lists that are ranked the wrong way round.
        reward: the name of the program that ranks.
        evaluated: prompts to validate on, and as many to test on.
        seed: of the first weights, the prompts, the responses and the noise.

    Raises:
        ConfigurationError: an argument is none of these.
    """

    folder: Path | None
    prompt: int
    response: int
    layers: int
    heads: int
    width: int
    pretraining: int
    lists: int
    list_size: int
    noise: float
    reward: str
    evaluated: int
    seed: int

    def __post_init__(self) -> None:
        if self.reward not in REWARDS:
            raise ConfigurationError("reward", f"one of {listing(REWARDS)}", self.reward)
        if not 0 <= self.noise <= 1:
            raise ConfigurationError("noise", "0 to 1", self.noise)
        for name, least in _LEAST.items():
            at_least(name, getattr(self, name), least)
        if self.width % self.heads:
            raise ConfigurationError("width", f"a multiple of heads = {self.heads}", self.width)
        checked_seed(self.seed)

    def rehearsed(self, few: int) -> Recipe:
        """From a model that knows no text, and with at most so many prompts."""
        return replace(self, pretraining=0, lists=min(self.lists, few), evaluated=min(self.evaluated, few))

    def generator(self, draw: int) -> torch.Generator:
        """Of one of the start's draws."""
        return torch.Generator().manual_seed(generator_seed(self.seed, Purpose.ORDER, draw))


@dataclass(frozen=True)
class Judge:
    """Says what is a response and how good it is.

    Args:
        reward: the program's name.
        alphabet: of the text.
    """

    reward: str
    alphabet: str

    def inside(self, responses: Tensor) -> Tensor:
        """Which characters belong to a response, up to the end of its line; bool of the same shape."""
        return inside(responses, self.alphabet.find(_END))

    def rewards(self, responses: Tensor) -> Tensor:
        """The true reward of each response, ``(...)`` of int64 ``(..., response)``."""
        return REWARDS[self.reward](responses, self.inside(responses), self.alphabet)


@dataclass(frozen=True)
class Start:
    """Where training starts, on one device.

    Args:
        reference: the model, frozen.
        splits: ``inputs`` are prompts with their responses from the best to the worst, int64
            ``(n, list_size, prompt + response)``; ``targets`` the reference's log-probabilities at each
            character of a response, ``(n, list_size, response, 65)``. The training split alone has noise,
            and lacks the lists whose best is no better than their worst.
        judge: of the responses.
    """

    reference: GPT
    splits: Splits
    judge: Judge


@cache
def start_of(recipe: Recipe, device: torch.device) -> Start:
    """The start of a recipe, made on the CPU once per process, in seconds.

    Raises:
        ConfigurationError: the text is too short, or its characters are others than tinyshakespeare's.
    """
    if device.type != "cpu":
        made = start_of(recipe, torch.device("cpu"))
        splits = (Batch(*(part.to(device) for part in split)) for split in made.splits)
        return Start(copy.deepcopy(made.reference).to(device), Splits(*splits), made.judge)
    text = read_text(recipe.folder)
    shortest = min(len(part) for part in text.parts()) - recipe.prompt
    if recipe.response >= shortest:
        expected = f"below {shortest}, the characters of a split less those of a prompt"
        raise ConfigurationError("response", expected, recipe.response)
    judge = Judge(recipe.reward, text.alphabet)
    model = pretrained(
        text.parts()[0],
        recipe.prompt + recipe.response,
        recipe.layers,
        recipe.heads,
        recipe.width,
        steps=recipe.pretraining,
        seed=recipe.seed,
    )
    ranked = [_ranked(recipe, model, judge, part, number) for number, part in enumerate(text.parts())]
    train = _noisy(recipe, judge, ranked[0])
    splits = (Batch(lists, _expectations(model, lists, recipe.prompt)) for lists in (train, *ranked[1:]))
    return Start(model, Splits(*splits), judge)


def _ranked(recipe: Recipe, model: GPT, judge: Judge, text: Tensor, number: int) -> Tensor:
    """Prompts from a text with the model's responses, the best first, ``(n, list_size, length)``."""
    count = recipe.evaluated if number else recipe.lists
    windows = text.unfold(0, recipe.prompt, 1)
    chosen = windows[torch.randint(len(windows), (count,), generator=recipe.generator(number))]
    prompts = chosen.repeat_interleave(recipe.list_size, 0)
    keys = member_keys(recipe.seed, Purpose.NOISE, number << 32, math.ceil(len(prompts) / _AT_ONCE))
    parts = zip(torch.split(prompts, _AT_ONCE), keys, strict=True)
    with torch.no_grad():
        drawn = torch.cat([sampled(model, part, recipe.response, key) for part, key in parts])
    order = judge.rewards(drawn).view(count, -1).argsort(dim=-1, descending=True, stable=True)
    lists = torch.cat([prompts, drawn], -1).view(count, recipe.list_size, -1)
    return lists.gather(1, order.unsqueeze(-1).expand_as(lists))


def _noisy(recipe: Recipe, judge: Judge, lists: Tensor) -> Tensor:
    """The lists that have a best and a worst, a share of them the wrong way round."""
    rewards = judge.rewards(lists[..., recipe.prompt :])
    lists = lists[rewards[:, 0] > rewards[:, -1]]
    wrong = torch.rand(len(lists), generator=recipe.generator(_NOISE)) < recipe.noise
    return torch.where(wrong.view(-1, 1, 1), lists.flip(1), lists)


def _expectations(model: GPT, lists: Tensor, prompt: int) -> Tensor:
    """The model's log-probabilities at each character of the responses, ``(n, list_size, response, 65)``."""
    with torch.no_grad():
        parts = torch.split(lists, max(1, _AT_ONCE // lists.shape[1]))
        return torch.cat([log_probabilities(model, part, prompt) for part in parts])
