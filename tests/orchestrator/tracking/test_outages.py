"""A real MLflow server is killed, wedged or answers with errors: afterwards it holds the whole journal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from werkzeug.serving import BaseWSGIServer, make_server

from orchestrator.run.journal import Journal
from orchestrator.tracking import following
from orchestrator.tracking.recorder import MlflowRecorder
from search_spaces import ConfigurationError
from tests.orchestrator.journals import PopulationJournal

STUDY = PopulationJournal(size=4, generations=12)
WAIT = 60.0


class Server:
    """MLflow's web application on one port, started and killed at will.

    Args:
        app: a WSGI application.
    """

    def __init__(self, app: Any) -> None:
        self._app, self._port, self._running = app, 0, list[BaseWSGIServer]()
        self.behaviour: Callable[[], bool] = lambda: True
        self.calls = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.calls += 1
        if not self.behaviour():
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"wedged"]
        return self._app(environ, start_response)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        server = make_server("127.0.0.1", self._port, self, threaded=True)
        self._port = server.port
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self._running = [server]

    def kill(self) -> None:
        for server in self._running:
            server.shutdown()
            server.server_close()
        self._running = []


@pytest.fixture(scope="module")
def app(uri: str) -> Iterator[Any]:
    """MLflow's server on the database that all tests here share."""
    from mlflow.server import BACKEND_STORE_URI_ENV_VAR, app, handlers

    MlflowClient(uri)  # makes the tables
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BACKEND_STORE_URI_ENV_VAR, uri)
        patch.setattr(handlers, "_tracking_store", None)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        yield app


@pytest.fixture
def server(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(following, "PERIOD", 0.01)
    monkeypatch.setattr(following, "LONGEST_PERIOD", 0.1)
    monkeypatch.setattr(following, "SHARE", 1e9)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = Server(app)
    server.start()
    yield server
    server.kill()


def record(server: Server, folder: Path, required: bool = True) -> MlflowRecorder:
    made = MlflowRecorder(folder, server.uri, "outages", {"study.name": "pretended"}, required=required)
    made.connect()
    made.begin()
    return made


def wait_until(holds: Callable[..., bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def contents(uri: str, run_id: str) -> dict[str, Any]:
    """All that the runs of a study hold, by their names, times of recording left out."""
    client = MlflowClient(uri)
    parent = client.get_run(run_id)
    found = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert len({run.data.tags["orchestrator.run"] for run in found}) == len(found), "a run was made twice"
    return {
        name: {
            "status": run.info.status,
            "params": run.data.params,
            "metrics": {
                key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
        }
        for name, run in {
            "parent": parent,
            **{run.data.tags["orchestrator.run"]: run for run in found},
        }.items()
    }


@pytest.fixture(scope="module")
def undisturbed(uri: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    made = MlflowRecorder(folder, uri, "outages", {"study.name": "pretended"})
    made.connect()
    made.begin()
    STUDY.write(folder)
    assert made.finish("FINISHED")
    return contents(uri, made.run_id)


def in_parts(folder: Path, parts: int) -> Iterator[int]:
    """Write the journal of the study in ``parts``; yields before each."""
    events = STUDY.events()
    with Journal(folder / "journal.jsonl") as journal:
        for part in range(parts):
            yield part
            for event in events[part * len(events) // parts : (part + 1) * len(events) // parts]:
                journal.append(event)


def test_a_server_killed_three_times_holds_what_the_journal_holds(
    uri: str, server: Server, tmp_path: Path, undisturbed: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    made = record(server, tmp_path)
    made.start()
    for part in in_parts(tmp_path, 7):
        outage = (part + 1) // 2
        if part % 2:
            server.kill()
            wait_until(lambda outage=outage: caplog.text.count("MLflow is away") == outage)
        elif part:
            server.start()
            wait_until(lambda outage=outage: caplog.text.count("MLflow is back") == outage)
    assert made.finish("FINISHED")
    assert contents(uri, made.run_id) == undisturbed


@pytest.mark.parametrize("failing", ["each second call fails", "nothing works for a while"])
def test_a_server_that_answers_with_errors_loses_nothing(
    uri: str, server: Server, tmp_path: Path, undisturbed: dict[str, Any], failing: str
) -> None:
    made = record(server, tmp_path)
    began = server.calls
    if failing == "each second call fails":
        server.behaviour = lambda: bool(server.calls % 2)
    else:
        server.behaviour = lambda: server.calls > began + 5
    made.start()
    for _ in in_parts(tmp_path, 3):
        pass
    wait_until(lambda: server.calls > began + 10)
    server.behaviour = lambda: True
    assert made.finish("FINISHED")
    assert contents(uri, made.run_id) == undisturbed


def test_a_wedged_server_does_not_hold_up_the_study(
    uri: str, server: Server, tmp_path: Path, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections and does not answer; the journal is written meanwhile, and recorded later."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    made = record(server, tmp_path)
    answer = threading.Event()
    server.behaviour = lambda: answer.wait(WAIT)
    made.start()
    for _ in in_parts(tmp_path, 2):
        wait_until(lambda: server.calls > 0)
    assert not answer.is_set(), "the whole journal was written while nothing answered"
    answer.set()
    assert made.finish("FINISHED")
    assert contents(uri, made.run_id) == undisturbed


def test_a_record_that_is_not_required_waits_for_its_server(
    uri: str, server: Server, tmp_path: Path, undisturbed: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    made = record(server, tmp_path, required=False)
    assert made.view is None
    assert caplog.text.count("MLflow is away") == 1
    made.start()
    for _ in in_parts(tmp_path, 1):
        pass
    server.start()
    wait_until(lambda: "MLflow is back" in caplog.text)
    assert made.finish("FINISHED")
    assert contents(uri, made.run_id) == undisturbed


def test_a_record_that_is_not_required_is_completed_by_a_later_process(
    uri: str, server: Server, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    server.kill()
    made = record(server, tmp_path, required=False)
    STUDY.write(tmp_path)
    assert not made.finish("FINISHED")
    server.start()
    later = record(server, tmp_path)
    assert later.finish("FINISHED")
    assert contents(uri, later.run_id) == undisturbed


def test_a_uri_that_is_none_is_refused_even_if_no_record_is_required(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"tracking\.uri: expected an MLflow tracking URI"):
        MlflowRecorder(tmp_path, "ftp://somewhere", "outages", {}, required=False).connect()
