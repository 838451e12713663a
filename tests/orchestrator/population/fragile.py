"""A workload whose worker process dies in the middle of training, as when Ray kills it, or breaks."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from search_spaces import Config
from workloads.contract import Device, Metrics, Session
from workloads.library.digits import Digits


class FragileDigits(Digits):
    """Digits, but the worker that trains past step 30 first dies; once, since it leaves a mark.

    Args:
        marker: the file that shows that one has died.
        broken: the file that shows that another one, after that, has raised past step 40 what CUDA's errors
            raise, as did whatever its process trained then; None: nobody does.
    """

    def __init__(self, *arguments: Any, marker: str, broken: str | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.marker, self.broken = Path(marker), None if broken is None else Path(broken)

    def start(self, config: Config, seed: int, device: Device) -> Session:
        return _Fragile(super().start(config, seed, device), self)

    def start_worker(self, config: Config, seed: int, device: Device, rank: int, workers: int) -> Session:
        """Only the last of several processes dies."""
        session = super().start_worker(config, seed, device, rank, workers)
        return _Fragile(session, self) if rank == workers - 1 else session


class _Fragile:
    device_is_broken = False

    def __init__(self, session: Any, workload: FragileDigits) -> None:
        self._session, self._trained = session, 0
        self._marker, self._broken = workload.marker, workload.broken

    def advance(self, amount: int) -> Metrics:
        self._trained += amount
        if self._trained >= 30 and not self._marker.exists():
            self._marker.touch()
            sys.stdout.write("my last words\n")
            os._exit(1)
        if self._broken is not None and self._session.age + amount >= 40 and not self._broken.exists():
            self._broken.touch()
            _Fragile.device_is_broken = True
        if _Fragile.device_is_broken:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return self._session.advance(amount)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class PatientDigits(Digits):
    """Digits that wait for what happens to the nodes of the test.

    After step 10 they wait until the file ``left`` says that a node has left, and after step 20 until the
    coordinator knows of an island in a process that starts after that, which makes ``joined``. From the next
    snapshot on that island has members; once it trains it makes ``trains``.

    Args:
        folder: of these files.
    """

    def __init__(self, *arguments: Any, folder: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.folder = Path(folder)
        self.late = Path(folder, "left").exists()
        if self.late:
            threading.Thread(target=_tell_when_joined, args=(Path(folder, "joined"),), daemon=True).start()

    def start(self, config: Config, seed: int, device: Device) -> Session:
        return _Patient(super().start(config, seed, device), self)


def _tell_when_joined(file: Path) -> None:
    """Make a file once an island without members has come; for an island's process."""
    import ray

    named = ray.util.list_named_actors(all_namespaces=True)
    (coordinator,) = (one for one in named if one["name"].startswith("coordinator:"))
    handle = ray.get_actor(coordinator["name"], namespace=coordinator["namespace"])
    while not ray.get(handle.__ray_call__.remote(_has_newcomer)):
        time.sleep(0.05)
    file.touch()


def _has_newcomer(coordinator: Any) -> bool:
    return bool(coordinator._membership.present - coordinator._homes.blocks.keys())


class _Patient:
    def __init__(self, session: Any, workload: PatientDigits) -> None:
        self._session, self._late, self._folder = session, workload.late, workload.folder

    def advance(self, amount: int) -> Metrics:
        if self._late:
            Path(self._folder, "trains").touch()
        for after, file in ((10, "left"), (20, "joined")):
            until = time.monotonic() + 200
            while self._session.age >= after and not Path(self._folder, file).exists():
                assert time.monotonic() < until, f"waited too long for {file}"
                time.sleep(0.05)
        return self._session.advance(amount)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
