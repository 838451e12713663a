"""The user's configuration files, checked before Hydra makes anything of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

from orchestrator.cli.listing import conf_dir
from orchestrator.config.literals import check_literals
from orchestrator.config.yaml_text import UnreadableError, check
from search_spaces.errors import ConfigurationError

_GLOBAL = "_global_"
_ENTRIES = {"suite": "benchmark.suites.any"}
"""Groups whose files become entries of a mapping, and a key that has their type."""


class CheckedFiles(FileConfigSource):
    """Hydra's source of files; refuses those that :mod:`orchestrator.config.yaml_text` does not read."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Load a file, as Hydra does.

        Raises:
            ConfigurationError: it is beyond the limits, or has texts where the schema has numbers.
        """
        path = Path(self.path, self._normalize_file_name(config_path))
        if path.is_relative_to(conf_dir()):
            return super().load_config(config_path)
        if path.is_file():
            try:
                check(path.read_text(encoding="utf-8"))
            except UnreadableError as error:
                raise error.within(str(path)) from error
            except UnicodeDecodeError:
                pass  # which Hydra finds, too
            except yaml.YAMLError as error:
                raise ConfigurationError(str(path), "a text in YAML", _place(error)) from error
        result = super().load_config(config_path)
        package = result.header.get("package")
        group = config_path.rpartition("/")[0].replace("/", ".")
        key = group if package is None else package
        content = OmegaConf.to_container(result.config)
        if isinstance(content, dict):
            _check_defaults(content.get("defaults", []), path)
        check_literals(content, "" if key == _GLOBAL else _ENTRIES.get(key, key), f"in {path}")
        return result


def _place(error: yaml.YAMLError) -> str:
    return " ".join(str(error).replace('in "<unicode string>", ', "in ").split())


def _check_defaults(entries: Any, path: Path) -> None:
    """Refuse what Hydra fails on without an error of its own."""
    if not isinstance(entries, list):
        raise ConfigurationError("defaults", "a list", entries, f"in {path}")
    for index, entry in enumerate(entries):
        choice = [*entry.items()] if isinstance(entry, dict) else [(entry, None)]
        if len(choice) != 1 or not isinstance(choice[0][0], str):
            expected = "a file's name, or 'group: name'"
            raise ConfigurationError(f"defaults[{index}]", expected, entry, f"in {path}")
        chosen = choice[0][1]
        for name in chosen if isinstance(chosen, list) else [chosen]:
            if name is not None and not isinstance(name, str):
                expected = "names of files, numbers in quotes"
                raise ConfigurationError(f"defaults[{index}]", expected, entry, f"in {path}")


def check_files() -> None:
    """Let Hydra read files through :class:`CheckedFiles` from now on."""
    Plugins.instance()  # registers its own sources, and none of them twice
    SourcesRegistry.instance().types[CheckedFiles.scheme()] = CheckedFiles
