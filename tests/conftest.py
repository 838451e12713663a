"""What all tests share: one local Ray, and configurations as the command line would make them."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is not a failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run the tests, one of them runs all that need Ray, from the beginning on."""
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray with two CPUs, started once; whoever connects in this process uses it."""
    import ray

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


def composed(*overrides: str) -> dict[str, Any]:
    """The resolved configuration of a command line."""
    from orchestrator.cli.arguments import parse
    from orchestrator.cli.compose import compose, resolved

    (job,) = compose(parse(overrides))
    return resolved(job.config)
