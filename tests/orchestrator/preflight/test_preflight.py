"""A pre-flight finds what would fail everywhere or change nothing, and leaves this process as it was."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.preflight.session import preflight
from orchestrator.preflight.subject import Findings, Subject
from search_spaces import Config, ConfigurationError, build_space
from tests.orchestrator.population.test_usual_session import Usual, UsualSession
from workloads import Device, Fidelity, Metrics, Objective, State
from workloads.function import from_function

SPACE = build_space({"parameters": {"rate": {"type": "float", "low": 0.1, "high": 1.0, "mutable": True}}})


class Plain:
    """A session without fault, of which each test replaces a part."""

    def __init__(self, config: Config, seed: int) -> None:
        self.weights, self.rate = np.ones(3), config["rate"]

    def advance(self, amount: int) -> Any:
        for _ in range(amount):
            self.weights = self.weights * (1 - 0.1 * float(self.rate))
        return {"loss": float(self.weights.sum())}

    def configure(self, config: Config) -> Any:
        self.rate = config["rate"]

    def state(self) -> Any:
        return {"weights": self.weights}

    def load(self, state: State) -> Any:
        self.weights = state["weights"]


class Made:
    """A workload whose sessions have other methods."""

    objectives = (Objective("loss"),)
    space = SPACE

    def __init__(self, largest: int = 10, **methods: Any) -> None:
        self.session = type("Session", (Plain,), methods)
        self.fidelity = Fidelity("step", largest=largest)

    def start(self, config: Config, seed: int, device: Device) -> Any:
        return self.session(config, seed)


def fly(workload: Any = None, *, seconds: float = 30.0, copied: bool = True, **methods: Any) -> Findings:
    subject = Subject(workload or Made(**methods), "workload", ("loss",), 0, copied=copied)
    return preflight(subject, seconds)


def test_a_session_that_keeps_to_the_contract_passes_without_a_note() -> None:
    for workload in (Made(), Usual()):
        findings = fly(workload)
        assert findings.notes == []
        assert "a copy goes on identically" in findings.checked


@pytest.mark.parametrize(
    ("methods", "parts"),
    [
        ({"load": None}, ["expected Session to have a method load(state), got nothing"]),
        ({"state": None}, ["expected Session to have a method state(), got nothing"]),
        ({"configure": None}, ["expected Session to have a method configure(config), got nothing"]),
        ({"advance": None}, ["expected Session to have a method advance(amount), got nothing"]),
        ({"advance": lambda self: {}}, ["expected a method advance(amount) of Session, got advance()"]),
        ({"advance": lambda self, amount: 0.5}, ["expected advance(amount) to return a mapping", "got 0.5"]),
        ({"advance": lambda self, amount: None}, ["to return a mapping of metrics by name, got None"]),
        (
            {"advance": lambda self, amount: {"loss": None}},
            ["expected metric 'loss' to be a number, got None"],
        ),
        ({"advance": lambda self, amount: {"loss": "0.5"}}, ["metric 'loss' to be a number, got '0.5'"]),
        ({"advance": lambda self, amount: {"loss": np.ones(2)}}, ["'loss' to be a number, got array("]),
        ({"advance": lambda self, amount: {"los": 1.0}}, ["'loss' among the metrics", "['los']", "'los'?"]),
        ({"advance": lambda self, amount: self.config["lr"]}, ["AttributeError", "test_preflight.py:"]),
        ({"state": lambda self: None}, ["expected state() to return everything that training changes"]),
        (
            {"state": lambda self: {"a": {"b": object()}}},
            ["state() to be a state that can be saved", "state.a.b"],
        ),
        ({"load": lambda self, state: None}, ["expected load(state) to take over", "no effect"]),
        ({"load": lambda self, state: state["weihgts"]}, ["KeyError: 'weihgts' at ", "test_preflight.py:"]),
        ({"configure": lambda self, config: config["lr"]}, ["expected configure to work", "KeyError: 'lr'"]),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_is_refused_in_one_line(methods: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        fly(**methods)
    message = str(refused.value)
    assert message.startswith("workload: expected ") and "\n" not in message
    for part in parts:
        assert part in message


def test_a_method_that_perturbs_weights_needs_a_session_that_can() -> None:
    def refusal(**methods: Any) -> str:
        with pytest.raises(ConfigurationError) as refused:
            preflight(Subject(Made(**methods), "workload", ("loss",), 0, copied=True, perturbed_by="Ipbt"))
        return str(refused.value)

    message = refusal()
    assert "\n" not in message
    assert "workload: expected Session to have a method perturb(keep, noise, seed), got nothing" in message
    assert "Ipbt mixes new weights into those of members" in message
    assert "got perturb(" in refusal(perturb=lambda self, keep: None)
    able = Made(perturb=lambda self, keep, noise, seed: None)
    assert not preflight(Subject(able, "workload", ("loss",), 0, copied=True, perturbed_by="Ipbt")).notes


def test_a_parameter_that_the_space_lacks_is_named_with_those_it_has() -> None:
    workload = from_function(lambda config: config["lr"], SPACE, [Objective("loss")])
    with pytest.raises(
        ConfigurationError, match=r"KeyError: 'lr' at .*test_preflight.*search space has 'rate'"
    ):
        fly(workload)


@pytest.mark.parametrize("result", [None, "text", [0.5], {"loss": None}, {"loss": "0.5"}, {"loss": [1, 2]}])
def test_a_function_that_returns_no_metrics_is_refused(result: Any) -> None:
    workload = from_function(lambda config: result, SPACE, [Objective("loss")])
    with pytest.raises(ConfigurationError, match=r"to be a number, got|a dict of metrics or a number, got"):
        fly(workload)


def test_an_optimizer_whose_rate_never_follows_the_configuration_is_refused() -> None:
    class Deaf(UsualSession):
        def configure(self, config: Config) -> None:
            self.rate = config["rate"]

    class DeafWorkload(Usual):
        def start(self, config: Config, seed: int, device: Device) -> UsualSession:
            return Deaf(config, seed)

    with pytest.raises(
        ConfigurationError, match=r"configure\(config\) to set the optimizer's learning rate to"
    ):
        fly(DeafWorkload())


def test_a_configuration_that_changes_nothing_is_noted() -> None:
    (note,) = fly(configure=lambda self, config: None).notes
    assert "other values of 'rate' changed nothing within 1 step" in note


def test_a_state_that_lacks_something_is_noted() -> None:
    def advance(self: Any, amount: int) -> Metrics:
        self.age = getattr(self, "age", 0) + amount
        return {"loss": float(self.age)}

    (note,) = fly(advance=advance).notes
    assert "goes on differently in metrics.loss" in note and "state() may lack something" in note


def test_randomness_from_elsewhere_is_noted() -> None:
    (note,) = fly(advance=lambda self, amount: {"loss": random.random()}).notes
    assert "its randomness comes from elsewhere than the seed" in note


def test_a_search_needs_neither_states_nor_copies() -> None:
    assert fly(copied=False, load=None, state=None, configure=None).checked == [
        "1 step of training",
        "metrics loss",
    ]


def test_one_configuration_that_can_be_trained_is_enough() -> None:
    calls: list[Config] = []

    def start(self: Any, config: Config, seed: int) -> None:
        calls.append(config)
        if len(calls) < 3:
            raise ValueError("width must be a multiple of heads")
        Plain.__init__(self, config, seed)

    assert fly(__init__=start).notes == []


def test_a_rehearsal_is_tried_in_place_of_the_workload() -> None:
    class Costly(Made):
        def start(self, config: Config, seed: int, device: Device) -> Any:
            raise AssertionError("it was started")

        def rehearsal(self) -> Made:
            return Made()

    assert fly(Costly()).checked[0] == "1 step of training"


def test_training_that_takes_too_long_is_left_to_the_study() -> None:
    def advance(self: Any, amount: int) -> Metrics:
        while True:
            time.sleep(0.001)

    began = time.monotonic()
    (note,) = fly(seconds=0.2, advance=advance).notes
    assert "ended after 0.2 s, the rest was not tried" in note
    assert time.monotonic() - began < 5


def test_what_a_gpu_would_train_is_no_fault_on_a_driver_without_one() -> None:
    def advance(self: Any, amount: int) -> Metrics:
        raise RuntimeError("no kernel for the CPU")

    findings = preflight(Subject(Made(advance=advance), "workload", ("loss",), 0, gpus=True))
    assert "could not be tried without its GPU: RuntimeError: no kernel for the CPU" in findings.notes[0]


def test_this_process_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def advance(self: Any, amount: int) -> Metrics:
        random.seed(amount), np.random.seed(amount), torch.manual_seed(amount)  # noqa: NPY002
        monkeypatch.chdir("elsewhere") if Path.cwd() == tmp_path else None
        return Plain.advance(self, amount)

    def states() -> Callable[[], list[Any]]:
        return lambda: [random.random(), np.random.rand(), float(torch.rand(()))]  # noqa: NPY002

    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = states()()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    fly(advance=advance)
    assert states()() == expected
    assert Path.cwd() == tmp_path
