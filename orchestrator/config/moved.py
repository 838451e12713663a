"""Names of earlier versions, in run directories that they made and in users' code that imports them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

MOVED = {
    "orchestrator.search.optimizer": "orchestrator.optimizers.base",
    "orchestrator.search.optimizers": "orchestrator.optimizers",
    "orchestrator.search.rungs": "orchestrator.optimizers.rungs",
    "orchestrator.search.stopping": "orchestrator.stopping.rules",
    "workloads.base": "workloads.contract",
    "workloads.digits": "workloads.library.digits",
    "workloads.digits_trade_off": "workloads.library.digits_trade_off",
    "workloads.functions": "workloads.library.functions",
    "workloads.pbt_toy": "workloads.library.pbt_toy",
    "workloads.shakespeare": "workloads.library.shakespeare",
    "workloads.tabular": "workloads.library.tabular",
}
"""Modules and packages that configurations or users name, and where they are now."""

_TARGET = "_target_"


def renamed(value: Any) -> Any:
    """A kept configuration with every ``_target_`` under its present name; plain data."""
    if isinstance(value, list):
        return [renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _renamed(item) if key == _TARGET else renamed(item) for key, item in value.items()}


def original(value: Any) -> Any:
    """The opposite of :func:`renamed`, for what is compared with earlier versions."""
    if isinstance(value, list):
        return [original(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {key: _original(item) if key == _TARGET else original(item) for key, item in value.items()}


def present(name: str) -> str | None:
    """Where something is now that an earlier version had as ``name``; None where that has not changed.

    Args:
        name: the dotted name of a module, or of something in one.
    """
    return next((new + name.removeprefix(old) for old, new in MOVED.items() if _within(name, old)), None)


def _within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def _original(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    # The longest first: one place may lie below another.
    places = sorted(((new, old) for old, new in MOVED.items()), key=lambda place: -len(place[0]))
    return next((old + target.removeprefix(new) for new, old in places if _within(target, new)), target)


def _renamed(target: Any) -> Any:
    return (present(target) if isinstance(target, str) else None) or target


def serve_old_names() -> None:
    """Let this process import what has moved under its old name too: the same module, not a second one."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # Before Python's own finders, which would load the modules of a moved package a second time under
        # their old names.
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder, Loader):
    """Finds modules of earlier versions where they are now."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        return spec_from_loader(fullname, self) if present(fullname) else None

    def exec_module(self, module: ModuleType) -> None:
        name = present(module.__name__)
        assert name is not None  # as ``find_spec`` has seen
        sys.modules[module.__name__] = importlib.import_module(name)
