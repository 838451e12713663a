"""What travels to a study's workers: a folder, packages and variables, as Ray's ``runtime_env``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ray

from orchestrator.config.environment import TRAVELLING, chosen_variables
from orchestrator.engine import ray_private
from search_spaces import ConfigurationError
from workloads.capabilities import EnvironmentWorkload
from workloads.contract import Workload

MOST_BYTES = 500 * 2**20
"""Ray refuses a folder that is larger, compressed; we do not compress it to find out."""

LEFT_BEHIND = (
    *("/runs", "/multirun", "/mlruns", "/mlartifacts", "/mlflow.db*"),
    *(".git", ".venv", "venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
)
"""What no worker needs of a folder, besides what its ``.gitignore`` and ``.rayignore`` leave out."""


def check_travelling(settings: Mapping[str, Any], run: Path) -> None:
    """Refuse a folder that cannot be sent, and settings for a Ray that has been connected without them.

    Args:
        settings: the configuration's ``cluster`` part.
        run: the run directory, which is never sent.

    Raises:
        ConfigurationError: there is no such folder, it is too large, or Ray is connected already.
    """
    given = next((key for key in TRAVELLING if settings[key]), None)
    if given and ray.is_initialized():
        expected = "nothing, since this process is connected to Ray already"
        shown = list(settings[given]) if given == "env" else settings[given]
        hint = "give it to ray.init(runtime_env=...), or leave connecting to the study"
        raise ConfigurationError(f"cluster.{given}", expected, shown, hint)
    if settings["working_dir"] is None:
        return
    folder = _folder(settings["working_dir"])
    if not folder.is_dir():
        raise ConfigurationError("cluster.working_dir", "a folder that exists", str(folder))
    if settings["address"] is not None:
        _check_size(folder, run)


def _check_size(folder: Path, run: Path) -> None:
    sizes = ray_private.upload_sizes(folder, _excluded(folder, run))
    total = sum(sizes.values())
    if total > MOST_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        expected = f"a folder with at most {MOST_BYTES // 2**20} MiB of files"
        hint = f"{total / 2**20:,.0f} MiB, most of it ({sizes[largest] / 2**20:,.0f} MiB) in {largest}; "
        hint += "name what workers do not need in .rayignore there, as in a .gitignore"
        raise ConfigurationError("cluster.working_dir", expected, str(folder), hint)


def runtime_env(settings: Mapping[str, Any], run: Path | None) -> dict[str, Any]:
    """Ray's runtime environment of a study; empty where it needs none.

    A local Ray gets variables alone: it has this machine's files and packages as they are.

    Args:
        settings: the configuration's ``cluster`` part, :func:`.with_variables`.
        run: the run directory, which is never sent.
    """
    found: dict[str, Any] = {}
    if settings["env"]:
        found["env_vars"] = dict(settings["env"])
    if settings["address"] is None:
        return found
    if settings["pip"]:
        found["pip"] = list(settings["pip"])
    if settings["working_dir"] is not None:
        folder = _folder(settings["working_dir"])
        found |= {"working_dir": str(folder), "excludes": _excluded(folder, run)}
    return found


def with_variables(
    settings: Mapping[str, Any], declared: Iterable[str], own: Mapping[str, str]
) -> dict[str, Any]:
    """``settings`` with all variables that workers get as texts in ``env``.

    Workers on a cluster also get those that workloads declare, where this process has them, the configuration
    does not name them, and the job that this process may be has not passed them on. A local Ray's processes
    inherit them.

    Args:
        settings: the configuration's ``cluster`` part, secrets revealed.
        declared: names of the variables that workloads read.
        own: this process's environment.

    Raises:
        ConfigurationError: the configuration asks for this process's value of a variable that it has not.
    """
    chosen = chosen_variables(settings["env"], own)
    if settings["address"] is not None:
        known = {*chosen, *ray_private.job_variables(own)}
        chosen |= {name: own[name] for name in declared if name in own and name not in known}
    return {**settings, "env": chosen}


def declared_variables(workloads: Iterable[Workload]) -> tuple[str, ...]:
    """Names of the variables that workloads read; another ``environment`` than a tuple of texts is none."""
    names: dict[str, None] = {}
    for workload in workloads:
        declared: object = workload.environment if isinstance(workload, EnvironmentWorkload) else ()
        if isinstance(declared, tuple) and all(isinstance(name, str) for name in declared):
            names |= dict.fromkeys(declared)
    return tuple(names)


def failed(environment: Mapping[str, Any], error: Exception) -> ConfigurationError:
    """The refusal of a runtime environment that a node could not set up."""
    key = next((key for key in ("pip", "working_dir") if key in environment), "env")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "ERROR" in line or "Error" in line]
    reason = telling[-1] if telling else "".join(lines[:1])
    expected = "what the nodes of the cluster can set up"
    return ConfigurationError(f"cluster.{key}", expected, environment.get(key, "variables"), reason[:300])


def _folder(given: str) -> Path:
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigurationError("cluster.working_dir", "~ or ~user with a home directory", given) from error


def _excluded(folder: Path, run: Path | None) -> list[str]:
    """Patterns as in a ``.gitignore``."""
    inside = run is not None and run != folder and run.is_relative_to(folder)
    return [*LEFT_BEHIND, *([f"/{run.relative_to(folder)}"] if inside and run is not None else [])]
