"""Whose code a configuration may run: every ``_target_`` is judged before anything is made of it.

A configuration may come from somebody else, above all that of a run directory that is resumed. What it names
is made only where this program offers it, where it is the user's own, or where the user allows it by name.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from typing import Any

from orchestrator.config.environment import TRAVELLING
from orchestrator.config.targets import TARGET, target_of
from orchestrator.run.directory import RunDirectory
from search_spaces import ConfigurationError

_PROJECT = ("orchestrator", "workloads", "search_spaces")
_OFFERING = (
    "workloads",
    "orchestrator.optimizers",
    "orchestrator.stopping",
    "orchestrator.population.rules",
    "orchestrator.population.methods",
    "orchestrator.preference.judges",
)
"""Where this program keeps what a configuration may choose."""
_ROLES = ("start", "ask", "serves", "window", "prefer")
"""What marks a class there as a workload, an optimizer, a rule or a judge."""
_PARTS = {
    ("workloads.contract", "Objective"),
    ("workloads.contract", "Fidelity"),
    ("workloads.function", "from_function"),
    ("workloads.given", "taken"),
}
"""What else workloads are made of."""
_ADAPTED = ("workloads.library.adapted", "train")
"""Modules that offer a training loop each, and its name."""
_PROGRAMS = "workloads.command"
"""What starts any program that its configuration names, so that a run directory must not choose it itself."""
_OFFERED = "one of this program's workloads, optimizers or rules"
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Trust:
    """Whose code may run.

    Args:
        folders: where the user's own modules lie: the working directory and ``--config-dir``.
        allow: packages, modules and single objects that the user trusts besides these.
        resumed: a run directory, whose modules are not the user's wherever it lies; None: a new run.
    """

    folders: tuple[Path, ...]
    allow: tuple[str, ...] = ()
    resumed: Path | None = None

    def covers(self, module: str) -> bool:
        """Whether code of ``module`` may run. Nothing is imported to find out."""
        if self.allows(module):
            return True
        top = module.partition(".")[0]
        if top in _PROJECT:
            return any(_within(module, place) for place in _OFFERING)
        if top in sys.stdlib_module_names or top == "__main__":
            return False
        files = [file for file in _origins(module) if file is not None]
        return bool(files) and all(self._is_own(Path(file)) for file in files)

    def allows(self, module: str) -> bool:
        """Whether the user allows a module, or a package that it belongs to, by name."""
        return any(_within(module, allowed) for allowed in self.allow)

    def _is_own(self, file: Path) -> bool:
        return any(self._lies_in(file, folder) for folder in self.folders) and not any(
            self._is_run(folder) for path in (file.absolute(), file.resolve()) for folder in path.parents
        )

    def _lies_in(self, file: Path, folder: Path) -> bool:
        """Whether ``file`` is below ``folder``, but not in an environment that lies there too."""
        for path in (file.absolute(), file.resolve()):
            for root in (folder.absolute(), folder.resolve()):
                if path.is_relative_to(root) and not {*path.relative_to(root).parts} & {*_INSTALLED}:
                    return True
        return False

    def _is_run(self, folder: Path) -> bool:
        """Whether what lies in ``folder`` may have come with a run directory."""
        run = RunDirectory(folder)
        resumed = self.resumed is not None and folder == self.resumed.resolve()
        return resumed or (run.config.exists() and run.journal.exists())


def check_targets(config: Mapping[str, Any], trust: Trust) -> None:
    """Refuse a configuration that would run code of people whom the user does not trust.

    First every name is judged, without importing any; then what the names stand for, since a module also
    reaches what it has imported from others.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: it names something that is neither offered, the user's own nor allowed.
    """
    targets = list(_targets(config, ""))
    for key, target in targets:
        _check_name(key, target)
    strangers = [one for one in targets if one[1] not in trust.allow and not trust.covers(_module(one[1]))]
    if strangers:
        raise _refused(strangers, trust)
    for key, target in targets:
        found = target_of({TARGET: target}, key.removesuffix(f".{TARGET}"))
        if target in trust.allow:
            continue
        definer = _definer(found)
        if not trust.covers(definer):
            hint = f"{definer} defines it; if you trust it, add {_allowing(trust, [target])}"
            raise ConfigurationError(key, f"something that {_module(target)} defines itself", target, hint)
        if trust.resumed is not None and _within(definer, _PROGRAMS) and not trust.allows(definer):
            expected = "no programs, since they come from a run directory that anybody may have made"
            hint = f"if it is yours, or you have read its config.yaml, add {_allowing(trust, [_PROGRAMS])}"
            raise ConfigurationError(key, expected, target, hint)
        if _of_project(definer) and not (_is_offered(found) or trust.allows(definer)):
            raise ConfigurationError(key, _OFFERED, target)


def permissions(config: Mapping[str, Any]) -> tuple[str, ...]:
    """All that a run with this configuration has to be allowed when it goes on."""
    programs = [_PROGRAMS for _, target in _targets(config, "") if _within(str(target), _PROGRAMS)]
    cluster = config.get("cluster", {})
    travelling = [f"cluster.{key}" for key in TRAVELLING if cluster.get(key)]
    return tuple(dict.fromkeys((*config["allow"], *programs, *travelling)))


def check_travelling(kept: Mapping[str, Any], given: Mapping[str, Any], allow: Sequence[str]) -> None:
    """Refuse what a run directory would send to workers, since it decides there what code does.

    Args:
        kept: the part ``cluster`` of the configuration that a run goes on with.
        given: that of the command line.
        allow: what the user trusts.

    Raises:
        ConfigurationError: something comes from the run directory alone and is not allowed by its key.
    """
    for key in TRAVELLING:
        name = f"cluster.{key}"
        if kept[key] and kept[key] != given[key] and name not in allow:
            expected = "nothing, since it comes from a run directory that anybody may have made"
            hint = f"if it is yours, or you have read its config.yaml, add {_shell_allow((*allow, name))}"
            shown = list(kept[key]) if key == "env" else kept[key]
            raise ConfigurationError(name, expected, shown, hint)


def _targets(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every ``_target_`` at any depth, with its key."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            below = f"{key}.{name}" if key else str(name)
            if name == TARGET:
                yield below, item
            else:
                yield from _targets(item, below)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _targets(item, f"{key}[{index}]")


def _check_name(key: str, target: object) -> None:
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
        raise ConfigurationError(key, "the dotted name of a class or function", target)
    if _module(target) == "__main__":
        hint = "workers run another __main__; put it into a module of its own"
        raise ConfigurationError(key, "a module that workers can import", target, hint)
    if "." not in target or not _is_there(_module(target)):
        hint = f"there is no module {_module(target)!r}" if "." in target else "its module is missing"
        raise ConfigurationError(key, "the dotted name of something importable", target, hint)


def _refused(strangers: Sequence[tuple[str, str]], trust: Trust) -> ConfigurationError:
    key, target = strangers[0]
    if _of_project(target):
        return ConfigurationError(key, _OFFERED, target)
    names = [name for _, name in strangers if not _of_project(name)]
    hint = f"if you trust it, add {_allowing(trust, [_suggested(name) for name in names])}"
    return ConfigurationError(key, "what this program offers or what is your own", target, hint)


def _suggested(target: str) -> str:
    """The narrowest useful permission: a library's module, but a single object of Python itself."""
    module = _module(target)
    return target if module.partition(".")[0] in sys.stdlib_module_names else module


