"""Classifiers of table rows: what they learn, what their objectives trade, and where their data come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces import ConfigurationError
from tests.workloads.library.tabular.people import write_people
from workloads import Device, PreparedWorkload
from workloads.library.tabular.adult import VARIABLE, Adult
from workloads.library.tabular.breast_cancer import BreastCancer
from workloads.library.tabular.classifier import weighted_loss


@pytest.fixture
def adult_folder(tmp_path: Path) -> Path:
    return write_people(tmp_path)


def test_precision_is_traded_for_recall() -> None:
    metrics = {
        weight: BreastCancer()
        .start({"learning_rate": 3e-3, "positive_weight": weight}, 0, Device())
        .advance(200)
        for weight in (0.02, 50.0)
    }
    assert metrics[0.02]["validation_precision"] > metrics[50.0]["validation_precision"]
    assert metrics[0.02]["validation_recall"] < metrics[50.0]["validation_recall"]
    assert all(min(m["validation_precision"], m["validation_recall"]) > 0.7 for m in metrics.values())


def test_precision_and_recall_are_what_they_are_called() -> None:
    workload = BreastCancer()
    split = workload.data(torch.device("cpu")).validation
    flagged = torch.where(split.inputs[:, 0] > 0, 1.0, -1.0)
    values = workload.evaluate(lambda inputs: flagged, split)
    alarm, malignant = flagged.numpy() > 0, split.targets.numpy() > 0
    assert float(values["precision"]) == pytest.approx((alarm & malignant).sum() / alarm.sum())
    assert float(values["recall"]) == pytest.approx((alarm & malignant).sum() / malignant.sum())
    assert float(workload.evaluate(lambda inputs: -torch.ones(171), split)["precision"]) == 0
    assert np.isnan(float(workload.evaluate(lambda inputs: torch.full((171,), torch.nan), split)["recall"]))


def test_the_weighted_loss_is_that_of_torch() -> None:
    logits, positive = torch.randn(50, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 2
    weights = torch.where(positive > 0, 3.0, 1.0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, positive.float(), weight=weights, reduction="sum"
    )
    torch.testing.assert_close(weighted_loss(logits, positive, torch.tensor(3.0)), expected / weights.sum())


def test_adult_reads_a_folder(adult_folder: Path) -> None:
    workload = Adult(data_dir=str(adult_folder))
    workload.prepare()
    splits = workload.data(torch.device("cpu"))
    assert [len(split.targets) for split in splits] == [29_306, 9_768, 9_768]
    assert set(splits.train.targets.tolist()) == {0, 1, 2, 3}
    assert splits.train.inputs.mean().abs() < 1e-3
    said = torch.where(splits.validation.targets < 2, 1.0, -1.0)  # all men, no woman
    values = workload.evaluate(lambda inputs: said, splits.validation)
    assert float(values["unfairness"]) == 1
    rich = splits.validation.targets % 2
    assert float(values["accuracy"]) == pytest.approx(float(((said > 0) == rich).double().mean()))


def test_adult_takes_the_folder_from_the_environment(
    adult_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(adult_folder))
    assert Adult().data_dir == str(adult_folder)


def test_adult_without_data_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    workload = Adult(data_dir=str(tmp_path))
    assert isinstance(workload, PreparedWorkload)
    with pytest.raises(ConfigurationError, match=r"data_dir: expected a folder with adult\.data\.gz and"):
        workload.prepare()


def test_adult_without_data_and_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    # What scikit-learn checks before it opens a connection is part of the test.
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", unreachable)
    with pytest.raises(ConfigurationError, match=f"no network; or set {VARIABLE}"):
        Adult().prepare()
