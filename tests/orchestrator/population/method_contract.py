"""What every method of population studies has to keep; a new one joins by one line.

TestPbt = method_contract(Pbt(Truncation(0.25), Perturb()))
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orchestrator.population.evolution import Evolution
from orchestrator.population.methods.contract import Choices, Method
from orchestrator.population.past import Past, Setting
from orchestrator.population.records import MemberInterval, Report
from search_spaces import ConfigurationError, SearchSpace, build_space
from tests.orchestrator.population.contract import mutable_spaces
from workloads.contract import Objective

SEEDS = st.integers(0, 2**32 - 1)
# A course takes long, and methods refuse most random spaces that have, say, no mutable category.
FEW = settings(
    max_examples=settings.default.max_examples // 10, suppress_health_check=[HealthCheck.filter_too_much]
)
STEPS = 10
"""Training steps of an interval."""

PLAIN = build_space(
    {
        "parameters": {
            "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "mutable": True},
            "decay": {"type": "float", "low": 0.0, "high": 1.0, "mutable": True},
            "depth": {"type": "int", "low": 1, "high": 4},
        }
    }
)

MIXED = build_space(
    {
        "parameters": {
            "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "mutable": True},
            "optimizer": {"type": "categorical", "choices": ["adam", "sgd", "lion"], "mutable": True},
            "depth": {"type": "int", "low": 1, "high": 4},
        }
    }
)

Losses = np.ndarray
Blocks = Mapping[str, tuple[str, ...]]


def born(
    method: Method,
    space: SearchSpace,
    size: int,
    generations: int,
    objectives: int,
    seed: int = 0,
    blocks: Blocks | None = None,
) -> Evolution:
    """A newly born population of a study that the method serves."""
    named = tuple(Objective(f"loss{number}") for number in range(objectives))
    try:
        method.serves(Setting(space, named, size, generations, blocks or {}))
    except ConfigurationError:
        assume(False)
    return Evolution(space, named, method, size=size, generations=generations, seed=seed, blocks=blocks)


def report(member: int, generation: int, losses: Losses) -> Report:
    """A member's publication; losses of shape ``(m,)``, NaN where it failed."""
    failed = bool(np.isnan(losses).any())
    metrics = {} if failed else {f"loss{number}": float(loss) for number, loss in enumerate(losses)}
    return Report(member, generation, generation * STEPS, metrics, 0.1, "it failed" if failed else None)


def publish(
    evolution: Evolution, generation: int, losses: Losses, order: Sequence[int] = (), *, alone: bool = False
) -> list[MemberInterval]:
    """All members publish, one by one in ``order`` where each is decided on alone; losses ``(size, m)``."""
    members = order or range(evolution.size)
    reports = [report(member, generation, losses[member]) for member in members]
    if not alone:
        return evolution.decide(reports)
    return [interval for one in reports for interval in evolution.decide([one], alone=True)]


def course(
    method: Method,
    space: SearchSpace,
    losses: Losses,
    *,
    alone: bool = False,
    seed: int = 0,
    blocks: Blocks | None = None,
) -> Evolution:
    """A population after intervals with these losses, shape ``(generations, size, m)``."""
    generations, size, objectives = losses.shape
    evolution = born(method, space, size, generations + 1, objectives, seed, blocks)
    for generation, values in enumerate(losses, start=1):
        publish(evolution, generation, values, alone=alone)
    return evolution


def outcomes(evolution: Evolution) -> list[tuple[object, ...]]:
    """Everything that was decided."""
    return [(one.place, one.decision) for life in evolution.lives for one in life]


def asked(method: Method, past: Past, members: Sequence[int], seed: int) -> Choices:
    return method.decide(np.array(members, dtype=np.intp), past, np.random.default_rng(seed))


def columns(past: Past) -> list[np.ndarray]:
    """Everything that a past holds."""
    rows = [past.member, past.generation, past.age, past.units, past.losses, past.origin, past.changed]
    return [*(column.copy() for column in rows), past.latest.copy(), past.running.copy(), past.due.copy()]


def check_legal(evolution: Evolution, intervals: Sequence[MemberInterval]) -> None:
    """What is decided lies in the space, and what is fixed at birth comes with the weights."""
    columns = [column.name for column in evolution.space.codec.columns if not column.mutable]
    for interval in intervals:
        evolution.space.check(interval.next_config)
        assert interval.wait >= 1
        if interval.change is not None:
            assert 0 <= interval.change.keep <= 1 and interval.change.noise >= 0
        if not interval.reborn:
            source = evolution.source(interval)
            assert source is not None and not source.failed
            sources = dict.fromkeys(columns, source)
            if (crossover := interval.crossover) is not None:
                second = evolution.lives[crossover.parent][crossover.parent_generation - 1]
                assert not second.failed and interval.copies
                blocks = evolution.past.setting.blocks
                sources |= {name: second for block in crossover.blocks for name in blocks[block]}
            for name in columns:
                assert interval.next_config.get(name) == sources[name].config.get(name)


