import pickle
from typing import Any

import numpy as np
import pytest

from search_spaces import ConfigurationError, build_space
from workloads import Device, Objective
from workloads.library.tabular.folds import FOLDS, folds_of
from workloads.library.tabular.models import ScikitLearn

MODELS = ("svm", "mlp", "gradient_boosting", "random_forest")


def error(workload: ScikitLearn, fidelity: int | None = None, seed: int = 0, **config: Any) -> float:
    session = workload.start(config, seed, Device())
    return session.advance(fidelity or workload.fidelity.largest)["validation_error"]


@pytest.mark.parametrize("model", MODELS)
def test_the_default_learns_and_full_fidelity_is_better(model: str) -> None:
    workload = ScikitLearn(model=model, dataset="wine")
    full = error(workload, rows_per_leaf=2) if model == "gradient_boosting" else error(workload)
    assert 0 <= full < 0.1
    assert full <= error(workload, workload.fidelity.smallest)


@pytest.mark.parametrize("model", MODELS)
def test_numbers_are_predicted_better_than_by_their_mean(model: str) -> None:
    assert 0.3 < error(ScikitLearn(model=model, dataset="diabetes")) < 0.8


@pytest.mark.parametrize("model", MODELS)
def test_a_session_is_a_function_of_configuration_and_seed(model: str) -> None:
    workload = ScikitLearn(model=model, dataset="iris")
    copy = pickle.loads(pickle.dumps(workload))
    (config,) = workload.space.sample(1, np.random.default_rng(1))
    seed = 2**60 + 1
    assert error(copy, 10, seed, **config) == error(workload, 10, seed, **config)
    if workload.facts.deterministic:
        assert error(workload, 10, seed=1, **config) == error(workload, 10, seed=2, **config)


def test_the_seed_reaches_what_is_random() -> None:
    workload = ScikitLearn(model="mlp", dataset="diabetes")
    assert not workload.facts.deterministic
    assert error(workload, 2, seed=1) != error(workload, 2, seed=2)


def test_every_parameter_matters() -> None:
    for model in MODELS:
        workload = ScikitLearn(model=model, dataset="diabetes")
        for column in workload.space.codec.columns:
            ends = workload.space.configuration_space[column.name]
            values = getattr(ends, "choices", None) or (ends.lower, ends.upper)
            errors = {
                error(workload, 10 if model == "svm" else 3, **{column.name: value}) for value in values
            }
            assert len(errors) > 1, (model, column.name)


@pytest.mark.parametrize("dataset", FOLDS)
def test_folds_part_the_rows_and_keep_the_classes_shares(dataset: str) -> None:
    folds, numeric = folds_of(dataset)
    assert len(folds) == (1 if dataset == "digits" else FOLDS[dataset])
    for fold in folds:
        rows = len(fold.targets) + len(fold.held_targets)
        assert len(fold.held_targets) == pytest.approx(rows / FOLDS[dataset], abs=1)
        np.testing.assert_allclose(fold.inputs.mean(axis=0), 0, atol=1e-9)
        if not numeric:
            counts, held = np.bincount(fold.targets), np.bincount(fold.held_targets)
            assert (np.abs(held - (counts + held) / FOLDS[dataset]) <= 1).all()
            # A tenth of the rows already has every class, so that any fidelity can be trained.
            assert set(fold.targets[: len(fold.targets) // 10]) == set(fold.targets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "smv"}, "^model: expected one of 'svm'.*did you mean 'svm'"),
        ({"dataset": "wines"}, "^dataset: expected one of .*got 'wines' .did you mean 'wine'"),
        ({"objectives": [Objective("error")]}, "^objectives: expected names among 'validation_error'"),
        (
            {"space": build_space({"parameters": {"cost": {"type": "float", "low": 1, "high": 2}}})},
            r"^search_space\.parameters\.cost: expected a parameter of the workload .'C', 'kernel', 'gamma'",
        ),
    ],
)
def test_what_does_not_exist_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ScikitLearn(**arguments)
