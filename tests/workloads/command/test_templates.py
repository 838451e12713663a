"""What is filled in, as its readers take it."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from workloads.command.templates import Template

TEXTS = [
    "null",
    "True",
    "1",
    "-0.5",
    "1e3",
    "inf",
    "NaN",
    "café",
    "it's, new",
    "a\\",
    "",
    "nano",
    "a/b.c-d",
    "_",
]


@pytest.mark.parametrize(
    "value", [*TEXTS, 1, -0.5, 1e-05, 1e300, True, False, None, [64, "a"], {"cut": [1.5, None]}]
)
def test_hydra_reads_each_value_as_it_is(value: object) -> None:
    (argument,) = Template.of(["{overrides}"]).fill({}, {"x": value})
    found = OverridesParser.create().parse_override(argument).value()
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize("text", ["adam", "a/b.c-d", "_x"])
def test_texts_that_hydra_takes_for_texts_are_not_quoted(text: str) -> None:
    assert Template.of(["{overrides}"]).fill({}, {"x": text}) == [f"x={text}"]


def test_lists_mappings_and_null_are_written_as_json() -> None:
    values = {"layers": [128, 128], "policy": {"cut": 1}, "schedule": None, "on": True}
    arguments = Template.of(["{hyperparameters}", "{overrides}"]).fill({}, values)
    assert arguments[:4] == ["--layers=[128, 128]", '--policy={"cut": 1}', "--schedule=null", "--on=true"]
    assert arguments[4:] == ["layers=[128,128]", "policy={cut:1}", "schedule=null", "on=true"]
