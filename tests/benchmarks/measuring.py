"""What benchmarks share: a study's configuration, files of results to go on with, and the last line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.cli.arguments import parse
from orchestrator.cli.compose import compose, resolved
from orchestrator.config.validate import check_values


def study_config(*overrides: str) -> dict[str, Any]:
    """The resolved configuration of one study, e.g. ``study_config("+study=pbt_toy", "seed=1")``.

    Raises:
        ConfigurationError: as the program would refuse it.
    """
    (composed,) = compose(parse(overrides))
    config = resolved(composed.config)
    check_values(config)
    return config


def progress(line: str) -> None:
    """Say on stderr how far a benchmark is; stdout holds its results alone."""
    print(line, file=sys.stderr, flush=True)


def kept_rows(file: Path | None) -> list[dict[str, Any]]:
    """What a file of results has, a JSON object on each line; nothing where there is none."""
    if file is None or not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def keep_row(file: Path | None, row: Mapping[str, Any]) -> None:
    """Add a result to such a file."""
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")


def print_figures(figures: Mapping[str, Any]) -> None:
    """End a benchmark: all its figures as one JSON object on the last line, floats to four digits."""
    print(json.dumps({name: _rounded(value) for name, value in figures.items()}))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value
