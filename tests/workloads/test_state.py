from __future__ import annotations

import errno
import os
import pickle
import stat
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, boolean_dtypes, floating_dtypes, integer_dtypes

from tests.workloads.contract import same
from workloads.state import from_parcel, state_bytes, to_parcel
from workloads.state_files import load_state, save_state, share_state, sync_folder

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | arrays(boolean_dtypes() | integer_dtypes() | floating_dtypes(), array_shapes(min_dims=0, min_side=0))
)
states = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(states)
def test_arrays_and_plain_values_survive_a_file(tmp_path_factory: pytest.TempPathFactory, state: Any) -> None:
    path = tmp_path_factory.mktemp("states") / "state.pt"
    save_state(path, state)
    assert same(load_state(path), state)


def test_tensors_and_numpy_scalars_survive_a_file(tmp_path: Path) -> None:
    state = {
        "half": torch.tensor([1.0, float("nan")], dtype=torch.float16),
        "scalar": torch.tensor(3),
        "mask": torch.tensor([[True], [False]]),
        "transposed": torch.arange(6.0).view(2, 3).T,
        "empty": torch.empty(0, 4),
        "numpy": (np.float64(0.1), np.int8(-3), np.str_("word"), np.bool_(True)),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    }
    save_state(tmp_path / "state.pt", state)
    assert same(load_state(tmp_path / "state.pt"), state)


def test_loaded_arrays_can_be_written(tmp_path: Path) -> None:
    save_state(tmp_path / "state.pt", np.zeros(3))
    loaded = load_state(tmp_path / "state.pt")
    loaded[0] = 1
    assert loaded.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"optimizer": {"foo": object()}},
            r"state\.optimizer\.foo: expected a dict, .* got builtins\.object",
        ),
        ({"layers": [1, (2, {3})]}, r"state\.layers\[1\]\[1\]: .* got builtins\.set"),
        ({"names": np.array(["a", None])}, r"state\.names: expected an array of .* got dtype object"),
        ({("a", 1): 2}, r"state: expected keys that are strings or integers, got \('a', 1\)"),
        ({"$numpy": 1}, r"state: expected any key but '\$numpy'"),
    ],
)
def test_anything_else_is_refused_where_it_stands(state: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        save_state(tmp_path / "state.pt", state)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"age": 1})

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save_state(path, {"age": 2})
    assert load_state(path) == {"age": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_torn_file_is_refused(share: float, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"weights": torch.arange(100.0)})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"state\.pt: expected a state, got an unreadable file"):
        load_state(path)


def test_no_flipped_byte_of_a_file_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"weights": torch.arange(40.0), "age": 3})
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for offset in [*rng.integers(0, len(content), 150), *range(len(content) - 150, len(content))]:
        flipped = bytearray(content)
        flipped[offset] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"state\.pt: expected a state, got an unreadable file"):
            load_state(path)
    path.write_bytes(content)
    assert load_state(path)["age"] == 3


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_or_link_files_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, "cannot")

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "cannot")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    save_state(tmp_path / "one.pt", {"age": 3})
    sync_folder(tmp_path)
    share_state(tmp_path / "one.pt", tmp_path / "two.pt")
    assert load_state(tmp_path / "two.pt") == {"age": 3}
    assert (tmp_path / "two.pt").stat().st_nlink == 1


def test_other_programs_read_the_file_and_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"age": 3})
    assert torch.load(path, weights_only=True) == {"age": 3}
    torch.save({"age": 4}, path)
    assert load_state(path) == {"age": 4}


def test_a_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    torch.save({"path": Path("x")}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="unreadable file"):
        load_state(tmp_path / "state.pt")


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "state.pt")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([[1.0, float("nan")]], dtype=torch.float16),
        torch.tensor(3),
        torch.tensor([[True], [False]]),
        torch.arange(6.0).view(2, 3).T,
        torch.empty(0, 4),
        torch.tensor([1 + 2j]),
        torch.zeros(1).expand(5),
        torch.arange(12.0).view(3, 4)[:1, 3],
        torch.arange(12.0).view(3, 4)[:, 1],
    ],
)
def test_tensors_survive_a_parcel(tensor: torch.Tensor) -> None:
    assert same(from_parcel(pickle.loads(pickle.dumps(to_parcel(tensor)))), tensor)


def test_types_that_numpy_lacks_survive_a_parcel() -> None:
    brain = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    got = from_parcel(pickle.loads(pickle.dumps(to_parcel(brain))))
    assert torch.equal(got, brain)
    assert got.dtype == torch.bfloat16


def test_a_parcel_is_detached_and_slices_are_cut_out_of_their_storage() -> None:
    population = torch.zeros(1000, 10, requires_grad=True)
    state: dict[str, Any] = OrderedDict(
        member=population[3], moments=[population.detach()[4]], array=np.zeros(2), age=5
    )
    sent = pickle.dumps(to_parcel(state))
    assert len(sent) < 2_000
    assert same(from_parcel(pickle.loads(sent)), {**state, "member": state["member"].detach()})


def test_what_comes_out_of_a_parcel_can_be_written() -> None:
    parcel = to_parcel({"a": torch.zeros(3), "b": np.zeros(3)})
    parcel["a"].content.flags.writeable = parcel["b"].flags.writeable = False
    state = from_parcel(parcel)
    state["a"][0] = state["b"][0] = 1.0
    assert from_parcel(parcel)["a"][0] == from_parcel(parcel)["b"][0] == 0.0


def test_the_size_of_a_state_is_that_of_its_tensors_and_arrays() -> None:
    nested = {"a": torch.zeros(3, 4), "b": [np.zeros(5), ("text", 1.0, None)]}
    assert state_bytes(nested) == state_bytes(to_parcel(nested)) == 3 * 4 * 4 + 5 * 8
