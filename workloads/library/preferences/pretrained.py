"""Workloads that start from a small GPT which has been trained on a text."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

from search_spaces import SearchSpace
from workloads.contract import Objective
from workloads.knobs import training_steps
from workloads.library.language.text import DATA_VARIABLE
from workloads.library.preferences.start import Recipe
from workloads.torch import TorchWorkload


class Pretrained(TorchWorkload):
    """What they share: the text, and that a rehearsal does without it.

    ``_recipe`` says what they start from; each sets it.
    """

    environment = (DATA_VARIABLE,)
    _recipe: Recipe

    def __init__(
        self, space: SearchSpace, objectives: Sequence[Objective], steps: int, batch_size: int
    ) -> None:
        super().__init__(
            space=space, objectives=objectives, fidelity=training_steps(steps), batch_size=batch_size
        )

    def rehearsal(self) -> Self:
        """From a model that knows no text, and with few prompts."""
        made = copy.copy(self)
        made._recipe = self._recipe.rehearsed(8 * self.batch_size)
        return made
