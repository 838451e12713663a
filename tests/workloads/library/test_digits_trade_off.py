"""Digits with several objectives: size and robustness are what they are called; epochs are epochs."""

from __future__ import annotations

import pytest

from search_spaces import ConfigurationError
from workloads import Device, Objective
from workloads.library.digits import Digits
from workloads.library.digits_trade_off import DigitsTradeOff

CONFIG = {"learning_rate": 3e-3, "width": 16}


def test_an_epoch_is_as_many_steps_as_there_are_whole_batches() -> None:
    ours, steps = DigitsTradeOff().start(CONFIG, 0, Device()), Digits().start(CONFIG, 0, Device())
    for epochs in (1, 2):
        metrics, expected = ours.advance(epochs), steps.advance(epochs * 16)
        assert metrics.items() >= expected.items()


def test_parameters_are_counted() -> None:
    metrics = DigitsTradeOff().start(CONFIG, 0, Device()).advance(1)
    assert metrics["parameters"] == (64 + 1) * 16 + (16 + 1) * 16 + (16 + 1) * 10


def test_noise_is_the_same_every_time_and_hurts() -> None:
    sessions = [DigitsTradeOff(noise=noise).start(CONFIG, 0, Device()) for noise in (0.0, 1.0, 1.0)]
    none, much, again = (session.advance(5) for session in sessions)
    assert none["validation_noisy_error"] == none["validation_error"]
    assert much["validation_noisy_error"] > much["validation_error"] == none["validation_error"]
    assert again == much


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"noise": -1.0}, "noise: expected at least 0"),
        ({"objectives": [Objective("size")]}, "objectives: expected names among 'validation_error'"),
    ],
)
def test_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DigitsTradeOff(**options)
