"""What MLflow refuses, or somebody deleted there, never keeps the rest of a record from being complete."""

from __future__ import annotations

import logging
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Run
from mlflow.protos import databricks_pb2 as codes

from orchestrator.run.directory import RunDirectory
from orchestrator.tracking import recorder
from orchestrator.tracking.delivery import ATTEMPTS, TrackingError
from orchestrator.tracking.items import PARENT, Child, Metric, metrics, param, tag
from orchestrator.tracking.mlflow_client import connect
from orchestrator.tracking.names import clean_name
from orchestrator.tracking.recorder import MlflowRecorder
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.runs import Runs
from search_spaces import ConfigurationError
from tests.orchestrator.journals import PopulationJournal, write_journal
from tests.orchestrator.search_journals import SearchJournal

AWKWARD = {"val//acc": 0.1, "AR@1": 0.2, "AR_1": 0.3, "seconds": 42.0, "/acc": 0.4, "a/../b": 0.5}
AWKWARD |= {".": 0.6, "": 0.7, "huge": math.inf, "test.error": 0.8}
STUDY = PopulationJournal(size=3, generations=3)
Connected = Callable[..., MlflowRecorder]


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[list[str]], Exception | None]], None]:
    """Has ``log_batch`` raise what a function of the keys in it says."""

    def apply(rule: Callable[[list[str]], Exception | None]) -> None:
        answer = MlflowClient.log_batch

        def call(self: MlflowClient, run_id: str, metrics: Any, params: Any, tags: Any, **more: Any) -> Any:
            error = rule([item.key for item in (*metrics, *params, *tags)])
            if error is not None:
                raise error
            return answer(self, run_id, metrics, params, tags, **more)

        monkeypatch.setattr(MlflowClient, "log_batch", call)

    return apply


def runs(uri: str, record: MlflowRecorder) -> dict[str, Run]:
    client = MlflowClient(uri)
    parent = client.get_run(record.run_id)
    where = f"tags.`mlflow.parentRunId` = '{record.run_id}'"
    children = client.search_runs([parent.info.experiment_id], where)
    return {"parent": parent, **{run.data.tags["orchestrator.run"]: run for run in children}}


def study_of(uri: str) -> dict[str, Any]:
    """What a recording reads of a configuration."""
    run, cluster = {"config_dir": None, "dir": None}, {"address": None}
    tracking = {"uri": uri, "experiment": None, "required": True, "tensorboard": False}
    study = {"name": "pretended", "kind": "population"}
    return {"study": study, "run": run, "cluster": cluster, "tracking": tracking, "allow": []}


def assert_whole(uri: str, record: MlflowRecorder) -> None:
    found, client = runs(uri, record), MlflowClient(uri)
    assert sorted(found) == ["member-000", "member-001", "member-002", "parent"]
    assert found["parent"].data.params["population.size"] == "3"
    for name, run in found.items():
        key = "best.accuracy" if name == "parent" else "accuracy"
        assert [p.step for p in client.get_metric_history(run.info.run_id, key)] == [1, 2, 3], name
        assert run.info.status == "FINISHED"


