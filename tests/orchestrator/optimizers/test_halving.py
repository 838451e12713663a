"""ASHA and Hyperband: who is promoted, when, and what the sampler learns."""

from __future__ import annotations

import math
import pickle
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.validate import check_values
from orchestrator.optimizers.asha import Asha
from orchestrator.optimizers.base import Capabilities
from orchestrator.optimizers.hyperband import Hyperband, bracket_sizes
from orchestrator.optimizers.nevergrad import Nevergrad
from orchestrator.optimizers.random import RandomSearch
from orchestrator.search import Optimizer
from orchestrator.search.assemble import assemble_search
from orchestrator.trial import Suggestion, Trial, failed
from search_spaces import Config, build_space
from tests.conftest import composed
from workloads import Fidelity, Objective

SPACE = build_space({"parameters": {"x": {"type": "int", "low": 0, "high": 10**6}}})
ONE = (Objective("loss"),)


class Counting(Optimizer):
    """Suggests 0, 1, 2 …, and keeps what it is told."""

    capabilities = Capabilities()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.told: list[tuple[Config, float]] = []

    def _suggest(self, token: int) -> tuple[Config, None]:
        return {"x": token}, None

    def _learn(self, trial: Trial) -> None:
        self.told.append((trial.config, trial.losses[0]))


def asha(largest: int = 9, eta: int = 3) -> Asha:
    return Asha(SPACE, ONE, 0, Fidelity("epoch", 1, largest), sampler=Counting, eta=eta)


def hyperband(largest: int = 9, sampler: Any = RandomSearch, eta: int = 3) -> Hyperband:
    return Hyperband(SPACE, ONE, 0, Fidelity("epoch", 1, largest), sampler=sampler, eta=eta)


def ask(optimizer: Optimizer) -> tuple[Suggestion, tuple[int, int | None]]:
    (suggestion,) = optimizer.ask()
    return suggestion, (int(suggestion.config["x"]), suggestion.fidelity)


def tell(optimizer: Optimizer, suggestion: Suggestion, loss: float) -> None:
    optimizer.tell([Trial(suggestion, (loss,))])


def test_asha_promotes_the_best_third_of_a_rung_and_else_grows_the_lowest() -> None:
    optimizer = asha()
    losses = [5.0, 1.0, 3.0, 0.5, 4.0, 2.0, 6.0]
    seen = []
    for _ in range(9):
        suggestion, what = ask(optimizer)
        seen.append(what)
        tell(optimizer, suggestion, losses[what[0]])
    # Of three results 1 is the best, of four 3 is; of six 3 and 1 are the best two, and have gone up already.
    assert seen == [(0, 1), (1, 1), (2, 1), (1, 3), (3, 1), (3, 3), (4, 1), (5, 1), (6, 1)]


def test_asha_promotes_from_the_highest_rung_first() -> None:
    optimizer = asha()
    losses = [5.0, 1.0, 3.0, 0.5, 4.0, 2.0, 0.1, 0.2]
    seen = []
    for _ in range(12):
        suggestion, what = ask(optimizer)
        seen.append(what)
        tell(optimizer, suggestion, losses[what[0]])
    # 6 is the best of three on the second rung, and goes on to the third before the first rung grows.
    assert seen[8:] == [(6, 1), (6, 3), (6, 9), (7, 1)]


def test_asha_does_not_wait_for_results() -> None:
    optimizer = asha()
    suggestions = optimizer.ask(5)
    assert [suggestion.fidelity for suggestion in suggestions] == [1] * 5
    for suggestion, loss in zip(suggestions[2:], (3.0, 1.0, 2.0), strict=True):
        tell(optimizer, suggestion, loss)
    assert [ask(optimizer)[1], ask(optimizer)[1]] == [(3, 3), (5, 1)]


def test_asha_promotes_no_failure() -> None:
    optimizer = asha()
    for suggestion in optimizer.ask(6):
        optimizer.tell([failed(suggestion, "boom", ONE)])
    assert ask(optimizer)[1] == (6, 1)


