"""Pages made from the program: docs/reference from the schema and the choices in conf, the site's first page
from the README.

``python -m tests.documentation.reference`` writes them. A test holds that they are up to date.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from orchestrator.config.schema import Root
from orchestrator.optimizers.auto_rules import RULES, in_words

ROOT = Path(__file__).parents[2]
CONF, FOLDER = ROOT / "conf", ROOT / "docs"
COMMAND = "python -m tests.documentation.reference"
MADE = f"<!-- Made by `{COMMAND}` from the program; do not edit. -->\n"

GROUPS = {
    "population": "Population methods",
    "population/exploit": "Exploit rules",
    "population/explore": "Explore rules",
    "optimizer": "Optimizers",
    "search/stopping": "Stopping rules",
    "suite": "Suites of tasks",
    "workload": "Workloads",
    "study": "Studies",
}
"""Config groups that have a page, with its title."""

EXPLAINED = ("population", "population/exploit", "population/explore", "search/stopping")
"""Groups whose choices are algorithms: their pages have what the classes say."""

_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")


def plain(text: str) -> str:
    """Docstring markup as Markdown."""
    text = _ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


def attributes(declared: type) -> dict[str, str]:
    """What the docstring of a section says of its keys."""
    _, _, section = inspect.cleandoc(declared.__doc__ or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if key := re.match(r"    (\w+): (.*)", line):
            name, found[key[1]] = key[1], key[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return {key: plain(text) for key, text in found.items()}


def default_of(field: dataclasses.Field[Any]) -> str:
    """What holds where a key is not given, as YAML."""
    value = field.default
    if isinstance(field.default_factory, type):
        value = field.default_factory()
    if value is dataclasses.MISSING or value == "???":
        return "by the study"
    if isinstance(value, Enum):
        value = value.value
    return f"`{yaml.safe_dump(value, default_flow_style=True).partition(chr(10))[0]}`"


def sections(declared: type = Root, key: str = "") -> Iterator[tuple[str, type]]:
    """Sections of the configuration by their dotted keys, the root first."""
    yield key, declared
    hints = typing.get_type_hints(declared)
    for field in dataclasses.fields(declared):
        if dataclasses.is_dataclass(hints[field.name]):
            yield from sections(hints[field.name], f"{key}.{field.name}".lstrip("."))


def listed(declared: type) -> Iterator[tuple[str, type]]:
    """Sections that stand in lists and mappings, by the class's name."""
    for hint in typing.get_type_hints(declared).values():
        for inner in typing.get_args(hint):
            if dataclasses.is_dataclass(inner) and isinstance(inner, type):
                yield inner.__name__, inner


def table(declared: type, key: str) -> str:
    """The keys of one section."""
    hints, told = typing.get_type_hints(declared), attributes(declared)
    rows = [
        f"| `{f'{key}.' if key else ''}{field.name}` | {default_of(field)} | {told.get(field.name, '')} |"
        for field in dataclasses.fields(declared)
        if not dataclasses.is_dataclass(hints[field.name])
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows]) + "\n"


def keys() -> str:
    """The page of all keys."""
    parts = [
        MADE,
        "# Every key\n",
        "Dotted keys set a value (`population.size=8`); group names choose a file (`optimizer=random`).",
        "The defaults are the schema's; a study's own file comes before them.\n",
    ]
    inner: dict[str, type] = {}
    for key, declared in sections():
        parts += [
            f"## {f'`{key}`' if key else 'The whole'}\n",
            plain(_first(declared)) + "\n",
            table(declared, key),
        ]
        inner |= dict(listed(declared))
    for name, declared in inner.items():
        parts += [f"## An entry: {name.removesuffix('Config').lower()}\n", plain(_first(declared)) + "\n"]
        parts += [table(declared, "")]
    return "\n".join(parts)


def _first(declared: type) -> str:
    return inspect.cleandoc(declared.__doc__ or "").partition("\n\n")[0]


def comment(file: Path) -> str:
    """The comment at the top of a choice, on one line."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def about(file: Path) -> str:
    """What a choice is: its description, or the comment at its top."""
    text = file.read_text(encoding="utf-8")
    content = yaml.safe_load(text) or {}
    described = (content.get("study") or {}).get("description", "")
    return ". ".join(part.rstrip(".") for part in (described, comment(file)) if part) + "."


def target(file: Path) -> type | None:
    """The class that a choice of an algorithm makes; None: it composes others."""
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    definition: Mapping[str, Any] = content.get("method") or content
    name = definition.get("_target_")
    if name is None:
        return None
    module, _, member = name.rpartition(".")
    found = getattr(importlib.import_module(module), member)
    return found if isinstance(found, type) else None


def explained(file: Path) -> str:
    """A choice with all that its class says, the arguments as a list."""
    made = target(file)
    told = inspect.cleandoc(made.__doc__ or "") if made is not None else ""
    prose, _, arguments = told.partition("Args:\n")
    items = re.sub(r"^    (\w+): ", r"- `\1`: ", arguments.partition("\n\n")[0], flags=re.MULTILINE)
    parts = [f"## `{file.stem}`\n", about(file) + "\n", plain(prose).strip() + "\n"]
    if items.strip():
        parts.append(plain(re.sub(r"^ {8}", "  ", items, flags=re.MULTILINE)).rstrip() + "\n")
    return "\n".join(part for part in parts if part.strip())


def choices(group: str, title: str) -> str:
    """The page of one config group."""
    files = sorted((CONF / group).glob("*.yaml"))
    head = [MADE, f"# {title}\n", f"Chosen with `{group}=<name>`; a study's own folder may hold more.\n"]
    if group == "study":
        head[2] = "Started with `python -m orchestrator +study=<name>`.\n"
    if group in EXPLAINED:
        return "\n".join([*head, *map(explained, files)])
    rows = [f"| `{file.stem}` | {about(file)} |" for file in files]
    return "\n".join([*head, "| name | |", "|---|---|", *rows]) + "\n"


def rules() -> str:
    """The table that ``auto`` chooses by."""
    head = [
        "\n## What `auto` takes\n",
        "The first line that fits holds.\n",
        "| where | it takes |",
        "|---|---|",
    ]
    return "\n".join([*head, *(f"| {rule.where} | {in_words(rule.phases)} |" for rule in RULES)]) + "\n"


def index() -> str:
    """The site's first page: the README, as it reads from the folder of the docs."""
    return MADE + "\n" + (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")


def pages() -> dict[str, str]:
    """All pages by their file below docs."""
    made = {"index.md": index(), "reference/keys.md": keys()}
    names = {group: f"reference/{group.replace('/', '_')}.md" for group in GROUPS}
    made |= {names[group]: choices(group, title) for group, title in GROUPS.items()}
    made[names["optimizer"]] += rules()
    return made


def main() -> None:
    (FOLDER / "reference").mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
