"""The scenarios of YAHPO Gym 1.0 (Pfisterer, Schneider, Moosbauer, Binder and Bischl 2022).

Their files do not say in which order the surrogates take parameters and report metrics; YAHPO Gym's source
does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """What the surrogate of a scenario takes and reports.

    Args:
        instance: the parameter that says which data set is learned from.
        categories: what it takes as codes, in this order.
        numbers: what it takes as numbers, in this order.
        fidelity: the parameter that says how much is trained.
        metrics: what it reports, in this order.
        seconds: the metric that is a run time.
        full: further fidelities, which are held at their largest value.
    """

    instance: str
    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    fidelity: str
    metrics: tuple[str, ...]
    seconds: str
    full: tuple[str, ...] = ()

    @property
    def usual(self) -> str:
        """The metric that published studies optimise when they optimise one."""
        return next(name for name in ("val_accuracy", "acc", "mmce") if name in self.metrics)


LARGER_IS_BETTER = frozenset(
    {"val_accuracy", "val_balanced_accuracy", "test_balanced_accuracy", "acc", "bac", "auc", "f1"}
)

WORST = dict.fromkeys(LARGER_IS_BETTER, 0.0) | {"mmce": 1.0}
"""The worst value that a metric can take, where there is one."""

_XGBOOST = (
    *("nrounds", "eta", "gamma", "lambda", "alpha", "subsample", "max_depth", "min_child_weight"),
    *("colsample_bytree", "colsample_bylevel"),
)
_DROPS = ("rate_drop", "skip_drop")
_FOREST = ("num.trees", "sample.fraction", "mtry.power", "min.node.size", "num.random.splits")
_RATIO_FOREST = ("num.trees", "sample.fraction", "mtry.ratio", "min.node.size", "num.random.splits")
_FAIR_FOREST = ("min.node.size", "mtry.ratio", "num.random.splits", "num.trees", "sample.fraction")
_TREE = ("cp", "maxdepth", "minbucket", "minsplit")
_LINEAR = ("alpha", "s")
_SVM = ("cost", "gamma", "tolerance", "degree")
_NEIGHBOURS = ("k", "M", "ef", "ef_construction")
_FAIRNESS = ("reweighing_os_alpha", "EoD_alpha")


def _of(learner: str, *names: str) -> tuple[str, ...]:
    """Names as in the scenarios that choose among learners."""
    return tuple(f"{learner}.{name}" for name in names)


def _rbv2(numbers: tuple[str, ...], *categories: str) -> Scenario:
    return Scenario(
        instance="task_id",
        categories=("task_id", *categories, "num.impute.selected.cpo"),
        numbers=(*numbers, "trainsize", "repl"),
        fidelity="trainsize",
        metrics=("acc", "bac", "auc", "brier", "f1", "logloss", "timetrain", "timepredict", "memory"),
        seconds="timetrain",
        full=("repl",),
    )


def _iaml(numbers: tuple[str, ...], *categories: str) -> Scenario:
    return Scenario(
        instance="task_id",
        categories=("task_id", *categories),
        numbers=(*numbers, "trainsize"),
        fidelity="trainsize",
        metrics=(
            *("mmce", "f1", "auc", "logloss", "ramtrain", "rammodel", "rampredict"),
            *("timetrain", "timepredict", "mec", "ias", "nf"),
        ),
        seconds="timetrain",
    )


def _fair(numbers: tuple[str, ...], *categories: str) -> Scenario:
    return Scenario(
        instance="task_id",
        categories=categories,
        numbers=(*numbers, "trainsize"),
        fidelity="trainsize",
        metrics=("mmce", "f1", "feo", "fpredp", "facc", "ftpr", "ffomr", "ffnr", "timetrain"),
        seconds="timetrain",
    )


def _darts() -> tuple[str, ...]:
    cells = ("normal", "reduce")
    edges = [f"edge_{cell}_{i}" for cell in cells for i in range(14)]
    inputs = [f"inputs_node_{cell}_{i}" for cell in cells for i in (3, 4, 5)]
    return tuple(f"NetworkSelectorDatasetInfo_COLON_darts_COLON_{name}" for name in (*edges, *inputs))


_FOREST_CATEGORIES = ("respect.unordered.factors", "splitrule")

SCENARIOS = {
    "lcbench": Scenario(
        instance="OpenML_task_id",
        categories=("OpenML_task_id",),
        numbers=(
            *("epoch", "batch_size", "learning_rate", "momentum", "weight_decay"),
            *("num_layers", "max_units", "max_dropout"),
        ),
        fidelity="epoch",
        metrics=(
            *("time", "val_accuracy", "val_cross_entropy", "val_balanced_accuracy"),
            *("test_cross_entropy", "test_balanced_accuracy"),
        ),
        seconds="time",
    ),
    "nb301": Scenario(
        instance="dataset",
        categories=_darts(),
        numbers=("epoch",),
        fidelity="epoch",
        metrics=("val_accuracy", "runtime"),
        seconds="runtime",
    ),
    "rbv2_svm": _rbv2(_SVM, "kernel"),
    "rbv2_ranger": _rbv2(_FOREST, *_FOREST_CATEGORIES),
    "rbv2_rpart": _rbv2(_TREE),
    "rbv2_glmnet": _rbv2(_LINEAR),
    "rbv2_xgboost": _rbv2((*_XGBOOST, *_DROPS), "booster"),
    "rbv2_aknn": _rbv2(_NEIGHBOURS, "distance"),
    "rbv2_super": _rbv2(
        (
            *_of("svm", *_SVM),
            *_of("glmnet", *_LINEAR),
            *_of("rpart", *_TREE),
            *_of("ranger", *_FOREST),
            *_of("aknn", *_NEIGHBOURS),
            *_of("xgboost", *_XGBOOST, *_DROPS),
        ),
        *("learner_id", "svm.kernel", *_of("ranger", *_FOREST_CATEGORIES)),
        *("aknn.distance", "xgboost.booster"),
    ),
    "iaml_ranger": _iaml(_RATIO_FOREST, "replace", *_FOREST_CATEGORIES),
    "iaml_rpart": _iaml(_TREE),
    "iaml_glmnet": _iaml(_LINEAR),
    "iaml_xgboost": _iaml((*_XGBOOST, *_DROPS), "booster"),
    "iaml_super": _iaml(
        (
            *_of("ranger", *_RATIO_FOREST),
            *_of("rpart", *_TREE),
            *_of("glmnet", *_LINEAR),
            *_of("xgboost", *_XGBOOST, *_DROPS),
        ),
        *("learner", *_of("ranger", "replace", *_FOREST_CATEGORIES), "xgboost.booster"),
    ),
    "fair_fgrrm": _fair(("lambda", "unfairness"), "task_id", "definition"),
    "fair_rpart": _fair((*_TREE, *_FAIRNESS), "task_id", "pre_post"),
    "fair_ranger": _fair((*_FAIR_FOREST, *_FAIRNESS), "replace", *_FOREST_CATEGORIES, "task_id", "pre_post"),
    "fair_xgboost": _fair((*_XGBOOST, *_FAIRNESS), "booster", "task_id", "pre_post"),
    "fair_super": _fair(
        (
            *_of("fgrrm", "lambda", "unfairness"),
            *_of("rpart", *_TREE),
            *_of("ranger", *_FAIR_FOREST),
            *_of("xgboost", *_XGBOOST),
            *_FAIRNESS,
        ),
        *("fgrrm.definition", *_of("ranger", "replace", *_FOREST_CATEGORIES), "xgboost.booster"),
        *("learner", "task_id", "pre_post"),
    ),
}
"""By name. Folders of other names are no scenarios."""
