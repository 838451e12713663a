"""Variables and requirements that workers can be given, and what is seen of them."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config.environment import check_travelling, chosen_variables, taken_over
from orchestrator.config.passwords import MASK, has_password, masked
from search_spaces import ConfigurationError


def cluster(**given: Any) -> dict[str, Any]:
    return {"env": {}, "pip": [], "working_dir": None, **given}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"env": {"": "x"}}, "cluster.env: expected names of variables"),
        ({"env": {"Größe": "x"}}, "cluster.env: expected names of variables"),
        ({"env": {"A=B": "x"}}, "cluster.env: expected names of variables"),
        ({"env": {"A": [1]}}, "cluster.env.A: expected a text, a number, or null"),
        ({"env": {"A": "a\0b"}}, "cluster.env.A: expected a text without a zero character"),
        ({"env": {"PYTHONPATH": "/x"}}, "cluster.env: expected no variable .* cluster.working_dir"),
        ({"env": {"OMP_NUM_THREADS": 2}}, "cluster.env: expected no variable .* cluster.cpus_per_trial"),
        ({"env": {"RAY_BACKEND_LOG_LEVEL": "debug"}}, "cluster.env: expected no variable"),
        ({"pip": ["einops", " "]}, r"cluster.pip\[1\]: expected a requirement"),
        ({"pip": ["einops\n--index-url x"]}, r"cluster.pip\[0\]: expected a requirement"),
        ({"pip": ["\0"]}, r"cluster.pip\[0\]: expected a requirement"),
    ],
)
def test_what_no_worker_can_be_given_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        check_travelling(cluster(**given))


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_travelling(cluster(env={"API_KEY": ["hush"]}))
    assert "hush" not in str(refused.value)


def test_values_become_texts_and_null_is_this_processes_own() -> None:
    check_travelling(cluster(env={"A": "grün", "_b2": 0.5}, pip=["einops>=0.8"]))
    env = {"A": "grün", "B": 3, "C": True, "D": None, "E_TOKEN": "***", "F": ""}
    own = {"A": "other", "D": "mine", "E_TOKEN": "hush"}
    texts = {"A": "grün", "B": "3", "C": "true", "D": "mine", "E_TOKEN": "hush", "F": ""}
    assert chosen_variables(env, own) == texts
    with pytest.raises(ConfigurationError, match=r"^cluster.env.D: .*set D where you start the program"):
        chosen_variables({"D": None}, {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+cluster.env.API_KEY=hush resume=x", "+cluster.env.API_KEY=*** resume=x"),
        ("'+cluster.env.my_token=hush'", "'+cluster.env.my_token=***'"),
        ("+cluster.env.API_KEY='hu sh' x", "+cluster.env.API_KEY=*** x"),
        ("cluster.env={A: 1, API_KEY: hush} x", "cluster.env=*** x"),
        (
            "cluster:\n  env:\n    A: 1\n    API_KEY: hush\n  cpus: 1\n",
            "cluster:\n  env:\n    A: 1\n    API_KEY: '***'\n  cpus: 1\n",
        ),
        (
            "cluster:\n  env:\n    API_KEY: |-\n      hush\n      hush\n  cpus: 1\n",
            "cluster:\n  env:\n    API_KEY: '***'\n  cpus: 1\n",
        ),
    ],
)
def test_secret_variables_are_masked_on_command_lines_and_in_printed_configurations(
    text: str, shown: str
) -> None:
    assert masked(text) == shown
    assert has_password(text)
    assert not has_password(masked(text))


@pytest.mark.parametrize(
    "text",
    ["+cluster.env.DATA_DIR=/x", "a:\n  env:\n    A: 1\n    B_KEY: null\n  max_tokens: 3\n", "api_key: 3"],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_the_driver_has_the_variables_of_workers_while_it_builds_and_tries() -> None:
    own = {"KEPT": "a", "CHANGED": "b"}
    with taken_over({"CHANGED": "c", "NEW": True, "KEPT": None, "TOKEN": MASK}, own):
        assert own == {"KEPT": "a", "CHANGED": "c", "NEW": "true"}
    assert own == {"KEPT": "a", "CHANGED": "b"}
