"""Items stay within what MLflow accepts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils import validation

from orchestrator.tracking.items import Name, best, metrics, param, tag


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=400))
def test_keys_are_valid(key: str) -> None:
    (metric,) = metrics("", {f"config.{key}": 1.0}, step=1, time=0.0)
    assert validation.validate_param_and_metric_name(metric.key)
    assert len(metric.key) <= validation.MAX_ENTITY_KEY_LENGTH


def test_long_values_are_cut() -> None:
    assert len(param("", "a", "x" * 10_000).value) == validation.MAX_PARAM_VAL_LENGTH
    assert len(tag("", "a", "x" * 10_000).value) == validation.MAX_TAG_VAL_LENGTH
    assert param("", "a", "short").value == "short"


def test_only_the_best_run_is_called_so() -> None:
    assert best("trial-2", None) == [Name("trial-2", "trial-2 (best)")]
    assert best("trial-5", "trial-2") == [Name("trial-2", "trial-2"), Name("trial-5", "trial-5 (best)")]
    assert best("trial-5", "trial-5") == [Name("trial-5", "trial-5 (best)")]
