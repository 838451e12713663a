"""A schedule of hyperparameters: its file, what does not fit, and a population that trains with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from orchestrator.population.assemble import assemble_population
from orchestrator.population.decision import Decision, ShrinkPerturb
from orchestrator.population.history.trajectory import trajectory_of
from orchestrator.population.island.island import Island
from orchestrator.population.methods.contract import Method
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.methods.random_search import RandomSearch
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from orchestrator.population.schedule import Schedule, Segment, followed
from orchestrator.randomness import user_seed
from search_spaces import ConfigurationError, build_space
from tests.conftest import composed
from tests.orchestrator.population.harness import NO_EVOLUTION, Population, Walk, WalkSession
from workloads.contract import Device, Fidelity

HALF = ShrinkPerturb(0.5, 0.0)
SCHEDULE = Schedule(
    "step",
    (
        Segment(12, 3, {"rate": 0.1, "kind": "b"}),
        Segment(8, 1, {"rate": 0.5}, HALF),
        Segment(28, 7, {"rate": 0.25}),
    ),
)


def test_a_schedule_is_read_as_it_was_written() -> None:
    assert Schedule.from_data(yaml.safe_load(yaml.safe_dump(SCHEDULE.to_data())), "schedule") == SCHEDULE


def test_by_hand_amounts_and_values_are_enough() -> None:
    text = "{unit: step, segments: [{amount: 5, config: {rate: 1e-1}}, {amount: 3, config: {rate: 0.5}}]}"
    read = followed(
        Schedule.from_data(yaml.safe_load(text), "schedule"),
        Walk().space,
        Walk().fidelity,
        "schedule",
        fixed=True,
    )
    assert [segment.config for segment in read.schedule.segments] == [{"rate": 0.1}, {"rate": 0.5}]


def test_what_holds_when() -> None:
    assert SCHEDULE.ends == (12, 20, 48)
    assert [SCHEDULE.at(age).config["rate"] for age in (0, 11, 12, 19, 20, 47, 99)] == [
        *(0.1, 0.1, 0.5, 0.5, 0.25, 0.25, 0.25)
    ]
    assert [age for age in range(60) if SCHEDULE.change_at(age)] == [12]
    assert list(SCHEDULE.spans(0, 4)) == [(0, 4)]
    assert list(SCHEDULE.spans(4, 30)) == [(4, 12), (12, 20), (20, 30)]
    assert list(SCHEDULE.spans(12, 20)) == [(12, 20)]


def test_what_a_segment_does_not_name_stays_as_it_was() -> None:
    complete = followed(SCHEDULE, Walk().space, Walk().fidelity, "schedule", fixed=True).schedule
    assert [segment.config["kind"] for segment in complete.segments] == ["b", "b", "b"]
    mutable = followed(SCHEDULE, Walk().space, Walk().fidelity, "schedule", fixed=False).schedule
    assert mutable.names == ("rate",)


CONDITIONAL = {
    "parameters": {
        "optimizer": {"type": "categorical", "choices": ["sgd", "adam"], "mutable": True},
        "momentum": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
        "rate": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
    },
    "conditions": [{"child": "momentum", "parent": "optimizer", "equals": "sgd"}],
    "forbidden": [{"optimizer": "adam", "rate": 1.0}],
}


def test_what_is_inactive_has_no_value() -> None:
    space = build_space(CONDITIONAL)
    sgd = {"optimizer": "sgd", "momentum": 0.9, "rate": 0.5}
    schedule = Schedule(
        "step",
        (
            Segment(2, 1, {"optimizer": "adam", "rate": 0.5}),
            Segment(2, 1, sgd),
            Segment(2, 1, {"optimizer": "adam"}),
        ),
    )
    found = followed(schedule, space, Fidelity("step", largest=6), "schedule", fixed=True)
    adam = {"optimizer": "adam", "rate": 0.5}
    assert [found.config({"momentum": 0.1}, age) for age in (0, 2, 4)] == [adam, sgd, adam]


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([{"optimizer": "sgd", "rate": 0.5}], "schedule.segments[0].config: expected a value of 'momentum' "),
        ([{"optimizer": "adam"}], "schedule: expected a schedule of all or none of 'optimizer', 'rate'"),
        ([{"optimizer": "adam", "rate": 1}], "segments[0].config: expected a configuration that is not forb"),
        ([{"momentum": 0.5}, {"rate": 0.5}], "segments[0].config: expected a value of 'rate', which a later"),
    ],
)
def test_conditions_and_clauses_hold(segments: list[dict[str, Any]], message: str) -> None:
    schedule = Schedule("step", tuple(Segment(2, 1, config) for config in segments))
    with pytest.raises(ConfigurationError) as caught:
        followed(schedule, build_space(CONDITIONAL), Fidelity("step", largest=4), "schedule", fixed=True)
    assert message in str(caught.value)


ONE = "{amount: 400, config: {learning_rate: 0.01}}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{}", "schedule: expected a mapping with the keys 'unit' and 'segments'"),
        ("{unit: step}", "schedule.segments: expected a list of segments, not empty, got nothing"),
        ("{unit: step, segments: []}", "schedule.segments: expected a list of segments, not empty"),
        (
            "{unit: step, segments: [3]}",
            "schedule.segments[0]: expected a mapping with the keys 'amount'",
        ),
        ("{unit: step, segment: [3]}", "schedule.segment: expected no such key"),
        (
            "{unit: epoch, segments: [ONE]}",
            "schedule.unit: expected 'step', the workload's unit, got 'ep",
        ),
        (
            "{unit: step, segments: [{amount: -4, config: {learning_rate: 0.01}}]}",
            "schedule.segments[0].amount: expected at least 1, got -4",
        ),
        (
            "{unit: step, segments: [{amount: 400, intervals: 3, config: {learning_rate: 0.01}}]}",
            "schedule.segments[0].intervals: expected a divisor of the amount, 400, got 3",
        ),
        (
            "{unit: step, segments: [{amount: 400, config: {learning_rate: 3}}]}",
            "schedule.segments[0].config.learning_rate: expected a number in [0.0001, 0.1], got 3",
        ),
        (
            "{unit: step, segments: [{amount: 400, config: {learning_rat: 0.01}}]}",
            "schedule: expected a schedule of the search space's parameters ",
        ),
        (
            "{unit: step, segments: [{amount: 400, config: {width: 32}}]}",
            "schedule: expected a schedule of a mutable parameter, one of 'dropout', ",
        ),
        (
            "{unit: step, segments: [{amount: 200, config: {dropout: 0, width: 32}}, "
            "{amount: 200, config: {width: 64}}]}",
            "schedule: expected one value of 'width', which is fixed at birth, got [32, 64]",
        ),
        (
            "{unit: step, segments: [{amount: 400, config: {dropout: 0}, change: {keep: 2, noise: 0}}]}",
            "schedule.segments[0].change.keep: expected a number in [0, 1], got 2.0",
        ),
        (
            "{unit: step, segments: [{amount: 100, config: {learning_rate: 0.01}}]}",
            "schedule: expected a schedule over 400 steps, population.generations (20) times "
            "population.interval (20), got 100 (it fits population.generations=5)",
        ),
        (
            "{unit: step, segments: [{amount: 30, config: {learning_rate: 0.1}}, ONE]}",
            "schedule.segments[0]: expected a segment that ends at a multiple of population.interval, 20, ",
        ),
    ],
)
def test_what_does_not_fit_a_population_is_refused(data: str, message: str) -> None:
    config = composed("+study=pbt_digits")
    config["schedule"] = yaml.safe_load(data.replace("ONE", ONE))
    with pytest.raises(ConfigurationError) as caught:
        assemble_population(config)
    assert str(caught.value).startswith(message)


def test_a_file_becomes_part_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(f"{{unit: step, segments: [{ONE}]}}")
    config = composed("+study=pbt_digits", f"schedule={file}")
    assert config["schedule"]["segments"] == [{"amount": 400, "config": {"learning_rate": 0.01}}]
    parts = assemble_population(config)
    assert parts.followed is not None and parts.followed.schedule.ends == (400,)


@pytest.mark.parametrize(("text", "hint"), [("a: [", "flow"), ("", "an empty file"), ("- 1", "a list")])
def test_a_file_without_a_schedule_is_refused(text: str, hint: str, tmp_path: Path) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        composed("+study=pbt_digits", f"schedule={file}")
    assert caught.value.key == "schedule" and hint in caught.value.hint


def accident(session: WalkSession) -> float | None:
    return float("nan") if (session.seed + session.age) % 11 == 0 else None


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("method", [Pbt(Truncation(0.25), Perturb()), RandomSearch(), RandomSearch(5)])
def test_every_member_trains_with_it(method: Method, synchronous: bool, tmp_path: Path) -> None:
    """By the age of its weights, failed and new ones included, whatever the method decides."""
    workload = Walk(accident)
    found = followed(SCHEDULE, workload.space, workload.fidelity, "schedule", fixed=True)
    population = Population(
        tmp_path / "run", workload=workload, method=method, synchronous=synchronous, followed=found
    )
    population.train(conclude=True)
    history = population.history()
    for interval in history.records():
        begun = interval.age - 4
        assert interval.config == {"rate": SCHEDULE.at(begun).config["rate"], "kind": "b"}
    records = [one for one in history.records() if one.generation < 12 and not one.reborn]
    sources = [(history.source(one), one.change) for one in records]
    assert all(change == (HALF if source and source.age == 12 else None) for source, change in sources)
    assert any(one.reborn or one.copies for one in history.records())


def test_a_resumed_population_goes_on_with_it(tmp_path: Path) -> None:
    workload = Walk()
    found = followed(SCHEDULE, workload.space, workload.fidelity, "schedule", fixed=True)
    whole = Population(tmp_path / "whole", followed=found)
    whole.train(conclude=True)
    Population(tmp_path / "cut", followed=found).train(stop_after=5)
    resumed = Population(tmp_path / "cut", followed=found)
    resumed.train(conclude=True)
    told = [[(one.config, one.losses) for one in run.history().records()] for run in (whole, resumed)]
    assert told[0] == told[1]


def test_the_member_that_found_it_finds_the_same_with_it(tmp_path: Path) -> None:
    first = Population(tmp_path / "first", size=3, generations=5, method=NO_EVOLUTION)
    first.train(conclude=True)
    history = first.history()
    trajectory, best = trajectory_of(history), history.best()
    assert trajectory is not None and best is not None and trajectory.ends[-1] == best.age
    found = followed(trajectory, first.workload.space, first.workload.fidelity, "schedule", fixed=True)
    second = Population(
        tmp_path / "second",
        size=3,
        generations=best.generation,
        method=RandomSearch(),
        followed=found,
    )
    second.train(conclude=True)
    assert second.history().lives[best.member][-1].metrics == best.metrics


def test_a_space_without_mutable_parameters_is_served_by_a_configuration() -> None:
    """As a search's best.yaml has it; a search itself would have nothing to follow."""
    space = build_space({"parameters": {"width": {"type": "int", "low": 8, "high": 64}}})
    schedule = Schedule("step", (Segment(400, 1, {"width": 32}),))
    found = followed(schedule, space, Fidelity("step", largest=400), "schedule", fixed=True)
    assert found.config({"width": 8}, 0) == {"width": 32}
    with pytest.raises(ConfigurationError, match="nothing in the search space is mutable"):
        followed(schedule, space, Fidelity("step", largest=400), "schedule", fixed=False)


