"""``python -m orchestrator``: finds the verb, carries it out, refuses in one line."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from orchestrator.cli.refusals import refuse
from orchestrator.cli.verbs import VERBS
from orchestrator.run.interrupt import INTERRUPTED

_HELP = "help"
_REPLAY = "replay="
"""The verb as a key, as ``resume=<run directory>`` is one."""
_DIRECTORY = ("--config-dir", "-cd")


def main(argv: Sequence[str]) -> int:
    """Carry out the arguments; returns the exit code: 0 done, 1 failed, 2 refused, 130 interrupted."""
    try:
        verb, arguments = _divided(argv)
        return int(importlib.import_module(f"orchestrator.cli.verbs.{verb}").main(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return refuse(error)
    except ValueError as error:
        from search_spaces.errors import ConfigurationError

        if not isinstance(error, ConfigurationError):
            raise
        return refuse(error)


def _divided(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The verb and its arguments; without a verb a study is run. ``--config-dir DIR`` may stand before it.

    Raises:
        ConfigurationError: the first word is no verb.
    """
    before = _leading_directory(argv)
    if before and _is_word(argv[before:]):
        return _divided([*argv[before:], *argv[:before]])
    if not _is_word(argv):
        named = [argument for argument in argv if argument.startswith(_REPLAY)]
        if not named:
            return "run", argv
        others = [argument for argument in argv if argument not in named]
        return "replay", [*(argument.removeprefix(_REPLAY) for argument in named), *others]
    verb, *others = argv
    if verb == _HELP:
        return _divided([*others[:1], "--help"])
    if verb not in VERBS:
        raise _unknown(verb)
    return verb, others


def _is_word(argv: Sequence[str]) -> bool:
    """Whether the first argument is neither a flag nor an override."""
    return bool(argv) and not argv[0].startswith(("-", "+", "~")) and "=" not in argv[0]


def _leading_directory(argv: Sequence[str]) -> int:
    """How many arguments at the beginning are a user's directory."""
    flag, equals, _ = argv[0].partition("=") if argv else ("", "", "")
    return (1 if equals else 2) if flag in _DIRECTORY else 0


def _unknown(word: str) -> Exception:
    from orchestrator.cli.listing import options, search_path
    from search_spaces.errors import ConfigurationError
    from search_spaces.reading import closest

    known = [*VERBS, _HELP]
    study = f"to run the study: +study={word}" if word in options(search_path(None), "study") else ""
    expected = f"a verb ({', '.join(known)}) or key=value"
    return ConfigurationError("command line", expected, word, study or closest(word, known))
