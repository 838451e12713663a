"""What of a benchmark study's journal is recorded, told without MLflow."""

from __future__ import annotations

from orchestrator.benchmark.history import Failure, cells_event
from orchestrator.tracking.benchmark import BenchmarkRecord
from orchestrator.tracking.items import PARENT, Child, Param
from orchestrator.tracking.records import record_of
from tests.orchestrator.benchmark_journals import BenchmarkJournal
from tests.orchestrator.tracking.test_population import series, tags

STUDY = BenchmarkJournal(failures={3: "boom"})


def test_the_kind_of_study_decides_on_the_record() -> None:
    assert isinstance(record_of(STUDY.events()[0]), BenchmarkRecord)


def test_each_method_is_a_child_run_with_its_definition() -> None:
    items = BenchmarkRecord().feed(STUDY.events())
    assert [item.run for item in items if isinstance(item, Child)] == ["random", "tpe"]
    params = {item.key: item.value for item in items if isinstance(item, Param) and item.run == "tpe"}
    assert params == {"method._target_": "package.tpe", "method.rate": "0.5"}


def test_metrics_grow_with_the_cells_that_have_ended() -> None:
    found = series(BenchmarkRecord().feed(STUDY.events()))
    assert list(found[PARENT, "cells_per_second"]) == [*range(3, 25, 3)]
    assert (PARENT, "cells") not in found, "their number is the step"
    assert found[PARENT, "failures"] == dict.fromkeys(range(6, 25, 3), 1), "from the first on"
    assert found["random", "cells"][24] == 12 and ("random", "failures") not in found
    assert (found["tpe", "cells"][24], found["tpe", "failures"][24]) == (11, 1)


def test_aggregates_are_recorded_in_the_end() -> None:
    record = BenchmarkRecord()
    before = series(record.feed(STUDY.events(final=False)))
    assert ("random", "rank.all") not in before
    items = record.feed(STUDY.events()[-1:])
    assert series(items)["tpe", "rank.all"] == {24: 2.0}
    assert tags(items, PARENT)["best_method"] == "random"


def test_a_type_of_task_has_aggregates_of_its_own_where_there_are_several() -> None:
    final = STUDY.events()[-1]
    one = {name: values | {"rank.BB": values["rank.all"]} for name, values in final["methods"].items()}
    several = {name: values | {"rank.MO": 1.5} for name, values in one.items()}
    for methods, groups in ((one, {"all"}), (several, {"all", "BB", "MO"})):
        record = BenchmarkRecord()
        record.feed(STUDY.events(final=False))
        found = series(record.feed([{**final, "methods": methods}]))
        assert {key for run, key in found if key.startswith("rank.")} == {f"rank.{one}" for one in groups}


def test_no_method_is_recorded_as_the_best_where_the_journal_says_why_none_is() -> None:
    record = BenchmarkRecord()
    record.feed(STUDY.events(final=False))
    final = {**STUDY.events()[-1], "best": None, "unbalanced": "tpe lacks 1 cell"}
    assert tags(record.feed([final]), PARENT)["best_method"] == "none: tpe lacks 1 cell"
    assert tags(record.feed([final]), PARENT)["mlflow.note.content"] == "No best method: tpe lacks 1 cell."
    assert tags(record.feed([{**final, "best": "tpe", "unbalanced": None}]), PARENT)["best_method"] == "tpe"


def test_lost_cells_are_no_failures_and_fall_to_0_when_they_are_computed() -> None:
    record = BenchmarkRecord()
    lost = [Failure("task-0", "tpe", 0, "its process died")]
    event = cells_event("cells", {"random": 2}, [], lost, left=1.0, time=2e9)
    found = series(record.feed([*STUDY.events()[:1], event]))
    assert found["tpe", "lost"] == found[PARENT, "lost"] == {3: 1}
    assert ("tpe", "failures") not in found
    assert ("random", "lost") not in found
    again = series(record.feed([STUDY.resumed(3, time=3e9)]))
    assert again["tpe", "lost"] == {3: 0}


def test_an_extended_study_adds_to_its_record() -> None:
    record = BenchmarkRecord()
    record.feed([*STUDY.events(), {"event": "stopped", "reason": "interrupted", "time": 1.0}])
    longer = BenchmarkJournal(methods=("random", "tpe", "new"))
    items = record.feed([longer.resumed(24, time=2e9)])
    assert [item.run for item in items if isinstance(item, Child)] == ["new"]
    assert tags(items, PARENT)["stopped"] == ""
    assert record.run_status("new", "KILLED") == "KILLED"
    assert record.run_status("other", "KILLED") is None


def test_a_method_that_is_defined_anew_has_a_new_run() -> None:
    record = BenchmarkRecord()
    record.feed(STUDY.events())
    resumed = STUDY.resumed(12, time=2e9)
    resumed["methods"]["tpe"]["rate"] = 0.9
    items = record.feed([resumed, *STUDY.events()[-1:]])
    assert [item.run for item in items if isinstance(item, Child)] == ["tpe (2)"]
    params = {item.key: item.value for item in items if isinstance(item, Param)}
    assert params == {"method._target_": "package.tpe", "method.rate": "0.9"}
    assert tags(items, "tpe")["superseded"] == "tpe (2)"
    assert {run for run, _ in series(items)} == {PARENT, "random", "tpe (2)"}
    assert record.run_status("tpe", "FINISHED") == record.run_status("tpe (2)", "FINISHED") == "FINISHED"
    unchanged = record.feed([{**resumed, "time": 3e9}])
    assert not [item for item in unchanged if isinstance(item, Child)]
