"""The reference pages say what the program is now."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.cli.schema import keys_below
from orchestrator.config.schema import Root
from tests.documentation.reference import COMMAND, CONF, FOLDER, ROOT, attributes, keys, pages, sections

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_up_to_date(name: str) -> None:
    file = FOLDER / name
    assert file.exists() and file.read_text(encoding="utf-8") == PAGES[name], f"run `{COMMAND}`"


def test_no_page_is_left_over() -> None:
    there = {f"reference/{file.name}" for file in (FOLDER / "reference").iterdir()}
    assert there == {*PAGES} - {"index.md"}


def test_every_key_of_the_schema_is_there() -> None:
    text = keys()
    for section in (field.name for field in dataclasses.fields(Root)):
        for key in keys_below(section):
            assert f"`{section}.{key}`" in text


@pytest.mark.parametrize("declared", [one for _, one in sections()])
def test_every_key_is_explained(declared: type) -> None:
    inner = {key.rpartition(".")[2] for key, _ in sections()}
    missing = {field.name for field in dataclasses.fields(declared)} - {*attributes(declared)} - inner
    assert not missing, f"the docstring of {declared.__name__} says nothing of {missing}"


def test_the_readme_counts_what_there_is() -> None:
    methods, optimizers = (len([*(CONF / group).glob("*.yaml")]) for group in ("population", "optimizer"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{methods} population methods, {optimizers} optimizers" in readme