def test_awkward_names_have_series_of_their_own(
    uri: str, connected: Connected, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    events = SearchJournal(trials=2, objectives=SearchJournal().objectives[:1]).events()
    for event in events:
        if event["event"] in ("report", "ended"):
            event["metrics"] = {**event["metrics"], **AWKWARD}
        if event["event"] == "suggested":
            event["config"] |= {"lr/": 0.5}
    record = connected()
    write_journal(tmp_path, events)
    with caplog.at_level(logging.WARNING):
        assert record.finish("FINISHED")
    data = runs(uri, record)["trial-0000"].data
    ours = {"seconds": "metric.seconds", "test.error": "metric.test.error"}
    for name, value in AWKWARD.items():
        if math.isfinite(value):
            assert data.metrics[ours.get(name, clean_name(name))] == value
    assert data.metrics["seconds"] == 2.0
    assert data.metrics["test.error"] != 0.8
    assert data.params[clean_name("config.lr/")] == "0.5"
    (line,) = [text for text in caplog.messages if "different in MLflow" in text]
    assert "'val//acc' is 'val/acc-x" in line and "and 4 more" in line


def test_population_metrics_named_like_ours_have_series_of_their_own(
    uri: str, connected: Connected, tmp_path: Path
) -> None:
    events = STUDY.events()
    for event in events:
        if event["event"] == "interval":
            event["metrics"] |= {"age": -1.0, "seconds": -2.0, "parent": -3.0, "config.learning_rate": -4.0}
            event["age"] += 1  # else it is no metric
    record = connected()
    write_journal(tmp_path, events)
    assert record.finish("FINISHED")
    found = runs(uri, record)["member-000"].data.metrics
    assert found["age"] > 0 and found["seconds"] > 0 and found["config.learning_rate"] > 0
    names = ("age", "seconds", "parent", "config.learning_rate")
    assert [found[f"metric.{name}"] for name in names] == [-1.0, -2.0, -3.0, -4.0]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(st.text(max_size=300), st.floats() | st.integers(), max_size=4),
    texts=st.dictionaries(st.text(max_size=300), st.text(max_size=60), max_size=4),
)
def test_whatever_it_is_called_mlflow_takes_it(uri: str, values: Any, texts: Any) -> None:
    """In a real database: all that is finite arrives, and nothing is left out."""
    made = Runs(connect(uri, "anything"), key=repr((values, texts))[:50].encode().hex())
    made.begin("parent", {}, [])
    settings_ = [make("child", key, text) for key, text in texts.items() for make in (param, tag)]
    made.log([Child("child"), *metrics("child", values, 1, 0.0), *settings_])
    data = MlflowClient(uri).get_run(made.ids["child"]).data
    wanted = metrics("", values, 1, 0.0)
    assert {key: float(value) for key, value in data.metrics.items()} == {m.key: m.value for m in wanted}
    assert (
        data.params.items() >= {clean_name(key): param("", key, t).value for key, t in texts.items()}.items()
    )
    assert not [note for note in made.notes if "refuses" in note]


