"""What the comparison with carps keeps and what it refuses; the comparison itself takes minutes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestrator.benchmark.records import CellKey, CellResult
from orchestrator.benchmark.runner import CellRunner
from orchestrator.benchmark.store import Store
from orchestrator.run.directory import RunDirectory
from tests.benchmarks import carps_agreement
from tests.benchmarks.carps_agreement import KURSAWE, compare, compute_ours

RANDOM = replace(carps_agreement.PEERS[0], tasks=(KURSAWE,))


@pytest.fixture(autouse=True)
def one_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carps_agreement, "PEERS", (RANDOM,))


def test_only_cells_with_the_digest_of_today_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[CellKey] = []

    def compute(runner: CellRunner, key: CellKey) -> CellResult:
        computed.append(key)
        return real(runner, key)

    real = CellRunner.compute
    monkeypatch.setattr(CellRunner, "compute", compute)
    keys = [CellKey(KURSAWE, "random", seed) for seed in (1, 2)]
    compute_ours(tmp_path, [1, 2])
    assert computed == keys
    with Store(RunDirectory(tmp_path).cells) as store:
        store.append(CellResult(keys[0], "of another configuration", ()))
    compute_ours(tmp_path, [1, 2])
    assert computed == [*keys, keys[0]]


def scores(ours: int, theirs: int, value: float = 1.0) -> pd.DataFrame:
    rows = [("random", seed) for seed in range(1, ours + 1)]
    rows += [("RandomSearch", seed) for seed in range(1, theirs + 1)]
    frame = pd.DataFrame(rows, columns=["method", "seed"])
    return frame.assign(task=KURSAWE, value=np.where(frame.index == 0, value, 1.0))


def test_samples_are_of_the_seeds_that_were_asked_for() -> None:
    (row,) = compare(scores(4, 3, value=9.0), range(2, 4)).to_dict("records")
    assert (row["ours"], row["mann_whitney"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("frame", "lacking"),
    [
        (scores(3, 2), "RandomSearch on kursawe 2"),
        (scores(3, 0), "RandomSearch on kursawe 0"),
        (scores(3, 3, value=np.nan), "random on kursawe 2"),
    ],
)
def test_samples_that_lack_results_are_refused(frame: pd.DataFrame, lacking: str) -> None:
    with pytest.raises(RuntimeError, match=f"^expected 3 results of each method, got of {lacking}$"):
        compare(frame, range(1, 4))
