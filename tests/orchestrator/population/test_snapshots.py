"""A snapshot is valid when all of it is there, and never before."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orchestrator.population.snapshots.manifests import MANIFEST, Publication, best_file, member_file
from orchestrator.population.snapshots.snapshots import SnapshotStore, valid_snapshots
from workloads.folder import copied_from
from workloads.state_files import load_state, save_state


def unranked(*_: object) -> None:
    """No publication counts."""


def write(folder: Path, *members: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for member in members:
        member_file(folder, member).write_bytes(b"weights %d" % member)


def shelf(root: Path, keep: int = 2) -> SnapshotStore:
    return SnapshotStore(root, size=3, generations=9, keep=keep)


def take(shelf: SnapshotStore, generation: int) -> None:
    folder = shelf.folder(generation)
    write(folder, 0, 1, 2)
    shelf.add(folder, dict.fromkeys(range(3), generation))
    assert folder in shelf.complete()
    shelf.commit(folder, unranked)


def test_members_that_are_still_missing_make_no_snapshot(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    write(made.folder(3), 0, 1)
    made.add(made.folder(3), {0: 3, 1: 3})
    assert made.complete() == [] and made.newest() is None


def test_the_newest_is_the_one_with_the_most_training(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    take(made, 3)
    take(made, 6)
    newest = made.newest()
    assert newest is not None and newest.generations == (6, 6, 6)
    assert [file.read_bytes() for file in newest.files] == [b"weights 0", b"weights 1", b"weights 2"]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    made = shelf(tmp_path, keep=2)
    for generation in (2, 4, 6, 8):
        take(made, generation)
    assert [snapshot.generations[0] for snapshot in valid_snapshots(tmp_path)] == [8, 6]
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["000006", "000008"]


def test_what_never_became_valid_goes_when_it_is_overtaken(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    for generation in (2, 6):
        write(made.folder(generation), 0)
        made.add(made.folder(generation), {0: generation})
    take(made, 4)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["000004", "000006"]


def test_members_that_are_done_do_not_complete_ordinary_snapshots(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    write(made.folder(9), 0)
    made.add(made.folder(9), {0: 9})
    write(made.folder(6), 1, 2)
    made.add(made.folder(6), {1: 6, 2: 6})
    assert made.complete() == []


@pytest.mark.parametrize("damage", ["no manifest", "torn manifest", "missing member", "short member"])
def test_a_damaged_snapshot_is_passed_over(tmp_path: Path, damage: str) -> None:
    made = shelf(tmp_path)
    take(made, 3)
    take(made, 6)
    folder = made.folder(6)
    match damage:
        case "no manifest":
            (folder / MANIFEST).unlink()
        case "torn manifest":
            (folder / MANIFEST).write_text('{"generations": [6, 6')
        case "missing member":
            member_file(folder, 1).unlink()
        case "short member":
            member_file(folder, 1).write_bytes(b"we")
    newest = made.newest()
    assert newest is not None and newest.generations == (3, 3, 3)


def test_whoever_went_back_has_to_save_again(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    write(made.folder(6), 0, 1)
    made.add(made.folder(6), {0: 6, 1: 6})
    made.go_back({1: 0}, None)
    made.add(made.folder(6), {2: 6})
    assert made.complete() == []
    made.add(made.folder(6), {1: 6})
    assert made.complete() == [made.folder(6)]


def test_a_stop_takes_those_along_whose_life_was_over(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    stopped = made.stop_folder(20)
    write(made.folder(9), 0)
    made.add(made.folder(9), {0: 9})
    write(stopped, 1, 2)
    made.add(stopped, {1: 5, 2: 6})
    assert made.complete() == [stopped]
    snapshot = made.commit(stopped, unranked)
    assert snapshot.generations == (9, 5, 6)
    assert snapshot.files[0].read_bytes() == b"weights 0"


def test_after_a_resume_snapshots_take_those_along_whose_life_was_over(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    stopped = made.stop_folder(20)
    write(stopped, 0, 1, 2)
    made.add(stopped, {0: 9, 1: 5, 2: 6})
    snapshot = made.commit(stopped, unranked)
    again = shelf(tmp_path)
    again.go_back(dict(enumerate(snapshot.generations)), snapshot)
    for generation in (6, 9):
        write(again.folder(generation), 1, 2)
        again.add(again.folder(generation), {1: generation, 2: generation})
        assert again.complete() == [again.folder(generation)]
        newest = again.commit(again.folder(generation), unranked)
        assert newest.generations == (9, generation, generation)
        assert newest.files[0].read_bytes() == b"weights 0"


def earliest(publication: Publication, _: bool) -> Publication:
    """The members' first publications are their best."""
    return publication[::-1]


def test_the_best_of_a_snapshot_that_a_stop_overtakes_is_kept(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    write(made.folder(3), 0)
    made.add(made.folder(3), {0: 3})
    stopped = made.stop_folder(10)
    stopped.mkdir()
    for member in range(3):
        member_file(stopped, member).write_bytes(b"later")
    made.add(stopped, {0: 5, 1: 4, 2: 4})
    snapshot = made.commit(stopped, earliest)
    assert snapshot.best == (0, 3)
    assert best_file(stopped, (0, 3)).read_bytes() == b"weights 0"


def test_a_file_system_without_hard_links_keeps_the_best_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    made = shelf(tmp_path, keep=1)
    for generation in (3, 6):
        write(made.folder(generation), 0, 1, 2)
        made.add(made.folder(generation), dict.fromkeys(range(3), generation))
        snapshot = made.commit(made.folder(generation), earliest)
    assert snapshot.best == (0, 3)
    assert best_file(snapshot.path, (0, 3)).read_bytes() == b"weights 0"


def test_what_could_not_be_made_valid_can_be_when_one_member_saves_again(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    made = shelf(tmp_path)
    folder = made.folder(3)
    write(folder, 0, 1, 2)
    made.add(folder, dict.fromkeys(range(3), 3))
    with pytest.raises(OSError, match="no space"):
        made.commit(folder, full)
    made.go_back({2: 0}, None)
    assert made.complete() == []
    made.add(folder, {2: 3})
    assert made.complete() == [folder]
    assert made.commit(folder, unranked).generations == (3, 3, 3)


def test_checkpoint_folders_are_kept_and_collected_with_snapshots(tmp_path: Path) -> None:
    made = SnapshotStore(tmp_path, size=1, generations=9, keep=1)
    (tmp_path / "program").mkdir()
    ranks = {(0, 1): 0.0, (0, 2): 1.0, (0, 3): -1.0}
    for generation, (member, _) in [(1, (0, 1)), (2, (0, 2)), (3, (0, 3))]:
        folder = made.folder(generation)
        folder.mkdir()
        (tmp_path / "program" / "model.txt").write_text(f"weights {generation}")
        kept = copied_from(tmp_path / "program", tmp_path / "program-kept")
        save_state(member_file(folder, member), {"session": kept})
        made.add(folder, {member: generation})
        snapshot = made.commit(folder, lambda publication, _: ranks[publication])
        best = load_state(best_file(folder, snapshot.archive[0]))["session"]
        assert (best.path / "model.txt").read_text() == f"weights {3 if generation == 3 else 1}"
    assert not made.folder(2).exists()
    assert len(list(made.folder(3).glob("*.folders/*"))) == 2
