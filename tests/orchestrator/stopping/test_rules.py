"""What the rules that stop trials early decide, and that a replay gives the same verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.optimizers.rungs import Rungs
from orchestrator.stopping.rules import Asha, Hyperband, Judge, Median, MoAsha, StoppingRule

CONF = Path(__file__).parents[3] / "conf" / "search" / "stopping"
NO_RULE = "none"
RUNGS = Rungs(1, 3, 9)
RULES: dict[str, tuple[StoppingRule, int, int]] = {
    "asha": (Asha(), 1, 0),
    "asha with constraints": (Asha(), 1, 2),
    "hyperband": (Hyperband(), 1, 0),
    "hyperband for two": (Hyperband(), 2, 0),
    "median": (Median(), 1, 0),
    "mo_asha": (MoAsha(), 2, 1),
}
"""Rule, number of objectives, number of constraints."""


def test_no_rule_is_forgotten() -> None:
    for path in sorted(CONF.glob("*.yaml")):
        assert path.stem in {*RULES, NO_RULE}, f"{path.stem} of {CONF} has no line in {__file__}"


Told = tuple[int, int, list[float], list[float]]


def lived(judge: Judge, objectives: int, constraints: int, seed: int) -> tuple[list[Told], list[bool]]:
    """Three trials at a time, forty reports; one that is stopped or trained fully makes room for another."""
    rng = np.random.default_rng(seed)
    running, begun = dict[int, int](), 0
    told, verdicts = list[Told](), list[bool]()
    for _ in range(40):
        while len(running) < 3:
            running[begun], begun = 0, begun + 1
        trial = int(rng.choice(list(running)))
        level = RUNGS.up_to()[running[trial]]
        told.append((trial, level, rng.random(objectives).tolist(), rng.normal(size=constraints).tolist()))
        verdicts.append(judge.goes_on(*told[-1]))
        running[trial] += 1
        if not verdicts[-1] or level == RUNGS.largest:
            del running[trial]
    return told, verdicts


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_judge_that_is_told_again_decides_again(name: str, seed: int) -> None:
    rule, objectives, constraints = RULES[name]
    told, verdicts = lived(rule.judge(RUNGS, 7), objectives, constraints, seed)
    again = rule.judge(RUNGS, 7)
    assert [again.goes_on(*report) for report in told] == verdicts


@pytest.mark.parametrize("name", RULES)
def test_a_rule_stops_some_and_lets_some_through(name: str) -> None:
    rule, objectives, constraints = RULES[name]
    verdicts = [v for seed in range(5) for v in lived(rule.judge(RUNGS, 7), objectives, constraints, seed)[1]]
    assert 0.1 < np.mean(verdicts) < 0.95


def test_asha_keeps_the_best_third_of_a_rung() -> None:
    judge = Asha().judge(RUNGS, 0)
    verdicts = [judge.goes_on(trial, 1, [loss], []) for trial, loss in enumerate((5, 4, 6, 3, 3.5, 2, 4.5))]
    assert verdicts == [True, True, False, True, False, True, False]


def test_the_brackets_of_hyperband_judge_apart_and_later_ones_not_at_low_rungs() -> None:
    judge = Hyperband(2).judge(RUNGS, 0)
    bad = [judge.goes_on(trial, 1, [float(trial)], []) for trial in range(200)]
    spared = sum(bad[1:]) / 199
    assert 0.2 < spared < 0.35, "exp(-1) / (1 + exp(-1)) = .27 of the trials start at rung 3"


def test_the_median_needs_others_that_have_come_as_far() -> None:
    judge = Median(2).judge(RUNGS, 0)
    assert judge.goes_on(0, 1, [0.0], []) and judge.goes_on(1, 1, [0.2], [])
    assert not judge.goes_on(2, 1, [0.3], [])
    assert judge.goes_on(3, 1, [0.05], [])
    assert judge.goes_on(3, 3, [9.0], []), "nobody else has come to 3"


def test_the_median_compares_with_running_averages() -> None:
    judge = Median(1).judge(RUNGS, 0)
    for trial, loss in enumerate((1.4, 1.0, 0.0)):
        judge.goes_on(trial, 1, [loss], [])
    assert judge.goes_on(2, 3, [0.0], [])
    assert not judge.goes_on(1, 3, [4.0], []), "its best, 1, is worse than 0"
    assert not judge.goes_on(0, 3, [1.4], []), "worse than the median of (1 + 4) / 2 and 0"


def test_an_infeasible_trial_does_not_go_on_before_a_feasible_one() -> None:
    judge = MoAsha().judge(RUNGS, 0)
    for trial in range(4):
        judge.goes_on(trial, 1, [0.9, 0.1], [-0.1])
    assert not judge.goes_on(4, 1, [0.0, -1.0], [0.1])
    assert judge.goes_on(5, 1, [0.0, -1.0], [0.0])