def _allowing(trust: Trust, names: Sequence[str]) -> str:
    """The override that also allows ``names``, quoted for a shell."""
    return _shell_allow((*trust.allow, *names))


def _shell_allow(names: Sequence[str]) -> str:
    return f"'allow=[{','.join(dict.fromkeys(names))}]'"


def _module(target: str) -> str:
    return target.rpartition(".")[0]


def _within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def _of_project(name: str) -> bool:
    return name.partition(".")[0] in _PROJECT


def _is_there(module: str) -> bool:
    """Whether there is anything to judge; a module that its package makes itself is found by importing."""
    return any(True for _ in _origins(module))


def _origins(module: str) -> Iterator[str | None]:
    """The files of the packages around a module and its own, as far as they are known without importing.

    None stands for a folder without a file of its own.
    """
    places: Sequence[str] | None = None
    for name in accumulate(module.split("."), "{}.{}".format):
        if name in sys.modules:
            spec = getattr(sys.modules[name], "__spec__", None)
        else:
            spec = importlib.util.find_spec(name) if places is None else _below(name, places)
        if spec is None:
            return
        yield spec.origin
        places = list(spec.submodule_search_locations or ())


def _below(name: str, places: Sequence[str]) -> ModuleSpec | None:
    """The spec of a module in the folders of its package, which Python itself would have to import first."""
    folders: list[str] = []
    for finder in filter(None, map(pkgutil.get_importer, places)):
        spec = finder.find_spec(name)
        if spec is not None and spec.loader is not None:
            return spec
        folders += (spec and spec.submodule_search_locations) or ()
    if not folders:
        return None
    package = ModuleSpec(name, None, is_package=True)
    package.submodule_search_locations = folders
    return package


def _definer(found: Any) -> str:
    """The module that defines a class or function, or the class of another object."""
    while isinstance(found, functools.partial):
        found = found.func
    owner = found if inspect.isclass(found) or inspect.isroutine(found) else type(found)
    return str(getattr(owner, "__module__", None) or type(owner).__module__)


def _is_offered(found: Any) -> bool:
    """Whether an object of this program is one that a configuration may choose."""
    name = getattr(found, "__name__", "")
    if (_definer(found), name) in _PARTS or (_definer(found).rpartition(".")[0], name) == _ADAPTED:
        return True
    return (
        inspect.isclass(found) and not name.startswith("_") and any(hasattr(found, role) for role in _ROLES)
    )
