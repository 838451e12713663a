"""The printed command, taken apart as a shell and Hydra do it, names the run directory as it is called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from orchestrator.run.resume_command import quoted, resume_command

PARSER = OverridesParser.create()
SPECIAL = st.text(alphabet=st.sampled_from("ab1/\\'\"$({}[]) ,=:#%?~!&|;<>*@+-^`.\té\n"), max_size=12)


def understood(override: str) -> str:
    """The value that the program sees; as in a study's configuration, interpolations are resolved."""
    value = PARSER.parse_override(override).value()
    return str(OmegaConf.create({"resume": value}).resume)


@settings(max_examples=100)
@given(SPECIAL)
def test_any_directory_survives_shell_and_grammar(name: str) -> None:
    *_, override = shlex.split(resume_command(Path("/x") / name.lstrip("/")))
    assert understood(override) == str(Path("/x") / name.lstrip("/"))


@settings(max_examples=100)
@given(st.one_of(SPECIAL, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)))
@example("${seed}")
@example("\\${seed}\\")
@example("a\\\\'b\\'")
@example("null")
@example("12")
@example("")
def test_a_quoted_text_means_itself(text: str) -> None:
    assert understood(f"resume={quoted(text)}") == text


@pytest.mark.parametrize(
    "name",
    [
        "josé",
        "a#b",
        "a(1)",
        "a,b",
        "o'brien",
        "a=b",
        "a b",
        "a%20b",
        "a?b",
        "$HOME",
        "${seed}",
        '"',
        "\\",
        "~",
        "é\\'",
    ],
)
def test_the_printed_command_names_the_directory(name: str) -> None:
    program, override = resume_command(Path("/x") / name), ""
    *command, override = shlex.split(program)
    assert command == ["python", "-m", "orchestrator"]
    assert understood(override) == f"/x/{name}"


def test_plain_directories_stay_readable() -> None:
    assert resume_command(Path("/x/runs/a-1/20260101-120000")) == (
        "python -m orchestrator resume=/x/runs/a-1/20260101-120000"
    )


def test_what_the_user_allowed_is_repeated() -> None:
    study = {"run": {"config_dir": None}, "allow": [], "cluster": {"address": None}}
    assert resume_command(Path("/x"), study) == "python -m orchestrator resume=/x"
    study |= {
        "run": {"config_dir": "/my conf"},
        "allow": ["torch.optim", "mine"],
        "cluster": {"address": "a:1"},
    }
    command = resume_command(Path("/my run"), study)
    assert command == (
        "python -m orchestrator --config-dir '/my conf' \"resume='/my run'\" 'allow=[torch.optim,mine]' "
        "cluster.address=a:1"
    )


@pytest.mark.parametrize(
    "address", ["auto", "a:1", "10.0.0.1:6379", "ray://head-1:10001", "[::1]:6379", "ray://[fe80::1]:1"]
)
def test_the_address_of_the_cluster_survives_shell_and_grammar(address: str) -> None:
    study = {"run": {"config_dir": None}, "allow": [], "cluster": {"address": address}}
    *_, override = shlex.split(resume_command(Path("/x"), study))
    assert understood(override) == address
