"""What travels to a cluster's workers: variables of their environment, a folder and packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from orchestrator.config.passwords import MASK, is_secret
from orchestrator.config.texts import is_line
from search_spaces.errors import ConfigurationError

KEY = "cluster.env"
TRAVELLING = ("env", "working_dir", "pip")
"""Keys of ``cluster`` that bring code to workers, or change what code does there."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 4096
"""Characters of a requirement; one with an address and checksums has some hundreds."""
_OURS = {
    "PYTHONPATH": "workers look for modules where this process does, and in cluster.working_dir",
    "PYTHONHOME": "a worker's Python is its node's; cluster.pip adds packages",
    "OMP_NUM_THREADS": "cluster.cpus_per_island and cluster.cpus_per_trial say how many threads there are",
    "CUDA_VISIBLE_DEVICES": "Ray sets it: cluster.gpus_per_island and cluster.gpus_per_trial say how many",
}
"""Variables that Ray or this program sets for every worker, and what to use instead."""


def check_travelling(cluster: Mapping[str, Any]) -> None:
    """Refuse variables, requirements or a folder that no worker can be given. Shows no secret.

    Args:
        cluster: the configuration's part of that name.

    Raises:
        ConfigurationError: the first that is not allowed.
    """
    for name, value in cluster["env"].items():
        _check_variable(str(name), value)
    for index, requirement in enumerate(cluster["pip"]):
        if not isinstance(requirement, str) or not is_line(requirement, _LONGEST):
            expected = "a requirement as pip reads it, such as 'einops>=0.8'"
            raise ConfigurationError(f"cluster.pip[{index}]", expected, requirement)


def _check_variable(name: str, value: object) -> None:
    if not _NAME.fullmatch(name):
        expected = "names of variables: letters, digits and '_', the first no digit"
        raise ConfigurationError(KEY, expected, name)
    if name in _OURS or name.startswith("RAY_"):
        hint = _OURS.get(name, "set it where the cluster is started")
        raise ConfigurationError(KEY, "no variable that Ray or this program sets for workers", name, hint)
    key, shown = f"{KEY}.{name}", MASK if is_secret(name) else value
    if value is not None and not isinstance(value, str | bool | int | float):
        raise ConfigurationError(key, "a text, a number, or null for this process's own value", shown)
    if isinstance(value, str) and "\0" in value:
        raise ConfigurationError(key, "a text without a zero character", shown)


def value_text(value: str | bool | int | float) -> str:
    """A value as programs read it: truth as ``true`` and ``false``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def taken_over(env: Mapping[str, Any], own: MutableMapping[str, str]) -> Iterator[None]:
    """Let this process have the variables that its workers get, so that it builds and tries what they do.

    Args:
        env: the configuration's ``cluster.env``, valid; null, and a masked secret, leave what there is.
        own: this process's environment, which is as before in the end.
    """
    before = {name: own.get(name) for name in env}
    own.update({name: value_text(value) for name, value in env.items() if value not in (None, MASK)})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                own.pop(name, None)
            else:
                own[name] = value


def chosen_variables(env: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    """The values of ``cluster.env`` as texts; null and a masked secret stand for this process's own value.

    Args:
        env: the configuration's ``cluster.env``, valid.
        own: this process's environment.

    Raises:
        ConfigurationError: this process has none.
    """
    found: dict[str, str] = {}
    for name, value in env.items():
        if value is not None and value != MASK:
            found[name] = value_text(value)
        elif name in own:
            found[name] = own[name]
        else:
            hint = f"set {name} where you start the program, or {KEY}.{name}"
            raise ConfigurationError(f"{KEY}.{name}", "a value, or one in this environment", value, hint)
    return found
