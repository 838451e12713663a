"""What a configuration of a program may say; whatever cannot be meant is refused in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces import ConfigurationError, build_space
from tests.workloads.command.programs import CALL, CONFIG, device, made
from workloads import Objective
from workloads.command import Command
from workloads.command.plan import config_text

ALL = "{hyperparameters}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": []}, "command: expected a program and its arguments"),
        ({"command": "python train.py"}, "command: expected a list: the program, then each of its arguments"),
        ({"command": ["x", {"a": 1}]}, r"command\[1\]: expected a text or a number"),
        ({"command": ["x", ALL, "{rat}"]}, r"command\[2\]: expected names among .*got '{rat}'.*mean 'rate'"),
        (
            {"command": ["x", "{rate}"]},
            "command: expected {kind}, {config} or {hyperparameters} .*never learn",
        ),
        ({"command": ["x", ALL, "{save}", "{units}"]}, "command: expected {load} as well"),
        ({"command": ["x", ALL, ["{load}"], "{units}"]}, "command: expected {save} as well"),
        ({"command": ["x", ALL, "{save}", "{load}", "{units}"]}, "{load} in a list of its own.*'{load}'"),
        ({"command": ["x", ALL, "{save}", ["{load}"]]}, "command: expected {units} as well"),
        ({"command": ["x", ALL, "{checkpoint}", "{save}"]}, "either {checkpoint}, or {load} and {save}"),
        ({"objectives": []}, "objectives: expected at least one"),
        ({"test": "python test.py"}, "test: expected a list: the program"),
        ({"test": ["x"]}, "test: expected {load} in it"),
        ({"test": ["x", "{lode}"]}, r"test\[1\]: expected names among"),
        (
            {"command": ["x", ALL], "test": ["x", "{load}"]},
            "test: expected none for a program",
        ),
        ({"objectives": [{"name": "loss", "direction": "down"}]}, "direction: expected 'min' or 'max'"),
        ({"fidelity": {"unit": "epoch", "most": 3}}, "fidelity: expected a mapping with"),
        ({"metrics": "stdout"}, "metrics: expected 'output', 'mlflow', 'tensorboard', or a file whose name"),
        ({"metrics": "metrics.csv"}, "metrics: expected a file in {folder}.*side by side"),
        ({"metrics": "{rate}/metrics.csv"}, "metrics: expected names among 'folder', 'save', 'checkpoint'"),
        (
            {"command": [*CALL, ALL, "{checkpoint}"], "metrics": "{checkpoint}/m.csv"},
            "metrics: expected a file in {folder}, got '{checkpoint}/m.csv'.*the training before",
        ),
        ({"command": ["x", ALL, "{units}"], "metrics": "{save}/m.csv"}, "command: expected {save} among the"),
        ({"command": ["x", ALL], "metrics": "{folder}/m.csv"}, "command: expected {folder} among the"),
        (
            {"command": ["x", ALL], "environment": {"OUT": "{save}", "UNITS": "{units}"}},
            "command: expected {load} as well",
        ),
        (
            {"command": ["x", ALL, "{save}", ["{load}"], "{units}"], "environment": {"B": "{checkpoint}"}},
            "either {checkpoint}, or {load} and {save}",
        ),
        ({"command": ["x"], "serve": True, "environment": {"U": "{units}"}}, "serve: expected false with"),
        ({"environment": {"A B": 1}}, "environment: expected names of variables"),
        ({"environment": {"A": [1]}}, "environment.A: expected a text or a number"),
        ({"environment": {"A": "{nothing}"}}, "environment.A: expected names among"),
        ({"time_limit": 0}, "time_limit: expected a number above 0, or null, got 0"),
        ({"memory_limit": -1}, "memory_limit: expected a number above 0, or null"),
        ({"grace": -1}, "grace: expected a number of at least 0"),
        ({"log_limit": 10}, "log_limit: expected an integer of at least 1024"),
        ({"serve": True}, "serve: expected false with follow, {load}"),
        ({"command": ["x"], "serve": True, "metrics": "mlflow"}, "metrics: expected 'output' with serve"),
        ({"command": ["x", ALL], "follow": True, "fidelity": {}}, "follow: expected false for a workload of"),
    ],
)
def test_refuses_what_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        made(**changes)
    assert "\n" not in str(caught.value)


def test_refuses_hyperparameters_with_names_that_mean_something_else() -> None:
    space = build_space({"parameters": {"seed": {"type": "int", "low": 1, "high": 3}}})
    with pytest.raises(ConfigurationError, match=r"space.parameters: expected a name but .*got 'seed'"):
        made(space=space)


def test_a_hyperparameter_that_may_be_inactive_needs_a_list_of_its_own(tmp_path: Path) -> None:
    space = build_space(
        {
            "parameters": {
                "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
                "momentum": {"type": "float", "low": 0, "high": 1},
            },
            "conditions": [{"child": "momentum", "parent": "optimizer", "equals": "sgd"}],
        }
    )
    say = ["sh", "-c", "echo loss=$#", "sh", "{optimizer}"]
    with pytest.raises(ConfigurationError, match=r"{momentum} in a list of its own.*not always active"):
        made(space=space, command=[*say, "--momentum", "{momentum}"], fidelity={})
    workload = made(space=space, command=[*say, ["--momentum", "{momentum}"]], fidelity={})
    for config, arguments in (({"optimizer": "adam"}, 1), ({"optimizer": "sgd", "momentum": 0.5}, 3)):
        assert workload.start(config, 1, device(tmp_path)).advance(1) == {"loss": arguments}


def test_looks_for_the_program_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="directory: expected a folder that exists"):
        made(directory=str(tmp_path / "missing")).prepare()
    script = tmp_path / "train.sh"
    script.write_text("#!/bin/sh\necho loss=1\n")
    workload = made(command=["./train.sh", ALL], directory=str(tmp_path), fidelity={})
    with pytest.raises(
        ConfigurationError, match=r"command\[0\]: expected a file that can be executed.*chmod"
    ):
        workload.prepare()
    script.chmod(0o755)
    workload.prepare()
    made().prepare()


def test_looks_for_the_program_on_its_own_path(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "train-it"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho loss=1\n")
    script.chmod(0o755)
    for path in (str(script.parent), "bin", "{folder}/bin"):
        made(
            command=["train-it", ALL], environment={"PATH": path}, directory=str(tmp_path), fidelity={}
        ).prepare()
    with pytest.raises(ConfigurationError, match=r"command\[0\]: expected a program on PATH"):
        made(command=["sh", ALL], environment={"PATH": str(tmp_path)}, fidelity={}).prepare()


def test_tensorboard_needs_a_folder_to_write_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.command.files._event_loader", lambda: None)
    with pytest.raises(ConfigurationError, match=r"command: expected \{folder\} among the arguments"):
        made(metrics="tensorboard")
    made(metrics="tensorboard", environment={"LOGS": "{folder}"})


def test_a_program_that_trains_anew_has_no_age(tmp_path: Path) -> None:
    session = made(command=["sh", "-c", "echo loss=$1 units=$2", "sh", "{age}", "{units}", ALL]).start(
        CONFIG, 1, device(tmp_path)
    )
    assert session.advance(2) == {"loss": 0, "units": 2}
    assert session.advance(3) == {"loss": 0, "units": 5}


def test_checkpoints_may_be_named_in_variables(tmp_path: Path) -> None:
    script = 'echo loss=$(($(cat "$LOAD/x" 2>/dev/null) + UNITS)); echo $UNITS > "$SAVE/x"'
    names = {"SAVE": "{save}", "LOAD": "{load}", "UNITS": "{units}"}
    workload = made(command=["sh", "-c", script, "sh", ALL], environment=names)
    session = workload.start(CONFIG, 1, device(tmp_path))
    assert [session.advance(2)["loss"], session.advance(3)["loss"]] == [2, 5]


def test_tensorboard_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'orchestrator\[tensorboard\]'"):
        made(metrics="tensorboard")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "IntervalSession"),
        ({"follow": True}, "FollowedSession"),
        ({"command": ["x", ALL]}, "FollowedSession"),
        ({"command": ["x", ALL, "{units}"]}, "IntervalSession"),
        ({"command": ["x", ALL], "fidelity": {}}, "IntervalSession"),
        ({"command": [*CALL, ALL, "{checkpoint}"]}, "IntervalSession"),
        ({"command": ["x", ALL], "environment": {"UNITS": "{units}"}}, "IntervalSession"),
        ({"command": ["x", ALL, "{config}"], "metrics": "{folder}/m.csv"}, "FollowedSession"),
        (
            {"command": ["x", ALL, "{checkpoint}"], "metrics": "{checkpoint}/m.csv", "follow": True},
            "FollowedSession",
        ),
        ({"command": ["x"], "serve": True}, "ServedSession"),
    ],
)
def test_how_it_is_trained_follows_from_its_command(
    changes: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    assert type(made(**changes).start(CONFIG, 1, device(tmp_path))).__name__ == kind


def test_the_file_of_hyperparameters_is_what_it_says() -> None:
    config = {"rate": 1e-05, "kind": 'it\'s: "a"', "on": True, "layers": 3}
    for form in ("json", "yaml"):
        text = config_text(made(config=form)._plan, config)
        assert (json.loads(text) if form == "json" else yaml.safe_load(text)) == config


def test_objectives_of_the_study_replace_those_of_the_workload() -> None:
    workload: Command = made(objectives=(Objective("size", "max"),))
    assert workload.objectives[0].direction == "max"
