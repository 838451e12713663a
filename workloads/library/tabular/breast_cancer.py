"""Breast cancer: find the malignant tumours, against raising false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from workloads.contract import Objective
from workloads.knobs import Knobs
from workloads.library.tabular.classifier import (
    KNOBS,
    TabularClassifier,
    split,
    unless_diverged,
    weighted_loss,
)
from workloads.torch import Batch, ModelFunction, Splits


class BreastCancer(TabularClassifier):
    """Scikit-learn's 569 tumours (Wisconsin, 1995): which of them are malignant.

    Only the first ten of the thirty numbers of each are given, the means over its cells: with all of them
    hardly anything is left to weigh. The tumours are split once and for all, stratified, into 227 to train
    on, 171 to validate and 171 to test.

    Metrics: ``validation_precision`` (share of true alarms among all; 0 where there is none) and
    ``validation_recall`` (share of malignant tumours that are found), the objectives, larger is better;
    ``validation_loss`` (cross-entropy in nats), ``train_loss``; in the end ``test_precision`` and so on.

    Parameters, with defaults for those that the space leaves out: learning_rate (1e-3), weight_decay (1e-2),
    dropout (0), positive_weight (1; how much a malignant row counts in training), mutable; width (32; hidden
    units) and optimizer (adamw), fixed at the start.
    """

    knobs = Knobs(**KNOBS)
    evaluation = ("precision", "recall", "loss")
    default_objectives = (
        Objective("validation_precision", "max", reference=0.0),
        Objective("validation_recall", "max", reference=0.0),
    )
    columns = 10
    training_rows = 227

    def loss(
        self, model: ModelFunction, batch: Batch, hyperparameters: Mapping[str, Tensor], key: Tensor
    ) -> Tensor:
        logits = model(batch.inputs, hyperparameters["dropout"], key)
        return weighted_loss(logits, batch.targets, hyperparameters["positive_weight"])

    def evaluate(self, model: ModelFunction, split: Batch) -> Mapping[str, Tensor]:
        logits = model(split.inputs)
        malignant, alarm = split.targets.to(logits.dtype), (logits > 0).to(logits.dtype)
        found = (malignant * alarm).sum()
        values = {
            "precision": found / alarm.sum().clamp(min=1),
            "recall": found / malignant.sum(),
            "loss": weighted_loss(logits, split.targets, torch.ones_like(logits[0])),
        }
        return {name: unless_diverged(value, logits) for name, value in values.items()}

    def data(self, device: torch.device) -> Splits:
        return _splits(device)


@cache
def _splits(device: torch.device) -> Splits:
    from sklearn.datasets import load_breast_cancer

    inputs, benign = load_breast_cancer(return_X_y=True)
    means = inputs[:, : BreastCancer.columns].astype(np.float32)
    return split(means, (1 - benign).astype(np.int64), (171, 171), device)
