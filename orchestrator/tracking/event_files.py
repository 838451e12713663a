"""Event files as TensorBoard reads them: what a journal's events add to them, and how it gets there once.

A run has one file. It begins with the format's version; after that come the records that the journal's events
give, in their order. As these depend on the journal alone, the records in a file say which of them it lacks,
and nothing else has to be kept to go on with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tensorboardX import summary
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.record_writer import masked_crc32c

from orchestrator.tracking.items import PARENT, RESULT, Child, End, Item, Metric, Param, Tag

NAME = "events.out.tfevents.journal"
VERSION = Event(file_version="brain.Event:2").SerializeToString()
"""The first record of every file."""

_HEAD, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_BEFORE, _AROUND = _HEAD.size + _CHECKSUM.size, _HEAD.size + 2 * _CHECKSUM.size
"""Bytes before, and in all around, a record's data."""


def records(items: Sequence[Item]) -> Iterator[tuple[str, bytes]]:
    """What the items that one event of the journal gives add to the files of runs: pairs of run and record.

    Metrics are scalars, as single-precision numbers; the settings of a child run are its hyperparameters on
    TensorBoard's HParams page; the sentence on what came out is a text. Other remarks have no place there.
    """
    for item in items:
        match item:
            case Child(run=run, time=time):
                settings = {one.key: one.value for one in items if isinstance(one, Param) and one.run == run}
                yield run, _hyperparameters(settings, time or 0)
            case Tag(run=run, key=key, value=value) if (run, key) == (PARENT, RESULT):
                yield run, _record(summary.text("result", value), 0, 0)
            case End(run=run, status=status, time=time):
                yield run, _ending(status, time)
    scalars = [item for item in items if isinstance(item, Metric)]
    for (run, step, time), together in groupby(scalars, lambda one: (one.run, one.step, one.time)):
        values = [Summary.Value(tag=one.key, simple_value=one.value) for one in together]
        yield run, _record(Summary(value=values), step, time)


def framed(record: bytes) -> bytes:
    """A record as it stands in a file: with its length and checksums."""
    head = _HEAD.pack(len(record))
    ends = (_CHECKSUM.pack(masked_crc32c(part)) for part in (head, record))
    return b"".join((head, next(ends), record, next(ends)))


def split(content: bytes) -> Iterator[bytes]:
    """The records that stand whole in a file; what is torn, or no record, ends it."""
    place = 0
    while place + _AROUND <= len(content):
        head = content[place : place + _HEAD.size]
        (length,), (checksum,) = _HEAD.unpack(head), _CHECKSUM.unpack_from(content, place + _HEAD.size)
        end = place + _AROUND + length
        if end > len(content) or checksum != masked_crc32c(head):
            return
        yield content[place + _BEFORE : end - _CHECKSUM.size]
        place = end


class EventFiles:
    """The event files of one study: the parent run's in ``folder``, each child run's in a folder below."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def path(self, run: str) -> Path:
        """A run's file; names that cannot be a folder's are escaped."""
        name = quote(run, safe=" ()[]+=,@")
        return self._folder / (f"%2E{name[1:]}" if name.startswith(".") else name) / NAME

    def complete(self, run: str, past: Sequence[bytes]) -> None:
        """Add what a file lacks; called first for each run.

        Args:
            past: all records that the run is to have by now. A file with others is of another journal, as one
                that was repaired is, or of another version of this program, and is written anew.

        Raises:
            OSError: the disk is full, or away.
        """
        path = self.path(run)
        there = list(split(path.read_bytes())) if path.is_file() else []
        whole = [VERSION, *past]
        if there != whole[: len(there)]:
            there = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sizes[run] = sum(_AROUND + len(record) for record in there)
        self.append(run, whole[len(there) :])

    def append(self, run: str, new: Sequence[bytes]) -> None:
        """Add records to a file that is complete; after a failure the same ones may be added again.

        Raises:
            OSError: the disk is full, or away.
        """
        content, size = b"".join(map(framed, new)), self._sizes[run]
        path = self.path(run)
        with path.open("r+b" if path.exists() else "wb") as file:
            file.truncate(size)  # a part that an earlier attempt, or a process that was killed, left
            file.seek(size)
            file.write(content)
        self._sizes[run] = size + len(content)

    def knows(self, run: str) -> bool:
        """Whether a run's file has been completed once."""
        return run in self._sizes


def _record(what: Summary, step: int, time: int) -> bytes:
    """One event; ``time`` in milliseconds since the epoch."""
    event = Event(wall_time=time / 1000, step=step, summary=what)
    # Else the order of a mapping's entries is another one in each process.
    written: bytes = event.SerializeToString(deterministic=True)
    return written


def _hyperparameters(settings: Mapping[str, str], time: int) -> bytes:
    start = SessionStartInfo(start_time_secs=time / 1000)
    for key, text in settings.items():
        value = _typed(text)
        if isinstance(value, bool):
            start.hparams[key].bool_value = value
        elif isinstance(value, float):
            start.hparams[key].number_value = value
        else:
            start.hparams[key].string_value = value
    return _of_plugin("session_start_info", start, time)


def _ending(status: str, time: int) -> bytes:
    success = "STATUS_SUCCESS" if status == "FINISHED" else "STATUS_FAILURE"
    ended = SessionEndInfo(status=Status.Value(success), end_time_secs=time / 1000)
    return _of_plugin("session_end_info", ended, time)


def _of_plugin(kind: str, content: Any, time: int) -> bytes:
    """A record for the HParams page, which looks for it under a name of its own."""
    data = HParamsPluginData(version=0, **{kind: content}).SerializeToString(deterministic=True)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data)
    value = Summary.Value(tag=f"_hparams_/{kind}", metadata=SummaryMetadata(plugin_data=plugin))
    return _record(Summary(value=[value]), 0, time)


def _typed(text: str) -> bool | float | str:
    """A setting as the page sorts it: records have it as text."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text)
    except ValueError:
        return text
