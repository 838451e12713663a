"""One model trained from scratch with the schedule that a population found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestrator.engine.cluster import Share
from orchestrator.optimizers.random import RandomSearch
from orchestrator.optimizers.rungs import Rungs
from orchestrator.population.assemble import PopulationParts
from orchestrator.search.assemble import SearchParts
from orchestrator.search.budget import Budget
from orchestrator.search.history.history import SearchHistory
from orchestrator.studies import replay
from search_spaces import Config, ConfigurationError, SearchSpace
from tests.orchestrator.population.harness import NO_EVOLUTION, Population, Walk, WalkSession
from tests.orchestrator.search_journals import ERROR, SearchJournal, space
from workloads.contract import Device, Fidelity, Metrics


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


@pytest.fixture
def search(tmp_path: Path) -> tuple[dict[str, Any], SearchParts, SearchHistory]:
    """A complete search of the digits, pretended, and what it is made of."""
    journal = SearchJournal(objectives=(ERROR,), rungs=(1, 3, 9))
    (tmp_path / "run").mkdir()
    journal.write(tmp_path / "run")
    history = SearchHistory.from_events(journal.events())
    cluster = {"cpus_per_trial": 1.0, "gpus_per_trial": 0.0}
    study = {"seed": 0, "deterministic": False, "cluster": cluster, "run": {"dir": str(tmp_path / "run")}}
    workload = _Errors(space())
    optimizer = RandomSearch(workload.space, (ERROR,), 0)
    parts = SearchParts(workload.space, workload, (ERROR,), (), optimizer, None, Rungs(1, 3, 9), Budget(12))
    return study, parts, history


class _Errors:
    """Tells what it was trained with."""

    objectives, fidelity = (ERROR,), Fidelity("epoch", largest=9)

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.trained: list[tuple[Config, int]] = []

    def start(self, config: Config, seed: int, device: Device) -> _ErrorSession:
        return _ErrorSession(self, config, seed)


class _ErrorSession:
    def __init__(self, workload: _Errors, config: Config, seed: int) -> None:
        self.workload, self.config, self.seed = workload, config, seed

    def advance(self, amount: int) -> Metrics:
        self.workload.trained.append((self.config, amount))
        return {"error": 0.5 + 1e-12 * (self.seed % 7)}


def test_a_searchs_best_trial_is_trained_again(
    search: tuple[dict[str, Any], SearchParts, SearchHistory],
) -> None:
    study, parts, history = search
    lines: list[str] = []
    assert replay.replay_study(study, parts, 2, lines.append) == 0
    best = history.knee()
    assert best is not None
    assert parts.workload.trained == [(best.config, 9)] * 2  # type: ignore[attr-defined]
    assert f"trial {best.number}'s error was" in lines[-1] and "with its configuration alone" in lines[-1]


def test_any_trial_can_be_trained_again(search: tuple[dict[str, Any], SearchParts, SearchHistory]) -> None:
    study, parts, history = search
    stopped = next(one for one in history.ended if one.trial and one.trial.status == "stopped")
    assert replay.replay_study(study, parts, 1, lambda _: None, stopped.number) == 0
    assert stopped.trial is not None
    assert parts.workload.trained == [(stopped.config, stopped.trial.fidelity)]  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="--trial: expected the number of a trial that was trained"):
        replay.replay_study(study, parts, 1, lambda _: None, 999)


def test_a_population_has_no_trials(study: dict[str, Any]) -> None:
    parts = PopulationParts(Walk().space, Watched(), Walk().objectives, NO_EVOLUTION, 4)
    with pytest.raises(ConfigurationError, match="--trial: expected none"):
        replay.replay_study(study, parts, 1, lambda _: None, 0)
