"""What the smaller commands share: they refuse in one line."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

REFUSED = 2
"""The exit code of a command that could not be followed."""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"error: command line: {message} (see --help)\n")


def refuse(error: Exception) -> int:
    """Say why in one line, however many lines the error has; returns the exit code."""
    sys.stderr.write(" ".join(f"error: {error}".split()) + "\n")
    return REFUSED
