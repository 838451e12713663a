"""Members on an island: what copying, failing and rebuilding do to their sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.population.decision import Decision, ShrinkPerturb
from orchestrator.population.island.island import Island
from orchestrator.population.island.member import judge
from orchestrator.population.snapshots.manifests import member_file
from orchestrator.randomness import user_seed
from tests.orchestrator.population.harness import Walk, WalkSession
from workloads.contract import Device

A, B = {"rate": 0.1, "kind": "a"}, {"rate": 0.2, "kind": "b"}


def island(workload: Walk | None = None, **configs: dict[str, object]) -> Island:
    members = {int(name[1:]): config for name, config in configs.items()}
    made = Island(workload or Walk(), 5, 0, Device())
    made.settle(members, dict.fromkeys(members, 0))  # type: ignore[arg-type]
    return made


def weights(made: Island, number: int) -> np.ndarray:
    state = made.snapshot(number)
    assert state is not None
    return np.asarray(state["session"]["weights"])


def test_a_copy_takes_weights_age_and_configuration_even_of_another_build() -> None:
    made = island(m0=A, m1=B)
    made.train(0)
    made.train(0)
    made.train(1)
    donors = {0: made.snapshot(0)}
    made.apply([Decision(1, 1, 0, {"rate": 0.3, "kind": "a"})], donors)
    np.testing.assert_array_equal(weights(made, 1), weights(made, 0))
    assert made.members[1].age == 10 and made.members[1].generation == 1
    assert made.train(1).age == 15


def test_a_copy_keeps_its_own_stream_of_randomness() -> None:
    made = island(m0=A, m1=A)
    made.train(0)
    made.apply([Decision(1, 1, 0, A)], {0: made.snapshot(0)})
    made.train(0)
    made.train(1)
    assert not np.array_equal(weights(made, 0), weights(made, 1))


def test_two_members_can_change_places() -> None:
    made = island(m0=A, m1=B)
    made.train(0)
    made.train(1)
    before = [weights(made, number) for number in (0, 1)]
    swap = [Decision(0, 1, 1, B), Decision(1, 1, 0, A)]
    made.apply(swap, {number: made.snapshot(number) for number in (0, 1)})
    np.testing.assert_array_equal(weights(made, 0), before[1])
    np.testing.assert_array_equal(weights(made, 1), before[0])


def test_whose_parent_was_lost_keeps_its_weights_and_its_hyperparameters() -> None:
    made = island(m0=A, m1=A)
    made.train(0)
    before = weights(made, 0)
    for config in ({"rate": 0.9, "kind": "a"}, B):
        decision = Decision(0, 1, 7, config)
        assert made.apply([decision, Decision(1, 1, 1, A)], {}) == [decision]
        np.testing.assert_array_equal(weights(made, 0), before)
        assert made.members[0].config == A and made.members[0].age == 5


@pytest.mark.parametrize("where", ["start", "advance", "load", "configure", "state"])
def test_whatever_a_session_raises_is_the_members_failure(where: str) -> None:
    class Faulty(WalkSession):
        pass

    def fail(*_: object) -> None:
        raise ValueError(f"no {where}")

    class FaultyWalk(Walk):
        def start(self, config, seed, device):  # type: ignore[no-untyped-def]
            if where == "start":
                fail()
            return Faulty(config, seed, None)

    if where != "start":
        setattr(Faulty, where, fail)
    made = island(FaultyWalk(), m0=A, m1=A)
    made.apply([Decision(0, 1, 1, {"rate": 0.7, "kind": "a"})], {1: made.snapshot(1)})
    report = made.train(0)
    if where == "state":
        assert made.snapshot(0) is None
        report = made.train(0)
    assert report.failure == f"ValueError: no {where}" and not report.metrics
    assert made.snapshot(0) is None


def test_saved_and_loaded_a_member_goes_on_identically(tmp_path: Path) -> None:
    made, other = island(m0=A), island(m0=A)
    made.train(0)
    made.save(0, member_file(tmp_path, 0))
    other.load(0, member_file(tmp_path, 0))
    assert made.train(0).metrics == other.train(0).metrics
    assert made.members[0].age == other.members[0].age == 10


def test_a_member_that_had_failed_when_it_was_saved_fails_again(tmp_path: Path) -> None:
    def broken(session: WalkSession) -> float | None:
        raise RuntimeError("out of luck")

    made = island(Walk(broken), m0=A)
    made.train(0)
    made.save(0, member_file(tmp_path, 0))
    again = island(m0=A)
    again.load(0, member_file(tmp_path, 0))
    report = again.train(0)
    assert report.failure is not None and not report.metrics


def test_held_out_metrics_are_those_of_the_saved_weights() -> None:
    made = island(m0=A)
    made.train(0)
    state = made.snapshot(0)
    assert state is not None
    seed = user_seed(0, "member", 0)
    assert judge(Walk(), A, seed, state["session"], Device()) == {
        "test_loss": pytest.approx(float(np.square(state["session"]["weights"]).sum()))
    }


def test_a_session_without_held_out_data_is_not_judged() -> None:
    class Plain:
        def load(self, state: object) -> None:
            raise AssertionError("never needed")

    class PlainWalk(Walk):
        def start(self, config, seed, device):  # type: ignore[no-untyped-def]
            return Plain()

    assert judge(PlainWalk(), A, 0, None, Device()) == {}


def test_a_copy_that_cannot_be_made_changes_no_weights_either() -> None:
    made = island(m0=A, m1=A)
    made.train(0)
    before = weights(made, 0)
    decision = Decision(0, 1, 7, A, change=ShrinkPerturb(0.2, 0.1))
    assert made.apply([decision], {}) == [decision]
    np.testing.assert_array_equal(weights(made, 0), before)
