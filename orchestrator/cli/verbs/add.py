"""``add``: hand over configurations to a search, which tries them before its optimizer's next suggestion."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.cli.refusals import OneLineParser

_ABOUT = (
    "Add configurations to a search that is running, or that will be resumed: it tries them next. Each "
    "counts as one of its trials."
)


def main(argv: Sequence[str]) -> int:
    """Check the configurations, and put them where the study's coordinator finds them."""
    parser = OneLineParser(prog="python -m orchestrator add", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("run", type=Path, help="run directory of a search")
    parser.add_argument("file", type=Path, help="YAML: values by parameter, or a list of such mappings")
    given = parser.parse_args(argv)
    sys.stdout.write(f"{_added(given.run, given.file)}\n")
    return 0


def _added(run: Path, file: Path) -> str:
    """What was added, in one line. Imports what it needs only now, so that help comes at once."""
    from orchestrator.search.earlier.adding import add_to_run

    return add_to_run(run, _read(file), str(file))


def _read(file: Path) -> Any:
    import yaml

    from orchestrator.config.yaml_text import parse
    from search_spaces.errors import ConfigurationError

    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        hint = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ConfigurationError("add", "a YAML file with configurations", str(file), hint) from error