def method_contract(
    method: Method,
    *,
    size: int = 8,
    objectives: int = 1,
    ranks: bool = True,
    generations: int = 4,
    plain: SearchSpace = PLAIN,
    spaces: st.SearchStrategy[SearchSpace] | None = None,
    blocks: Blocks | None = None,
) -> type:
    """The tests that a method joins.

    Args:
        method: the method.
        size: members of the population that it is tested with.
        objectives: how many objectives.
        ranks: whether losses count by their order alone.
        generations: intervals that are decided on.
        plain: a search space without conditions that it serves.
        spaces: spaces that it may serve; None: any with mutable parameters.
        blocks: of the models.
    """
    values = st.floats(-1e3, 1e3, width=32)
    shape = (generations, size, objectives)
    healthy = arrays(np.float64, shape, elements=values)
    failing = arrays(np.float64, shape, elements=values | st.just(np.nan))

    class Contract:
        @FEW
        @given(mutable_spaces() if spaces is None else spaces, failing, SEEDS, st.booleans())
        def test_decisions_are_legal_and_the_failed_go_on_from_the_healthy(
            self, space: SearchSpace, losses: Losses, seed: int, alone: bool
        ) -> None:
            evolution = born(method, space, size, generations + 1, objectives, seed, blocks)
            for generation, one in enumerate(losses, start=1):
                intervals = publish(evolution, generation, one, alone=alone)
                check_legal(evolution, intervals)
                for interval in intervals:
                    assert not interval.failed or interval.copies or interval.reborn

        @FEW
        @given(failing, SEEDS, st.booleans())
        def test_the_generator_alone_decides_and_the_past_stays(
            self, losses: Losses, seed: int, alone: bool
        ) -> None:
            evolution = course(method, plain, losses, alone=alone, seed=seed, blocks=blocks)
            before = columns(evolution.past)
            members = [seed % size] if alone else list(range(size))
            first, second = (asked(method, evolution.past, members, seed) for _ in range(2))
            for field in dataclasses.fields(Choices):
                one, other = getattr(first, field.name), getattr(second, field.name)
                assert one.shape[0] == len(members)
                np.testing.assert_array_equal(one, other)
            for column, kept in zip(columns(evolution.past), before, strict=True):
                np.testing.assert_array_equal(column, kept)

        @FEW
        @given(failing, SEEDS, st.booleans())
        def test_a_population_that_goes_back_decides_again_as_it_did(
            self, losses: Losses, seed: int, alone: bool
        ) -> None:
            evolution = course(method, plain, losses, alone=alone, seed=seed, blocks=blocks)
            decided = outcomes(evolution)
            kept = seed % generations
            evolution.rewind([kept] * size)
            for generation in range(kept + 1, generations + 1):
                publish(evolution, generation, losses[generation - 1], alone=alone)
            assert outcomes(evolution) == decided

        @FEW
        @given(healthy, SEEDS, st.permutations(range(size)))
        def test_members_may_arrive_in_any_order(
            self, losses: Losses, seed: int, order: Sequence[int]
        ) -> None:
            evolution = born(method, plain, size, generations + 1, objectives, seed, blocks)
            for generation, one in enumerate(losses, start=1):
                check_legal(evolution, publish(evolution, generation, one, order, alone=True))

        @FEW
        @given(SEEDS)
        def test_a_member_that_runs_ahead_alone_is_served(self, seed: int) -> None:
            evolution = born(method, plain, size, generations + 1, objectives, seed, blocks)
            rng = np.random.default_rng(seed)
            for generation in range(1, generations + 1):
                alone = [report(0, generation, rng.normal(size=objectives))]
                check_legal(evolution, evolution.decide(alone, alone=True))

        @FEW
        @given(SEEDS, st.booleans())
        def test_where_nobody_is_healthy_everybody_starts_afresh(self, seed: int, alone: bool) -> None:
            evolution = born(method, plain, size, generations + 1, objectives, seed, blocks)
            failed = np.full((size, objectives), np.nan)
            for generation in (1, 2):
                intervals = publish(evolution, generation, failed, alone=alone)
                assert all(interval.reborn for interval in intervals)

        @FEW
        @given(values, SEEDS, st.booleans())
        def test_constant_losses_are_served(self, loss: float, seed: int, alone: bool) -> None:
            evolution = course(method, plain, np.full(shape, loss), alone=alone, seed=seed, blocks=blocks)
            for life in evolution.lives:
                check_legal(evolution, life)

        @FEW
        @given(arrays(np.int64, shape, elements=st.integers(-50, 50)), SEEDS, st.booleans())
        def test_losses_count_by_their_order_alone(self, whole: Losses, seed: int, alone: bool) -> None:
            losses = whole.astype(np.float64)
            straight, bent = (
                outcomes(course(method, plain, one, alone=alone, seed=seed, blocks=blocks))
                for one in (losses, np.exp(losses / 10) * 3 - 7)
            )
            assert straight == bent

    if not ranks:
        del Contract.test_losses_count_by_their_order_alone
    return Contract
