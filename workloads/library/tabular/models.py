"""Scikit-learn's models on its bundled data: real tuning tasks that need no download."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from search_spaces import Config, ConfigurationError, SearchSpace, build_space
from search_spaces.reading import closest, listing
from search_spaces.values import Scalar
from workloads.capabilities import Facts
from workloads.contract import Device, Fidelity, Metrics, Objective
from workloads.function import FunctionSession, FunctionWorkload
from workloads.knobs import Knob, Knobs, check_objectives
from workloads.library.tabular.folds import FOLDS, folds_of

Values = Mapping[str, Any]


class ScikitLearn:
    """One of scikit-learn's models on one of its data sets, judged by cross-validation.

    The folds are the same for everybody, stratified by class where there are classes. Columns, and targets
    that are numbers, are scaled to mean 0 and deviation 1 of the training rows. A session trains anew
    whenever it is asked.

    Metrics: ``validation_error``, the objective, smaller is better: the share of wrong answers, or for
    diabetes the share of the variance that is not explained; the mean over the folds.

    Models, their fidelity and their parameters (those that the space leaves out have scikit-learn's
    defaults):

    - ``svm``: percent of the training rows; C, kernel (rbf, linear), gamma (of rbf). Deterministic.
    - ``mlp``: epochs; width, layers (1 to 3), activation (relu, tanh, logistic), learning_rate, alpha,
      batch_size.
    - ``gradient_boosting``: trees; learning_rate, leaves, rows_per_leaf, l2, columns (share that a split may
      look at).
    - ``random_forest``: trees; columns, rows_per_leaf, rows_per_split, rows (share that a tree sees).

    Args:
        space: what varies; None: all parameters of the model.
        objectives: None: minimise ``validation_error``.
        model: svm, mlp, gradient_boosting or random_forest.
        dataset: breast_cancer (569 rows, 2 classes; 3 folds), wine (178, 3; 5), iris (150, 3; 5), digits
            (1,797, 10; the first of 3 folds) or diabetes (442, a number; 5).

    Raises:
        ConfigurationError: an argument is none of these, or the space does not fit the model.
    """

    def __init__(
        self,
        space: SearchSpace | None = None,
        objectives: Sequence[Objective] | None = None,
        model: str = "svm",
        dataset: str = "breast_cancer",
    ) -> None:
        if model not in _MODELS:
            raise ConfigurationError("model", f"one of {listing(_MODELS)}", model, closest(model, _MODELS))
        if dataset not in FOLDS:
            hint = closest(dataset, FOLDS)
            raise ConfigurationError("dataset", f"one of {listing(FOLDS)}", dataset, hint)
        self.model, self.dataset = model, dataset
        family = _MODELS[model]
        self.space = build_space(family.space) if space is None else space
        family.knobs.check_space(self.space)
        self.fidelity = family.fidelity
        self.objectives = (Objective("validation_error"),) if objectives is None else tuple(objectives)
        check_objectives(self.objectives, ["validation_error"])

    @property
    def facts(self) -> Facts:
        return Facts(deterministic=_MODELS[self.model].deterministic)

    def start(self, config: Config, seed: int, device: Device) -> FunctionSession:
        """A session; ``seed`` fixes what the model draws while it trains."""
        error = partial(self._error, threads=device.threads)
        arguments = ("seed", "fidelity")
        workload = FunctionWorkload(error, self.space, self.objectives, self.fidelity, arguments)
        return workload.start(config, seed, device)

    def _error(self, config: Config, seed: int, fidelity: int, threads: int) -> Metrics:
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        family = _MODELS[self.model]
        values = family.knobs.complete(config)
        amount = min(fidelity, self.fidelity.largest)
        folds, numeric = folds_of(self.dataset)
        errors = []
        with threadpool_limits(threads), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            for fold in folds:
                rows = len(fold.targets)
                if family.fidelity.unit == "percent":
                    rows = rows * amount // 100
                estimator = family.make(values, amount, seed % 2**32, numeric)
                estimator.fit(fold.inputs[:rows], fold.targets[:rows])
                errors.append(1 - float(estimator.score(fold.held_inputs, fold.held_targets)))
        return {"validation_error": float(np.mean(errors))}


@dataclass(frozen=True, eq=False)
class _Model:
    """A model and what can be tuned of it.

    Args:
        make: an estimator from its parameters, the fidelity, a seed and whether it predicts numbers.
        fidelity: what it can be given.
        knobs: its parameters.
        space: their usual space.
        deterministic: whether it draws nothing.
    """

    make: Callable[[Values, int, int, bool], Any]
    fidelity: Fidelity
    knobs: Knobs
    space: Mapping[str, Any]
    deterministic: bool = False


def _svm(values: Values, amount: int, seed: int, numeric: bool) -> Any:
    del amount, seed
    from sklearn.svm import SVC, SVR

    # Beyond that many steps libsvm is creeping: a bad C takes minutes for nothing.
    machine = partial(SVR if numeric else SVC, max_iter=20_000)
    return machine(C=values["C"], kernel=values["kernel"], gamma=values["gamma"])


def _mlp(values: Values, amount: int, seed: int, numeric: bool) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return (MLPRegressor if numeric else MLPClassifier)(
        hidden_layer_sizes=(values["width"],) * values["layers"],
        activation=values["activation"],
        learning_rate_init=values["learning_rate"],
        alpha=values["alpha"],
        batch_size=values["batch_size"],
        max_iter=amount,
        n_iter_no_change=amount,
        random_state=seed,
    )


def _gradient_boosting(values: Values, amount: int, seed: int, numeric: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingRegressor if numeric else HistGradientBoostingClassifier)(
        learning_rate=values["learning_rate"],
        max_leaf_nodes=values["leaves"],
        min_samples_leaf=values["rows_per_leaf"],
        l2_regularization=values["l2"],
        max_features=values["columns"],
        max_iter=amount,
        early_stopping=False,
        random_state=seed,
    )


def _random_forest(values: Values, amount: int, seed: int, numeric: bool) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return (RandomForestRegressor if numeric else RandomForestClassifier)(
        n_estimators=amount,
        max_features=values["columns"],
        min_samples_leaf=values["rows_per_leaf"],
        min_samples_split=values["rows_per_split"],
        max_samples=values["rows"],
        random_state=seed,
    )


def _number(low: float, high: float, log: bool = True) -> dict[str, Scalar]:
    return {"type": "float", "low": low, "high": high, "log": log}


def _whole(low: int, high: int, log: bool = True) -> dict[str, Scalar]:
    return {"type": "int", "low": low, "high": high, "log": log}


_MODELS = {
    "svm": _Model(
        _svm,
        Fidelity("percent", smallest=10, largest=100),
        Knobs(
            C=Knob(1.0, low=1e-9),
            kernel=Knob("rbf", choices=("rbf", "linear")),
            gamma=Knob(0.05, low=1e-9),
        ),
        {
            "parameters": {
                "C": _number(1e-2, 1e3),
                "kernel": {"type": "categorical", "choices": ["rbf", "linear"]},
                "gamma": _number(1e-5, 10.0),
            },
            "conditions": [{"child": "gamma", "parent": "kernel", "equals": "rbf"}],
        },
        deterministic=True,
    ),
    "mlp": _Model(
        _mlp,
        Fidelity("epoch", largest=27),
        Knobs(
            width=Knob(100, low=1, whole=True),
            layers=Knob(1, low=1, high=3, whole=True),
            activation=Knob("relu", choices=("relu", "tanh", "logistic")),
            learning_rate=Knob(1e-3, low=1e-9),
            alpha=Knob(1e-4, low=0.0),
            batch_size=Knob(32, low=1, whole=True),
        ),
        {
            "parameters": {
                "width": _whole(8, 64),
                "layers": _whole(1, 2, log=False),
                "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
                "learning_rate": _number(1e-4, 1e-1),
                "alpha": _number(1e-7, 1.0),
                "batch_size": _whole(16, 128),
            }
        },
    ),
    "gradient_boosting": _Model(
        _gradient_boosting,
        Fidelity("tree", largest=27),
        Knobs(
            learning_rate=Knob(0.1, low=1e-9),
            leaves=Knob(31, low=2, whole=True),
            rows_per_leaf=Knob(20, low=1, whole=True),
            l2=Knob(0.0, low=0.0),
            columns=Knob(1.0, low=1e-9, high=1.0),
        ),
        {
            "parameters": {
                "learning_rate": _number(1e-2, 1.0),
                "leaves": _whole(2, 16),
                "rows_per_leaf": _whole(1, 64),
                "l2": _number(1e-6, 1e2),
                "columns": _number(0.1, 1.0, log=False),
            }
        },
    ),
    "random_forest": _Model(
        _random_forest,
        Fidelity("tree", largest=27),
        Knobs(
            columns=Knob(1.0, low=1e-9, high=1.0),
            rows_per_leaf=Knob(1, low=1, whole=True),
            rows_per_split=Knob(2, low=2, whole=True),
            rows=Knob(1.0, low=1e-9, high=1.0),
        ),
        {
            "parameters": {
                "columns": _number(0.05, 1.0),
                "rows_per_leaf": _whole(1, 32),
                "rows_per_split": _whole(2, 64),
                "rows": _number(0.1, 1.0, log=False),
            }
        },
    ),
}
