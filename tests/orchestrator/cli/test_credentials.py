"""The tracking URI's password is nowhere but in one file that only its owner can read."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from orchestrator.run.directory import RunDirectory
from orchestrator.tracking.credentials import put_away, revealed, usable
from search_spaces import ConfigurationError
from tests.orchestrator.cli.conftest import Call, Studies

TOY = "+study=pbt_toy"
URI, MASKED = "http://me:secret@127.0.0.1:5000", "http://me:***@127.0.0.1:5000"


def holding(folder: Path, word: str = "secret") -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and word in path.read_text()]


def test_a_study_sees_the_masked_uri_and_the_recorder_the_real_one(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    outcome = call(TOY, f"tracking.uri={URI}", "run.dir=here")
    assert outcome.code == 0, outcome.err
    config, path, _ = studies.runs[0]
    run = RunDirectory(path)
    assert config["tracking"]["uri"] == MASKED
    assert yaml.safe_load(run.config.read_text()) == config
    assert holding(tmp_path) == ["credentials.json"]
    assert stat.S_IMODE(run.credentials.stat().st_mode) == 0o600
    assert usable(MASKED, run) == URI

    assert call("resume=here").code == 0
    assert studies.runs[1][0]["tracking"]["uri"] == MASKED


def test_a_password_given_again_replaces_the_one_that_was_kept(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    call(TOY, f"tracking.uri={URI}", "run.dir=here")
    run = RunDirectory(tmp_path / "here")
    assert call("resume=here", "tracking.uri=http://me:other@127.0.0.1:5000").code == 0
    assert usable(MASKED, run) == "http://me:other@127.0.0.1:5000"
    assert holding(tmp_path) == []
    assert call("resume=here", "tracking.uri=postgresql://me:third@host/db").code == 0
    assert studies.runs[-1][0]["tracking"]["uri"] == "postgresql://me:***@host/db"
    assert usable(MASKED, run) == "http://me:other@127.0.0.1:5000", "each place has its own"


def test_without_a_kept_password_the_client_library_looks_for_one(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert usable(MASKED, run) == "http://127.0.0.1:5000"
    assert usable("postgresql://me:***@host/db", run) == "postgresql://me@host/db"
    assert usable("postgresql://host/db?user=me&password=***", run) == "postgresql://host/db?user=me"
    assert usable("sqlite:///mlflow.db", run) == "sqlite:///mlflow.db"


def test_a_run_of_an_earlier_version_loses_the_password_when_it_goes_on(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    call(TOY, "run.dir=here")
    run = RunDirectory(tmp_path / "here")
    kept = yaml.safe_load(run.config.read_text())
    kept["tracking"]["uri"] = URI
    run.config.write_text(yaml.safe_dump(kept))
    assert call("resume=here").code == 0
    assert studies.runs[1][0]["tracking"]["uri"] == MASKED
    assert holding(tmp_path) == ["credentials.json"]
    assert usable(MASKED, run) == URI


def test_a_refused_run_leaves_no_password_behind(call: Call, studies: Studies, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()

    def refuse() -> int:
        raise ConfigurationError("tracking.uri", "a server that answers", URI)

    studies.answer = refuse
    outcome = call(TOY, f"tracking.uri={URI}", "run.dir=here")
    assert (outcome.code, "secret" in outcome.err, MASKED in outcome.err) == (2, False, True)
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("flags", [("--cfg", "job"), ("--cfg", "all"), ("--info", "config")])
def test_a_printed_configuration_shows_no_password(flags: tuple[str, str], call: Call) -> None:
    outcome = call(TOY, f"tracking.uri={URI}", *flags)
    assert (outcome.code, MASKED in outcome.out) == (0, True)
    assert "secret" not in outcome.out + outcome.err


def test_a_damaged_file_of_credentials_stops_no_study(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for damaged in ("", "[]"):
        run.credentials.write_text(damaged)
        assert "***" not in usable(MASKED, run)
        put_away({"tracking": {"uri": URI}}, run)
        assert usable(MASKED, run) == URI


def test_sweeps_and_tracebacks_show_no_password(call: Call, studies: Studies) -> None:
    def fail() -> int:
        raise RuntimeError(f"cannot parse {URI}")

    studies.answer = fail
    outcome = call(TOY, "-m", "seed=0,1", f"tracking.uri={URI}")
    assert outcome.code == 1
    assert MASKED in outcome.out and MASKED in outcome.err
    assert "secret" not in outcome.out + outcome.err


def test_a_configuration_with_another_password_is_readable_by_its_owner_alone(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    assert call(TOY, f"study.description='data at {URI}'", "run.dir=here").code == 0
    config = tmp_path / "here" / "config.yaml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert yaml.safe_load(config.read_text())["study"]["description"] == f"data at {URI}"
    assert json.dumps(studies.runs[0][0]).count("secret") == 1


def test_variables_not_for_people_are_kept_with_the_password(
    call: Call, studies: Studies, tmp_path: Path
) -> None:
    given = ("+cluster.env.API_KEY=secret", "+cluster.env.HF_TOKEN=null", "+cluster.env.DATA=/data")
    outcome = call(TOY, *given, f"tracking.uri={URI}", "run.dir=here")
    assert outcome.code == 0, outcome.err
    config, path, _ = studies.runs[0]
    run, env = RunDirectory(path), config["cluster"]["env"]
    assert env == {"API_KEY": "***", "HF_TOKEN": None, "DATA": "/data"}
    assert yaml.safe_load(run.config.read_text()) == config
    assert holding(tmp_path) == ["credentials.json"]
    assert revealed(env, run) == {**env, "API_KEY": "secret"}
    assert usable(MASKED, run) == URI

    refused = call("resume=here")
    assert refused.code == 2
    assert "add 'allow=[cluster.env]'" in refused.err
    assert call("resume=here", "allow=[cluster.env]", "+cluster.env.API_KEY=secret2").code == 0
    env = studies.runs[1][0]["cluster"]["env"]
    assert env["API_KEY"] == "***"
    assert revealed(env, run)["API_KEY"] == "secret2"


def test_what_is_given_again_needs_no_permission(call: Call, studies: Studies) -> None:
    assert call(TOY, "+cluster.env.API_KEY=secret", "cluster.pip=[evil]", "run.dir=here").code == 0
    refused = call("resume=here", "+cluster.env.API_KEY=secret")
    assert refused.code == 2
    assert "cluster.pip: expected nothing" in refused.err
    assert call("resume=here", "+cluster.env.API_KEY=secret", "cluster.pip=[mine]").code == 0
    assert studies.runs[1][0]["cluster"]["pip"] == ["mine"]


def test_printed_configurations_and_refusals_show_no_secret(call: Call, studies: Studies) -> None:
    shown = call(TOY, "+cluster.env.API_KEY=secret", "--cfg", "job")
    assert "API_KEY: '***'" in shown.out
    assert "secret" not in shown.out
    refused = call(TOY, "+cluster.env.API_KEY=secret", "seed=-1x")
    assert refused.code == 2
    assert "secret" not in refused.err
