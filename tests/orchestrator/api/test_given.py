"""A workload that Python hands over: a class of a notebook's cell, a function, an object."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api import running
from orchestrator.engine.population_coordinator import PopulationCoordinator
from orchestrator.run.directory import RunDirectory
from orchestrator.run.worker_output import Workplace
from search_spaces import ConfigurationError, build_space
from tests.conftest import composed
from workloads import given
from workloads.library.pbt_toy import PbtToy
from workloads.loop import Loop

PARAMETERS = {name: {"type": "float", "low": 0.0, "high": 1.0, "mutable": True} for name in ("h0", "h1")}
SPACE = build_space({"parameters": PARAMETERS})

CELL = """
import sys
from pathlib import Path
from orchestrator.run.worker_output import Workplace
from orchestrator.run.directory import RunDirectory
from workloads import given
from workloads.library.pbt_toy import PbtToy

class Cell(PbtToy):
    noun = "cell"

with given.giving(Cell):
    Path(sys.argv[1]).write_bytes(Workplace.of(RunDirectory(Path("run"))).given)
"""


def taken() -> Any:
    return given.taken(SPACE, "it")


def train(config: Any, ctx: Any) -> None:
    ctx.report(loss=config["h0"])


@pytest.mark.parametrize(
    "offered", [PbtToy, PbtToy(SPACE), partial(Loop, train, objectives=["loss"], largest=2)]
)
def test_what_is_given_becomes_the_workload(offered: Any) -> None:
    with given.giving(offered):
        workload = taken()
    assert sorted(workload.space.names) == ["h0", "h1"] and workload.objectives


def test_a_class_of_a_cell_reaches_workers_by_value(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CELL, str(tmp_path / "parcel")], check=True, cwd=Path.cwd())
    try:
        given.accept((tmp_path / "parcel").read_bytes())
        assert taken().noun == "cell"
    finally:
        given.accept(None)


def test_workers_get_it_with_their_workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with given.giving(PbtToy):
        place = pickle.loads(pickle.dumps(Workplace.of(RunDirectory(tmp_path))))
    assert Workplace.of(RunDirectory(tmp_path)).given is None
    monkeypatch.chdir(tmp_path)
    place.enter("worker-0").close()
    try:
        assert isinstance(taken(), PbtToy)
    finally:
        given.accept(None)


def test_without_it_a_message_says_how_to_go_on() -> None:
    with pytest.raises(ConfigurationError, match=r"the object 'it', which Python handed .*resume\(run, work"):
        taken()


def test_an_object_of_another_space_is_refused() -> None:
    with given.giving(PbtToy()), pytest.raises(ConfigurationError, match="search_space: expected the space"):
        given.taken(build_space({"parameters": {"x": PARAMETERS["h0"]}}), "it")


def test_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    with (
        given.giving(partial(PbtToy, learning_rate=(one for one in ()))),
        pytest.raises(ConfigurationError, match="workload: expected something that can be sent to workers"),
    ):
        Workplace.of(RunDirectory(tmp_path))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The jobs that would be run."""
    jobs: list[Any] = []

    def keep(job: Any) -> tuple[int, str]:
        jobs.append(job)
        return 0, "nowhere"

    monkeypatch.setattr(running, "run_job", keep)
    monkeypatch.setattr(running, "Run", lambda path, status: path)
    return jobs


@pytest.mark.parametrize(
    "offered", [PbtToy, partial(PbtToy, steps=300), lambda space: PbtToy(space, steps=300)]
)
def test_a_study_is_made_of_it(started: list[Any], offered: Callable[..., Any]) -> None:
    running.run("pbt", "population.interval=4", workload=offered, search_space=PARAMETERS)
    (job,) = started
    assert isinstance(job.parts.workload, PbtToy)
    assert job.config["search_space"]["parameters"]["h1"] == PARAMETERS["h1"]
    assert job.config["workload"]["_target_"] == "workloads.given.taken"


@pytest.mark.parametrize("value", [{"a": [1, 2.5, "x y", None, True]}, {"b": {"c": "it's"}}, {"n": -1e-9}])
def test_python_values_are_written_as_hydra_reads_them(value: Any) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    assert OverridesParser.create().parse_override(f"key={running._hydra(value)}").value() == value


def test_the_coordinator_of_a_population_gets_it_too(tmp_path: Path) -> None:
    config = composed(
        "+study=pbt",
        f"+workload._target_={given.TARGET}",
        "+workload.of=it",
        f"++search_space.parameters={running._hydra(PARAMETERS)}",
        "population.size=2",
    )
    with given.giving(PbtToy):
        parcel = given.packed()
    try:
        coordinator = PopulationCoordinator(config, RunDirectory(tmp_path), 1, parcel)
        assert coordinator.study_name == "pbt"
    finally:
        given.accept(None)
