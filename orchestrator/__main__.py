"""The program: ``python -m orchestrator``, and the command ``orchestrator``."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.cli import program


def main() -> int:
    """Run the command line; returns the exit code."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # as with python -m: the user's own workloads lie beside the user
    return program.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
