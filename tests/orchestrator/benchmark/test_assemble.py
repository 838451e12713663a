"""Which methods meet which tasks, and what is refused before anything is computed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import ClassVar

import pytest

from orchestrator.benchmark.assemble import BenchmarkParts, assemble_benchmark
from orchestrator.benchmark.digest import Digests, definition_of
from orchestrator.benchmark.records import CellKey
from orchestrator.config.validate import check_values
from orchestrator.optimizers.extras import needs_extra
from orchestrator.optimizers.random import RandomSearch
from search_spaces import ConfigurationError
from tests.conftest import composed

CONF = str(Path(__file__).parent / "conf")
ZDT = ("zdt/instance=1,dimension=2", "zdt/instance=2,dimension=2")
NO_METHODS = [f"~benchmark.methods.{name}" for name in ("random", "tpe", "hyperband")]
NO_SUITES = ["~benchmark.suites.zdt", "~benchmark.suites.steps"]
HERE = "tests.orchestrator.benchmark.test_assemble"


class NeedsMore(RandomSearch):
    """Has an extra that nobody has installed."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # only passed on
        with needs_extra("more", "NeedsMore"):
            importlib.import_module("no_such_package")


class Planned(RandomSearch):
    """Remembers its plans."""

    made: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, *arguments: object, n_trials: int = 0, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # only passed on
        self.made.append((n_trials, self.seed))


def assembled(*overrides: str) -> BenchmarkParts:
    config = composed("--config-dir", CONF, "+study=tiny", *overrides)
    check_values(config)
    return assemble_benchmark(config)


def digests(*overrides: str) -> dict[CellKey, str]:
    config = composed("--config-dir", CONF, "+study=tiny", *overrides)
    parts = assemble_benchmark(config)
    found = Digests(config["benchmark"], parts.tasks)
    return {key: found.of(key) for key in parts.cells}


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("+benchmark.suites.steps.workload.pause=0.5", False),
        ("benchmark.suites.steps.multi_fidelity=false", False),
        ("benchmark.suites.steps.search_space.parameters.x.high=2.0", False),
        ("+benchmark.suites.steps.objectives=[{name: loss, bound: 3.0}]", False),
        ("benchmark.suites.steps.evaluations=7", True),
    ],
)
def test_a_tasks_definition_is_what_its_name_and_its_facts_do_not_say(override: str, same: bool) -> None:
    before, after = (
        composed("--config-dir", CONF, "+study=tiny", *overrides)["benchmark"]["suites"]["steps"]
        for overrides in ((), (override,))
    )
    assert (definition_of(before) == definition_of(after)) == same


def test_every_method_meets_the_tasks_that_it_can_serve() -> None:
    parts = assembled()
    assert list(parts.tasks) == [*ZDT, "steps"]
    assert list(parts.methods) == ["random", "tpe", "hyperband"]
    assert parts.pairings == (
        *((task, method) for task in ZDT for method in ("random", "tpe")),
        *(("steps", method) for method in ("random", "tpe", "hyperband")),
    )
    assert [(one.task, one.method) for one in parts.left_out] == [(task, "hyperband") for task in ZDT]
    assert parts.left_out[0].reason == "it chooses fidelities, and the task has one"


@pytest.mark.parametrize(
    ("method", "left", "reason"),
    [
        ("optuna_gp", (), ""),
        ("smac_hpo", ZDT, "expected 1 objective for SmacHpo, got ['f1', 'f2']"),
        ("smac_parego", ("steps",), "expected at least 2 objectives for SmacParego, got ['loss']"),
    ],
)
def test_who_cannot_serve_a_task_is_left_out_with_the_reason(
    method: str, left: tuple[str, ...], reason: str
) -> None:
    parts = assembled(f"+optimizer@benchmark.methods.other={method}")
    found = {one.task: one.reason for one in parts.left_out if one.method == "other"}
    if reason:
        assert found == dict.fromkeys(left, reason)
    else:
        assert found == {}
        assert {task for task, served in parts.pairings if served == "other"} == set(parts.tasks)


@pytest.mark.parametrize(
    ("method", "task", "reason"),
    [
        (
            "{_target_: orchestrator.optimizers.nevergrad.Nevergrad, algorithm: Cobyla}",
            ZDT[0],
            "expected 1 objective for Nevergrad's Cobyla, got ['f1', 'f2']",
        ),
        *(
            (
                f"{{_target_: orchestrator.optimizers.{name}, sampler: {{_partial_: true,"
                " _target_: orchestrator.optimizers.optuna.OptunaCmaEs}}",
                "steps",
                "expected one that can handle categorical parameters (c), got 'OptunaCmaEs'",
            )
            for name in ("asha.Asha", "hyperband.Hyperband")
        ),
    ],
)
def test_a_refusal_from_within_a_method_leaves_it_out_too(method: str, task: str, reason: str) -> None:
    categories = "+benchmark.suites.steps.search_space.parameters.c={type: categorical, choices: [p, q]}"
    parts = assembled(f"+benchmark.methods.other={method}", categories)
    assert {one.task: one.reason for one in parts.left_out if one.method == "other"}[task] == reason


def test_cells_come_seed_by_seed_and_start_at_the_studys_seed() -> None:
    parts = assembled("seed=7", "benchmark.seeds=3")
    cells = list(parts.cells)
    assert [key.seed for key in cells] == [7] * 7 + [8] * 7 + [9] * 7
    assert [(key.task, key.method) for key in cells[7:14]] == list(parts.pairings)


def test_optimizers_that_plan_are_told_the_tasks_budget_and_the_cells_seed() -> None:
    definition = f"{{_target_: {HERE}.Planned, n_trials: 1000}}"
    parts = assembled(f"+benchmark.methods.planned={definition}")
    Planned.made.clear()
    parts.methods["planned"].make(parts.tasks["steps"], 3)
    assert Planned.made == [(6, 3)]


