import pickle
import sys
from typing import Any

import numpy as np
import pytest

from orchestrator.pareto import hypervolume
from search_spaces import ConfigurationError
from workloads import Device
from workloads.library.functions import pymoo_problems
from workloads.library.functions.dtlz2 import Dtlz2
from workloads.library.functions.multi_objective import MultiObjectiveFunction
from workloads.library.functions.pymoo_problems import DTLZ, PROBLEMS, WFG, ZDT, PymooProblem
from workloads.library.functions.zdt import Zdt

pytest.importorskip("pymoo")

SECOND_IMPLEMENTATIONS: dict[str, tuple[PymooProblem, MultiObjectiveFunction]] = {
    "zdt1": (PymooProblem(problem="zdt1"), Zdt(instance=1)),
    "zdt2": (PymooProblem(problem="zdt2", dimension=4), Zdt(instance=2, dimension=4)),
    "zdt3": (PymooProblem(problem="zdt3"), Zdt(instance=3)),
    "dtlz2": (PymooProblem(problem="dtlz2", count=3), Dtlz2(count=3)),
}


def losses(workload: MultiObjectiveFunction, units: np.ndarray) -> np.ndarray:
    names = [one.name for one in workload.objectives]
    sessions = [workload.start(config, 0, Device()) for config in workload.space.codec.decode(units)]
    metrics = [session.advance(1) for session in sessions]
    return np.array([[one[name] for name in names] for one in metrics])


@pytest.mark.parametrize("name", SECOND_IMPLEMENTATIONS)
def test_agrees_with_our_own(name: str) -> None:
    theirs, ours = SECOND_IMPLEMENTATIONS[name]
    assert theirs.space.names == ours.space.names
    units = np.random.default_rng(0).random((30, len(ours.space.names)))
    np.testing.assert_allclose(losses(theirs, units), losses(ours, units), rtol=1e-12)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_point_is_beyond_the_reference_point(problem: str, count: int) -> None:
    if problem in ZDT and count > 2:
        pytest.skip("has two objectives")
    workload = PymooProblem(problem=problem, count=count)
    rng = np.random.default_rng(0)
    shape = (100, workload.dimension)
    units = np.vstack([rng.random(shape), rng.integers(0, 2, shape).astype(float)])
    values = losses(workload, units)
    assert values.shape == (200, count)
    assert np.isfinite(values).all()
    assert (values < workload.reference).all()
    assert [one.reference for one in workload.objectives] == list(workload.reference)
    # Not far beyond either: a reference in another order of magnitude would hide all differences.
    assert (values.max(axis=0) > 0.4 * np.array(workload.reference)).all()


@pytest.mark.parametrize("problem", DTLZ[1:4])
def test_the_sphere_is_the_front_of_dtlz(problem: str) -> None:
    workload = PymooProblem(problem=problem, dimension=5)
    units = np.full((50, 5), 0.5)
    units[:, 0] = np.linspace(0, 1, 50)
    np.testing.assert_allclose(np.linalg.norm(losses(workload, units), axis=1), 1.0)


def test_wfg_is_smaller_where_the_distance_parameters_are_best() -> None:
    workload = PymooProblem(problem="wfg4", dimension=8)
    units = np.random.default_rng(0).random((50, 8))
    best = units.copy()
    best[:, 4:] = 0.35
    reference = workload.reference
    assert hypervolume(losses(workload, best), reference) > 1.2 * hypervolume(
        losses(workload, units), reference
    )


@pytest.mark.parametrize("problem", [ZDT[3], DTLZ[6], WFG[0]])
def test_a_copy_gives_the_same(problem: str) -> None:
    workload = PymooProblem(problem=problem, dimension=6)
    copy = pickle.loads(pickle.dumps(workload))
    units = np.random.default_rng(1).random((3, 6))
    np.testing.assert_array_equal(losses(copy, units), losses(workload, units))
    assert workload.facts.deterministic


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"problem": "wgf1"}, "^problem: expected one of 'zdt1'.*got 'wgf1' .did you mean 'wfg1'"),
        ({"problem": "zdt5"}, "^problem: "),
        ({"problem": "zdt4", "count": 3}, "^count: expected 2, since zdt4 has two objectives, got 3"),
        ({"problem": "dtlz1", "count": 1}, "^count: expected at least 2, got 1"),
        ({"problem": "wfg1", "dimension": 4}, "dimension: expected at least 5, got 4"),
        ({"problem": "wfg2", "dimension": 7}, "^dimension: expected 4 and an even number more, got 7"),
        ({"problem": "dtlz2", "count": 3, "dimension": 2}, "dimension: expected at least 3, got 2"),
    ],
)
def test_what_does_not_exist_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PymooProblem(**arguments)


def test_without_pymoo_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pymoo_problems._problem.cache_clear()
    monkeypatch.setitem(sys.modules, "pymoo.problems", None)
    with pytest.raises(ConfigurationError, match=r"extra 'benchmark'.*pip install 'orchestrator\[benchmark"):
        PymooProblem(problem="dtlz3")
