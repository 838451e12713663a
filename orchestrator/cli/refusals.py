"""How the program refuses: one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from orchestrator.config.passwords import masked

REFUSED = 2
"""The exit code of a command that could not be followed."""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"error: command line: {message} (see --help)\n")


def refuse(error: Exception) -> int:
    """Say why in one line, however many lines the offending value has; returns the exit code."""
    sys.stderr.write(masked(" ".join(f"error: {error}".split())) + "\n")
    return REFUSED
