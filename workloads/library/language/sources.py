"""Texts of several kinds that come with Python and scikit-learn, in one alphabet."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module, resources

from torch import Tensor

from workloads.library.language.text import encoded, frequent, standard_library


def _code() -> str:
    """Modules of the standard library."""
    return standard_library("*.py")


def _prose() -> str:
    """The reference of the language, in English, as ``help()`` shows it."""
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    return "".join(topics[name] for name in sorted(topics))


def _tables() -> str:
    """The tables of character encodings: names of characters, and their numbers."""
    return standard_library("encodings/[!_]*.py")


def _datasets() -> str:
    """Scikit-learn's descriptions of data sets: English with tables, which nothing above contains."""
    folder = resources.files("sklearn.datasets.descr")
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".rst")), key=lambda e: e.name)
    return "".join(each.read_text(encoding="utf-8") for each in files)


SOURCES: dict[str, Callable[[], str]] = {"code": _code, "prose": _prose, "tables": _tables}
"""Texts to train on; a new one is a function and a line."""
TARGET = "datasets"
"""Names the text that no model trains on, which is too short for that."""


@cache
def texts(length: int) -> dict[str, Tensor]:
    """Codes of every source and of the unseen one by name, each int64 ``(characters,)``.

    Args:
        length: characters of each source, at most; they come in equal number from its whole.
    """
    found = {name: _thinned(read(), length) for name, read in SOURCES.items()}
    alphabet = frequent("".join(found.values()))
    return {name: encoded(text, alphabet) for name, text in {**found, TARGET: _datasets()}.items()}


def _thinned(text: str, length: int) -> str:
    """Pieces of a thousand characters, evenly spaced, at most ``length`` characters in all."""
    count = max(1, length // _PIECE)
    starts = [round(index * max(0, len(text) - _PIECE) / max(1, count - 1)) for index in range(count)]
    return text if len(text) <= length else "".join(text[start : start + _PIECE] for start in starts)


_PIECE = 1000
