"""Whatever a user gets wrong is refused with one line that names the key, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import shipped
from tests.orchestrator.cli.conftest import Call, Outcome, Studies

TOY = "+study=pbt_toy"
SMALL = "+study=carps_small"
DIGITS = "+study=pbt_digits"
SEARCH = "+study=search_digits"


def one_of(group: str) -> str:
    """How a choice that a group does not have is refused."""
    return f"{group}: expected one of {', '.join(shipped(group))}, got "


def refused(outcome: Outcome, *parts: str) -> None:
    """Exit code 2 and one line with all ``parts``; neither a traceback nor anything in the directory."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    for part in parts:
        assert part in outcome.err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        # which study
        (["+study=nope"], [one_of("study"), "got 'nope'"]),
        (["+study=pbt_toi"], ["did you mean 'pbt_toy'?"]),
        (["study=pbt_toy"], ["study: expected +study=<name>"]),
        (["seed=3"], [one_of("study"), "got nothing", "+study="]),
        ([TOY, "+study=pbt_digits"], ["study: expected one choice"]),
        (["+study=search"], [one_of("workload"), "got nothing", "workload=<name>"]),
        (["+study=pbt"], [one_of("workload"), "got nothing", "workload=<name>"]),
        (
            ["+study=search", "workload=prompts"],
            ["workload: expected one with objectives in a search study, got 'Prompts'", "+study=preference"],
        ),
        (
            ["+study=carps_small", "+workload@benchmark.suites.more.workload=prompts"],
            ["benchmark.suites.more.workload: expected one with objectives, got 'Prompts'"],
        ),
        # a workload's own search space
        (
            ["+study=search", "workload=digits", "workload.space.parameters.width.low=0"],
            ["workload.space.parameters.width.low: expected at least 1"],
        ),
        (
            ["+study=pbt", "workload=digits", "workload.space=null"],
            [one_of("search_space"), "got nothing", "workload.space"],
        ),
        # unknown keys and choices
        ([TOY, "population.sizes=3"], ["population.sizes: expected one of size, ", "did you mean 'size'?"]),
        ([TOY, "+population.sizes=3"], ["population.sizes: expected one of size, ", "did you mean 'size'?"]),
        ([TOY, "seeed=3"], ["seeed: expected one of ", "did you mean 'seed'?"]),
        ([TOY, "++other.key=3"], ["other: expected one of study, seed, "]),
        ([TOY, "population=other"], [one_of("population"), "got 'other'"]),
        ([TOY, "population/exploit=truncate"], ["population/exploit: expected one of ", "'truncation'"]),
        ([TOY, "workload=other"], [one_of("workload"), "got 'other'"]),
        ([TOY, "workload=[1]"], ["workload: expected one of ", "got '[1]'"]),
        ([TOY, "tracking=null"], ["tracking: expected one of mlflow, none, got 'null'"]),
        ([TOY, "hydra.run.dir=x"], ["hydra.run.dir: expected no settings of Hydra"]),
        # the grammar
        ([TOY, "seed"], ["command line: expected key=value", "got 'seed'"]),
        ([TOY, "population.initial=[1"], ["command line: expected key=value"]),
        ([TOY, "=3"], ["command line: expected key=value, got '=3'"]),
        ([TOY, "seed=1,2"], ["seed: expected one value, got '1,2'", "add -m"]),
        ([TOY, "-m", "seed=interval(1,2)"], ["seed: expected a list of values or range(...)"]),
        ([TOY, "+seed=3"], ["seed: expected no + before a key that exists"]),
        ([TOY, "~seed"], ["seed: expected a value, since it cannot be removed, got '~seed'"]),
        ([TOY, "seed=${nowhere}"], ["seed: expected a value that resolves", "nowhere"]),
        ([TOY, "repair=${no_such:1}"], ["repair: expected a value that resolves", "no_such"]),
        ([TOY, "resume=${no_such:1}"], ["resume: expected a value that resolves", "no_such"]),
        # types
        ([TOY, "population.size=many"], ["population.size: expected an integer, got 'many'"]),
        ([TOY, "population.size=2.5"], ["population.size: expected an integer, got 2.5"]),
        ([TOY, "population.size=null"], ["population.size: expected an integer, got None"]),
        ([TOY, "population.synchronous=often"], ["population.synchronous: expected true or false"]),
        ([TOY, "population.initial=3"], ["population.initial: expected a list, got 3"]),
        ([TOY, "population.initial=[3]"], ["population.initial: expected a list, got '[3]'"]),
        ([TOY, "cluster.cpus_per_island=x"], ["cluster.cpus_per_island: expected a number, got 'x'"]),
        ([TOY, "study.kind=x"], ["study.kind: expected one of population, "]),
        ([TOY, "run.dir={a: 1}"], ["run.dir: expected a text or null"]),
        # what a search begins with, and its budgets
        *(
            ([SEARCH, f"search.{key}={value}"], [f"search.{key}: expected {expected}, got {got}"])
            for key, value, expected, got in [
                ("initial", "3", "a list", "3"),
                ("from", "runs/x", "a list", "'runs/x'"),
                ("seconds", "soon", "a number or null", "'soon'"),
                ("seconds", "0", "a number above 0, or null", "0.0"),
                ("fidelity_units", "0", "an integer of at least 1, or null", "0"),
                ("patience", "0", "an integer of at least 1, or null", "0"),
                ("retries", "-1", "an integer of at least 0, or null", "-1"),
                ("repeats", "0", "an integer of at least 1", "0"),
                ("repeats", "null", "an integer", "None"),
                ("finalists", "-1", "an integer of at least 0", "-1"),
                ("finalist_seeds", "0", "an integer of at least 1", "0"),
                ("checkpoint_seconds", "0", "a number above 0, or null", "0.0"),
                ("checkpoint_seconds", "often", "a number or null", "'often'"),
                ("trials", "null", "an integer", "None"),
                ("overdue", "ignore", "one of stop, fail", "'ignore'"),
                ("target", "low", "a finite number", "'low'"),
                ("target", "true", "a finite number", "True"),
                ("target", "{losss: 1}", "one of the objectives 'validation_error'", "'losss'"),
            ]
        ),
        (
            [SEARCH, "search.workers=2", "search.memory_limit=500"],
            ["search.memory_limit: expected null where search.workers is above 1 (2), got 500"],
        ),
        ([SEARCH, "search.from=['']"], ["search.from: expected run directories, Optuna storages or tables"]),
        ([SEARCH, "search.initial=[{width: 1}]"], ["search.initial[0].width: expected an integer in ["]),
        ([SEARCH, "search.initial=[best]"], ["search.initial[0]: expected values by parameter, or default"]),
        (
            [SEARCH, "search.trials=1", "search.initial=[default,default]"],
            ["search.initial: expected at most search.trials = 1 configurations, got 2"],
        ),
        # missing values
        ([TOY, "cluster=ray"], ["cluster.address: expected ", "got nothing", "add cluster.address="]),
        ([TOY, "+workload.more=???"], ["workload.more: expected a value, got nothing"]),
        # values
        ([TOY, "study.name=a/b"], ["study.name: expected letters, digits", "got 'a/b'"]),
        ([TOY, "seed=-1"], ["seed: expected an integer of at least 0, got -1"]),
        ([TOY, "population.size=1"], ["population.size: expected an integer of at least 2, got 1"]),
        ([TOY, "population.generations=0"], ["population.generations: expected an integer of at least 1"]),
        ([TOY, "population.interval=0"], ["population.interval: expected an integer of at least 1"]),
        ([TOY, "population.snapshot_interval=0"], ["population.snapshot_interval: expected an integer"]),
        ([TOY, "population.keep_snapshots=0"], ["population.keep_snapshots: expected an integer"]),
        (
            [TOY, "population.memory_limit=0"],
            ["population.memory_limit: expected a number above 0, or null, got 0"],
        ),
        ([TOY, "population.initial=[{},{},{}]"], ["population.initial: expected at most population.size"]),
        ([TOY, "cluster.workers=2"], ["cluster.workers: expected min..max, such as 2..8, or null, got "]),
        ([TOY, "cluster.workers=8..2"], ["cluster.workers: expected min..max", "got '8..2'"]),
        ([TOY, "cluster.workers='３..９'"], ["cluster.workers: expected min..max", "got '３..９'"]),
        (
            [TOY, "cluster.workers=1..2", "cluster.islands=2"],
            ["cluster.workers: expected null where cluster.islands is set (2), got '1..2'"],
        ),
        ([TOY, "cluster.workers=3..9"], ["cluster.workers: expected at least 1 and at most 2 to begin with"]),
        ([TOY, "cluster.islands=3"], ["cluster.islands: expected at most population.size = 2, got 3"]),
        ([TOY, "cluster.islands=0"], ["cluster.islands: expected an integer of at least 1, or null, got 0"]),
        ([TOY, "cluster.cpus_per_island=0"], ["cluster.cpus_per_island: expected a number above 0"]),
        ([TOY, "cluster.cpus_per_island=nan"], ["cluster.cpus_per_island: expected a number above 0"]),
        ([TOY, "cluster.gpus_per_island=-1"], ["cluster.gpus_per_island: expected a number of at least 0"]),
        (
            [TOY, "cluster.gpus_per_island=1.5"],
            ["cluster.gpus_per_island: expected at most 1", "got 1.5", "cluster.islands"],
        ),
        ([TOY, "cluster.gpus_per_island=2"], ["cluster.gpus_per_island: expected at most 1", "got 2.0"]),
        (
            ["+study=search_digits", "cluster.gpus_per_trial=2"],
            ["cluster.gpus_per_trial: expected at most 1", "got 2.0", "search.workers=<GPUs>"],
        ),
        (
            ["+study=search_digits", "search.workers=2", "cluster.gpus_per_trial=2"],
            ["cluster.gpus_per_trial: expected at most 1"],
        ),
        (
            ["+study=search_digits", "search.workers=2", "cluster.gpus_per_trial=0.5"],
            ["cluster.gpus_per_trial: expected 0 or 1 where search.workers is above 1", "got 0.5", "NCCL"],
        ),
        # members that several processes train
        ([TOY, "population.workers=0"], ["population.workers: expected an integer of at least 1, got 0"]),
        (
            [TOY, "population.workers=2"],
            [
                "population.workers: expected 1, since PbtToy cannot be trained by several",
                "torch",
                "start_worker",
            ],
        ),
        (
            [DIGITS, "population.workers=100"],
            ["workload.batch_size: expected at least 100, one row for each worker, got 64"],
        ),
        (
            ["+study=search_digits", "search.workers=100"],
            ["workload.batch_size: expected at least 100, one row for each worker, got 64"],
        ),
        (
            [DIGITS, "population.workers=2", "cluster.gpus_per_island=0.5"],
            ["cluster.gpus_per_island: expected 0 or 1 where population.workers is above 1 (2)", "NCCL"],
        ),
        (
            [DIGITS, "population.workers=2", "population.engine=packed"],
            ["population.engine: expected auto or loop where population.workers is above 1", "not packed"],
        ),
        ([SMALL, "cluster.gpus_per_trial=2"], ["cluster.gpus_per_trial: expected at most 1", "got 2.0"]),
        ([TOY, "deterministic=perhaps"], ["deterministic: expected true or false, got 'perhaps'"]),
        (
            [TOY, "deterministic=true", "population.engine=packed"],
            ["population.engine: expected auto or loop where deterministic is true, got 'packed'"],
        ),
        (
            [TOY, "cluster.cpus=1", "cluster.cpus_per_island=2"],
            ["cluster.cpus_per_island: expected at most 1"],
        ),
        ([TOY, "cluster=ray", "cluster.address=auto", "cluster.cpus=1"], ["cluster.cpus: expected null"]),
        (
            [TOY, "cluster.address=nowhere"],
            ["cluster.address: expected 'auto', 'host:port'", "got 'nowhere'"],
        ),
        ([TOY, "tracking.uri=''"], ["tracking.uri: expected a text that is not empty, or null, got ''"]),
        # what the study is made of
        ([TOY, "population.exploit.quantile=0"], ["population.exploit.quantile: expected ", "got 0"]),
        ([TOY, "population.exploit.quantile=0.6"], ["population.exploit.quantile: expected ", "got 0.6"]),
        ([TOY, "population.exploit.quantile=x"], ["population.exploit.quantile: expected a number, got 'x'"]),
        ([TOY, "population.exploit.alpha=0.1"], ["population.exploit.alpha: expected a key that the config"]),
        ([TOY, "+population.exploit.alpha=0.1"], ["population.exploit.alpha: expected an argument of Trunc"]),
        ([TOY, "population.exploit._target_=no.such"], ["population.exploit._target_: expected ", "no.such"]),
        (
            [TOY, "population.exploit._target_=orchestrator.population.rules.Truncate"],
            ["population.exploit._target_: expected a class", "did you mean 'Truncation'?"],
        ),
        (
            [TOY, "population.explore.boundary=bounce"],
            ["population.explore.boundary: expected one of clip, "],
        ),
        (
            [TOY, "+workload.step=3"],
            ["workload.step: expected an argument of PbtToy", "did you mean 'steps'?"],
        ),
        ([TOY, "workload.steps=x"], ["workload.steps: expected an integer, got 'x'"]),
        ([TOY, "workload.space=1"], ["workload.space: expected no change where search_space is chosen"]),
        (
            [TOY, "workload.space.parameters.h0.low=0.1"],
            ["workload.space.parameters.h0.low: expected no change", "change search_space.parameters.h0.low"],
        ),
        (
            [TOY, "allow=[builtins.dict]", "workload._target_=builtins.dict"],
            ["workload._target_: expected something that makes a workload"],
        ),
        (
            [TOY, "workload._target_=builtins.dict"],
            ["workload._target_: expected what this program offers", "add 'allow=[builtins.dict]'"],
        ),
        ([TOY, "allow=[../x]"], ["allow: expected names of packages, modules or objects, got ['../x']"]),
        ([TOY, "run.dir=s3://bucket/run"], ["run.dir: expected a folder, not a URL, got 's3://bucket/run'"]),
        ([TOY, "repair=true"], ["repair: expected resume=<run directory> beside it, got True"]),
        ([TOY, "allow=[{a: 1}, 2]"], ["allow: expected names of packages, modules or objects"]),
        ([TOY, "allow=torch"], ["allow: expected a list, got 'torch'"]),
        (
            [TOY, "-m", "population.size=2,3", "allow=[os]", "workload._target_=orchestrator.__main__.main"],
            ["workload._target_: expected one of this program's workloads, optimizers or rules, got "],
        ),
        # a schedule
        ([TOY, "schedule=no.yaml"], ["schedule: expected a YAML file with a schedule", "got 'no.yaml'"]),
        ([TOY, "schedule=[1]"], ["schedule: expected a YAML file with a schedule", "got [1]"]),
        ([TOY, "schedule={unit: step}"], ["schedule.segments: expected a list of segments", "got nothing"]),
        ([SMALL, "schedule={unit: step}"], ["schedule: expected null in a benchmark study"]),
        # the search space
        ([TOY, "search_space.parameters=null"], ["search_space.parameters: expected "]),
        ([TOY, "search_space.parameters.h0.low=4"], ["search_space.parameters.h0.low: expected ", "got 4"]),
        (
            [TOY, "+search_space.parameters.h0.log=true"],
            ["search_space.parameters.h0.low: expected "],
        ),
        (
            [TOY, "+search_space.parameters.h2={type: float, low: 0, high: 1, mutable: true}"],
            ["search_space.parameters.h2: expected a parameter of the workload", "'h2'"],
        ),
        (
            [TOY, "search_space.parameters.h0.mutable=false", "search_space.parameters.h1.mutable=false"],
            ["search_space.parameters: expected at least one parameter with 'mutable: true'"],
        ),
        ([TOY, "population.initial=[{h0: 3, h1: 0}]"], ["population.initial[0].h0: expected ", "got 3"]),
        # benchmark studies
        (
            [SMALL, "+suite@benchmark.suites.more=bbob2"],
            [one_of("suite"), "got 'bbob2'", "did you mean 'bbob'?"],
        ),
        ([SMALL, "+optimizer@benchmark.methods.more=tpe"], [one_of("optimizer"), "got 'tpe'"]),
        ([SMALL, "benchmark.seeds=0"], ["benchmark.seeds: expected an integer of at least 1, got 0"]),
        ([SMALL, "benchmark.sead=1"], ["benchmark.sead: expected one of methods, suites, tasks, seeds, "]),
        ([SMALL, "benchmark.workers=0"], ["benchmark.workers: expected an integer of at least 1, got 0"]),
        ([SMALL, "+benchmark.methods.more=3"], ["benchmark.methods.more: expected an optimizer, got 3"]),
        (
            [SMALL, "benchmark.suites.bbob.evaluations=0"],
            ["benchmark.suites.bbob.evaluations: expected at least 1", "got 0"],
        ),
        (
            [SMALL, "benchmark.suites.bbob.instances.function=[1,25]"],
            ["benchmark.suites.bbob.instances.function: expected ", "got 25"],
        ),
        (
            [SMALL, "benchmark.suites.bbob.instances.dimension=[0]"],
            ["benchmark.suites.bbob.instances.dimension: expected ", "got 0"],
        ),
        (
            [SMALL, "benchmark.suites.sklearn.instances.dataset=[wines]"],
            ["benchmark.suites.sklearn.instances.dataset: expected ", "got 'wines'"],
        ),
        (
            [SMALL, "benchmark.suites.zdt.multi_fidelity=true"],
            ["benchmark.suites.zdt.multi_fidelity: expected false"],
        ),
        # run directories
        (
            [TOY, "run.dir=/dev/null/x"],
            ["run.dir: expected a directory that can be written, got '/dev/null/x'"],
        ),
        ([TOY, "-m", "run.dir=x", "seed=1,2"], ["run.dir: expected a directory of its own for every run"]),
        (["resume=nope"], ["resume: expected a run directory (with config.yaml), got 'nope'"]),
        # flags
        (["--frobnicate"], ["command line: unrecognized arguments: --frobnicate"]),
        (["--config-dir", "nope"], ["command line: argument --config-dir", "got 'nope'"]),
        (["-m", "--cfg", "job"], ["command line: argument --cfg", "not allowed with argument --multirun"]),
        ([TOY, "--cfg", "job", "seeed=1"], ["seeed: expected one of "]),
    ],
    ids=lambda value: " ".join(value)[:120] if isinstance(value, list) else None,
)
def test_is_refused_in_one_line(
    arguments: list[str], parts: list[str], call: Call, studies: Studies, tmp_path: Path
) -> None:
    refused(call(*arguments), *parts)
    assert studies.runs == []
    assert list(tmp_path.iterdir()) == []


