"""The program's entry, called in this process, with the studies themselves replaced by a recorder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orchestrator.cli import program


@dataclass
class Studies:
    """Stands for the modules of ``orchestrator.studies``: notes what it is asked to run."""

    runs: list[tuple[Mapping[str, Any], Path, bool]] = field(default_factory=list)
    answer: Callable[[], int] = lambda: 0

    def run(self, config: Mapping[str, Any], run_dir: Path, resume: bool) -> int:
        self.runs.append((config, run_dir, resume))
        return self.answer()


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> Studies:
    recorder = Studies()
    for kind in ("population", "search", "benchmark"):
        module = ModuleType(f"orchestrator.studies.{kind}")
        module.run = recorder.run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return recorder


@pytest.fixture
def call(
    studies: Studies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls the program in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Outcome:
        try:
            code = program.main(argv)
        except SystemExit as error:
            assert isinstance(error.code, int)
            code = error.code
        streams = capsys.readouterr()
        return Outcome(code, streams.out, streams.err)

    return run
