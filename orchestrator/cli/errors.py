"""Turns the errors of Hydra and OmegaConf into the program's one-line :class:`ConfigurationError`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
    ValidationError,
)

from orchestrator.cli import schema
from search_spaces.errors import ConfigurationError
from search_spaces.reading import closest

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)
"""What composing raises for wrong input; Hydra uses ``ValueError`` for a few wrong overrides."""

_ALREADY_THERE = re.compile(r"An item is already at '([^']+)'")
_TWICE = re.compile(r"Multiple values for ([^\s.]+)\.")
_NOT_A_CHOICE = re.compile(r"Could not override '([^']+)'.*No match in the defaults list", re.DOTALL)
_CHOSEN = (_TWICE, re.compile(r"Override '[^']*' is defined before '([^'@: ]+)\s*:"))
_OVERRIDE = re.compile(r"Error merging override (.+)")
_FILE = re.compile(r"In '([^']+)'")


def translate(error: Exception) -> ConfigurationError:
    """The :class:`ConfigurationError` that explains ``error``, raised while composing, to a user."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, ConfigurationError):
            return link
        if isinstance(link, MissingConfigException):
            return _unknown_choice(link)
        if isinstance(link, OverrideParseException):
            return ConfigurationError(
                "command line",
                "key=value in Hydra's grammar",
                link.override,
                "a verb comes first; quote values with special characters",
            )
    for link in chain:
        if isinstance(link, OmegaConfBaseException):
            return _from_omegaconf(link, chain)
    return _from_message(error)


def without_override(error: Exception, directories: Sequence[Path]) -> ConfigurationError | None:
    """The place where a user's file repeats a choice, if ``error`` is about that."""
    messages = [str(link) for link in _chain(error)]
    groups = [found[1] for message in messages for how in _CHOSEN if (found := how.search(message))]
    for group in groups[:1]:
        entry = re.compile(rf"\s*-\s*/?{re.escape(group)}\s*:.*")
        for path in _files(directories):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            for number, line in enumerate(lines, start=1):
                if entry.fullmatch(line):
                    expected = f"the word 'override' before /{group}, which has a choice already"
                    hint = f"write - override /{line.strip('- /')}"
                    return ConfigurationError(f"{path}, line {number}", expected, line.strip(), hint)
    return None


def _files(directories: Sequence[Path]) -> list[Path]:
    return sorted(path for folder in directories for path in folder.rglob("*.yaml") if path.is_file())


def not_text(error: Exception, directories: Sequence[Path]) -> ConfigurationError | None:
    """The user's file that is not UTF-8, if ``error`` is about one."""
    if not any(isinstance(link, UnicodeDecodeError) for link in _chain(error)):
        return None
    for path in _files(directories):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as found:
            return ConfigurationError(str(path), "a text in UTF-8", found.object[found.start : found.end])
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown_choice(error: MissingConfigException) -> ConfigurationError:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or ())
    expected = f"one of {', '.join(options)}" if options else "a configuration that exists"
    return ConfigurationError(group or "configuration", expected, name, closest(name, options))


def _from_omegaconf(error: OmegaConfBaseException, chain: list[BaseException]) -> ConfigurationError:
    override = _first(_OVERRIDE, chain)
    file = _first(_FILE, chain)
    hint = f"in {file[1]}.yaml" if file else ""
    key = error.full_key or ""
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        return _unknown_key(key, hint)
    if isinstance(error, InterpolationResolutionError | UnsupportedInterpolationType):
        return ConfigurationError(key, "a value that resolves", _first_line(error), hint)
    if isinstance(error, ValidationError) and schema.type_of(key) is not None:
        return ConfigurationError(key, schema.allowed(key), error.value, hint)
    if override:
        key, _, value = override[1].lstrip("+~").partition("=")
        return ConfigurationError(key, schema.allowed(key), value, _first_line(error))
    return ConfigurationError(
        key or "configuration", "values of the declared types", _first_line(error), hint
    )


def _unknown_key(key: str, hint: str) -> ConfigurationError:
    section, _, name = key.rpartition(".")
    known = schema.keys_below(section)
    if not known:
        return ConfigurationError(
            key,
            "a key that the configuration lists",
            name,
            hint or f"to add it, write +{key}=...",
        )
    return ConfigurationError(key, f"one of {', '.join(known)}", name, closest(name, known) or hint)


def _from_message(error: Exception) -> ConfigurationError:
    message = str(error)
    if found := _ALREADY_THERE.search(message):
        return ConfigurationError(found[1], "no + before a key that exists", f"+{found[1]}=...")
    if found := _TWICE.search(message):
        return ConfigurationError(found[1], "one choice", f"several +{found[1]}=...")
    if found := _NOT_A_CHOICE.search(message):
        return ConfigurationError(found[1], f"+{found[1]}=<name>", f"{found[1]}=...", "write the plus sign")
    return ConfigurationError("configuration", "parts that fit together", message)


def _first(pattern: re.Pattern[str], chain: list[BaseException]) -> re.Match[str] | None:
    return next((found for link in chain if (found := pattern.search(str(link)))), None)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
