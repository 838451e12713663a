"""The first word says what to do; without one, a study is run."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from orchestrator.cli import listing
from orchestrator.cli.verbs import VERBS, report, run
from orchestrator.cli.verbs import list as list_verb
from tests.orchestrator.cli.conftest import Call, Studies
from tests.orchestrator.cli.test_bad_input import refused
from tests.orchestrator.journals import PopulationJournal

TOY = "+study=pbt_toy"


def test_help_names_every_verb(call: Call) -> None:
    for arguments in (["--help"], ["help"], []):
        lines = [line.split() for line in call(*arguments).out.splitlines()]
        assert {*VERBS, "help"} <= {line[0] for line in lines if line}


@pytest.mark.parametrize("verb", ["report", "subsets", "carps", "list"])
def test_help_explains_a_verb(verb: str, call: Call) -> None:
    outcome = call("help", verb)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"usage: python -m orchestrator {verb} ")
    assert call(verb, "--help") == outcome


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["reprot", "x"], ["command line: expected a verb (run, check, ", "got 'reprot'", "mean 'report'?"]),
        (["help", "lits"], ["got 'lits'", "mean 'list'?"]),
        (["pbt_toy"], ["got 'pbt_toy'", "to run the study: +study=pbt_toy"]),
        (["resume"], ["command line: expected a run directory after resume, got nothing"]),
        (["resume", "nowhere"], ["resume: expected a run directory (with config.yaml), got 'nowhere'"]),
        (["run", "seed"], ["command line: expected key=value", "got 'seed'"]),
        (["list", "optimisers"], ["group: expected one of ", "population/exploit", "mean 'optimizer'?"]),
        (["report"], ["command line: the following arguments are required: run (see --help)"]),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(
    arguments: list[str], parts: list[str], call: Call, studies: Studies
) -> None:
    refused(call(*arguments), *parts)
    assert studies.runs == []


def test_run_is_what_the_program_does_without_a_verb(call: Call, studies: Studies) -> None:
    assert call("run", TOY, "seed=3", "run.dir=a").code == call(TOY, "seed=3", "run.dir=b").code == 0
    (first, _, _), (second, _, _) = studies.runs
    assert {**first, "run": None} == {**second, "run": None}


@pytest.mark.parametrize("flag", [["--config-dir", "mine"], ["--config-dir=mine"], ["-cd", "mine"]])
def test_a_directory_of_ones_own_may_stand_before_the_verb(
    flag: list[str], call: Call, studies: Studies, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "study").mkdir(parents=True)
    own = "# @package _global_\ndefaults: [/study/pbt_toy, _self_]\nstudy: {description: Of my own.}\n"
    (tmp_path / "mine" / "study" / "own.yaml").write_text(own)
    assert "Of my own." in call(*flag, "list").out
    assert "Of my own." in call(*flag).out
    assert call(*flag, "check", "+study=own").out.startswith("ok: pbt_toy")
    assert call(*flag, "run", "+study=own", "run.dir=here").code == 0
    assert call(*flag, "resume", "here").code == 0
    assert [resume for *_, resume in studies.runs] == [False, True]
    refused(call(*flag, "lsit"), "got 'lsit'", "mean 'list'?")
    refused(call("--config-dir"), "command line: argument --config-dir")


def test_resume_continues_the_run_in_a_directory_of_any_name(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    name = "a=b, it's ${mine}"
    assert call(TOY, "run.dir=here", "seed=3").code == 0
    (tmp_path / "here").rename(tmp_path / name)
    outcome = call("resume", name, "cluster.cpus=2")
    assert outcome.code == 0, outcome.err
    config, run_dir, resume = studies.runs[1]
    assert (run_dir, resume) == (tmp_path / name, True)
    assert (config["seed"], config["cluster"]["cpus"]) == (3, 2)


def test_list_shows_studies_and_the_choices_of_a_group(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "own.yaml").write_text("# Guesses well.\n_target_: mine.Guess\n")
    studies = call("list").out
    assert "pbt_toy  " in studies and studies in call("list", "study").out
    optimizers = call("list", "optimizer", "--config-dir", "mine").out
    lines = [line.split(maxsplit=1) for line in optimizers.splitlines()]
    assert ["own", "Guesses well."] in lines
    assert "random" in {name for name, _ in lines}
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_list_shows_several_groups_with_headings_and_by_the_names_that_people_use(call: Call) -> None:
    text = call("list", "optimizers", "methods", "suites", "workloads").out
    parts = text.split("\n\n")
    assert [part.splitlines()[0] for part in parts] == ["optimizer:", "population:", "suite:", "workload:"]
    for part, name in zip(parts, ("optuna_tpe", "pbt", "bbob", "digits"), strict=True):
        assert any(line.split(maxsplit=1)[0] == name for line in part.splitlines())
    assert call("list", "methods").out == call("list", "population").out
    refused(call("list", "suite", "optimisers"), "group: expected one of ", "mean 'optimizer'?")


def test_lists_are_broken_at_the_terminals_width(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "terminal_width", lambda: 60)
    monkeypatch.setattr(list_verb, "terminal_width", lambda: 60)
    for arguments in (["list"], ["list", "optimizer"]):
        lines = call(*arguments).out.splitlines()
        assert max(map(len, lines)) <= 60 and any(line.startswith("     ") for line in lines)
    assert "pbt_toy" in call("--help").out


@pytest.mark.parametrize(("verb", "module"), [("report", report), ("run", run)])
def test_ctrl_c_and_files_that_cannot_be_read_end_without_a_traceback(
    verb: str, module: object, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, code, said in (
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.EACCES, "Permission denied", "x"), 2, "error: [Errno 13] Permission denied: 'x'\n"),
    ):

        def fail(argv: object, error: BaseException = error) -> int:
            raise error

        monkeypatch.setattr(module, "main", fail)
        outcome = call(verb)
        assert (outcome.code, outcome.out, outcome.err) == (code, "", said)


def test_replay_refuses_what_it_cannot_replay(call: Call, tmp_path: Path) -> None:
    for arguments in (["replay", "nowhere"], ["replay=nowhere"], ["replay=nowhere", "--seeds", "2"]):
        refused(call(*arguments), "replay: expected a run directory (with config.yaml), got 'nowhere'")
    assert call("replay", str(tmp_path), "--seeds", "0").code == 2


def test_replay_trains_the_schedule_of_a_complete_study_only(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    from orchestrator.run.directory import RunDirectory

    assert call(TOY, "run.dir=here").code == 0
    run = RunDirectory(tmp_path / "here")
    run.journal.write_text("")
    refused(call("replay", "here"), "replay: expected a study that has begun")
    allowed = "cluster.* and tracking.* and population.generations"
    refused(call("replay", "here", "seed=3"), f"replay: expected only {allowed} besides it")
    journal = PopulationJournal(size=2, generations=1).events()[:-1]
    run.journal.write_text("".join(json.dumps(event) + "\n" for event in journal))
    refused(call("replay", "here"), "replay: expected a study that is complete", "orchestrator resume ")
    assert call("replay", "here", "cluster.gpus_per_island=1").err.startswith("error: replay: ")
