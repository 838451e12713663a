"""A worker sees the variables that a study gives it."""

from __future__ import annotations

import os

import ray

from orchestrator.engine.travelling import runtime_env, with_variables


def test_a_process_in_the_environment_has_its_variables(ray_cluster: None) -> None:
    given = {"address": None, "env": {"NAME": "grün", "DEPTH": 3}, "pip": [], "working_dir": None}
    environment = runtime_env(with_variables(given, (), {}), None)
    seen = ray.remote(num_cpus=0)(lambda: dict(os.environ)).options(runtime_env=environment)
    variables = ray.get(seen.remote())
    assert variables["NAME"] == "grün"
    assert variables["DEPTH"] == "3"
