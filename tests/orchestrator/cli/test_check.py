"""`check` tries a study's workload and runs nothing; each usual mistake is refused in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.verbs.init import LIBRARIES
from tests.conftest import shipped
from tests.orchestrator.cli.conftest import Call, Studies
from tests.orchestrator.cli.test_bad_input import refused
from tests.orchestrator.cli.test_libraries import installed
from tests.workloads.torch.packed.cases import write_text

SHIPPED = shipped("study")

WITH_EXTRA = {study: kind for kind, (study, _) in LIBRARIES.items()}
"""Studies of other libraries, which may not be installed."""


@pytest.mark.parametrize("study", SHIPPED)
def test_every_study_that_ships_passes(
    study: str, call: Call, studies: Studies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSHAKESPEARE_DIR", str(write_text(tmp_path)))
    monkeypatch.setattr("orchestrator.preflight.session.SECONDS", 500.0)  # a busy machine is no failure
    before = sorted(tmp_path.iterdir())
    outcome = call("check", f"+study={study}", *SMALLER.get(study, ()))
    if study in ("mo_adult", "mopbt_adult", "family_pareto"):  # their data would have to be fetched
        suite = "benchmark.suites.adult." if study == "family_pareto" else ""
        refused(outcome, f"{suite}workload.data_dir: expected ")
    elif study in WITH_EXTRA and not installed(WITH_EXTRA[study]):
        refused(outcome, "workload.function._target_: expected ")
    else:
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith(f"ok: {study} (") and outcome.out.count("\n") == 1
        assert "of training" in outcome.out
    assert studies.runs == [] and sorted(tmp_path.iterdir()) == before


SMALLER = {
    "pbt": ("workload=digits",),
    "search": ("workload=digits",),
    "preference": ("workload=digits",),
    "mo_adult": ("workload.data_dir=nowhere",),
    "mopbt_adult": ("workload.data_dir=nowhere",),
    "family_pareto": ("benchmark.suites.adult.workload.data_dir=nowhere",),
    # On a busy machine the whole one takes so long that not everything is tried, which check says.
    "pbt_shakespeare": ("workload.context=8", "workload.batch_size=2", "workload.evaluated=4"),
    "preference_losses": (
        "workload.data=null",
        "workload.lists=20",
        "workload.evaluated=4",
        "workload.response=6",
    ),
}


STUDY = """\
# @package _global_
study: {{name: mine, kind: {kind}}}
workload: {{_target_: {target}}}
search_space:
  parameters:
    rate: {{type: float, low: 0.1, high: 1.0, mutable: true}}
population: {{size: 2, generations: 2, interval: 5}}
{more}
"""

CODE = """\
from workloads import Fidelity, Objective


class Mine:
    objectives = (Objective("loss"),)
    fidelity = Fidelity("step", largest=10)

    def __init__(self, space):
        self.space = space

    def start(self, config, seed, device):
        return Session(config)


class Session:
    def __init__(self, config):
        self.rate, self.weight = config["rate"], 1.0

    def advance(self, amount):
        self.weight *= (1 - self.rate / 10) ** amount
        return {"loss": self.weight}

    def configure(self, config):
        self.rate = config["rate"]

    def state(self):
        return {"weight": self.weight}

    def load(self, state):
        self.weight = state["weight"]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the working directory that nobody has imported yet."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "checked_workload"
    yield name
    sys.modules.pop(name, None)


def write(
    tmp_path: Path, module: str, code: str, kind: str = "population", more: str = ""
) -> tuple[str, ...]:
    (tmp_path / f"{module}.py").write_text(code)
    (tmp_path / "study").mkdir()
    text = STUDY.format(kind=kind, target=f"{module}.Mine", more=more)
    (tmp_path / "study" / "mine.yaml").write_text(text)
    return "--config-dir", ".", "+study=mine"


RANDOM = "optimizer: {_target_: orchestrator.optimizers.random.RandomSearch}"


@pytest.mark.parametrize(("kind", "more"), [("population", ""), ("search", RANDOM)])
def test_a_users_study_passes(kind: str, more: str, call: Call, module: str, tmp_path: Path) -> None:
    outcome = call("check", *write(tmp_path, module, CODE, kind, more))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"ok: mine ({kind}): configuration; Mine (1 step of training, metrics loss")


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ("def load(self, state)", "def lod(self, state)", ["a method load(state), got nothing", "'lod'?"]),
        ('return {"loss": self.weight}', "pass", ["mapping of metrics by name, got None"]),
        ('return {"loss": self.weight}', 'return {"loss": None}', ["metric 'loss' to be a number, got None"]),
        ('return {"loss": self.weight}', 'return {"loss": "low"}', ["to be a number, got 'low'"]),
        ('return {"loss": self.weight}', 'return {"loss": [1, 2]}', ["to be a number, got [1, 2]"]),
        ('{"loss": self.weight}', '{"los": self.weight}', ["'loss' among the metrics", "got ['los']"]),
        ('weight = config["rate"]', 'weight = config["lr"]', ["KeyError: 'lr' at"]),
        ('{"weight": self.weight}', '{"weight": self}', ["a state that can be saved", "state.weight"]),
        ("def advance(self, amount)", "def advance(self)", ["a method advance(amount) of Session"]),
        ("def start(self, config, seed, device)", "def start(self, config)", ["start(config, seed, device)"]),
        ("def state(self):", "def state(self)", ["checked_workload.py:26: SyntaxError: expected ':'"]),
        ("class Session:", "class Session(Missing):", ["checked_workload.py:15: NameError"]),
        ("from workloads import", "from workload import", ["checked_workload.py:1: ModuleNotFoundError"]),
        ("largest=10", "largest=9", ["population.generations: expected at most 1, since full training is 9"]),
        ("largest=10", "largest=4", ["population.interval: expected at most 4"]),
        ("largest=10", "smallest=6, largest=12", ["population.interval: expected at least 6 steps"]),
    ],
)  # fmt: skip
def test_mistakes_are_refused_in_one_line(
    before: str, after: str, parts: list[str], call: Call, module: str, tmp_path: Path
) -> None:
    assert before in CODE
    refused(call("check", *write(tmp_path, module, CODE.replace(before, after))), *parts)


def test_what_only_this_process_calls_main_is_refused(call: Call, module: str, tmp_path: Path) -> None:
    arguments = write(tmp_path, module, CODE)
    outcome = call("check", *arguments, "workload._target_=__main__.Mine")
    refused(outcome, "workload._target_: expected a module that workers can import, got '__main__.Mine'")


def test_a_workload_that_is_not_to_be_tried_is_not(call: Call, module: str, tmp_path: Path) -> None:
    arguments = write(tmp_path, module, CODE.replace("self.weight *=", "self.absent *="))
    assert call("check", *arguments).code == 2
    outcome = call("check", *arguments, "preflight=false")
    assert (outcome.code, outcome.out) == (0, "ok: mine (population): configuration; no workload tried\n")


@pytest.mark.parametrize("folder", ["studies", "."])
def test_workloads_are_found_beside_the_studies_and_among_them(
    folder: str, call: Call, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "studies").mkdir(parents=True)
    write(home / "studies", module, CODE)
    (home / "studies" / f"{module}.py").rename(home / folder / f"{module}.py")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    outcome = call("check", "--config-dir", "home/studies", "+study=mine")
    assert (outcome.code, outcome.err) == (0, "")
