"""Freeze-thaw: the model of curves, and what it makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from orchestrator.optimizers import curve_model
from orchestrator.optimizers.curve_model import CurveModel, Pairs, Points, fitted
from orchestrator.optimizers.freeze_thaw import FreezeThaw, levels
from orchestrator.trial import Suggestion, evaluated, failed
from search_spaces import build_space
from workloads.contract import Fidelity, Objective

OBJECTIVES = (Objective("loss"),)
SPACE = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "xy"}})
NUMBERS = np.array([False, False])


def points(count: int = 6, steps: int = 4, seed: int = 0) -> tuple[Points, np.ndarray]:
    """Curves that fall to ``4 (x - 0.3)**2`` like ``1 / step``."""
    units = np.random.default_rng(seed).random((count, 2))
    rows = np.repeat(np.arange(count), steps)
    at = np.tile(np.arange(1.0, steps + 1), count)
    return Points(units[rows], at, rows), 4 * (units[rows, 0] - 0.3) ** 2 + 1 / at - 1


@pytest.mark.parametrize("categorical", [NUMBERS, np.array([False, True])])
def test_the_gradient_is_that_of_the_likelihood(categorical: np.ndarray) -> None:
    known, losses = points()
    known.units[::3, 1] = np.nan
    pairs = Pairs.of(known, known, categorical)
    rng = np.random.default_rng(1)
    start = np.log([0.5, 0.2, 0.1, 0.3, 3.0, 0.01, 0.4, 0.4])
    negative = curve_model._objective(pairs, losses, start)
    for _ in range(3):
        at = start + rng.normal(0, 0.5, len(start))
        gradient = negative(at)[1]
        assert (
            check_grad(lambda x: negative(x)[0], lambda x: negative(x)[1], at) < 1e-4 * np.abs(gradient).max()
        )


def test_it_sees_where_curves_end() -> None:
    known, losses = points(12, 5)
    logs = fitted(known, losses, NUMBERS, 30)
    model = CurveModel(logs, NUMBERS, known, losses)
    seen, deviation = model.predict(known)
    assert np.abs(seen - losses).max() < 0.2 and (deviation < 0.3).all()
    units = np.array([[0.3, 0.5], [0.95, 0.5]])
    far, unsure = model.predict(Points(units, np.array([20.0, 20.0]), np.array([-1, -2])))
    assert far[0] < far[1] - 0.5, "the better configuration ends lower"
    assert (unsure > deviation.max()).all(), "nothing is known of it"
    on, _ = model.predict(Points(known.units[-1:], np.array([20.0]), known.curves[-1:]))
    assert on[0] < losses[-1], "a curve goes on to fall"


@pytest.mark.parametrize(
    ("smallest", "largest", "steps", "expected"),
    [(1, 9, 50, range(1, 10)), (1, 100, 50, range(2, 101, 2)), (7, 20, 10, [7, 8, *range(10, 21, 2)])],
)
def test_steps_are_equal_and_the_smallest_fidelity_is_kept_to(
    smallest: int, largest: int, steps: int, expected: range | list[int]
) -> None:
    assert levels(Fidelity("epoch", smallest, largest), steps) == tuple(expected)
    assert levels(Fidelity("epoch", 5, 6), 50) == (5, 6)


def test_the_promising_go_on_and_the_rest_stay_frozen() -> None:
    optimizer = FreezeThaw(SPACE, OBJECTIVES, 0, Fidelity("epoch", 1, 20), candidates=32, fit_steps=8)
    reached: dict[float, int] = {}
    units = 0
    while units < 100:
        (suggestion,) = optimizer.ask()
        x, fidelity = float(suggestion.config["x"]), suggestion.fidelity or 0
        assert fidelity == reached.get(x, 0) + 1, "one step at a time"
        units, reached[x] = units + 1, fidelity
        result = failed(suggestion, "boom", OBJECTIVES)
        if x < 0.7:
            loss = 4 * (x - 0.3) ** 2 + 1 / fidelity
            result = evaluated(suggestion, {"loss": loss}, OBJECTIVES, fidelity=fidelity)
        optimizer.tell([result])
    assert all(fidelity == 1 for x, fidelity in reached.items() if x >= 0.7), "what failed goes no further"
    longest = max(reached, key=reached.__getitem__)
    assert abs(longest - 0.3) < 0.15 and reached[longest] >= 10
    assert np.median(list(reached.values())) <= 2


def test_what_was_observed_goes_on_from_where_it_was() -> None:
    optimizer = FreezeThaw(SPACE, OBJECTIVES, 0, Fidelity("epoch", 1, 9), candidates=8, fit_steps=4)
    good = {"x": 0.3, "y": 0.5}
    for config, loss in ((good, 0.1), ({"x": 0.9, "y": 0.5}, 2.0), ({"x": 0.8, "y": 0.1}, 3.0)):
        for fidelity in (1, 2, 3):
            suggestion = Suggestion(config, fidelity)
            optimizer.observe([evaluated(suggestion, {"loss": loss + 1 / fidelity}, OBJECTIVES)])
    assert any(one.config == good and one.fidelity == 4 for one in optimizer.ask(4))
