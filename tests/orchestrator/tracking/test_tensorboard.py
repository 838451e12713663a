"""Event files for TensorBoard hold what the journal says, once, whatever happened meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event as Written
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.record_writer import RecordWriter

from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event
from orchestrator.tracking.event_files import NAME, EventFiles, framed, split
from orchestrator.tracking.items import PARENT
from orchestrator.tracking.recording import Recording
from orchestrator.tracking.records import record_of
from orchestrator.tracking.tensorboard import TensorboardRecorder
from tests.orchestrator import search_journals
from tests.orchestrator.benchmark_journals import BenchmarkJournal
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal, killed_and_resumed, write_journal
from tests.orchestrator.search_journals import SearchJournal
from tests.orchestrator.tracking.test_population import series
from tests.orchestrator.tracking.test_refused import study_of

STUDIES = {
    "population": PopulationJournal(3, 4, objectives=(ACCURACY, LOSS), failures={(2, 3): "boom"}).events(),
    "search": SearchJournal(trials=6, rungs=(1, 3, 9), failures={2: "boom"}).events(),
    "benchmark": BenchmarkJournal(failures={3: "boom"}).events(),
}
Points = dict[str, list[tuple[int, float]]]


@pytest.fixture(params=STUDIES)
def events(request: pytest.FixtureRequest) -> list[Event]:
    return STUDIES[request.param]


def recorder(folder: Path) -> TensorboardRecorder:
    return TensorboardRecorder(RunDirectory(folder), "orchestrator resume=here")


def recorded(folder: Path) -> TensorboardRecorder:
    """A recorder that follows the journal until it has been read."""
    made = recorder(folder)
    made.start()
    made.finish()
    return made


def written(folder: Path) -> dict[str, list[Written]]:
    """What the files hold, by the names of their folders; all that stands in them is a whole record."""
    found = {}
    for path in (folder / "tensorboard").rglob(NAME):
        content = path.read_bytes()
        records = list(split(content))
        assert b"".join(map(framed, records)) == content
        name = path.parent.relative_to(folder / "tensorboard").as_posix()
        found["" if name == "." else name] = [Written.FromString(record) for record in records]
    return found


def scalars(run: list[Written]) -> Points:
    points: Points = {}
    for event in run:
        for value in event.summary.value:
            if value.HasField("simple_value"):
                points.setdefault(value.tag, []).append((event.step, value.simple_value))
    return points


def plugins(run: list[Written]) -> Iterator[HParamsPluginData]:
    for event in run:
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                yield HParamsPluginData.FromString(value.metadata.plugin_data.content)


def test_the_files_hold_every_metric_of_the_record_once(events: list[Event], tmp_path: Path) -> None:
    write_journal(tmp_path, events)
    recorded(tmp_path)
    files, expected = written(tmp_path), series(record_of(events[0]).feed(events))
    assert {(run, tag) for run, file in files.items() for tag in scalars(file)} == expected.keys()
    for (run, tag), points in expected.items():
        (found,) = [scalars(files[run])[tag]]
        assert found == [(step, float(np.float32(value))) for step, value in points.items()]
    assert all(file[0].file_version == "brain.Event:2" for file in files.values())


def test_the_values_and_times_are_the_journals(tmp_path: Path) -> None:
    write_journal(tmp_path, STUDIES["population"])
    recorded(tmp_path)
    told = [e for e in STUDIES["population"] if e["event"] == "interval" and e["member"] == 1]
    member = written(tmp_path)["member-001"]
    assert scalars(member)["loss"] == [
        (e["generation"], pytest.approx(e["metrics"]["loss"], rel=1e-6)) for e in told
    ]
    times = [e.wall_time for e in member if any(value.tag == "loss" for value in e.summary.value)]
    assert times == [pytest.approx(e["time"], abs=1e-3) for e in told]


def test_settings_are_hyperparameters_and_endings_say_how_a_trial_ended(tmp_path: Path) -> None:
    write_journal(tmp_path, STUDIES["search"])
    recorded(tmp_path)
    config = next(e["config"] for e in STUDIES["search"] if e["event"] == "suggested" and e["trial"] == 0)
    files = written(tmp_path)
    start, end = plugins(files["trial-0000"])
    values = start.session_start_info.hparams
    assert values.keys() == {f"config.{key}" for key in config}
    for key, value in config.items():
        kind = "number_value" if isinstance(value, (int, float)) else "string_value"
        assert getattr(values[f"config.{key}"], kind) == value
    assert end.session_end_info.status == 1  # STATUS_SUCCESS
    assert list(plugins(files["trial-0002"]))[-1].session_end_info.status == 2  # STATUS_FAILURE


def test_what_came_out_is_a_text_of_the_parent_run(events: list[Event], tmp_path: Path) -> None:
    write_journal(tmp_path, events)
    recorded(tmp_path)
    texts = [
        value.tensor.string_val[0].decode()
        for event in written(tmp_path)[PARENT]
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "text"
    ]
    assert len(texts) == 1 and texts[0].startswith(("Pareto set of", "Best"))


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_whenever_a_process_dies_the_next_adds_what_is_missing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Killed between any two events, and then in the middle of a write."""
    events = data.draw(st.sampled_from(list(STUDIES.values())))
    whole, folder = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("killed")
    write_journal(whole, events)
    recorded(whole)
    write_journal(folder, events[: data.draw(st.integers(0, len(events)), label="events")])
    recorded(folder)
    for path in sorted((folder / "tensorboard").rglob(NAME)):
        kept = data.draw(st.integers(0, path.stat().st_size), label=path.parent.name)
        path.write_bytes(path.read_bytes()[:kept])
    (folder / "journal.jsonl").unlink(missing_ok=True)
    write_journal(folder, events)
    recorded(folder)
    assert written(folder) == written(whole)


