"""Imports go one way, and the frameworks stay at the edges; read off the source, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("search_spaces", "workloads", "orchestrator")

MAY_IMPORT = {
    # Where work is placed. Algorithms never know of it.
    "ray": (
        "orchestrator/cluster.py",
        "orchestrator/ray_*.py",
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
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield (node.module or "").partition(".")[0]


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
