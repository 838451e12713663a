"""What a state's file says of itself, so that damage is found before anything trains on it.

The label stands behind the file's content, where torch overlooks it: the content's length and checksum
(CRC-32) and those of the folders beside it, as JSON, and then the label's own length and checksum. Files of
earlier versions have none.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from workloads.folder_files import below

_FOOTER = re.compile(rb"state([0-9a-f]{8})([0-9a-f]{8})")
_FOOTER_BYTES = 21
_ARCHIVE_END, _ARCHIVE_END_BYTES = b"PK\x05\x06", 22
"""How a file of torch ends that has no label: a zip archive's last record, without a comment."""
_CHUNK = 1 << 20
_STRAY = ".DS_Store"
"""What a Mac leaves in every folder that somebody looks at."""


def label(file: BinaryIO, folders: Mapping[str, Path]) -> None:
    """Append a label to a file, open for reading and writing, that holds a state's content and nothing else.

    Args:
        folders: those beside it that the content speaks of, by name.
    """
    file.seek(0)
    checksum, length = _checksum(file)
    content = {
        "bytes": length,
        "checksum": f"{checksum:08x}",
        "folders": {name: f"{tree_checksum(path):08x}" for name, path in sorted(folders.items())},
    }
    text = json.dumps(content).encode()
    file.write(text + b"state%08x%08x" % (len(text), zlib.crc32(text)))


def label_checksum(path: Path) -> str | None:
    """The checksum of a file's label, which stands for all of the state; None where it has none."""
    with path.open("rb") as file:
        footer = _tail(file, _FOOTER_BYTES)
    found = _FOOTER.fullmatch(footer)
    return None if found is None else found[2].decode()


def check_file(path: Path, beside: Path) -> None:
    """Make sure that a state's file, and the folders that lie below ``beside``, are as they were written.

    Raises:
        OSError: one of them cannot be read.
        ValueError: one of them is not; the message says which, and what is wrong.
    """
    with path.open("rb") as file:
        if _tail(file, _ARCHIVE_END_BYTES).startswith(_ARCHIVE_END):
            return  # written by an earlier version
        found = _FOOTER.fullmatch(_tail(file, _FOOTER_BYTES))
        if found is None:
            raise _unreadable(path, "its end is damaged or cut off")
        length, checksum = (int(part, 16) for part in found.groups())
        text = _tail(file, length + _FOOTER_BYTES)[:-_FOOTER_BYTES]
        if len(text) != length or zlib.crc32(text) != checksum:
            raise _unreadable(path, "its end is damaged")
        content = json.loads(text)
        file.seek(0)
        if _checksum(file, content["bytes"]) != (int(content["checksum"], 16), content["bytes"]):
            raise _unreadable(path, "it fails its checksum")
        if file.seek(0, os.SEEK_END) != content["bytes"] + length + _FOOTER_BYTES:
            raise _unreadable(path, "it is longer than it was")
    for name, expected in content["folders"].items():
        if not (beside / name).is_dir():
            raise ValueError(f"{path}: expected a folder {name} in {beside.name}, found none")
        if tree_checksum(beside / name) != int(expected, 16):
            raise _unreadable(path, f"its folder {name} fails its checksum")


def _unreadable(path: Path, reason: str) -> ValueError:
    return ValueError(f"{path}: expected a state, got an unreadable file ({reason})")


def tree_checksum(folder: Path) -> int:
    """The checksum of a folder's content: names, kinds, what links lead to and what files hold.

    Of files that nobody may read, such as one that a program made so, only the length counts.
    """
    checksum = 0
    for path in below(folder):
        info = path.lstat()
        if path.name == _STRAY:
            continue
        entry = f"{path.relative_to(folder)}\0{stat.S_IFMT(info.st_mode)}\0"
        if stat.S_ISLNK(info.st_mode):
            entry += str(path.readlink())
        checksum = zlib.crc32(os.fsencode(entry), checksum)
        if stat.S_ISREG(info.st_mode):
            checksum = zlib.crc32(b"%d" % info.st_size, checksum)
            try:
                with path.open("rb") as file:
                    checksum, _ = _checksum(file, before=checksum)
            except PermissionError:
                continue
    return checksum


def _checksum(file: BinaryIO, length: int | None = None, before: int = 0) -> tuple[int, int]:
    """The checksum of what comes next in a file, and how many bytes that is.

    Args:
        length: how many bytes at most; None: all.
        before: the checksum of what came before.
    """
    read = 0
    while chunk := file.read(_CHUNK if length is None else min(_CHUNK, length - read)):
        before = zlib.crc32(chunk, before)
        read += len(chunk)
    return before, read


def _tail(file: BinaryIO, length: int) -> bytes:
    """The last bytes of a file; fewer where it has no more."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - length))
    return file.read()
