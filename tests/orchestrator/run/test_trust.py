"""Configurations of attackers: each names code to run, and none of it is imported or called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.run.resume_command import resume_command
from orchestrator.run.trust import Trust, check_targets, permissions
from search_spaces import ConfigurationError

CONF = Path(__file__).parents[3] / "conf"
OWN = """\
import functools
import os
from os import system
from torch.optim import AdamW
from workloads.library.functions.zdt import Zdt

class Mine: pass
class Callable:
    def __call__(self): pass

def score(config): return 0.0

@functools.wraps(score)
def wrapped(config): return score(config)

bound = functools.partial(score)
bound_system = functools.partial(functools.partial(os.system), "true")
instance = Callable()
shout = print
method = "".join
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's working directory, with a module ``my_code`` in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "my_code.py").write_text(OWN)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("my_code", "evil", "runs", "parts", "mixed", "stolen"):
            del sys.modules[name]


def bomb(path: Path) -> Path:
    """A module that leaves a file behind when it is imported."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"open({str(path.with_suffix('.ran'))!r}, 'w')\nclass Workload: pass\n")
    return path.with_suffix(".ran")


def a_run(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("{}")
    (path / "journal.jsonl").write_text("")
    return path


def refusal(config: dict[str, Any], trust: Trust) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_targets(config, trust)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "posix.system",
        "builtins.eval",
        "builtins.exec",
        "builtins.__import__",
        "subprocess.run",
        "runpy.run_path",
        "pickle.load",
        "importlib.import_module",
        "functools.partial",
        "operator.methodcaller",
        "hydra.utils.get_method",
        "hydra.utils.call",
        "hydra._internal.utils._locate",
        "omegaconf.OmegaConf.register_new_resolver",
        "torch.load",
        "torch.hub.load",
        "numpy.load",
        "pandas.read_pickle",
        "ray.cloudpickle.loads",
        "yaml.unsafe_load",
        "joblib.load",
        "__main__.main",
        # this program, but nothing that it offers
        "orchestrator.__main__.main",
        "orchestrator.cli.program.main",
        "orchestrator.cli.jobs.load",
        "orchestrator.config.targets.instantiate",
        "orchestrator.config.targets.target_of",
        "orchestrator.cli.new_run.start_run",
        "orchestrator.run.results.replacing",
        "workloads.state_files.save_state",
        "workloads.library.tabular.folds.folds_of",
        "search_spaces.definition.build_space",
        "tests.conftest.composed",
        # what its modules reach
        "workloads.function.inspect.os.system",
        "workloads.function.inspect.getsource",
        "workloads.function.Callable",
        "workloads.function.__class__",
        "workloads.function.__loader__.get_data",
        "workloads.library.functions.box.ABC",
        "workloads.library.tabular.folds.datasets",
        "orchestrator.optimizers.random.RandomSearch.ask",
        "orchestrator.search.stopping.ABC",
        "orchestrator.population.rules.dataclass",
        # what the user's modules reach
        "my_code.system",
        "my_code.os.system",
        "my_code.AdamW",
        "my_code.bound_system",
        "my_code.shout",
        "my_code.method",
        "my_code.__class__",
        "my_code.__builtins__",
        "my_code.__loader__",
        "my_code.Mine.__init__",
        # no names
        "",
        "os",
        ".os.system",
        "os..system",
        "os.system ",
        "../evil.f",
        "my_code/evil.f",
        "my_code:system",
        None,
        3,
        ["os.system"],
        {"_target_": "my_code.score"},
    ],
    ids=str,
)
def test_code_of_others_is_neither_imported_nor_made(target: object, folder: Path) -> None:
    message = refusal({"workload": {"_target_": target}}, Trust((folder,)))
    assert message.startswith("workload._target_")


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (
            {"optimizer": {"_target_": "my_code.Mine", "a": {"b": [{"_target_": "os.system"}]}}},
            "optimizer.a.b[0]",
        ),
        ({"workload": {"_target_": "os.system", "_partial_": True}}, "workload"),
        (
            {"benchmark": {"suites": {"a": {"instances": {"f": [{"_target_": "os.system"}]}}}}},
            "benchmark.suites.a.instances.f[0]",
        ),
        (
            {"benchmark": {"suites": {"a": {"instances": {"_target_": ["os.system"]}}}}},
            "benchmark.suites.a.instances",
        ),
        (
            {"benchmark": {"suites": {"a": {"instances": {"_target_": "os.system"}}}}},
            "benchmark.suites.a.instances",
        ),
        ({"benchmark": {"methods": {"m": {"_target_": "os.system"}}}}, "benchmark.methods.m"),
        ({"population": {"explore": {"_target_": "os.system"}}}, "population.explore"),
        ({"search": {"stopping": {"_target_": "os.system"}, "reference": {}}}, "search.stopping"),
        ({"objectives": [{"_target_": "os.system"}]}, "objectives[0]"),
        ({"_target_": "os.system"}, ""),
    ],
)
def test_wherever_it_stands(config: dict[str, Any], key: str, folder: Path) -> None:
    message = refusal(config, Trust((folder,)))
    assert message.startswith(f"{key}._target_: expected " if key else "_target_: expected ")


def test_nothing_is_imported_while_one_name_is_refused(folder: Path) -> None:
    ran = bomb(folder / "evil.py")
    refusal({"a": {"_target_": "evil.Workload"}, "b": {"_target_": "os.system"}}, Trust((folder,)))
    assert not ran.exists() and "evil" not in sys.modules


@pytest.mark.parametrize(
    "target", ["my_code.Mine", "my_code.score", "my_code.wrapped", "my_code.bound", "my_code.instance"]
)
def test_the_users_own_code_is_made(target: str, folder: Path) -> None:
    check_targets({"workload": {"_target_": target}}, Trust((folder,)))
    assert "got" in refusal({"workload": {"_target_": target}}, Trust((folder.parent / "elsewhere",)))


def test_the_users_modules_may_reach_what_this_program_offers(folder: Path) -> None:
    check_targets({"workload": {"_target_": "my_code.Zdt"}}, Trust((folder,)))


def test_code_in_a_run_directory_is_not_the_users_own(folder: Path) -> None:
    """The directory lies below the user's, so that its modules can be imported from there."""
    ran = bomb(a_run(folder / "runs" / "evil") / "payload.py")
    refusal({"workload": {"_target_": "runs.evil.payload.Workload"}}, Trust((folder,)))
    assert not ran.exists()


