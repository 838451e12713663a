"""What of a journal is recorded, told without MLflow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.population.history.history import PopulationHistory
from orchestrator.run.journal import Event
from orchestrator.tracking.items import PARENT, Child, Item, Metric, Param, Tag
from orchestrator.tracking.population import PopulationRecord, member_run
from tests.orchestrator.journals import ACCURACY, LOSS, PopulationJournal, killed_and_resumed

Series = dict[tuple[str, str], dict[int, float]]


def series(items: Iterable[Item]) -> Series:
    """Metrics as ``{(run, key): {step: value}}``; each step once."""
    found: Series = defaultdict(dict)
    for item in items:
        if isinstance(item, Metric):
            assert item.step not in found[item.run, item.key], f"{item} is recorded twice"
            found[item.run, item.key][item.step] = item.value
    return found


def tags(items: Iterable[Item], run: str) -> dict[str, str]:
    return {item.key: item.value for item in items if isinstance(item, Tag) and item.run == run}


def recorded(events: Iterable[Event]) -> list[Item]:
    return PopulationRecord().feed(events)


def test_each_member_is_a_child_run_whose_params_say_that_they_are_of_its_birth() -> None:
    events = PopulationJournal(size=3, generations=2).events()
    items = recorded(events)
    children = [item.run for item in items if isinstance(item, Child)]
    assert children == ["member-000", "member-001", "member-002"]
    params = {item.key: item.value for item in items if isinstance(item, Param) and item.run == children[1]}
    born = events[2]["config"]
    assert params == {f"born.{key}": str(value) for key, value in born.items()}


def test_metrics_and_schedules_of_every_generation() -> None:
    events = PopulationJournal(size=3, generations=4).events()
    found = series(recorded(events))
    for event in events:
        if event["event"] == "interval":
            run, step = member_run(event["member"]), event["generation"]
            assert found[run, "accuracy"][step] == event["metrics"]["accuracy"]
            assert found[run, "config.learning_rate"][step] == event["config"]["learning_rate"]
            assert found[run, "config.warm"][step] == float(event["config"]["warm"])


def test_an_age_is_recorded_once_it_is_not_the_generations_alone() -> None:
    assert not any(key == "age" for _, key in series(recorded(PopulationJournal(size=4).events())))
    events = PopulationJournal(size=4, generations=6, synchronous=False, seed=2).events()
    found, expected = series(recorded(events)), dict[str, dict[int, float]]()
    for event in events:
        if event["event"] == "interval":
            run = member_run(event["member"])
            if run in expected or event["age"] != 10 * event["generation"]:
                expected.setdefault(run, {})[event["generation"]] = event["age"]
    assert expected and {run: found[run, "age"] for run in expected} == expected
    assert {run for run, key in found if key == "age"} == expected.keys()


def test_what_a_copy_changes_although_fixed_at_birth_is_recorded_too() -> None:
    events = PopulationJournal(size=4, generations=3, seed=1).events()
    changed = next(
        e
        for e in events
        if e["event"] == "interval" and e["config"]["width"] != events[1 + e["member"]]["config"]["width"]
    )
    run = member_run(changed["member"])
    assert series(recorded(events))[run, "config.width"][changed["generation"]] == changed["config"]["width"]


def test_after_a_copy_the_run_shows_what_the_member_trains_with() -> None:
    """Also what is fixed at birth: it came with the weights, while a param would stay what it was."""
    study = PopulationJournal(size=6, generations=5, seed=1)
    history, items = PopulationHistory.from_events(study.events()), recorded(study.events())
    found, copied = series(items), 0
    for member, life in enumerate(history.lives):
        run, now = member_run(member), life[-1].config
        shown = found[run, "config.width"]
        assert shown[max(shown)] == now["width"]
        assert tags(items, run)["config.activation"] == now["activation"]
        copied += now["width"] != history.born[member]["width"]
        changes = [one for one, after in pairwise(life) if one.config["width"] != after.config["width"]]
        assert list(shown) == [1, *(one.generation + 1 for one in changes)], "nothing is repeated"
    assert copied


def test_a_hyperparameter_that_became_inactive_is_said_to_be() -> None:
    events = PopulationJournal(size=2, generations=2).events()
    last = [e for e in events if e["event"] == "interval" and e["member"] == 0][-1]
    del last["config"]["activation"]
    assert tags(recorded(events), member_run(0))["config.activation"] == "inactive"


def test_a_copy_is_recorded_once_it_has_been_made() -> None:
    events = PopulationJournal(size=4, generations=5, synchronous=False).events()
    place, copy = next((n, e) for n, e in enumerate(events) if e.get("parent_generation") is not None)
    run, step = member_run(copy["member"]), copy["generation"]
    waiting = {**copy, "parent": copy["member"], "parent_generation": None, "next_config": copy["config"]}
    keys = ("member", "generation", "parent", "parent_generation", "next_config", "reborn", "time")
    made = {"event": "decision", **{key: copy[key] for key in keys}, "reason": None}
    record = PopulationRecord()
    assert step not in series(record.feed([*events[:place], waiting]))[run, "parent"]
    assert series(record.feed([made]))[run, "parent"] == {step: copy["parent"]}
    assert record.tables()["lineage.json"].iloc[-1]["parent"] == copy["parent"]


def test_categories_become_tags_with_the_latest_value() -> None:
    events = PopulationJournal(size=2, generations=3).events()
    events[0]["mutable"].append("activation")
    intervals = [e for e in events if e["event"] == "interval" and e["member"] == 1]
    intervals[-1]["config"] = {**intervals[-1]["config"], "activation": "gelu"}
    assert tags(recorded(events), member_run(1))["config.activation"] == "gelu"


def test_the_parent_run_sums_up_each_generation_in_the_objectives_own_direction() -> None:
    study = PopulationJournal(size=5, generations=3, objectives=(ACCURACY, LOSS))
    events = study.events()
    found = series(recorded(events))
    for generation in (1, 2, 3):
        metrics = [e["metrics"] for e in events if e["event"] == "interval" and e["generation"] == generation]
        accuracy, loss = (sorted(m[name] for m in metrics) for name in ("accuracy", "loss"))
        assert found[PARENT, "best.accuracy"][generation] == accuracy[-1]
        assert found[PARENT, "median.accuracy"][generation] == accuracy[2]
        assert found[PARENT, "best.loss"][generation] == loss[0]
        assert found[PARENT, "median.loss"][generation] == loss[2]
    copies = sum(e["event"] == "interval" and e["parent"] != e["member"] for e in events)
    assert found[PARENT, "exploits"][3] == copies
    assert found[PARENT, "member_steps_per_second"][3] > 0


def test_an_asynchronous_generation_is_summed_up_when_the_last_member_is_through() -> None:
    study = PopulationJournal(size=4, generations=5, synchronous=False)
    found = series(recorded(study.events()))
    assert list(found[PARENT, "best.accuracy"]) == [1, 2, 3, 4, 5]


def test_failures_leave_gaps_a_reason_and_a_failed_run_where_it_was_the_last() -> None:
    study = PopulationJournal(size=4, generations=3, failures={(1, 2): "boom", (2, 3): "out of memory"})
    record = PopulationRecord()
    items = record.feed(study.events())
    assert list(series(items)[member_run(1), "accuracy"]) == [1, 3]
    assert tags(items, member_run(1))["failure"] == "generation 2: boom"
    assert series(items)[PARENT, "failures"] == {2: 1, 3: 2}, "from the first on"
    assert record.run_status(member_run(1), "FINISHED") == "FINISHED"
    assert record.run_status(member_run(2), "FINISHED") == "FAILED"


def test_numbers_that_are_not_finite_are_left_out() -> None:
    events = PopulationJournal(size=2, generations=1).events()
    next(e for e in events if e["event"] == "interval")["metrics"] |= {"a": math.nan, "b": math.inf}
    items = recorded(events)
    assert all(math.isfinite(item.value) for item in items if isinstance(item, Metric))
    assert not {"a", "b"} & {item.key for item in items if isinstance(item, Metric)}


def test_the_end_marks_the_best_member() -> None:
    events = PopulationJournal(size=4, generations=3).events()
    items, final = recorded(events), events[-1]
    assert tags(items, PARENT)["best_member"] == str(final["member"])
    assert tags(items, member_run(final["member"]))["best"] == "true"
    assert series(items)[PARENT, "test.accuracy"] == {3: final["test"]["accuracy"]}


def test_a_study_that_goes_on_after_its_end_moves_the_mark() -> None:
    events = PopulationJournal(size=3, generations=2).events()
    again = {**events[-1], "member": (events[-1]["member"] + 1) % 3}
    resume = {"event": "resume", "generations": [1, 1, 1], "time": 0.0}
    trained_again = [e for e in events if e["event"] == "interval" and e["generation"] == 2]
    items = recorded([*events, resume, *trained_again, again])
    assert tags(items, member_run(events[-1]["member"]))["best"] == "false"
    assert tags(items, member_run(again["member"]))["best"] == "true"


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 5),
    st.integers(1, 5),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from([{}, {(1, 2): "boom"}]),
)
def test_a_resumed_synchronous_study_is_recorded_without_duplicates(
    size: int, generations: int, killed_after: int, back: int, failures: dict[tuple[int, int], str]
) -> None:
    events = PopulationJournal(size=size, generations=generations, failures=failures).events()
    killed_after = min(killed_after, generations)
    resumed = series(recorded(killed_and_resumed(events, killed_after, max(0, killed_after - back))))
    whole = series(recorded(events))
    clocks = {"member_steps_per_second"}
    assert {k: v for k, v in resumed.items() if k[1] not in clocks} == {
        k: v for k, v in whole.items() if k[1] not in clocks
    }


def test_an_interval_that_is_trained_again_with_another_result_is_recorded_again() -> None:
    events = PopulationJournal(size=2, generations=2).events()
    resumed = killed_and_resumed(events, 2, 1)
    again = next(e for e in resumed[len(events) :] if e["event"] == "interval" and e["member"] == 0)
    again["metrics"] = {"accuracy": 0.123}
    values = [
        item.value
        for item in recorded(resumed)
        if isinstance(item, Metric) and (item.run, item.key, item.step) == (member_run(0), "accuracy", 2)
    ]
    assert len(values) == 2
    assert values[-1] == 0.123


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_does_not_matter_how_events_arrive(data: st.DataObject) -> None:
    events = PopulationJournal(size=3, generations=4, synchronous=False).events()
    cut = data.draw(st.integers(0, len(events)))
    record = PopulationRecord()
    assert record.feed(events[:cut]) + record.feed(events[cut:]) == recorded(events)


def test_of_several_objectives_the_hypervolume_grows_in_the_parent_run() -> None:
    for loss in (LOSS, {**LOSS, "reference": 2.0}):
        events = PopulationJournal(size=4, generations=5, objectives=(ACCURACY, loss)).events()
        items = recorded(events)
        found = series(items)
        volumes = found[PARENT, "hypervolume"]
        assert list(volumes) == [1, 2, 3, 4, 5]
        assert all(before <= after for before, after in pairwise(volumes.values()))
        assert found[PARENT, "pareto_size"].keys() == volumes.keys()
        assert tags(items, PARENT)["reference_point"].startswith("accuracy 0, loss ")
    one = series(recorded(PopulationJournal(size=4, generations=5).events()))
    assert (PARENT, "hypervolume") not in one


def test_models_are_a_table() -> None:
    events = PopulationJournal(size=3, generations=2, objectives=(ACCURACY, LOSS)).events()
    record = PopulationRecord()
    record.feed(events[:-1])
    assert list(record.tables()) == ["lineage.json"]
    final = events[-1]
    model = {key: final[key] for key in ("member", "generation", "config", "metrics", "test", "weights")}
    record.feed([{**final, "models": [model, {**model, "generation": 1}]}])
    table = record.tables()["models.json"]
    assert table["file"].tolist() == ["models/0.pt", "models/1.pt"]
    assert table["generation"].tolist() == [final["generation"], 1]
