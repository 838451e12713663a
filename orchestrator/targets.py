"""Objects from configuration: ``_target_`` names a class or function, the other keys are its arguments.

The subset of Hydra's ``instantiate`` that workers need, without Hydra, and with errors that name the key.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.hints import fits, in_words
from search_spaces import ConfigurationError
from search_spaces.reading import Nothing, closest

_TARGET, _PARTIAL = "_target_", "_partial_"
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
    own = {name: value for name, value in definition.items() if name not in (_TARGET, _PARTIAL)}
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
    return _find(definition.get(_TARGET), f"{key}.{_TARGET}")


def _made(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        if _TARGET in value:
            return instantiate(value, key)
        return {name: _made(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_made(item, f"{key}[{index}]") for index, item in enumerate(value)]
    return value


def _find(path: Any, key: str) -> Callable[..., Any]:
    if not isinstance(path, str) or not path.strip("."):
        raise ConfigurationError(key, "the dotted name of a class or function", path)
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(key, "the dotted name of something importable", path, str(error)) from error
    target = getattr(module, name, None)
    if not callable(target):
        raise ConfigurationError(
            key, f"a class or function of {module_name}", path, closest(name, dir(module))
        )
    found: Callable[..., Any] = target
    return found


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
    """The parameters, their annotations evaluated where they can be; None where there is no signature."""
    for evaluate in (True, False):
        with contextlib.suppress(NameError, TypeError, ValueError):
            return list(inspect.signature(target, eval_str=evaluate).parameters.values())
    return None
