"""The record in a real MLflow on sqlite: complete, without duplicates, also where MLflow is away at times."""

from __future__ import annotations

import json
import logging
import math
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from orchestrator.config.schema import flat
from orchestrator.population.history.history import PopulationHistory
from orchestrator.reporting.population.results import write_results
from orchestrator.reporting.search.results import write_results as write_search_results
from orchestrator.run.directory import RunDirectory
from orchestrator.search.history.history import SearchHistory
from orchestrator.tracking import following, mlflow_client
from orchestrator.tracking.credentials import put_away
from orchestrator.tracking.recorder import MlflowRecorder
from search_spaces import ConfigurationError
from tests.orchestrator import search_journals
from tests.orchestrator.journals import PopulationJournal, killed_and_resumed, write_journal
from tests.orchestrator.search_journals import SearchJournal

STUDY = PopulationJournal(size=3, generations=3, failures={(2, 3): "boom"})
PARAMETERS = {"study.name": "pretended", "population.size": "3"}


class Away:
    """A server that is away for some calls; without arguments for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str, calls: float = math.inf) -> None:
        self.left, self._answer = calls, getattr(MlflowClient, method)
        away = self

        def call(client: MlflowClient, *arguments: Any, **named: Any) -> Any:
            if away.left > 0:
                away.left -= 1
                raise ConnectionError("connection refused")
            return away._answer(client, *arguments, **named)

        monkeypatch.setattr(MlflowClient, method, call)


def runs(uri: str, record: MlflowRecorder) -> dict[str, Run]:
    """The parent run as "parent", and the child runs by the names that they began with."""
    client = MlflowClient(uri)
    parent = client.get_run(record.run_id)
    where = f"tags.`mlflow.parentRunId` = '{record.run_id}'"
    children = client.search_runs([parent.info.experiment_id], where)
    found = {run.data.tags["orchestrator.run"]: run for run in children}
    assert len(found) == len(children), "a child run was made twice"
    return {"parent": parent, **found}


def history(uri: str, run: Run, key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in MlflowClient(uri).get_metric_history(run.info.run_id, key)]


def accuracies(events: list[dict[str, Any]], member: int) -> list[tuple[int, float]]:
    return [
        (e["generation"], e["metrics"]["accuracy"])
        for e in events
        if e["event"] == "interval" and e["member"] == member and e["metrics"]
    ]


def assert_complete(uri: str, record: MlflowRecorder) -> None:
    found, events = runs(uri, record), STUDY.events()
    assert sorted(found) == ["member-000", "member-001", "member-002", "parent"]
    for member in range(3):
        assert history(uri, found[f"member-{member:03d}"], "accuracy") == accuracies(events, member)
    assert [step for step, _ in history(uri, found["parent"], "best.accuracy")] == [1, 2, 3]


def test_a_study_is_recorded_whole(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    entry = {"versions": {"orchestrator": "0.1.0"}, "commits": {"orchestrator": "abc", "/code": "def"}}
    (tmp_path / "provenance.json").write_text(json.dumps([entry]))
    record = connected()
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    STUDY.write(tmp_path)
    weights = tmp_path / STUDY.events()[-1]["weights"]
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    results = write_results(tmp_path / "results", PopulationHistory.from_events(STUDY.events()))
    record.start()
    assert record.finish("FINISHED", results)
    assert_complete(uri, record)

    found = runs(uri, record)
    parent, best = found["parent"], STUDY.events()[-1]["member"]
    assert {name: run.info.status for name, run in found.items()} == {
        "parent": "FINISHED",
        "member-000": "FINISHED",
        "member-001": "FINISHED",
        "member-002": "FAILED",
    }
    assert parent.data.params == PARAMETERS
    expected = {"study": "pretended", "seed": "0", "kind": "population", "run_directory": str(tmp_path)}
    assert expected.items() <= parent.data.tags.items()
    provenance = {"version": "0.1.0", "commit": "abc", "commit_of_user_code": "def"}
    assert provenance.items() <= parent.data.tags.items()
    assert parent.data.tags["best_member"] == str(best)
    tagged = [name for name, run in found.items() if run.data.tags.get("best") == "true"]
    assert tagged == [f"member-{best:03d}"]
    assert [run.info.run_name for run in found.values() if "(best)" in run.info.run_name] == [
        f"member-{best:03d} (best)"
    ]
    assert f"Best: member {best} after generation" in parent.data.tags["mlflow.note.content"]
    assert parent.data.metrics["test.accuracy"] == STUDY.events()[-1]["test"]["accuracy"]
    assert "born.activation" in found["member-000"].data.params
    assert "config.activation" in found["member-000"].data.tags

    client = MlflowClient(uri)
    listed = {file.path for file in client.list_artifacts(record.run_id)}
    assert listed == {"results", "config.yaml", "provenance.json", "lineage.json", "best_member"}
    kept = {Path(artifact.path).name for artifact in client.list_artifacts(record.run_id, "results")}
    assert kept == {path.name for path in results.iterdir()} >= {"schedule.html", "schedule.png"}
    table = json.loads(Path(client.download_artifacts(record.run_id, "lineage.json")).read_text())
    assert len(table["data"]) == PopulationHistory.from_events(STUDY.events()).exploits
    assert table["columns"][:3] == ["generation", "member", "parent"]
    assert table["columns"][-1] == "parent_loss/accuracy", "MLflow's page shows nothing below a dotted name"
    assert json.loads(parent.data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "lineage.json", "type": "table"}
    ]


def test_a_search_study_is_recorded_whole(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    study = SearchJournal(trials=12, rungs=(1, 3), failures={2: "boom"})
    record = connected()
    study.write(tmp_path)
    search = SearchHistory.from_events(study.events())
    assert record.finish(
        "FINISHED", write_search_results(tmp_path / "results", search, search_journals.space())
    )

    found = runs(uri, record)
    parent = found.pop("parent")
    assert sorted(found) == [f"trial-{number:04d}" for number in range(12)]
    front = {f"trial-{member.number:04d}" for member in search.pareto()}
    for member in search.records.values():
        name = f"trial-{member.number:04d}"
        run = found[name]
        assert run.data.params["config.width"] == str(member.config["width"])
        assert history(uri, run, "error") == [(r.fidelity, r.metrics["error"]) for r in member.reports]
        assert run.data.tags["pareto"] == ("true" if name in front else "false")
        assert run.info.start_time == round(1000 * member.suggested)
        assert run.info.end_time == round(1000 * (member.ended or 0))
    assert {name for name, run in found.items() if run.info.status != "FINISHED"} == {"trial-0002"}
    knee = search.knee()
    assert knee is not None
    named = [run.info.run_name for run in found.values() if "(best)" in run.info.run_name]
    assert named == [f"trial-{knee.number:04d} (best)"]
    assert f"its knee point is trial {knee.number} (" in parent.data.tags["mlflow.note.content"]
    volumes = search.hypervolume_over_time().tolist()
    assert history(uri, parent, "hypervolume") == list(enumerate(volumes, start=1))
    client = MlflowClient(uri)
    listed = {file.path for file in client.list_artifacts(record.run_id)}
    assert listed == {"results", "pareto.json"}
    assert json.loads(parent.data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "pareto.json", "type": "table"}
    ]


def test_an_interrupted_search_study_goes_on_in_the_same_runs(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    events = SearchJournal(trials=6, concurrency=2).events()
    ends = [place for place, event in enumerate(events) if event["event"] == "ended"]
    events = search_journals.killed_and_resumed(events, after=ends[2] + 1)
    first = connected()
    write_journal(tmp_path, events[: ends[2] + 1])
    assert first.finish("KILLED")
    statuses = {name: run.info.status for name, run in runs(uri, first).items()}
    assert statuses == {
        "parent": "KILLED",
        "trial-0000": "FINISHED",
        "trial-0001": "FINISHED",
        "trial-0002": "FINISHED",
        "trial-0003": "KILLED",
    }
    second = connected()
    write_journal(tmp_path, events[ends[2] + 1 :])
    assert second.finish("FINISHED")
    assert second.run_id == first.run_id
    assert {run.info.status for run in runs(uri, second).values()} == {"FINISHED"}
    assert len(runs(uri, second)) == 7


def test_finishing_twice_changes_nothing(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    record = connected()
    STUDY.write(tmp_path)
    assert record.finish("FINISHED")
    assert record.finish("KILLED")
    assert runs(uri, record)["parent"].info.status == "FINISHED"


def test_a_later_process_goes_on_in_the_same_runs(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    events = killed_and_resumed(STUDY.events(), killed_after=2, back_to=1)
    until = next(place for place, event in enumerate(events) if event["event"] == "resume")
    first = connected()
    write_journal(tmp_path, events[:until])
    assert first.finish("KILLED")
    assert runs(uri, first)["parent"].info.status == "KILLED"

    second = connected({**PARAMETERS, "population.size": "changed", "resume": "here"})
    assert second.run_id == first.run_id
    assert runs(uri, second)["parent"].info.status == "RUNNING"
    write_journal(tmp_path, events[until:])
    assert second.finish("FINISHED")
    assert_complete(uri, second)
    assert runs(uri, second)["parent"].data.params == {**PARAMETERS, "resume": "here"}


def test_a_process_that_died_before_it_wrote_its_progress_leaves_no_duplicates(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    first = connected()
    before = (tmp_path / "tracking.json").read_text()
    STUDY.write(tmp_path)
    assert first.finish("FINISHED")
    (tmp_path / "tracking.json").write_text(before)
    second = connected()
    assert second.finish("FINISHED")
    assert_complete(uri, second)


@pytest.mark.parametrize("damaged", ["", "[]", '{"other": 1}'])
def test_a_damaged_progress_file_stops_no_study(
    damaged: str,
    uri: str,
    connected: Callable[..., MlflowRecorder],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connected().close()
    (tmp_path / "tracking.json").write_text(damaged)
    STUDY.write(tmp_path)
    second = connected()
    assert second.finish("FINISHED")
    assert_complete(uri, second)
    assert f"{tmp_path / 'tracking.json'} is damaged" in caplog.text


def test_a_record_that_was_deleted_is_made_anew(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    first = connected()
    STUDY.write(tmp_path)
    assert first.finish("FINISHED")
    for run in runs(uri, first).values():
        MlflowClient(uri).delete_run(run.info.run_id)
    second = connected()
    assert second.run_id != first.run_id
    assert second.finish("FINISHED")
    assert_complete(uri, second)


@pytest.mark.parametrize("method", ["log_batch", "create_run"])
def test_mlflow_goes_away_and_comes_back(
    uri: str,
    connected: Callable[..., MlflowRecorder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    monkeypatch.setattr(following, "PERIOD", 0.001)
    monkeypatch.setattr(following, "SHARE", math.inf)
    record = connected()
    away = Away(monkeypatch, method, calls=3)
    STUDY.write(tmp_path)
    with caplog.at_level(logging.WARNING):
        record.start()
        assert wait_until(lambda: away.left == 0 and "MLflow is back" in caplog.text)
    assert caplog.text.count("MLflow is away (connection refused)") == 1
    assert record.finish("FINISHED")
    assert_complete(uri, record)


def test_a_lost_answer_makes_no_second_run(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = connected()
    STUDY.write(tmp_path)
    make = MlflowClient.create_run
    lost: list[Run] = []

    def lose_first_answer(client: MlflowClient, *arguments: Any, **named: Any) -> Run:
        run = make(client, *arguments, **named)
        if not lost:
            lost.append(run)
            raise TimeoutError("no answer")
        return run

    monkeypatch.setattr(MlflowClient, "create_run", lose_first_answer)
    assert record.finish("FINISHED")
    assert_complete(uri, record)


def test_mlflow_that_stays_away_is_reported_with_what_completes_the_record(
    uri: str,
    connected: Callable[..., MlflowRecorder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record = connected()
    STUDY.write(tmp_path)
    with monkeypatch.context() as patch:
        Away(patch, "log_batch")
        assert not record.finish("FINISHED")
    assert "incomplete (connection refused)" in caplog.text
    assert f"python -m orchestrator resume={tmp_path}" in caplog.text

    later = connected()
    assert later.finish("FINISHED")
    assert_complete(uri, later)


def test_progress_is_kept_in_the_run_directory(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    record = connected()
    STUDY.write(tmp_path)
    assert record.finish("FINISHED")
    progress = json.loads((tmp_path / "tracking.json").read_text())
    assert progress["uri"] == uri
    assert progress["run_id"] == record.run_id
    assert progress["events"] == len(STUDY.events())
    assert set(progress["children"]) == {"member-000", "member-001", "member-002"}


def test_a_relative_uri_means_the_same_database_from_another_folder(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Path(uri.removeprefix("sqlite:///"))
    monkeypatch.chdir(database.parent)
    first = MlflowRecorder(tmp_path, f"sqlite:///{database.name}", "pretended", {})
    first.connect()
    first.begin()
    monkeypatch.chdir(tmp_path)
    second = MlflowRecorder(tmp_path, f"sqlite:///{database.name}", "pretended", {})
    second.connect()
    second.begin()
    assert second.run_id == first.run_id
    assert second.view == f"{mlflow_client.command()} ui --backend-store-uri {uri}"
    assert not (tmp_path / database.name).exists()


def test_many_items_are_logged_in_calls_that_mlflow_accepts(uri: str, tmp_path: Path) -> None:
    many = {f"section.key{number}": "x" * 7_000 for number in range(130)}
    record = MlflowRecorder(tmp_path, uri, "pretended", many)
    record.connect()
    record.begin()
    assert len(runs(uri, record)["parent"].data.params) == 130


def test_a_deleted_experiment_is_refused(uri: str, tmp_path: Path) -> None:
    client = MlflowClient(uri)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(ConfigurationError, match=r"tracking\.experiment: .* 'gone' \(restore it with"):
        MlflowRecorder(tmp_path, uri, "gone", {}).connect()


def test_an_unreachable_server_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConfigurationError, match=r"^tracking\.uri: expected an MLflow server") as raised:
        MlflowRecorder(tmp_path, f"http://127.0.0.1:{port}", "pretended", {}).connect()
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "tracking.json").exists()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("something else " * 100)
    with pytest.raises(ConfigurationError, match=r"^tracking\.uri: "):
        mlflow_client.connect(f"sqlite:///{tmp_path / 'mlflow.db'}", "pretended")


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether ``condition`` comes true; polls, so that it costs only what it takes."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_no_password_is_recorded_and_the_server_is_reached_with_it(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database stands for the server: what is asked to connect is checked, and then connects there."""
    real, run = "http://me:secret@127.0.0.1:5000", RunDirectory(tmp_path)
    study = {"tracking": {"uri": real}, "data": {"source": "http://you:hidden@data"}}
    shown = put_away(study, run)["tracking"]["uri"]
    asked: list[str] = []
    connect = mlflow_client.connect

    def connected(to: str, experiment: str) -> mlflow_client.Connection:
        asked.append(to)
        return replace(connect(uri, experiment), uri=to)

    monkeypatch.setattr(mlflow_client, "connect", connected)
    (tmp_path / "config.yaml").write_text("data: {source: 'http://you:hidden@data'}\n")
    STUDY.write(tmp_path)
    for _ in range(2):
        record = MlflowRecorder(tmp_path, shown, "pretended", flat(study))
        record.connect()
        record.begin()
        assert record.finish("FINISHED")
    assert asked == [real, real]
    assert record.view.startswith("http://127.0.0.1:5000/#/experiments/")

    client, parent = MlflowClient(uri), record.run_id
    kept = Path(client.download_artifacts(parent, "config.yaml")).read_text()
    told = [kept, record.view, caplog.text, str(client.get_run(parent).data.to_dictionary())]
    told += [run.tracking.read_text()]
    assert not [text for text in told if "secret" in text or "hidden" in text]
    assert kept == "data: {source: 'http://you:***@data'}\n"


def test_the_experiment_says_what_came_out_last_unless_somebody_described_it(
    uri: str, connected: Callable[..., MlflowRecorder], tmp_path: Path
) -> None:
    STUDY.write(tmp_path)
    record = connected(experiment="described")
    assert record.finish("FINISHED")
    client = MlflowClient(uri)
    parent = client.get_run(record.run_id)
    experiment, result = parent.info.experiment_id, parent.data.tags["mlflow.note.content"]
    note = client.get_experiment(experiment).tags["mlflow.note.content"]
    assert note == f"Latest result, of run {tmp_path.name}: {result}"

    client.set_experiment_tag(experiment, "mlflow.note.content", "mine")
    client.delete_run(record.run_id)  # all is recorded again
    assert connected(experiment="described").finish("FINISHED")
    assert client.get_experiment(experiment).tags["mlflow.note.content"] == "mine"