def test_new_weights_change_where_the_first_segment_says_so() -> None:
    """Of members that are born, and of those that begin anew."""
    first, *rest = SCHEDULE.segments
    schedule = replace(SCHEDULE, segments=(replace(first, change=HALF), *rest))
    workload = Walk(accident)
    found = followed(schedule, workload.space, workload.fidelity, "schedule", fixed=True)
    plain = followed(SCHEDULE, workload.space, workload.fidelity, "schedule", fixed=True)
    islands = [Island(workload, 4, 0, Device(), at_birth=one.schedule.change_at(0)) for one in (found, plain)]
    config = plain.config({}, 0)
    for island in islands:
        island.settle({0: config}, {0: 0})
    changed, kept = (island.members[0].session.state()["weights"] for island in islands)  # type: ignore[union-attr]
    fresh = np.random.default_rng(user_seed(0, "perturb", 0, 0)).normal(size=3)
    np.testing.assert_allclose(changed, HALF.keep * kept + HALF.noise * fresh)
    for island in islands:
        assert not island.apply([replace(found.decision(Decision(0, 1, 0, config, reborn=True), 0))], {})
    np.testing.assert_array_equal(islands[0].members[0].session.state()["weights"], changed)  # type: ignore[union-attr]


def test_a_population_is_born_with_changed_weights_and_its_schedule_says_so(tmp_path: Path) -> None:
    first, *rest = SCHEDULE.segments
    schedule = replace(SCHEDULE, segments=(replace(first, change=HALF), *rest))
    firsts = []
    for number, one in enumerate((schedule, SCHEDULE)):
        found = followed(one, Walk().space, Walk().fidelity, "schedule", fixed=True)
        study = Population(tmp_path / str(number), followed=found)
        study.train()
        firsts.append(study.history().lives[0][0].metrics["loss"])
        trajectory = trajectory_of(study.history())
        assert trajectory is not None and trajectory.segments[0].change == one.segments[0].change
    assert firsts[0] < firsts[1]
