"""XGBoost: a unit of training is some rounds of boosting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search_spaces.extras import needs_extra
from workloads.loop import Context


def boost(
    ctx: Context, params: Mapping[str, Any], train: Any, validation: Any, rounds: int = 1, **options: Any
) -> None:
    """Train trees, and report after each unit what XGBoost computes on the validation data.

    Metrics are called as in XGBoost, such as ``rmse``. Parameters may change between units.

    Args:
        ctx: of ``train(config, ctx)``.
        params: of ``xgboost.train``; ``seed`` is set by this function.
        train: a ``DMatrix``.
        validation: a ``DMatrix``.
        rounds: in a unit.
        options: more arguments of ``xgboost.train``.
    """
    with needs_extra("workload.function", "boosting", "workloads.adapters.xgboost"):
        import xgboost

    saved: Any = ctx.checkpoint
    booster = None if saved is None else xgboost.Booster(model_file=bytearray(saved.tobytes()))
    while True:
        # Sampling of rows and columns repeats from each call's seed on.
        own = {"nthread": ctx.threads, **params, "seed": int(np.random.randint(2**31 - 1))}  # noqa: NPY002
        results: dict[str, dict[str, list[float]]] = {}
        booster = xgboost.train(
            own,
            train,
            rounds,
            evals=[(validation, "validation")],
            evals_result=results,
            xgb_model=booster,
            verbose_eval=False,
            **options,
        )
        metrics = {name: values[-1] for name, values in results["validation"].items()}
        ctx.report(metrics, checkpoint=lambda model=booster: np.frombuffer(model.save_raw("ubj"), np.uint8))
