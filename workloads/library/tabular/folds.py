"""Scikit-learn's bundled data, split once and for all for cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FOLDS = {"breast_cancer": 3, "wine": 5, "iris": 5, "digits": 3, "diabetes": 5}
"""Into how many folds each data set is split."""

_ONE_FOLD = "digits"  # has rows enough to judge by one
_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train with, in an order that leaves every beginning of them mixed, and rows to judge by."""

    inputs: Array
    targets: Array
    held_inputs: Array
    held_targets: Array


@cache
def folds_of(dataset: str) -> tuple[tuple[Fold, ...], bool]:
    """The folds of a data set of ``FOLDS``, and whether its targets are numbers.

    Stratified by class where there are classes. Columns, and targets that are numbers, are scaled to mean 0
    and deviation 1 of the training rows.
    """
    from sklearn import datasets
    from sklearn.model_selection import KFold, StratifiedKFold

    inputs, targets = getattr(datasets, f"load_{dataset}")(return_X_y=True)
    numeric = targets.dtype.kind == "f"
    splitter = (KFold if numeric else StratifiedKFold)(FOLDS[dataset], shuffle=True, random_state=_SPLIT_SEED)
    order = np.random.default_rng(_SPLIT_SEED)
    folds = []
    for ordered, held in splitter.split(inputs, targets):
        train = order.permutation(ordered)
        columns = _scaled(inputs, train)
        goals = _scaled(targets, train) if numeric else targets
        folds.append(Fold(columns[train], goals[train], columns[held], goals[held]))
    return tuple(folds[:1] if dataset == _ONE_FOLD else folds), numeric


def _scaled(values: Array, train: NDArray[np.intp]) -> Array:
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    return np.asarray((values - mean) / np.where(deviation > 0, deviation, 1.0))
