"""From a resolved configuration to the objects of a preference study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.config.targets import instantiate
from orchestrator.config.workload import assemble_workload
from orchestrator.optimizers.extras import needs_extra
from orchestrator.preference.duel import Duel
from orchestrator.preference.judges import Judge
from search_spaces import ConfigurationError, SearchSpace, build_space
from search_spaces.reading import Nothing
from workloads.contract import Workload


@dataclass(frozen=True)
class PreferenceParts:
    """What a preference study is made of.

    Args:
        judge: the program that answers; None: a person does.
    """

    space: SearchSpace
    workload: Workload
    duel: Duel
    judge: Judge | None


def assemble_preference(config: Mapping[str, Any]) -> PreferenceParts:
    """Build and check the objects that a preference study's configuration describes.

    Args:
        config: the whole configuration, resolved, as plain data.

    Raises:
        ConfigurationError: something cannot be built, or does not fit with the rest; the key is absolute.
    """
    settings = config["preference"]
    space = build_space(config["search_space"], "search_space")
    _check(config, space)
    workload = assemble_workload(config, space)
    judge = _judge(settings["judge"])
    with needs_extra("botorch", "a preference study"):
        import orchestrator.preference.model  # noqa: F401 - fail now, not at the first model
    return PreferenceParts(space, workload, Duel(workload, space, config["seed"], settings["initial"]), judge)


def _check(config: Mapping[str, Any], space: SearchSpace) -> None:
    if space.codec.dim == 0:
        expected = "at least one parameter that is not a constant"
        raise ConfigurationError("search_space", expected, list(space.names))
    if (address := config["cluster"]["address"]) is not None:
        expected = "null for a preference study, which makes its results in the process that asks"
        raise ConfigurationError("cluster.address", expected, address)
    if config.get("schedule") is not None:
        raise ConfigurationError("schedule", "none for a preference study", "a schedule")


def _judge(definition: Mapping[str, Any]) -> Judge | None:
    if not definition:
        return None
    judge: Judge = instantiate(definition, "preference.judge")
    if not callable(getattr(judge, "prefer", None)):
        expected = "something with a method prefer(question) (orchestrator.preference.judges)"
        raise ConfigurationError("preference.judge._target_", expected, definition.get("_target_", Nothing()))
    return judge
