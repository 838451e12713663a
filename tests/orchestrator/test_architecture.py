"""Imports go one way, and the frameworks stay at the edges; read off the source, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("search_spaces", "workloads", "orchestrator")

MAY_IMPORT = {
    # Where work is placed. Algorithms never know of it.
    "ray": (
        "orchestrator/cluster.py",
        "orchestrator/*/study.py",
        "orchestrator/*/ray_*.py",
    ),
    "mlflow": ("orchestrator/tracking/*.py",),
    "hydra": ("orchestrator/__main__.py", "orchestrator/cli/*.py"),
    "omegaconf": ("orchestrator/config.py", "orchestrator/cli/*.py"),
}


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Top-level names of all that a module imports, also in functions; not what only type checkers see."""
    return (name.partition(".")[0] for name in imported_names(path))


def imported_names(path: Path) -> Iterator[str]:
    """Likewise, in full: modules, and what is taken from them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_look_at() -> None:
    assert all(len(modules(package)) > 5 for package in PACKAGES)
    assert "ray" in set(imported(ROOT / "orchestrator" / "cluster.py"))


@pytest.mark.parametrize("position", range(len(PACKAGES)), ids=PACKAGES)
def test_packages_import_only_those_before_them(position: int) -> None:
    later = {*PACKAGES[position + 1 :], "tests"}
    offenders = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(PACKAGES[position])
        for name in imported(path)
        if name in later
    ]
    assert offenders == []


@pytest.mark.parametrize("framework", MAY_IMPORT)
def test_frameworks_stay_at_the_edges(framework: str) -> None:
    users = [path.relative_to(ROOT) for path in modules(*PACKAGES) if framework in imported(path)]
    offenders = [
        str(path) for path in users if not any(path.match(allowed) for allowed in MAY_IMPORT[framework])
    ]
    assert offenders == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in modules(*PACKAGES)
    }

    def module_of(name: str) -> str:
        while name and name not in paths:
            name = name.rpartition(".")[0]
        return name

    graph = {
        name: {module_of(other) for other in imported_names(path)} - {name, ""}
        for name, path in paths.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' imports '.join(reversed(error.args[1]))}")