@pytest.mark.parametrize("kind", ["population", "search"])
def test_a_resumed_study_has_every_point_once(kind: str, tmp_path: Path) -> None:
    events = STUDIES[kind]
    if kind == "population":
        resumed = killed_and_resumed(events, killed_after=3, back_to=1)
        before = next(place for place, event in enumerate(resumed) if event["event"] == "resume")
    else:
        before = len(events) // 2
        resumed = search_journals.killed_and_resumed(events, before)
    write_journal(tmp_path, resumed[:before])
    recorded(tmp_path)
    write_journal(tmp_path, resumed[before:])
    recorded(tmp_path)
    for run, file in written(tmp_path).items():
        for tag, points in scalars(file).items():
            steps = [step for step, _ in points]
            assert len(steps) == len(set(steps)), (run, tag)


def test_files_are_written_while_the_study_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.tracking.following.PERIOD", 0.01)
    made = recorder(tmp_path)
    made.start()
    write_journal(tmp_path, STUDIES["search"][:9])
    while not (tmp_path / "tensorboard" / "trial-0001" / NAME).exists():
        assert made._following.alive
    made.finish()


def test_a_journal_that_was_repaired_has_its_files_written_anew(tmp_path: Path) -> None:
    events = STUDIES["population"]
    write_journal(tmp_path, events)
    recorded(tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    write_journal(tmp_path, events[:-4])
    recorded(tmp_path)
    expected = series(record_of(events[0]).feed(events[:-4]))
    for (run, tag), points in expected.items():
        assert [step for step, _ in scalars(written(tmp_path)[run])[tag]] == list(points)


def test_files_of_another_version_of_the_program_are_written_anew(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.complete("run", [b"another", b"two"])
    EventFiles(tmp_path).complete("run", [b"one", b"two", b"three"])
    assert list(split(files.path("run").read_bytes()))[1:] == [b"one", b"two", b"three"]


def test_what_cannot_be_written_is_said_once_and_completed_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.tracking.following.PERIOD", 0.001)
    write_journal(tmp_path, STUDIES["search"])
    (tmp_path / "tensorboard").write_text("a file where the folder belongs")
    with caplog.at_level(logging.WARNING):
        made = recorder(tmp_path)
        made.start()
        while not caplog.records:
            pass
        made.finish()
        made.finish()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "the study goes on without" in said[0]
    assert said[1].endswith("`orchestrator resume=here` completes them.")
    (tmp_path / "tensorboard").unlink()
    recorded(tmp_path)
    assert len(written(tmp_path)) == 7


def test_a_full_disk_leaves_a_torn_record_that_the_next_attempt_replaces(tmp_path: Path) -> None:
    files = EventFiles(tmp_path)
    files.complete("run", [b"one"])
    path = files.path("run")
    whole = path.read_bytes()
    path.write_bytes(whole + framed(b"two")[:7])  # what fitted
    files.append("run", [b"two", b"three"])
    assert list(split(path.read_bytes()))[1:] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "100 %", "smac (2)", "é"])
def test_names_lead_nowhere_else(name: str, tmp_path: Path) -> None:
    path = EventFiles(tmp_path).path(name)
    assert path.parent.parent == tmp_path and path.parent.name not in (".", "..")
    assert path.resolve() == path


def test_records_are_framed_as_tensorboardx_frames_them(tmp_path: Path) -> None:
    writer = RecordWriter(str(tmp_path / "records"))
    for content in (b"", b"some", bytes(300)):
        writer.write(content)
    writer.close()
    assert list(split((tmp_path / "records").read_bytes())) == [b"", b"some", bytes(300)]
    assert (tmp_path / "records").read_bytes() == b"".join(map(framed, [b"", b"some", bytes(300)]))
    assert crc32c(b"123456789") == 0xE3069283  # of RFC 3720, which the format is built on


def test_the_configuration_decides(tmp_path: Path) -> None:
    study: dict[str, Any] = study_of("")
    for wanted in (False, True):
        study["tracking"] |= {"uri": None, "tensorboard": wanted}
        write_journal(tmp_path, STUDIES["benchmark"] if not wanted else [])
        with Recording(study, RunDirectory(tmp_path)) as recording:
            recording.start()
            recording.finish(0, None)
        assert (tmp_path / "tensorboard").exists() == wanted
        assert (recording.event_files is not None) == wanted
        assert not wanted or str(tmp_path / "tensorboard") in str(recording.event_files)
