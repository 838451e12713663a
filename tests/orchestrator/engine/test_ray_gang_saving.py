"""Trials that several processes train go on from checkpoints; threads stand for processes, without Ray."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine import gang
from orchestrator.engine.gang_hub import GangPlace
from orchestrator.engine.gang_saving import GangSaving
from orchestrator.run.directory import RunDirectory
from orchestrator.search.finals.models import TrialModels
from orchestrator.search.trials.checkpoints import BeganAnew, Checkpoint
from orchestrator.search.trials.running import Assignment
from orchestrator.search.trials.trial_run import Report
from orchestrator.trial import Suggestion
from tests.orchestrator.engine.test_ray_gang import Hub
from tests.orchestrator.population.gangs import Collective, SharedWalk
from workloads.contract import Device, Fidelity

STUDY: Any = {
    "seed": 0,
    "search": {
        **{"repeats": 1, "first_rung": None, "eta": 3, "stopping": {}, "constraints": []},
        **{"time_limit": None, "workers": 2, "archive": 0},
    },
}
CONFIG = {"rate": 0.5, "kind": "plain"}


class Ranks:
    """Two processes that train one trial, and what they tell."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, reads: Callable[[int], bool]) -> None:
        self._path, self._reads, self._rank = path, reads, threading.local()
        self._barrier, self._said = threading.Barrier(2), [False, False]
        context = SimpleNamespace(get_world_rank=lambda: self._rank.number, get_world_size=lambda: 2)
        monkeypatch.setattr(gang.ray.train, "get_context", lambda: context)

    def train(self, work: Assignment, interval: float | None = 1e-9) -> list[Any]:
        """All that reaches the worker."""
        workload = SharedWalk()
        workload.fidelity, workload.collective = Fidelity("step", largest=27), Collective(2)
        workload.space = SimpleNamespace(meant=lambda config: config)  # type: ignore[assignment]

        def process(hub: Hub, number: int, rank: int) -> None:
            self._rank.number = rank
            run = RunDirectory(self._path)
            place, saving = GangPlace(STUDY, run, None, 0), self._saving(run, interval, rank)  # type: ignore[arg-type]
            link: Any = SimpleNamespace(
                put=lambda report: hub.put(number, report), goes_on=lambda report: hub.goes_on(number, report)
            )
            models = TrialModels(run.models, (), (), 27, 0)
            assignment = hub.work(number, 0)
            assert assignment is not None
            gang._train_one(assignment, workload, Device(), place, link, models, saving)
            hub.work(number, 1)

        hub = Hub(self._path, process)
        with ThreadPoolExecutor(1) as pool:
            assert not hub.begin(work)
            pool.submit(hub.train)
            told = [hub.next()]
            while not (isinstance(told[-1], Report) and told[-1].done):
                told.append(hub.next())
            hub.leave()
        return told

    def _saving(self, run: RunDirectory, interval: float | None, rank: int) -> GangSaving:
        def agreed(own: bool) -> bool:
            self._said[rank] = own and self._reads(rank)
            self._barrier.wait(20)
            found = all(self._said)
            self._barrier.wait(20)
            return found

        return GangSaving(run.checkpoints, interval, rank, agreed)


def results(told: list[Any]) -> dict[int, float]:
    return {one.fidelity: one.metrics["loss"] for one in told if isinstance(one, Report)}


def test_a_gang_goes_on_from_what_its_first_process_has_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = Ranks(tmp_path, monkeypatch, lambda rank: True)
    work = Assignment(3, Suggestion(CONFIG))
    whole = ranks.train(work)
    saved = [one for one in whole if isinstance(one, Checkpoint)]
    assert list(results(whole)) == [1, 3, 9, 27] and [one.fidelity for one in saved] == [1, 3, 9]
    again = ranks.train(replace(work, attempt=1, origin=saved[-1]))
    assert results(again) == {27: results(whole)[27]}, "bit for bit, and nothing is trained twice"
    assert results(ranks.train(work, None)) == results(whole)


def test_a_promoted_gang_trains_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = Ranks(tmp_path, monkeypatch, lambda rank: True)
    lower = ranks.train(Assignment(0, Suggestion(CONFIG, 3)), 1e9)[-1]
    assert lower.checkpoint is not None and lower.checkpoint.fidelity == 3
    higher = ranks.train(Assignment(1, Suggestion(CONFIG, 9), origin=lower.checkpoint), 1e9)
    assert list(results(higher)) == [9]


@pytest.mark.parametrize("unable", [0, 1])
def test_where_one_process_cannot_read_a_checkpoint_all_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unable: int
) -> None:
    whole = Ranks(tmp_path, monkeypatch, lambda rank: True).train(Assignment(3, Suggestion(CONFIG)))
    saved = [one for one in whole if isinstance(one, Checkpoint)][-1]
    ranks = Ranks(tmp_path, monkeypatch, lambda rank: rank != unable)
    told = ranks.train(Assignment(3, Suggestion(CONFIG), origin=saved), None)
    assert isinstance(told[0], BeganAnew) and results(told) == results(whole)
