"""Digits against noise: what is trained with noise is judged like any other, and noise in training helps."""

from __future__ import annotations

import pytest
import torch

from search_spaces import ConfigurationError
from workloads import Device
from workloads.library.digits import Digits
from workloads.library.digits_noise import DigitsNoise, _normal

CONFIG = {"learning_rate": 3e-3, "width": 32}


def test_without_noise_in_training_it_is_the_digits_task() -> None:
    ours, plain = DigitsNoise().start(CONFIG, 0, Device()), Digits().start(CONFIG, 0, Device())
    assert ours.advance(30).items() >= plain.advance(30).items()


def test_noise_in_training_makes_robust() -> None:
    plain, noisy = (
        DigitsNoise(noise=1.0).start({**CONFIG, "training_noise": noise}, 0, Device()).advance(150)
        for noise in (0.0, 0.8)
    )
    assert noisy["validation_noisy_error"] < plain["validation_noisy_error"]


def test_noise_changes_while_training_runs() -> None:
    one, other = (DigitsNoise().start(CONFIG, 0, Device()) for _ in range(2))
    other.configure({**CONFIG, "training_noise": 1.0})
    assert one.advance(5) != other.advance(5)


def test_its_numbers_are_normal_and_new_for_every_key() -> None:
    numbers = _normal((100_000,), torch.tensor(1))
    assert numbers.isfinite().all()
    assert numbers.mean().abs() < 0.02 and (numbers.std() - 1).abs() < 0.02
    assert not torch.equal(numbers, _normal((100_000,), torch.tensor(2)))


def test_negative_noise_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="noise: expected at least 0"):
        DigitsNoise(noise=-1.0)
