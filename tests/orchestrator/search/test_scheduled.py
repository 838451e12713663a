"""Trials that follow a schedule in their mutable hyperparameters; the search tunes the others."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.population.decision import ShrinkPerturb
from orchestrator.population.history.trajectory import Trajectory, replay
from orchestrator.population.schedule import Followed, Schedule, Segment, followed
from orchestrator.search.assemble import assemble_search
from orchestrator.search.trials.scheduled import begun, tuned_space
from orchestrator.search.trials.sessions import go_on, state_with_age
from orchestrator.search.trials.trial_run import Goal, TrialRun
from search_spaces import Config, ConfigurationError
from tests.conftest import composed
from tests.orchestrator.population.harness import Walk, WalkSession
from workloads.contract import Device, Metrics, Session

SEGMENTS = (Segment(12, 3, {"rate": 0.1}), Segment(8, 1, {"rate": 0.5}), Segment(80, 7, {"rate": 0.25}))


def follows(*segments: Segment) -> Followed:
    workload = Walk()
    return followed(Schedule("step", segments), workload.space, workload.fidelity, "schedule", fixed=False)


class Watched(WalkSession):
    """Notes what it trains with, step by step."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, 3, None)
        self.trained: list[Any] = []

    def advance(self, amount: int) -> Metrics:
        self.trained += [self.config["rate"]] * amount
        return super().advance(amount)

    def perturb(self, keep: float, noise: float, seed: int) -> None:
        self.trained.append((keep, noise))


def test_a_trial_trains_with_the_schedule_wherever_its_rungs_are() -> None:
    sessions: list[Watched] = []

    def start(config: Config) -> Session:
        sessions.append(Watched(config))
        return sessions[-1]

    run = TrialRun(
        lambda: begun(follows(*SEGMENTS), {"kind": "a"}, 3, start),
        Goal((5, 18, 20, 100), Walk().objectives),
    )
    reports = [run.advance() for _ in range(4)]
    assert [report.fidelity for report in reports] == [5, 18, 20, 100]
    assert sessions[0].trained == [*[0.1] * 12, *[0.5] * 8, *[0.25] * 80]
    assert reports[-1].test and not reports[-1].failure

    trajectory = Trajectory("step", tuple(_with_kind(SEGMENTS)), (0.0,))
    assert replay(Walk(), trajectory, 3, Device()).metrics == reports[-1].metrics


def _with_kind(segments: tuple[Segment, ...]) -> list[Segment]:
    return [Segment(one.amount, 1, {**one.config, "kind": "a"}) for one in segments]


def test_weights_change_where_the_schedule_says_so() -> None:
    second = Segment(88, 1, {"rate": 0.5}, ShrinkPerturb(0.5, 0.1))
    sessions: list[Watched] = []
    session = begun(
        follows(SEGMENTS[0], second),
        {"kind": "a"},
        3,
        lambda config: sessions.append(Watched(config)) or sessions[-1],
    )
    session.advance(12)
    assert (0.5, 0.1) not in sessions[0].trained
    session.advance(1)
    assert sessions[0].trained[12:] == [(0.5, 0.1), 0.5]


def test_new_weights_change_where_the_first_segment_says_so() -> None:
    first = Segment(12, 1, SEGMENTS[0].config, ShrinkPerturb(0.5, 0.1))
    sessions: list[Watched] = []
    begun(
        follows(first, *SEGMENTS[1:]),
        {"kind": "a"},
        3,
        lambda config: sessions.append(Watched(config)) or sessions[-1],
    ).advance(1)
    assert sessions[0].trained == [(0.5, 0.1), SEGMENTS[0].config["rate"]]


def test_a_state_goes_on_where_it_was() -> None:
    def session() -> Session:
        return begun(follows(*SEGMENTS), {"kind": "a"}, 3, lambda config: WalkSession(config, 3, None))

    first, second = session(), session()
    first.advance(15)
    second.load(first.state())
    assert second.advance(30) == first.advance(30)


