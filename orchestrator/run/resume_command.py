"""The command that goes on with a run, ready to be pasted into a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.run.trust import permissions

_PLAIN = re.compile(r"(?!(?i:null|true|false|nan|inf)\Z)[A-Za-z_/][A-Za-z0-9_./-]*")
"""Texts that mean themselves in Hydra's grammar."""

_ADDRESS = re.compile(r"(ray://)?[A-Za-z0-9._-]+(:\d+)?")
"""Addresses that do."""


def quoted(text: str) -> str:
    """``text`` as a value in Hydra's grammar that means just this text."""
    if _PLAIN.fullmatch(text):
        return text
    # Backslashes are special before a quote and the end only.
    inner = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), literal(text))
    return f"'{inner}'"


def literal(text: str) -> str:
    """``text`` for OmegaConf, which would read ``${...}`` as an interpolation."""
    return re.sub(r"(\\*)\$\{", lambda found: rf"{found[1] * 2}\${{", text)


def resume_command(path: Path, study: Mapping[str, Any] | None = None) -> str:
    """The command that goes on with the run in ``path``, see :func:`resume_arguments`."""
    arguments = resume_arguments(path, study)
    return " ".join(map(_for_shell, ("python", "-m", "orchestrator", *arguments)))


def resume_arguments(path: Path, study: Mapping[str, Any] | None = None) -> list[str]:
    """The program's arguments that let it go on with the run in ``path``.

    Args:
        study: its resolved configuration. The arguments repeat what a run directory cannot grant itself: the
            code that it may run, where the user's own lies, and the cluster.
    """
    arguments = [f"resume={quoted(str(path))}"]
    if study is not None and study["run"]["config_dir"]:
        arguments = ["--config-dir", study["run"]["config_dir"], *arguments]
    if study is not None and (allowed := permissions(study)):
        arguments.append(f"allow=[{','.join(allowed)}]")
    if study is not None and study["cluster"]["address"]:
        arguments.append(address_override(study["cluster"]["address"]))
    return arguments


def address_override(address: str) -> str:
    """What says on the command line where the cluster is; the brackets of IPv6 are Hydra's for a list."""
    return f"cluster.address={address if _ADDRESS.fullmatch(address) else quoted(address)}"


def _for_shell(argument: str) -> str:
    """The argument quoted; in double quotes where single ones in it would be hard to read."""
    readable = "'" in argument and not re.search(r"[\"$`\\!]", argument)
    return f'"{argument}"' if readable else shlex.quote(argument)
