"""Names are cleaned for MLflow and stay as different as they were; checked by MLflow's own rules."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.utils import validation

from orchestrator.tracking.items import Metric, metrics, param, tag
from orchestrator.tracking.names import clean_name, clean_text, column_names

awkward = st.text(st.sampled_from("ab_@/. :-x0\n\ud800é"), max_size=12) | st.text(max_size=400)


@given(awkward)
@example("")
@example(".")
@example("/acc")
@example("val//acc")
@example("a/../b")
@example("lr/")
@example("..hidden")
@example("a\n")
@example("x" * 251)
@example("\ud800")
def test_every_name_becomes_one_that_mlflow_takes(name: str) -> None:
    cleaned = clean_name(name)
    validation._validate_metric_name(cleaned)
    validation._validate_param_name(cleaned)
    validation._validate_tag_name(cleaned)
    validation._validate_length_limit("name", validation.MAX_ENTITY_KEY_LENGTH, cleaned)
    cleaned.encode()


@given(st.lists(awkward, unique=True, max_size=30))
@example(["AR@1", "AR_1", "AR-1", "AR 1", "AR@1-x000000"])
@example(["", ".", "..", "/", "//", "./."])
def test_no_two_names_become_one(names: list[str]) -> None:
    cleaned = [clean_name(name) for name in names]
    assert len(set(cleaned)) == len(names)
    again = [clean_name(name) for name in dict.fromkeys([*names, *cleaned])]
    assert len(set(again)) == len(again), "a cleaned name is no other name's"


@pytest.mark.parametrize("name", ["loss", "val/acc", "top 5", "AR_1", "a:b", "config.lr", "größe", "x" * 250])
def test_a_name_that_mlflow_takes_stays(name: str) -> None:
    assert clean_name(name) == name
    assert param("", name, 1).name is tag("", name, 1).name is None


def test_what_is_readable_of_a_name_is_kept() -> None:
    assert clean_name("AR@1").startswith("AR_1-x")
    assert clean_name("val//acc").startswith("val/acc-x")
    assert clean_name("/acc").startswith("acc-x")
    assert clean_name("").startswith("unnamed-x")
    assert param("", "lr/", 1).name == "lr/"


@given(st.text(max_size=50), st.integers(1, 40))
def test_texts_can_be_stored(text: str, longest: int) -> None:
    cleaned = clean_text(text, longest)
    cleaned.encode()
    assert len(cleaned) <= longest
    assert "\0" not in cleaned


def test_values_that_are_no_finite_numbers_are_left_out_and_the_others_kept() -> None:
    values = {"a": float("nan"), "b": float("inf"), "c": 10**400, "d": 10**20, "e": True}
    assert {item.key: item.value for item in metrics("", values, 1, 0.0)} == {"d": 1e20, "e": 1.0}


def test_a_workloads_metric_never_shares_a_series_of_ours() -> None:
    ours = ("age", "seconds", "config.")
    values = dict.fromkeys(("age", "loss", "config.lr", "metric.age", "config", "seconds", "ages"), 1.0)
    found = {item.name or item.key: item.key for item in metrics("", values, 1, 0.0, ours)}
    assert found == {
        "age": "metric.age",
        "seconds": "metric.seconds",
        "config.lr": "metric.config.lr",
        "metric.age": "metric.metric.age",
        "loss": "loss",
        "config": "config",
        "ages": "ages",
    }
    assert metrics("", {"age": 1.0}, 2, 3.0) == [Metric("", "age", 1.0, 2, 3000)], "ours itself"


def test_columns_of_a_table_have_no_dots_and_stay_apart() -> None:
    assert column_names(["trial", "config.lr", "config/lr", "a.b.c"]) == [
        "trial",
        "config/lr",
        "config/lr (2)",
        "a/b/c",
    ]
