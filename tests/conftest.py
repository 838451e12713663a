"""What all tests share: one local Ray, and configurations as the command line would make them."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is not a failure. ``make test-long`` looks at many more examples.
settings.register_profile("suite", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("suite")

# As ``make test`` has it: torch's threads wait for one another where models are small and cores are busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A call to Ray outside a cluster is a mistake, for which Ray would start one that outlives the test.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"

DIVISIBLE = ("optimizers/test_contract.py", "population/test_methods.py", "workloads/test_contract.py")
"""The longest files, whose tests share nothing, so that several processes run them."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes run the tests, two of them run all files of Ray's, each other file runs in one.

    What pytest-xdist 3.8 has for this, ``--dist loadgroup``, does nothing with pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class FewRays(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            file = path.rpartition("/")[2]
            if file.startswith("test_ray_"):
                return "ray for populations" if "population" in file else "ray"
            return nodeid if path.endswith(DIVISIBLE) else path

    return FewRays(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ray's tests come first, and last what can be divided, so that no process is left alone in the end."""
    items.sort(
        key=lambda item: (not item.path.name.startswith("test_ray_"), str(item.path).endswith(DIVISIBLE))
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where several processes run the tests, Ray's, which wait for one another, go before all others."""
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    if not alone and not item.path.name.startswith("test_ray_") and os.nice(0) == 0:
        os.nice(10)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray with two CPUs, started once; whoever connects in this process uses it."""
    import ray

    # Ray's processes would give way to the tests that run beside them, at nice 15.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - Ray's spelling
    # Short, because the paths of Ray's sockets must be.
    folder = tempfile.mkdtemp(prefix="ray-")
    ray.init(
        address="local",
        num_cpus=2,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=folder,
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ray_address(ray_cluster: None) -> str:
    """Where another program finds the same Ray, which saves it starting one."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports make all of their pictures, but files without a picture: rendering takes most of their time."""
    monkeypatch.setattr("orchestrator.reporting.figure.save", lambda picture, path: path.touch())
    monkeypatch.setattr("orchestrator.reporting.figure.save_vector", lambda picture, path: None)


def shipped(group: str) -> list[str]:
    """The choices of a group of the configuration, such as ``population/exploit``, sorted."""
    from orchestrator.cli.listing import conf_dir

    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def classes_of(group: str) -> dict[str, type]:
    """By choice of a group of the configuration, the class that its file makes."""
    import yaml
    from hydra.utils import get_class

    from orchestrator.cli.listing import conf_dir

    files = {name: conf_dir() / group / f"{name}.yaml" for name in shipped(group)}
    made = {name: yaml.safe_load(file.read_text(encoding="utf-8")) for name, file in files.items()}
    return {name: get_class(definition["_target_"]) for name, definition in made.items()}


def composed(*overrides: str) -> dict[str, Any]:
    """The resolved configuration of a command line."""
    environment = frozenset((name, value) for name, value in os.environ.items() if "PYTEST" not in name)
    return deepcopy(_composed(overrides, environment, Path.cwd()))


@cache
def _composed(
    overrides: tuple[str, ...], environment: frozenset[tuple[str, str]], cwd: Path
) -> dict[str, Any]:
    """The same, once for all who ask alike: Hydra takes a fifth of a second."""
    from orchestrator.cli.arguments import parse
    from orchestrator.cli.compose import compose, resolved

    (job,) = compose(parse(overrides))
    return resolved(job.config)
