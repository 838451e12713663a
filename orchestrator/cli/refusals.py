"""How the program refuses: one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

from orchestrator.config.passwords import masked

REFUSED = 2
"""The exit code of a command that could not be followed."""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"error: command line: {message} (see --help)\n")


def whole(text: str) -> int:
    """The type of an argument that is an integer in ordinary digits.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"expected an integer, got {text[:100]!r}")
    return int(text)


def refuse(error: Exception) -> int:
    """Say why in one line, however many lines the offending value has; returns the exit code."""
    sys.stderr.write(masked(" ".join(f"error: {error}".split())) + "\n")
    return REFUSED
