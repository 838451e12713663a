"""One model trained from scratch with the schedule that a population found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestrator.engine.cluster import Share
from orchestrator.population.assemble import PopulationParts
from orchestrator.studies import replay
from search_spaces import Config, ConfigurationError
from tests.orchestrator.population.harness import NO_EVOLUTION, Population, Walk, WalkSession
from workloads.contract import Device


class Watched(Walk):
    """Notes where its sessions train; those of the first ``broken`` fail."""

    def __init__(self, broken: int = 0) -> None:
        super().__init__()
        self.devices: list[Device] = []
        self.broken = broken

    def start(self, config: Config, seed: int, device: Device) -> WalkSession:
        self.devices.append(device)
        if len(self.devices) <= self.broken:
            raise RuntimeError("out of luck")
        return super().start(config, seed, device)


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Any]:
    Population(tmp_path / "run", size=4, generations=5).train(conclude=True)
    cluster = {"cpus_per_island": 1.0, "gpus_per_island": 0.0}
    return {"seed": 0, "deterministic": False, "cluster": cluster, "run": {"dir": str(tmp_path / "run")}}


def replayed(study: dict[str, Any], workload: Watched, seeds: int) -> tuple[int, list[str]]:
    parts = PopulationParts(workload.space, workload, workload.objectives, NO_EVOLUTION, 4)
    lines: list[str] = []
    return replay.replay_study(study, parts, seeds, lines.append), lines


def test_every_seed_is_trained_and_written_down(study: dict[str, Any], tmp_path: Path) -> None:
    code, lines = replayed(study, Watched(), 3)
    assert code == 0 and "± " in lines[-1] and "over 3 seeds" in lines[-1]
    table = pd.read_csv(tmp_path / "run" / "results" / replay.TABLE)
    assert len(table) == 3 and {"seed", "loss", "test_loss"} == {*table.columns}


def test_models_train_where_an_islands_would(study: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given = Device("cuda", 2, 0.5)
    shares: list[tuple[Share, bool]] = []

    def prepare(share: Share, deterministic: bool) -> Device:
        shares.append((share, deterministic))
        return given

    monkeypatch.setattr(replay, "prepare_device", prepare)
    study["cluster"]["gpus_per_island"] = 0.5
    workload = Watched()
    assert replayed(study, workload, 2)[0] == 0
    assert workload.devices == [given, given]
    assert [(share.unit, share.gpus, way) for share, way in shares] == [("island", 0.5, False)]


def test_a_gpu_that_is_not_there_is_refused(study: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    study["cluster"]["gpus_per_island"] = 1.0
    with pytest.raises(ConfigurationError, match="expected 0 where torch finds no GPU"):
        replayed(study, Watched(), 1)


def test_models_that_fail_are_said_and_left_out(study: dict[str, Any]) -> None:
    code, lines = replayed(study, Watched(broken=1), 3)
    assert code == 0 and lines[1] == "  1 of 3: failed: RuntimeError: out of luck"
    assert lines[-1].endswith(" (1 of 3 models failed)") and "over 2 seeds" in lines[-1]
    code, lines = replayed(study, Watched(broken=2), 2)
    assert code == 1 and lines[-1] == "every model failed, so the score does not hold"