@pytest.mark.parametrize("code", [codes.INVALID_PARAMETER_VALUE, codes.INTERNAL_ERROR])
def test_one_refused_item_is_left_out_and_said_once(
    code: int, uri: str, connected: Connected, tmp_path: Path, batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where an unclear error does not say that it is a refusal."""
    calls: list[int] = []

    def refuse(keys: list[str]) -> Exception | None:
        calls.append(len(keys))
        return MlflowException("not with us", code) if "loss" in keys else None

    record = connected()
    batch(refuse)
    STUDY.write(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert record.finish("FINISHED")
    assert_whole(uri, record)
    assert all("loss" not in run.data.metrics for run in runs(uri, record).values())
    refused = [text for text in caplog.messages if "refuses" in text]
    assert refused == ["MLflow refuses the metric 'loss' of member-000, which is left out (not with us)"]
    assert "away" not in caplog.text and "incomplete" not in caplog.text
    assert len(calls) < 60


def test_what_fails_although_nothing_is_wrong_with_it_is_tried_again(uri: str, batch: Any) -> None:
    made = Runs(connect(uri, "pretended"), key="hiccups")
    made.begin("parent", {}, [])
    failures = [MlflowException("hiccup", codes.INTERNAL_ERROR)] * (ATTEMPTS - 1)
    batch(lambda keys: failures.pop() if failures else None)
    made.log([Metric(PARENT, "a", 1.0, 1, 0)])
    assert MlflowClient(uri).get_run(made.ids[PARENT]).data.metrics == {"a": 1.0}
    assert made.notes == []


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("connection refused"),
        MlflowException("not yours", codes.PERMISSION_DENIED),
        MlflowException("database is locked", codes.TEMPORARILY_UNAVAILABLE),
    ],
)
def test_a_server_that_takes_nothing_is_away_and_nothing_is_left_out(
    error: Exception, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Runs(connect(uri, "pretended"), key=f"away {error}")
    made.begin("parent", {}, [])

    def fail(*arguments: Any, **named: Any) -> None:
        raise error

    items = [Metric(PARENT, "a", 1.0, step, 0) for step in range(5)]
    with monkeypatch.context() as patch:
        for method in ("log_batch", "set_tag"):
            patch.setattr(MlflowClient, method, fail)
        with pytest.raises(TrackingError):
            made.log(items)
    assert made.notes == []
    made.log(items)
    assert len(MlflowClient(uri).get_metric_history(made.ids[PARENT], "a")) == 5


@pytest.mark.parametrize("which", [["member-001"], ["parent"], ["parent", "member-000", "member-002"]])
@pytest.mark.parametrize("when", ["running", "ended", "between"])
def test_runs_that_somebody_deleted_are_recorded_again(
    when: str, which: list[str], uri: str, connected: Connected, tmp_path: Path, caplog: Any
) -> None:
    """While the study runs, when all is recorded, and between two processes."""
    events, client = STUDY.events(), MlflowClient(uri)
    record = connected()
    first = len(events) // 2
    write_journal(tmp_path, events[:first])
    record._drain()
    if when == "ended":
        write_journal(tmp_path, events[first:])
        record._drain()
    before = runs(uri, record)
    for name in which:
        client.delete_run(before[name].info.run_id)
    if when == "running":
        write_journal(tmp_path, events[first:])
    if when == "between":
        record = connected()
        write_journal(tmp_path, events[first:])
    with caplog.at_level(logging.WARNING):
        assert record.finish("FINISHED")
    assert_whole(uri, record)
    after = runs(uri, record)
    assert {name for name in after if after[name].info.run_id != before[name].info.run_id} == set(which)
    assert [text for text in caplog.messages if text.startswith("Deleted in MLflow meanwhile")]


def test_a_deleted_experiment_waits_until_it_is_restored(
    uri: str, connected: Connected, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, client = connected(experiment="restored"), MlflowClient(uri)
    experiment = client.get_run(record.run_id).info.experiment_id
    client.delete_experiment(experiment)
    STUDY.write(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert not record.finish("FINISHED")
    assert "incomplete" in caplog.text
    client.restore_experiment(experiment)
    again = connected(experiment="restored")
    assert again.finish("FINISHED")
    assert again.run_id == record.run_id
    assert_whole(uri, again)


def test_a_complete_study_stands_where_its_server_is_away(
    uri: str, connected: Connected, tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It has been recorded there, so its URI is none that was mistyped: the record waits."""
    first = connected()
    STUDY.write(tmp_path)
    connect_ = recorder.mlflow_client.connect

    def away(to: str, experiment: str) -> Any:
        raise ConfigurationError("tracking.uri", "an MLflow server or database that answers", to, "refused")

    config = study_of(uri)
    monkeypatch.setattr(recorder.mlflow_client, "connect", away)
    with caplog.at_level(logging.WARNING), Recording(config, RunDirectory(tmp_path)) as recording:
        recording.start()
        recording.finish(0, None)
    assert recording.view is not None and uri in recording.view
    assert caplog.text.count("The MLflow record is incomplete") == 1

    monkeypatch.setattr(recorder.mlflow_client, "connect", connect_)
    later = connected()
    assert later.finish("FINISHED")
    assert later.run_id == first.run_id
    assert_whole(uri, later)


def test_a_server_that_was_never_reached_is_refused_at_once(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    config = study_of(uri)
    with (
        Recording(config, RunDirectory(tmp_path)) as recording,
        pytest.raises(ConfigurationError, match=r"tracking\.uri"),
    ):
        recording.start()


def test_a_file_that_cannot_be_kept_does_not_take_the_others_with_it(
    uri: str, connected: Connected, tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    STUDY.write(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    record = connected()

    def full(*arguments: Any) -> None:
        raise RuntimeError("the bucket is full")

    monkeypatch.setattr(MlflowClient, "log_artifacts", full)
    with caplog.at_level(logging.WARNING):
        assert not record.finish("FINISHED", results)
    assert "incomplete (the bucket is full)" in caplog.text
    listed = {file.path for file in MlflowClient(uri).list_artifacts(record.run_id)}
    assert listed == {"config.yaml", "lineage.json"}
    assert_whole(uri, record)
