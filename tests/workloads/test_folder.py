from __future__ import annotations

import copy
import gc
import os
import pickle
from pathlib import Path

import pytest

from workloads.folder import Folder, StoredFolder, adopted, copied_from, moved
from workloads.state import check_state, copied, first_difference, from_parcel, state_bytes, to_parcel
from workloads.state_files import load_state, remove_state, save_state, share_state


def written(path: Path, text: str = "weights") -> Path:
    """A folder as programs write them."""
    (path / "layers" / "empty").mkdir(parents=True)
    (path / "model.txt").write_text(text)
    (path / "layers" / "0.bin").write_bytes(bytes(range(256)))
    (path / "nothing").touch()
    (path / "run.sh").write_text("echo")
    (path / "run.sh").chmod(0o755)
    (path / "latest").symlink_to("layers")
    (path / "absolute").symlink_to(path / "model.txt")
    return path


def kept(tmp_path: Path, text: str = "weights") -> Folder:
    return copied_from(written(tmp_path / f"source-{text}", text), tmp_path / "kept")


def contents(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_copy_is_the_folder_as_it_was(tmp_path: Path) -> None:
    source = written(tmp_path / "source")
    before = contents(source)
    folder = copied_from(source, tmp_path / "kept")
    (source / "model.txt").write_text("changed")
    (source / "layers" / "0.bin").unlink()
    folder.copy_to(tmp_path / "out")
    assert contents(tmp_path / "out") == before
    assert (tmp_path / "out" / "layers" / "empty").is_dir()
    assert (tmp_path / "out" / "latest").readlink() == Path("layers")
    assert (tmp_path / "out" / "absolute").readlink() == Path("model.txt")
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)


@pytest.mark.parametrize("packed", [False, True])
def test_whoever_gets_files_may_change_them_in_place(tmp_path: Path, packed: bool) -> None:
    folder = kept(tmp_path)
    given = folder.packed() if packed else folder
    given.copy_to(tmp_path / "first")
    for file in (tmp_path / "first").rglob("*"):
        if file.is_file():
            assert file.stat().st_mode & 0o200
            with file.open("r+b") as opened:
                opened.write(b"!")
                opened.truncate(1)
    given.copy_to(tmp_path / "second")
    assert (tmp_path / "second" / "model.txt").read_text() == "weights"


@pytest.mark.parametrize("packed", [False, True])
def test_the_newest_file_is_the_newest_in_copies_too(tmp_path: Path, packed: bool) -> None:
    source = tmp_path / "source"
    for age, name in enumerate(["epoch_10/weights", "epoch_9/weights", "epoch_10", "epoch_9"]):
        place = source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_dir():
            place.touch()
        os.utime(place, ns=(0, 10**18 - age))
    folder = copied_from(source, tmp_path / "kept")
    save_state(tmp_path / "member.pt", folder.packed() if packed else folder)
    load_state(tmp_path / "member.pt").copy_to(tmp_path / "out")
    for path in source.rglob("*"):
        copy = tmp_path / "out" / path.relative_to(source)
        assert copy.stat().st_mtime_ns == path.stat().st_mtime_ns


def test_a_link_to_an_absolute_place_goes_along_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(tmp_path)
    source = written(tmp_path / "alias" / "source")
    (source / "layers" / "real").symlink_to(source.resolve() / "model.txt")
    (source / "outside").symlink_to("/dev/null")
    folder = adopted(moved(source, tmp_path / "own"))
    folder.copy_to(tmp_path / "out")
    for name in ("own", "out"):
        assert (tmp_path / name / "absolute").readlink() == Path("model.txt")
        assert (tmp_path / name / "layers" / "real").readlink() == Path("../model.txt")
        assert (tmp_path / name / "outside").readlink() == Path("/dev/null")


