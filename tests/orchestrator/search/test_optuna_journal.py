"""A search's Optuna journal file grows with the study, and holds in the end what the study holds."""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event
from orchestrator.search.history import optuna_file
from orchestrator.search.history.history import SearchHistory
from orchestrator.search.history.optuna_export import to_optuna
from orchestrator.search.history.optuna_file import OptunaFile, export
from orchestrator.tracking.optuna_dashboard import OptunaRecorder
from orchestrator.tracking.recording import Recording
from tests.orchestrator.journals import write_journal
from tests.orchestrator.search_journals import (
    ACCURACY,
    ERROR,
    LATENCY,
    PARAMETERS,
    SPACE,
    SearchJournal,
    killed_and_resumed,
    space,
)
from tests.orchestrator.tracking.test_refused import study_of
from workloads.contract import Objective

RUNGS = (1, 3, 9)
ONE = SearchJournal(trials=8, rungs=RUNGS, objectives=(ACCURACY,), failures={2: "boom"})
STUDIES = {
    "one objective": ONE.events(),
    "several": SearchJournal(trials=6, rungs=RUNGS, failures={4: "boom"}, constraints=(LATENCY,)).events(),
}
FOREIGN = b'{"op_code":2,"worker_id":"a-1","study_id":0,"user_attr":{"note":"promising"}}\n'


def lost_and_tried_again() -> list[Event]:
    """Trial 2 is lost for good; a resume tries it again, and this time it is trained to its end."""
    events = SearchJournal(trials=8, rungs=RUNGS, objectives=(ACCURACY,)).events()
    place = next(n for n, e in enumerate(events) if e["event"] == "ended" and e["trial"] == 2)
    own = [e for e in events if e.get("trial") == 2 and e["event"] != "suggested"]
    gone = {**events[place], "status": "lost", "losses": [float("nan")], "metrics": {}, "reason": "gone"}
    until = [e for e in events[:place] if e not in own[1:]]
    stopped = {"event": "stopped", "reason": "interrupted", "time": gone["time"]}
    resumed = {"event": "resume", "pending": [2], "time": gone["time"] + 100}
    return [*until, gone, stopped, resumed, *own, *events[place + 1 :]]


def recorder(folder: Path) -> OptunaRecorder:
    return OptunaRecorder({"search_space": SPACE}, RunDirectory(folder), "orchestrator resume=here")


def recorded(folder: Path, events: Sequence[Event]) -> Path:
    """Another process writes all events that the journal has not yet; returns the file."""
    journal = folder / "journal.jsonl"
    before = len(journal.read_bytes().splitlines()) if journal.exists() else 0
    write_journal(folder, events[before:])
    made = recorder(folder)
    made.start()
    made.finish()
    return RunDirectory(folder).optuna


def study_in(path: Path) -> optuna.Study:
    return optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(path))))


def known(trial: FrozenTrial) -> dict[str, Any]:
    """Everything that is known of a trial; values that became void are none."""
    values = {step: value for step, value in trial.intermediate_values.items() if not math.isnan(value)}
    named = {name: getattr(trial, name) for name in ("number", "state", "values", "params", "user_attrs")}
    times = (trial.datetime_start, trial.datetime_complete)
    return {**named, "reached": values, "more": (trial.system_attrs, trial.distributions, times)}


def assert_whole(path: Path, events: Sequence[Event]) -> None:
    """The file holds what Optuna's own storage in memory is given of the study's history."""
    expected = to_optuna(SearchHistory.from_events(events), space())
    found = study_in(path)
    assert (found.study_name, found.directions) == (expected.study_name, expected.directions)
    assert found.metric_names == expected.metric_names
    assert [known(trial) for trial in found.trials] == [known(trial) for trial in expected.trials]


@pytest.mark.parametrize("name", STUDIES)
def test_in_the_end_the_file_holds_the_study_as_an_export_does(name: str, tmp_path: Path) -> None:
    path = recorded(tmp_path, STUDIES[name])
    assert_whole(path, STUDIES[name])
    export(STUDIES[name], space(), tmp_path / "exported")
    assert (tmp_path / "exported").read_bytes() == path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["optuna.journal"]  # no lock is left


@pytest.mark.parametrize("objectives", [(ACCURACY,), (ACCURACY, PARAMETERS)])
def test_optuna_sees_the_same_study(tmp_path: Path, objectives: tuple[Objective, ...]) -> None:
    study = SearchJournal(20, objectives, (LATENCY,), rungs=(1, 3), failures={5: "boom"})
    history = SearchHistory.from_events(study.events())
    export(study.events(), space(), tmp_path / "optuna.journal")
    found = study_in(tmp_path / "optuna.journal")
    states = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}
    assert found.metric_names == [objective.name for objective in objectives]
    for place, trial in enumerate(found.trials):
        ended = history.records[place].trial
        assert ended is not None
        assert trial.user_attrs["trial"] == place
        assert trial.state == states[ended.status]
        assert trial.params["learning_rate"] == ended.config["learning_rate"]
        assert trial.params["batch"] == [16, 32, 64, 128].index(ended.config["batch"])
        assert bool(trial.values) == ended.usable
        if ended.usable:
            assert trial.values == [ended.metrics[objective.name] for objective in objectives]
            assert trial.user_attrs["fidelity"] == ended.fidelity
            assert trial.system_attrs["constraints"] == list(ended.violations)
        if len(objectives) == 1:
            reports = {r.fidelity: r.metrics[objectives[0].name] for r in history.records[place].reports}
            assert trial.intermediate_values == reports
    assert found.trials[5].user_attrs["reason"] == "boom"
    stopped = [trial for trial in found.trials if trial.state == TrialState.PRUNED]
    assert stopped and all(trial.user_attrs["status"] == "stopped" for trial in stopped)
    best = found.best_trials if len(objectives) > 1 else [found.best_trial]
    assert {trial.number for trial in best} == {record.number for record in history.pareto()}


