import pytest

from search_spaces import ConfigurationError, build_space
from search_spaces.fitting import fitted

SPACE = build_space(
    {
        "parameters": {
            "rate": {"type": "float", "low": 0.0, "high": 1.0, "default": 0.25},
            "width": {"type": "int", "low": 8, "high": 64},
            "depth": {"type": "ordinal", "values": [1, 2, 4]},
            "kind": {"type": "categorical", "choices": ["sgd", "adam", True]},
            "momentum": {"type": "float", "low": 0.0, "high": 0.9, "default": 0.5},
            "epochs": {"type": "constant", "value": 3},
        },
        "conditions": [{"child": "momentum", "parent": "kind", "equals": "sgd"}],
    }
)
WHOLE = {"rate": 0.5, "width": 16, "depth": 2, "kind": "adam"}


def test_a_configuration_of_the_same_space_stays_as_it_is() -> None:
    fit = fitted({**WHOLE, "epochs": 3}, SPACE)
    assert (fit.config, fit.unknown, fit.assumed) == ({**WHOLE, "epochs": 3}, (), ())


def test_what_the_space_does_not_have_is_left_out_and_what_is_missing_has_its_default() -> None:
    given = {"width": 16, "depth": 2, "kind": "sgd", "warmup": 10}
    fit = fitted(given, SPACE)
    assert fit.config == {"rate": 0.25, "width": 16, "depth": 2, "kind": "sgd", "momentum": 0.5, "epochs": 3}
    assert (fit.unknown, fit.assumed) == (("warmup",), ("rate", "momentum"))


def test_inactive_parameters_are_left_out() -> None:
    assert "momentum" not in fitted({**WHOLE, "momentum": 0.1}, SPACE).config


@pytest.mark.parametrize(
    "written",
    [
        {"rate": "0.5", "width": 16.0, "depth": "2", "kind": "adam", "momentum": float("nan")},
        {"rate": 0.5, "width": "16", "depth": 2.0, "kind": "adam", "momentum": None},
    ],
)
def test_values_are_read_as_tables_hold_them(written: dict[str, object]) -> None:
    config = fitted(written, SPACE).config
    assert config == {**WHOLE, "epochs": 3}
    assert [type(config[name]) for name in WHOLE] == [float, int, int, str]


@pytest.mark.parametrize(
    ("name", "value"), [("rate", 1.5), ("width", 16.5), ("depth", 3), ("kind", "lion"), ("epochs", 4)]
)
def test_values_out_of_their_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: expected"):
        fitted({**WHOLE, name: value}, SPACE)
