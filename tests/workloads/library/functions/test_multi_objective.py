import pickle

import numpy as np
import pytest

from orchestrator.pareto import hypervolume, nondominated
from search_spaces import ConfigurationError, build_space
from workloads import Device
from workloads.library.functions.bnh import Bnh
from workloads.library.functions.dtlz2 import Dtlz2
from workloads.library.functions.kursawe import Kursawe
from workloads.library.functions.multi_objective import KnownFront
from workloads.library.functions.zdt import Zdt

FUNCTIONS = {
    "zdt1": Zdt(instance=1),
    "zdt2": Zdt(instance=2),
    "zdt3": Zdt(instance=3),
    "dtlz2": Dtlz2(count=3),
    "kursawe": Kursawe(),
    "bnh": Bnh(),
}


@pytest.fixture(params=FUNCTIONS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def function(name: str) -> KnownFront:
    return FUNCTIONS[name]


def test_agrees_with_pymoo(name: str, function: KnownFront) -> None:
    problems = pytest.importorskip("pymoo.problems")
    dimension = len(function.space.names)
    arguments = {"n_var": dimension} if name.startswith(("zdt", "dtlz")) else {}
    problem = problems.get_problem(name, **arguments)
    units = np.random.default_rng(0).random((20, dimension))
    points = problem.xl + units * (problem.xu - problem.xl)
    theirs = problem.evaluate(points, return_as_dictionary=True)
    for i, point in enumerate(points):
        metrics = function.evaluate(point)
        ours = [metrics[objective.name] for objective in function.objectives]
        np.testing.assert_allclose(ours, theirs["F"][i], rtol=1e-12, atol=1e-12)
        if not function.constraints:
            continue
        bounded = [metrics[constraint.name] for constraint in function.constraints]
        np.testing.assert_allclose(bounded, theirs["G"][i], rtol=1e-12, atol=1e-12)


def test_nothing_of_the_front_is_dominated(function: KnownFront) -> None:
    front = function.front(1000)
    assert len(front) > 30
    assert nondominated(front).all()


def test_the_front_approaches_the_largest_hypervolume_from_below(function: KnownFront) -> None:
    reached = [hypervolume(function.front(n), function.reference) for n in (1000, 30_000)]
    assert reached[0] < reached[1] < function.largest_hypervolume
    gaps = [1 - volume / function.largest_hypervolume for volume in reached]
    assert gaps[1] < 0.02
    assert gaps[1] < gaps[0]


def test_no_feasible_point_goes_beyond_the_front(function: KnownFront) -> None:
    codec = function.space.codec
    configs = codec.decode(np.random.default_rng(1).random((1000, codec.dim)))
    metrics = [dict(function.start(config, 0, Device()).advance(1)) for config in configs]
    losses = np.array([[one[objective.name] for objective in function.objectives] for one in metrics])
    bounded = np.array([[one[constraint.name] for constraint in function.constraints] for one in metrics])
    losses = losses[(bounded <= 0).all(axis=1)]
    front = function.front(30_000)
    both = np.vstack([front, losses])
    assert hypervolume(both, function.reference) < function.largest_hypervolume * (1 + 1e-9)


def test_is_a_workload_that_can_be_sent(function: KnownFront) -> None:
    copy = pickle.loads(pickle.dumps(function))
    config = function.space.default()
    metrics = [one.start(config, 3, Device()).advance(1) for one in (function, copy)]
    assert metrics[0] == metrics[1]
    assert {objective.name for objective in function.objectives} <= metrics[0].keys()
    assert [objective.reference for objective in function.objectives] == list(function.reference)


def test_dimension_comes_from_the_argument_or_the_space_or_is_the_usual_one() -> None:
    assert len(Zdt().space.names) == 30
    assert len(Zdt(dimension=4).space.names) == 4
    assert len(Zdt(space=Zdt(dimension=5).space).space.names) == 5
    assert len(Dtlz2(count=3).space.names) == 12


def test_what_does_not_fit_is_refused() -> None:
    first = {"type": "float", "low": -1.0, "high": 1.0}
    wrong = build_space({"parameters": {"x1": first, "x2": {"type": "int", "low": 0, "high": 1}}})
    with pytest.raises(ConfigurationError, match=r"search_space\.parameters\.x1: expected a number within"):
        Zdt(space=wrong)
    with pytest.raises(
        ConfigurationError, match=r"search_space\.parameters: expected the parameters x1 to x3"
    ):
        Zdt(space=wrong, dimension=3)
    with pytest.raises(ConfigurationError, match=r"^instance: expected 1, 2 or 3, got 4"):
        Zdt(instance=4)
    with pytest.raises(ConfigurationError, match=r"^dimension: expected at least 2, got 1"):
        Zdt(dimension=1)
    with pytest.raises(ConfigurationError, match=r"^count: expected at least 2, got 1"):
        Dtlz2(count=1)
