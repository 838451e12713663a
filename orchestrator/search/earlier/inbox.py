"""Configurations that people hand over to a running search, as files in its run directory."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.run.results import replacing
from search_spaces import Config, ConfigurationError, SearchSpace

_SUFFIX, _REFUSED = ".json", ".refused"


class Inbox:
    """A folder that one side puts files into, and the coordinator takes them from.

    A file is written beside and renamed, so that it is always whole.

    Args:
        folder: need not exist.
        space: what the search tunes.
    """

    def __init__(self, folder: Path, space: SearchSpace) -> None:
        self._folder, self._space = folder, space

    def put(self, configs: Sequence[Config]) -> Path:
        """Hand over configurations; returns the file that they wait in."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{time.time_ns():020}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            json.dump(list(configs), file)
            file.flush()
            os.fsync(file.fileno())
        return path

    def count(self) -> int:
        """How many configurations wait."""
        return sum(len(configs) for _, configs in self.read())

    def read(self) -> Iterator[tuple[str, list[Config]]]:
        """The files that wait, oldest first: their names, and the configurations in them.

        A file that holds something else, which ``put`` never writes, is set aside under another name.
        """
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                given = json.loads(path.read_text(encoding="utf-8"))
                yield path.name, configurations(given, self._space, path.name)
            except FileNotFoundError:  # The coordinator has taken it.
                continue
            except ValueError:  # as are ConfigurationError and JSON's own
                with suppress(OSError):
                    path.rename(path.with_suffix(_REFUSED))

    def remove(self, name: str) -> None:
        """Remove a file that has been taken in."""
        (self._folder / name).unlink(missing_ok=True)


def configurations(given: Any, space: SearchSpace, key: str) -> list[Config]:
    """Configurations of a space as people write them: a list of mappings or of the word ``default``.

    Args:
        given: plain data.
        key: where it stands; error messages begin with it.

    Raises:
        ConfigurationError: something else, or a configuration outside the space; the key names the parameter.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ConfigurationError(key, "a list of configurations", given)
    return [_configuration(one, space, f"{key}[{place}]") for place, one in enumerate(given)]


def _configuration(given: Any, space: SearchSpace, key: str) -> Config:
    if given == "default":
        return space.default()
    if not isinstance(given, Mapping):
        raise ConfigurationError(key, "values by parameter, or default", given)
    return space.check({str(name): value for name, value in given.items()}, key)
