"""What every exploit rule and every explore rule has to keep; a new rule joins by one line.

TestTruncation = exploit_contract(Truncation(quantile=0.25))
TestPerturb = explore_contract(Perturb())
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestrator.population.rules.contract import Evaluations, ExploitRule, ExploreRule, Floats, Parents
from orchestrator.population.rules.exploit import choose_parents
from orchestrator.population.rules.explore import explore
from search_spaces import SearchSpace, build_space
from tests.conftest import classes_of
from tests.search_spaces.strategies import spaces

SEEDS = st.integers(0, 2**32 - 1)
LOSSES = st.floats(-1e6, 1e6, width=32)

# Time per example says nothing here; building a random space takes most of it.
UNTIMED = settings(deadline=None)
FEW = settings(max_examples=settings.default.max_examples // 2)


@st.composite
def populations(draw: st.DrawFn, objectives: int = 1, window: int = 1, failures: bool = False) -> Evaluations:
    """Past evaluations of 2 to 12 members; with ``failures``, any of them may be NaN."""
    n = draw(st.integers(2, 12))
    values = LOSSES | st.just(np.nan) if failures else LOSSES
    losses = draw(arrays(np.float64, (n, window, objectives), elements=values))
    return Evaluations(
        losses, units=np.full((n, window, 1), 0.5), ages=np.tile(np.arange(1.0, window + 1), (n, 1))
    )


def forgotten(group: str, tests: Iterable[object]) -> list[str]:
    """The choices of a group of the configuration, such as ``population/exploit``, that join no contract.

    Args:
        tests: what a module of tests has, which may be anything.
    """
    joined = {getattr(one, "joined", None) for one in tests}
    return [name for name, made in classes_of(group).items() if made not in joined]


def copy_of(history: Evaluations) -> Evaluations:
    return Evaluations(history.losses.copy(), history.units.copy(), history.ages.copy())


def same(a: Evaluations, b: Evaluations) -> bool:
    pairs = ((a.losses, b.losses), (a.units, b.units), (a.ages, b.ages))
    return all(np.array_equal(left, right, equal_nan=True) for left, right in pairs)


def exploit_contract(rule: ExploitRule, objectives: int = 1, ranks: bool = True) -> type:
    """The tests that an exploit rule joins.

    Args:
        rule: the rule.
        objectives: how many objectives it is tested with.
        ranks: whether it looks at the latest losses alone, so that a member that is best in them stays.
    """

    class Contract:
        joined = type(rule)

        @UNTIMED
        @given(populations(objectives, rule.window), SEEDS)
        def test_parents_are_members(self, history: Evaluations, seed: int) -> None:
            losses = history.losses[:, -1]
            parents = rule(losses, history, np.random.default_rng(seed))
            assert parents.shape == (len(losses),)
            assert np.issubdtype(parents.dtype, np.integer)
            assert ((parents >= 0) & (parents < len(losses))).all()

        @UNTIMED
        @given(populations(objectives, rule.window, failures=True), SEEDS)
        def test_the_generator_alone_decides_and_inputs_stay(self, history: Evaluations, seed: int) -> None:
            before, losses = copy_of(history), history.losses[:, -1].copy()
            first, second = (
                choose_parents(rule, losses, history, np.random.default_rng(seed)) for _ in range(2)
            )
            np.testing.assert_array_equal(first, second)
            np.testing.assert_array_equal(losses, before.losses[:, -1])
            assert same(history, before)

        @UNTIMED
        @given(populations(objectives, rule.window, failures=True), SEEDS)
        def test_failed_members_are_replaced_and_never_parents(self, history: Evaluations, seed: int) -> None:
            losses = history.losses[:, -1]
            failed = np.isnan(losses).any(axis=1)
            parents = choose_parents(rule, losses, history, np.random.default_rng(seed))
            if failed.all():
                assert (parents == -1).all()
            else:
                assert not failed[parents].any()

        @UNTIMED
        @given(st.integers(2, 12), LOSSES, SEEDS)
        def test_constant_losses_are_served(self, n: int, loss: float, seed: int) -> None:
            history = Evaluations(
                losses=np.full((n, rule.window, objectives), loss),
                units=np.full((n, rule.window, 1), 0.5),
                ages=np.ones((n, rule.window)),
            )
            parents = choose_parents(rule, history.losses[:, -1], history, np.random.default_rng(seed))
            assert ((parents >= 0) & (parents < n)).all()
            # Somebody has to keep what it trained, or the population forgets its own weights.
            assert (parents == np.arange(n)).any()

        @UNTIMED
        @given(populations(objectives, rule.window), SEEDS)
        def test_whoever_is_best_in_everything_stays(self, history: Evaluations, seed: int) -> None:
            best = seed % len(history.losses)
            history.losses[best, -1] = history.losses[:, -1].min(axis=0) - 1.0
            parents = choose_parents(rule, history.losses[:, -1], history, np.random.default_rng(seed))
            assert parents[best] == best

        @UNTIMED
        @given(SEEDS)
        def test_a_short_history_is_served(self, seed: int) -> None:
            losses = np.random.default_rng(seed).normal(size=(4, objectives))
            padding = np.full((4, rule.window - 1, objectives), np.nan)
            history = Evaluations(
                losses=np.concatenate([padding, losses[:, None]], axis=1),
                units=np.full((4, rule.window, 1), 0.5),
                ages=np.ones((4, rule.window)),
            )
            parents = choose_parents(rule, losses, history, np.random.default_rng(seed))
            assert ((parents >= 0) & (parents < 4)).all()

        def test_its_own_study_is_served(self) -> None:
            rule.serves(objectives, population=2)

    if not ranks:
        del Contract.test_whoever_is_best_in_everything_stays
    return Contract


@st.composite
def mutable_spaces(draw: st.DrawFn) -> SearchSpace:
    """Random spaces in which some parameters are mutable, and with them all that they make active."""
    space = draw(spaces())
    changing = set(draw(st.lists(st.sampled_from(space.names), unique=True)))
    parents = space.configuration_space.parents_of
    for name in space.names:
        if any(parent.name in changing for parent in parents[name]):
            changing.add(name)
    return SearchSpace(
        space.configuration_space, frozenset(c.name for c in space.codec.columns if c.name in changing)
    )


def explore_contract(rule: ExploreRule) -> type:
    """The tests that an explore rule joins."""

    class Contract:
        joined = type(rule)

        @staticmethod
        def population(space: SearchSpace, seed: int, n: int = 6) -> tuple[Floats, Parents, Evaluations]:
            """Inherited units, parents (some keep, some copy, chains included) and a matching history."""
            rng = np.random.default_rng(seed)
            own, parents = space.sample_units(n, rng), rng.integers(0, n, size=n)
            steps = np.arange(1.0, rule.window + 1)
            past = Evaluations(
                losses=rng.normal(size=(n, rule.window, 1)),
                units=np.repeat(own[:, None], rule.window, axis=1),
                ages=np.tile(steps, (n, 1)),
            )
            return own[parents], parents, past

        @FEW
        @given(mutable_spaces(), SEEDS)
        def test_the_result_is_a_legal_population(self, space: SearchSpace, seed: int) -> None:
            units, parents, past = self.population(space, seed)
            explored = explore(rule, units, parents, past, space, np.random.default_rng(seed))
            active = space.codec.active(explored)
            assert explored.shape == units.shape
            assert (np.isnan(explored) == ~active).all()
            assert ((explored[active] >= 0) & (explored[active] <= 1)).all()
            assert space.codec.legal(explored).all()

        @FEW
        @given(mutable_spaces(), SEEDS)
        def test_what_is_fixed_at_birth_stays(self, space: SearchSpace, seed: int) -> None:
            units, parents, past = self.population(space, seed)
            explored = explore(rule, units, parents, past, space, np.random.default_rng(seed))
            fixed = [not column.mutable for column in space.codec.columns]
            np.testing.assert_array_equal(explored[:, fixed], units[:, fixed])

        @FEW
        @given(mutable_spaces(), SEEDS)
        def test_the_generator_alone_decides_and_inputs_stay(self, space: SearchSpace, seed: int) -> None:
            units, parents, past = self.population(space, seed)
            inputs = units.copy(), parents.copy(), copy_of(past)
            first, second = (
                explore(rule, units, parents, past, space, np.random.default_rng(seed)) for _ in range(2)
            )
            np.testing.assert_array_equal(first, second)
            np.testing.assert_array_equal(units, inputs[0])
            np.testing.assert_array_equal(parents, inputs[1])
            assert same(past, inputs[2])

        @FEW
        @given(SEEDS)
        def test_a_population_of_two_is_served(self, seed: int) -> None:
            units, parents, past = self.population(FLOATS, seed, n=2)
            explored = explore(rule, units, parents, past, FLOATS, np.random.default_rng(seed))
            assert explored.shape == (2, 2)

    return Contract


FLOATS = build_space(
    {"parameters": {name: {"type": "float", "low": 0, "high": 1, "mutable": True} for name in ("a", "b")}}
)
