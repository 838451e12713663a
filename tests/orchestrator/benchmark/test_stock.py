"""Stored cells are kept as long as they are what the study would compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark.assemble import BenchmarkParts, assemble_benchmark
from orchestrator.benchmark.bench import Bench
from orchestrator.benchmark.records import CellKey
from orchestrator.benchmark.stock import Stock
from orchestrator.benchmark.store import Store
from tests.conftest import composed

CONF = str(Path(__file__).parent / "conf")
FAST = ("~benchmark.methods.hyperband",)


def study(*overrides: str) -> tuple[dict[str, Any], BenchmarkParts]:
    config = composed("--config-dir", CONF, "+study=tiny", *FAST, *overrides)
    return config, assemble_benchmark(config)


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    """A store with all cells of the study."""
    config, parts = study()
    bench = Bench(config)
    with Store(tmp_path) as store:
        for key in parts.cells:
            store.append(bench.compute(key))
    return tmp_path


def missing(folder: Path, *overrides: str) -> set[CellKey]:
    config, parts = study(*overrides)
    return set(Stock(folder, config["benchmark"], parts).missing)


def test_what_a_worker_computes_is_what_the_study_lacks(complete: Path) -> None:
    assert missing(complete / "empty") == set(study()[1].cells)
    assert missing(complete) == set()


def test_only_what_is_new_or_has_changed_is_missing(complete: Path) -> None:
    assert {key.seed for key in missing(complete, "benchmark.seeds=4")} == {2, 3}
    added = missing(complete, "+optimizer@benchmark.methods.sobol=sobol")
    assert {key.method for key in added} == {"sobol"} and len(added) == 6
    changed = missing(complete, "benchmark.methods.tpe.n_startup_trials=3")
    assert {key.method for key in changed} == {"tpe"} and len(changed) == 6
    assert {key.task for key in missing(complete, "benchmark.suites.steps.evaluations=7")} == {"steps"}


def test_a_cell_that_no_process_survives_is_stored_as_failed(tmp_path: Path) -> None:
    config, parts = study()
    stock = Stock(tmp_path, config["benchmark"], parts)
    first, second, *_ = stock.cells
    with Store(tmp_path) as store:
        store.append(Bench(config).compute(first))
    stock.give_up(second, "died")
    found = stock.ended(stock.cells[:5])
    assert [(one.key, one.failure) for one in found] == [(first, ""), (second, "died")]
    stock.compact()
    assert stock.missing == stock.cells[2:]
    assert [failure.reason for failure in stock.failures] == ["died"]
    assert stock.finished.total() == 1
