"""``deterministic: true`` reaches torch in every process that trains, whatever the kind of study."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.engine import cell_worker, gang, population_island, population_training, search_worker
from orchestrator.engine.cluster import Share, prepare_device
from orchestrator.population.assemble import assemble_population
from orchestrator.population.coordination.messages import LOOP
from orchestrator.population.setup import make_plan
from orchestrator.run.directory import RunDirectory
from tests.conftest import composed
from tests.workloads.contract import same
from tests.workloads.torch.packed.cases import CASES
from workloads.contract import Device

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@pytest.fixture
def torch_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Torch as it was, afterwards."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(WORKSPACE, "")
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    cudnn = (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32)
    torch.backends.cudnn.benchmark = True
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = cudnn


def test_torch_repeats_itself_only_where_it_is_asked_to(torch_settings: None) -> None:
    assert prepare_device(Share("trial", 1, 0), deterministic=False) == Device("cpu", 1)
    assert not torch.are_deterministic_algorithms_enabled() and os.environ[WORKSPACE] == ""
    assert prepare_device(Share("trial", 1, 0), deterministic=True) == Device("cpu", 1)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert os.environ[WORKSPACE] == ":4096:8"


def test_a_setting_with_which_cublas_repeats_itself_is_kept(
    torch_settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKSPACE, ":16:8")
    prepare_device(Share("trial", 1, 0), deterministic=True)
    assert os.environ[WORKSPACE] == ":16:8"


class _AskedError(Exception):
    """Raised in place of preparing a device."""


class _NoOutput:
    """A workplace that leaves the process where it is and its output alone."""

    def enter(self, worker: str) -> _NoOutput:
        return self

    def close(self) -> None:
        pass


def _island(given: dict[str, Any], run: RunDirectory) -> None:
    made = population_island.PopulationIsland.__new__(
        population_island.PopulationIsland
    )  # without what Ray needs of it
    made._workers = 1
    made.prepare(given, run)


def _cells(given: dict[str, Any], run: RunDirectory) -> None:
    cell_worker.CellWorker.__new__(cell_worker.CellWorker).prepare(given, run)


def _judge(given: dict[str, Any], run: RunDirectory) -> None:
    population_training._judge(given, [({}, run.path)], _NoOutput())


def _work(given: dict[str, Any], run: RunDirectory) -> None:
    gang._train(gang.GangPlace(given, run, _NoOutput(), 0), _NoOutput(), gang.GangLink(None, 0))


def _prepare(given: dict[str, Any], run: RunDirectory) -> None:
    search_worker.SearchWorker.__new__(search_worker.SearchWorker).prepare(given, run)


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize(
    ("module", "name", "begin"),
    [
        (population_island, "pbt_toy", _island),
        (population_training, "pbt_toy", _judge),
        (search_worker, "search_digits", _prepare),
        (gang, "search_digits", _work),
        (cell_worker, "carps_small", _cells),
    ],
    ids=["island", "held-out test", "trial", "trial of several processes", "cells"],
)
def test_every_process_that_trains_is_told(
    module: Any,
    name: str,
    begin: Callable[[dict[str, Any], RunDirectory], None],
    deterministic: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def prepared(share: Share, deterministic: bool, *_: Any) -> Device:
        raise _AskedError(deterministic)

    monkeypatch.setattr(module, "prepare_device", prepared)
    monkeypatch.setattr(population_island, "neighbours", lambda *_: 1)
    given = composed(f"+study={name}", f"deterministic={str(deterministic).lower()}")
    with pytest.raises(_AskedError, match=str(deterministic)):
        begin(given, RunDirectory(tmp_path))


def test_no_engine_is_chosen_by_the_clock() -> None:
    for extra, engine in (([], None), (["deterministic=true"], LOOP)):
        given = composed("+study=pbt_digits", *extra)
        assert make_plan(given, assemble_population(given), islands=1).engine == engine


def test_members_that_several_processes_train_are_never_packed() -> None:
    given = composed("+study=pbt_digits", "population.workers=2")
    assert make_plan(given, assemble_population(given), islands=1).engine == LOOP


@pytest.mark.parametrize("name", ["mlp", "cnn_batch_norm"])
def test_models_train_by_deterministic_algorithms_alone(name: str, torch_settings: None) -> None:
    """Of what needs no data beside the package's own; torch raises where an operation has none."""
    prepare_device(Share("trial", 1, 0), deterministic=True)
    one, other = (CASES[name].sessions(Path(), torch.float32, members=1)[0] for _ in range(2))
    assert one.advance(2) == other.advance(2)
    assert same(one.state(), other.state())
