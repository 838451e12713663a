"""LightGBM: a unit of training is some rounds of boosting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search_spaces.extras import needs_extra
from workloads.loop import Context


def boost(
    ctx: Context, params: Mapping[str, Any], train: Any, validation: Any, rounds: int = 1, **options: Any
) -> None:
    """Train trees, and report after each unit what LightGBM computes on the validation data.

    Metrics are called as in LightGBM, such as ``l2``. Parameters may change between units, but for those that
    the data sets were built with.

    Args:
        ctx: of ``train(config, ctx)``.
        params: of ``lightgbm.train``; ``seed`` is set by this function.
        train: a ``Dataset`` with ``free_raw_data=False``.
        validation: a ``Dataset`` with ``free_raw_data=False``.
        rounds: in a unit.
        options: more arguments of ``lightgbm.train``.
    """
    with needs_extra("workload.function", "boosting", "workloads.adapters.lightgbm"):
        import lightgbm

    saved: Any = ctx.checkpoint
    model: str | None = saved and saved["model"]
    while True:
        booster = None if model is None else lightgbm.Booster(model_str=model)
        own = {
            "num_threads": ctx.threads,
            "verbosity": -1,
            "deterministic": True,
            **params,
            "seed": int(np.random.randint(2**31 - 1)),  # noqa: NPY002 - seeded by each report
        }
        results: dict[str, dict[str, list[float]]] = {}
        booster = lightgbm.train(
            own,
            train,
            rounds,
            valid_sets=[validation],
            valid_names=["validation"],
            init_model=booster,
            callbacks=[lightgbm.record_evaluation(results)],
            **options,
        )
        model = booster.model_to_string()
        metrics = {name: values[-1] for name, values in results["validation"].items()}
        ctx.report(metrics, checkpoint={"model": model})
