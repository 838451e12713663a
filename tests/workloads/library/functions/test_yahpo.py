import json
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search_spaces import Config, ConfigurationError, build_space
from workloads import Device, Metrics, Objective
from workloads.library.functions import yahpo
from workloads.library.functions.yahpo import FILES, VARIABLE, Yahpo
from workloads.library.functions.yahpo_scenarios import SCENARIOS

needs_data = pytest.mark.skipif(
    not os.environ.get(VARIABLE), reason=f"needs YAHPO Gym's surrogates; {VARIABLE} does not say where"
)

SVM = {
    "hyperparameters": [
        {"name": "task_id", "type": "categorical", "choices": ["10", "9"], "default": "10"},
        {"name": "kernel", "type": "categorical", "choices": ["linear", "radial"], "default": "linear"},
        {
            "name": "num.impute.selected.cpo",
            "type": "categorical",
            "choices": ["impute.mean", "impute.hist"],
            "default": "impute.hist",
        },
        *(
            {"name": name, "type": "uniform_float", "lower": low, "upper": 1.0, "log": log} | {"default": 0.5}
            for name, low, log in (("cost", 0.1, True), ("gamma", 0.1, True), ("tolerance", 0.0, False))
        ),
        {"name": "degree", "type": "uniform_int", "lower": 2, "upper": 5, "log": False, "default": 3},
        {"name": "trainsize", "type": "uniform_float", "lower": 1 / 9, "upper": 1.0, "default": 1.0},
        {"name": "repl", "type": "uniform_int", "lower": 1, "upper": 10, "default": 6},
    ],
    "conditions": [
        {
            "child": "gamma",
            "type": "AND",
            "conditions": [
                {"child": "gamma", "parent": "kernel", "type": "EQ", "value": "radial"},
                {
                    "child": "gamma",
                    "parent": "num.impute.selected.cpo",
                    "type": "IN",
                    "values": ["impute.mean", "impute.hist"],
                },
            ],
        }
    ],
    "forbiddens": [],
}
CODES = {
    "task_id": {"#na#": 0, "10": 1, "9": 2},
    "kernel": {"#na#": 0, "linear": 1, "radial": 2},
    "num.impute.selected.cpo": {"#na#": 0, "impute.hist": 1, "impute.mean": 2},
}


@pytest.fixture
def svm(tmp_path: Path) -> Path:
    """A data directory with a small scenario, whose model is no model."""
    folder = tmp_path / "rbv2_svm"
    folder.mkdir()
    for name, content in zip(FILES, (SVM, CODES, "no model"), strict=True):
        (folder / name).write_text(json.dumps(content))
    return tmp_path


def sample(workload: Yahpo, n: int = 300) -> list[Config]:
    return workload.space.sample(n, np.random.default_rng(0))


def predicted(workload: Yahpo, config: Config, fidelity: int | None = None) -> Metrics:
    session = workload.start(config, 0, Device())
    return session.advance(fidelity or workload.fidelity.largest)


def column(metrics: list[Metrics], name: str) -> np.ndarray:
    return np.array([one[name] for one in metrics])


def test_a_scenario_is_read_from_its_files(svm: Path) -> None:
    workload = Yahpo(scenario="rbv2_svm", instance=9, data_dir=str(svm))
    assert set(workload.space.names) == {
        "kernel",
        "num.impute.selected.cpo",
        "cost",
        "gamma",
        "tolerance",
        "degree",
    }
    assert "gamma" not in workload.space.default()
    assert workload.space.default()["degree"] == 3
    assert workload.fidelity.unit == "percent"
    assert (workload.fidelity.smallest, workload.fidelity.largest) == (12, 100)
    assert workload.objectives == (Objective("acc", "max", reference=0.0),)
    assert (workload.facts.seconds, workload.facts.deterministic) == ("timetrain", True)


def test_configurations_are_encoded_in_the_surrogates_order(svm: Path) -> None:
    workload = Yahpo(scenario="rbv2_svm", instance="9", data_dir=str(svm))
    config = {
        "kernel": "linear",
        "num.impute.selected.cpo": "impute.mean",
        "cost": 0.25,
        "tolerance": 0.5,
        "degree": 4,
    }
    codes, numbers = workload.encode(workload.space.check(config), fidelity=25)
    assert codes.tolist() == [[2, 1, 2]]
    # The cost, gamma that is inactive, tolerance, degree, share of the rows, repetitions.
    assert numbers.tolist() == [[0.25, 0.0, 0.5, 4.0, 0.25, 10.0]]
    assert (codes.dtype, numbers.dtype) == (np.int32, np.float32)


