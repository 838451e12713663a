"""A benchmark run may be given more methods, tasks and seeds; what it has computed stays what it is."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from rich.console import Console

from orchestrator.run.directory import RunDirectory
from orchestrator.studies.population import PopulationRun
from search_spaces import ConfigurationError
from tests.conftest import composed
from tests.orchestrator.cli.conftest import Call, Studies
from tests.orchestrator.journals import PopulationJournal

CONF = str(Path(__file__).parents[1] / "benchmark" / "conf")
ALLOW = "allow=[tests]"
START = ("--config-dir", CONF, "+study=tiny", "run.dir=here", ALLOW)


@pytest.fixture
def benchmarks(studies: Studies, monkeypatch: pytest.MonkeyPatch) -> Studies:
    module = ModuleType("orchestrator.studies.benchmark")
    module.run = studies.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "orchestrator.studies.benchmark", module)
    return studies


def test_methods_suites_and_seeds_are_added(call: Call, benchmarks: Studies, tmp_path: Path) -> None:
    assert call(*START, "seed=5").code == 0
    more = (
        "benchmark.seeds=10",
        "+optimizer@benchmark.methods.sobol=sobol",
        "+suite@benchmark.suites.k=kursawe",
    )
    outcome = call("resume=here", ALLOW, *more, "tracking.uri=sqlite:///x.db")
    assert outcome.code == 0, outcome.err
    (before, _, _), (after, run_dir, resume) = benchmarks.runs
    assert (run_dir, resume) == (tmp_path / "here", True)
    assert list(after["benchmark"]["methods"]) == ["random", "tpe", "hyperband", "sobol"]
    assert list(after["benchmark"]["suites"]) == ["zdt", "steps", "k"]
    assert (after["seed"], after["benchmark"]["seeds"]) == (5, 10)
    for part in ("methods", "suites"):
        assert before["benchmark"][part].items() <= after["benchmark"][part].items()
    kept = yaml.safe_load((run_dir / "config.yaml").read_text())
    assert kept == {**before, "benchmark": after["benchmark"]}, "nothing else is kept"
    assert call("resume=here", ALLOW).code == 0
    assert benchmarks.runs[2][0]["benchmark"] == after["benchmark"]


def test_a_suite_that_is_added_has_instances_of_its_own(call: Call, benchmarks: Studies) -> None:
    call(*START)
    instances = "benchmark.suites.more.instances.instance=[3]"
    outcome = call("resume=here", ALLOW, "+suite@benchmark.suites.more=zdt", instances)
    assert outcome.code == 0, outcome.err
    suite = benchmarks.runs[1][0]["benchmark"]["suites"]["more"]
    assert suite["instances"] == {"instance": [3], "dimension": [6]}


def test_a_population_is_given_more_generations(call: Call, studies: Studies) -> None:
    assert call("+study=pbt_toy", "run.dir=here", "population.generations=7").code == 0
    outcome = call("resume=here", "population.generations=9")
    assert outcome.code == 0, outcome.err
    assert [run[0]["population"]["generations"] for run in studies.runs] == [7, 9]


def test_a_population_cannot_be_given_fewer(tmp_path: Path) -> None:
    journal = PopulationJournal(generations=5).events()[:-1]
    config = composed("+study=pbt_toy", "population.size=4", "population.generations=4")
    run = PopulationRun(config, RunDirectory(tmp_path), Console())
    with pytest.raises(ConfigurationError, match=r"^population\.generations: expected at least 5, .* got 4"):
        run.check_generations(journal)


@pytest.fixture
def searches(studies: Studies, monkeypatch: pytest.MonkeyPatch) -> Studies:
    module = ModuleType("orchestrator.studies.search")
    module.run = studies.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "orchestrator.studies.search", module)
    return studies


def test_the_budgets_of_a_search_are_raised(call: Call, searches: Studies, tmp_path: Path) -> None:
    assert call("+study=search_digits", "run.dir=here", "optimizer=smac_hpo").code == 0
    more = ("search.trials=200", "search.seconds=60", "search.target=0.1", "search.patience=9")
    outcome = call(
        "resume=here", *more, "search.fidelity_units=100000", "search.retries=1", "search.export_optuna=true"
    )
    assert outcome.code == 0, outcome.err
    (before, _, _), (after, run_dir, _) = searches.runs
    changed = {key for key in after["search"] if after["search"][key] != before["search"][key]}
    assert changed == {
        *("trials", "seconds", "target", "patience", "fidelity_units", "retries", "export_optuna")
    }
    assert after["optimizer"]["n_trials"] == before["optimizer"]["n_trials"] == 40, "its plan stays"
    assert yaml.safe_load((run_dir / "config.yaml").read_text()) == {**before, "search": after["search"]}
    outcome = call("resume=here", "search.eta=2")
    assert outcome.code == 2
    assert "resume: expected only cluster.* and tracking.* and search.trials and " in outcome.err


@pytest.mark.parametrize(
    "other",
    ["seed=4", "benchmark.workers=2", "benchmark.synchronous=true", "search.trials=3", "benchmark=default"],
)
def test_nothing_else_may_change(other: str, call: Call, benchmarks: Studies) -> None:
    call(*START)
    outcome = call("resume=here", ALLOW, other)
    assert outcome.code == 2
    allowed = " and ".join(f"benchmark.{key}.*" for key in ("methods", "suites", "tasks", "seeds"))
    assert "resume: expected only " in outcome.err and f"got {other!r}" in outcome.err
    assert allowed in outcome.err


def test_an_extension_that_is_refused_leaves_the_run_as_it_was(
    call: Call, benchmarks: Studies, tmp_path: Path
) -> None:
    call(*START)
    before = (tmp_path / "here" / "config.yaml").read_bytes()
    assert call("resume=here", ALLOW, "benchmark.seeds=0").code == 2
    assert (tmp_path / "here" / "config.yaml").read_bytes() == before

    def refuse() -> int:
        raise ConfigurationError("cluster.address", "a Ray", "none")

    benchmarks.answer = refuse
    assert call("resume=here", ALLOW, "benchmark.seeds=9").code == 2
    assert len(benchmarks.runs) == 2
    assert (tmp_path / "here" / "config.yaml").read_bytes() == before