def test_trials_run_from_their_suggestion_on_and_wait_while_the_study_is_stopped(tmp_path: Path) -> None:
    events = STUDIES["one objective"]
    cut = next(n for n, e in enumerate(events) if e["event"] == "report") + 1
    (began,) = [e for e in events[:cut] if e["event"] == "suggested" and e["trial"] == 1]
    report = events[cut - 1]
    _, running = study_in(recorded(tmp_path, events[:cut])).trials
    assert running.state == TrialState.RUNNING and running.params.keys() >= {"learning_rate", "width"}
    assert running.params["width"] == began["config"]["width"]
    stopped = [*events[:cut], {"event": "stopped", "reason": "interrupted", "time": report["time"]}]
    trials = study_in(recorded(tmp_path, stopped)).trials
    assert [trial.state for trial in trials] == [TrialState.WAITING] * 2
    assert trials[report["trial"]].intermediate_values == {1: report["metrics"]["accuracy"]}
    resumed = [*stopped, {"event": "resume", "pending": [0, 1], "from": {"0": 1, "1": 1}, "time": 9e9}]
    again = study_in(recorded(tmp_path, resumed)).trials
    assert [trial.state for trial in again] == [TrialState.RUNNING] * 2
    assert [trial.datetime_start for trial in again] == [trial.datetime_start for trial in trials]
    whole = [*resumed, *events[cut:]]
    assert_whole(recorded(tmp_path, whole), whole)


