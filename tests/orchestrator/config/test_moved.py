"""Names of earlier versions."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from orchestrator.config.moved import MOVED, original, present, renamed, serve_old_names


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_what_has_moved_is_where_it_is_said_to_be(old: str, new: str) -> None:
    importlib.import_module(new)
    assert present(old) == new and present(f"{old}.Name") == f"{new}.Name"
    assert present(f"{new}.Name") is None


def test_names_that_only_begin_alike_stay() -> None:
    assert present("workloads.digitsomething.Name") is None
    assert present("workloads.function.Function") is None


def test_targets_at_any_depth_are_renamed_and_nothing_else() -> None:
    kept = {"a": [{"_target_": "workloads.digits.Digits", "text": "workloads.digits.Digits"}], "_target_": 3}
    new = {
        "a": [{"_target_": "workloads.library.digits.Digits", "text": "workloads.digits.Digits"}],
        "_target_": 3,
    }
    assert renamed(kept) == new


def test_users_code_imports_old_names_and_gets_the_present_modules() -> None:
    code = """
import orchestrator.cli.program
from orchestrator.search.optimizers.random import RandomSearch
from orchestrator.search.optimizer import Optimizer
import workloads.base
import orchestrator.optimizers.random, orchestrator.optimizers.base, workloads.contract
assert RandomSearch is orchestrator.optimizers.random.RandomSearch
assert Optimizer is orchestrator.optimizers.base.Optimizer
assert workloads.base is workloads.contract
from workloads.contract import BlockWorkload
import workloads.capabilities
assert BlockWorkload is workloads.capabilities.BlockWorkload
assert workloads.contract.__name__ == workloads.contract.__spec__.name == "workloads.contract"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_old_name_of_what_is_gone_is_not_found() -> None:
    serve_old_names()
    with pytest.raises(ModuleNotFoundError, match=r"workloads\.digits\.nothing"):
        importlib.import_module("workloads.digits.nothing")


def test_former_names_are_those_that_present_ones_were_renamed_from() -> None:
    kept = {
        "a": [{"_target_": "workloads.digits.Digits"}],
        "_target_": "orchestrator.search.optimizers.random.R",
    }
    assert renamed(kept) != kept and original(renamed(kept)) == kept
    own = {"_target_": "my_package.Workload", "b": "workloads.library.digits"}
    assert original(own) == own