def test_an_inactive_category_is_encoded_as_not_available(svm: Path) -> None:
    workload = Yahpo(scenario="rbv2_svm", data_dir=str(svm))
    config = {name: value for name, value in workload.space.default().items() if name != "kernel"}
    codes, _ = workload.encode(config, fidelity=100)
    assert codes.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_table_of_scenarios_is_consistent(name: str) -> None:
    scenario = SCENARIOS[name]
    takes = (*scenario.categories, *scenario.numbers)
    assert len(set(takes)) == len(takes)
    assert len(set(scenario.metrics)) == len(scenario.metrics)
    assert {scenario.seconds, scenario.usual} <= set(scenario.metrics)
    assert {scenario.fidelity, *scenario.full} <= set(scenario.numbers)


@needs_data
@pytest.mark.parametrize(("scenario", "unit"), [("lcbench", "epoch"), ("rbv2_xgboost", "percent")])
def test_predictions_are_of_the_right_kind(scenario: str, unit: str) -> None:
    workload = Yahpo(scenario=scenario)
    workload.prepare()
    metrics = [predicted(workload, config) for config in sample(workload)]
    assert workload.fidelity.unit == unit
    accuracy = column(metrics, workload.objectives[0].name)
    highest = 100 if scenario == "lcbench" else 1
    assert accuracy.min() >= 0
    assert accuracy.max() <= highest
    assert accuracy.max() > 0.5 * highest
    assert column(metrics, str(workload.facts.seconds)).min() > 0
    loss = column(metrics, "val_cross_entropy" if scenario == "lcbench" else "logloss")
    assert loss.min() > 0
    assert np.corrcoef(np.argsort(np.argsort(loss)), np.argsort(np.argsort(accuracy)))[0, 1] < -0.5


@needs_data
@pytest.mark.parametrize(("scenario", "instance"), [("lcbench", "3945"), ("rbv2_xgboost", "16")])
def test_more_training_takes_longer_and_makes_better_models(scenario: str, instance: str) -> None:
    workload = Yahpo(scenario=scenario, instance=instance)
    configs, full = sample(workload), workload.fidelity.largest
    little = [predicted(workload, config, workload.fidelity.smallest) for config in configs]
    much = [predicted(workload, config, full) for config in configs]
    seconds, accuracy = str(workload.facts.seconds), workload.objectives[0].name
    assert (column(much, seconds) > column(little, seconds)).mean() > 0.95
    assert np.median(column(much, accuracy)) > np.median(column(little, accuracy))


@needs_data
@pytest.mark.parametrize(
    ("scenario", "instance", "parameter", "ends", "metric"),
    [
        # What grows with what in any such model: each says that a column stands where it should.
        ("lcbench", "3945", "num_layers", (1, 5), "time"),
        ("lcbench", "3945", "max_units", (64, 1024), "time"),
        ("lcbench", "3945", "max_dropout", (1.0, 0.0), "val_accuracy"),
        ("lcbench", "3945", "batch_size", (16, 512), "val_cross_entropy"),
        ("rbv2_xgboost", "16", "nrounds", (7, 2981), "timetrain"),
        ("rbv2_xgboost", "16", "nrounds", (7, 2981), "acc"),
        ("rbv2_xgboost", "16", "rate_drop", (0.0, 1.0), "timetrain"),
        ("rbv2_xgboost", "16", "alpha", (1000.0, 0.001), "acc"),
        ("rbv2_xgboost", "16", "min_child_weight", (148.0, 2.72), "acc"),
    ],
)
def test_metrics_follow_the_parameters(
    scenario: str, instance: str, parameter: str, ends: tuple[Any, Any], metric: str
) -> None:
    workload = Yahpo(scenario=scenario, instance=instance)
    configs = [config for config in sample(workload) if parameter in config]
    low, high = (
        column([predicted(workload, {**config, parameter: end}) for config in configs], metric)
        for end in ends
    )
    assert (high > low).mean() > 0.8


@needs_data
def test_the_booster_decides_what_else_is_there() -> None:
    workload = Yahpo(scenario="rbv2_xgboost", instance="16", targets=["acc", "memory"])
    names = {config["booster"]: set(config) for config in sample(workload)}
    assert names["dart"] - names["gbtree"] == {"rate_drop", "skip_drop"}
    assert {"eta", "max_depth"} <= names["gbtree"] - names["gblinear"]
    assert [(one.name, one.direction) for one in workload.objectives] == [("acc", "max"), ("memory", "min")]


@needs_data
def test_instances_differ_and_copies_do_not() -> None:
    workload, other = Yahpo(instance="167168"), Yahpo(instance=189873)
    config = workload.space.default()
    assert predicted(workload, config) != predicted(other, config)
    copy = pickle.loads(pickle.dumps(workload))
    assert predicted(copy, config) == predicted(workload, config)
    session = workload.start(config, 0, Device())
    session.advance(2)
    assert session.advance(5) == predicted(workload, config, 7)


