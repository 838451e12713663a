"""The program: ``python -m orchestrator``, and the command ``orchestrator``."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from orchestrator.cli import program


def main() -> int:
    """Run the command line; returns the exit code."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # as with python -m: the user's own workloads lie beside the user
    code = program.main(sys.argv[1:])
    gc.freeze()  # the process ends, and looking for garbage in all its modules takes half a second
    return code


if __name__ == "__main__":
    sys.exit(main())
