"""A run directory or a study's file that somebody else made cannot run code by being looked at."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.orchestrator.cli.conftest import Call, Studies

TOY = "+study=pbt_toy"
STUDY = """\
# @package _global_
defaults:
  - override /workload: pbt_toy
  - override /search_space: pbt_toy
study: {name: evil, kind: population}
"""


def tampered(directory: Path, **changes: Any) -> None:
    config = yaml.safe_load((directory / "config.yaml").read_text())
    (directory / "config.yaml").write_text(yaml.safe_dump({**config, **changes}))


def test_a_resumed_directory_cannot_name_code_of_others_nor_allow_it_itself(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    call(TOY, "run.dir=here")
    attack = {"_target_": "os.system", "command": f"touch {tmp_path / 'ran'}"}
    workload = {"_target_": "builtins.dict", "attack": attack}
    tampered(tmp_path / "here", workload=workload, allow=["os", "os.system", "builtins"])
    outcome = call("resume=here")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "workload._target_: expected what this program offers or what is your own" in outcome.err
    assert not (tmp_path / "ran").exists()
    assert "add 'allow=[builtins.dict,os.system]'" in outcome.err
    call("resume=here", "allow=[builtins.dict,os.system]")
    assert (tmp_path / "ran").exists(), "the attack is none"
    assert len(studies.runs) == 1


def test_the_users_permission_is_not_in_the_directory(call: Call, studies: Studies, tmp_path: Path) -> None:
    assert call(TOY, "run.dir=here", "allow=[numpy,torch.optim]").code == 0
    assert call("resume=here", "allow=[numpy]").code == 0
    assert [config["allow"] for config, _, _ in studies.runs] == [["numpy", "torch.optim"], ["numpy"]]
    assert call("resume=here").code == 0
    assert studies.runs[-1][0]["allow"] == []


def test_a_repair_is_asked_for_on_the_command_line_each_time(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    assert call(TOY, "run.dir=here").code == 0
    tampered(tmp_path / "here", repair=True)
    assert call("resume=here").code == call("resume=here", "repair=true").code == 0
    assert [config["repair"] for config, _, _ in studies.runs] == [False, False, True]


def test_a_resumed_directory_cannot_choose_the_cluster(call: Call, studies: Studies, tmp_path: Path) -> None:
    """Ray unpickles what a cluster sends."""
    call(TOY, "run.dir=here")
    cluster = yaml.safe_load((tmp_path / "here" / "config.yaml").read_text())["cluster"]
    tampered(tmp_path / "here", cluster={**cluster, "address": "ray://evil:10001"})
    outcome = call("resume=here", "cluster.max_failures=1")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "add cluster.address=ray://evil:10001" in outcome.err
    assert call("resume=here", "cluster.address=mine:6379").code == 0
    tampered(tmp_path / "here", cluster={**cluster, "address": "auto"})
    assert call("resume=here").code == 0
    assert [config["cluster"]["address"] for config, _, _ in studies.runs[1:]] == ["mine:6379", "auto"]


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['touch ran']", "!!python/name:os.system"])
def test_tags_of_yaml_make_nothing(tag: str, call: Call, tmp_path: Path) -> None:
    call(TOY, "run.dir=here")
    with (tmp_path / "here" / "config.yaml").open("a") as file:
        file.write(f"extra: {tag}\n")
    outcome = call("resume=here")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "resume: expected a run with a valid config.yaml" in outcome.err
    assert not (tmp_path / "ran").exists()


def test_a_kept_configuration_is_plain_data(
    call: Call, studies: Studies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interpolations were resolved when the run began; resolved again, they could read the environment."""
    monkeypatch.setenv("TOKEN", "secret")
    call(TOY, "run.dir=here")
    tampered(tmp_path / "here", study={"name": "a", "kind": "population", "description": "${oc.env:TOKEN}"})
    outcome = call("resume=here", "tracking.experiment=${oc.env:TOKEN}")
    assert outcome.code == 0, outcome.err
    assert studies.runs[1][0]["study"]["description"] == "${oc.env:TOKEN}"
    assert studies.runs[1][0]["tracking"]["experiment"] == "secret"


@pytest.mark.parametrize(
    "section",
    [
        {"callbacks": {"evil": {"_target_": "tests.orchestrator.cli.test_resumed_directories.Evil"}}},
        {
            "job_logging": {
                "version": 1,
                "handlers": {"evil": {"()": "tests.orchestrator.cli.test_resumed_directories.Evil"}},
                "root": {"handlers": ["evil"]},
            }
        },
    ],
    ids=["callbacks", "logging"],
)
def test_a_studys_file_cannot_use_hydra_to_run_code(
    section: dict[str, Any], call: Call, studies: Studies, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "study").mkdir(parents=True)
    text = STUDY + yaml.safe_dump({"hydra": section})
    (tmp_path / "mine" / "study" / "evil.yaml").write_text(text)
    assert call("--config-dir", "mine", "+study=evil").code == 0
    assert Evil.made == 0
    assert "hydra" not in studies.runs[0][0]


class Evil(logging.Handler):
    """Notes that it was made."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Evil.made += 1
