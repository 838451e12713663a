"""How a study's end is read once all its workers are gone."""

from __future__ import annotations

import pytest

from orchestrator.engine.coordinator import Standing
from orchestrator.engine.crew import COMPLETE, _explained


@pytest.mark.parametrize(
    "standing", [COMPLETE, Standing(False, halted=True, failure=""), Standing(False, False, "a reason")]
)
def test_an_end_that_has_its_reason_is_kept(standing: Standing) -> None:
    assert _explained(standing, halted=False) == standing


def test_a_study_whose_workers_left_early_has_failed_or_was_interrupted() -> None:
    early = Standing(over=False, halted=False, failure="")
    assert _explained(early, halted=True).halted
    assert "ended before it was finished" in _explained(early, halted=False).failure
