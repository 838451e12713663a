"""A worker's process that comes after one that died tells the coordinator whom that one trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine import population_island
from orchestrator.engine.population_island import PopulationIsland
from orchestrator.population.island.device_faults import DIED
from orchestrator.run.directory import RunDirectory
from tests.conftest import composed


class Told(Exception):  # noqa: N818 - no error
    """The island has joined."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What an island says to its coordinator, until it joins."""
    said: list[tuple[Any, ...]] = []

    class Link:
        def __init__(self, coordinator: Any) -> None:
            del coordinator

        def pack(self, state: Any) -> Any:
            return state

        def post(self, method: str, *arguments: Any) -> Any:
            if method == "join":
                raise Told
            said.append((method, *arguments))
            return lambda: None

    monkeypatch.setattr(population_island, "_ObjectStoreLink", Link)
    monkeypatch.setattr(population_island, "neighbours", lambda share, wanted: wanted)  # no node is asked
    return said


def island(run: Path) -> Any:
    """Island 1 of a study, prepared as in a worker's process."""
    made: Any = object.__new__(PopulationIsland)
    made._number, made._workers, made._coordinator = 1, 2, None
    made._coordinator_name, made._workplace = "coordinator:toy:1", None
    made._scratch, made._logs, made._output = run / "scratch", run / "logs", SimpleNamespace()
    made.prepare(composed("+study=pbt_toy", "tracking=none"), RunDirectory(run))
    return made


def test_it_names_the_members_and_only_once(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    first = island(tmp_path)
    first._island.settle({3: {"h0": 0.5, "h1": 0.5}}, {3: 6})
    kept = {}

    class Died(BaseException):
        """The process ends here: what it had written stays."""

    with pytest.raises(Died), first._mark.around([first._island.members[3]]):
        kept = {file: file.read_bytes() for file in (tmp_path / "tune").rglob("*.json")}
        raise Died
    (file,) = kept
    file.write_bytes(kept[file])
    for life in range(2):
        with pytest.raises(Told):
            island(tmp_path).step()
        ((method, number, faults, reason),) = calls
        assert (method, number) == ("broken", 1), life
        assert [(one.member, one.generation, one.cause) for one in faults] == [(3, 7, DIED)]
        assert "an exit, a signal" in reason


def test_an_interval_ends_without_a_mark(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    first = island(tmp_path)
    first._island.settle({3: {"h0": 0.5, "h1": 0.5}}, {3: 6})
    assert first._island.train(3).failure is None
    with pytest.raises(Told):
        island(tmp_path).step()
    assert calls == []