def test_a_method_that_chooses_fidelities_gets_the_tasks_range() -> None:
    parts = assembled()
    task = parts.tasks["steps"]
    assert parts.methods["hyperband"].make(task, 0).fidelity == task.workload.fidelity
    assert parts.methods["random"].make(task, 0).fidelity is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (NO_METHODS, "benchmark.methods: expected at least one method, got nothing"),
        (NO_SUITES, "benchmark.suites: expected at least one suite, got nothing"),
        (["benchmark.seeds=0"], "benchmark.seeds: expected an integer of at least 1, got 0"),
        (["benchmark.workers=0"], "benchmark.workers: expected an integer of at least 1, got 0"),
        (["benchmark.time_limit=0"], "benchmark.time_limit: expected a number above 0, or null, got 0"),
        (["benchmark.block_seconds=0"], "benchmark.block_seconds: expected a number above 0, got 0"),
        (["+benchmark.methods.x=3"], "benchmark.methods.x: expected an optimizer, got 3"),
        (["+benchmark.methods.x={}"], "benchmark.methods.x: expected an optimizer, got nothing"),
        (["+benchmark.methods={a/b: {}}"], "benchmark.methods: expected letters, digits"),
        (
            ["benchmark.methods.tpe._target_=builtins.dict"],
            "benchmark.methods.tpe._target_: expected a class of optimizers",
        ),
        (
            ["benchmark.methods.tpe._target_=orchestrator.no.such"],
            "benchmark.methods.tpe._target_: expected the dotted name",
        ),
        (
            ["+benchmark.methods.hyperband.trials=3"],
            "benchmark.methods.hyperband.trials: expected an argument of SmacHyperband",
        ),
        (
            ["+optimizer@benchmark.methods.x=nevergrad_de", "benchmark.methods.x.num_workers=many"],
            "benchmark.methods.x.num_workers: expected an integer or null, got 'many'",
        ),
        (
            ["+benchmark.methods.tpe.startup=3"],
            "benchmark.methods.tpe: expected options of Optuna's sampler",
        ),
        (
            ["+optimizer@benchmark.methods.x=asha_tpe", "+benchmark.methods.x.sampler.startup=3"],
            "benchmark.methods.x.sampler",
        ),
        (
            [f"+benchmark.methods.x={{_target_: {HERE}.NeedsMore}}"],
            "benchmark.methods.x: expected the packages of the extra 'more', which NeedsMore needs",
        ),
        (
            ["~benchmark.methods.random", "~benchmark.methods.tpe", "~benchmark.suites.steps"],
            "benchmark.methods: expected a method that can serve a task, got ['hyperband'] "
            "(hyperband cannot serve zdt/instance=1,dimension=2: it chooses fidelities",
        ),
        (
            ["benchmark.suites.zdt.instances.instance=[9]"],
            "benchmark.suites.zdt.instances.instance: expected",
        ),
        (
            ["benchmark.tasks=[steps,stepz]"],
            "benchmark.tasks: expected names of the 3 tasks of benchmark.suites, got 'stepz' (did you mean",
        ),
        (["benchmark.tasks=[]"], "benchmark.tasks: expected at least one task, or null for all, got []"),
        (["benchmark.suites.zdt.evaluations=0"], "benchmark.suites.zdt.evaluations: expected at least 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_study_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        assembled(*overrides)
    assert str(refused.value).startswith(message)


def test_a_study_of_some_of_the_tasks_has_them_in_the_suites_order() -> None:
    assert list(assembled(f"benchmark.tasks=[steps,'{ZDT[1]}']").tasks) == [ZDT[1], "steps"]


def test_one_method_or_task_is_a_study() -> None:
    alone = assembled("~benchmark.methods.tpe", "~benchmark.methods.hyperband", "~benchmark.suites.steps")
    assert len(alone.pairings) == 2


def test_a_cell_is_known_by_all_that_it_computes_from_and_by_nothing_else() -> None:
    before = digests()
    assert len(set(before.values())) == 7
    same = digests("benchmark.seeds=3", "+optimizer@benchmark.methods.sobol=sobol", "cluster.cpus=1")
    assert {key: same[key] for key in before} == before

    def changed(*overrides: str) -> set[tuple[str, str]]:
        after = digests(*overrides)
        return {(key.task, key.method) for key in before if after[key] != before[key]}

    everything = {(key.task, key.method) for key in before}
    of_tpe = {pairing for pairing in everything if pairing[1] == "tpe"}
    of_zdt = {pairing for pairing in everything if pairing[0] in ZDT}
    assert changed("benchmark.methods.tpe.n_startup_trials=3") == of_tpe
    assert changed("benchmark.suites.zdt.evaluations=7") == of_zdt
    assert changed("benchmark.suites.steps.workload.steps=8") == everything - of_zdt
    assert changed("benchmark.suites.steps.search_space.parameters.x.high=2") == everything - of_zdt
    assert changed("benchmark.workers=2") == everything
    assert changed("benchmark.time_limit=9") == everything


def test_stored_cells_stay_what_they_are_wherever_the_programs_modules_are() -> None:
    """The digests of two earlier packages' targets: to be changed only together with ``FORMAT``."""
    config = composed("+study=carps_small", "benchmark.task_seeds=false")
    tasks = assemble_benchmark(config).tasks
    digest = Digests(config["benchmark"], tasks).of(
        CellKey("bbob/function=1,dimension=2,instance=1", "cma", 1)
    )
    assert digest == "2a085391e3fa9851dd9fbeaf"
    assert definition_of(config["benchmark"]["suites"]["digits"]) == "9d7bd8f7800ed27a08433ee5"
