"""PBT-NAS: who mixes whom, worked out by hand, and blocks on their way through a whole study."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.population.assemble import assemble_population
from orchestrator.population.decision import Crossover, Decision, ShrinkPerturb
from orchestrator.population.evolution import Evolution
from orchestrator.population.history.frames import lineage
from orchestrator.population.history.trajectory import trajectory_of
from orchestrator.population.in_process import course
from orchestrator.population.island.island import Island
from orchestrator.population.methods.pbt_nas import PbtNas
from orchestrator.population.past import Setting
from orchestrator.population.rules.explore import NoExplore, Perturb
from orchestrator.reporting.population.genealogy import tree
from search_spaces import ConfigurationError, SearchSpace, build_space
from tests.conftest import composed
from tests.orchestrator.population.blocks import BLOCKS, SPACE, BlockWalk, check_marks
from tests.orchestrator.population.harness import Death, Population
from tests.orchestrator.population.method_contract import publish
from workloads.contract import Device, Objective
from workloads.library.digits_blocks import DigitsBlocks
from workloads.packing import EngineChoice

METHOD = PbtNas(Perturb())
LOSS = (Objective("loss0"),)
KINDS = "abc"


def population(method: PbtNas, size: int = 8, space: dict[str, Any] = SPACE, seed: int = 0) -> Evolution:
    """Members that differ in their blocks: member ``i`` has kinds ``i % 3`` and ``i // 3 % 3``."""
    built: SearchSpace = build_space(space)
    kinds = [{"left": KINDS[i % 3], "right": KINDS[i // 3 % 3]} for i in range(size)]
    initial = [{"rate": 0.002 * (i + 1), **kind} for i, kind in enumerate(kinds)]
    extra = {name: "x" for name in built.names if name not in initial[0]}
    # As they come out of the unit cube, so that going there and back changes nothing.
    born = built.codec.decode(built.codec.encode([{**one, **extra} for one in initial]))
    blocks = {name: (name,) for name in BLOCKS}
    return Evolution(built, LOSS, method, size=size, generations=20, seed=seed, initial=born, blocks=blocks)


def ascending(size: int = 8) -> np.ndarray:
    return np.arange(float(size))[:, None]


def test_the_bottom_quarter_is_mixed_out_of_the_two_best_and_the_better_one_is_the_base() -> None:
    found = set()
    for seed in range(40):
        evolution = population(PbtNas(NoExplore()), seed=seed)
        first, second = evolution.born[0], evolution.born[1]
        intervals = publish(evolution, 1, ascending())
        for interval in intervals[:6]:
            assert interval.decision == Decision(interval.member, 1, interval.member, interval.config)
        for interval in intervals[6:]:
            assert (interval.parent, interval.parent_generation) == (0, 1)
            crossover = interval.crossover
            blocks = () if crossover is None else crossover.blocks
            found.add(blocks)
            assert interval.next_config == {**first, **{name: second[name] for name in blocks}}
            assert crossover is None or crossover == Crossover(1, 1, blocks)
            assert interval.change == (ShrinkPerturb(0.4, 0.1) if blocks else None)
    assert found == {(), ("left",), ("right",), BLOCKS}


def test_a_quarter_of_the_blocks_comes_from_the_second_parent() -> None:
    evolution = population(PbtNas(NoExplore()), size=400)
    intervals = publish(evolution, 1, ascending(400))
    blocks = [one.crossover.blocks if one.crossover else () for one in intervals[300:]]
    assert 30 <= sum(map(len, blocks)) <= 70  # 50 expected of 200, five standard deviations are 31
    for interval in intervals[300:]:
        assert interval.parent < 99
        assert interval.crossover is None or interval.parent < interval.crossover.parent < 100


def test_all_blocks_cross_where_the_probability_is_1_and_none_where_it_is_0() -> None:
    always, never = (population(PbtNas(NoExplore(), swap=swap)) for swap in (1.0, 0.0))
    last = publish(always, 1, ascending())[7]
    assert last.crossover == Crossover(1, 1, BLOCKS)
    assert last.next_config == {**always.born[0], **{name: always.born[1][name] for name in BLOCKS}}
    last = publish(never, 1, ascending())[7]
    assert last.crossover is None and last.change is None and last.next_config == never.born[0]


def test_mutable_hyperparameters_are_the_better_parents_as_explored() -> None:
    evolution = population(PbtNas(Perturb(factors=(0.5, 0.5), resample_probability=0.0), swap=1.0))
    last = publish(evolution, 1, ascending())[7]
    assert last.next_config["rate"] == pytest.approx(0.5 * evolution.born[0]["rate"])


def test_a_failed_member_is_replaced_and_of_one_healthy_parent_there_is_a_copy() -> None:
    evolution = population(PbtNas(NoExplore(), swap=1.0))
    losses = np.full((8, 1), np.nan)
    losses[3] = 1.0
    for interval in publish(evolution, 1, losses):
        assert interval.parent == 3 and interval.crossover is None
    losses[:2] = 0.5
    second = publish(evolution, 2, losses)
    assert {second[5].parent, second[5].crossover.parent} == {0, 1}  # type: ignore[union-attr]


def test_parents_that_differ_outside_of_blocks_are_not_mixed() -> None:
    width = {"width": {"type": "categorical", "choices": ["x", "y"]}}
    space = {"parameters": {**SPACE["parameters"], **width}}
    evolution = population(PbtNas(NoExplore(), swap=1.0), space=space)
    assert publish(evolution, 1, ascending())[7].crossover is not None
    evolution = population(PbtNas(NoExplore(), swap=1.0), space=space)
    born = {**evolution.born[1], "width": "y"}
    other = Evolution(
        evolution.space, LOSS, evolution.method, size=8, generations=20, seed=0,
        initial=[evolution.born[0], born, *evolution.born[2:]], blocks={name: (name,) for name in BLOCKS},
    )  # fmt: skip
    last = publish(other, 1, ascending())[7]
    assert last.crossover is None and last.next_config == other.born[0]


def test_a_mixture_that_is_forbidden_gives_way_to_a_copy() -> None:
    forbidden = [{"left": "b", "right": "a"}]
    evolution = population(PbtNas(NoExplore(), swap=1.0), space={**SPACE, "forbidden": forbidden})
    born = [{"rate": 0.1, "left": "a", "right": "a"}, {"rate": 0.1, "left": "b", "right": "b"}]
    blocks = {"left": ("left",)}
    other = Evolution(
        evolution.space, LOSS, evolution.method, size=8, generations=9, seed=0, initial=born, blocks=blocks
    )
    last = publish(other, 1, ascending())[7]
    assert last.crossover is None and last.next_config == born[0]


def test_the_first_architectures_are_spread_over_the_choices() -> None:
    setting = Setting(build_space(SPACE), LOSS, 9, 9, {name: (name,) for name in BLOCKS})
    born = setting.space.codec.decode(METHOD.birth(setting, np.random.default_rng(0)))
    for name in BLOCKS:
        assert sorted(one[name] for one in born) == [*"aaabbbccc"]


@pytest.mark.parametrize(
    ("objectives", "size", "blocks", "message"),
    [
        (LOSS, 8, {}, "expected a workload whose models have blocks"),
        (LOSS, 7, {"left": ()}, "population.size: expected at least 8 members, got 7"),
        ((*LOSS, Objective("other")), 8, {"left": ()}, "ranks"),
    ],
)
def test_what_it_cannot_serve_is_refused(
    objectives: tuple[Objective, ...], size: int, blocks: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        METHOD.serves(Setting(build_space(SPACE), objectives, size, 9, blocks))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (["workload=digits", "search_space=digits"], r"population.method: expected a workload whose models"),
        (["population.workers=2"], "population.workers: expected 1, got 2"),
        (["population.method.swap=2"], "population.method.swap: expected a number between 0 and 1"),
        (["population.method.noise=-1"], "population.method.noise: expected a number of at least 0"),
    ],
)
def test_bad_studies_are_refused_in_one_line(override: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        assemble_population(composed("+study=pbt_nas_digits", *override))


STUDIES = [(True, LOOP_, small) for LOOP_ in (1, 3) for small in (True,)] + [
    (False, 1, True),
    (False, 3, True),
    (False, 3, False),
]


@pytest.mark.parametrize(("synchronous", "islands", "small"), STUDIES)
def test_blocks_come_from_the_publications_that_the_journal_names(
    tmp_path: Path, synchronous: bool, islands: int, small: bool
) -> None:
    study = Population(
        tmp_path, workload=BlockWalk(), method=METHOD, islands=islands, synchronous=synchronous, small=small
    )
    assert study.train().finished
    assert check_marks(study.history()) > 3


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("death", ["publish", "train", "save"])
def test_blocks_survive_the_death_of_an_island(tmp_path: Path, synchronous: bool, death: str) -> None:
    study = Population(tmp_path, workload=BlockWalk(), method=METHOD, synchronous=synchronous)
    assert study.train(deaths={1: [Death(death, 4)]}).finished
    assert check_marks(study.history()) > 3


def test_a_synchronous_study_is_the_same_on_any_islands_and_after_a_stop(tmp_path: Path) -> None:
    def outcomes(study: Population) -> list[object]:
        return [(one.place, one.decision, dict(one.metrics)) for one in study.history().records()]

    studies = [
        Population(tmp_path / str(islands), workload=BlockWalk(), method=METHOD, islands=islands)
        for islands in (1, 2)
    ]
    for study in studies:
        study.train()
    stopped = Population(tmp_path / "stopped", workload=BlockWalk(), method=METHOD)
    assert not stopped.train(stop_after=5).finished
    resumed = Population(tmp_path / "stopped", workload=BlockWalk(), method=METHOD)
    assert resumed.train().finished
    assert outcomes(studies[0]) == outcomes(studies[1]) == outcomes(resumed)


def test_a_lost_state_leaves_the_first_parent_or_nothing(tmp_path: Path) -> None:
    counts = iter(range(10**6))
    study = Population(
        tmp_path, workload=BlockWalk(), method=METHOD, islands=4, synchronous=False, small=False,
        lost=lambda: next(counts) % 3 == 0,
    )  # fmt: skip
    assert study.train().finished
    check_marks(study.history())


def test_lineage_family_tree_and_schedule_know_of_the_second_parent(tmp_path: Path) -> None:
    study = Population(tmp_path, workload=BlockWalk(), method=METHOD)
    study.train(conclude=True)
    history = study.history()
    crossed = [one for one in history.records() if one.crossover is not None]
    frame = lineage(history).dropna(subset=["second_parent"])
    assert [*zip(frame["generation"], frame["member"], frame["second_parent"], strict=True)] == [
        (one.generation, one.member, one.crossover.parent)
        for one in crossed  # type: ignore[union-attr]
    ]
    assert set(frame["blocks"]) <= {"left", "right", "left, right"}
    shown = tree(history)
    assert shown is not None
    seconds = {(one.member, one.first - 1): one for one in shown.branches if one.second is not None}
    trained = [one for one in crossed if one.generation < history.start.generations]
    assert {one.place for one in trained} == seconds.keys()
    for one in trained:
        branch, crossover = seconds[one.place], one.crossover
        assert crossover is not None and branch.second is not None
        assert shown.branches[branch.second].member == crossover.parent
        assert branch.second_split == crossover.parent_generation
    found, best = trajectory_of(history), history.best()
    assert found is not None and best is not None
    for segment in found.segments:
        assert all(segment.config[name] == best.config[name] for name in BLOCKS)
        assert segment.change is None


def test_packed_members_cross_as_those_do_that_train_one_by_one() -> None:
    workload = DigitsBlocks(steps=100)
    config = {"learning_rate": 0.01, "weight_decay": 0.01, "dropout": 0.1}
    wide = {**config, **dict.fromkeys(workload.blocks, "wide")}
    other = {**wide, "block2": "tanh"}
    states = []
    for engine in ("loop", "packed"):
        island = Island(workload, 3, 0, Device())
        island.use(EngineChoice(engine, "the test says so"))  # type: ignore[arg-type]
        island.settle({0: wide, 1: wide, 2: other, 3: other}, dict.fromkeys(range(4), 0))
        island.train_all(range(4))
        crossover, change = Crossover(2, 1, ("block2",)), ShrinkPerturb(0.4, 0.1)
        decisions = [
            Decision(1, 1, 0, other, 1, change=change, crossover=crossover),
            Decision(2, 1, 3, other, 1),
        ]
        assert not island.apply(decisions, {})
        states.append([island.snapshot(member)["session"] for member in range(4)])  # type: ignore[index]
        island.train_all(range(4))
    loop, packed = states
    for one, same in zip(loop, packed, strict=True):
        for name, weight in one["model"].items():
            # Adam divides by small numbers: rounding errors are as large as the tensor's scale makes them.
            np.testing.assert_allclose(weight, same["model"][name], rtol=0, atol=1e-4 * np.abs(weight).max())
    for name, weight in loop[1]["model"].items():
        assert np.array_equal(weight, loop[0]["model"][name]) == (not name.startswith("block2."))


def test_in_process_populations_cross() -> None:
    workload = BlockWalk()
    for synchronous in (True, False):
        evolution = Evolution(
            workload.space, workload.objectives, METHOD, size=8, generations=9, seed=0, blocks=workload.blocks
        )
        island = Island(workload, 4, 0, Device())
        crossed = 0
        for intervals in course(evolution, island, synchronous=synchronous):
            crossed += sum(one.crossover is not None for one in intervals)
        assert crossed > 3
        for life in evolution.lives:
            for before, after in itertools.pairwise(life):
                if before.crossover is not None:
                    second = evolution.lives[before.crossover.parent][before.crossover.parent_generation - 1]
                    for name in before.crossover.blocks:
                        assert after.metrics[name] == 0.4 * second.metrics["mark"] + 0.1
