"""Whole studies on real Ray: the promises that only real processes can break."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from orchestrator.population.history.history import PopulationHistory
from orchestrator.population.snapshots.snapshots import valid_snapshots
from orchestrator.reporting.population.results import write_results
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from tests.conftest import composed
from tests.orchestrator.population import deadly
from tests.orchestrator.population.by_hand import train_by_hand
from tests.orchestrator.population.harness import ConfiguredPopulation
from workloads.state_files import load_state

pytestmark = pytest.mark.ray

SMALL = (
    "+study=pbt_digits",
    "population.size=8",
    "population.generations=5",
    "population.interval=10",
    "population.snapshot_interval=2",
    # What is bit-identical on any islands is the loop; packs of other sizes round differently.
    "population.engine=loop",
    "cluster.cpus_per_island=0.5",
    "tracking=none",
    "tracking.terminal=false",
)


SEVERAL = ("+study=mopbt_digits_noise", *SMALL[1:])
"""The same with several objectives, whose Pareto set of models is kept."""

TOY = ("+study=pbt_toy", *SMALL[1:], "population.initial=[]", "population.synchronous=true")
"""The same of what needs no time to train, nor torch's optimizers, which take seconds to import."""


def run_here(path: Path, *overrides: str, resume: bool = False, study: tuple[str, ...] = SMALL) -> int:
    from orchestrator.studies.population import run

    path.mkdir(parents=True, exist_ok=True)
    return run(composed(*study, *overrides), path, resume)


def history(path: Path) -> PopulationHistory:
    return PopulationHistory.from_events(read_journal(RunDirectory(path).journal))


def lineage(path: Path) -> list[tuple[int, int, int, object]]:
    return [(r.generation, r.member, r.parent, dict(r.next_config)) for r in history(path).records()]


def weights(path: Path) -> list[dict[str, torch.Tensor]]:
    newest = valid_snapshots(RunDirectory(path).snapshots)[0]
    return [_tensors(load_state(file)) for file in newest.files]


