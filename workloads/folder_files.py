"""Trees of files: copied, linked, protected and written to the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})

_FICLONE = 0x40049409
"""Linux's request to let a file share another's blocks until one of the two is written."""


def check_tree(folder: Path) -> None:
    """Refuse what is no folder, or holds more than files, folders and symbolic links.

    Raises:
        FileNotFoundError: there is no such folder.
        TypeError: it holds something else.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder of checkpoint files, got {folder}")
    for path in below(folder):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            raise TypeError(f"{path}: expected files, folders and symbolic links, got {stat.filemode(mode)}")


def below(folder: Path) -> Iterator[Path]:
    """Everything in a folder at any depth in a fixed order, a subfolder before what it holds."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from below(Path(entry.path))


def copy_tree(source: Path, target: Path, copy: Callable[[Path, Path], None]) -> None:
    """Make the folder ``target``; ``copy`` makes its files."""
    target.mkdir()
    subfolders: dict[Path, int] = {}
    for path in below(source):
        place, info = target / path.relative_to(source), path.lstat()
        mode = info.st_mode
        if stat.S_ISDIR(mode):
            place.mkdir()
            subfolders[place] = info.st_mtime_ns
        elif stat.S_ISLNK(mode):
            place.symlink_to(link_text(path, source))
        else:
            copy(path, place)
    for place, written in subfolders.items():  # after what they hold, which changes them
        stamp(place, written)


def stamp(path: Path, written: int) -> None:
    """Let ``path`` be as old as what it is a copy of: programs go on from the newest file of several."""
    os.utime(path, ns=(written, written))


def link_text(link: Path, folder: Path) -> str:
    """A link's target; one to an absolute place inside its own folder goes along with it."""
    target = link.readlink()
    if target.is_absolute():
        for name in (folder, folder.resolve()):  # programs may use either
            if target.is_relative_to(name):
                return os.path.relpath(folder / target.relative_to(name), link.parent)
    return str(target)


def clone_file(source: Path, target: Path) -> None:
    """Make a file of its own that may be written to: a reflink, else a copy of the bytes."""
    try:
        import fcntl

        with source.open("rb") as old, target.open("xb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except (ImportError, OSError):
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
    info = source.stat()
    target.chmod(stat.S_IMODE(info.st_mode) | stat.S_IWUSR)
    stamp(target, info.st_mtime_ns)


def protect_tree(folder: Path) -> None:
    """Make the files of a folder read-only."""
    for path in below(folder):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & 0o222:
            with contextlib.suppress(PermissionError):  # a file of another user
                path.chmod(stat.S_IMODE(mode) & ~0o222)


def link_file(source: Path, target: Path) -> None:
    """Make a hard link of a file that nobody will write to, else a read-only copy."""
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without hard links
        clone_file(source, target)
        target.chmod(stat.S_IMODE(target.stat().st_mode) & ~0o222)


def sync_tree(folder: Path) -> None:
    """Return once the folder is on the disk with all that it holds."""
    for path in [folder, *below(folder)]:
        if stat.S_ISLNK(path.lstat().st_mode):
            continue
        with contextlib.suppress(PermissionError):  # a file that its program made unreadable
            sync_path(path)


def sync_path(path: Path) -> None:
    """Return once a file, or the names in a folder, are on the disk.

    Some file systems, such as mounted object storage, cannot do so for a folder; there it does nothing.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