@pytest.mark.parametrize("age", [12, 15])
def test_a_saved_trial_goes_on_with_the_schedule(age: int) -> None:
    segments = (SEGMENTS[0], Segment(88, 1, {"rate": 0.5}, ShrinkPerturb(0.5, 0.1)))
    sessions: list[Watched] = []

    def session() -> Session:
        return begun(
            follows(*segments),
            {"kind": "a"},
            3,
            lambda config: sessions.append(Watched(config)) or sessions[-1],
        )

    first, second = session(), session()
    first.advance(age)
    go_on(second, state_with_age(first, age), {"kind": "a"})
    assert second.advance(30) == first.advance(30)
    assert sessions[1].trained == sessions[0].trained[-len(sessions[1].trained) :]
    assert ((0.5, 0.1) in sessions[1].trained) == (age == 12), "it changes once"


ALL = {"learning_rate": 0.01, "dropout": 0.0, "label_smoothing": 0.0, "weight_decay": 0.01}
SCHEDULE = {
    "unit": "step",
    "segments": [
        {"amount": 25, "config": {"learning_rate": 0.01, "dropout": 0.1, "width": 64}},
        {"amount": 650, "config": {"learning_rate": 0.001}},
    ],
}


def study(schedule: Any, *overrides: str) -> dict[str, Any]:
    return {**composed("+study=search_digits", *overrides), "schedule": schedule}


def test_the_search_tunes_the_rest() -> None:
    parts = assemble_search(study(SCHEDULE))
    rest = {"weight_decay", "label_smoothing", "width", "activation"}
    assert {*parts.space.names} == rest == {*tuned_space(study(SCHEDULE)).names}
    assert {"learning_rate", "dropout"} < {*parts.workload.space.names}
    assert parts.followed is not None and {*parts.followed.schedule.names} == {"learning_rate", "dropout"}
    assert all({*one.config} == rest for one in parts.optimizer.ask(2))


def test_conditions_on_what_the_schedule_sets_are_the_schedules_own() -> None:
    space = {
        "parameters": {
            "kind": {"type": "categorical", "choices": ["a", "b"]},
            "rate": {"type": "float", "low": 0, "high": 1, "mutable": True},
        },
        "conditions": [{"child": "rate", "parent": "kind", "equals": "a"}],
    }
    schedule = {"unit": "step", "segments": [{"amount": 5, "config": {"rate": 0.5}}]}
    assert tuned_space({"search_space": space, "schedule": schedule}).names == ("kind",)


@pytest.mark.parametrize(
    ("overrides", "schedule", "message"),
    [
        (
            ["workload.steps=700"],
            SCHEDULE,
            "schedule: expected a schedule over 700 steps, the workload's",
        ),
        (
            [],
            {**SCHEDULE, "unit": "epoch"},
            "schedule.unit: expected 'step', the workload's unit, got 'ep",
        ),
        (
            ["~search_space.parameters.width", "~search_space.parameters.activation"],
            {"unit": "step", "segments": [{"amount": 675, "config": ALL}]},
            "schedule: expected a schedule that leaves parameters for the search",
        ),
    ],
)
def test_what_does_not_fit_a_search_is_refused(overrides: list[str], schedule: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        assemble_search(study(schedule, *overrides))
    assert str(caught.value).startswith(message)


def test_what_depends_on_a_scheduled_parameter_is_not_tuned() -> None:
    parameters = {
        "rate": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
        "opt": {"type": "categorical", "choices": ["sgd", "adam"], "mutable": True},
        "beta": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
    }
    conditions = [{"child": "beta", "parent": "opt", "equals": "adam"}]
    schedule = {"unit": "step", "segments": [{"amount": 10, "config": {"opt": "sgd"}}]}
    study = {"search_space": {"parameters": parameters, "conditions": conditions}, "schedule": schedule}
    assert tuned_space(study).names == ("rate",)
