"""The training loop that the README shows, in a study of each kind: all that is real but Ray."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.benchmark.assemble import assemble_benchmark
from orchestrator.benchmark.runner import CellRunner
from orchestrator.config.workload import assemble_workload
from orchestrator.population.evolution import Evolution
from orchestrator.population.in_process import evolve
from orchestrator.population.island.island import Island
from orchestrator.population.methods.pbt import Pbt
from orchestrator.population.rules import Truncation
from orchestrator.population.rules.explore import Perturb
from orchestrator.run.directory import RunDirectory
from orchestrator.run.journal import read_journal
from search_spaces import build_space
from tests.conftest import composed
from tests.orchestrator.studies.in_process import search_in_process
from tests.orchestrator.test_readme import block
from workloads import Device

pytestmark = pytest.mark.usefixtures("undrawn")

BENCHMARK = """
# @package _global_
defaults:
  - /optimizer@benchmark.methods.asha: asha_random
  - /population@benchmark.methods.pbt: pbt
  - /workload@benchmark.suites.own.workload: {name}
study: {{name: comparison, kind: benchmark, description: ""}}
benchmark:
  suites:
    own: {{multi_fidelity: true, evaluations: 3}}
  seeds: 1
"""


@pytest.fixture(params=["my_loop", "my_cnn"])
def own(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The name of a workload that the README shows, and the folder of configurations that it lies in."""
    name, conf = str(request.param), tmp_path / "conf"
    for group in ("workload", "study"):
        (conf / group).mkdir(parents=True)
    (tmp_path / f"{name}.py").write_text(block("python", MARKS[name][0]))
    (conf / "workload" / f"{name}.yaml").write_text(block("yaml", MARKS[name][1]))
    (conf / "study" / "comparison.yaml").write_text(BENCHMARK.format(name=name).lstrip())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield name, str(conf)


MARKS = {
    "my_loop": ("nn.Tanh()", "workloads.loop.Loop", "largest"),
    "my_cnn": ("def build(config)", "workloads.torch.loop.TorchLoop", "epochs"),
}
"""What tells a workload's code and its configuration in the README from others; its key for less training."""


def test_a_population_of_the_readmes_loop_improves(own: tuple[str, str]) -> None:
    name, conf = own
    config = composed("--config-dir", conf, "+study=pbt", f"workload={name}", "cluster=local")
    space = build_space(config["search_space"])
    workload = assemble_workload(config, space)
    method = Pbt(Truncation(0.25), Perturb())
    evolution = Evolution(space, workload.objectives, method, size=4, generations=4, seed=0)
    state = evolve(evolution, Island(workload, 2, 0, Device()), synchronous=True)
    assert state is not None and state["age"] > 0
    (objective,) = workload.objectives
    best = min if objective.direction == "min" else max
    first, last = (best(life[n].metrics[objective.name] for life in evolution.lives) for n in (0, 3))
    assert best(first, last) == last != first


def test_a_search_of_the_readmes_loop_stops_trials_early(own: tuple[str, str], tmp_path: Path) -> None:
    name, conf = own
    more = (f"workload={name}", "search/stopping=asha", "search.trials=6", "search.concurrency=1")
    more = (*more, f"workload.{MARKS[name][2]}=9")
    assert search_in_process(tmp_path / "run", "--config-dir", conf, *more, study="search") == 0
    events: list[Any] = list(read_journal(RunDirectory(tmp_path / "run").journal))
    ended = [event["fidelity"] for event in events if event["event"] == "ended"]
    assert len(ended) == 6 and min(ended) < max(ended) == 9


def test_a_benchmark_compares_methods_on_the_readmes_loop(own: tuple[str, str]) -> None:
    short = f"benchmark.suites.own.workload.{MARKS[own[0]][2]}=9"
    config: dict[str, Any] = composed("--config-dir", own[1], "+study=comparison", short)
    runner = CellRunner(config)
    for key in assemble_benchmark(config).cells:
        result = runner.compute(key)
        assert result.status == "finished", result.reason