@pytest.mark.parametrize("inside", [".", "deep"])
def test_nor_where_the_user_stands_in_the_run_directory(
    inside: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stolen = folder / "stolen"
    ran = bomb(stolen / inside / "evil.py")
    (stolen / "config.yaml").write_text("{}")  # there is no journal, so that it does not look like a run
    monkeypatch.syspath_prepend(str(stolen / inside))
    trust = Trust((stolen / inside,), resumed=stolen)
    message = refusal({"workload": {"_target_": "evil.Workload"}}, trust)
    assert "add 'allow=[evil]'" in message
    assert not ran.exists()


def test_nor_through_a_link(folder: Path, tmp_path: Path) -> None:
    ran = bomb(a_run(tmp_path / "somebody") / "evil.py")
    (folder / "evil.py").symlink_to(tmp_path / "somebody" / "evil.py")
    refusal({"workload": {"_target_": "evil.Workload"}}, Trust((folder,)))
    (folder / "linked").symlink_to(tmp_path / "somebody")
    refusal({"workload": {"_target_": "linked.evil.Workload"}}, Trust((folder,)))
    assert not ran.exists() and not (tmp_path / "somebody" / "evil.ran").exists()


def test_an_environment_below_the_users_folder_is_not_the_users_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = folder / ".venv" / "lib" / "python3" / "site-packages"
    ran = bomb(packages / "evil.py")
    monkeypatch.syspath_prepend(str(packages))
    message = refusal({"workload": {"_target_": "evil.Workload"}}, Trust((folder,)))
    assert "add 'allow=[evil]'" in message
    assert not ran.exists()
    check_targets({"workload": {"_target_": "evil.Workload"}}, Trust((folder,), ("evil",)))
    assert ran.exists()


def test_a_module_of_python_is_not_the_users_own_where_a_file_has_its_name(folder: Path) -> None:
    (folder / "subprocess.py").write_text("")
    refusal({"workload": {"_target_": "subprocess.run"}}, Trust((folder,)))


def test_packages_of_several_files_and_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "src" / "parts" / "deep").mkdir(parents=True)
    (folder / "src" / "parts" / "deep" / "code.py").write_text("class Workload: pass\n")
    (folder / "src" / "mixed").mkdir()
    (folder / "src" / "mixed" / "__init__.py").write_text("from parts.deep.code import Workload\n")
    monkeypatch.syspath_prepend(str(folder / "src"))
    for target in ("parts.deep.code.Workload", "mixed.Workload"):
        check_targets({"workload": {"_target_": target}}, Trust((folder,)))


