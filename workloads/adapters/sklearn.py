"""Scikit-learn's estimators, trained by passes over the data (``partial_fit``) or by warm starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from workloads.adapters.objects import Objects
from workloads.contract import Metrics, State
from workloads.loop import Context

_OBJECTS = Objects("sklearn")


def fit(
    ctx: Context,
    estimator: Any,
    inputs: Any,
    targets: Any,
    evaluate: Callable[[Any], Metrics],
    iterations: int = 1,
) -> None:
    """Train an estimator, and report after each unit.

    A unit is one ``partial_fit`` over all rows, where the estimator has that. Otherwise it is ``iterations``
    more trees or iterations by ``warm_start``. Parameters of the estimator may change between units: it goes
    on with those that it is given here. Leave ``random_state`` at None; the global generator is seeded.

    Args:
        ctx: of ``train(config, ctx)``.
        estimator: not fitted.
        inputs: rows, ``(n, features)``.
        targets: ``(n,)`` or ``(n, outputs)``.
        evaluate: metrics of a fitted estimator.
        iterations: in a unit of warm starts.

    Raises:
        TypeError: the estimator has neither.
    """
    from sklearn.base import is_classifier
    from sklearn.exceptions import ConvergenceWarning

    partial = hasattr(estimator, "partial_fit")
    if not partial and "warm_start" not in estimator.get_params(deep=False):
        raise TypeError(
            f"{type(estimator).__name__}: expected an estimator with partial_fit or a parameter warm_start"
        )
    classes = {"classes": np.unique(targets)} if partial and is_classifier(estimator) else {}
    if (checkpoint := ctx.checkpoint) is not None:
        estimator = _restored(checkpoint, estimator)
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is to go on
            if partial:
                estimator.partial_fit(inputs, targets, **classes)
            else:
                estimator.set_params(warm_start=True, **_length(estimator, ctx.age, iterations))
                estimator.fit(inputs, targets)
        ctx.report(evaluate(estimator), checkpoint=lambda: _OBJECTS.apart(estimator))


def _length(estimator: Any, age: int, iterations: int) -> dict[str, int]:
    """The parameter that lets the next fit do so many iterations more."""
    if "n_estimators" in estimator.get_params(deep=False):
        return {"n_estimators": iterations * (age + 1)}
    # Boosting by histograms counts all its iterations, solvers count those of one call.
    total = "hist_gradient_boosting" in type(estimator).__module__
    return {"max_iter": iterations * (age + 1) if total else iterations}


def _restored(checkpoint: State, fresh: Any) -> Any:
    """What was saved, with the parameters of ``fresh``."""
    estimator = _OBJECTS.together(checkpoint)
    estimator.set_params(**fresh.get_params(deep=False))
    # A network keeps its learning rate in an optimizer of its own.
    optimizer, rate = getattr(estimator, "_optimizer", None), getattr(fresh, "learning_rate_init", None)
    if optimizer is not None and optimizer.learning_rate_init != rate:
        optimizer.learning_rate_init = optimizer.learning_rate = rate
    return estimator
