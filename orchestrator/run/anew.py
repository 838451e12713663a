"""Beginning the program anew in its own process, where a library no longer lets go of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PROGRAM = "orchestrator"


def is_program() -> bool:
    """Whether this process is the program itself, and not a notebook or a script that runs a study."""
    started = Path(sys.argv[0])
    return started.stem == PROGRAM or (started.name == "__main__.py" and started.parent.name == PROGRAM)


def begin_anew(arguments: Sequence[str]) -> NoReturn:
    """Let the program with other arguments take this process's place; may be called in any thread."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", PROGRAM, *arguments])
