"""Nevergrad's algorithms behind ask and tell."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import nevergrad
import numpy as np
import pytest

from orchestrator.optimizers.nevergrad import Nevergrad
from orchestrator.trial import Trial, failed
from search_spaces import Config, build_space
from workloads import Objective

SEED = 11
SPACE = build_space(
    {
        "parameters": {
            "a": {"type": "float", "low": -2.0, "high": 1.0},
            "b": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
            "n": {"type": "int", "low": 1, "high": 9},
        }
    }
)
PLANE = build_space({"parameters": {name: {"type": "float", "low": -5.0, "high": 5.0} for name in "ab"}})
ONE = (Objective("f0"),)
TWO = (Objective("f0"), Objective("f1"))


def losses(config: Config, m: int) -> list[float]:
    values = [float(value) for value in config.values()]
    return [sum((value - 0.3 * (i + 1)) ** 2 for value in values) for i in range(m)]


def through_the_adapter(optimizer: Nevergrad, trials: int) -> list[Config]:
    tried = []
    for _ in range(trials):
        (suggestion,) = optimizer.ask()
        tried.append(suggestion.config)
        optimizer.tell([Trial(suggestion, tuple(losses(suggestion.config, len(optimizer.objectives))))])
    return tried


def through_nevergrad(algorithm: str, m: int, trials: int) -> list[Config]:
    """Nevergrad as its documentation calls it, seeded."""
    p = nevergrad.p
    cube = p.Array(init=[0.5, 0.5]).set_mutation(sigma=1 / 6).set_bounds(0, 1, full_range_sampling=True)
    whole = p.Scalar(lower=1, upper=9).set_integer_casting()
    space = p.Dict(floats=cube, others=p.Dict(n=whole))
    space.random_state = np.random.RandomState(SEED)
    library = nevergrad.optimizers.registry[algorithm](space, budget=60, num_workers=1)
    library.num_objectives = m
    tried: list[Config] = []
    for _ in range(trials):
        candidate = library.ask()
        a, b = candidate.value["floats"]
        config = {
            "a": -2 + 3 * a,
            "b": math.exp(math.log(1e-3) * (1 - b)),
            "n": candidate.value["others"]["n"],
        }
        tried.append(config)
        values = losses(config, m)
        library.tell(candidate, values if m > 1 else values[0])
    return tried


@pytest.mark.filterwarnings("ignore::nevergrad.common.errors.NevergradWarning")
@pytest.mark.parametrize(("algorithm", "m"), [("NGOpt", 1), ("NGOpt", 2), ("CMA", 1), ("DE", 1), ("DE", 2)])
def test_the_adapter_gives_what_the_library_gives(algorithm: str, m: int) -> None:
    ours = through_the_adapter(Nevergrad(SPACE, TWO[:m], SEED, algorithm=algorithm, n_trials=60), 50)
    theirs = through_nevergrad(algorithm, m, 50)
    units = [SPACE.codec.encode(configs) for configs in (ours, theirs)]
    np.testing.assert_allclose(units[0], units[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("algorithm", ["OldCMA", "DE"])
def test_floats_in_one_array_are_to_nevergrad_what_scalars_and_logs_are(algorithm: str) -> None:
    space = build_space(
        {
            "parameters": {
                "a": {"type": "float", "low": -2.0, "high": 1.0},
                "b": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
            }
        }
    )
    p = nevergrad.p
    natural = p.Dict(a=p.Scalar(lower=-2, upper=1), b=p.Log(lower=1e-3, upper=1))
    natural.random_state = np.random.RandomState(SEED)
    library = nevergrad.optimizers.registry[algorithm](natural, budget=60, num_workers=1)
    theirs = []
    for _ in range(40):
        candidate = library.ask()
        theirs.append(candidate.value)
        library.tell(candidate, losses(candidate.value, 1)[0])
    ours = through_the_adapter(Nevergrad(space, ONE, SEED, algorithm=algorithm, n_trials=60), 40)
    units = [space.codec.encode(configs) for configs in (ours, theirs)]
    np.testing.assert_allclose(units[0], units[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("algorithm", ["NGOpt", "CMA"])
def test_it_finds_the_optimum_of_a_bowl(algorithm: str) -> None:
    tried = through_the_adapter(Nevergrad(PLANE, ONE, SEED, algorithm=algorithm, n_trials=120), 120)
    assert min(losses(config, 1)[0] for config in tried) < 0.1


def test_what_goes_step_by_step_waits_for_the_result() -> None:
    optimizer = Nevergrad(PLANE, ONE, SEED, n_trials=60)
    (first,) = optimizer.ask(3)
    assert optimizer.ask() == []
    optimizer.tell([Trial(first, (1.0,))])
    assert len(optimizer.ask()) == 1


def test_with_more_workers_it_does_not_wait() -> None:
    assert len(Nevergrad(PLANE, ONE, SEED, n_trials=60, num_workers=4).ask(4)) == 4
    assert len(Nevergrad(PLANE, ONE, SEED, algorithm="CMA", n_trials=60).ask(4)) == 4


def test_it_suggests_as_many_at_a_time_as_the_study_runs() -> None:
    optimizer = Nevergrad(PLANE, ONE, SEED, n_trials=60, num_workers=None)
    assert len(optimizer.ask(4)) == 1
    planned = Nevergrad(PLANE, ONE, SEED, n_trials=60, num_workers=None)
    planned.plan(4)
    assert len(planned.ask(4)) == 4
    fixed, sequential = (
        Nevergrad(PLANE, ONE, SEED),
        Nevergrad(PLANE, ONE, SEED, algorithm="Cobyla", num_workers=None),
    )
    for one in (fixed, sequential):
        one.plan(4)
        assert len(one.ask(4)) == 1
    assert planned.remark(60) == fixed.remark(60) == ""
    said = "Nevergrad's Cobyla goes step by step: one trial runs at a time, where 4 could"
    assert sequential.remark(60).startswith(said)


def test_the_meta_model_works_with_todays_numpy() -> None:
    line = build_space({"parameters": {"a": {"type": "float", "low": -5.0, "high": 5.0}}})
    tried = through_the_adapter(Nevergrad(line, ONE, SEED, n_trials=60), 40)
    assert min(losses(config, 1)[0] for config in tried) < 1e-2


def test_failures_before_anything_has_worked_do_not_set_the_reference_point() -> None:
    optimizer = Nevergrad(PLANE, TWO, SEED, algorithm="DE")
    first, second, third = optimizer.ask(3)
    optimizer.tell([failed(first, "boom", TWO), failed(second, "boom", TWO)])
    optimizer.tell([Trial(third, (1.0, 2.0))])
    run: Any = optimizer._run
    assert run._library.num_tell == 3
    assert run._library._hypervolume_pareto._upper_bounds.tolist() == [1.0, 2.0]


SCRIPT = """
from tests.orchestrator.optimizers.test_nevergrad import ONE, PLANE, Nevergrad
optimizer = Nevergrad(PLANE, ONE, 0, n_trials=60)
optimizer.ask()
print(optimizer.pending[0].config)
"""


def test_a_process_ends_while_a_suggestion_is_pending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "{'a': 0.0, 'b': 0.0}\n"


def test_global_randomness_is_left_alone() -> None:
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    through_the_adapter(Nevergrad(PLANE, ONE, SEED, algorithm="OnePlusOne"), 5)
    assert np.random.random() == expected  # noqa: NPY002
