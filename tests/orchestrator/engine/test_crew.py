"""How a study's end is read once all its workers are gone."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayActorError
from rich.console import Console

from orchestrator.engine import crew
from orchestrator.engine.coordinator import Coordinator, Standing
from orchestrator.engine.crew import COMPLETE, Crew, _explained, pull
from orchestrator.engine.worker import PullingWorker
from orchestrator.run.directory import RunDirectory


@pytest.mark.parametrize(
    "standing", [COMPLETE, Standing(False, halted=True, failure=""), Standing(False, False, "a reason")]
)
def test_an_end_that_has_its_reason_is_kept(standing: Standing) -> None:
    assert _explained(standing, halted=False) == standing


def test_a_study_whose_workers_left_early_has_failed_or_was_interrupted() -> None:
    early = Standing(over=False, halted=False, failure="")
    assert _explained(early, halted=True).halted
    assert "ended before it was finished" in _explained(early, halted=False).failure


class Handle:
    """Stands in for an actor's handle: a call is made when its answer is fetched."""

    def __init__(self, actor: object, calls: list[str]) -> None:
        self._actor, self._calls = actor, calls

    def __getattr__(self, method: str) -> Any:
        def remote(*arguments: Any) -> Callable[[], Any]:
            def call() -> Any:
                self._calls.append(method)
                return getattr(self._actor, method)(*arguments)

            return call

        return SimpleNamespace(remote=remote)


class Fated:
    """A coordinator with a remark; ``lost`` says whether Ray could not make it."""

    def __init__(self, lost: bool = False) -> None:
        self.lost = lost

    def standing(self) -> Standing:
        if self.lost:
            raise RayActorError
        return Standing(False, False, "", "a remark")

    def close(self) -> Standing:
        if self.lost:
            raise RayActorError
        return COMPLETE


@dataclass
class Pulled:
    calls: list[str]
    printed: str
    end: Standing | Exception


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Pulled]:
    """Runs a study with something else in place of Ray."""

    def pulled(actor: Fated, work: Callable[[threading.Event], None]) -> Pulled:
        calls, printed = list[str](), io.StringIO()
        handle = Handle(actor, calls)
        monkeypatch.setattr(crew, "launch_actor", lambda *_: handle)
        monkeypatch.setattr(crew, "Watch", lambda *_: nullcontext(SimpleNamespace(halted=threading.Event())))
        monkeypatch.setattr(crew.ray, "get", lambda call, timeout=None: call())
        monkeypatch.setattr(crew, "end_actor", lambda _: calls.append("kill"))
        monkeypatch.setattr(crew.tune, "with_parameters", lambda worker, **_: worker)
        monkeypatch.setattr(crew, "run_workers", lambda _, *, halted, **__: work(halted))
        who = Crew(Coordinator, (), PullingWorker, 1, {})
        console = Console(file=printed)
        try:
            standing = pull(
                {"study": {"name": "s"}, "cluster": {"heartbeat": None}},
                RunDirectory(tmp_path),
                who,
                console,
                threading.Event(),
            )
        except RuntimeError as error:
            return Pulled(calls, printed.getvalue(), error)
        return Pulled(calls, printed.getvalue(), standing)

    return pulled


def test_the_journal_is_let_go_before_the_coordinator_is_killed_whatever_is_raised(
    pulled: Callable[..., Pulled],
) -> None:
    def broken(halted: threading.Event) -> None:
        raise RuntimeError("nobody has foreseen this")

    study = pulled(Fated(), broken)
    assert isinstance(study.end, RuntimeError)
    assert [call for call in study.calls if call != "standing"] == ["close", "kill"]


def test_workers_start_beside_the_coordinator_whose_remark_is_printed(pulled: Callable[..., Pulled]) -> None:
    study = pulled(Fated(), lambda halted: None)
    assert study.end == COMPLETE
    assert study.printed == "a remark\n"


def test_workers_do_not_wait_for_a_coordinator_that_could_not_be_made(pulled: Callable[..., Pulled]) -> None:
    def waits(halted: threading.Event) -> None:
        assert halted.wait(10)

    study = pulled(Fated(lost=True), waits)
    assert isinstance(study.end, Standing)
    assert study.end.failure.startswith("Ray lost the study's coordinator")
