"""Training that is scored by how soon it reaches a target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from workloads import Device, Fidelity, Objective
from workloads.time_to_target import TimedSession, TimeToTarget

SPACE = build_space({"parameters": {"rate": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True}}})


class Falling:
    """A loss that starts at 1 and falls by the rate in each step."""

    fidelity = Fidelity("step", largest=40)
    objectives = (Objective("loss"),)

    def __init__(self, space: SearchSpace = SPACE) -> None:
        self.space = space

    def start(self, config: Config, seed: int, device: Device) -> FallingSession:
        return FallingSession(config)


class FallingSession:
    def __init__(self, config: Config) -> None:
        self.age, self.loss = 0, 1.0
        self.configure(config)

    def advance(self, amount: int) -> dict[str, float]:
        self.age += amount
        self.loss -= amount * self.rate
        return {"loss": self.loss, "score": -self.loss}

    def configure(self, config: Config) -> None:
        self.rate = float(config["rate"])

    def state(self) -> dict[str, Any]:
        return {"age": self.age, "loss": self.loss}

    def load(self, state: dict[str, Any]) -> None:
        self.age, self.loss = state["age"], state["loss"]


def ticking() -> Callable[[], float]:
    """A clock that says one second more at each look."""
    seconds = iter(range(10**6))
    return lambda: float(next(seconds))


def session(rate: float, **arguments: Any) -> TimedSession:
    goal = {"metric": "loss", "target": 0.5, "interval": 4, **arguments}
    return TimeToTarget(Falling, space=SPACE, clock=ticking(), **goal).start({"rate": rate}, 0, Device())


def test_the_first_look_at_the_target_counts() -> None:
    # At 0.05 a step the target is met after 10 steps, and seen after 12, in the third second.
    found = session(0.05).advance(40)
    assert (found["steps_to_target"], found["seconds_to_target"], found["seconds"]) == (12, 3, 3)
    assert found["loss"] == pytest.approx(0.4)


def test_a_target_that_is_not_reached_takes_for_ever() -> None:
    found = session(0.001).advance(40)
    assert (found["steps_to_target"], found["seconds_to_target"]) == (math.inf, math.inf)
    assert found["seconds"] == 10


def test_a_metric_may_have_to_be_large_and_nan_reaches_nothing() -> None:
    assert session(0.05, metric="score", target=-0.5, direction="max").advance(40)["steps_to_target"] == 12
    assert session(math.nan).advance(40)["steps_to_target"] == math.inf


def test_looks_are_at_the_same_steps_however_it_advances() -> None:
    in_parts = session(0.05)
    for amount in (1, 6, 4):
        assert in_parts.advance(amount)["steps_to_target"] == math.inf
    assert in_parts.advance(1)["steps_to_target"] == 12
    assert in_parts.advance(20)["loss"] == pytest.approx(0.4)


def test_a_state_goes_on() -> None:
    first, second = session(0.04), session(0.0)
    first.advance(10)
    second.load(first.state())
    assert second.advance(30)["steps_to_target"] == math.inf  # by its own rate
    second.load(first.state())
    second.configure({"rate": 0.06})
    found = second.advance(10)
    assert (found["steps_to_target"], found["seconds"]) == (12, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"direction": "down"}, "direction: expected 'min' or 'max'"),
        ({"target": math.nan}, "target: expected a finite number"),
        ({"interval": 41}, "interval: expected 1 to 40"),
        ({"objectives": [Objective("loss")]}, "objectives: expected names among"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        session(0.05, **arguments)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="metric: expected one of 'loss', 'score'"):
        session(0.05, metric="accuracy").advance(4)