@needs_data
def test_a_narrower_space_can_be_given() -> None:
    definition = {
        "batch_size": {"type": "constant", "value": 64},
        "learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2, "log": True},
        "max_dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "max_units": {"type": "int", "low": 64, "high": 512, "log": True},
        "momentum": {"type": "float", "low": 0.5, "high": 0.99},
        "num_layers": {"type": "int", "low": 1, "high": 5},
        "weight_decay": {"type": "float", "low": 1e-5, "high": 0.1},
    }
    workload = Yahpo(build_space({"parameters": definition}))
    assert workload.space.codec.dim == 6
    assert predicted(workload, workload.space.default())["time"] > 0
    wide = {**definition, "num_layers": {"type": "int", "low": 1, "high": 9}}
    with pytest.raises(ConfigurationError, match=r"^search_space\.parameters\.num_layers\.high: .* \[1, 5\]"):
        Yahpo(build_space({"parameters": wide}))
    unknown = {**definition, "layers": {"type": "int", "low": 1, "high": 5}}
    with pytest.raises(ConfigurationError, match=r"parameters\.layers: .* .did you mean 'num_layers'"):
        Yahpo(build_space({"parameters": unknown}))
    del definition["momentum"]
    with pytest.raises(ConfigurationError, match=r"parameters: .* also 'momentum'"):
        Yahpo(build_space({"parameters": definition}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "rbv2_smv"}, "^scenario: expected one of 'lcbench'.*did you mean 'rbv2_svm'"),
        ({"instance": 100}, "^instance: expected one of 10, 9, got 100 .did you mean '10'"),
        ({"targets": ["accc"]}, "^targets: expected names among 'acc'.*got 'accc' .did you mean 'acc'"),
        ({"targets": []}, "^objectives: expected at least one of 'acc'"),
        ({"objectives": [Objective("accuracy")]}, "^objectives: expected names among 'acc'"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: dict[str, Any], message: str, svm: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Yahpo(**{"scenario": "rbv2_svm", "data_dir": str(svm), **arguments})


def test_missing_data_are_named_with_their_source(
    svm: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    source = rf"get it from github\.com/slds-lmu/yahpo_data.*{VARIABLE}"
    with pytest.raises(ConfigurationError, match=rf"^data_dir: expected a folder with lcbench/.*{source}"):
        Yahpo()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ConfigurationError, match=source):
        Yahpo()
    (svm / "rbv2_svm" / "model.onnx").unlink()
    with pytest.raises(ConfigurationError, match=source):
        Yahpo(scenario="rbv2_svm")


def test_a_broken_model_is_found_before_a_study_starts(svm: Path) -> None:
    pytest.importorskip("onnxruntime")
    workload = Yahpo(scenario="rbv2_svm", data_dir=str(svm))
    with pytest.raises(ConfigurationError, match=r"^data_dir: expected models that onnxruntime can read"):
        workload.prepare()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config_space.json", "{", "JSONDecodeError"),
        ("config_space.json", "[]", "TypeError"),
        ("config_space.json", '{"hyperparameters": [], "conditions": []}', "KeyError: 'repl'"),
        ("config_space.json", json.dumps(SVM).replace("uniform_int", "int"), "KeyError: 'int'"),
        (
            "config_space.json",
            json.dumps(SVM).replace('"lower": 2', '"lower": 9'),
            "ConfigurationError: .*degree",
        ),
        ("encoding.json", "", "JSONDecodeError"),
        ("encoding.json", '{"task_id": {"10": 1, "9": 2}}', "KeyError: 'kernel'"),
        ("encoding.json", json.dumps(CODES).replace("linear", "lineal"), "KeyError: 'linear'"),
        ("encoding.json", json.dumps({**CODES, "kernel": 3}), "TypeError"),
    ],
)
def test_damaged_files_are_refused_in_one_line(svm: Path, name: str, text: str, said: str) -> None:
    (svm / "rbv2_svm" / name).write_text(text)
    message = rf"^data_dir: expected config_space\.json and encoding\.json as in .*get them again.*({said})"
    with pytest.raises(ConfigurationError, match=message) as caught:
        Yahpo(scenario="rbv2_svm", data_dir=str(svm))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(svm: Path) -> None:
    (svm / "rbv2_svm" / "encoding.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigurationError, match=r"^data_dir: .*UnicodeDecodeError"):
        Yahpo(scenario="rbv2_svm", data_dir=str(svm))


@needs_data
def test_a_model_of_another_version_is_found_before_a_study_starts(svm: Path) -> None:
    other = Path(os.environ[VARIABLE]) / "lcbench" / "model.onnx"
    shutil.copy(other, svm / "rbv2_svm" / "model.onnx")
    with pytest.raises(ConfigurationError, match=r"\[3, 6, 9\] categories, numbers.*got \[1, 8, 6\]"):
        Yahpo(scenario="rbv2_svm", data_dir=str(svm)).prepare()


def test_without_onnxruntime_the_error_names_the_extra(svm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yahpo._surrogate.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"extra 'benchmark'.*pip install 'orchestrator\[benchmark"):
        Yahpo(scenario="rbv2_svm", data_dir=str(svm)).prepare()
