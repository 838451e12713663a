"""The README's program, and others, in a study of each kind: all that is real but Ray."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.runner import CellRunner
from orchestrator.population.assemble import assemble_population
from orchestrator.population.preflight import preflight
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Event, read_journal
from search_spaces import ConfigurationError
from tests.conftest import composed
from tests.orchestrator.population.harness import Death, Population
from tests.orchestrator.studies.in_process import search_in_process
from tests.orchestrator.test_readme import block

pytestmark = pytest.mark.usefixtures("undrawn")

SHELL = """#!/bin/sh
# A training in shell and awk: $1 rate, $2 units, $3 folder to save in, $4 folder to load
x=$(cat "${4:-.}/x" 2>/dev/null || echo 1)
x=$(awk "BEGIN { x = $x; for (i = 0; i < $2; i++) x *= 1 - $1; print x }")
echo "loss=$x"
echo "$x" > "$3/x"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's directory with the README's files and a shell script."""
    studies = tmp_path / "my_studies" / "study"
    studies.mkdir(parents=True)
    (tmp_path / "train.py").write_text(block("python", "import argparse"))
    for name in ("script_pbt", "script_search", "script_methods"):
        (studies / f"{name}.yaml").write_text(block("yaml", f"name: {name}"))
    script = tmp_path / "train.sh"
    script.write_text(SHELL)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{Path('/usr/bin')}:{Path('/bin')}")
    return tmp_path


def configured(name: str, *overrides: str) -> dict[str, Any]:
    return composed("--config-dir", "my_studies", f"+study={name}", *overrides)


def command(*arguments: str) -> str:
    """An override of the study's command."""
    return f"workload.command=[{','.join(arguments)}]"


IN_SHELL = command("./train.sh", "'{lr}'", "'{units}'", "'{save}'", "['{load}']", "'{momentum}'")


def searched(path: Path, *overrides: str) -> list[Event]:
    """What a search of the README's program comes to, in another command."""
    more = ("search.trials=4", "search.concurrency=1", "optimizer=random", *overrides)
    assert search_in_process(path, "--config-dir", "my_studies", *more, study="script_search") == 0
    return list(read_journal(RunDirectory(path).journal))


def ended(events: list[Event]) -> list[Any]:
    return [event for event in events if event["event"] == "ended"]


def test_each_study_of_the_readme_is_short(folder: Path) -> None:
    assert len((folder / "train.py").read_text().splitlines()) <= 31
    for study in (folder / "my_studies" / "study").iterdir():
        assert len(study.read_text().splitlines()) < 20


@pytest.mark.parametrize("changes", [[], [IN_SHELL]], ids=["python", "shell"])
def test_a_population_trains_a_program(folder: Path, changes: list[str]) -> None:
    config = configured("script_pbt", *changes)
    parts = assemble_population(config)
    assert not preflight(config, parts).lines
    losses = {}
    for islands in (1, 2):
        study = Population(
            folder / f"{islands}", workload=parts.workload, islands=islands, size=4, generations=3
        )
        study.train(deaths={1: [Death("train", 2)]}, conclude=True)
        lives = study.history().lives
        assert not any(interval.failed for life in lives for interval in life)
        assert any(interval.copies for life in lives for interval in life)
        losses[islands] = [[interval.metrics["loss"] for interval in life] for life in lives]
        kept = list((folder / f"{islands}" / "snapshots" / "000003").glob("best-*.pt.folders/*/*"))
        assert [file.name for file in kept] == ["x" if changes else "weights.npz"]
    assert losses[1] == losses[2]


@pytest.mark.parametrize("changes", [[], [IN_SHELL]], ids=["python", "shell"])
def test_a_search_stops_programs_early(folder: Path, changes: list[str]) -> None:
    events = ended(searched(folder / "run", "search.trials=6", *changes))
    reached = [event["fidelity"] for event in events]
    assert len(reached) == 6
    assert min(reached) < max(reached) == 500
    assert len(list((folder / "run" / "logs").glob("trial-*.log"))) == 6
    assert not (folder / "run" / "scratch").exists()


@pytest.mark.parametrize("changes", [False, True], ids=["python", "shell"])
def test_a_benchmark_compares_methods_on_a_program(folder: Path, changes: bool) -> None:
    suite = "benchmark.suites.script"
    own = IN_SHELL.replace(",'{momentum}'", "").replace("workload", f"{suite}.workload", 1)
    more = [own] if changes else []
    config = configured("script_methods", f"{suite}.evaluations=2", "benchmark.seeds=1", *more)
    runner = CellRunner(config)
    for key in assemble_benchmark(config).cells:
        result = runner.compute(key)
        assert (result.status, result.reason) == ("finished", "")


ODD = """
number=$(wc -l < count); echo >> count
case $number in
  0) seq 1 50 >&2; echo ValueError: no >&2; exit 2;;
  1) echo loss=1; sleep 600;;
  2) trap : TERM; echo loss=1; while :; do sleep 0.1; done;;
  3) echo '{"loss": 1';;
  4) ;;
  5) sleep 600 & setsid sleep 600 & echo loss=1;;
  6) yes | head -c 2000000; echo loss=1;;
esac
"""
"""Does not behave, each time in another way."""
REASONS = (
    "exited with status 2; it printed last: 49 | 50 | ValueError: no",
    "took longer than time_limit=3 s; it printed last: loss=1",
    "took longer than time_limit=3 s; it printed last: loss=1",
    "ended without reporting 'loss' on standard output (a line is broken JSON: {\"loss\": 1)",
    "ended without reporting 'loss' on standard output",
    "",
    "",
)


def test_a_search_survives_programs_that_do_not_behave(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.sh").write_text(ODD)
    (folder / "count").touch()
    how = (command("sh", "odd.sh", "'{lr}'", "'{momentum}'"), "workload.fidelity.largest=1")
    limits = (
        "+workload.time_limit=3",
        "+workload.grace=0.2",
        "search/stopping=none",
        "search.first_rung=null",
    )
    more = ("preflight=false", f"search.trials={len(REASONS)}")
    events = ended(searched(folder / "run", *how, *limits, *more))
    assert [event["status"] for event in events] == ["failed" if reason else "finished" for reason in REASONS]
    for event, reason in zip(events, REASONS, strict=True):
        assert reason in event["reason"]
        assert "\n" not in event["reason"]
    assert REASONS[0] in capsys.readouterr().out
    assert "\n22\n23\n" in (folder / "run" / "failures.log").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            command("pythn", "train.py", "'{lr}'", "'{momentum}'"),
            r"workload.command\[0\]: expected a program on PATH",
        ),
        (command("python", "train.py", "'{lr}'"), "workload.command: expected {momentum}, {config}"),
        (
            command("python", "train.py", "lr", "'{lr}'", "'{momentum}'"),
            "workload: expected .* to train 1 epoch",
        ),
        (
            command("python", "train.py", "'--lr={lr}'", "'--momentum={momentum}'"),
            "{load} and {save}, {checkpoint}",
        ),
        ("workload.objectives=[accuracy]", "ended without reporting 'accuracy'"),
    ],
)
def test_is_refused_before_anything_starts(folder: Path, change: str, message: str) -> None:
    config = configured("script_pbt", change)
    with pytest.raises(ConfigurationError, match=message) as caught:
        preflight(config, assemble_population(config))
    assert "\n" not in str(caught.value)