STUDY = """\
# @package _global_
defaults:
  - override /workload: pbt_toy
  - override /search_space: pbt_toy
study: {name: mine, kind: population}
"""


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        (
            "mine",
            STUDY + "population: {size: many}\n",
            ["population.size: expected an integer", "study/mine.yaml"],
        ),
        (
            "mine",
            STUDY + "populations: {}\n",
            ["populations: expected one of ", "did you mean 'population'?"],
        ),
        ("mine", "study: {name: [}\n", ["mine.yaml"]),
        ("mine", "- a\n- b\n", ["error: "]),
        ("pbt_toy", STUDY, ["--config-dir: expected names that are not built in", "study/pbt_toy.yaml"]),
    ],
)
def test_a_wrong_file_is_named(name: str, content: str, parts: list[str], call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine" / "study").mkdir(parents=True)
    (tmp_path / "mine" / "study" / f"{name}.yaml").write_text(content)
    refused(call(f"+study={name}", "--config-dir", "mine"), *parts)


def test_a_file_that_is_not_utf8_is_named_and_files_that_cannot_be_read_are_listed(
    call: Call, tmp_path: Path
) -> None:
    folder = tmp_path / "mine" / "study"
    folder.mkdir(parents=True)
    (folder / "latin.yaml").write_bytes(STUDY.encode() + "# café\n".encode("latin-1"))
    (folder / "folder.yaml").mkdir()
    (folder / "dangling.yaml").symlink_to("nowhere")
    refused(call("+study=latin", "--config-dir", "mine"), "mine/study/latin.yaml: expected a text in UTF-8")
    listed = call("--config-dir", "mine")
    assert listed.code == 0
    assert listed.out.count("(this file is not a valid study)") == 3


@pytest.mark.parametrize("content", [b"", b"- a", b"study: {name: a}", b"\xff\xfe", b"study: [", b"seed: x"])
def test_a_damaged_run_is_refused_in_one_line(content: bytes, call: Call, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "config.yaml").write_bytes(content)
    refused(call("resume=here"), "resume: expected a run with a valid config.yaml")


@pytest.mark.parametrize("key", ["run.dir", "resume"])
def test_a_home_directory_that_is_not_there_is_refused(key: str, call: Call) -> None:
    study = [TOY] if key == "run.dir" else []
    refused(call(*study, f"{key}='~nobody-at-all/x'"), f"{key}: expected ~ or ~user with a home directory")


@pytest.mark.parametrize("before", [True, False])
def test_a_choice_without_override_is_named_with_its_line(before: bool, call: Call, tmp_path: Path) -> None:
    entry, anchor = "  - /optimizer: random\n", "  - override /search_space: pbt_toy\n"
    study = STUDY.replace(anchor, entry + anchor if before else anchor + entry)
    (tmp_path / "mine" / "study").mkdir(parents=True)
    (tmp_path / "mine" / "study" / "mine.yaml").write_text(study)
    place = f"mine/study/mine.yaml, line {4 if before else 5}: "
    parts = [place, "expected the word 'override'", "write - override /optimizer: random"]
    refused(call("+study=mine", "--config-dir", "mine"), *parts)


def test_a_resumed_run_says_that_it_keeps_its_search_space(call: Call) -> None:
    outcome = call("resume=here", "search_space.parameters.h0.low=1")
    refused(outcome, "resume: expected only cluster.* and tracking.* besides it", "start a new one")


def test_one_wrong_run_of_a_sweep_keeps_all_from_starting(call: Call, studies: Studies) -> None:
    refused(call(TOY, "-m", "population.size=2,3,1"), "population.size: expected an integer of at least 2")
    assert studies.runs == []