@pytest.mark.parametrize(
    ("target", "allow"),
    [
        ("torch.optim.AdamW", "torch.optim"),
        ("torch.optim.AdamW", "torch"),
        ("torch.optim.AdamW", "torch.optim.AdamW"),
        ("my_code.AdamW", "my_code.AdamW"),
        ("my_code.AdamW", "torch.optim"),
        ("builtins.dict", "builtins"),
    ],
)
def test_what_the_user_allows_is_made(target: str, allow: str, folder: Path) -> None:
    config = {"workload": {"_target_": target}}
    refusal(config, Trust((folder,), ("torch.nn", "tor", "my_code.score")))
    check_targets(config, Trust((folder,), (allow,)))


@pytest.mark.parametrize(
    ("targets", "allow", "hint"),
    [
        (["torch.optim.AdamW"], [], "'allow=[torch.optim]'"),
        (
            ["torch.optim.AdamW", "torch.nn.Linear", "torch.optim.SGD"],
            ["numpy"],
            "'allow=[numpy,torch.optim,torch.nn]'",
        ),
        (["os.system"], [], "'allow=[os.system]'"),
        (["my_code.AdamW"], [], "torch.optim.adamw defines it; if you trust it, add 'allow=[my_code.AdamW]'"),
    ],
)
def test_the_hint_says_what_would_be_enough(
    targets: list[str], allow: list[str], hint: str, folder: Path
) -> None:
    config = {"workload": [{"_target_": target} for target in targets]}
    assert hint in refusal(config, Trust((folder,), tuple(allow)))


@pytest.mark.parametrize("target", ["workloads.command.Command", "workloads.command.workload.Command"])
def test_a_run_directory_starts_no_programs_by_itself(target: str, folder: Path) -> None:
    config = {"allow": [], "benchmark": {"suites": {"own": {"workload": {"_target_": target}}}}}
    check_targets(config, Trust((folder,)))
    message = refusal(config, Trust((folder,), resumed=folder / "run"))
    assert "expected no programs" in message
    assert "'allow=[workloads.command]'" in message
    assert permissions(config) == ("workloads.command",)
    check_targets(config, Trust((folder,), permissions(config), resumed=folder / "run"))
    assert resume_command(
        folder, {**config, "run": {"config_dir": None}, "cluster": {"address": None}}
    ).endswith("'allow=[workloads.command]'")


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_everything_that_ships_can_be_chosen(path: Path) -> None:
    try:
        check_targets(yaml.safe_load(path.read_text()) or {}, Trust(()))
    except ConfigurationError as error:
        if "pip install 'orchestrator[" not in str(error):
            raise
        pytest.skip(str(error))
