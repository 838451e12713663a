"""The texts that small language models learn: tinyshakespeare, or the sources of Python's own library."""

from __future__ import annotations

import os
import sysconfig
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from search_spaces import ConfigurationError

DATA_VARIABLE = "TINYSHAKESPEARE_DIR"
SOURCE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
VOCABULARY = 65
PYTHON = "python"
"""Names the text that is always there."""
RARE = "\ufffd"
"""Stands for all characters that have no code of their own."""


class Text(NamedTuple):
    """A text as numbers.

    Args:
        codes: of its characters, each below 65, int64 ``(length,)``.
        alphabet: the 65 characters, by their codes.
    """

    codes: Tensor
    alphabet: str

    def parts(self) -> tuple[Tensor, ...]:
        """90 % to train on, 5 % to validate and 5 % to test, in the text's order; views."""
        length = len(self.codes)
        return self.codes.tensor_split((length * 9 // 10, length * 19 // 20))


def text_folder(data: str | None) -> Path | None:
    """The folder with the text; None: the standard library's sources.

    Args:
        data: the folder, or ``python``; None: the environment says it.

    Raises:
        ConfigurationError: there is no text.
    """
    if data == PYTHON:
        return None
    given = data if data is not None else os.environ.get(DATA_VARIABLE)
    hint = f"download {SOURCE} and set workload.data or {DATA_VARIABLE} to its folder"
    if given is None:
        raise ConfigurationError("data", "the folder with tinyshakespeare's input.txt", None, hint)
    folder = Path(given).expanduser()
    if not (folder / "input.txt").is_file():
        raise ConfigurationError("data", "the folder with tinyshakespeare's input.txt", str(folder), hint)
    return folder


@cache
def read_text(folder: Path | None) -> Text:
    """The text in a folder that :func:`text_folder` found.

    Raises:
        ConfigurationError: it has another number of characters than tinyshakespeare.
    """
    return _python() if folder is None else _shakespeare(folder)


def _shakespeare(folder: Path) -> Text:
    """Codes are in the characters' order in Unicode."""
    text = (folder / "input.txt").read_text()
    alphabet = "".join(sorted(set(text)))
    if len(alphabet) != VOCABULARY:
        raise ConfigurationError("data", f"a text of {VOCABULARY} characters", len(alphabet), f"see {SOURCE}")
    return _coded(text, alphabet)


def _python() -> Text:
    """The standard library's top modules; codes are in the order of frequency, the last for the rare ones."""
    text = standard_library("*.py")[:_PYTHON_LENGTH]
    return _coded(text, frequent(text))


def standard_library(pattern: str) -> str:
    """The files of Python's own library that match, one after the other in the order of their names."""
    library = Path(sysconfig.get_path("stdlib"))
    return "".join(path.read_text(encoding="utf-8") for path in sorted(library.glob(pattern)))


def frequent(text: str) -> str:
    """The alphabet of the 64 most frequent characters and :data:`RARE`."""
    found = sorted(Counter(text).items(), key=lambda found: (-found[1], found[0]))[: VOCABULARY - 1]
    return "".join(character for character, _ in found) + RARE


def encoded(text: str, alphabet: str) -> Tensor:
    """The characters' codes, int64 ``(length,)``; what the alphabet lacks has the last."""
    number = {character: index for index, character in enumerate(alphabet)}
    return torch.tensor([number.get(character, VOCABULARY - 1) for character in text])


def _coded(text: str, alphabet: str) -> Text:
    return Text(encoded(text, alphabet), alphabet)


_PYTHON_LENGTH = 1_115_394
"""As many characters as tinyshakespeare has."""
