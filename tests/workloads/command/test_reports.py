"""Reports out of lines and files, without a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workloads.command import files
from workloads.command.files import Source, source_of
from workloads.command.reports import Lines, Report, Reports
from workloads.command.serving import _Answers


def drained(reports: Reports) -> list[float]:
    """The losses that wait, in order."""
    found: list[Report] = []
    while (one := reports.take(0)) is not None:
        found.append(one)
    return [one.metrics["loss"] for one in found]


def source(place: Path, name: str) -> tuple[Reports, Source, Path]:
    reports = Reports(["loss"])
    file = place / name
    return reports, source_of(str(file), place, reports), file


@pytest.mark.parametrize("name", ["m.json", "m.jsonl"])
def test_each_of_growing_json_lines_counts_once(tmp_path: Path, name: str) -> None:
    reports, found, file = source(tmp_path, name)
    text = ""
    for loss in (3, 2, 1):
        text += f'{{"loss": {loss}}}\n'
        file.write_text(text)
        found.look()
    assert drained(reports) == [3, 2, 1]


def test_an_object_that_is_written_anew_counts_each_time(tmp_path: Path) -> None:
    reports, found, file = source(tmp_path, "m.json")
    for loss in (300, 20, 1):
        file.write_text(f'{{"loss": {loss}}}')
        found.look()
    assert drained(reports) == [300, 20, 1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "loss,note\n2,a\n1,b"),
        ("m.jsonl", '{"loss": 2}\n{"loss": 1}'),
        ("m.json", '{"loss": 2}\n{"loss": 1}'),
    ],
)
def test_a_last_line_without_an_end_counts_once(tmp_path: Path, name: str, text: str) -> None:
    reports, found, file = source(tmp_path, name)
    file.write_text(text)
    found.look()
    for _ in range(2):
        found.finish()
    assert drained(reports) == [2, 1]


DEEP = '{"a": ' + "[" * 50_000


@pytest.mark.parametrize(
    ("line", "losses"),
    [
        ("loss=0.25.", [0.25]),
        ("loss=3. Next", [3.0]),
        ("loss=INF", [float("inf")]),
        ("loss=-Infinity", [float("-inf")]),
        ("loss=1.2.3", []),
        ("loss=5.txt", []),
        ("loss=nano", []),
        ('{"loss": 1' + "0" * 400 + "}", [float("inf")]),
        ('{"loss": -1' + "0" * 400 + "}", [float("-inf")]),
        (DEEP, []),
        ('{"a": ' * 5000 + '{"loss": 1}' + "}" * 5000, []),
    ],
)
def test_lines_of_text(line: str, losses: list[float]) -> None:
    reports = Reports(["loss"])
    lines = Lines(reports)
    lines.feed(f"{line}\nloss=7\n".encode())
    assert drained(reports) == [*losses, 7.0]


@pytest.mark.parametrize("text", ["NAN", "NaN", "nan"])
def test_not_a_number_in_any_spelling(text: str) -> None:
    reports = Reports(["loss"])
    Lines(reports).feed(f"loss={text}\n".encode())
    assert drained(reports) == pytest.approx([float("nan")], nan_ok=True)


def test_json_that_is_nested_too_deeply_is_a_flaw(tmp_path: Path) -> None:
    reports, found, file = source(tmp_path, "m.json")
    file.write_text(DEEP)
    found.look()
    assert reports.flaw == "m.json is broken JSON"
    answers = _Answers()
    answers.feed(DEEP.encode() + b'\n{"done": "save"}\n')
    assert answers.answer == {"done": "save"}


def written(file: Path, lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(lines)


def test_nested_runs_of_mlflow_are_counted_apart(tmp_path: Path) -> None:
    reports = Reports(["loss"])
    found = source_of("mlflow", tmp_path, reports)
    outer, inner = (tmp_path / "mlruns" / "0" / run for run in ("a", "b"))
    written(inner / "tags" / "mlflow.parentRunId", "a")
    written(inner / "metrics" / "loss", "1 90 1\n1 80 2\n1 70 3\n")
    written(outer / "metrics" / "loss", "1 5 1\n")
    found.look()
    assert drained(reports) == [5, 80, 70]  # the outer run's where both have a step
    written(outer / "metrics" / "loss", "1 5 1\n1 4 2\n")
    found.look()
    assert drained(reports) == [4]


class Loader:
    """Reads events as lines of a tag, a step and a value."""

    def __init__(self, file: str, **_: Any) -> None:
        self._file = Path(file)

    def Reload(self) -> dict[str, list[tuple[int, float]]]:  # noqa: N802 - as TensorBoard names it
        curves: dict[str, list[tuple[int, float]]] = {}
        for line in self._file.read_text().splitlines():
            tag, step, value = line.split()
            curves.setdefault(tag, []).append((int(step), float(value)))
        return curves


def test_event_files_with_the_same_tag_are_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_event_loader", lambda: Loader)
    monkeypatch.setattr(files, "_scalars", lambda curves: curves.items())
    reports = Reports(["validation/loss"])
    found = source_of("tensorboard", tmp_path, reports)
    train, validation = (tmp_path / name / "tfevents" for name in ("train", "validation"))
    written(train, "loss 1 3\n")
    written(tmp_path / "tfevents", "alone 1 7\n")
    found.look()
    written(validation, "loss 1 30\n")
    found.look()
    written(train, "loss 1 3\nloss 2 2\n")
    written(validation, "loss 1 30\nloss 2 20\n")
    found.finish()
    first, second = reports.take(0), reports.take(0)
    assert first is not None
    assert second is not None
    assert {**first.metrics} == {"loss": 30, "train/loss": 3, "validation/loss": 30, "alone": 7, "step": 1}
    assert {**second.metrics} == {"loss": 20, "train/loss": 2, "validation/loss": 20, "alone": 7, "step": 2}


def test_scalars_that_tensorflow_writes_as_tensors() -> None:
    pytest.importorskip("tensorboard", reason="extra tensorboard")
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.util.tensor_util import make_tensor_proto

    content = TensorProto(dtype=1, tensor_content=np.float32(0.25).tobytes())

    class Events:
        def __init__(self, step: int, proto: TensorProto) -> None:
            self.step, self.tensor_proto = step, proto

    class Tensors:
        def Tags(self) -> dict[str, list[str]]:  # noqa: N802
            return {"scalars": [], "tensors": ["loss", "text", "weights"]}

        def Tensors(self, name: str) -> list[Events]:  # noqa: N802
            text, weights = make_tensor_proto("a text"), make_tensor_proto([1.0, 2.0])
            protos = {"loss": [content, make_tensor_proto(0.5)], "text": [text], "weights": [weights]}
            return [Events(*one) for one in enumerate(protos[name])]

    assert dict(files._scalars(Tensors())) == {"loss": [(0, 0.25), (1, 0.5)], "text": [], "weights": []}
