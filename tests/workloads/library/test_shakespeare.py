from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from search_spaces import ConfigurationError
from tests.workloads.torch.packed.cases import write_text
from workloads.contract import Device
from workloads.library.language.gpt import GPT
from workloads.library.language.text import DATA_VARIABLE, PYTHON, VOCABULARY
from workloads.library.shakespeare import Shakespeare
from workloads.torch import cross_entropy

SMALL = {"layers": 2, "heads": 2, "width": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("text"))


@pytest.fixture
def workload(folder: Path) -> Shakespeare:
    return Shakespeare(context=16, batch_size=8, evaluated=10, data=str(folder))


def test_learns(workload: Shakespeare) -> None:
    session = workload.start({**SMALL, "learning_rate": 5e-3, "dropout": 0.05}, 0, Device())
    first = session.advance(1)["validation_loss"]
    assert first == pytest.approx(math.log(VOCABULARY), abs=0.2)
    assert session.advance(250)["validation_loss"] < first - 1
    assert session.test().keys() == {"test_loss"}


def test_a_character_sees_none_after_it() -> None:
    torch.manual_seed(0)
    model = GPT(8, 2, 2, 16)
    text = torch.randint(65, (1, 8))
    changed = text.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 65
    before, after = model(text), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=0)
    assert (before[:, 5:] != after[:, 5:]).any(-1).all()


def test_attention_is_torchs_own() -> None:
    torch.manual_seed(0)
    block = GPT(8, 1, 2, 16).blocks[0]
    features = torch.randn(3, 8, 16)
    parts = block.attention_input(features).view(3, 8, 3, 2, 8).permute(2, 0, 3, 1, 4)
    expected = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
    torch.testing.assert_close(
        block._attend(features, None, None), expected.transpose(1, 2).reshape(3, 8, 16)
    )


def test_windows_are_the_text(workload: Shakespeare, folder: Path) -> None:
    text = (folder / "input.txt").read_text()
    alphabet = sorted(set(text))
    splits = workload.data(torch.device("cpu"))
    spelled = "".join(alphabet[code] for code in splits.train.inputs[3].tolist())
    assert spelled == text[24:40]
    assert "".join(alphabet[code] for code in splits.train.targets[3].tolist()) == text[25:41]
    assert len(splits.validation.targets) == len(splits.test.targets) == 10
    held_out = "".join(alphabet[code] for code in splits.validation.inputs[0].tolist())
    assert held_out == text[len(text) * 9 // 10 :][:16]


def test_evaluating_in_parts_is_evaluating_at_once(
    workload: Shakespeare, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = workload.build(SMALL, 0).eval()
    split = workload.data(torch.device("cpu")).validation
    at_once = cross_entropy(model(split.inputs), split.targets)
    monkeypatch.setattr("workloads.library.language.windows.EVALUATED_AT_ONCE", 3)
    torch.testing.assert_close(workload.evaluate(model, split)["loss"], at_once)


def test_a_missing_text_is_told_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(
        ConfigurationError, match=r"data: expected the folder .*, got None \(download https://"
    ):
        Shakespeare()
    with pytest.raises(ConfigurationError, match=rf"data: expected the folder .*, got '{tmp_path}'"):
        Shakespeare(data=str(tmp_path))


def test_the_environment_says_where_the_text_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    assert len(Shakespeare(context=16).data(torch.device("cpu")).test.targets) > 0


def test_another_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("to be or not to be" * 100)
    workload = Shakespeare(context=8, data=str(tmp_path))
    with pytest.raises(ConfigurationError, match="data: expected a text of 65 characters, got 7"):
        workload.data(torch.device("cpu"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"context": 0}, "context: expected at least 1"), ({"evaluated": 0}, "evaluated: expected at least 1")],
)
def test_wrong_arguments_are_refused(folder: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Shakespeare(data=str(folder), **arguments)  # type: ignore[arg-type]


def test_heads_share_the_width(workload: Shakespeare) -> None:
    with pytest.raises(ConfigurationError, match="width: expected a multiple of heads = 4, got 10"):
        workload.build({"width": 10}, 0)


def test_pythons_own_library_is_a_text_that_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    splits = Shakespeare(context=16, evaluated=10, data=PYTHON).data(torch.device("cpu"))
    codes = splits.train.inputs
    # Code 0 is the most frequent character, a blank, and every code exists, that of the rare ones too.
    assert torch.bincount(codes.flatten(), minlength=VOCABULARY).argmax() == 0
    assert codes.min() == 0
    assert codes.max() == VOCABULARY - 1
    assert torch.equal(splits.train.inputs[3, 1:], splits.train.targets[3, :-1])