@settings(max_examples=25, deadline=None)
@given(
    losses=st.lists(st.integers(0, 20), min_size=30, max_size=30),
    choices=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    eta=st.integers(2, 4),
)
def test_asha_promotes_what_is_promotable_in_whatever_order_results_come(
    losses: list[int], choices: list[int], eta: int
) -> None:
    optimizer = asha(largest=27, eta=eta)
    results: dict[int, dict[int, int]] = {rung: {} for rung in optimizer.rungs}
    promoted = {rung: set[int]() for rung in optimizer.rungs}
    optimizer.ask(3)
    for loss, choice in zip(losses, choices, strict=True):
        promotable = []
        for below, above in zip(optimizer.rungs, optimizer.rungs[1:], strict=False):
            ranking = sorted(results[below], key=lambda number: (results[below][number], number))
            best = [number for number in ranking[: len(ranking) // eta] if number not in promoted[below]]
            promotable += [(best[0], above, below)] if best else []
        number, fidelity = ask(optimizer)[1]
        if promotable:
            expected, above, below = promotable[-1]
            assert (number, fidelity) == (expected, above)
            promoted[below].add(number)
        else:
            assert fidelity == 1
        suggestion = optimizer.pending[choice]
        tell(optimizer, suggestion, loss)
        results[suggestion.fidelity or 0][int(suggestion.config["x"])] = loss


def test_rungs_end_with_the_largest_fidelity() -> None:
    assert asha(largest=20).rungs == (1, 3, 9, 20)


def test_brackets_have_the_sizes_of_the_paper() -> None:
    """Table 1 of Li et al. 2018: R = 81, eta = 3."""
    assert bracket_sizes(5, 3) == [(81, 27, 9, 3, 1), (34, 11, 3, 1), (15, 5, 1), (8, 2), (5,)]
    assert bracket_sizes(4, 3) == [(27, 9, 3, 1), (12, 4, 1), (6, 2), (4,)]


def test_hyperband_goes_through_the_brackets_and_begins_anew() -> None:
    optimizer = hyperband()
    fidelities, values = [], []
    for _ in range(13 + 6 + 3 + 9):
        suggestion, (value, fidelity) = ask(optimizer)
        fidelities.append(fidelity)
        values.append(value)
        tell(optimizer, suggestion, float(value))
    assert fidelities == [1] * 9 + [3] * 3 + [9] + [3] * 5 + [9] + [9] * 3 + [1] * 9
    assert values[9:12] == sorted(values[:9])[:3]
    assert values[12] == min(values[:9])
    assert values[18] == min(values[13:18])


def test_hyperband_begins_the_next_bracket_while_a_rung_waits() -> None:
    optimizer = hyperband()
    first = optimizer.ask(9)
    early = optimizer.ask(2)
    assert [one.fidelity for one in (*first, *early)] == [1] * 9 + [3] * 2
    for suggestion in first:
        tell(optimizer, suggestion, float(suggestion.config["x"]))
    promoted = optimizer.ask(3)
    assert {one.config["x"] for one in promoted} == set(sorted(one.config["x"] for one in first)[:3])
    assert [one.fidelity for one in promoted] == [3] * 3


def test_hyperband_goes_on_with_fewer_where_trials_fail() -> None:
    optimizer = hyperband()
    suggestions = optimizer.ask(9)
    for suggestion in suggestions[:7]:
        optimizer.tell([failed(suggestion, "boom", ONE)])
    for suggestion in suggestions[7:]:
        tell(optimizer, suggestion, 1.0)
    promoted = optimizer.ask(2)
    assert [one.config for one in promoted] == [one.config for one in suggestions[7:]]
    for suggestion in promoted:
        optimizer.tell([failed(suggestion, "boom", ONE)])
    assert [one.fidelity for one in optimizer.ask(5)] == [3] * 5  # the next bracket


def test_the_sampler_learns_each_configuration_once_where_it_entered() -> None:
    optimizer = asha()
    for _ in range(8):
        suggestion, (number, fidelity) = ask(optimizer)
        tell(optimizer, suggestion, 100.0 * (fidelity or 0) + number)
    sampler: Any = optimizer._samplers[0]
    assert sampler.told == [({"x": number}, 100.0 + number) for number in range(6)]
    assert sampler.pending == ()


def test_hyperbands_samplers_see_one_fidelity_each() -> None:
    optimizer = hyperband(sampler=Counting)
    for _ in range(13 + 6 + 3):
        suggestion, (_, fidelity) = ask(optimizer)
        tell(optimizer, suggestion, float(fidelity or 0))
    samplers: dict[int, Any] = optimizer._samplers
    assert {rung: {loss for _, loss in one.told} for rung, one in samplers.items()} == {
        0: {1},
        1: {3},
        2: {9},
    }
    assert [len(samplers[rung].told) for rung in range(3)] == [9, 5, 3]


def test_a_sampler_that_waits_makes_asha_wait() -> None:
    sampler = partial(Nevergrad, n_trials=60)
    space = build_space({"parameters": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in "ab"}})
    optimizer = Asha(space, ONE, 0, Fidelity("epoch", 1, 9), sampler=sampler)
    (first,) = optimizer.ask(2)
    tell(optimizer, first, 1.0)
    assert len(optimizer.ask(2)) == 1


@pytest.mark.parametrize("make", [asha, hyperband])
def test_a_restored_one_promotes_the_same(make: Any) -> None:
    optimizer = make()
    pending = optimizer.ask(4)
    copy = pickle.loads(pickle.dumps(optimizer))
    results = []
    for one in (optimizer, copy):
        for suggestion in pending:
            tell(one, suggestion, math.sin(suggestion.config["x"]))
        seen = []
        for _ in range(12):
            suggestion, what = ask(one)
            seen.append(what)
            tell(one, suggestion, math.sin(what[0]))
        results.append(seen)
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["asha_random", "asha_tpe", "hyperband_random", "hyperband_tpe"])
def test_a_search_study_takes_it(name: str) -> None:
    config = composed("+study=mf_digits", f"optimizer={name}", "search.first_rung=2", "search.eta=2")
    check_values(config)
    optimizer = assemble_search(config).optimizer
    assert isinstance(optimizer, Asha | Hyperband)
    assert optimizer.rungs[0] == 2
    (suggestion,) = optimizer.ask()
    assert suggestion.fidelity == 2


@pytest.mark.parametrize("kind", [Asha, Hyperband])
def test_what_violates_a_constraint_ranks_behind_what_does_not(kind: type[Asha | Hyperband]) -> None:
    bounded = (Objective("cost", bound=1.0),)
    optimizer = kind(SPACE, ONE, 0, Fidelity("epoch", 1, 9), bounded)
    tried = []
    for number in range(9):
        (suggestion,) = optimizer.ask()
        assert suggestion.fidelity == 1 or kind is Asha
        if suggestion.fidelity != 1:
            break
        tried.append(suggestion)
        # The better the loss, the greater the violation, but for the last.
        violation = -1.0 if number in (2, 8) else 9.0 - number
        optimizer.tell([Trial(suggestion, (float(number),), (violation,))])
    promoted = optimizer.ask()[0] if kind is Hyperband else suggestion
    assert promoted.fidelity == 3
    assert promoted.config == tried[2].config
