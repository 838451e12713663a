"""Whether a Ray answers at the configured address."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping
from typing import Any

from orchestrator.engine import ray_private
from search_spaces import ConfigurationError

PROBE_SECONDS = 5.0
"""How long a cluster's address may take to accept a connection before it counts as unreachable."""

HEALTH_SECONDS = 30.0
"""How long it may take Ray to start a client and get an answer from a healthy head."""


def check_address(settings: Mapping[str, Any]) -> None:
    """Refuse an address at which no Ray answers; Ray itself would try it for minutes.

    Raises:
        ConfigurationError: nothing accepts a connection at ``cluster.address``, or what does is no Ray.
    """
    address = settings["address"]
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS):
            pass
        if not address.startswith("ray://"):
            _check_health(address)
    except (OSError, subprocess.SubprocessError) as error:
        raise unreachable(address, error) from error


def _check_health(address: str) -> None:
    """In a process of its own, since Ray's client keeps trying, and prints, whatever it talks to."""
    command = ray_private.health_check(address)
    try:
        answer = subprocess.run(command, timeout=HEALTH_SECONDS, capture_output=True, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConnectionError("what answers there is no Ray head; its port is 6379 by default") from error
    if answer.returncode != 0:
        raise ConnectionError("what answers there is no Ray head of this version")


def unreachable(address: str | None, error: Exception) -> ConfigurationError:
    """The refusal of an address, None being a local Ray, with the first line of what went wrong."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    expected = "a Ray cluster that answers" if address else "a machine on which Ray starts"
    return ConfigurationError("cluster.address", expected, address, reason)
