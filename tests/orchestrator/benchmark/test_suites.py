"""Every suite that ships makes tasks that keep to what they state; a suite joins by one line."""

import math
import os
import pickle
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark.records import TaskRecord
from orchestrator.benchmark.suite import tasks_of
from orchestrator.benchmark.task import Task
from search_spaces import ConfigurationError
from tests.conftest import composed
from workloads import Device, Metrics, PreparedWorkload

FOLDER = Path(__file__).parents[3] / "conf" / "suite"

SUITES = {  # what its tasks are, and how many there are
    "adapters": ("MO", 2),
    "bbob": ("BB", 48),
    "bnh": ("MO", 1),
    "digits": ("MF", 1),
    "dtlz": ("MO", 7),
    "elastic": ("MO", 3),
    "kursawe": ("MO", 1),
    "lcbench": ("MF", 3),
    "calibration": ("MO", 3),
    "compression": ("MO", 3),
    "merging": ("MO", 2),
    "mf_hartmann": ("MF", 8),
    "pymoo": ("MO", 2),
    "sklearn": ("BB", 12),
    "wfg": ("MO", 9),
    "yahpo": ("BB", 4),
    "zdt": ("MO", 3),
}
NEEDS_DATA = ("lcbench", "yahpo")


def tasks(suite: str, *overrides: str) -> list[Task]:
    if suite in NEEDS_DATA and not os.environ.get("YAHPO_DATA_DIR"):
        pytest.skip("needs YAHPO Gym's surrogates; YAHPO_DATA_DIR does not say where they are")
    given = [f"benchmark.suites.x.{override}" for override in overrides]
    config = composed("+study=search_digits", f"+suite@benchmark.suites.x={suite}", *given)
    return tasks_of("x", config["benchmark"]["suites"]["x"], "benchmark.suites.x")


def evaluated(task: Task, fidelity: int, seed: int = 0, workload: Any = None) -> Metrics:
    session = (workload or task.workload).start(task.space.default(), seed, Device())
    return session.advance(fidelity)


def test_carps_small_has_twelve_tasks_of_all_types_of_which_no_two_are_one_at_full_fidelity() -> None:
    suites = composed("+study=carps_small")["benchmark"]["suites"]
    made = [task for name in suites for task in tasks_of(name, suites[name], f"benchmark.suites.{name}")]
    assert Counter(task.type for task in made) == {"BB": 3, "MF": 3, "MO": 3, "MOMF": 3}
    found = [(evaluated(task, task.full), *task.space.names) for task in made]
    # Equal seeds meet equal points there: a task that is another one's copy would count twice.
    assert all(first != second for first, second in combinations(found, 2))


def test_every_suite_is_tested() -> None:
    for path in FOLDER.glob("*.yaml"):
        assert path.stem in SUITES, f"{path.stem} of conf/suite has no line in {__file__}"
        assert path.read_text().startswith("# "), f"{path.name} says in a comment what it is, first of all"


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_makes_the_tasks_that_it_says(suite: str) -> None:
    made = tasks(suite)
    kind, count = SUITES[suite]
    assert {task.type for task in made} == {kind}
    assert len({task.name for task in made}) == len(made) == count
    for task in made:
        assert task.evaluations == math.ceil(20 + 40 * math.sqrt(task.space.codec.dim))
        record = TaskRecord.of(task)
        assert record.timed == (task.facts.seconds is not None)
        if suite not in NEEDS_DATA:
            assert (record.reference is None) == (kind in ("BB", "MF"))


@pytest.mark.parametrize("suite", SUITES)
def test_tasks_can_be_evaluated_and_are_what_they_state(suite: str) -> None:
    made = tasks(suite)
    for task in (*made[:2], made[-1]):
        if isinstance(task.workload, PreparedWorkload):
            task.workload.prepare()
        copy = pickle.loads(pickle.dumps(task.workload))
        fidelities = {task.full, task.workload.fidelity.smallest if task.multi_fidelity else task.full}
        for fidelity in fidelities:
            metrics = evaluated(task, fidelity)
            names = [one.name for one in (*task.objectives, *task.constraints)]
            assert all(math.isfinite(metrics[name]) for name in names)
            assert evaluated(task, fidelity, workload=copy) == metrics
            if task.facts.deterministic:
                assert evaluated(task, fidelity, seed=1) == metrics
            if task.facts.seconds is not None:
                assert metrics[task.facts.seconds] > 0
        if task.facts.optimum is not None:
            assert evaluated(task, task.full)[task.objectives[0].name] >= task.facts.optimum


@pytest.mark.parametrize(
    ("suite", "overrides", "kind"),
    [
        ("mf_hartmann", ["multi_fidelity=false"], "BB"),
        ("digits", ["multi_fidelity=false", "workload.steps=9"], "BB"),
        ("sklearn", ["multi_fidelity=true"], "MF"),
        ("lcbench", ["multi_fidelity=false"], "BB"),
        ("lcbench", ["workload.targets=[val_accuracy,time]"], "MOMF"),
        ("lcbench", ["workload.targets=[val_accuracy,time]", "multi_fidelity=false"], "MO"),
        (
            "yahpo",
            ["instances.scenario=[lcbench]", "instances.instance=[3945]", "workload.targets=null"],
            "BB",
        ),
        ("yahpo", ["multi_fidelity=true", "workload.targets=[acc,memory]"], "MOMF"),
    ],
)
def test_overrides_make_other_types_of_tasks(suite: str, overrides: list[str], kind: str) -> None:
    assert {task.type for task in tasks(suite, *overrides)} == {kind}


@pytest.mark.parametrize(
    ("suite", "override", "key"),
    [
        ("bbob", "instances.function=[1,25]", "instances.function"),
        ("bbob", "instances.dimension=[1]", "instances.dimension"),
        ("mf_hartmann", "instances.quality=[great]", "instances.quality"),
        ("wfg", "instances.problem=[wfg0]", "instances.problem"),
        ("wfg", "instances.dimension=[3]", "instances.dimension"),
        ("lcbench", "instances.instance=[1]", "instances.instance"),
        ("yahpo", "instances.scenario=[lcbenhc]", "instances.scenario"),
        ("sklearn", "instances.dataset=[boston]", "instances.dataset"),
        ("digits", "workload.steps=0", "workload.steps"),
        ("zdt", "multi_fidelity=true", "multi_fidelity"),
        ("bbob", "evaluations=0", "evaluations"),
    ],
)
def test_what_does_not_exist_is_refused_by_its_key(suite: str, override: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tasks(suite, override)
    assert caught.value.key == f"benchmark.suites.x.{key}"


def test_a_class_without_a_space_of_its_own_is_told_where_one_comes_from() -> None:
    class_alone = {"_target_": "workloads.function.from_function", "function": "x"}
    shared = {"instances": {}, "multi_fidelity": False, "evaluations": None, "objectives": []}
    with pytest.raises(ConfigurationError) as caught:
        tasks_of("x", {"workload": class_alone, "search_space": {}, **shared}, "benchmark.suites.x")
    assert caught.value.key == "benchmark.suites.x.search_space"
    assert "/workload@workload" in str(caught.value)


def test_a_missing_data_directory_is_named_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YAHPO_DATA_DIR", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"github\.com/slds-lmu/yahpo_data") as caught:
        tasks("lcbench")
    assert caught.value.key == "benchmark.suites.x.workload.data_dir"
