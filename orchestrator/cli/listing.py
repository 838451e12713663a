"""Lists of studies and choices, and the help text: reads YAML files and imports nothing that takes time."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from orchestrator.cli.verbs import VERBS
from orchestrator.config.yaml_text import parse
from orchestrator.text import terminal_width

_INDENT = "  "
_PACKAGE = Path(__file__).resolve().parent.parent

_USAGE = """\
Tunes training runs and compares tuning methods, on one machine or on a Ray cluster.

usage: python -m orchestrator +study=<name> [key=value ...]
       python -m orchestrator <verb> ...

Verbs:
{verbs}

Studies:
{studies}

Examples:
  python -m orchestrator +study=pbt_toy
  python -m orchestrator +study=pbt_digits population.size=8 population/exploit=t_test seed=3
  python -m orchestrator +study=pbt_digits -m seed=0,1,2          one study after another
  python -m orchestrator +study=pbt_digits cluster=ray cluster.address=auto

Options:
  --config-dir DIR         adds your own studies, workloads and search spaces (DIR/study/<name>.yaml, ...)
  -m, --multirun           runs every combination of the values given as key=a,b
  --cfg job                prints the configuration and stops
  --info                   prints where each part of the configuration comes from
  --version                prints the version
  -sc install=bash         prints the tab completion of the command orchestrator (also: zsh, fish)
"""


def conf_dir() -> Path:
    """The directory of the configurations that ship with the program."""
    installed = _PACKAGE / "conf"
    return installed if installed.is_dir() else _PACKAGE.parent / "conf"


def search_path(config_dir: Path | None) -> list[Path]:
    """Where configurations are looked for: ours first, then the user's own."""
    return [conf_dir(), *([config_dir] if config_dir else [])]


def options(directories: Iterable[Path], group: str) -> list[str]:
    """Names that can be chosen in a config group such as ``population/exploit``; none where there is none."""
    folders = [directory / group for directory in directories] if group else []
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def groups(directory: Path) -> list[str]:
    """The config groups that have choices below ``directory``."""
    parents = {path.parent.relative_to(directory) for path in directory.rglob("*.yaml")}
    return sorted(str(parent) for parent in parents if parent.parts)


def choices(directories: Iterable[Path], group: str) -> dict[str, str]:
    """Names and one-line descriptions of a group's choices; an earlier directory wins.

    The description is ``study.description`` or, without one, the file's first comment.
    """
    found: dict[str, str] = {}
    for directory in directories:
        for path in sorted((directory / group).glob("*.yaml")):
            found.setdefault(path.stem, _description(path))
    return found


def table(described: Mapping[str, str], room: int | None = None) -> str:
    """Names and descriptions in two columns, the latter broken where they do not fit ``room`` columns."""
    width = max(map(len, described), default=0)
    lines = (f"{name:<{width}}  {text}".rstrip() for name, text in described.items())
    if room is None:
        return "\n".join(lines)
    indent = " " * (width + 2)
    return "\n".join(textwrap.fill(line, max(room, 2 * width), subsequent_indent=indent) for line in lines)


def help_text(directories: Iterable[Path]) -> str:
    """What ``--help`` prints, with the studies below ``directories``."""
    width = terminal_width()
    room = None if width is None else width - len(_INDENT)
    verbs = table({**VERBS, "help": "explains a verb: help report"}, room)
    studies = table(choices(directories, "study"), room)
    return _USAGE.format(verbs=textwrap.indent(verbs, _INDENT), studies=textwrap.indent(studies, _INDENT))


def _description(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        study = (parse(text) or {}).get("study") or {}
        described = study.get("description")
    except (yaml.YAMLError, AttributeError, OSError, UnicodeDecodeError):
        return "(this file is not a valid study)"
    return str(described) if described else _first_comment(text)


def _first_comment(text: str) -> str:
    comments = (line.lstrip("# ").rstrip() for line in text.splitlines() if line.startswith("#"))
    return next((comment for comment in comments if comment and not comment.startswith("@package")), "")
