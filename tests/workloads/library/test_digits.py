from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from search_spaces import ConfigurationError, build_space
from workloads import Device, Objective
from workloads.library.digits import Digits

CONF = Path(__file__).parents[3] / "conf"
LEARNING_RATE = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "mutable": True}


def digits_with(**parameters: dict[str, Any]) -> Digits:
    return Digits(build_space({"parameters": parameters}))


@pytest.mark.parametrize(("model", "steps"), [("mlp", 300), ("cnn", 120)])
def test_learns(model: Any, steps: int) -> None:
    config = {"learning_rate": 3e-3, "dropout": 0.1, "label_smoothing": 0.05, "width": 32}
    session = Digits(model=model).start(config, 0, Device())
    metrics = session.advance(steps)
    assert metrics["validation_error"] < 0.06
    assert metrics["validation_loss"] < 0.4
    tested = session.test()
    assert tested.keys() == {"test_error", "test_loss"}
    assert tested["test_error"] < 0.08


def test_the_split_is_fixed_stratified_and_complete() -> None:
    splits = Digits().data(torch.device("cpu"))
    assert [len(split.targets) for split in splits] == [1077, 360, 360]
    for split in splits:
        share = torch.bincount(split.targets, minlength=10) / len(split.targets)
        assert (share - 0.1).abs().max() < 0.01
        assert split.inputs.shape[1:] == (1, 8, 8)
        assert split.inputs.min() == -1
        assert split.inputs.max() == 1
    assert sum(float(split.inputs.double().sum()) for split in splits) == pytest.approx(
        561718 / 8 - 1797 * 64
    )


def test_data_are_loaded_once() -> None:
    device = torch.device("cpu")
    assert Digits().data(device) is Digits(model="cnn").data(device)


def test_parameters_left_out_take_their_defaults() -> None:
    few = digits_with(learning_rate=LEARNING_RATE).start({"learning_rate": 0.01}, 0, Device())
    full: dict[str, float | str] = {
        "learning_rate": 0.01, "weight_decay": 0.01, "momentum": 0.9, "label_smoothing": 0.0, "dropout": 0.0,
        "width": 64, "activation": "relu", "optimizer": "adamw",
    }  # fmt: skip
    assert few.advance(5) == Digits().start(full, 0, Device()).advance(5)


def test_constants_in_the_space_are_values() -> None:
    workload = digits_with(learning_rate=LEARNING_RATE, width={"type": "constant", "value": 12})
    session = workload.start({"learning_rate": 0.01, "width": 12}, 0, Device())
    assert session.state()["model"]["hidden1.weight"].shape == (12, 64)


def test_a_diverged_model_has_no_error_rate() -> None:
    metrics = Digits().start({"learning_rate": 1e30}, 0, Device()).advance(20)
    assert not math.isfinite(metrics["validation_error"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"learning_rat": LEARNING_RATE},
            r"search_space\.parameters\.learning_rat: expected a parameter of the workload "
            r"\('learning_rate', .*'optimizer'\), got 'learning_rat' \(did you mean 'learning_rate'\?\)",
        ),
        (
            {"width": {"type": "int", "low": 8, "high": 64, "mutable": True}},
            r"search_space\.parameters\.width\.mutable: expected false, .*"
            r"got True \(mutable can be 'learning_rate'",
        ),
        (
            {"dropout": {"type": "float", "low": 0.0, "high": 1.0}},
            r"search_space\.parameters\.dropout\.high: expected a number from 0 to 0\.99, got 1\.0",
        ),
        (
            {"activation": {"type": "categorical", "choices": ["relu", "sine"]}},
            r"search_space\.parameters\.activation\.choices: expected one of 'relu', .*, got 'sine'",
        ),
        (
            {"width": {"type": "float", "low": 8, "high": 64}},
            r"search_space\.parameters\.width\.type: expected int, got 'float'",
        ),
        (
            {"width": {"type": "constant", "value": 12.5}},
            r"search_space\.parameters\.width\.value: expected an integer from 2, got 12\.5",
        ),
    ],
)
def test_a_space_that_does_not_fit_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        digits_with(**parameters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "rnn"}, r"model: expected one of 'mlp', 'cnn', 'cnn_batch_norm', got 'rnn'"),
        ({"steps": 0}, r"steps: expected at least 1, got 0"),
        ({"batch_size": 0}, r"batch_size: expected at least 1"),
        ({"batch_size": 2000}, r"batch_size: expected at most 1077"),
        ({"objectives": (Objective("test_error"),)}, r"objectives: expected names among 'validation_error'"),
        ({"objectives": ()}, r"objectives: expected at least one"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Digits(**arguments)


def test_objectives_can_be_chosen() -> None:
    objectives = (Objective("validation_loss"), Objective("train_loss"))
    assert Digits(objectives=objectives).objectives == objectives


def test_the_shipped_search_space_fits() -> None:
    definition = yaml.safe_load((CONF / "search_space" / "digits.yaml").read_text())
    workload = Digits(build_space(definition))
    assert workload.space.mutable <= set(workload.knobs.mutable)
    assert workload.space.configuration_space == Digits().space.configuration_space