@pytest.mark.parametrize("how", ["linked", "packed", "other disk"])
def test_files_of_snapshots_are_read_only(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kept(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError

    if how == "other disk":
        monkeypatch.setattr(os, "link", refuse)
    save_state(tmp_path / "member.pt", folder.packed() if how == "packed" else folder)
    files = [path for path in (tmp_path / "member.pt.folders").rglob("*") if path.is_file()]
    assert files
    assert not any(path.lstat().st_mode & 0o222 for path in files if not path.is_symlink())


def test_what_is_kept_is_read_only(tmp_path: Path) -> None:
    folder = adopted(written(tmp_path / "own"))
    assert not (tmp_path / "own" / "model.txt").stat().st_mode & 0o222
    folder.copy_to(tmp_path / "out")
    assert (tmp_path / "out" / "model.txt").stat().st_mode & 0o200


def test_a_folder_that_nobody_uses_is_deleted(tmp_path: Path) -> None:
    folder = adopted(written(tmp_path / "own"))
    second = copied({"checkpoint": folder})
    del folder
    gc.collect()
    assert (tmp_path / "own").exists()
    del second
    gc.collect()
    assert not (tmp_path / "own").exists()


def test_copies_of_a_state_share_its_folders(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    assert copied({"checkpoint": folder})["checkpoint"] is folder
    assert copy.deepcopy([folder])[0] is folder
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_folders_are_equal_by_their_contents(tmp_path: Path) -> None:
    one, other = kept(tmp_path), kept(tmp_path, "WEIGHTS")
    assert one == one.packed()
    assert one != other
    assert first_difference({"folder": one}, {"folder": other}) == "state.folder"
    assert not first_difference({"folder": one}, {"folder": one.packed()})


def test_survives_transport(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    parcel = to_parcel({"folder": folder, "age": 3})
    assert state_bytes(parcel) == folder.nbytes == state_bytes({"folder": folder})
    arrived = from_parcel(pickle.loads(pickle.dumps(parcel)))["folder"]
    assert arrived == folder
    arrived.copy_to(tmp_path / "out")
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)
    assert (tmp_path / "out" / "latest").readlink() == Path("layers")
    assert pickle.loads(pickle.dumps(folder)) == folder


@pytest.mark.parametrize("packed", [False, True])
def test_survives_a_file(tmp_path: Path, packed: bool) -> None:
    folder = kept(tmp_path)
    save_state(tmp_path / "member.pt", {"inner": [folder.packed() if packed else folder], "age": 3})
    loaded = load_state(tmp_path / "member.pt")
    assert loaded["age"] == 3
    assert loaded["inner"][0] == folder


def test_files_of_snapshots_lie_on_the_disk_once(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    assert isinstance(folder, StoredFolder)
    (tmp_path / "next").mkdir()
    save_state(tmp_path / "member.pt", folder)
    share_state(tmp_path / "member.pt", tmp_path / "next" / "best.pt")
    shared = load_state(tmp_path / "next" / "best.pt")
    assert inode(folder.path / "model.txt") == inode(shared.path / "model.txt")
    remove_state(tmp_path / "member.pt")
    assert not list(tmp_path.glob("member*"))
    assert shared == folder


def test_where_links_are_impossible_bytes_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    folder = kept(tmp_path)
    save_state(tmp_path / "member.pt", folder)
    share_state(tmp_path / "member.pt", tmp_path / "best.pt")
    assert load_state(tmp_path / "best.pt") == folder


def test_writing_again_leaves_nothing_of_what_was(tmp_path: Path) -> None:
    for text in ("first", "second"):
        save_state(tmp_path / "member.pt", {"folder": kept(tmp_path, text)})
        share_state(tmp_path / "member.pt", tmp_path / "best.pt")
    for name in ("member.pt", "best.pt"):
        assert len(list((tmp_path / f"{name}.folders").iterdir())) == 1
        assert (load_state(tmp_path / name)["folder"].path / "model.txt").read_text() == "second"
    save_state(tmp_path / "member.pt", {"age": 3})
    assert not (tmp_path / "member.pt.folders").exists()


def broken(tmp_path: Path) -> Folder:
    """A folder whose files are gone."""
    (tmp_path / "broken").mkdir()
    folder = adopted(tmp_path / "broken")
    (tmp_path / "broken").rmdir()
    return folder


def test_writing_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, best = kept(tmp_path), broken(tmp_path), tmp_path / "best.pt"
    with pytest.raises(FileNotFoundError):
        save_state(best, [good, bad])
    assert not list(tmp_path.glob("*best*"))
    save_state(tmp_path / "member.pt", kept(tmp_path, "other"))
    save_state(best, good)
    before = sorted((tmp_path / "best.pt.folders").rglob("*"))
    assert before

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_state(best, kept(tmp_path, "third"))
    with pytest.raises(OSError, match="disk full"):
        share_state(tmp_path / "member.pt", best)
    assert sorted((tmp_path / "best.pt.folders").rglob("*")) == before
    assert not list(tmp_path.glob(".*"))
    assert load_state(best) == good


def test_a_folder_that_cannot_be_removed_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path / "member.pt", kept(tmp_path))
    monkeypatch.setattr("workloads.state_files.shutil.rmtree", lambda *_, **__: None)
    remove_state(tmp_path / "member.pt")
    assert not (tmp_path / "member.pt").exists()


def test_a_folder_that_cannot_be_read_is_equal_to_no_other(tmp_path: Path) -> None:
    bad = broken(tmp_path)
    with pytest.raises(FileNotFoundError):
        first_difference({"folder": bad}, {"folder": kept(tmp_path)})
    assert first_difference({"folder": 3}, {"folder": bad}) == "state.folder"


def test_a_state_whose_folder_has_changed_is_not_whole(tmp_path: Path) -> None:
    save_state(tmp_path / "member.pt", kept(tmp_path))
    (folder,) = (tmp_path / "member.pt.folders").iterdir()
    (folder / ".DS_Store").write_text("what a Mac leaves behind changes nothing")
    load_state(tmp_path / "member.pt")
    file = next(path for path in sorted(folder.rglob("[!.]*")) if path.is_file() and path.stat().st_size)
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="fails its checksum"):
        load_state(tmp_path / "member.pt")


def test_a_state_without_its_folder_is_not_whole(tmp_path: Path) -> None:
    import torch

    save_state(tmp_path / "member.pt", kept(tmp_path))
    for folder in (tmp_path / "member.pt.folders").iterdir():
        folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="expected a folder"):
        load_state(tmp_path / "member.pt")
    torch.save({"$folder": "../elsewhere"}, tmp_path / "member.pt")
    with pytest.raises(ValueError, match="expected the name of a folder"):
        load_state(tmp_path / "member.pt")


def test_refuses_what_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        copied_from(tmp_path / "missing", tmp_path)
    os.mkfifo(written(tmp_path / "own") / "pipe")
    with pytest.raises(TypeError, match="pipe: expected files"):
        copied_from(tmp_path / "own", tmp_path / "kept")
    check_state({"folder": kept(tmp_path, "good")})
