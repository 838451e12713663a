"""Objects from configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.targets import instantiate
from search_spaces import ConfigurationError

HERE = __name__


class Box:
    def __init__(self, space: object, inner: Any = None, size: int | None = 1, ratio: float = 0.5) -> None:
        if size == 0:
            raise ConfigurationError("size", "a size above 0", size)
        self.space, self.inner, self.size, self.ratio = space, inner, size, ratio


def add(a: int, b: int) -> int:
    return a + b


def test_makes_nested_objects_and_passes_the_context() -> None:
    definition = {"_target_": f"{HERE}.Box", "inner": [{"sum": {"_target_": f"{HERE}.add", "a": 1, "b": 2}}]}
    box = instantiate(definition, "box", space="the space")
    assert (box.space, box.inner, box.size) == ("the space", [{"sum": 3}], 1)


def test_partial_gives_the_function_with_arguments_bound() -> None:
    bound = instantiate({"_target_": f"{HERE}.add", "_partial_": True, "a": 1}, "add")
    assert bound(b=2) == 3
    assert instantiate({"_target_": f"{HERE}.add", "_partial_": True}, "add") is add


def test_whole_numbers_are_numbers_and_optional_values_may_be_null() -> None:
    box = instantiate({"_target_": f"{HERE}.Box", "ratio": 1, "size": None}, "box", space=None)
    assert (box.ratio, box.size) == (1, None)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({}, "box._target_: expected the dotted name of a class or function, got None"),
        ({"_target_": "Box"}, "box._target_: expected the dotted name of something importable, got 'Box'"),
        ({"_target_": f"{HERE}.Bax"}, "did you mean 'Box'?"),
        ({"_target_": f"{HERE}.HERE"}, f"box._target_: expected a class or function of {HERE}"),
        ({"_target_": f"{HERE}.Box", "sise": 1}, "box.sise: expected an argument of Box (space, inner, size"),
        ({"_target_": f"{HERE}.Box", "space": 1}, "box.space: expected no such argument, got 1"),
        ({"_target_": f"{HERE}.Box", "size": "x"}, "box.size: expected an integer or null, got 'x'"),
        ({"_target_": f"{HERE}.Box", "size": True}, "box.size: expected an integer or null, got True"),
        ({"_target_": f"{HERE}.Box", "size": 0}, "box.size: expected a size above 0, got 0"),
        (
            {"_target_": f"{HERE}.Box", "inner": [{"_target_": f"{HERE}.add", "a": 1}]},
            "box.inner[0].b: expected a value, which add requires, got nothing",
        ),
    ],
)
def test_an_error_names_the_key(definition: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        instantiate(definition, "box", space=None)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def f(:\n", "faulty_module.py:1: SyntaxError: invalid syntax"),
        ("x = 1\nx.missing\n", "faulty_module.py:2: AttributeError: 'int' object has no attribute 'missing'"),
        (
            "\nimport absent_package\n",
            "faulty_module.py:2: ModuleNotFoundError: No module named 'absent_package'",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_says_where(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "faulty_module.py").write_text(code)
    with pytest.raises(ConfigurationError) as refused:
        instantiate({"_target_": "faulty_module.f"}, "workload")
    assert reason in str(refused.value) and "\n" not in str(refused.value)


def test_a_target_in_main_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected a module that workers can import"):
        instantiate({"_target_": "__main__.f"}, "workload")
