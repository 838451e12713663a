"""The course of a benchmark study as Ray Tune's searcher: it hands out blocks, Tune runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from orchestrator.benchmark.course import Block, Course
from orchestrator.benchmark.ray_block import BLOCK, ENDED, FULL
from orchestrator.search.ray_ends import cause_of_loss


class RaySearcher(Searcher):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Hands the course's blocks to Tune, and Tune's results to the course.

    Args:
        course: the study's course.
    """

    def __init__(self, course: Course) -> None:
        super().__init__()
        self._course = course
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        block = self._course.next()
        if block is None:
            return str(Searcher.FINISHED) if self._course.over else None
        self._numbers[trial_id] = block.number
        return {BLOCK: block}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        self._take(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The block's last cells; of one that was lost :class:`Losses` knows more."""
        if not error and result and ENDED in result:
            self._take(trial_id, result)

    def _take(self, trial_id: str, result: Mapping[str, Any]) -> None:
        self._course.report(self._numbers[trial_id], result[ENDED])
        if FULL in result:
            self._course.halt(f"cells cannot be stored: {result[FULL]}")

    def save(self, checkpoint_path: str) -> None:
        """The store has it."""

    def restore(self, checkpoint_path: str) -> None:
        """The store has it."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Losses(tune.Callback):  # type: ignore[misc]  # Ray has no type hints that mypy can follow
    """Tells of blocks that were lost with their process.

    Args:
        lost: called with the block and the reason.
    """

    def __init__(self, lost: Callable[[Block, str], None]) -> None:
        self._lost = lost

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        del iteration, trials, info
        self._lost(trial.config[BLOCK], cause_of_loss(trial))

    def __getstate__(self) -> dict[str, Any]:
        return {}
