"""Adapters by hand: how many weights they have, what they compute, and that nothing else is trained."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import yaml

from search_spaces import ConfigurationError, build_space
from workloads.contract import Device
from workloads.library.adapters import LAYERS, PARTS, AdaptedGPT, Adapters
from workloads.library.language.gpt import GPT, Block

SMALL: dict[str, Any] = {
    "context": 8,
    "batch_size": 4,
    "pretraining": 3,
    "length": 20_000,
    "evaluated": 4,
}
NONE = dict.fromkeys(PARTS, 0)


@pytest.fixture(scope="module")
def base() -> GPT:
    torch.manual_seed(0)
    return GPT(context=6, layers=2, heads=2, width=8).requires_grad_(False)


def adapted(base: GPT, **sizes: int) -> AdaptedGPT:
    torch.manual_seed(1)
    model = AdaptedGPT(copy.deepcopy(base), [False, True], **{**NONE, **sizes})
    with torch.no_grad():
        for weight in model.layers.parameters():
            weight.normal_()
    return model


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # The last normalisation: 2 x 32. A bottleneck of size s: 32 s + s + 32 s + 32; a prefix: 64 s.
        (NONE, 64),
        ({**NONE, "serial": 3}, 64 + 4 * (65 * 3 + 32)),
        ({**NONE, "parallel": 1, "layer2": 0}, 64 + 3 * (65 + 32)),
        ({**NONE, "prefix": 5, "layer1": 0, "layer4": 0}, 64 + 2 * 64 * 5),
        ({**dict.fromkeys(PARTS, 32)}, 25_152),
        ({**dict.fromkeys(PARTS, 32), **{f"layer{i + 1}": 0 for i in range(LAYERS)}}, 64),
    ],
)
def test_parameters_are_those_of_the_adapters_and_the_last_normalisation(
    config: dict[str, int], expected: int
) -> None:
    assert Adapters(**SMALL).start(config, 0, Device()).advance(0)["parameters"] == expected


def test_without_adapters_and_with_new_bottlenecks_it_is_the_model_itself(base: GPT) -> None:
    inputs = torch.randint(65, (3, 6))
    expected = base(inputs)
    for sizes in (NONE, {**NONE, "serial": 3, "parallel": 2}):
        model = AdaptedGPT(copy.deepcopy(base), [True, True], **sizes)
        assert torch.allclose(model(inputs), expected, atol=1e-6)


def test_bottlenecks_add_what_they_compute(base: GPT) -> None:
    inputs = torch.randint(65, (3, 6))
    model = adapted(base, serial=3, parallel=2)
    first, second = (cast(Block, block) for block in base.blocks)
    features = first(base.characters(inputs) + base.positions[:6], None, None, None)
    features = features + second.attended(features)
    normed = second.norm(features)
    layer: Any = model.layers[1]

    def through(part: Any, values: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(values @ part.down.weight.T + part.down.bias)
        return hidden @ part.up.weight.T + part.up.bias

    fed = second.fed(normed) + 4 * through(layer.parallel, normed)
    expected = base.output(base.norm(features + fed + through(layer.serial, fed)))
    assert torch.allclose(model(inputs), expected, atol=1e-5)


def test_a_prefix_is_attended_to_by_every_character(base: GPT) -> None:
    model = adapted(base, prefix=2)
    inputs = torch.randint(65, (3, 6))
    block, layer = cast(Block, base.blocks[1]), cast(Any, model.layers[1])
    features = torch.randn(3, 6, 8)
    parts = block.attention_input(block.attention_norm(features)).view(3, 6, 3, 2, 4).permute(2, 0, 3, 1, 4)
    queries, keys, values = parts
    heads = []
    for n in range(3):
        for head in range(2):
            known = torch.cat([layer.prefix[0, head], keys[n, head]])
            worth = torch.cat([layer.prefix[1, head], values[n, head]])
            rows = [
                torch.softmax(known[: 2 + i + 1] @ queries[n, head, i] / 4**0.5, 0) @ worth[: 2 + i + 1]
                for i in range(6)
            ]
            heads.append(torch.stack(rows))
    attended = torch.stack(heads).view(3, 2, 6, 4).transpose(1, 2).reshape(3, 6, 8)
    expected = features + block.attention_output(attended)
    expected = expected + block.fed(block.norm(expected))
    assert torch.allclose(layer(block, features), expected, atol=1e-5)
    # No character sees a later one: the first logits do not change with the last character.
    changed = inputs.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 65
    assert torch.equal(model(inputs)[:, :-1], model(changed)[:, :-1])


def test_only_adapters_and_the_last_normalisation_are_trained() -> None:
    session = Adapters(**SMALL).start({"layer3": 0}, 0, Device())
    before = session.state()["model"]
    session.advance(3)
    after = session.state()["model"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(name.startswith(("layers.", "base.norm.")) for name in changed)
    assert not any(name.startswith("layers.2.") for name in after)
    assert {"base.norm.weight", "layers.0.serial.up.weight", "layers.3.prefix"} <= changed


def test_adapters_learn_the_other_text() -> None:
    workload = Adapters(text="tables", context=16, pretraining=60, length=60_000, evaluated=40)
    trained = workload.start({}, 0, Device()).advance(60)
    head = workload.start(NONE, 0, Device()).advance(60)
    assert trained["validation_loss"] < head["validation_loss"] - 0.2


def test_the_space_that_ships_is_the_workloads_own() -> None:
    path = Path(__file__).parents[3] / "conf" / "search_space" / "adapters.yaml"
    shipped = build_space(yaml.safe_load(path.read_text()))
    assert shipped.configuration_space == Adapters(**SMALL).space.configuration_space


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": "code"}, "text: expected one of prose, tables"),
        ({"context": 0}, "context: expected at least 1"),
        ({"pretraining": -1}, "pretraining: expected at least 0"),
        ({"length": 100}, "length: expected at least"),
        ({"start_seed": -1}, "start_seed: expected 0 to"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Adapters(**arguments)