def test_the_file_grows_while_the_study_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.tracking.following.PERIOD", 0.01)
    made, path = recorder(tmp_path), RunDirectory(tmp_path).optuna
    made.start()
    write_journal(tmp_path, STUDIES["several"][:5])
    while not path.exists() or not path.stat().st_size:
        assert made._following.alive
    first = path.stat().st_size
    write_journal(tmp_path, STUDIES["several"][5:])
    while path.stat().st_size == first:
        assert made._following.alive
    made.finish()
    assert_whole(path, STUDIES["several"])


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_whenever_a_process_dies_the_next_adds_what_is_missing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Killed between any two events, and then in the middle of a write."""
    events = data.draw(st.sampled_from([*STUDIES.values(), lost_and_tried_again()]))
    whole = recorded(tmp_path_factory.mktemp("whole"), events)
    folder = tmp_path_factory.mktemp("killed")
    path = recorded(folder, events[: data.draw(st.integers(0, len(events)), label="events")])
    path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size), label="kept")])
    assert recorded(folder, events).read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("after", [2, 5, 9, 14])
def test_a_resumed_study_has_every_trial_once(after: int, tmp_path: Path) -> None:
    resumed = killed_and_resumed(STUDIES["one objective"], after)
    recorded(tmp_path, resumed[:after])
    assert_whole(recorded(tmp_path, resumed), resumed)


def test_what_a_loss_makes_void_is_no_value_any_more(tmp_path: Path) -> None:
    events = ONE.events()
    trial = next(e["trial"] for e in events if e["event"] == "ended" and e["fidelity"] == 9)
    last = max(n for n, e in enumerate(events) if e["event"] == "report" and e["trial"] == trial)
    lost = {"event": "lost", "trial": trial, "attempt": 1, "reason": "", "from": 1, "seconds": 0, "time": 9e9}
    ended = next(e for e in events if e["event"] == "ended" and e["trial"] == trial)
    events[last + 1 :] = [lost, {**ended, "fidelity": 1, "losses": [float("nan")], "status": "failed"}]
    path = recorded(tmp_path, events)
    assert_whole_of(trial, path, events)
    values = study_in(path).trials[trial].intermediate_values
    assert {step: math.isnan(value) for step, value in values.items()} == {1: False, 3: True, 9: True}


def assert_whole_of(number: int, path: Path, events: Sequence[Event]) -> None:
    expected = to_optuna(SearchHistory.from_events(events), space()).trials
    (found,) = [one for one in expected if one.user_attrs["trial"] == number]
    assert known(study_in(path).trials[number]) == known(found) | {"number": number}


def test_a_lost_trial_that_is_tried_again_goes_on_and_notes_stay(tmp_path: Path) -> None:
    events = lost_and_tried_again()
    place = next(n for n, e in enumerate(events) if e["event"] == "resume")
    path = recorded(tmp_path, events[:place])
    assert study_in(path).trials[2].state == TrialState.FAIL
    path.write_bytes(path.read_bytes() + FOREIGN)
    assert_whole(recorded(tmp_path, events), events)
    assert study_in(path).user_attrs == {"note": "promising"}


def test_a_trial_may_be_tried_again_by_the_same_process(tmp_path: Path) -> None:
    events = lost_and_tried_again()
    place = next(n for n, e in enumerate(events) if e["event"] == "resume")
    write_journal(tmp_path, events[:place])
    made = recorder(tmp_path)
    made._drain()
    write_journal(tmp_path, events[place:])
    made._drain()
    assert_whole(RunDirectory(tmp_path).optuna, events)


def test_what_the_dashboard_writes_meanwhile_stays(tmp_path: Path) -> None:
    events = STUDIES["several"]
    write_journal(tmp_path, events[:7])
    made, path = recorder(tmp_path), RunDirectory(tmp_path).optuna
    made._drain()
    study_in(path).set_user_attr("note", "promising")
    write_journal(tmp_path, events[7:])
    made._drain()
    assert_whole(path, events)
    assert study_in(path).user_attrs == {"note": "promising"}


@pytest.mark.parametrize("content", [FOREIGN, b"no journal at all\n", None])
def test_another_file_in_its_place_is_written_anew(content: bytes | None, tmp_path: Path) -> None:
    """As one that an earlier version of this program exported, and one that was removed."""
    path = RunDirectory(tmp_path).optuna
    events = STUDIES["one objective"]
    write_journal(tmp_path, events[:9])
    made = recorder(tmp_path)
    made._drain()
    path.write_bytes(content) if content is not None else path.unlink()
    write_journal(tmp_path, events[9:])
    made._drain()
    assert_whole(path, events)
    assert content is None or content not in path.read_bytes()


def test_what_cannot_be_written_is_said_once_and_completed_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.tracking.following.PERIOD", 0.001)
    events = STUDIES["several"]
    write_journal(tmp_path, events[:5])
    (tmp_path / "results").write_text("a file where the folder belongs")
    with caplog.at_level(logging.WARNING):
        made = recorder(tmp_path)
        made.start()
        while not caplog.records:
            pass
        made.finish()
        made.finish()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("No trials for optuna-dashboard (") and "the study goes on without" in said[0]
    assert said[1].endswith("incomplete; `orchestrator resume=here` completes them.")
    (tmp_path / "results").unlink()
    assert_whole(recorded(tmp_path, events), events)


def test_a_trial_that_optuna_refuses_leaves_the_file_incomplete_for_good(tmp_path: Path) -> None:
    events = STUDIES["several"]
    wide = {**events[1], "config": {**events[1]["config"], "width": 10**6}}
    write_journal(tmp_path, [events[0], wide, *events[2:]])
    made = recorder(tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match="width"):
            made._drain()


def test_a_full_disk_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A file that takes a few bytes more."""

        def __init__(self, file: BinaryIO) -> None:
            self._file = file

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, content: bytes) -> None:
            self._file.write(content[:7])
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    file = OptunaFile(tmp_path / "file")
    assert file.add([b"one\n"])
    opened = Path.open
    with monkeypatch.context() as full, pytest.raises(OSError, match="No space left"):
        full.setattr(Path, "open", lambda path, mode: Full(opened(path, mode)))
        file.add([b"two\n", b"three\n"])
    assert (tmp_path / "file").read_bytes() == b"one\n"
    assert file.add([b"two\n", b"three\n"])
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\nthree\n"


def test_a_lock_that_somebody_left_behind_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_file, "PATIENCE", 1)
    (tmp_path / "file.lock").touch()
    with pytest.warns(UserWarning, match="too small"):
        assert OptunaFile(tmp_path / "file").add([b"one\n"])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_evaluations_of_finalists_are_no_trials(tmp_path: Path) -> None:
    events = SearchJournal(trials=3, objectives=(ERROR,)).events()
    config = next(e["config"] for e in events if e["event"] == "suggested")
    final, time = events.pop(), events[-1]["time"]
    plan = {"event": "finals", "trials": [0], "seeds": 1, "missing": 1, "time": time}
    told = {"event": "suggested", "trial": 3, "config": config, "fidelity": None, "source": "finalist"}
    ended = {**events[-1], "trial": 3}
    events += [plan, {**told, "finalist": 0, "time": time}, ended, final]
    assert_whole(recorded(tmp_path, events), events)
    assert len(study_in(RunDirectory(tmp_path).optuna).trials) == 3


def test_the_configuration_decides(tmp_path: Path) -> None:
    write_journal(tmp_path, STUDIES["several"])
    study = study_of("") | {"search": {}, "search_space": SPACE}
    study["study"]["kind"], study["tracking"]["uri"] = "search", None
    for wanted in (False, True):
        study["search"]["export_optuna"] = wanted
        with Recording(study, RunDirectory(tmp_path)) as recording:
            recording.start()
            recording.finish(0, None)
        assert RunDirectory(tmp_path).optuna.exists() == wanted
    assert_whole(RunDirectory(tmp_path).optuna, STUDIES["several"])
