"""Prompts to choose from: each result is the text itself, which only people can judge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads.contract import Device, Fidelity, Metrics, Objective, State

_SPACE = {
    "parameters": {
        "prompt": {"type": "categorical", "choices": ["Summarise the text.", "What does the text say?"]}
    }
}


class Prompts:
    """Prompt strings: the values of the space's parameters, joined by spaces in their order.

    With one parameter it is a list of candidates, as in APOHF (Lin et al. 2024, arXiv 2405.17346), where
    people compare what a language model answers to two prompts. There a network reads embeddings from a
    language model. Here a prompt's coordinates come from its letters: TF-IDF of groups of 2 to 4 letters,
    reduced to a few dimensions (latent semantic analysis), all of it fitted to the space's own texts, so that
    nothing is downloaded. It knows which texts share words, not what they mean.

    There is no objective: a prompt is compared with others, in a preference study. To compare what a model
    answers, write a workload of your own whose sessions ``show`` that.

    Metrics: ``characters``.

    Args:
        space: categorical parameters with texts as choices; None: one with two prompts.
        dimensions: coordinates of a prompt, at most.

    Raises:
        ConfigurationError: the space has something else than texts to choose from.
    """

    def __init__(self, space: SearchSpace | None = None, dimensions: int = 8) -> None:
        if dimensions < 1:
            raise ConfigurationError("dimensions", "an integer of at least 1", dimensions)
        self.space = build_space(_SPACE) if space is None else space
        self.objectives: tuple[Objective, ...] = ()
        self.fidelity = Fidelity()
        self._dimensions = dimensions
        self._choices: list[str] = []
        for column in self.space.codec.columns:
            choices = getattr(self.space.configuration_space[column.name], "choices", ())
            if column.kind != "categorical" or not all(isinstance(one, str) and one for one in choices):
                expected = "a categorical parameter whose choices are texts"
                raise ConfigurationError(f"search_space.parameters.{column.name}", expected, column.kind)
            self._choices += choices

    def start(self, config: Config, seed: int, device: Device) -> PromptSession:
        del seed, device
        return PromptSession(_text(config))

    def embed(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        """Coordinates of prompts, see :class:`workloads.capabilities.EmbeddingWorkload`."""
        vectoriser, reduction, low, width = self._fitted
        found = vectoriser.transform([_text(config) for config in configs])
        if reduction is not None:
            return np.asarray((reduction.transform(found) - low) / width)
        return np.asarray(found.toarray())

    @cached_property
    def _fitted(self) -> tuple[TfidfVectorizer, TruncatedSVD | None, NDArray[np.float64], float]:
        """What makes coordinates; distances between them stay in proportion."""
        vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        found = vectoriser.fit_transform(self._choices)
        if min(found.shape) <= self._dimensions:
            return vectoriser, None, np.zeros(found.shape[1]), 1.0
        reduction = TruncatedSVD(self._dimensions, random_state=0)
        reduced = reduction.fit_transform(found)
        low = reduced.min(axis=0)
        return vectoriser, reduction, low, float(max((reduced - low).max(), 1e-9))


class PromptSession:
    """One prompt; there is nothing to train."""

    def __init__(self, text: str) -> None:
        self._text = text

    def advance(self, amount: int) -> Metrics:
        del amount
        return {"characters": float(len(self._text))}

    def show(self) -> str:
        """The prompt."""
        return self._text

    def configure(self, config: Config) -> None:
        self._text = _text(config)

    def state(self) -> State:
        return {"text": self._text}

    def load(self, state: State) -> None:
        self._text = state["text"]


def _text(config: Config) -> str:
    return " ".join(str(value) for value in config.values())
