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
    "orchestrator.population.explore": "orchestrator.population.rules.explore",
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

_FORMER = {new: old for old, new in MOVED.items()}
_TARGET = "_target_"


def renamed(value: Any) -> Any:
    """A configuration with every ``_target_`` under its present name; plain data."""
    return _with_targets(value, MOVED)


def original(value: Any) -> Any:
    """The opposite of :func:`renamed`, for what is compared with earlier versions."""
    return _with_targets(value, _FORMER)


def present(name: str) -> str | None:
    """Where something is now that an earlier version had as ``name``; None where that has not changed.

    Args:
        name: the dotted name of a module, or of something in one.
    """
    return _looked_up(name, MOVED)


def _looked_up(name: str, places: Mapping[str, str]) -> str | None:
    """``name`` where the innermost package of it that ``places`` has is elsewhere."""
    package = name
    while package:
        if package in places:
            return places[package] + name.removeprefix(package)
        package = package.rpartition(".")[0]
    return None


def _with_targets(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_targets(item, places) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _looked_up(item, places) or item
        if key == _TARGET and isinstance(item, str)
        else _with_targets(item, places)
        for key, item in value.items()
    }


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
