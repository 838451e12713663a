"""Reports out of lines and files, without a program."""

from __future__ import annotations

from pathlib import Path

import pytest

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
