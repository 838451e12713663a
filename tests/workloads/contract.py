"""What every workload must keep to; a workload joins by one line in ``test_contract.py``."""

from __future__ import annotations

import copy
import math
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import Config
from workloads import Device, Session, TestableSession, Workload
from workloads.capabilities import BlockSession, BlockWorkload, PerturbableSession
from workloads.folder import Folder
from workloads.state import from_parcel, to_parcel
from workloads.state_files import load_state, save_state

CPU = Device()
SEED = 7_000_000_000_000_000_001
STEPS = 6


def same(first: Any, second: Any) -> bool:
    """Whether two states or metrics are equal in types and bit for bit; NaN equals NaN.

    A folder is one wherever it lies.
    """
    if type(first) is not type(second):
        # A folder on the disk and one that has travelled are of two types.
        return isinstance(first, Folder) and bool(first == second)
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, torch.Tensor):
        return same(first.numpy(), second.numpy())
    if isinstance(first, np.ndarray | np.generic):
        return (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes())
    return first == second or (isinstance(first, float) and math.isnan(first) and math.isnan(second))


def leaves(state: Any, place: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """Everything in a state, by its place."""
    if isinstance(state, Mapping):
        parts = [leaves(item, (*place, key)) for key, item in state.items()]
    elif isinstance(state, list | tuple):
        parts = [leaves(item, (*place, index)) for index, item in enumerate(state)]
    else:
        return {place: state}
    return {place: leaf for part in parts for place, leaf in part.items()}


def global_random_states() -> tuple[Any, ...]:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002 (they are the point)


class StateContract:
    """Tests of a session's state over a fixture ``workload``, whose space has no conditions."""

    def configs(self, workload: Workload) -> tuple[Config, Config]:
        """Two configurations that agree in what is fixed when training starts."""
        one, other = workload.space.sample(2, np.random.default_rng(3))
        return one, {**other, **workload.space.immutable_part(one)}

    def start(self, workload: Workload, which: int = 0, seed: int = SEED) -> Session:
        return workload.start(self.configs(workload)[which], seed, CPU)

    def test_advancing_in_parts_is_advancing_at_once(self, workload: Workload) -> None:
        at_once, in_parts = self.start(workload), self.start(workload)
        whole = at_once.advance(STEPS)
        in_parts.advance(1)
        last = in_parts.advance(STEPS - 1)
        for objective in workload.objectives:
            assert last[objective.name] == whole[objective.name]
        assert same(in_parts.state(), at_once.state())

    def test_a_loaded_state_goes_on_exactly(self, workload: Workload) -> None:
        original, resumed = self.start(workload), self.start(workload)
        original.advance(STEPS)
        resumed.load(original.state())
        assert same(resumed.advance(STEPS), original.advance(STEPS))
        assert same(resumed.state(), original.state())

    def test_a_state_survives_files_and_transport(self, workload: Workload, tmp_path: Path) -> None:
        session = self.start(workload)
        session.advance(STEPS)
        state = session.state()
        save_state(tmp_path / "member.pt", state)
        assert same(load_state(tmp_path / "member.pt"), state)
        assert same(from_parcel(pickle.loads(pickle.dumps(to_parcel(state)))), state)

    def test_perturbing_repeats_and_can_be_trained_on(self, workload: Workload) -> None:
        sessions = [self.start(workload) for _ in range(2)]
        trained = []
        for session in sessions:
            if not isinstance(session, PerturbableSession):
                pytest.skip("its sessions have no weights to perturb")
            session.advance(STEPS)
            session.perturb(0.2, 0.1, 5)
            trained.append(session.advance(STEPS))
        assert same(*trained)
        assert all(math.isfinite(value) for value in trained[0].values())


class WorkloadContract(StateContract):
    """Those and all others."""

    def test_reports_every_objective_as_a_number(self, workload: Workload) -> None:
        metrics = self.start(workload).advance(STEPS)
        assert {objective.name for objective in workload.objectives} <= metrics.keys()
        assert all(isinstance(value, float) and math.isfinite(value) for value in metrics.values())

    def test_a_session_is_a_function_of_configuration_and_seed(self, workload: Workload) -> None:
        first, second = self.start(workload), self.start(workload)
        assert same(first.advance(STEPS), second.advance(STEPS))
        assert same(first.state(), second.state())

    def test_the_initial_state_can_be_gone_back_to(self, workload: Workload) -> None:
        session = self.start(workload)
        initial = session.state()
        first = session.advance(STEPS)
        session.load(initial)
        assert same(session.state(), initial)
        assert same(session.advance(STEPS), first)

    def test_a_state_is_independent_of_later_training(self, workload: Workload) -> None:
        donor, receiver = self.start(workload), self.start(workload, seed=1)
        donor.advance(STEPS)
        state = donor.state()
        before = copy.deepcopy(state)
        receiver.load(state)
        donor.advance(STEPS)
        receiver.advance(STEPS)
        assert same(state, before)

    def test_a_loading_session_keeps_its_own_hyperparameters(self, workload: Workload) -> None:
        donor, own, reference = self.start(workload), self.start(workload, 1), self.start(workload)
        donor.advance(STEPS)
        own.load(donor.state())
        reference.load(donor.state())
        reference.configure(self.configs(workload)[1])
        assert same(own.advance(STEPS), reference.advance(STEPS))
        assert same(own.state(), reference.state())

    def test_configuring_leaves_the_state_alone(self, workload: Workload) -> None:
        session = self.start(workload)
        session.advance(STEPS)
        before = session.state()
        session.configure(self.configs(workload)[1])
        assert same(session.state(), before)

    def test_configuring_with_what_it_has_changes_nothing(self, workload: Workload) -> None:
        session, untouched = self.start(workload), self.start(workload)
        session.configure(self.configs(workload)[0])
        assert same(session.advance(STEPS), untouched.advance(STEPS))

    def test_pickles(self, workload: Workload) -> None:
        sent = pickle.loads(pickle.dumps(workload))
        assert sent.objectives == workload.objectives
        assert sent.fidelity == workload.fidelity
        assert same(self.start(sent).advance(STEPS), self.start(workload).advance(STEPS))

    def test_leaves_global_random_states_alone(self, workload: Workload) -> None:
        before = global_random_states()
        self.start(workload).advance(STEPS)
        assert same(global_random_states(), before)

    def test_perturbing_mixes_in_the_weights_of_another_seed(self, workload: Workload) -> None:
        session = self.start(workload)
        if not isinstance(session, PerturbableSession):
            pytest.skip("its sessions have no weights to perturb")
        session.advance(STEPS)
        before, fresh = leaves(copy.deepcopy(session.state())), leaves(self.start(workload, seed=5).state())
        session.perturb(0.2, 0.1, 5)
        after, mixed = leaves(session.state()), 0
        assert before.keys() == after.keys()
        for place, old in before.items():
            # What is no weight stays (age, moments, which a fresh session may not have yet) or starts anew
            # (statistics of normalisation layers).
            new, now = fresh.get(place, old), after[place]
            if not same(now, old) and not same(now, new):
                assert same(now, 0.2 * old + 0.1 * new)
                mixed += 1
        assert mixed

    def test_perturbing_by_nothing_changes_nothing(self, workload: Workload) -> None:
        session = self.start(workload)
        if not isinstance(session, PerturbableSession):
            pytest.skip("its sessions have no weights to perturb")
        session.advance(STEPS)
        before = copy.deepcopy(session.state())
        states = global_random_states()
        session.perturb(1.0, 0.0, 5)
        assert same(session.state(), before)
        session.perturb(0.5, 0.5, 5)
        assert same(global_random_states(), states)

    def test_blocks_cross_between_models_of_different_builds(self, workload: Workload) -> None:
        if not isinstance(workload, BlockWorkload):
            pytest.skip("its models have no blocks")
        one, other = workload.space.sample(2, np.random.default_rng(3))
        for name, parameters in workload.blocks.items():
            mixed = {**one, **{each: other[each] for each in parameters}}
            first, second, child = (workload.start(each, SEED, CPU) for each in (one, other, mixed))
            first.advance(STEPS)
            second.advance(2)
            states = [first.state(), second.state()]
            before = copy.deepcopy(states)
            child.load(workload.crossed(*states, [name]))
            state = leaves(child.state())
            assert child.state().keys() == states[0].keys()
            ours, theirs = (leaves(each) for each in states)
            for place, leaf in state.items():
                inside = any(str(key).partition(".")[0] == name for key in place)
                assert same(leaf, (theirs if inside else ours)[place])
            assert isinstance(child, BlockSession)
            child.perturb_blocks([name], 0.0, 1.0, 5)
            assert same(states, before)
            fresh = leaves(workload.start(mixed, 5, CPU).state())
            for place, leaf in leaves(child.state()).items():
                renewed = place[0] == "model" and str(place[1]).partition(".")[0] == name
                assert same(leaf, fresh[place] if renewed else state[place])
            assert all(math.isfinite(value) for value in child.advance(STEPS).values())

    def test_testing_changes_nothing(self, workload: Workload) -> None:
        session, untested = self.start(workload), self.start(workload)
        session.advance(STEPS)
        untested.advance(STEPS)
        if isinstance(session, TestableSession):
            assert all(math.isfinite(value) for value in session.test().values())
        assert same(session.advance(STEPS), untested.advance(STEPS))
