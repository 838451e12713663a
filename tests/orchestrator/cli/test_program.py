"""What the command line does when nothing is wrong."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestrator.population.assemble import assemble_population
from orchestrator.population.methods.pbt import Pbt
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import Journal
from search_spaces import ConfigurationError
from tests.conftest import classes_of, shipped
from tests.orchestrator.cli.conftest import Call, Studies
from tests.orchestrator.journals import PopulationJournal

TOY = "+study=pbt_toy"
HEAVY = {"ray", "torch", "mlflow", "ConfigSpace", "numpy", "pandas", "hydra"}


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["-m"]])
def test_lists_the_studies(arguments: list[str], call: Call, tmp_path: Path) -> None:
    outcome = call(*arguments)
    assert outcome.code == 0
    for study in ("pbt_digits", "pbt_toy"):
        assert [line for line in outcome.out.splitlines() if line.strip().startswith(f"{study}  ")]
    assert list(tmp_path.iterdir()) == []


def test_lists_the_users_studies_too(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "study"
    folder.mkdir(parents=True)
    (folder / "described.yaml").write_text("# @package _global_\nstudy: {name: a, description: With words}\n")
    (folder / "commented.yaml").write_text("# @package _global_\n# With a comment\nseed: 3\n")
    (folder / "broken.yaml").write_text("study: [\n")
    lines = [line.split(maxsplit=1) for line in call("--config-dir", "mine").out.splitlines()]
    assert ["described", "With words"] in lines
    assert ["commented", "With a comment"] in lines
    assert ["broken", "(this file is not a valid study)"] in lines


@pytest.mark.parametrize("arguments", ["--help", "list", "report --help", "subsets --help", "carps --help"])
def test_help_and_lists_import_nothing_heavy(arguments: str) -> None:
    code = (
        f"import atexit, sys; from orchestrator.cli.program import main\n"
        f"atexit.register(lambda: print('imported', sorted({HEAVY!r} & sys.modules.keys())))\n"
        f"sys.exit(main({arguments.split()!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "imported []"


def test_refuses_as_a_process_with_code_2_and_one_line(tmp_path: Path) -> None:
    done = program(TOY, "population.size=1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: population.size: expected an integer of at least 2, got 1\n"
    assert list(tmp_path.iterdir()) == []


def test_prints_the_configuration(tmp_path: Path) -> None:
    done = program(TOY, "seed=7", "--cfg", "job", "population/exploit=t_test", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load(done.stdout)
    assert config["seed"] == 7
    assert config["population"]["exploit"]["_target_"].endswith(".TTest")
    assert list(tmp_path.iterdir()) == []


def test_completes_the_names_of_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "orchestrator +study=pbt_")
    done = program("-sc", "query=bash", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = Path(__file__).parents[3] / "conf" / "study"
    names = sorted(path.stem for path in folder.glob("pbt_*.yaml"))
    assert "pbt_digits" in names
    assert done.stdout.split() == [f"+study={name}" for name in names]


def test_runs_with_the_complete_configuration(call: Call, studies: Studies, tmp_path: Path) -> None:
    assert call(TOY, "seed=3", "run.dir=here").code == 0
    ((config, run_dir, resume),) = studies.runs
    assert (run_dir, resume) == (tmp_path / "here", False)
    assert config == yaml.safe_load((run_dir / "config.yaml").read_text())
    assert (config["seed"], config["study"]["kind"]) == (3, "population")
    assert config["run"]["dir"] == str(run_dir)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.yaml", "here", "provenance.json"]
    (entry,) = json.loads((run_dir / "provenance.json").read_text())
    assert entry["command"] == f"python -m orchestrator {TOY} seed=3 run.dir=here"
    assert not entry["resumed"]


def test_flags_and_overrides_stand_in_any_order(call: Call, studies: Studies, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert call("seed=3", "--config-dir", "mine", TOY).code == 0
    assert studies.runs[0][0]["seed"] == 3


def test_studies_of_the_same_second_get_directories_of_their_own(call: Call, studies: Studies) -> None:
    assert call(TOY, "-m", "seed=0,1", "population.interval=range(5,7)").code == 0
    assert [(c["seed"], c["population"]["interval"]) for c, _, _ in studies.runs] == [
        (0, 5),
        (0, 6),
        (1, 5),
        (1, 6),
    ]
    assert len({run_dir for _, run_dir, _ in studies.runs}) == 4
    assert all(run_dir.parent == Path.cwd() / "runs" / "pbt_toy" for _, run_dir, _ in studies.runs)


def test_a_sweep_goes_on_after_a_failure_but_not_after_ctrl_c(call: Call, studies: Studies) -> None:
    codes = iter([1, 0, 130])
    studies.answer = lambda: next(codes)
    assert call(TOY, "-m", "seed=0,1,2,3").code == 130
    assert len(studies.runs) == 3


def test_a_sweep_ends_with_what_its_runs_reached(call: Call, studies: Studies) -> None:
    def work() -> int:
        config, path, _ = studies.runs[-1]
        PopulationJournal(seed=config["seed"]).write(path)
        return 0

    studies.answer = work
    out = call(TOY, "-m", "seed=0,1").out
    assert "2 runs:" in out and "accuracy over 2 seeds: median" in out
    assert "seeds" not in call(TOY, "seed=0").out


def test_a_full_disk_is_said_in_one_line_wherever_it_was_met(call: Call, studies: Studies) -> None:
    def full() -> int:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "journal.jsonl")
        except OSError as error:
            raise RuntimeError("an actor died") from error

    studies.answer = full
    outcome = call(TOY, "run.dir=here")
    assert outcome.code == 1
    assert outcome.err == (
        "error: No space left on device: journal.jsonl; make room, then go on with resume=<run directory>\n"
    )


def test_an_internal_error_shows_its_traceback(call: Call, studies: Studies) -> None:
    def fail() -> int:
        raise RuntimeError("broken")

    studies.answer = fail
    outcome = call(TOY)
    assert outcome.code == 1
    assert "Traceback" in outcome.err and "RuntimeError: broken" in outcome.err


def test_what_a_study_refuses_leaves_nothing_behind(call: Call, studies: Studies, tmp_path: Path) -> None:
    def refuse() -> int:
        raise ConfigurationError("tracking.uri", "a server that answers", "http://nowhere")

    studies.answer = refuse
    outcome = call(TOY, "run.dir=a/b")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exists", [False, True])
def test_an_empty_journal_is_no_run_either(
    exists: bool, call: Call, studies: Studies, tmp_path: Path
) -> None:
    """A study opens its journal before it is told that there is no room for it."""
    if exists:
        (tmp_path / "a").mkdir()

    def refuse() -> int:
        Journal(RunDirectory(studies.runs[-1][1]).journal).close()
        raise ConfigurationError("search.concurrency", "at most 2", 3)

    studies.answer = refuse
    assert call(TOY, "run.dir=a").code == 2
    assert [path.name for path in tmp_path.rglob("*")] == (["a"] if exists else [])


def test_a_run_whose_journal_has_begun_is_kept(call: Call, studies: Studies, tmp_path: Path) -> None:
    def refuse() -> int:
        with Journal(RunDirectory(studies.runs[-1][1]).journal) as journal:
            journal.append({"event": "start"})
        raise ConfigurationError("cluster.address", "a Ray", "none")

    studies.answer = refuse
    assert call(TOY, "run.dir=a").code == 2
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"config.yaml", "journal.jsonl"}


def test_a_directory_with_a_run_is_not_used_again(call: Call, studies: Studies) -> None:
    assert call(TOY, "run.dir=here").code == 0
    outcome = call(TOY, "run.dir=here")
    assert outcome.code == 2
    assert (
        "run.dir: expected a directory without a run, got 'here' "
        "(to go on with it: python -m orchestrator resume=/" in outcome.err
    )
    assert len(studies.runs) == 1


def test_resumes_with_the_runs_own_configuration(call: Call, studies: Studies, tmp_path: Path) -> None:
    assert call(TOY, "seed=3", "population.generations=7", "run.dir=here", "cluster.cpus=2").code == 0
    kept = (tmp_path / "here" / "config.yaml").read_bytes()
    (tmp_path / "here").rename(tmp_path / "moved")
    outcome = call("resume=moved", "tracking.uri=null", "cluster=ray", "cluster.address=auto")
    assert outcome.code == 0, outcome.err
    config, run_dir, resume = studies.runs[1]
    assert (run_dir, resume) == (tmp_path / "moved", True)
    assert (config["seed"], config["population"]["generations"]) == (3, 7)
    assert config["tracking"] == {
        "uri": None,
        "experiment": None,
        "required": True,
        "tensorboard": False,
        "terminal": True,
    }
    assert (config["cluster"]["address"], config["cluster"]["cpus"]) == ("auto", None)
    assert (tmp_path / "moved" / "config.yaml").read_bytes() == kept


@pytest.mark.parametrize("other", ["seed=4", TOY, "population.size=9", "run.dir=x"])
def test_a_resumed_run_computes_what_it_was_to_compute(other: str, call: Call, studies: Studies) -> None:
    call(TOY, "run.dir=here")
    outcome = call("resume=here", other)
    assert outcome.code == 2
    assert (
        f"only cluster.* and tracking.* and population.generations besides it, got {other!r}" in outcome.err
    )


def test_a_damaged_run_is_not_resumed(call: Call, tmp_path: Path) -> None:
    call(TOY, "run.dir=here")
    (tmp_path / "here" / "config.yaml").write_text("seed: [\n")
    outcome = call("resume=here")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "resume: expected a run with a valid config.yaml" in outcome.err


def test_every_study_and_choice_that_ships_can_be_assembled(call: Call, studies: Studies) -> None:
    assert call("+study=pbt_digits").code == 0
    exploits, explores = shipped("population/exploit"), shipped("population/explore")
    assert {"truncation", "none"} <= {*exploits} and {"perturb", "none"} <= {*explores}
    sweep = f"population/exploit={','.join(exploits)}", f"population/explore={','.join(explores)}"
    assert call(TOY, "-m", *sweep).code == 0
    assert len(studies.runs) == 1 + len(exploits) * len(explores)
    methods = [assemble_population(config).method for config, _, _ in studies.runs]
    assert all(isinstance(method, Pbt) for method in methods)
    made = {type(method.exploit) for method in methods if isinstance(method, Pbt)}
    assert {one.__name__ for one in made} >= {"Truncation", "BinaryTournament", "TTest", "NoExploit"}
    assert made == {*classes_of("population/exploit").values()}
