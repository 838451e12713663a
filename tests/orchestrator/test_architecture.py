"""Imports go one way, and the frameworks stay at the edges; read off the source, nothing is imported.

Imports inside functions count like any other.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("search_spaces", "workloads", "orchestrator")

VOCABULARY, CLI = "vocabulary", "cli"
LAYERS = (
    VOCABULARY,  # the modules at the top of the package
    "config",
    "run",
    "preflight",
    "optimizers",
    "stopping",
    "population",
    "search",
    "preference",
    "benchmark",
    "engine",
    "analysis",
    "reporting",
    "tracking",
    "studies",
    CLI,
    "api",  # studies from Python: above the command line, which it calls
)
"""Packages of ``orchestrator``; each may import from itself and from those before it."""

MAY_IMPORT = {
    # Where work is placed. Algorithms never know of it.
    "ray": ("orchestrator.engine",),
    "mlflow": ("orchestrator.tracking",),
    "hydra": ("orchestrator.cli",),
    "omegaconf": ("orchestrator.config.schema", "orchestrator.config.kinds", "orchestrator.cli"),
    "plotly": ("orchestrator.reporting",),
    "matplotlib": ("orchestrator.reporting",),
}
"""Packages and modules that may import a framework."""

MOST_AT_THE_TOP = 10
MOST_LINES, MOST_CODE = 300, 40
"""In a module, and of code in a function: its signature too, but no docstrings, comments or blank lines."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: Mapping[str, Path] = {
    name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
}


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Full names of all that a module imports, also in functions and for type checkers alone."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def module_of(name: str) -> str:
    """The module of ours that a name is, or is in; empty where it is none of ours."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@cache
def imports() -> Mapping[str, set[str]]:
    """By module, the others of ours that it imports; read when a test wants it, not by all that collect."""
    return {name: {module_of(one) for one in imported(path)} - {name, ""} for name, path in MODULES.items()}


OWN = [name for name in MODULES if name.partition(".")[0] == "orchestrator"]
ENTRIES = ("orchestrator", "orchestrator.__main__")


def layer_of(module: str) -> int:
    if module in ENTRIES:
        return LAYERS.index(CLI)
    first = module.split(".")[1]
    return LAYERS.index(first) if first in LAYERS else LAYERS.index(VOCABULARY)


def test_there_is_something_to_look_at() -> None:
    assert all(sum(name.startswith(package) for name in MODULES) > 5 for package in PACKAGES)
    assert all(any(layer_of(name) == layer for name in OWN) for layer in range(len(LAYERS)))


@pytest.mark.parametrize("position", range(len(PACKAGES)), ids=PACKAGES)
def test_packages_import_only_those_before_them(position: int) -> None:
    later = {*PACKAGES[position + 1 :], "tests"}
    offenders = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if module.partition(".")[0] == PACKAGES[position]
        for name in imported(path)
        if name.partition(".")[0] in later
    ]
    assert offenders == []


def test_layers_import_only_those_before_them() -> None:
    offenders = [
        f"{module} imports {other}"
        for module in OWN
        for other in sorted(imports()[module])
        if other in OWN and layer_of(other) > layer_of(module)
    ]
    assert offenders == []


def test_every_folder_is_a_layer() -> None:
    folders = {path.name for path in (ROOT / "orchestrator").iterdir() if any(path.glob("*.py"))}
    assert folders == {*LAYERS} - {VOCABULARY}


def test_no_module_imports_itself_by_a_detour() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_top_holds_the_vocabulary_alone() -> None:
    assert len(list((ROOT / "orchestrator").glob("*.py"))) <= MOST_AT_THE_TOP


@pytest.mark.parametrize("framework", MAY_IMPORT)
def test_frameworks_stay_at_the_edges(framework: str) -> None:
    users = [
        module
        for module, path in MODULES.items()
        if framework in {name.partition(".")[0] for name in imported(path)}
    ]
    assert users, f"nothing imports {framework}"
    homes = MAY_IMPORT[framework]
    assert [user for user in users if not any(f"{user}.".startswith(f"{home}.") for home in homes)] == []


def lines_of_code(path: Path) -> set[int]:
    """Those with more than a docstring or a comment."""
    nothing = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    with path.open(encoding="utf-8") as file:
        found = [one for one in tokenize.generate_tokens(file.readline) if one.type not in nothing]
    code = {line for one in found for line in range(one.start[0], one.end[0] + 1)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            code.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return code


def long_functions(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    spans = [(one.name, range(one.lineno, (one.end_lineno or one.lineno) + 1)) for one in functions]
    if any(len(span) > MOST_CODE for _, span in spans):
        code = lines_of_code(path)
        counts = ((name, len(code.intersection(span))) for name, span in spans)
        yield from (f"{path}: {name} has {count}" for name, count in counts if count > MOST_CODE)


def test_modules_are_one_thought_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values()}
    assert {str(path): lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_functions_are_one_thought_long() -> None:
    assert [line for path in MODULES.values() for line in long_functions(path)] == []


def test_of_a_function_its_code_counts_and_nothing_else(tmp_path: Path) -> None:
    """So that the limits can be broken."""
    code = [f"    a{n} = 1  # a comment" for n in range(MOST_CODE - 1)]
    rest = ['    """Two', '    lines."""', "", "    # A comment."]
    path = tmp_path / "module.py"
    path.write_text("\n".join(["def f():", *rest, *code, ""]))
    assert list(long_functions(path)) == []
    path.write_text("\n".join(["def f():", *rest, *code, "    return a0", ""]))
    assert list(long_functions(path)) == [f"{path}: f has {MOST_CODE + 1}"]
