"""What a cluster has room for, and what is no cluster."""

from __future__ import annotations

import socket
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine import address, cluster, connection
from orchestrator.engine.address import check_address
from orchestrator.engine.cluster import Cluster, Share, place, place_first
from orchestrator.engine.connection import own_directories
from search_spaces import ConfigurationError
from workloads.contract import Device


def settings(address: str | None = None, workers: str | None = None) -> dict[str, Any]:
    return {"address": address, "workers": workers}


@pytest.mark.parametrize(
    ("nodes", "share", "room"),
    [
        (((2, 0),), Share("island", 1, 0), 2),
        (((2, 0),), Share("island", 0.5, 0), 4),
        (((3, 0), (3, 0)), Share("island", 2, 0), 2),
        (((64, 4),), Share("island", 1, 0.75), 4),
        (((64, 3),), Share("island", 1, 0.4), 6),
        (((64, 1),), Share("island", 1, 1 / 3), 3),
        (((64, 8),), Share("island", 1, 2), 4),
        (((2, 8),), Share("island", 1, 1), 2),
        (((4, 0), (4, 0)), Share("trial", 1, 0, workers=3), 2),
    ],
)
def test_nothing_is_divided_that_somebody_needs_whole(
    nodes: tuple[tuple[float, float], ...], share: Share, room: int
) -> None:
    assert share.room(Cluster(nodes, None)) == room
    assert place(settings(), share, "cluster.islands", None, 100, Cluster(nodes, None)) == room


@pytest.mark.parametrize(
    ("address", "cpus", "most", "count", "first"),
    [
        ("auto", 4, 100, 8, 4),
        ("auto", 16, 100, 8, 8),
        ("auto", 1, 100, 8, 2),  # the cluster may grow
        ("auto", 4, 5, 5, 4),
        ("auto", 4, 1, 1, 1),  # what is left of a benchmark
        (None, 4, 100, 4, 4),
        (None, 16, 100, 8, 8),
    ],
)
def test_workers_that_may_come_are_placed_and_those_with_room_begin(
    address: str | None, cpus: int, most: int, count: int, first: int
) -> None:
    wanted, share, there = settings(address, "2..8"), Share("island", 1, 0), Cluster(((cpus, 0),), None)
    assert place(wanted, share, "cluster.islands", None, most, there) == count
    assert place_first(wanted, share, count, there) == first
    assert place_first(settings(address), share, count, there) == count


def test_a_local_ray_without_room_for_the_least_is_refused() -> None:
    small = Cluster(((1, 0),), None)
    with pytest.raises(ConfigurationError, match=r"cluster\.workers: expected what 1 node.*got 2"):
        place(settings(None, "2..8"), Share("island", 1, 0), "cluster.islands", None, 8, small)


def test_at_most_one_island_for_each_member() -> None:
    small = Cluster(((16, 0),), None)
    assert place(settings(), Share("island", 1, 0), "cluster.islands", None, 5, small) == 5
    assert place(settings(), Share("island", 0, 0), "cluster.islands", None, 5, small) == 5


@pytest.mark.parametrize(
    ("wanted", "share", "key"),
    [
        (3, Share("island", 1, 0), "cluster.islands"),
        (None, Share("island", 64, 0), "cluster.cpus_per_island"),
        (None, Share("island", 1, 1), "cluster.cpus_per_island"),
    ],
)
def test_what_has_no_room_is_refused_with_the_key_that_asked_for_it(
    wanted: int | None, share: Share, key: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{key}: "):
        place(settings(), share, "cluster.islands", wanted, 8, Cluster(((2, 0),), None))


def test_one_gpu_is_too_little_for_two_processes_that_want_one_each() -> None:
    with pytest.raises(
        ConfigurationError, match="at most 0 islands of 2 processes with 1 CPUs and 1 GPUs each"
    ):
        place(
            settings(), Share("island", 1, 1, workers=2), "cluster.islands", None, 8, Cluster(((8, 1),), None)
        )


@pytest.mark.parametrize(
    ("share", "wanted", "here", "count"),
    [
        (Share("island", 1, 0), 8, {"CPU": 4.0}, 4),
        (Share("island", 1, 0), 3, {"CPU": 4.0}, 3),
        (Share("island", 0.5, 0.5), 8, {"CPU": 64.0, "GPU": 2.0}, 4),
        (Share("island", 1, 0), 3, {}, 1),
    ],
)
def test_islands_know_how_many_they_may_be_on_their_node(
    share: Share, wanted: int, here: dict[str, float], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"NodeID": "other", "Resources": {"CPU": 99.0}}, {"NodeID": "this", "Resources": here}]
    monkeypatch.setattr(cluster.ray, "nodes", lambda: nodes)
    context = SimpleNamespace(get_node_id=lambda: "this")
    monkeypatch.setattr(cluster.ray, "get_runtime_context", lambda: context)
    assert cluster.neighbours(share, wanted) == count


def test_processes_share_the_memory_as_they_share_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cluster.prepare_device(Share("island", 1, 0), False, processes=4) == Device("cpu", 1, 0.25)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert cluster.prepare_device(Share("island", 1, 0.5), False, processes=4) == Device("cuda", 1, 0.5)


def test_a_cluster_may_grow_to_what_was_asked_for() -> None:
    small = Cluster(((2, 0),), None)
    share = Share("island", 1, 0)
    assert place(settings("auto"), share, "cluster.islands", 8, 16, small) == 8


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that accepts connections and never says anything."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    server.settimeout(0.05)

    def accept() -> None:
        kept = []
        while not stop.is_set():
            try:
                kept.append(server.accept()[0])
            except TimeoutError:
                continue
        for one in kept:
            one.close()

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname()[1]
    stop.set()
    thread.join()
    server.close()


def test_a_port_that_is_no_ray_head_is_refused(monkeypatch: pytest.MonkeyPatch, listener: int) -> None:
    monkeypatch.setattr(address, "HEALTH_SECONDS", 8.0)
    with pytest.raises(ConfigurationError, match=r"^cluster.address: .*no Ray head"):
        check_address(settings(f"127.0.0.1:{listener}"))


def test_a_port_that_nobody_listens_at_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for scheme in ("", "ray://"):
        with pytest.raises(ConfigurationError, match=r"^cluster.address: .*refused"):
            check_address(settings(f"{scheme}127.0.0.1:{port}"))


def test_no_address_and_auto_are_left_to_ray() -> None:
    check_address(settings(None))
    check_address(settings("auto"))


@pytest.mark.parametrize("length", [10, 100])
def test_rays_sockets_have_room_below_any_temporary_folder(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / ("x" * length)
    usual.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(usual))
    monkeypatch.setattr(connection, "LONGEST_FOLDER", len(str(tmp_path)) + 1 + 10)
    assert connection.short_folder() == (str(usual) if length == 10 else "/tmp")


def test_a_folder_too_long_for_rays_sockets_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/x" * 50)
    monkeypatch.setattr(connection.os, "access", lambda *_: False)
    with pytest.raises(ConfigurationError, match="TMPDIR: expected a folder of at most 30 characters"):
        connection.short_folder()


def test_workers_import_from_the_users_directories_and_not_from_the_installation(tmp_path: Path) -> None:
    path = ["", str(tmp_path), str(tmp_path / "absent"), sysconfig.get_path("purelib")]
    assert own_directories(path) == [str(tmp_path.resolve())]