def _tensors(state: object, place: str = "") -> dict[str, torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return {place: state}
    items = state.items() if isinstance(state, dict) else []
    return {name: tensor for key, item in items for name, tensor in _tensors(item, f"{place}/{key}").items()}


def assert_same_study(path: Path, other: Path) -> None:
    assert lineage(path) == lineage(other)
    for ours, theirs in zip(weights(path), weights(other), strict=True):
        assert ours.keys() == theirs.keys() and ours
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def archive(path: Path) -> list[tuple[object, ...]]:
    """What is kept of each model: which publication, hyperparameters, and metrics, held-out ones too."""
    keys = ("member", "generation", "config", "metrics", "test")
    return [tuple(model[key] for key in keys) for model in history(path).models]


def models(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of the models that a study offers, by file."""
    folder = path / "results" / "models"
    return {file.name: _tensors(load_state(file)) for file in sorted(folder.glob("*.pt"))}


def undisturbed(path: Path, study: tuple[str, ...]) -> Path:
    """The study without Ray, on one island of all members."""
    path.mkdir()
    config = composed(*study)
    outcome = ConfiguredPopulation(path, config).train(conclude=True)
    assert outcome.finished and history(path).exploits > 0
    write_results(RunDirectory(path).results, history(path), path)
    return path


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study, that nothing has happened to."""
    return undisturbed(tmp_path_factory.mktemp("reference") / "run", SMALL)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory, ray_cluster: None) -> Path:
    """The same on two islands: one of them kills itself, and a device breaks after that.

    CUDA's error would come back with everything else that its process trains.
    """
    folder = tmp_path_factory.mktemp("troubled")
    target = "workload._target_=tests.orchestrator.population.fragile.FragileDigits"
    marks = (f"+workload.marker={folder / 'died'}", f"+workload.broken={folder / 'broken'}")
    assert run_here(folder / "run", target, *marks, "cluster.islands=2", "cluster.max_failures=2") == 0
    assert (folder / "died").exists(), "nobody died"
    assert (folder / "broken").exists(), "nothing broke"
    return folder / "run"


def test_a_finished_run_leaves_results_and_a_tested_best_member(troubled: Path) -> None:
    final = history(troubled).final
    assert final is not None
    assert 0 <= final["test"]["test_error"] <= 1
    assert (troubled / final["weights"]).is_file()
    for name in ("intervals.parquet", "lineage.parquet", "schedule.png", "schedule.html"):
        assert (troubled / "results" / name).stat().st_size > 0


def test_islands_whose_process_dies_or_whose_device_breaks_go_on_in_another(
    troubled: Path, reference: Path
) -> None:
    """Nor does the result depend on the number of islands: more in ``population/test_course.py``."""
    assert any("my last words" in log.read_text() for log in (troubled / "logs").iterdir())
    assert_same_study(troubled, reference)
    assert archive(troubled) == archive(reference)


def test_an_asynchronous_study_trains_everybody(tmp_path: Path, ray_cluster: None) -> None:
    assert run_here(tmp_path / "run", "cluster.islands=2", "population.synchronous=false", study=TOY) == 0
    assert [len(life) for life in history(tmp_path / "run").lives] == [5] * 8


def test_an_island_that_dies_again_and_again_ends_the_study_with_its_reason(
    tmp_path: Path, ray_cluster: None
) -> None:
    assert run_deadly(tmp_path / "run", ["exit", "none"], islands=2, max_failures=0) == 1
    last = read_journal(RunDirectory(tmp_path / "run").journal)[-1]
    assert last["event"] == "stopped" and "cluster.max_failures" in last["reason"]


def run_deadly(path: Path, deeds: Sequence[str], islands: int, **cluster: int) -> int:
    """Run a study with a member for each deed."""
    from orchestrator.studies.population import run

    path.mkdir()
    plain = composed("+study=pbt_toy", "population=random_search", "tracking=none", "tracking.terminal=false")
    study = {
        **plain,
        "workload": {"_target_": "tests.orchestrator.population.deadly.Deadly"},
        "search_space": deadly.SPACE,
        "preflight": False,
        "cluster": {**plain["cluster"], "islands": islands, "cpus_per_island": 0.5, **cluster},
        "population": {
            **plain["population"],
            **{"size": len(deeds), "generations": 2, "interval": 1, "time_limit": 5.0},
            **{"synchronous": True, "initial": [{"rate": 0.5, "deed": deed} for deed in deeds]},
        },
    }
    return run(study, path, False)


def test_members_that_exit_crash_hang_or_report_nonsense_fail_alone(
    tmp_path: Path, ray_cluster: None
) -> None:
    """All on one island, which none of them takes down for good."""
    assert run_deadly(tmp_path / "run", deadly.DEEDS, islands=1) == 0
    first = {record.config["deed"]: record.failure or "" for record in history(tmp_path / "run").records()}
    assert first["none"] == ""
    assert "the process died twice" in first["exit"]
    assert "the process died twice" in first["fault"]
    assert "SystemExit: 3" in first["leave"]
    assert "KeyboardInterrupt" in first["interrupt"]
    assert "longer than population.time_limit (5 s)" in first["hang"]
    assert "expected metrics as a mapping" in first["text"]


def test_gangs_of_which_a_process_dies_train_as_two_processes_do_by_hand(
    tmp_path: Path, ray_cluster: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two islands of two processes each: copies between gangs, and a death of a process that is no island."""
    marker, run = tmp_path / "died", tmp_path / "run"
    target = "workload._target_=tests.orchestrator.population.fragile.FragileDigits"
    overrides = (target, f"+workload.marker={marker}", "population.size=4", "population.workers=2")
    assert run_here(run, *overrides, "population.engine=auto", "cluster.islands=2") == 0
    assert marker.exists(), "nobody died"
    remarks = [
        event["text"] for event in read_journal(RunDirectory(run).journal) if event["event"] == "remark"
    ]
    assert len(remarks) == 1 and "process 1 of those that train together is lost" in remarks[0]
    logs = {log.name: log.read_text() for log in (run / "logs").iterdir()}
    assert list(logs) in (["island-0.1.log"], ["island-1.1.log"]), "the others printed nothing"
    assert any("--- member" in text and "my last words" in text for text in logs.values())
    study = history(run)
    assert any(record.parent // 2 != record.member // 2 for record in study.records()), "no copy went abroad"
    assert study.final is not None and 0 <= study.final["test"]["test_error"] <= 1
    assert_replays(run, *overrides)
    (tmp_path / "by_hand").mkdir()
    metrics = train_by_hand(study, tmp_path / "by_hand")
    assert [[dict(interval.metrics) for interval in life] for life in study.lives] == metrics
    for member, ours in enumerate(weights(run)):
        theirs = _tensors(load_state(tmp_path / "by_hand" / f"{member}.pt"), "/session")
        assert ours.keys() == theirs.keys() and ours
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def assert_replays(path: Path, *overrides: str) -> None:
    """The schedule of its best member can be trained again."""
    from orchestrator.population.assemble import assemble_population
    from orchestrator.studies.replay import replay_study

    study = {**composed(*SMALL, *overrides), "run": {"dir": str(path)}}
    assert replay_study(study, assemble_population(study), 1, lambda _: None) == 0


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[_Driver]:
    """The small study as a process of its own, ended with the test."""
    driver = _Driver(tmp_path / "run")
    yield driver
    driver.end()


class _Driver:
    def __init__(self, run: Path) -> None:
        self.run = run
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        )
        self._processes.append(process)
        return process

    def wait_for_snapshot(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 300
        while not valid_snapshots(RunDirectory(self.run).snapshots):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "no snapshot within five minutes"
            time.sleep(0.01)

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.slow
def test_a_study_whose_driver_was_killed_goes_on_bit_for_bit_and_keeps_the_same_models(
    driver: _Driver, tmp_path: Path, ray_address: str
) -> None:
    reference = undisturbed(tmp_path / "undisturbed", SEVERAL)
    shared = ("cluster.islands=2", "cluster.address=auto")
    process = driver.start(*SEVERAL, *shared, f"run.dir={driver.run}", RAY_ADDRESS=ray_address)
    driver.wait_for_snapshot(process)
    process.kill()
    process.wait()
    before = history(driver.run)
    assert before.trained < before.start.size * before.start.generations, "it was killed too late"
    resumed = driver.start(f"resume={driver.run}", "cluster.islands=1", RAY_ADDRESS=ray_address)
    output, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, output
    assert "held-out test" in output
    assert_same_study(driver.run, reference)
    assert archive(driver.run) == archive(reference) and len(archive(reference)) > 1
    ours, theirs = models(driver.run), models(reference)
    assert ours.keys() == theirs.keys() and len(ours) == len(archive(reference))
    for name, tensors in ours.items():
        assert tensors.keys() == theirs[name].keys() and tensors
        assert all(torch.equal(tensor, theirs[name][key]) for key, tensor in tensors.items())


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(driver: _Driver) -> None:
    long = ("population.generations=100000", "workload.steps=1000000", "cluster.islands=2")
    process = driver.start(*TOY, *long, f"run.dir={driver.run}")
    driver.wait_for_snapshot(process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert f"resume={driver.run}" in output and "Traceback" not in output
    past = history(driver.run)
    saved = valid_snapshots(RunDirectory(driver.run).snapshots)[0]
    assert saved.generations == tuple(len(life) for life in past.lives), "all that was trained was saved"


@pytest.mark.long
def test_the_same_study_on_three_nodes_of_which_one_leaves_and_another_comes(
    driver: _Driver, reference: Path, tmp_path: Path
) -> None:
    """One is gone after the first snapshot; the study ends on the others and on the one that comes."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        nodes = [cluster.add_node(num_cpus=1, include_dashboard=False) for _ in range(3)]
        address = f"cluster.address={cluster.address}"
        islands = ("cluster=ray", address, "cluster.dashboard=false", "cluster.islands=3", "cluster.grace=1")
        whole_cpu = "cluster.cpus_per_island=1"
        patient = "workload._target_=tests.orchestrator.population.fragile.PatientDigits"
        waits = (patient, f"+workload.folder={tmp_path}", "population.snapshot_interval=1", "preflight=false")
        allowed = "allow=[tests.orchestrator]"
        process = driver.start(*SMALL, *islands, *waits, allowed, whole_cpu, f"run.dir={driver.run}")
        driver.wait_for_snapshot(process)
        cluster.remove_node(nodes[-1], allow_graceful=False)
        time.sleep(1)  # until its processes are gone
        (tmp_path / "left").touch()
        wait_for_remark(driver, process, "the others have its members")
        cluster.add_node(num_cpus=1, include_dashboard=False)
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        assert remarks(driver.run)[-1].startswith("is there")
        assert (tmp_path / "trains").exists(), "nobody trained on the node that came"
        assert_same_study(driver.run, reference)
    finally:
        cluster.shutdown()


def remarks(path: Path) -> list[str]:
    return [one["text"] for one in read_journal(RunDirectory(path).journal) if one["event"] == "remark"]


def wait_for_remark(driver: _Driver, process: subprocess.Popen[str], text: str) -> None:
    deadline = time.monotonic() + 120
    while not any(text in remark for remark in remarks(driver.run)):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "its members have not moved within two minutes"
        time.sleep(0.1)


def test_more_islands_than_ray_answers_at_once_by_itself_all_join(tmp_path: Path, ray_cluster: None) -> None:
    import ray

    from orchestrator.engine.population_coordinator import start_coordinator

    islands = 1001
    study = composed("+study=pbt_toy", f"population.size={islands}")
    coordinator = start_coordinator(study, RunDirectory(tmp_path), islands, islands, "crowded")
    try:
        joined = ray.get([coordinator.join.remote(island) for island in range(islands)], timeout=60)
    finally:
        ray.kill(coordinator)
    assert [list(assignment.configs) for assignment in joined] == [[island] for island in range(islands)]


def test_the_journal_is_plain_json_lines(troubled: Path) -> None:
    for line in RunDirectory(troubled).journal.read_text().splitlines():
        assert "event" in json.loads(line)
