"""Objects from configuration: ``_target_`` names a class or function, the other keys are its arguments.

The subset of Hydra's ``instantiate`` that workers need, without Hydra, and with errors that name the key.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.config.hints import fits, in_words
from search_spaces import ConfigurationError
from search_spaces.extras import advice
from search_spaces.reading import Nothing, closest

TARGET, _PARTIAL = "_target_", "_partial_"
_ABSOLUTE = ("search_space", "objectives")
"""Keys that targets name as they stand in the configuration."""


def instantiate(definition: Mapping[str, Any], key: str, **context: Any) -> Any:
    """Call what ``definition`` names in ``_target_`` with its other keys as keyword arguments.

    Mappings with a ``_target_`` of their own, at any depth, are made first. With ``_partial_: true`` nothing
    is called: the result is the function itself, with the given arguments bound.

    Args:
        definition: plain data.
        key: where it stands in the configuration, for error messages.
        context: further arguments, which the definition cannot set.

    Raises:
        ConfigurationError: the target cannot be imported, or an argument is missing or unknown. Those that
            the target raises itself pass through, their keys placed below ``key`` unless they already name
            it, the search space or the objectives.
    """
    target = target_of(definition, key)
    own = {name: value for name, value in definition.items() if name not in (TARGET, _PARTIAL)}
    for name in own.keys() & context.keys():
        raise ConfigurationError(f"{key}.{name}", "no such argument", own[name], "the program passes it")
    arguments = {name: _made(value, f"{key}.{name}") for name, value in own.items()} | context
    partial = bool(definition.get(_PARTIAL))
    _check_arguments(target, arguments, key, partial)
    if partial:
        return functools.partial(target, **arguments) if arguments else target
    try:
        return target(**arguments)
    except ConfigurationError as error:
        if error.key.partition(".")[0] in (*_ABSOLUTE, key):
            raise
        raise error.within(key) from error


def target_of(definition: Mapping[str, Any], key: str) -> Callable[..., Any]:
    """What ``definition`` names in ``_target_``.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    return _find(definition.get(TARGET), f"{key}.{TARGET}")


def _made(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        if TARGET in value:
            return instantiate(value, key)
        return {name: _made(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_made(item, f"{key}[{index}]") for index, item in enumerate(value)]
    return value


def _find(path: Any, key: str) -> Callable[..., Any]:
    if not isinstance(path, str) or not path.strip("."):
        raise ConfigurationError(key, "the dotted name of a class or function", path)
    module_name, _, name = path.rpartition(".")
    if module_name == "__main__":
        hint = "workers run another __main__; put it into a module of its own"
        raise ConfigurationError(key, "a module that workers can import", path, hint)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        expected = "the dotted name of something importable"
        raise ConfigurationError(key, expected, path, _why_not(error, module_name)) from error
    target = getattr(module, name, None)
    if not callable(target):
        raise ConfigurationError(
            key, f"a class or function of {module_name}", path, closest(name, dir(module))
        )
    found: Callable[..., Any] = target
    return found


def _why_not(error: Exception, module: str) -> str:
    """Why a module could not be imported, with file and line where its own code is at fault."""
    if install := advice(error):
        return f"{error}; {install}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_source(frame.filename)]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{place}{type(error).__name__}: {error}" if place or not str(error) else str(error)


def _is_source(file: str) -> bool:
    """Whether a traceback's file is code that is imported, and not what imports it."""
    return not file.startswith("<") and file not in (__file__, importlib.__file__)


def _check_arguments(
    target: Callable[..., Any], arguments: Mapping[str, Any], key: str, partial: bool
) -> None:
    parameters = _parameters(target)
    if parameters is None:
        return
    name = getattr(target, "__name__", repr(target))
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for argument in () if open_ended else sorted(arguments.keys() - set(known)):
        expected = f"an argument of {name} ({', '.join(known)})"
        raise ConfigurationError(f"{key}.{argument}", expected, argument, closest(argument, known))
    for parameter in parameters:
        below = f"{key}.{parameter.name}"
        if parameter.name in arguments:
            value = arguments[parameter.name]
            if not fits(value, parameter.annotation):
                raise ConfigurationError(below, in_words(parameter.annotation), value)
        elif parameter.name in known and parameter.default is parameter.empty and not partial:
            raise ConfigurationError(below, f"a value, which {name} requires", Nothing())


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """The parameters, their annotations evaluated if possible; None if there is no signature."""
    for evaluate in (True, False):
        with contextlib.suppress(NameError, TypeError, ValueError):
            return list(inspect.signature(target, eval_str=evaluate).parameters.values())
    return None
